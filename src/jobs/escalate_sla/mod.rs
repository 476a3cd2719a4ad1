//! `rounds escalate-sla`: escalates overdue patient-experience cases, and notifies their departments.
//!
//! Rule: a case is due if and only if it is OPEN or IN_PROGRESS, due_at < now, active is not false, and its escalation
//! level is from 0 to 2; with `--re-escalate-after` also if it is ESCALATED below level 3, still overdue, and was
//! escalated at least that long ago. With `--take-up-grace` a case that a person took up again (it is IN_PROGRESS at
//! level 1 or 2) is not due within that time after its last escalation. The time counts from the escalation, by
//! escalated_at or by our audit of it, because no column of the clinic's says when a case was taken up: updated_at is
//! that of any change, by which each touch would put the escalation off. Told is its own department, else its visit's,
//! else the fallback of its facility, else the MANAGERs of the facility, else its HOSPITAL_ADMINs, as each prefers;
//! without those it is undeliverable.
//!
//! Safe to run again: an escalated case is no longer OPEN or IN_PROGRESS, and the change compares status and level.
//!
//! Leaves alone: overdue cases at level 3 (`skipped: max_level`), those within the grace (`skipped: taken_up`), open
//! ones whose level is NULL or negative, which are reported as failed, and cases that are locked by another session,
//! which are left to the next run. The audits of a case that the application deletes stay.

mod explain;

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::arg::{duration, positive_duration};
use crate::clinic::actor::refused;
use crate::clinic::local_time::instant;
use crate::clinic::{facility, local_time, outbox, stand_ins};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, Keys, Row, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{
    Batch, Counts, FacilityArgs, Halt, Job, NotDone, Reach, Run, UNDELIVERABLE_COLUMN, apply, as_text, count,
    skipped_columns, undeliverable, undeliverable_recorded,
};

const OVERDUE: &str = include_str!("overdue.part.sql");
const DEPARTMENT_OF_CASE: &str = include_str!("department.part.sql");

statements! {
    of facility;
    DEPARTMENT(KEY) = "SELECT d.id::text AS id, d.facility_id::text AS facility_id FROM departments d WHERE d.id = $1";
    COUNT_LEFT_ALONE(TIMESTAMPTZ, KEY, FLOAT8, FLOAT8) = format!(
        include_str!("left_alone.sql"),
        overdue = OVERDUE,
        taken_up = taken_up(),
    );
    SCAN(TIMESTAMPTZ, KEY, FLOAT8, FLOAT8, INT8) =
        format!(include_str!("scan.sql"), overdue = OVERDUE, taken_up = taken_up());
    OLDEST(TIMESTAMPTZ, KEY, FLOAT8, FLOAT8) =
        format!("SELECT {} AS due_since FROM px_cases c\n{}", local_time::instant("min(c.due_at)"), due());
    ESCALATE(TIMESTAMPTZ, KEY, FLOAT8, FLOAT8, KEYS, UUID, TEXT, KEYS) = format!(
        include_str!("apply.sql"),
        due = due(),
        department = DEPARTMENT_OF_CASE,
        stand_ins = stand_ins::high(),
        outbox = outbox::notified(),
        undeliverable_recorded = undeliverable_recorded("$6", "px_case"),
        undeliverable_column = UNDELIVERABLE_COLUMN,
        skipped_columns = skipped_columns("$5", "locked", "escalated", "px_cases"),
    );
    AUDITS(TEXT) =
        "SELECT a.after ->> 'escalationLevel' AS level, a.actor, a.created_at, a.run_id
         FROM px_case_audits a WHERE a.case_id = $1 AND a.action = 'ESCALATED' ORDER BY a.id";
    EXPLAIN(TIMESTAMPTZ, KEY, FLOAT8, FLOAT8, KEY, KEYS) = format!(
        include_str!("explain.sql"),
        escalated_at = instant("c.escalated_at"),
        due = due(),
        taken_up = taken_up(),
        department = DEPARTMENT_OF_CASE,
        stand_ins = stand_ins::high(),
    );
}

/// The WHERE clause of a due case `c`.
fn due() -> String {
    OVERDUE.to_owned() + &format!(include_str!("due.part.sql"), taken_up = taken_up())
}

/// Whether a case `c` was taken up again within the grace, in SQL.
fn taken_up() -> String {
    include_str!("taken_up.part.sql").trim_end().to_owned()
}

/// Escalate overdue patient-experience cases and tell their departments
#[derive(Args, Debug, Serialize)]
pub struct EscalateSla {
    /// Who is told of a case that has no department, nor its visit: a department for each facility. Without it the
    /// managers of the facility are told, or where there is none its admins
    #[arg(long, env = "ROUNDS_FALLBACK_DEPARTMENT", value_name = "DEPARTMENT_ID", value_delimiter = ',')]
    pub fallback_department: Vec<Key>,
    /// Raise cases again that are still overdue so long after they were escalated [default: never]
    #[arg(long, env = "ROUNDS_RE_ESCALATE_AFTER", value_name = "DURATION", value_parser = positive_duration)]
    #[serde(serialize_with = "as_text")]
    pub re_escalate_after: Option<Duration>,
    /// Do not escalate anew a case that a person took up again (IN_PROGRESS) until so long after its last escalation;
    /// 4h suits on-call
    #[arg(long, env = "ROUNDS_TAKE_UP_GRACE", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    #[serde(serialize_with = "as_text")]
    pub take_up_grace: Duration,
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

/// scanned = escalated + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The overdue cases, also those whose level cannot be read.
    scanned: u64,
    /// The cases that were raised by a level.
    escalated: u64,
    /// The messages that were staged.
    notifications: u64,
    /// The escalated cases that have neither a department nor a manager to notify.
    undeliverable: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.escalated, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }

    fn undeliverable(&self) -> u64 {
        self.undeliverable
    }
}

