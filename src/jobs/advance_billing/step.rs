//! A step from one status to another, and how a batch of cases takes it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::money::Cents;
use super::report::{Report, Updated};
use super::{AdvanceBilling, Stage, due};
use crate::error::{ErrorKind, Error};
use crate::run::{Batch, Halt, LockMode, Job, Run, apply_twice, count, done, skipped_columns};

pub struct Step {
    pub from: i32,
    pub to: i32,
    /// The column of a case that says since when it has the status `to`.
    pub timestamp_field: String,
    /// The least dwell, in seconds.
    pub dwell: f64,
    /// Whether a person's word stands for the transition.
    pub forced: bool,
}

impl Step {
    /// The step of a stage, as the database has it.
    pub async fn of(tx: &Transaction<'_>, stage: Stage, min_dwell: Option<Duration>) -> Result<Self, Error> {
        let query = "SELECT from_status, to_status, EXTRACT(epoch FROM min_dwell)::double precision AS dwell
                     FROM surgical_case_transitions WHERE stage = $1";
        let Some(row) = tx.query_typed_opt(query, &[(&stage.name(), Type::TEXT)]).await? else {
            let message = format!(
                "surgical_case_transitions has no row of the stage {}; {} does nothing without one",
                stage.name(),
                AdvanceBilling::NAME
            );
            return Err(Error::new("NO_TRANSITION", ErrorKind::Refused, message));
        };
        let to = row.get("to_status");
        let dwell = min_dwell.map_or(row.get("dwell"), |dwell| dwell.as_secs_f64());
        let timestamp_field = timestamp_field(tx, to).await?;
        Ok(Self { from: row.get("from_status"), to, timestamp_field, dwell, forced: false })
    }

    /// The parameters of the rule.
    pub fn rule<'a>(&'a self, now: &'a DateTime<Utc>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        vec![(now, Type::TIMESTAMPTZ), (&self.from, Type::INT4), (&self.dwell, Type::FLOAT8)]
    }

    /// Has the cases take the step; returns those that somebody else still holds.
    pub async fn take(&self, run: &Run, ids: &[i64], report: &mut Report) -> Result<Vec<i64>, Halt> {
        let actor = run.actor();
        let advance = format!(
            include_str!("advance.sql"),
            due = due(),
            timestamp = self.timestamp_field,
            skipped_columns = skipped_columns("$4", "locked", "advanced", "surgical_cases")
        );
        let statement = async |tx: &Transaction<'_>, ids: &[i64], lock: LockMode| {
            // A statement of its own: the next one sees what those did who had to be waited for.
            let hold = format!(
                "SELECT count(*) FROM (SELECT FROM surgical_cases WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE {}) c",
                lock.sql()
            );
            tx.query_typed_one(&hold, &[(&ids, Type::INT8_ARRAY)]).await?;
            let mut parameters = self.rule(&run.now);
            parameters.extend([
                (&ids as &(dyn ToSql + Sync), Type::INT8_ARRAY),
                (&self.to, Type::INT4),
                (&self.forced, Type::BOOL),
                (&run.id, Type::UUID),
                (&actor, Type::INT8),
            ]);
            Ok(tx.query_typed_one(&advance, &parameters).await?)
        };
        let Report { advanced, money_moved, cases, not_done, .. } = report;
        let batch = Batch { entity: "surgical_case", ids };
        apply_twice(run, batch, not_done, statement, |ids, row| {
            *advanced += count(row, "advanced");
            *money_moved += Cents::of(row);
            if let Some(cases) = cases {
                cases.updated.extend(done(ids, row).into_iter().map(|case_id| self.updated(case_id)));
            }
        })
        .await
    }

    fn updated(&self, case_id: i64) -> Updated {
        let timestamp_field = self.timestamp_field.clone();
        Updated { case_id, previous_status: self.from, new_status: self.to, forced: self.forced, timestamp_field }
    }
}

/// The column that says since when a case has a status; refuses a status that there is not.
pub async fn timestamp_field(tx: &Transaction<'_>, status: i32) -> Result<String, Error> {
    let query = "SELECT s.timestamp_field, (SELECT string_agg(k.status::text, ', ' ORDER BY k.status)
                                            FROM surgical_case_statuses k) AS known
                 FROM (SELECT) one LEFT JOIN surgical_case_statuses s ON s.status = $1";
    let row = tx.query_typed_one(query, &[(&status, Type::INT4)]).await?;
    let refuse = |code, message| Err(Error::new(code, ErrorKind::Refused, message));
    match row.get::<_, Option<String>>("timestamp_field") {
        // It becomes part of a statement.
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
