//! Carries out rules: looks for what each has to do, ends episodes, fires, counts.

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};
use tracing::warn;

use super::Report;
use super::rule::{Condition, Rule};
use crate::error::Error;
use crate::run::{Batch, Halt, NotDone, Run, apply, count, skipped_columns, apply_in_savepoints, Rehearsal};
use crate::clinic::{outbox, tickets};

/// What a rule has to do.
pub struct Found {
    /// Tickets whose episode is over.
    over: Vec<i64>,
    /// Tickets for which it fires.
    pub due: Vec<i64>,
}

/// What each rule would have to do if none changed what the next sees; no more rules than the brake needs.
pub async fn find(run: &Run, tx: &Transaction<'_>, rules: &[Rule]) -> Result<Vec<Found>, Error> {
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
        self.over_tickets(include_str!("due.part.sql"))
    }

    /// When its episode is over, likewise.
    fn is_over(&self) -> String {
        self.over_tickets(include_str!("ended.part.sql"))
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
    pub async fn due(&self, tx: &Transaction<'_>, now: &DateTime<Utc>, limit: i64) -> Result<Vec<i64>, Error> {
        self.scan(tx, &self.is_due(), now, limit).await
    }

    async fn scan(
        &self,
        tx: &Transaction<'_>,
        rule: &str,
        now: &DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<i64>, Error> {
        let scan = format!("SELECT t.id FROM tickets t\n{rule}ORDER BY t.id LIMIT $10");
        let mut parameters = self.parameters(now);
        parameters.push((&limit, Type::INT8));
        let rows = tx.query_typed(&scan, &parameters).await;
        let rows = rows.map_err(|error| Error::from(error).context(format_args!("rule {}", self.id)))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn found(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
        let over = self.scan(tx, &self.is_over(), &run.now, i64::MAX).await?;
        Ok(Found { over, due: self.due(tx, &run.now, run.scan_limit()).await? })
    }
}

/// The rules in a run: by transactions of their own, or in the one of a rehearsal.
pub struct Pass<'a> {
    pub run: &'a Run,
    pub tx: Option<&'a Transaction<'a>>,
}

impl Pass<'_> {
    /// Carries out all rules. What was found for one is looked for anew once another has changed what conditions look at;
    /// what no longer holds each statement sees by itself.
    pub async fn carry_out(&self, rules: &[Rule], found: &[Found], report: &mut Report) -> Result<(), Halt> {
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
        let alone = skipped_columns("$10", "locked", "ended", "tickets");
        let end = format!(include_str!("end_episodes.sql"), over = rule.is_over(), skipped_columns = alone);
        let ended = &mut report.episodes_ended;
        self.apply(rule, &end, &[], over, &mut report.not_done, |row| *ended += count(row, "ended")).await
    }

    async fn fire(&self, rule: &Rule, due: &[i64], report: &mut Report) -> Result<(), Halt> {
        let alone = skipped_columns("$10", "locked", "acted", "tickets");
        let (action, outbox) = (rule.action.sql(), outbox::NOTIFIED);
        let fire = format!(
            include_str!("apply.sql"),
            due = rule.is_due(),
            action = action,
            outbox = outbox,
            skipped_columns = alone
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
            Ok(tx.query_typed_one(statement, &parameters).await?)
        };
        let batch = Batch { entity: "ticket", ids };
        match self.tx {
            Some(tx) => apply_in_savepoints(run, Rehearsal { tx, keep: rule.action.is_seen() }, batch, not_done, statement, tally).await,
            None => apply(run, batch, not_done, statement, tally).await,
        }
    }
}
