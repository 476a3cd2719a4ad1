//! `rounds advance-billing --explain CASE_ID`: of each stage, or that of `--stage`, why it moved a case, or did not, or
//! when it would.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;

use super::AdvanceBilling;
use super::by_hand;
use super::stage::{CASE, Stage};
use super::step::{CASE_STATE, EXPLAIN, STEPS, Step};
use crate::clinic::actor::refused;
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Row, no_such_key};
use crate::error::Error;
use crate::output::{local_stamp, setting, span};
use crate::run::Item;
use crate::time_zone::Tz;

impl Judge for AdvanceBilling {
    const KIND: Kind = Kind::CASE;
    /// The stages that are looked at; none where a person names the cases.
    type Scope = Vec<(Stage, Step)>;

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    async fn scope(&self, tx: &Transaction<'_>) -> Result<Self::Scope, Error> {
        if self.is_by_hand() {
            return match self.asked.explain {
                None => Ok(vec![]),
                Some(_) => Err(refused("USAGE", "--explain is of the stages: without --case and --cases-file".into())),
            };
        }
        let mut steps = vec![];
        for stage in Stage::ALL.into_iter().filter(|stage| self.stage.is_none_or(|one| one == *stage)) {
            steps.push((stage, Step::of(tx, stage, self.min_dwell).await?));
        }
        Ok(steps)
    }

    async fn judge(&self, look: &Look<'_>, steps: &Self::Scope, id: &Key) -> Result<Option<Judgement>, Error> {
        let Some(case) = no_such_key(CASE_STATE.opt(look.tx, &[id]).await)? else { return Ok(None) };
        let facility: Option<Key> = case.get("facility_id");
        let zone = look.zone(facility.as_ref()).await?;
        let (mut verdicts, mut at) = (vec![], None);
        for (stage, step) in steps {
            let found = EXPLAIN.one(look.tx, &[&look.now, &step.from, &step.dwell, id]).await?;
            at = found.get("moved_at");
            verdicts.push(verdict(*stage, step, &found, look.now));
        }
        if steps.is_empty() {
            verdicts.push(by_hand_verdict(&case));
        }
        let state = state(&case);
        Ok(Some(Judgement {
            id: case.get("id"),
            facility,
            zone,
            at,
            state,
            no_history: "It was never moved.",
            verdicts,
        }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let steps = STEPS.all(look.tx, &[&judged.id]).await?;
        Ok(steps.iter().map(|step| event(step, judged.zone)).collect())
    }
}

fn item(lane: &str, case: &Row) -> Item {
    Item { lane: lane.to_owned(), entity: CASE, id: case.get("id"), ..Item::default() }
}

fn verdict(stage: Stage, step: &Step, case: &Row, now: DateTime<Utc>) -> Verdict {
    let moved_at: Option<DateTime<Utc>> = case.get("moved_at");
    let due = case.get("due");
    let why = match moved_at {
        Some(at) => {
            format!("{} -> {}: this job brought it to {} {} ago", step.from, step.to, step.from, span(now - at))
        }
        None => format!("{} -> {}", step.from, step.to),
    };
    Verdict {
        item: item(stage.name(), case),
        name: format!("stage {}", stage.name()),
        due,
        action: format!("move it from {} to {}, unless more cases than usual are due", step.from, step.to),
        why,
        reasons: if due { vec![] } else { reasons(step, case, now) },
        candidates: case.get::<_, Option<DateTime<Utc>>>("dwelt_at").into_iter().collect(),
        ..Verdict::default()
    }
}

fn reasons(step: &Step, case: &Row, now: DateTime<Utc>) -> Vec<String> {
    let mut reasons = vec![];
    if !case.get::<_, bool>("active") {
        reasons.push("it is not active".to_owned());
    }
    match case.get::<_, Option<i32>>("status") {
        Some(status) if status == step.from => {
            let dwelt_at: Option<DateTime<Utc>> = case.get("dwelt_at");
            if dwelt_at.is_some_and(|at| at > now) {
                let dwell = setting(Duration::try_from_secs_f64(step.dwell).unwrap_or_default());
                reasons.push(format!("this job brought it to {status} less than {dwell} ago (--min-dwell)"));
            }
        }
        Some(status) => reasons.push(format!("it has the status {status}, not {}", step.from)),
        None => reasons.push("its status is no number of one".to_owned()),
    }
    reasons
}

/// What a list says of a case that a person names.
fn by_hand_verdict(case: &Row) -> Verdict {
    let why = "a person named it".to_owned();
    Verdict { item: item(by_hand::LANE, case), due: true, why, ..Verdict::default() }
}

fn state(case: &Row) -> String {
    let (id, facility): (Key, Option<Key>) = (case.get("id"), case.get("facility_id"));
    let facility = facility.map_or("(none)".to_owned(), |facility| facility.to_string());
    let status = match case.get::<_, Option<i32>>("status") {
        Some(status) => format!("has the status {status}"),
        None => "has a status that is none".to_owned(),
    };
    let active = if case.get("active") { "is active" } else { "is not active" };
    format!("Case {id} of facility {facility} {status} and {active}.")
}

fn event(step: &Row, zone: Tz) -> Event {
    let (at, actor): (DateTime<Utc>, &str) = (step.get("created_at"), step.get("actor"));
    let [from, to] = ["from_status", "to_status"].map(|status| step.get::<_, i32>(status));
    let who = if actor == "system" { "the job".to_owned() } else { format!("user {actor}") };
    let sentence = format!("It was moved from {from} to {to} at {} by {who}", local_stamp(at, zone));
    Event::new(at, step.get("run_id"), sentence, json!({ "from_status": from, "to_status": to, "actor": actor }))
}
