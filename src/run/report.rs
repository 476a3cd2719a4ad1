//! The final report of a run: the job's counts and the outcome, as text or JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::records::Item;
use crate::exit::Exit;
use crate::output::stamp;

/// The number of failed items that a report lists; `cron_job_run_errors` has all of them.
const ERRORS_LISTED: usize = 20;

/// The counts of one job.
pub trait Report: Default + Serialize {
    fn counts(&self) -> Counts<'_>;

    /// The processed items of which nobody could be told.
    fn undeliverable(&self) -> u64 {
        0
    }

    /// The messages to people that it staged; None of a job that tells nobody.
    fn notifications(&self) -> Option<u64> {
        None
    }

    /// A closing sentence for a person, in the text of a run that succeeded.
    fn sentence(&self) -> Option<String> {
        None
    }
}

/// The counts that every report has, under names of its own.
pub struct Counts<'a> {
    /// The number of items that were due.
    pub scanned: u64,
    /// The number of items that were done.
    pub processed: u64,
    /// The other items, with the reasons.
    pub not_done: &'a NotDone,
}

impl Counts<'_> {
    /// Whether every scanned item is counted exactly once.
    pub fn add_up(&self) -> bool {
        self.scanned == self.processed + self.not_done.skipped + self.not_done.failed
    }
}

/// Items that were not done; part of every job's report.
#[derive(Debug, Default, Serialize)]
pub struct NotDone {
    /// What was left alone, for the reasons that follow.
    pub skipped: u64,
    /// `changed`: no longer due when its batch was applied. `locked`: locked by another session, left to the next run.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped_by_reason: BTreeMap<&'static str, u64>,
    /// What could not be done.
    pub failed: u64,
    /// The first failed items, and those of which nobody could be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ItemError>,
}

/// An item that failed. It holds ids and codes only.
#[derive(Debug, Serialize)]
pub struct ItemError {
    /// What it is, such as appointment.
    pub entity: &'static str,
    /// Its key.
    pub id: Value,
    /// Why it could not be done: an error code.
    pub code: String,
    /// Why, where the code does not say it; ids and counts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl NotDone {
    pub fn skip(&mut self, reason: &'static str, items: u64) {
        if items > 0 {
            self.skipped += items;
            *self.skipped_by_reason.entry(reason).or_default() += items;
        }
    }

    /// Adds the items that another part of the run did not do.
    pub fn merge(&mut self, other: Self) {
        for (reason, items) in other.skipped_by_reason {
            self.skip(reason, items);
        }
        self.failed += other.failed;
        self.errors.extend(other.errors);
        self.errors.truncate(ERRORS_LISTED);
    }

    pub fn fail(&mut self, entity: &'static str, id: impl Serialize, code: &str) {
        self.failed += 1;
        self.list(entity, id, code);
    }

    /// Lists an item among the failed ones, without counting it.
    pub fn list(&mut self, entity: &'static str, id: impl Serialize, code: &str) {
        if self.errors.len() < ERRORS_LISTED {
            self.errors.push(ItemError { entity, id: json!(id), code: code.to_owned(), message: None });
        }
    }

    /// An item that failed for a reason that its code does not say.
    pub fn fail_because(&mut self, entity: &'static str, id: impl Serialize, code: &str, reason: String) {
        self.failed += 1;
        if self.errors.len() < ERRORS_LISTED {
            self.errors.push(ItemError { entity, id: json!(id), code: code.to_owned(), message: Some(reason) });
        }
    }
}

/// The final report of a run.
#[derive(Debug)]
pub struct Summary {
    pub job: &'static str,
    pub lane: String,
    /// None if nothing could be recorded: in a dry run, or if the database was not reached.
    pub run_id: Option<Uuid>,
    pub status: &'static str,
    pub dry_run: bool,
    /// The instant that decided what was due.
    pub now: Option<DateTime<Utc>>,
    pub duration_ms: u64,
    /// Code and message of the error that ended or prevented the run.
    pub error: Option<(String, String)>,
    pub exit: Exit,
    /// The job's own counts.
    pub report: Value,
    /// The number of processed and of failed items.
    pub items: (u64, u64),
    /// The number of messages to people that were staged; None of a job that tells nobody.
    pub notifications: Option<u64>,
    /// The last line of the text.
    pub sentence: Option<String>,
    /// The first items that a dry run changed, as many as are to be listed.
    pub changed: Vec<Item>,
    /// In a dry run: why a run would have been stopped before it changed anything.
    pub would_brake: Option<String>,
}

