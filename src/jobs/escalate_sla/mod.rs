//! `rounds escalate-sla`: escalates overdue patient-experience cases, and notifies their departments.
//!
//! Rule: a case is due if and only if it is OPEN or IN_PROGRESS, due_at < now, active is not false, and its escalation
//! level is below 3; with `--re-escalate-after` also if it is ESCALATED below level 3, still overdue, and was escalated
//! at least that long ago.
//!
//! Safe to run again: an escalated case is no longer OPEN or IN_PROGRESS, and the change compares status and level.
//!
//! Leaves alone: overdue cases at level 3 (`skipped: max_level`), and cases that are locked by another session, which
//! are left to the next run.

pub mod explain;

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::clinic::outbox;
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{Batch, Counts, Halt, Job, NotDone, Run, apply, as_text, count, positive_duration, skipped_columns};

const OVERDUE: &str = include_str!("overdue.part.sql");
const DUE: &str = concat!(include_str!("overdue.part.sql"), include_str!("due.part.sql"));

statements! {
    /// Checks whether the facility and the departments of the arguments exist.
    ARGUMENTS(INT8, INT8_ARRAY) = "SELECT $1 IS NULL OR EXISTS (SELECT FROM facilities WHERE id = $1) AS facility,
                                          count(*) AS departments, count(DISTINCT facility_id) AS facilities
                                   FROM departments WHERE id = ANY ($2)";
    COUNT_AT_MAX(TIMESTAMPTZ, INT8, FLOAT8) =
        format!("SELECT count(*) AS cases FROM px_cases c\n{OVERDUE}  AND c.escalation_level >= 3");
    SCAN(TIMESTAMPTZ, INT8, FLOAT8, INT8) = format!("SELECT c.id FROM px_cases c\n{DUE}ORDER BY c.id LIMIT $4");
    ESCALATE(TIMESTAMPTZ, INT8, FLOAT8, INT8_ARRAY, UUID, INT8, INT8_ARRAY) = format!(
        include_str!("apply.sql"),
        due = DUE,
        department = department("$7"),
        outbox = outbox::NOTIFIED,
        skipped_columns = skipped_columns("$4", "locked", "escalated", "px_cases"),
    );
    pub AUDITS(INT8) = "SELECT after ->> 'escalationLevel' AS level, actor, created_at, run_id FROM px_case_audits
                        WHERE case_id = $1 AND action = 'ESCALATED' ORDER BY id";
    pub EXPLAIN(TIMESTAMPTZ, INT8, FLOAT8, INT8, INT8_ARRAY) =
        format!(include_str!("explain.sql"), due = DUE, department = department("$5"));
}

/// The joins that find the department to notify of a case `c`; `fallback` is the parameter with the fallback
/// departments.
fn department(fallback: &str) -> String {
    format!(include_str!("department.part.sql"), fallback = fallback)
}

/// Escalate overdue patient-experience cases and tell their departments
#[derive(Args, Debug, Serialize)]
pub struct EscalateSla {
    /// Only cases of this facility
    #[arg(long, env = "ROUNDS_FACILITY", value_name = "FACILITY_ID")]
    pub facility: Option<i64>,
    /// Who is told of a case that has no department, nor its visit: a department for each facility
    #[arg(long, env = "ROUNDS_FALLBACK_DEPARTMENT", value_name = "DEPARTMENT_ID", value_delimiter = ',')]
    pub fallback_department: Vec<i64>,
    /// Raise cases again that are still overdue so long after they were escalated [default: never]
    #[arg(long, env = "ROUNDS_RE_ESCALATE_AFTER", value_name = "DURATION", value_parser = positive_duration)]
    #[serde(serialize_with = "as_text")]
    pub re_escalate_after: Option<Duration>,
    /// Change nothing: say why this case was escalated, or was not, or would be now
    #[arg(long, value_name = "CASE_ID")]
    #[serde(skip)]
    pub explain: Option<i64>,
}

/// scanned = escalated + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The overdue cases.
    scanned: u64,
    escalated: u64,
    notifications: u64,
    /// The escalated cases that have no department to notify.
    undeliverable: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.escalated, not_done: &self.not_done }
    }
}

impl Job for EscalateSla {
    const NAME: &'static str = "escalate-sla";
    type Report = Report;

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let actor = run.actor_number();
        let after = self.after();
        let (at_max, due) = run.read("looking for overdue cases", async |tx| self.scan(run, tx).await).await?;
        run.brake(due.len())?;
        report.scanned = at_max + due.len() as u64;
        report.not_done.skip("max_level", at_max);
        let statement = async |tx: &Transaction<'_>, ids: &[i64]| {
            let parameters: [&(dyn ToSql + Sync); 7] =
                [&run.now, &self.facility, &after, &ids, &run.id, &actor, &self.fallback_department];
            ESCALATE.one(tx, &parameters).await
        };
        let batch = Batch { entity: "px_case", ids: &due };
        apply(run, batch, &mut report.not_done, statement, |row| {
            report.escalated += count(row, "escalated");
            report.notifications += count(row, "notifications");
            report.undeliverable += count(row, "undeliverable");
        })
        .await
    }
}

impl EscalateSla {
    /// `--re-escalate-after` in seconds.
    pub fn after(&self) -> Option<f64> {
        self.re_escalate_after.map(|after| after.as_secs_f64())
    }

    /// The number of overdue cases at the highest level, and the ids of the due cases.
    async fn scan(&self, run: &Run, tx: &Transaction<'_>) -> Result<(u64, Vec<i64>), Error> {
        self.check(tx).await?;
        let after = self.after();
        let at_max = COUNT_AT_MAX.one(tx, &[&run.now, &self.facility, &after]).await?;
        let due = SCAN.all(tx, &[&run.now, &self.facility, &after, &run.scan_limit()]).await?;
        Ok((count(&at_max, "cases"), due.iter().map(|row| row.get(0)).collect()))
    }

    /// Refuses a facility or a department that does not exist, and two departments of one facility.
    pub async fn check(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let row = ARGUMENTS.one(tx, &[&self.facility, &self.fallback_department]).await?;
        let refuse = |what: &str| {
            Err(Error::new("UNKNOWN_ARGUMENT", ErrorKind::Refused, format!("{what}; nothing was changed")))
        };
        if !row.get::<_, bool>("facility") {
            return refuse("--facility: there is no such facility");
        }
        let departments = count(&row, "departments");
        if departments != self.fallback_department.len() as u64 || departments != count(&row, "facilities") {
            return refuse("--fallback-department: each must be a department, and each of another facility");
        }
        Ok(())
    }
}