impl Job for EscalateSla {
    const NAME: &'static str = "escalate-sla";
    const TELLS: bool = true;
    type Report = Report;

    fn reach(&self) -> Reach<'_> {
        self.only.reach()
    }

    async fn oldest_due(
        &self,
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        facility: Option<&Key>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let row = OLDEST.one(tx, &[&now, &facility, &self.after(), &self.grace()]).await?;
        Ok(row.get("due_since"))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let (after, grace) = (self.after(), self.grace());
        let found = run.read("looking for overdue cases", async |tx| self.scan(run, tx).await).await?;
        run.brake(run.to_try("px_case", "", &found.due)).await?;
        report.scanned = found.at_max + found.taken_up + (found.unreadable.len() + found.due.len()) as u64;
        report.not_done.skip("max_level", found.at_max);
        report.not_done.skip("taken_up", found.taken_up);
        run.items_failed(&mut report.not_done, "px_case", &found.unreadable, &unreadable_level()).await?;
        let (facility, fallbacks) = (run.facility(), &found.fallbacks);
        let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
            let parameters: [&(dyn ToSql + Sync); 8] =
                [&run.now, &facility, &after, &grace, &Keys(ids), &run.id, &run.actor(), &Keys(fallbacks)];
            ESCALATE.one(tx, &parameters).await
        };
        let batch = Batch { entity: "px_case", part: "", ids: &found.due };
        apply(run, batch, &mut report.not_done, statement, |row| {
            report.escalated += count(row, "escalated");
            report.notifications += count(row, "notifications");
            report.undeliverable += undeliverable(row);
        })
        .await
    }
}

/// The findings of the scan.
struct Found {
    /// The fallback departments, in the server's own form.
    fallbacks: Vec<Key>,
    /// The number of overdue cases at the highest level.
    at_max: u64,
    /// The number of those that a person took up again within the grace.
    taken_up: u64,
    /// Overdue cases whose level cannot be read.
    unreadable: Vec<Key>,
    due: Vec<Key>,
}

impl EscalateSla {
    /// `--re-escalate-after` in seconds.
    pub fn after(&self) -> Option<f64> {
        self.re_escalate_after.map(|after| after.as_secs_f64())
    }

    /// `--take-up-grace` in seconds; None if there is none.
    pub fn grace(&self) -> Option<f64> {
        Some(self.take_up_grace.as_secs_f64()).filter(|grace| *grace > 0.0)
    }

    async fn scan(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
        let (fallbacks, facility) = (self.fallbacks(tx).await?, run.facility());
        let (after, grace) = (self.after(), self.grace());
        let left_alone = COUNT_LEFT_ALONE.one(tx, &[&run.now, &facility, &after, &grace]).await?;
        let (at_max, taken_up) = (count(&left_alone, "at_max"), count(&left_alone, "taken_up"));
        let found = SCAN.all(tx, &[&run.now, &facility, &after, &grace, &run.scan_limit()]).await?;
        let (unreadable, due): (Vec<&Row>, Vec<&Row>) = found.iter().partition(|row| row.get("is_unreadable"));
        let ids = |rows: Vec<&Row>| rows.iter().map(|row| row.get("id")).collect();
        Ok(Found { fallbacks, at_max, taken_up, unreadable: ids(unreadable), due: ids(due) })
    }

    /// Reads the fallback departments. Refuses those that do not exist, and two of one facility.
    pub async fn fallbacks(&self, tx: &Transaction<'_>) -> Result<Vec<Key>, Error> {
        let mut fallbacks = vec![];
        let mut facilities: HashSet<Key> = HashSet::new();
        for id in &self.fallback_department {
            let Some(row) = no_such_key(DEPARTMENT.opt(tx, &[id]).await)? else {
                return Err(unknown(format!("--fallback-department: there is no department {id}")));
            };
            let facility: Option<Key> = row.get("facility_id");
            if !facility.is_some_and(|facility| facilities.insert(facility)) {
                return Err(unknown("--fallback-department: each must be of another facility".to_owned()));
            }
            fallbacks.push(row.get("id"));
        }
        Ok(fallbacks)
    }
}

fn unknown(what: String) -> Error {
    refused("UNKNOWN_ARGUMENT", format!("{what}; nothing was changed"))
}

/// The error of a case whose level is none.
fn unreadable_level() -> Error {
    Error::new("UNREADABLE_LEVEL", ErrorKind::Data, "escalation_level is no number from 0 to 3; not judged")
}
