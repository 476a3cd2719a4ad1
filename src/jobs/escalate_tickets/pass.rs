//! The execution of rules: finds the tickets of each, ends episodes, fires, counts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::warn;

use super::action::ActionKind;
use super::condition::{Condition, ConditionKind};
use super::report::Report;
use super::rule::{DEFINITION, Rule};
use crate::clinic::parents::Parents;
use crate::db::{Key, Keys, Row, Statement, cut_name, statements};
use crate::error::Error;
use crate::run::{
    Batch, Halt, NotDone, Rehearsal, Run, UNDELIVERABLE_COLUMN, apply, apply_in_savepoints, count, skipped_columns,
    undeliverable, undeliverable_recorded,
};

// $1 to $9 are the parameters of a rule: see `Rule::parameters`.
statements! {
    HOLD_PARENTS(KEYS, KEY) = include_str!("hold_parents.sql");
    EPISODES(TEXT) = "SELECT e.ticket_id FROM escalation_episodes e WHERE e.rule_id = $1";
    SCAN[condition: ConditionKind = ConditionKind::ALL.into()]
        (TIMESTAMPTZ, TEXT, TEXT, FLOAT8, TEXT_ARRAY, INT4, TEXT, FLOAT8, TEXT, INT8, KEY) =
        format!(include_str!("scan.sql"), due = due(*condition, ""));
    SCAN_ENDED[condition: ConditionKind = ConditionKind::ALL.into()]
        (TIMESTAMPTZ, TEXT, TEXT, FLOAT8, TEXT_ARRAY, INT4, TEXT, FLOAT8, TEXT, KEYS, KEY) =
        format!(
            "SELECT t.id::text FROM tickets t\n{}AND t.id = ANY ($10) AND (t.facility_id = $11 OR $11 IS NULL)
             ORDER BY t.id",
            ended(*condition)
        );
    END_EPISODES[condition: ConditionKind = ConditionKind::ALL.into()]
        (TIMESTAMPTZ, TEXT, TEXT, FLOAT8, TEXT_ARRAY, INT4, TEXT, FLOAT8, TEXT, KEYS, KEY) = format!(
        include_str!("end_episodes.sql"),
        ended = ended(*condition),
        skipped_columns = skipped_columns("$10", "locked", "removed", "tickets"),
    );
    FIRE[kinds: (ConditionKind, ActionKind) = every_pair()]
        (TIMESTAMPTZ, TEXT, TEXT, FLOAT8, TEXT_ARRAY, INT4, TEXT, FLOAT8, TEXT, KEYS, UUID, TEXT, TEXT, JSONB, KEYS,
         KEY, KEY, BOOL, KEY) =
        format!(
            include_str!("apply.sql"),
            number = cut_name("t.number"),
            due = due(kinds.0, " OFFSET 0"),
            definition = DEFINITION.trim_end(),
            action = kinds.1.sql(),
            told_at = kinds.1.told_at(),
            outbox = kinds.1.outbox(),
            undeliverable_recorded = undeliverable_recorded("$11", "ticket"),
            undeliverable_column = UNDELIVERABLE_COLUMN,
            skipped_columns = skipped_columns("$10", "locked", "outcomes", "tickets"),
        );
}

/// The reason for which an action is skipped that was tried again, and was refused as it was before in this episode.
const REFUSED: &str = "refused";

/// The joins and the WHERE clause of a ticket `t` for which a rule fires. `look_up` is of due.part.sql.
pub fn due(condition: ConditionKind, look_up: &str) -> String {
    condition.joins() + &include_str!("due.part.sql").replace("{holds}", &condition.sql()).replace("{look_up}", look_up)
}

/// The joins and the WHERE clause of a ticket `t` for which the episode of a rule has ended.
pub fn ended(condition: ConditionKind) -> String {
    condition.joins() + &include_str!("ended.part.sql").replace("{holds}", &condition.sql())
}

fn every_pair() -> Vec<(ConditionKind, ActionKind)> {
    ConditionKind::ALL.iter().flat_map(|condition| ActionKind::ALL.map(|action| (*condition, action))).collect()
}

/// The tickets that a rule concerns.
pub struct Found {
    /// Tickets whose episode has ended.
    ended: Vec<Key>,
    /// Tickets for which it fires.
    due: Due,
}

/// The tickets for which a rule fires.
pub struct Due {
    /// Those for which its action was refused before in this episode come last.
    pub ids: Vec<Key>,
    /// The number of the others.
    fresh: usize,
}

