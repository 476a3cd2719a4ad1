//! `rounds monitor-ticket-sla`: notifies the people of a ticket before its SLA is breached, and when it is breached.
//!
//! Rule: an open ticket (neither RESOLVED nor CLOSED) with a date is at high risk if and only if now > date, or the
//! date is not after its creation, or less than 10 % of the time between creation and date remain; at medium risk if
//! less than 25 % remain; else at low risk. Its people are notified if and only if the risk is medium or high and there
//! is no record of it, it is worse than the last record (and a breach is worse than any risk of it), or the date has
//! moved since. It is recorded if and only if they are notified, or it is better than the last record. Of a breached
//! ticket of whose people none is active the MANAGERs of its facility are notified instead, or if there is none its
//! HOSPITAL_ADMINs, or else it is undeliverable. Each is told as they prefer; a notice of a high risk or a breach is HIGH,
//! so it is in the application in any case. Who is attached to it later is notified of what is news from then on, not of
//! what others were.
//!
//! Safe to run again: the next run compares with the record, which is written in the transaction of the notices.
//!
//! Leaves alone: tickets without a date, and tickets that are locked by another session, which are left to the next
//! run.

mod explain;

use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::clinic::channels::as_preferred;
use crate::clinic::{outbox, stand_ins, tickets};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, Keys, cut_name, statements};
use crate::error::Error;
use crate::run::{
    Batch, Counts, FacilityArgs, Halt, Job, NotDone, Reach, Run, UNDELIVERABLE_COLUMN, apply, count, skipped_columns,
    undeliverable, undeliverable_recorded,
};

/// The condition on a ticket with its risk.
const DUE: &str = include_str!("due.part.sql");

statements! {
    of tickets;
    SCAN(TIMESTAMPTZ, INT8, KEY) = format!(include_str!("scan.sql"), risk = risk(), due = DUE);
    RECORD(TIMESTAMPTZ, KEYS, UUID, TEXT, KEY) = format!(
        include_str!("apply.sql"),
        number = cut_name("t.number"),
        risk = risk(),
        due = DUE,
        channels = as_preferred("p.urgency"),
        stand_ins = stand_ins::high(),
        outbox = outbox::notified(),
        undeliverable_recorded = undeliverable_recorded("$3", "ticket"),
        undeliverable_column = UNDELIVERABLE_COLUMN,
        skipped_columns = skipped_columns("$2", "locked", "due", "tickets"),
    );
    EXPLAIN(TIMESTAMPTZ, KEY) = format!(include_str!("explain.sql"), risk = risk(), due = DUE.trim_end());
    // The newest records of a ticket, in the order of time.
    CHECKS(TEXT) = "SELECT h.level, h.breached, h.created_at, h.run_id
                    FROM (SELECT h.id, h.details ->> 'breachRisk' AS level, h.created_at, h.run_id,
                                 COALESCE(h.details ->> 'isCompliant' = 'false', false) AS breached
                          FROM ticket_history h WHERE h.ticket_id = $1 AND h.action = 'sla_status_checked'
                          ORDER BY h.id DESC LIMIT 20) h
                    ORDER BY h.id";
}

/// The joins that add the risk to a ticket `t`.
fn risk() -> String {
    format!(include_str!("risk.part.sql"), due_at = tickets::due_at())
}

/// Tell those who have to do with a ticket that its SLA is at risk or breached
#[derive(Args, Debug, Serialize)]
pub struct MonitorTicketSla {
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

/// scanned = recorded + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The open tickets with a date.
    checked: u64,
    /// The tickets whose date has passed.
    breached: u64,
    /// The tickets at medium or high risk that are not breached.
    at_risk: u64,
    /// The tickets that had to be recorded, and the policies from which no date can be computed.
    scanned: u64,
    /// The tickets whose risk or breach was recorded.
    recorded: u64,
    /// The messages that were staged.
    notifications_sent: u64,
    /// The tickets whose breach was recorded, but of which nobody could be told.
    undeliverable: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.recorded, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications_sent)
    }

    fn undeliverable(&self) -> u64 {
        self.undeliverable
    }
}

impl Job for MonitorTicketSla {
    const NAME: &'static str = "monitor-ticket-sla";
    const TELLS: bool = true;
    type Report = Report;

    fn reach(&self) -> Reach<'_> {
        self.only.reach()
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let look = async |tx: &Transaction<'_>| {
            let policies = tickets::unreadable_policies(tx).await?;
            Ok::<_, Error>((policies, SCAN.one(tx, &[&run.now, &run.scan_limit(), &run.facility()]).await?))
        };
        let (policies, found) = run.read("looking at the open tickets", look).await?;
        let due: Vec<Key> = found.get("due");
        run.brake(run.to_try("ticket", "", &due)).await?;
        report.checked = count(&found, "checked");
        report.breached = count(&found, "breached");
        report.at_risk = count(&found, "at_risk");
        report.scanned = (policies.len() + due.len()) as u64;
        run.items_failed(&mut report.not_done, "sla_policy", &policies, &tickets::unreadable_policy()).await?;
        let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
            RECORD.one(tx, &[&run.now, &Keys(ids), &run.id, &run.actor(), &run.facility()]).await
        };
        apply(run, Batch { entity: "ticket", part: "", ids: &due }, &mut report.not_done, statement, |row| {
            report.recorded += count(row, "recorded");
            report.notifications_sent += count(row, "notifications");
            report.undeliverable += undeliverable(row);
        })
        .await
    }
}
