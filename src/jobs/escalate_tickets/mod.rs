//! `rounds escalate-tickets`: what the clinic's own rules say is to happen to tickets that wait.
//!
//! Rule: an active rule fires for an open ticket if and only if its condition holds, and it has not fired since the
//! condition began to hold or the rule was changed, or that was at least its cooldown ago. Rules run by position; what one
//! changes the next sees. An episode ends when the condition no longer holds, or the ticket is no longer open.
//!
//! Safe to run again: the key of the episode, the action and its history are one statement, so none is without the others.
//!
//! Leaves alone: malformed rules (named, and skipped), and tickets that somebody holds right now (the next run's).

mod pass;
mod rule;

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use crate::error::Error;
use crate::run::{Counts, Halt, Job, NotDone, Run, WriteOptions, count};
use pass::{Pass, find};
pub use rule::{Malformed, Rule};

crate::db::statements! {}

/// Carry out the escalation rules on open tickets
#[derive(Args, Debug, Serialize)]
pub struct EscalateTickets {}

/// scanned = executed + episodes_ended + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Open tickets.
    tickets_evaluated: u64,
    /// Rules that could be carried out.
    rules_evaluated: u64,
    /// Firings and ends of episodes that were due, and rules that are malformed.
    scanned: u64,
    executed: u64,
    executed_by_action: BTreeMap<&'static str, u64>,
    /// Conditions that no longer hold: the rule may fire again.
    episodes_ended: u64,
    notifications: u64,
    /// Managers that were to be told, and there are none.
    undeliverable: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.executed + self.episodes_ended, not_done: &self.not_done }
    }
}

impl Job for EscalateTickets {
    const NAME: &'static str = "escalate-tickets";
    type Report = Report;

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let Book { rules, malformed, open } =
            run.read("reading the rules", async |tx| Book::read(tx, false).await).await?;
        let found = run.read("looking at the open tickets", async |tx| find(run, tx, &rules).await).await?;
        run.brake(found.iter().map(|found| found.due.len()).sum())?;
        report.tickets_evaluated = open;
        report.rules_evaluated = rules.len() as u64;
        report.scanned = malformed.len() as u64;
        for Malformed { id, why, .. } in &malformed {
            run.items_failed(&mut report.not_done, "escalation_rule", &[*id], why).await?;
        }
        if !run.dry_run() {
            return Pass { run, tx: None }.carry_out(&rules, &found, report).await;
        }
        // The rules see each other: all of them in one transaction, which is rolled back.
        let rehearsal = async |tx: &Transaction<'_>| {
            let mut report = Report::default();
            match (Pass { run, tx: Some(tx) }).carry_out(&rules, &found, &mut report).await {
                Err(Halt::Failed(error)) => Err(error),
                Err(halt) => Ok(Err(halt)),
                Ok(()) => Ok(Ok(report)),
            }
        };
        report.add(run.write("rehearsing the rules", WriteOptions::default(), rehearsal).await??);
        Ok(())
    }
}

impl Report {
    /// Adds what was rehearsed.
    fn add(&mut self, other: Self) {
        self.scanned += other.scanned;
        self.executed = other.executed;
        self.executed_by_action = other.executed_by_action;
        self.episodes_ended = other.episodes_ended;
        self.notifications = other.notifications;
        self.undeliverable = other.undeliverable;
        self.not_done.merge(other.not_done);
    }
}

/// The rules, in their order.
pub struct Book {
    pub rules: Vec<Rule>,
    /// Rules that cannot be carried out.
    pub malformed: Vec<Malformed>,
    /// How many tickets are open.
    pub open: u64,
}

impl Book {
    /// The active ones, or all.
    pub async fn read(tx: &Transaction<'_>, all: bool) -> Result<Self, Error> {
        let rows = tx.query_typed(include_str!("rules.sql"), &[(&all, Type::BOOL)]).await?;
        let mut book = Self { rules: vec![], malformed: vec![], open: 0 };
        for row in &rows {
            match Rule::read(row) {
                Ok(rule) => book.rules.push(rule),
                Err(malformed) => book.malformed.push(malformed),
            }
        }
        let open = "SELECT count(*) AS open FROM tickets t WHERE t.status NOT IN ('RESOLVED', 'CLOSED')";
        book.open = count(&tx.query_typed_one(open, &[]).await?, "open");
        Ok(book)
    }
}
