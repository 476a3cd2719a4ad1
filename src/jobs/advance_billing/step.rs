//! A step from one status to another, and its application to a batch of cases.

use std::time::Duration;

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::money::Cents;
use super::report::{Report, Updated};
use super::stage::{JOB, Stage};
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{Batch, Halt, LockMode, Run, applied_ids, apply_twice, count, skipped_columns};

pub const CANDIDATES: &str = include_str!("candidates.part.sql");

/// The rule as a WHERE clause of a case `c`.
pub fn due() -> String {
    format!("{CANDIDATES}  AND NOT\n{}", held_back("$3"))
}

/// The condition that the job itself brought a candidate `c` to its status less than `least` seconds ago.
pub fn held_back(least: &str) -> String {
    format!(include_str!("recently_moved.part.sql"), least = least)
}

statements! {
    TRANSITION(TEXT) = "SELECT from_status, to_status, EXTRACT(epoch FROM min_dwell)::double precision AS dwell
                        FROM surgical_case_transitions WHERE stage = $1";
    TIMESTAMP_FIELD(INT4) = "SELECT s.timestamp_field, (SELECT string_agg(k.status::text, ', ' ORDER BY k.status)
                                                        FROM surgical_case_statuses k) AS known
                             FROM (SELECT) one LEFT JOIN surgical_case_statuses s ON s.status = $1";
    LOCK[mode: LockMode = LockMode::ALL.to_vec()](INT8_ARRAY) = format!(
        "SELECT count(*) FROM (SELECT FROM surgical_cases WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE {}) c",
        mode.sql()
    );
    /// The choice is the column with the instant at which a case got its status.
    ADVANCE[timestamp: String = vec!["paid_to_provider_ts".to_owned()]]
        (TIMESTAMPTZ, INT4, FLOAT8, INT8_ARRAY, INT4, BOOL, UUID, INT8) = format!(
        include_str!("advance.sql"),
        due = due(),
        timestamp = timestamp,
        skipped_columns = skipped_columns("$4", "locked", "advanced", "surgical_cases"),
    );
}

pub struct Step {
    pub from: i32,
    pub to: i32,
    /// The column with the instant at which a case got the status `to`.
    pub timestamp_field: String,
    /// The minimum dwell time, in seconds.
    pub dwell: f64,
    /// Whether a person forces the step, so that it needs no transition.
    pub forced: bool,
}

impl Step {
    /// Reads the step of a stage from the database.
    pub async fn of(tx: &Transaction<'_>, stage: Stage, min_dwell: Option<Duration>) -> Result<Self, Error> {
        let Some(row) = TRANSITION.opt(tx, &[&stage.name()]).await? else {
            let message = format!(
                "surgical_case_transitions has no row of the stage {}; {JOB} does nothing without one",
                stage.name()
            );
            return Err(Error::new("NO_TRANSITION", ErrorKind::Refused, message));
        };
        let to = row.get("to_status");
        let dwell = min_dwell.map_or(row.get("dwell"), |dwell| dwell.as_secs_f64());
        let timestamp_field = timestamp_field(tx, to).await?;
        Ok(Self { from: row.get("from_status"), to, timestamp_field, dwell, forced: false })
    }

    /// Advances the cases. Returns the ids of the cases that another session still has locked.
    pub async fn apply(&self, run: &Run, ids: &[i64], report: &mut Report) -> Result<Vec<i64>, Halt> {
        let actor = run.actor_number();
        let advance = ADVANCE.with(&self.timestamp_field);
        let statement = async |tx: &Transaction<'_>, ids: &[i64], lock: LockMode| {
            // The lock is a statement of its own, so that the next one sees the changes that it waited for.
            LOCK.with(&lock).one(tx, &[&ids]).await?;
            let Self { from, to, dwell, forced, .. } = self;
            let parameters: [&(dyn ToSql + Sync); 8] = [&run.now, from, dwell, &ids, to, forced, &run.id, &actor];
            advance.one(tx, &parameters).await
        };
        let Report { advanced, money_moved, cases, not_done, .. } = report;
        let batch = Batch { entity: "surgical_case", ids };
        apply_twice(run, batch, not_done, statement, |ids, row| {
            *advanced += count(row, "advanced");
            *money_moved += Cents::of(row);
            if let Some(cases) = cases {
                cases.updated.extend(applied_ids(ids, row).into_iter().map(|case_id| self.updated(case_id)));
            }
        })
        .await
    }

    fn updated(&self, case_id: i64) -> Updated {
        let timestamp_field = self.timestamp_field.clone();
        Updated { case_id, previous_status: self.from, new_status: self.to, forced: self.forced, timestamp_field }
    }
}

/// The column with the instant at which a case got a status. Refuses an unknown status.
pub async fn timestamp_field(tx: &Transaction<'_>, status: i32) -> Result<String, Error> {
    let row = TIMESTAMP_FIELD.one(tx, &[&status]).await?;
    let refuse = |code, message| Err(Error::new(code, ErrorKind::Refused, message));
    match row.get::<_, Option<String>>("timestamp_field") {
        // The name is checked, because it becomes part of a statement.
        Some(field) if field.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => Ok(field),
        Some(_) => {
            refuse("BAD_TIMESTAMP_FIELD", format!("the timestamp_field of the status {status} is no name of a column"))
        }
        None => {
            let known: Option<&str> = row.get("known");
            refuse("UNKNOWN_STATUS", format!("there is no status {status}; there are {}", known.unwrap_or("none")))
        }
    }
}
