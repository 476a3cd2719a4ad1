//! `rounds escalate-sla --explain CASE_ID`: explains in one paragraph why a case was escalated, or was not, or would
//! be.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{AUDITS, EXPLAIN, EscalateSla, Scope};
use crate::clinic::actor::refused;
use crate::command::{CommandContext, Mode, Operation, Output};
use crate::db::{Key, Keys, no_such_key};
use crate::error::Error;
use crate::output::{span, stamp};
use crate::run::JobArgs;

/// The job with its arguments, and the case to be explained.
pub struct Explain {
    pub job: EscalateSla,
    pub case: Key,
}

impl Mode for Explain {
    type Job = EscalateSla;

    fn of(args: Box<JobArgs<EscalateSla>>) -> Result<Self, Box<JobArgs<EscalateSla>>> {
        match args.job.explain.clone() {
            Some(case) => Ok(Self { job: args.job, case }),
            None => Err(args),
        }
    }
}

impl Operation for Explain {
    const NAME: &'static str = "escalate-sla";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let found = context
            .read(async |tx, now| {
                let scope = self.job.scope(tx).await?;
                let Scope { facility, fallbacks } = &scope;
                let parameters: [&(dyn ToSql + Sync); 6] =
                    [&now, facility, &self.job.after(), &self.job.grace(), &self.case, &Keys(fallbacks)];
                // After a text that is no key the transaction is over.
                let Some(case) = no_such_key(EXPLAIN.opt(tx, &parameters).await)? else { return Ok(None) };
                let audits = AUDITS.all(tx, &[&case.get::<_, Key>("id")]).await?;
                Ok(Some((now, scope, case, audits)))
            })
            .await?;
        let Some((now, scope, case, audits)) = found else {
            return Err(refused("UNKNOWN_CASE", format!("there is no case {}", self.case)));
        };
        let paragraph = [state(&case, now), history(&audits), self.verdict(&scope, &case)].concat();
        let json = json!({
            "case_id": case.get::<_, Key>("id"),
            "due": case.get::<_, bool>("due"),
            "explanation": paragraph,
            "escalations": audits.iter().map(escalation).collect::<Vec<Value>>(),
        });
        Ok(Output::done(json, paragraph + "\n"))
    }
}

impl Explain {
    /// The action of a run now, or all reasons against one.
    fn verdict(&self, scope: &Scope, case: &Row) -> String {
        let level = case.get::<_, Option<i32>>("escalation_level");
        if let (true, Some(level)) = (case.get("due"), level) {
            let notified = match case.get::<_, Option<Key>>("department_id") {
                Some(department) => format!("department {department} is told"),
                None => {
                    let told = match &case.get::<_, Vec<Key>>("stand_ins")[..] {
                        [] => "nobody is told".to_owned(),
                        users => format!("no department is told, but user(s) {}", listed(users)),
                    };
                    format!(
                        "{told}, since neither the case nor its visit has a department of its facility \
                         (--fallback-department names one)"
                    )
                }
            };
            return format!(" A run now would escalate it to level {}; {notified}.", level + 1);
        }
        let mut reasons = vec![];
        match case.get::<_, Option<&str>>("status") {
            Some("ESCALATED") if self.job.re_escalate_after.is_none() => {
                reasons.push("it is ESCALATED already, and --re-escalate-after is not given".to_owned());
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
        match level {
            None => reasons.push("its level is no number from 0 to 3".to_owned()),
            Some(3..) => reasons.push("level 3 is the highest".to_owned()),
            Some(_) => {}
        }
        if case.get::<_, Option<bool>>("taken_up") == Some(true) {
            reasons.push("it is taken up again, and was escalated less than --take-up-grace ago".to_owned());
        }
        if scope.facility.is_some() && scope.facility != case.get::<_, Option<Key>>("facility_id") {
            reasons.push("it belongs to another facility than --facility".to_owned());
        }
        if reasons.is_empty() {
            reasons.push("it was escalated less than --re-escalate-after ago".to_owned());
        }
        format!(" A run now would leave it alone: {}.", reasons.join("; "))
    }
}

fn listed(users: &[Key]) -> String {
    users.iter().map(Key::as_str).collect::<Vec<_>>().join(", ")
}

fn state(case: &Row, now: DateTime<Utc>) -> String {
    let known = |column: &str, what: &str| case.get::<_, Option<String>>(column).unwrap_or_else(|| what.to_owned());
    let (id, facility, status) = (known("id", ""), known("facility_id", "(none)"), known("status", "of no status"));
    let level = case.get::<_, Option<i32>>("escalation_level");
    let level =
        level.map_or("an escalation level that is none".to_owned(), |level| format!("escalation level {level}"));
    let due = match case.get::<_, Option<DateTime<Utc>>>("due_at") {
        None if case.get("undated") => "has no due date".to_owned(),
        None => "has a due date that is none, such as infinity".to_owned(),
        Some(due) if due < now => format!("was due at {}, {} ago", stamp(due), span(now - due)),
        Some(due) => format!("is due at {}, in {}", stamp(due), span(due - now)),
    };
    format!("Case {id} of facility {facility} is {status} at {level} and {due}.")
}

fn history(audits: &[Row]) -> String {
    let sentence = |audit: &Row| {
        let who = match actor(audit) {
            Some(user) => format!("user {user}"),
            None => "the job".to_owned(),
        };
        let level = level(audit).map_or("a level that is none".to_owned(), |level| format!("level {level}"));
        let run = audit.get::<_, Option<uuid::Uuid>>("run_id").map_or(String::new(), |run| format!(" (run {run})"));
        let nobody = if audit.get("undeliverable") { ", and nobody could be told [UNDELIVERABLE]" } else { "" };
        format!(" It was escalated to {level} at {} by {who}{run}{nobody}.", stamp(audit.get("created_at")))
    };
    match audits {
        [] => " It was never escalated by a run.".to_owned(),
        audits => audits.iter().map(sentence).collect(),
    }
}

fn escalation(audit: &Row) -> Value {
    json!({
        "level": level(audit),
        "actor": actor(audit).unwrap_or("system"),
        "at": stamp(audit.get("created_at")),
        "run_id": audit.get::<_, Option<uuid::Uuid>>("run_id"),
        "undeliverable": audit.get::<_, bool>("undeliverable"),
    })
}

/// The level in an audit row. Text that is no number is not repeated, because the job did not write it.
fn level(audit: &Row) -> Option<i64> {
    audit.get::<_, Option<&str>>("level")?.parse().ok()
}

/// The user who escalated the case; None if it was the job.
fn actor(audit: &Row) -> Option<&str> {
    Some(audit.get("actor")).filter(|actor| *actor != "system")
}