impl Found {
    /// The tickets that the brake counts. What was refused before is not counted: it would stop every run from doing
    /// anything else.
    pub fn fresh(&self) -> &[Key] {
        &self.due.ids[..self.due.fresh]
    }
}

/// The tickets of each rule, without the changes of earlier rules. It stops at the rule that exceeds the brake.
pub async fn find(run: &Run, tx: &Transaction<'_>, rules: &[Rule], gone: &BTreeSet<Key>) -> Result<Vec<Found>, Error> {
    let mut found: Vec<Found> = vec![];
    let mut due = 0;
    for rule in rules {
        found.push(rule.found(run, tx, gone).await?);
        due += found.last().map_or(0, |found| found.due.fresh);
        if due as i64 >= run.scan_limit() {
            break;
        }
    }
    Ok(found)
}

impl Rule {
    pub fn parameters<'a>(&'a self, now: &'a DateTime<Utc>, kind: &'a &'static str) -> Vec<&'a (dyn ToSql + Sync)> {
        let Condition { hours, names, rating, operator, .. } = &self.condition;
        vec![now, &self.id, kind, hours, names, rating, operator, &self.cooldown_hours, &self.definition]
    }

    /// By which the refusal of an action of this rule is known. A rule that was changed is another one: what its earlier
    /// definition was refused does not wait any more.
    pub fn part(&self) -> String {
        format!("rule {} ({:.8})", self.id, self.definition)
    }

    /// By which the refusal of the end of an episode is known.
    pub fn end_part(&self) -> String {
        format!("end of {}", self.part())
    }

    /// The tickets for which the rule would fire now, of that facility if there is one.
    pub async fn due(
        &self,
        tx: &Transaction<'_>,
        now: &DateTime<Utc>,
        limit: i64,
        facility: Option<&Key>,
    ) -> Result<Due, Error> {
        let rows = self.scan(tx, &SCAN.with(&self.condition.kind), now, &[&limit, &facility]).await?;
        let fresh = rows.iter().filter(|row| !row.get::<_, bool>("is_refused")).count();
        Ok(Due { ids: ids(&rows), fresh })
    }

    async fn scan(
        &self,
        tx: &Transaction<'_>,
        statement: &Statement,
        now: &DateTime<Utc>,
        more: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let kind = self.condition.kind.as_str();
        let parameters = [self.parameters(now, &kind), more.to_vec()].concat();
        let rows = statement.all(tx, &parameters).await;
        rows.map_err(|error| error.context(format_args!("rule {}", self.id)))
    }

    async fn found(&self, run: &Run, tx: &Transaction<'_>, gone: &BTreeSet<Key>) -> Result<Found, Error> {
        let episodes = EPISODES.all(tx, &[&self.id]).await?;
        let mut fired = ids(&episodes);
        fired.retain(|ticket| !gone.contains(ticket));
        let ended = match fired.is_empty() {
            true => vec![],
            false => {
                let ended = SCAN_ENDED.with(&self.condition.kind);
                ids(&self.scan(tx, &ended, &run.now, &[&Keys(&fired), &run.facility()]).await?)
            }
        };
        Ok(Found { ended, due: self.due(tx, &run.now, run.scan_limit(), run.facility()).await? })
    }
}

fn ids(rows: &[Row]) -> Vec<Key> {
    rows.iter().map(|row| row.get(0)).collect()
}

/// The execution of the rules in a run: each batch in a fenced transaction, or all in the transaction of a rehearsal.
pub struct Pass<'a> {
    run: &'a Run,
    tx: Option<&'a Transaction<'a>>,
    /// Tickets that are gone.
    gone: &'a BTreeSet<Key>,
    /// The users and the team that a rule's action names.
    parents: Parents,
}

impl<'a> Pass<'a> {
    pub fn new(run: &'a Run, tx: Option<&'a Transaction<'a>>, gone: &'a BTreeSet<Key>) -> Self {
        Self { run, tx, gone, parents: Parents::new(&HOLD_PARENTS) }
    }

