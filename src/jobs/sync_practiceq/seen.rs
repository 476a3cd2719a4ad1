//! The appointments that a run has read, so that it stores none twice and knows which are missing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::clients::practiceq::{Appointment, NO_ID, Unreadable};

/// The content of each, by external id.
#[derive(Default)]
pub struct Seen(HashMap<String, Content>);

#[derive(Default, PartialEq)]
struct Content {
    hash: String,
    client_id: Option<String>,
}

/// The rows of a page that the run has not read before.
#[derive(Default)]
pub struct NewRows {
    pub appointments: Vec<Appointment>,
    pub unreadable: Vec<Unreadable>,
    /// The highest LastModified of the page.
    pub modified_at: Option<DateTime<Utc>>,
}

impl Seen {
    pub fn new_rows(&mut self, rows: &[Value], asked_at: DateTime<Utc>) -> NewRows {
        let mut new = NewRows::default();
        for row in rows {
            let read = match Appointment::read(row, asked_at) {
                Ok(read) => read,
                // Once a run; rows without an id cannot be told apart.
                Err(Unreadable { id, .. }) if id != NO_ID && self.0.contains_key(&id) => continue,
                // A row that cannot be read is not missing.
                Err(unreadable) => {
                    self.0.insert(unreadable.id.clone(), Content::default());
                    new.unreadable.push(unreadable);
                    continue;
                }
            };
            new.modified_at = new.modified_at.max(read.modified_at);
            let content = Content { hash: read.hash.clone(), client_id: read.client_id.clone() };
            if self.0.get(&read.external_id) != Some(&content) {
                self.0.insert(read.external_id.clone(), content);
                new.appointments.retain(|earlier| earlier.external_id != read.external_id);
                new.appointments.push(read);
            }
        }
        new
    }

    pub fn external_ids(&self) -> Vec<&String> {
        self.0.keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_new_once_and_again_where_it_has_changed() {
        let mut seen = Seen::default();
        let row = |start: i64| json!({ "Id": "a", "StartDate": start, "Status": "Confirmed" });
        let mut new = |rows: &[Value]| seen.new_rows(rows, DateTime::UNIX_EPOCH).appointments;
        assert_eq!(new(&[row(1)]).len(), 1);
        assert_eq!(new(&[row(1)]).len(), 0);
        let moved = new(&[row(2), row(3)]);
        assert_eq!((moved.len(), moved[0].starts_at.timestamp_millis()), (1, 3), "of one page the last row counts");
    }

    #[test]
    fn a_row_that_cannot_be_read_is_said_once_and_is_not_missing() {
        let mut seen = Seen::default();
        let rows = [json!({ "Id": "a" }), json!({ "Id": "a" }), json!({}), json!({})];
        let new = seen.new_rows(&rows, DateTime::UNIX_EPOCH);
        let ids: Vec<&str> = new.unreadable.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["a", NO_ID, NO_ID]);
        assert!(seen.external_ids().contains(&&"a".to_owned()));
    }
}
