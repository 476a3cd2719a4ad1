//! The alerts of a list, what their places are called, and whom they are about.

use std::collections::HashMap;

use crate::ops::places::Places;
use crate::ops::visits::Entry;

/// Alerts, what their places are called, and whom they are about.
#[derive(Default)]
pub struct Listed {
    pub entries: Vec<Entry>,
    pub places: Places,
    pub revealed: HashMap<i64, Revealed>,
    /// Whether more alerts fit than these.
    pub more: bool,
}

/// The identifying data of an alert; of a deleted visit only the message. It has neither Debug nor Display, because it
/// is written to stdout only.
pub struct Revealed {
    pub message: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub mrn: String,
}

impl Revealed {
    pub fn patient(&self) -> String {
        let words = [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str);
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Listed {
    pub fn revealed(&self, entry: &Entry) -> Option<&Revealed> {
        self.revealed.get(&entry.row.get("id"))
    }
}
