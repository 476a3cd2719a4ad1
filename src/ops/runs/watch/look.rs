//! One look at the runs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clinic::local_time::before;
use crate::command::CommandContext;
use crate::db::{Row, statements};
use crate::error::Error;
use crate::ops::runs::shape;
use crate::schedule;

statements! {
    LOOK(TEXT, TIMESTAMPTZ, UUID_ARRAY, INT8) = include_str!("look.sql");
}

/// A run becomes visible some time after the instant at which it began: when its claim is committed.
const OVERLAP: TimeDelta = TimeDelta::seconds(30);
/// The most runs of one look.
const MOST: i64 = 1000;

/// What is asked for.
pub struct Asked {
    job: Option<String>,
    /// How far back runs are asked for; none asks for what is new since the look before.
    since: Option<Duration>,
    /// The instant of the first look, and of the last one that was answered.
    looks: Option<[DateTime<Utc>; 2]>,
    /// The runs that were at work then.
    running: Vec<Uuid>,
}

pub struct Look {
    pub now: DateTime<Utc>,
    pub runs: Vec<Run>,
}

pub struct Run {
    pub id: Uuid,
    /// The job and its lane.
    pub name: String,
    pub status: String,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub heartbeat_at: DateTime<Utc>,
    pub duration_ms: Option<i64>,
    pub items: i64,
    pub failed: i64,
    pub error_code: Option<String>,
    pub json: Map<String, Value>,
}

impl Run {
    pub fn is_running(&self) -> bool {
        self.completed_at.is_none()
    }

    fn of(row: &Row) -> Self {
        let (job, lane): (String, String) = (row.get("job_name"), row.get("lane"));
        Self {
            id: row.get("id"),
            name: schedule::name(&job, &lane),
            status: row.get("status"),
            started_at: row.get("started_at"),
            completed_at: row.get("completed_at"),
            heartbeat_at: row.get("heartbeat_at"),
            duration_ms: row.get("duration_ms"),
            items: row.get("items_processed"),
            failed: row.get("items_failed"),
            error_code: row.get("error_code"),
            json: shape::run(row),
        }
    }
}

impl Asked {
    pub fn new(job: Option<String>, since: Option<Duration>) -> Self {
        Self { job, since, looks: None, running: vec![] }
    }

    /// Looks once. A run that ended was at work at the look before, or has begun since: so none is left out.
    pub async fn look(&mut self, context: &CommandContext<'_>) -> Result<Look, Error> {
        let (now, rows) = context
            .read(async |tx, now| {
                let since = match (self.since, self.looks) {
                    (Some(since), _) => Some(before(now, since)),
                    (None, Some([first, last])) => Some(first.max(last - OVERLAP)),
                    (None, None) => None,
                };
                Ok((now, LOOK.all(tx, &[&self.job, &since, &self.running, &MOST]).await?))
            })
            .await?;
        let runs: Vec<Run> = rows.iter().map(Run::of).collect();
        self.looks = Some([self.looks.map_or(now, |[first, _]| first), now]);
        self.running = runs.iter().filter(|run| run.is_running()).map(|run| run.id).collect();
        Ok(Look { now, runs })
    }
}
