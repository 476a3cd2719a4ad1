//! The lanes that schedulers start although the schedule does not have them. They are shown, and judged by nobody.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::db::{Row as SqlRow, statements};
use crate::error::Error;
use crate::output::{counted, span, stamp};
use crate::run::has_passed;
use crate::schedule::{self, Row};

statements! {
    UNSCHEDULED(TEXT_ARRAY, TEXT_ARRAY, TIMESTAMPTZ) =
        format!(include_str!("unscheduled.sql"), has_passed = has_passed("r.started_at"));
}

/// A lane that is in no row of the schedule, with its runs by schedulers since an instant.
pub struct Unscheduled {
    pub job: String,
    lane: String,
    runs: i64,
    latest: DateTime<Utc>,
}

impl Unscheduled {
    /// All of them.
    pub async fn since(tx: &Transaction<'_>, table: &[Row], since: DateTime<Utc>) -> Result<Vec<Self>, Error> {
        let jobs: Vec<&str> = table.iter().map(|row| row.job).collect();
        let lanes: Vec<&str> = table.iter().map(|row| row.lane).collect();
        let rows = UNSCHEDULED.all(tx, &[&jobs, &lanes, &since]).await?;
        let one = |row: &SqlRow| Self {
            job: row.get("job_name"),
            lane: row.get("lane"),
            runs: row.get("runs"),
            latest: row.get("latest"),
        };
        Ok(rows.iter().map(one).collect())
    }

    pub fn json(&self) -> Value {
        json!({ "jobName": self.job, "lane": self.lane, "runs": self.runs, "lastRunTime": stamp(self.latest) })
    }

    /// A sentence below the table.
    pub fn note(&self, now: DateTime<Utc>) -> String {
        let (name, age) = (schedule::name(&self.job, &self.lane), span(now - self.latest));
        format!("{name}: not scheduled, but {} by a scheduler, the last {age} ago", counted(self.runs, "run"))
    }
}
