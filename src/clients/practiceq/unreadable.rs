//! Rows that cannot be stored, and why.

use std::fmt;

/// Stands for the id of a row that has none.
pub const NO_ID: &str = "?";

/// A row that cannot be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub id: String,
    pub why: Why,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Why {
    /// What is wrong with the row.
    Row(&'static str),
    /// Nobody knows what its Status means. The word, where it is one: a status names no person.
    Status(Option<String>),
}

impl Why {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Row(_) => "ROW_UNREADABLE",
            Self::Status(_) => "UNKNOWN_STATUS",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(why) => f.write_str(why),
            Self::Status(Some(word)) => write!(f, "its Status, {word}, is unknown; what is stored stays"),
            Self::Status(None) => f.write_str("its Status is missing or no word; what is stored stays"),
        }
    }
}