    /// Carries out all rules. The tickets of a rule are found again after an earlier rule has changed values that
    /// conditions read. A ticket for which the condition no longer holds needs no such search: the statement checks it.
    pub async fn carry_out(&self, rules: &[Rule], found: &[Found], report: &mut Report) -> Result<(), Halt> {
        let run = self.run;
        let mut stale = false;
        for (rule, found) in rules.iter().zip(found) {
            let found_again = match (stale, self.tx) {
                (false, _) => None,
                (true, Some(tx)) => Some(rule.found(run, tx, self.gone).await?),
                (true, None) => {
                    let look = async |tx: &Transaction<'_>| rule.found(run, tx, self.gone).await;
                    Some(run.read("looking at the open tickets", look).await?)
                }
            };
            let found = found_again.as_ref().unwrap_or(found);
            let (ended, due) = (&found.ended, &found.due.ids);
            report.scanned += (ended.len() + due.len()) as u64;
            self.end_episodes(rule, ended, report).await?;
            // The changes of earlier rules may have made more tickets due.
            run.brake_after(report.executed as usize + run.to_try("ticket", &rule.part(), found.fresh()))?;
            self.fire(rule, due, report).await?;
            stale |= rule.action.kind.changes_conditions() && !due.is_empty();
        }
        Ok(())
    }

    async fn end_episodes(&self, rule: &Rule, ids: &[Key], report: &mut Report) -> Result<(), Halt> {
        let statement = END_EPISODES.with(&rule.condition.kind);
        let kind = rule.condition.kind.as_str();
        let ended = &mut report.episodes_ended;
        let count = |row: &Row| *ended += count(row, "ended");
        let parameters = rule.parameters(&self.run.now, &kind);
        let end = async |tx: &Transaction<'_>, ids: &[Key]| {
            let more: [&(dyn ToSql + Sync); 2] = [&Keys(ids), &self.run.facility()];
            statement.one(tx, &[&parameters[..], &more].concat()).await
        };
        let part = rule.end_part();
        self.apply(rule, &part, end, ids, &mut report.not_done, count).await
    }

    async fn fire(&self, rule: &Rule, due: &[Key], report: &mut Report) -> Result<(), Halt> {
        let (actor, action) = (self.run.actor(), rule.action.kind.as_str());
        let (users, team) = (Keys(&rule.action.users), rule.action.team.as_ref());
        let (statement, kind) = (FIRE.with(&(rule.condition.kind, rule.action.kind)), rule.condition.kind.as_str());
        let parameters = rule.parameters(&self.run.now, &kind);
        let fire = async |tx: &Transaction<'_>, ids: &[Key]| {
            let held = !rule.action.kind.refers() || self.parents.hold(tx, &[&users, &team]).await?;
            let (ids, json, facility) = (Keys(ids), &rule.action.json, self.run.facility());
            let more: [&(dyn ToSql + Sync); 10] =
                [&ids, &self.run.id, &actor, &action, json, &users, &team, &rule.id, &held, &facility];
            statement.one(tx, &[&parameters[..], &more].concat()).await
        };
        let part = rule.part();
        let (mut refused, mut refused_again): (Vec<(Key, String)>, u64) = (vec![], 0);
        let applied = self.apply(rule, &part, fire, due, &mut report.not_done, |row| {
            report.executed += count(row, "executed");
            *report.executed_by_action.entry(action).or_default() += count(row, "executed");
            report.notifications += count(row, "notifications");
            report.undeliverable += undeliverable(row);
            refused.extend(row.get::<_, Vec<Key>>("refused").into_iter().zip(row.get::<_, Vec<String>>("reasons")));
            refused_again += count(row, "refused_again");
        });
        let applied = applied.await;
        report.not_done.skip(REFUSED, refused_again);
        // The statement has recorded the refusals. They are counted here, even if the run was stopped.
        let code = format!("RULE_{}_REFUSED", rule.id);
        for (id, reason) in refused {
            warn!(run_id = %self.run.id, entity = "ticket", %id, error_code = code, "{reason}");
            report.not_done.fail_because("ticket", id, &code, reason);
        }
        applied
    }

    async fn apply(
        &self,
        rule: &Rule,
        part: &str,
        statement: impl AsyncFn(&Transaction<'_>, &[Key]) -> Result<Row, Error>,
        ids: &[Key],
        not_done: &mut NotDone,
        count: impl FnMut(&Row),
    ) -> Result<(), Halt> {
        let run = self.run;
        let batch = Batch { entity: "ticket", part, ids };
        match self.tx {
            Some(tx) => {
                let rehearsal = Rehearsal { tx, keep: rule.action.kind.is_seen_by_later_rules() };
                apply_in_savepoints(run, rehearsal, batch, not_done, statement, count).await
            }
            None => apply(run, batch, not_done, statement, count).await,
        }
    }
}
