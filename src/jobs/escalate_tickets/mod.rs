//! `rounds escalate-tickets`: carries out the clinic's own escalation rules on open tickets.
//!
//! Rule: an active rule fires for an open ticket if and only if its condition holds, and it has not fired since the
//! condition began to hold or the rule was changed, or that was at least its cooldown ago. Rules run by position; each
//! sees the changes of the earlier ones. An episode ends when the condition no longer holds, or the ticket is no longer
//! open, or rule or ticket are gone, or the rule is switched off; a run must have seen it.
//!
//! An action that is refused, since it names somebody who is missing or not active, is tried again by each run, because
//! its cause may be gone. The first refusal of an episode is a failed item; the following ones are `skipped: refused`,
//! and the brake does not count them.
//!
//! Safe to run again: one statement writes the episode, the action and its history, so none exists without the others.
//!
//! Leaves alone: malformed rules, which are reported and skipped, and tickets that are locked by another session, which
//! are left to the next run.

mod action;
mod condition;
mod explain;
mod facts;
mod gone;
mod keys;
mod pass;
mod report;
mod rule;
mod targets;

use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::clinic::tickets;
use crate::command::explain::ExplainArgs;
use crate::db::statements;
use crate::run::{FacilityArgs, Halt, Job, Reach, Run, WriteOptions};
use gone::Gone;
use pass::{Pass, find};
use report::Report;
pub use rule::{Malformed, Rule, RuleBook};
pub use targets::Targets;

statements! {
    of facts, gone, pass, rule, targets, tickets;
}

/// Carry out the escalation rules on open tickets
#[derive(Args, Debug, Serialize)]
pub struct EscalateTickets {
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

impl Job for EscalateTickets {
    const NAME: &'static str = "escalate-tickets";
    const TELLS: bool = true;
    type Report = Report;

    fn reach(&self) -> Reach<'_> {
        self.only.reach()
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let RuleBook { mut rules, malformed, open } =
            run.read("reading the rules", async |tx| RuleBook::read(tx, false, run.facility()).await).await?;
        let look = async |tx: &Transaction<'_>| Targets::read(tx, &rules).await;
        let targets = run.read("looking for those whom the rules name", look).await?;
        rules.iter_mut().for_each(|rule| targets.resolve(&mut rule.action));
        let policies = match rules.iter().any(Rule::reads_policies) {
            true => run.read("reading the policies", async |tx| tickets::unreadable_policies(tx).await).await?,
            false => vec![],
        };
        let gone = run.read("looking for episodes of what is gone", async |tx| Gone::read(tx).await).await?;
        let found =
            run.read("looking at the open tickets", async |tx| find(run, tx, &rules, &gone.tickets).await).await?;
        let to_try = rules.iter().zip(&found).map(|(rule, found)| run.to_try("ticket", &rule.part(), found.fresh()));
        run.brake(to_try.sum()).await?;
        report.tickets_evaluated = open;
        report.rules_evaluated = rules.len() as u64;
        report.scanned = (malformed.len() + policies.len()) as u64;
        for Malformed { id, error, .. } in &malformed {
            run.items_failed(&mut report.not_done, "escalation_rule", std::slice::from_ref(id), error).await?;
        }
        run.items_failed(&mut report.not_done, "sla_policy", &policies, &tickets::unreadable_policy()).await?;
        // What is gone is of no facility any more: the runs that are kept to none end it.
        if !gone.is_empty() && run.facility().is_none() {
            let end = async |tx: &Transaction<'_>| gone.end(tx).await;
            let ended = run.write("ending episodes of what is gone", WriteOptions::default(), end).await?;
            report.scanned += ended;
            report.episodes_ended += ended;
        }
        let gone = &gone.tickets;
        if !run.dry_run() {
            return Pass::new(run, None, gone).carry_out(&rules, &found, report).await;
        }
        // All rules run in one transaction, which is rolled back, so that each sees the changes of the earlier ones.
        let rehearsal = async |tx: &Transaction<'_>| {
            let mut report = Report::default();
            match Pass::new(run, Some(tx), gone).carry_out(&rules, &found, &mut report).await {
                Err(Halt::Failed(error)) => Err(error),
                Err(halt) => Ok(Err(halt)),
                Ok(()) => Ok(Ok(report)),
            }
        };
        report.add(run.write("rehearsing the rules", WriteOptions::BATCH, rehearsal).await??);
        Ok(())
    }
}
