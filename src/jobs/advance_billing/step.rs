//! A step from one status to another, and its application to a batch of cases.

use std::time::Duration;

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::money::Cents;
use super::report::{Report, Updated};
use super::stage::{CASE, JOB, Stage};
use crate::clinic::parents::Parents;
use crate::db::{Key, Keys, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{BATCH_LOCK, Batch, Halt, LockMode, Run, applied_ids, apply_twice, count, skipped_columns};

pub const CANDIDATES: &str = include_str!("candidates.part.sql");

/// The rule as a WHERE clause of a case `c`.
pub fn due() -> String {
    format!("{CANDIDATES}  AND NOT\n{}", held_back("$3"))
}

/// The condition that the job itself brought a candidate `c` to its status less than `least` seconds ago.
pub fn held_back(least: &str) -> String {
    format!(include_str!("recently_moved.part.sql"), least = least)
}

/// The longest dwell time in seconds: a hundred years. A longer one means the same, and would exceed an instant.
const DWELL_MAX: u32 = 3_155_760_000;

/// The minimum dwell time of a transition `t` in seconds, in SQL; NULL where it is none.
pub const MIN_DWELL: &str = "CASE WHEN t.min_dwell >= interval '0'
    THEN LEAST(EXTRACT(epoch FROM t.min_dwell)::double precision, 3155760000::double precision) END";

/// A dwell time that a person gives, in seconds.
pub fn seconds(dwell: Duration) -> f64 {
    dwell.as_secs_f64().min(DWELL_MAX.into())
}

/// The number of a status, in SQL, from a column of any whole-number type; NULL where it is none.
pub fn code(column: &str) -> String {
    format!("CASE WHEN {column} BETWEEN 0 AND 2147483647 THEN {column}::int END")
}

/// The worth of cases `c`, in SQL.
pub const WORTH: &str = include_str!("worth.part.sql");

statements! {
    TRANSITION(TEXT) = format!(
        "SELECT {} AS from_status, {} AS to_status, {MIN_DWELL} AS dwell
         FROM surgical_case_transitions t WHERE t.stage::text = $1",
        code("t.from_status"),
        code("t.to_status"),
    );
    TIMESTAMP_FIELD(INT4) = "SELECT s.timestamp_field::text, (SELECT string_agg(k.status::text, ', ' ORDER BY k.status)
                                                        FROM surgical_case_statuses k) AS known
                             FROM (SELECT) one LEFT JOIN surgical_case_statuses s ON s.status = $1";
    /// After it other locks are waited for only as long as a batch may.
    LOCK[mode: LockMode = LockMode::ALL.to_vec()](KEYS) = format!(
        "SELECT of_batch.cases, set_config('lock_timeout', '{}', true)
         FROM (SELECT count(*) AS cases
               FROM (SELECT FROM surgical_cases c WHERE c.id = ANY ($1) ORDER BY c.id FOR NO KEY UPDATE {}) locked
              ) of_batch",
        BATCH_LOCK.as_millis(),
        mode.sql()
    );
    HOLD_PARENTS(INT4) = "WITH held AS MATERIALIZED (SELECT s.status FROM surgical_case_statuses s WHERE s.status = $1
                                                     FOR KEY SHARE SKIP LOCKED)
                          SELECT EXISTS (SELECT FROM held) AS all_held";
    /// The choice is the column with the instant at which a case got its status.
    ADVANCE[timestamp: String = Stage::ALL.map(|stage| stage.usual_timestamp().to_owned()).into()]
        (TIMESTAMPTZ, INT4, FLOAT8, KEYS, INT4, BOOL, UUID, TEXT, BOOL, KEY) = format!(
        include_str!("advance.sql"),
        due = due(),
        timestamp = timestamp,
        worth = WORTH,
        skipped_columns = skipped_columns("$4", "locked", "advanced", "surgical_cases"),
    );
    pub EXPLAIN(TIMESTAMPTZ, INT4, FLOAT8, KEY) =
        format!(include_str!("explain.sql"), status = code("c.case_status"), due = due());
    pub CASE_STATE(KEY) = format!(
        "SELECT c.id::text AS id, c.facility_id::text AS facility_id, COALESCE(c.active, false) AS active,
                {} AS status FROM surgical_cases c WHERE c.id = $1",
        code("c.case_status")
    );
    pub STEPS(TEXT) = "SELECT h.from_status, h.to_status, h.actor, h.run_id, h.created_at
                   FROM surgical_case_status_history h WHERE h.case_id = $1 ORDER BY h.created_at, h.id";
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
        let dwell: Option<f64> = min_dwell.map(seconds).or(row.get("dwell"));
        let (Some(from), Some(to), Some(dwell)) = (row.get("from_status"), row.get("to_status"), dwell) else {
            return Err(bad_transition(stage));
        };
        if to <= from {
            return Err(bad_transition(stage));
        }
        Ok(Self { from, to, timestamp_field: timestamp_field(tx, to).await?, dwell, forced: false })
    }

    /// Advances the cases, those of the facility if there is one. Returns the ids of the cases that another session
    /// still has locked.
    pub async fn apply(
        &self,
        run: &Run,
        ids: &[Key],
        facility: Option<&Key>,
        report: &mut Report,
    ) -> Result<Vec<Key>, Halt> {
        let actor = run.actor();
        let advance = ADVANCE.with(&self.timestamp_field);
        let parents = Parents::new(&HOLD_PARENTS);
        let statement = async |tx: &Transaction<'_>, ids: &[Key], lock: LockMode| {
            // The lock is a statement of its own, so that the next one sees the changes that it waited for.
            LOCK.with(&lock).one(tx, &[&Keys(ids)]).await?;
            let Self { from, to, dwell, forced, .. } = self;
            let held = parents.hold(tx, &[to]).await?;
            let parameters: [&(dyn ToSql + Sync); 10] =
                [&run.now, from, dwell, &Keys(ids), to, forced, &run.id, &actor, &held, &facility];
            advance.one(tx, &parameters).await
        };
        let Report { advanced, money_moved, amounts_unreadable, cases, not_done, .. } = report;
        let batch = Batch { entity: CASE, part: "", ids };
        apply_twice(run, batch, not_done, statement, |ids, row| {
            *advanced += count(row, "advanced");
            *money_moved += Cents::of(row);
            *amounts_unreadable += count(row, "amounts_unreadable");
            if let Some(cases) = cases {
                cases.updated.extend(applied_ids(ids, row).into_iter().map(|case_id| self.updated(case_id)));
            }
        })
        .await
    }

    fn updated(&self, case_id: Key) -> Updated {
        let timestamp_field = self.timestamp_field.clone();
        Updated { case_id, previous_status: self.from, new_status: self.to, forced: self.forced, timestamp_field }
    }
}

/// The error of a transition that cannot be read, or that leads backwards.
fn bad_transition(stage: Stage) -> Error {
    let message = format!(
        "surgical_case_transitions: of the stage {}, from_status and to_status are not two statuses in order, or \
         min_dwell is no duration; {JOB} does nothing without them",
        stage.name()
    );
    Error::new("BAD_TRANSITION", ErrorKind::Refused, message)
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
