//! What happened to a row: what a job did with it, and what it failed at.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::output::{local_stamp, stamp};
use crate::run::{Records, UNDELIVERABLE};
use crate::time_zone::Tz;

/// Something that happened to a row.
pub struct Event {
    pub at: DateTime<Utc>,
    pub run_id: Option<Uuid>,
    /// A sentence without its full stop.
    pub sentence: String,
    pub json: Value,
}

impl Event {
    /// An event. `facts` is a JSON object with what the sentence says; `at`, `run_id` and `undeliverable` are added.
    pub fn new(at: DateTime<Utc>, run_id: Option<Uuid>, sentence: String, facts: Value) -> Self {
        let mut json = facts;
        json["at"] = json!(stamp(at));
        json["run_id"] = json!(run_id);
        json["undeliverable"] = json!(false);
        let by_run = run_id.map_or(String::new(), |run| format!(" (run {run})"));
        Self { at, run_id, sentence: sentence + &by_run, json }
    }
}

/// Adds what runs recorded as failed, and says of what they did if nobody could be told of it.
pub fn with_records(mut events: Vec<Event>, records: &Records, zone: Tz) -> Vec<Event> {
    for failure in &records.failures {
        let of_run = events.iter_mut().filter(|event| event.run_id == Some(failure.run_id));
        if failure.code == UNDELIVERABLE {
            let mut is_told = false;
            for event in of_run {
                is_told = true;
                event.sentence += ", and nobody could be told [UNDELIVERABLE]";
                event.json["undeliverable"] = json!(true);
            }
            if is_told {
                continue;
            }
        }
        let (code, message) = (&failure.code, &failure.message);
        let at = local_stamp(failure.at, zone);
        let sentence = match failure.code == UNDELIVERABLE {
            true => format!("At {at} nobody could be told: {message} [{code}]"),
            false => format!("At {at} it failed: {message} [{code}]"),
        };
        events.push(Event::new(failure.at, Some(failure.run_id), sentence, json!({ "failed": code })));
    }
    events.sort_by_key(|event| event.at);
    events
}
