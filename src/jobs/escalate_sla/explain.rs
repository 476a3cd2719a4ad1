//! `rounds escalate-sla --explain CASE_ID`: why a case was escalated, or was not, or would be.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::{AUDITS, EXPLAIN, EscalateSla};
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Keys, Row, no_such_key};
use crate::error::Error;
use crate::output::{local_stamp, span};
use crate::run::Item;
use crate::time_zone::Tz;

impl Judge for EscalateSla {
    const KIND: Kind = Kind::CASE;
    /// The fallback departments.
    type Scope = Vec<Key>;

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    async fn scope(&self, tx: &Transaction<'_>) -> Result<Vec<Key>, Error> {
        self.fallbacks(tx).await
    }

    async fn judge(&self, look: &Look<'_>, fallbacks: &Vec<Key>, id: &Key) -> Result<Option<Judgement>, Error> {
        // Whether it is of the facility of --facility is judged for all jobs alike.
        let facility: Option<&Key> = None;
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&look.now, &facility, &self.after(), &self.grace(), id, &Keys(fallbacks)];
        let Some(case) = no_such_key(EXPLAIN.opt(look.tx, &parameters).await)? else { return Ok(None) };
        let facility: Option<Key> = case.get("facility_id");
        let zone = look.zone(facility.as_ref()).await?;
        Ok(Some(Judgement {
            id: case.get("id"),
            facility,
            zone,
            at: case.get("due_at"),
            state: state(&case, look.now, zone),
            no_history: "It was never escalated by a run.",
            verdicts: vec![self.verdict(&case, look.now)],
        }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let audits = AUDITS.all(look.tx, &[&judged.id]).await?;
        Ok(audits.iter().map(|audit| escalation(audit, judged.zone)).collect())
    }
}

impl EscalateSla {
    /// The action of a run now, or all reasons against one.
    fn verdict(&self, case: &Row, now: DateTime<Utc>) -> Verdict {
        let due_at: Option<DateTime<Utc>> = case.get("due_at");
        // The date itself is not yet too late.
        let overdue_from = due_at.map(|due| due + TimeDelta::microseconds(1));
        Verdict {
            item: Item { entity: "px_case", id: case.get("id"), ..Item::default() },
            due: case.get("due"),
            action: action(case),
            why: due_at.map_or(String::new(), |due| format!("overdue for {}", span(now - due))),
            reasons: self.reasons(case),
            candidates: overdue_from.into_iter().chain(case.get::<_, Vec<DateTime<Utc>>>("ends")).collect(),
            ..Verdict::default()
        }
    }

    fn reasons(&self, case: &Row) -> Vec<String> {
        let mut reasons = vec![];
        match case.get::<_, Option<&str>>("status") {
            Some("ESCALATED") if self.re_escalate_after.is_none() => {
                reasons.push("it is ESCALATED already, and --re-escalate-after is not given".to_owned());
            }
            Some("ESCALATED") if case.get("is_recent") => {
                reasons.push("it was escalated less than --re-escalate-after ago".to_owned());
            }
            Some("OPEN" | "IN_PROGRESS" | "ESCALATED") => {}
            Some(status) => reasons.push(format!("it is {status}")),
            None => reasons.push("it has no status".to_owned()),
        }
        match case.get::<_, Option<bool>>("overdue") {
            None => reasons.push("nothing was promised".to_owned()),
            Some(false) => reasons.push("its time is not up".to_owned()),
            Some(true) => {}
        }
        if !case.get::<_, bool>("active") {
            reasons.push("it is not active".to_owned());
        }
        match case.get::<_, Option<i32>>("escalation_level") {
            None => reasons.push("its level is no number from 0 to 3".to_owned()),
            Some(3..) => reasons.push("level 3 is the highest".to_owned()),
            Some(_) => {}
        }
        if case.get::<_, Option<bool>>("taken_up") == Some(true) {
            reasons.push("it is taken up again, and was escalated less than --take-up-grace ago".to_owned());
        }
        reasons
    }
}

/// What a run would do with a case that is due, and who would be told.
fn action(case: &Row) -> String {
    let level = case.get::<_, Option<i32>>("escalation_level").unwrap_or_default();
    let told = match case.get::<_, Option<Key>>("department_id") {
        Some(department) => format!("department {department} is told"),
        None => {
            let told = match &case.get::<_, Vec<Key>>("stand_ins")[..] {
                [] => "nobody is told".to_owned(),
                [user] => format!("no department is told, but user {user}"),
                users => format!("no department is told, but users {}", listed(users)),
            };
            format!(
                "{told}, since neither the case nor its visit has a department of its facility (--fallback-department \
                 names one)"
            )
        }
    };
    format!("escalate it to level {}; {told}", level.saturating_add(1))
}

fn listed(users: &[Key]) -> String {
    users.iter().map(Key::as_str).collect::<Vec<_>>().join(", ")
}

fn state(case: &Row, now: DateTime<Utc>, zone: Tz) -> String {
    let known = |column: &str, what: &str| case.get::<_, Option<String>>(column).unwrap_or_else(|| what.to_owned());
    let (id, facility, status) = (known("id", ""), known("facility_id", "(none)"), known("status", "of no status"));
    let level = case.get::<_, Option<i32>>("escalation_level");
    let level =
        level.map_or("an escalation level that is none".to_owned(), |level| format!("escalation level {level}"));
    let due = match case.get::<_, Option<DateTime<Utc>>>("due_at") {
        None if case.get("undated") => "has no due date".to_owned(),
        None => "has a due date that is none, such as infinity".to_owned(),
        Some(due) if due < now => format!("was due at {}, {} ago", local_stamp(due, zone), span(now - due)),
        Some(due) => format!("is due at {}, in {}", local_stamp(due, zone), span(due - now)),
    };
    format!("Case {id} of facility {facility} is {status} at {level} and {due}.")
}

fn escalation(audit: &Row, zone: Tz) -> Event {
    let who = match actor(audit) {
        Some(user) => format!("user {user}"),
        None => "the job".to_owned(),
    };
    let (at, level) = (audit.get("created_at"), level(audit));
    let said = level.map_or("a level that is none".to_owned(), |level| format!("level {level}"));
    let sentence = format!("It was escalated to {said} at {} by {who}", local_stamp(at, zone));
    let facts = json!({ "level": level, "actor": actor(audit).unwrap_or("system") });
    Event::new(at, audit.get("run_id"), sentence, facts)
}

/// The level in an audit row. Text that is no number is not repeated, because the job did not write it.
fn level(audit: &Row) -> Option<i64> {
    audit.get::<_, Option<&str>>("level")?.parse().ok()
}

/// The user who escalated the case; None if it was the job.
fn actor(audit: &Row) -> Option<&str> {
    Some(audit.get("actor")).filter(|actor| *actor != "system")
}