impl Summary {
    /// One flat JSON object: the fields of the run, then the job's counts.
    pub fn json(&self) -> Value {
        let mut out = Map::new();
        out.insert("job".into(), json!(self.job));
        if !self.lane.is_empty() {
            out.insert("lane".into(), json!(self.lane));
        }
        out.insert("run_id".into(), json!(self.run_id));
        out.insert("status".into(), json!(self.status));
        out.insert("ok".into(), json!(matches!(self.exit, Exit::Done | Exit::Partial)));
        if self.exit == Exit::Partial {
            out.insert("partial".into(), json!(true));
        }
        out.insert("dry_run".into(), json!(self.dry_run));
        out.insert("now".into(), json!(self.now.map(stamp)));
        out.insert("duration_ms".into(), json!(self.duration_ms));
        if let Some((code, message)) = &self.error {
            out.insert("error_code".into(), json!(code));
            out.insert("error_message".into(), json!(message));
        }
        if let Some(why) = &self.would_brake {
            out.insert("would_brake".into(), json!(why));
        }
        if let Value::Object(report) = &self.report {
            out.extend(report.clone());
        }
        Value::Object(out)
    }

    /// The text for a person: a head line, then one count a line.
    pub fn text(&self) -> String {
        let mut out = format!("{}{} {}", self.job, self.lane_suffix(), self.status);
        if self.dry_run {
            out.push_str(" (dry run: nothing was changed)");
        }
        out.push_str(&format!(" in {} ms", self.duration_ms));
        if let Some(id) = self.run_id {
            out.push_str(&format!("  run {id}"));
        }
        out.push('\n');
        if let Some((code, message)) = &self.error {
            out.push_str(&format!("  {message} [{code}]\n"));
        }
        if let Value::Object(report) = &self.report {
            let width = report.keys().map(String::len).max().unwrap_or(0);
            for (key, value) in report {
                out.push_str(&format!("  {:width$}  {}\n", key.replace('_', " "), plain(value)));
            }
        }
        if let Some(why) = &self.would_brake {
            out.push_str(&format!("A run would stop here [BRAKE]: {why}\n"));
        }
        if let Some(sentence) = &self.sentence {
            out.push_str(&format!("{sentence}\n"));
        }
        out
    }

    pub fn lane_suffix(&self) -> String {
        lane_suffix(self.lane.as_ref())
    }
}

/// The lane behind the name of its job; nothing where it has no name of its own.
pub fn lane_suffix(lane: &str) -> String {
    if lane.is_empty() { String::new() } else { format!(" ({lane})") }
}

/// A JSON value without its punctuation.
fn plain(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) => items.iter().map(|item| format!("({})", plain(item))).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Summary {
        fn blank(job: &'static str) -> Self {
            Self {
                job,
                lane: String::new(),
                run_id: None,
                status: "COMPLETED",
                dry_run: false,
                now: None,
                duration_ms: 12,
                error: None,
                exit: Exit::Done,
                report: Value::Null,
                items: (0, 0),
                notifications: None,
                sentence: None,
                changed: vec![],
                would_brake: None,
            }
        }
    }

    #[test]
    fn text_lists_the_counts_under_a_head_line() {
        let mut not_done = NotDone::default();
        not_done.skip("locked", 2);
        not_done.fail("appointment", 7, "23514");
        let mut report = json!({ "scanned": 3 });
        report.as_object_mut().unwrap().extend(json!(not_done).as_object().unwrap().clone());
        let summary = Summary { dry_run: true, exit: Exit::Partial, report, ..Summary::blank("mark-no-shows") };
        let expected = "mark-no-shows COMPLETED (dry run: nothing was changed) in 12 ms\n  \
                        scanned            3\n  skipped            2\n  skipped by reason  locked 2\n  \
                        failed             1\n  errors             (entity appointment, id 7, code 23514)\n";
        assert_eq!(summary.text(), expected);
    }

    #[test]
    fn what_failed_in_part_is_ok_and_partial() {
        let json = |exit| Summary { exit, ..Summary::blank("prune") }.json();
        assert_eq!((&json(Exit::Partial)["ok"], &json(Exit::Partial)["partial"]), (&json!(true), &json!(true)));
        assert_eq!(json(Exit::Done).get("partial"), None);
        assert_eq!((&json(Exit::Failed)["ok"], json(Exit::Failed).get("partial")), (&json!(false), None));
    }

    #[test]
    fn only_so_many_errors_are_listed_but_all_are_counted() {
        let mut not_done = NotDone::default();
        (0..50).for_each(|id| not_done.fail("appointment", id, "X"));
        assert_eq!((not_done.failed, not_done.errors.len()), (50, ERRORS_LISTED));
    }
}
