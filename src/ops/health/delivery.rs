//! What waits, failed or is uncertain of the messages of a channel.
//!
//! Rule: a channel is sick if a message has been due for ten minutes, or its last run has stopped because the provider
//! refuses us or cannot be reached; it is degraded if a message is uncertain, or a tenth of the day's messages, and at
//! least ten, have failed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::db::{Row as SqlRow, statements};
use crate::error::Error;
use crate::jobs::deliver_notifications::DeliverNotifications;
use crate::output::{counted, span, stamp};
use crate::run::Job as _;
use crate::schedule::Row;

statements! {
    DELIVERY(TEXT_ARRAY, TIMESTAMPTZ, TIMESTAMPTZ) = include_str!("delivery.sql");
}

/// The codes of the findings.
const BACKLOG: &str = "BACKLOG";
const UNCERTAIN: &str = "UNCERTAIN";
const MANY_FAILED: &str = "MANY_FAILED";
/// The errors with which a run stops its channel.
pub const STOPPED: [&str; 2] = ["CHANNEL_STOPPED", "PROVIDER_UNREACHABLE"];

/// A message that is due is sent within a minute or two.
const DUE_MAX: TimeDelta = TimeDelta::minutes(10);
/// From so many failed messages on, if they are a tenth of all.
const FAILED_MIN: i64 = 10;

/// The messages of a lane's channel.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    due_since: Option<DateTime<Utc>>,
    uncertain: i64,
    failed: i64,
    tried: i64,
}

/// What a finding does to the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Sick,
    Degraded,
}

/// The channel of a lane, as the outbox has it; None of another job.
fn channel(row: &Row) -> Option<String> {
    (row.job == DeliverNotifications::NAME && !row.lane.is_empty()).then(|| row.lane.to_uppercase())
}

/// Reads what there is of each row's channel, in the order of the rows.
pub async fn read(
    tx: &Transaction<'_>,
    rows: &[&'static Row],
    now: DateTime<Utc>,
) -> Result<Vec<Option<Delivery>>, Error> {
    let channels: Vec<String> = rows.iter().filter_map(|row| channel(row)).collect();
    if channels.is_empty() {
        return Ok(vec![None; rows.len()]);
    }
    let found = DELIVERY.all(tx, &[&channels, &now, &(now - TimeDelta::days(1))]).await?;
    let mut found = found.iter().map(Delivery::of);
    Ok(rows.iter().map(|row| channel(row).and_then(|_| found.next())).collect())
}

impl Delivery {
    fn of(row: &SqlRow) -> Self {
        Self {
            due_since: row.get("due_since"),
            uncertain: row.get("uncertain"),
            failed: row.get("failed"),
            tried: row.get("tried"),
        }
    }

    /// What is wrong, each with its code and a clause.
    pub fn findings(&self, now: DateTime<Utc>) -> Vec<(Weight, &'static str, String)> {
        let mut findings = vec![];
        if let Some(since) = self.due_since.filter(|since| now - *since > DUE_MAX) {
            findings.push((Weight::Sick, BACKLOG, format!("a message has been due for {}", span(now - since))));
        }
        if self.uncertain > 0 {
            let verb = if self.uncertain == 1 { "waits" } else { "wait" };
            let what = format!("{} {verb} for a person's word", counted(self.uncertain, "uncertain message"));
            findings.push((Weight::Degraded, UNCERTAIN, what));
        }
        if self.failed >= FAILED_MIN && self.failed * 10 >= self.tried {
            let what = format!("{} of the {} of 24 h failed", self.failed, counted(self.tried, "message"));
            findings.push((Weight::Degraded, MANY_FAILED, what));
        }
        findings
    }

    /// For how long the oldest message has been due.
    pub fn waiting_seconds(&self, now: DateTime<Utc>) -> u64 {
        self.due_since.map_or(0, |since| (now - since).num_seconds().max(0).unsigned_abs())
    }

    pub fn json(&self, now: DateTime<Utc>) -> Value {
        let age = self.due_since.map(|since| (now - since).num_seconds().max(0));
        json!({
            "dueSince": self.due_since.map(stamp),
            "dueSeconds": age,
            "uncertain": self.uncertain,
            "failed24h": self.failed,
            "tried24h": self.tried,
            "failedShare24h": (self.tried > 0).then(|| format!("{:.1}%", self.failed as f64 * 100.0 / self.tried as f64)),
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::ops::health::stats::tests::at;

    pub fn delivery(due_since: Option<&str>, uncertain: i64, failed: i64, tried: i64) -> Delivery {
        Delivery { due_since: due_since.map(at), uncertain, failed, tried }
    }

    #[test]
    fn the_bounds_of_each_finding_are_exact() {
        let now = at("2026-03-02T15:00:00Z");
        let codes = |delivery: Delivery| -> Vec<(Weight, &str)> {
            delivery.findings(now).into_iter().map(|(weight, code, _)| (weight, code)).collect()
        };
        assert_eq!(codes(delivery(Some("2026-03-02T14:50:00Z"), 0, 9, 9)), []);
        assert_eq!(codes(delivery(Some("2026-03-02T14:49:59Z"), 0, 0, 0)), [(Weight::Sick, BACKLOG)]);
        assert_eq!(codes(delivery(None, 1, 10, 100)), [(Weight::Degraded, UNCERTAIN), (Weight::Degraded, MANY_FAILED)]);
        assert_eq!(codes(delivery(None, 0, 10, 101)), []);
    }
}
