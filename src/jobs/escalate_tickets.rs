//! `rounds escalate-tickets`: what the clinic's own rules say is to happen to tickets that wait.
//!
//! Rule: an active rule fires for an open ticket if and only if its condition holds, and it has not fired since the
//! condition began to hold or the rule was changed, or that was at least its cooldown ago. Rules run by position; what one changes the next sees.
//! An episode ends when the condition no longer holds, or the ticket is no longer open.
//!
//! Safe to run again: the key of the episode, the action and its history are one statement, so none is without the others.
//!
//! Leaves alone: malformed rules (named, and skipped), and tickets that somebody holds right now (the next run's).

mod rule;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};
use tracing::warn;

use crate::redact::Failure;
use crate::run::{Batch, Counts, Halt, Job, NotDone, Run, apply, count, left_alone, rehearse};
use crate::{outbox, tickets};
use rule::Condition;
pub use rule::{Malformed, Rule};

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
                Err(Halt::Failed(failure)) => Err(failure),
                Err(halt) => Ok(Err(halt)),
                Ok(()) => Ok(Ok(report)),
            }
        };
        report.add(run.effect("rehearsing the rules", rehearsal).await??);
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
    pub async fn read(tx: &Transaction<'_>, all: bool) -> Result<Self, Failure> {
        let rows = tx.query_typed(include_str!("escalate_tickets.rules.sql"), &[(&all, Type::BOOL)]).await?;
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

/// What a rule has to do.
struct Found {
    /// Tickets whose episode is over.
    over: Vec<i64>,
    /// Tickets for which it fires.
    due: Vec<i64>,
}

/// What each rule would have to do if none changed what the next sees; no more rules than the brake needs.
async fn find(run: &Run, tx: &Transaction<'_>, rules: &[Rule]) -> Result<Vec<Found>, Failure> {
    let mut found: Vec<Found> = vec![];
    let mut due = 0;
    for rule in rules {
        found.push(rule.found(run, tx).await?);
        due += found.last().map_or(0, |found| found.due.len());
        if due as i64 >= run.scan_limit() {
            break;
        }
    }
    Ok(found)
}

impl Rule {
    /// When it fires, as joins of a ticket `t` and a WHERE.
    fn is_due(&self) -> String {
        self.over_tickets(include_str!("escalate_tickets.due.sql"))
    }

    /// When its episode is over, likewise.
    fn is_over(&self) -> String {
        self.over_tickets(include_str!("escalate_tickets.over.sql"))
    }

    fn over_tickets(&self, rule: &str) -> String {
        tickets::DUE_AT.to_owned() + &rule.replace("{holds}", self.condition.sql())
    }

    fn parameters<'a>(&'a self, now: &'a DateTime<Utc>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        let Condition { kind, hours, names, rating, operator } = &self.condition;
        vec![
            (now, Type::TIMESTAMPTZ),
            (&self.id, Type::INT8),
            (kind, Type::TEXT),
            (hours, Type::FLOAT8),
            (names, Type::TEXT_ARRAY),
            (rating, Type::INT4),
            (operator, Type::TEXT),
            (&self.cooldown_hours, Type::FLOAT8),
            (&self.definition, Type::TEXT),
        ]
    }

    /// The tickets for which it would fire now.
    pub async fn due(&self, tx: &Transaction<'_>, now: &DateTime<Utc>, limit: i64) -> Result<Vec<i64>, Failure> {
        self.scan(tx, &self.is_due(), now, limit).await
    }

    async fn scan(
        &self,
        tx: &Transaction<'_>,
        rule: &str,
        now: &DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<i64>, Failure> {
        let scan = format!("SELECT t.id FROM tickets t\n{rule}ORDER BY t.id LIMIT $10");
        let mut parameters = self.parameters(now);
        parameters.push((&limit, Type::INT8));
        let rows = tx.query_typed(&scan, &parameters).await;
        let rows = rows.map_err(|error| Failure::from(error).context(format_args!("rule {}", self.id)))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn found(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Failure> {
        let over = self.scan(tx, &self.is_over(), &run.now, i64::MAX).await?;
        Ok(Found { over, due: self.due(tx, &run.now, run.scan_limit()).await? })
    }
}

/// The rules in a run: by transactions of their own, or in the one of a rehearsal.
struct Pass<'a> {
    run: &'a Run,
    tx: Option<&'a Transaction<'a>>,
}

impl Pass<'_> {
    /// Carries out all rules. What was found for one is looked for anew once another has changed what conditions look at;
    /// what no longer holds each statement sees by itself.
    async fn carry_out(&self, rules: &[Rule], found: &[Found], report: &mut Report) -> Result<(), Halt> {
        let run = self.run;
        let mut stale = false;
        for (rule, found) in rules.iter().zip(found) {
            let anew = match (stale, self.tx) {
                (false, _) => None,
                (true, Some(tx)) => Some(rule.found(run, tx).await?),
                (true, None) => {
                    let look = async |tx: &Transaction<'_>| rule.found(run, tx).await;
                    Some(run.read("looking at the open tickets", look).await?)
                }
            };
            let Found { over, due } = anew.as_ref().unwrap_or(found);
            report.scanned += (over.len() + due.len()) as u64;
            self.end(rule, over, report).await?;
            // What earlier rules changed may have made more due than there was at first.
            run.brake_after(report.executed as usize + due.len())?;
            self.fire(rule, due, report).await?;
            stale |= rule.action.changes_conditions() && !due.is_empty();
        }
        Ok(())
    }

    async fn end(&self, rule: &Rule, over: &[i64], report: &mut Report) -> Result<(), Halt> {
        let alone = left_alone("$10", "locked", "ended", "tickets");
        let end = format!(include_str!("escalate_tickets.end.sql"), over = rule.is_over(), left_alone = alone);
        let ended = &mut report.episodes_ended;
        self.apply(rule, &end, &[], over, &mut report.not_done, |row| *ended += count(row, "ended")).await
    }

    async fn fire(&self, rule: &Rule, due: &[i64], report: &mut Report) -> Result<(), Halt> {
        let alone = left_alone("$10", "locked", "acted", "tickets");
        let (action, outbox) = (rule.action.sql(), outbox::NOTIFIED);
        let fire = format!(
            include_str!("escalate_tickets.sql"),
            due = rule.is_due(),
            action = action,
            outbox = outbox,
            left_alone = alone
        );
        let actor = self.run.actor();
        let more: [(&(dyn ToSql + Sync), Type); 4] = [
            (&self.run.id, Type::UUID),
            (&actor, Type::INT8),
            (&rule.action.kind, Type::TEXT),
            (&rule.action.json, Type::JSONB),
        ];
        let mut refused: Vec<i64> = vec![];
        let applied = self.apply(rule, &fire, &more, due, &mut report.not_done, |row| {
            report.executed += count(row, "executed");
            *report.executed_by_action.entry(rule.action.kind).or_default() += count(row, "executed");
            report.notifications += count(row, "notifications");
            report.undeliverable += count(row, "undeliverable");
            refused.extend(row.get::<_, Vec<i64>>("refused"));
        });
        let applied = applied.await;
        // Recorded with the history; here they are counted, also where the run was stopped.
        let code = format!("RULE_{}_REFUSED", rule.id);
        for id in refused {
            warn!(run_id = %self.run.id, entity = "ticket", id, error_code = code, "ticket_history says why");
            report.not_done.fail("ticket", id, &code);
        }
        applied
    }

    /// Applies a statement of a rule to tickets.
    async fn apply(
        &self,
        rule: &Rule,
        statement: &str,
        more: &[(&(dyn ToSql + Sync), Type)],
        ids: &[i64],
        not_done: &mut NotDone,
        tally: impl FnMut(&Row),
    ) -> Result<(), Halt> {
        let run = self.run;
        let statement = async |tx: &Transaction<'_>, ids: &[i64]| {
            let mut parameters = rule.parameters(&run.now);
            parameters.push((&ids, Type::INT8_ARRAY));
            parameters.extend(more.iter().cloned());
            tx.query_typed_one(statement, &parameters).await
        };
        let batch = Batch { entity: "ticket", ids };
        match self.tx {
            Some(tx) => rehearse(run, (tx, rule.action.is_seen()), batch, not_done, statement, tally).await,
            None => apply(run, batch, not_done, statement, tally).await,
        }
    }
}
