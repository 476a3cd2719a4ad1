//! `rounds escalate-sla --explain CASE_ID`: explains in one paragraph why a case was escalated, or was not, or would
//! be.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::{Row, Transaction};

use super::{AUDITS, EXPLAIN, EscalateSla};
use crate::clinic::actor::refused;
use crate::command::{CommandContext, Mode, Operation, Output};
use crate::error::Error;
use crate::output::{span, stamp};
use crate::run::JobArgs;

/// The job with its arguments, and the case to be explained.
pub struct Explain {
    pub job: EscalateSla,
    pub case: i64,
}

impl Mode for Explain {
    type Job = EscalateSla;

    fn of(args: Box<JobArgs<EscalateSla>>) -> Result<Self, Box<JobArgs<EscalateSla>>> {
        match args.job.explain {
            Some(case) => Ok(Self { job: args.job, case }),
            None => Err(args),
        }
    }
}

impl Operation for Explain {
    const NAME: &'static str = "escalate-sla";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (now, case, audits) = context
            .read(async |tx, now| {
                let case = self.case(tx, &now).await?;
                Ok((now, case, AUDITS.all(tx, &[&self.case]).await?))
            })
            .await?;
        let Some(case) = case else {
            return Err(refused("UNKNOWN_CASE", format!("there is no case {}", self.case)));
        };
        let paragraph = [self.state(&case, now), history(&audits), self.verdict(&case)].concat();
        let json = json!({
            "case_id": self.case,
            "due": case.get::<_, bool>("due"),
            "explanation": paragraph,
            "escalations": audits.iter().map(escalation).collect::<Vec<Value>>(),
        });
        Ok(Output::done(json, paragraph + "\n"))
    }
}

impl Explain {
    async fn case(&self, tx: &Transaction<'_>, now: &DateTime<Utc>) -> Result<Option<Row>, Error> {
        self.job.check(tx).await?;
        let EscalateSla { facility, fallback_department, .. } = &self.job;
        EXPLAIN.opt(tx, &[now, facility, &self.job.after(), &self.case, fallback_department]).await
    }

    fn state(&self, case: &Row, now: DateTime<Utc>) -> String {
        let (status, level, facility): (&str, i32, i64) =
            (case.get("status"), case.get("escalation_level"), case.get("facility_id"));
        let due = match case.get::<_, Option<DateTime<Utc>>>("due_at") {
            None if case.get("undated") => "has no due date".to_owned(),
            None => "has a due date that is none, such as infinity".to_owned(),
            Some(due) if due < now => format!("was due at {}, {} ago", stamp(due), span(now - due)),
            Some(due) => format!("is due at {}, in {}", stamp(due), span(due - now)),
        };
        format!("Case {} of facility {facility} is {status} at escalation level {level} and {due}.", self.case)
    }

    /// The action of a run now, or all reasons against one.
    fn verdict(&self, case: &Row) -> String {
        if case.get("due") {
            let notified = match case.get::<_, Option<i64>>("department_id") {
                Some(department) => format!("department {department} is told"),
                None => "nobody is told, since neither the case nor its visit has a department of its facility \
                         (--fallback-department names one)"
                    .to_owned(),
            };
            let level = case.get::<_, i32>("escalation_level") + 1;
            return format!(" A run now would escalate it to level {level}; {notified}.");
        }
        let mut reasons = vec![];
        match case.get("status") {
            "ESCALATED" if self.job.re_escalate_after.is_none() => {
                reasons.push("it is ESCALATED already, and --re-escalate-after is not given".to_owned());
            }
            "OPEN" | "IN_PROGRESS" | "ESCALATED" => {}
            status => reasons.push(format!("it is {status}")),
        }
        match case.get::<_, Option<bool>>("overdue") {
            None => reasons.push("nothing was promised".to_owned()),
            Some(false) => reasons.push("its time is not up".to_owned()),
            Some(true) => {}
        }
        if !case.get::<_, bool>("active") {
            reasons.push("it is not active".to_owned());
        }
        if case.get::<_, i32>("escalation_level") >= 3 {
            reasons.push("level 3 is the highest".to_owned());
        }
        if self.job.facility.is_some_and(|facility| facility != case.get::<_, i64>("facility_id")) {
            reasons.push("it belongs to another facility than --facility".to_owned());
        }
        if reasons.is_empty() {
            reasons.push("it was escalated less than --re-escalate-after ago".to_owned());
        }
        format!(" A run now would leave it alone: {}.", reasons.join("; "))
    }
}

fn history(audits: &[Row]) -> String {
    let sentence = |audit: &Row| {
        let who = match actor(audit) {
            Some(user) => format!("user {user}"),
            None => "the job".to_owned(),
        };
        let level = level(audit).map_or("a level that is none".to_owned(), |level| format!("level {level}"));
        let run = audit.get::<_, Option<uuid::Uuid>>("run_id").map_or(String::new(), |run| format!(" (run {run})"));
        format!(" It was escalated to {level} at {} by {who}{run}.", stamp(audit.get("created_at")))
    };
    match audits {
        [] => " It was never escalated by a run.".to_owned(),
        audits => audits.iter().map(sentence).collect(),
    }
}

fn escalation(audit: &Row) -> Value {
    json!({
        "level": level(audit),
        "actor": actor(audit).map_or("system".to_owned(), |user| user.to_string()),
        "at": stamp(audit.get("created_at")),
        "run_id": audit.get::<_, Option<uuid::Uuid>>("run_id"),
    })
}

/// The level in an audit row. Text that is no number is not repeated, because the job did not write it.
fn level(audit: &Row) -> Option<i64> {
    audit.get::<_, Option<&str>>("level")?.parse().ok()
}

/// The user who escalated the case; None if it was the job.
fn actor(audit: &Row) -> Option<i64> {
    audit.get::<_, &str>("actor").parse().ok()
}
