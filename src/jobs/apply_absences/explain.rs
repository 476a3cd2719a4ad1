//! `rounds apply-absences --explain VISIT_ID`: why a visit was cancelled for a leave, or was not.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;

use super::rule::{ABSENCES, CANCELS, ON_LEAVE, Rule, span as span_of_visit, visits_of_leaves};
use super::scan::held;
use super::{ApplyAbsences, BLOCK};
use crate::clinic::absences::absences;
use crate::clinic::local_time::{clock_time, day, unreadable_zones};
use crate::clinic::visit_words::{of_other_status, state};
use crate::clinic::visits::joins_of_visit;
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Keys, Row, no_such_key, statements};
use crate::error::Error;
use crate::output::{local_stamp, span, stamp};
use crate::run::Item;
use crate::time_zone::Tz;

statements! {
    EXPLAIN(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEY, KEYS) = format!(
        include_str!("explain.sql"),
        visits = visits_of_leaves(ABSENCES, "appointments"),
        cancels = CANCELS,
        on_leave = ON_LEAVE,
        visit = joins_of_visit("$1", "$2"),
        span = span_of_visit(),
        absences = absences("v.doctor_id", "tz.zone", "(seen.starts_at AT TIME ZONE tz.zone)::date - 1"),
    );
    SLOT_ITEM(KEYS, KEY) = format!(
        include_str!("slot_item.sql"),
        slot_day = day("s.slot_date"),
        slot_start = clock_time("s.start_time"),
    );
    ABSENCE_ITEM(KEY) =
        "SELECT d.facility_id::text AS facility_id, NULL::timestamptz AS starts_at
         FROM doctor_absences x JOIN doctors d ON d.id = x.doctor_id WHERE x.id = $1";
    NOTED(TEXT) =
        "SELECT v.absence_id, v.outcome, v.noted_at, v.outside_at, v.run_id FROM absence_visits v
         WHERE v.appointment_id = $1 ORDER BY v.id";
}

impl Judge for ApplyAbsences {
    const KIND: Kind = Kind::VISIT;
    /// The facilities whose time zone cannot be read.
    type Scope = Vec<Key>;

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    async fn scope(&self, tx: &Transaction<'_>) -> Result<Vec<Key>, Error> {
        unreadable_zones(tx).await
    }

    async fn judge(&self, look: &Look<'_>, zones: &Vec<Key>, id: &Key) -> Result<Option<Judgement>, Error> {
        let rule = Rule { only: self.absence.clone(), ..Rule::new(look.now, zones.clone()) };
        // A run leaves what waits for a person alone.
        let waiting = held(look.tx, &rule, self.most(None)).await?;
        let keys = rule.keys();
        let [now, zones, first, none, only, facility] = rule.parameters(&keys);
        let visit = EXPLAIN.opt(look.tx, &[now, zones, first, none, only, facility, id, &Keys(&waiting)]).await;
        let Some(visit) = no_such_key(visit)? else { return Ok(None) };
        let facility: Option<Key> = visit.get("facility_id");
        let zone = look.zone(facility.as_ref()).await?;
        Ok(Some(Judgement {
            id: visit.get("id"),
            facility,
            zone,
            at: visit.get("starts_at"),
            state: state(&visit, look.now, zone),
            no_history: "No leave was applied to it.",
            verdicts: vec![verdict(&visit, look.now)],
        }))
    }

    /// Beside visits, a run changes slots and records absences.
    async fn judge_item(
        &self,
        look: &Look<'_>,
        zones: &Vec<Key>,
        id: &Key,
        item: &Item,
    ) -> Result<Option<Judgement>, Error> {
        let (row, why) = match item.entity {
            "slot" => {
                let why = if item.part == BLOCK { "its doctor is on leave" } else { "its leave covers it no more" };
                (SLOT_ITEM.opt(look.tx, &[&Keys(zones), id]).await?, why)
            }
            "absence" => (ABSENCE_ITEM.opt(look.tx, &[id]).await?, "it is recorded as applied"),
            _ => return self.judge(look, zones, id).await,
        };
        let facility: Option<Key> = row.as_ref().and_then(|row| row.get("facility_id"));
        Ok(Some(Judgement {
            id: id.clone(),
            zone: look.zone(facility.as_ref()).await?,
            facility,
            at: row.as_ref().and_then(|row| row.get("starts_at")),
            state: String::new(),
            no_history: "",
            verdicts: vec![Verdict { item: item.clone(), due: true, why: why.to_owned(), ..Verdict::default() }],
        }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let noted = NOTED.all(look.tx, &[&judged.id]).await?;
        Ok(noted.iter().map(|row| event(row, judged.zone)).collect())
    }
}

fn verdict(visit: &Row, now: DateTime<Utc>) -> Verdict {
    Verdict {
        item: Item { entity: "appointment", id: visit.get("id"), ..Item::default() },
        due: visit.get("due"),
        action: "cancel it, free and block its slot, and tell its patient".to_owned(),
        why: "its doctor is on emergency leave".to_owned(),
        reasons: reasons(visit, now),
        ..Verdict::default()
    }
}

fn reasons(visit: &Row, now: DateTime<Utc>) -> Vec<String> {
    let mut reasons = Vec::from_iter(of_other_status(visit, &["SCHEDULED", "CONFIRMED", "CHECKED_IN"]));
    match visit.get::<_, Option<&str>>("source") {
        Some("LOCAL") => {}
        Some(source) => reasons.push(format!("it is of another system ({source}), where it must be cancelled")),
        None => reasons.push("it has no source".to_owned()),
    }
    let [is_known, is_zoned, emergency, waits, other] =
        ["known", "zoned", "emergency", "waits", "other"].map(|column| visit.get::<_, bool>(column));
    let ends_at: Option<DateTime<Utc>> = visit.get("ends_at");
    reasons.extend(match ends_at {
        _ if !is_known => Some("its facility or its doctor is not there".to_owned()),
        _ if !is_zoned => Some("the time zone of its facility cannot be read".to_owned()),
        None => Some("its day or its start cannot be read".to_owned()),
        Some(end) if end <= now => Some(format!("it has been over for {}", span(now - end))),
        Some(_) if waits => Some(
            "the leave would cancel more visits than a run may without a person's word (NEEDS_CONFIRMATION)".to_owned(),
        ),
        Some(_) if emergency => None,
        Some(_) if other => Some("its doctor is on leave, but on none that cancels visits".to_owned()),
        Some(_) => Some("its doctor is not on leave then".to_owned()),
    });
    reasons
}

fn event(row: &Row, zone: Tz) -> Event {
    let (at, absence, outcome): (DateTime<Utc>, &str, &str) =
        (row.get("noted_at"), row.get("absence_id"), row.get("outcome"));
    let outside_at: Option<DateTime<Utc>> = row.get("outside_at");
    let what = match outcome {
        "CANCELLED" => "It was cancelled for",
        _ => "The admins were told that it is during",
    };
    let outside = outside_at.map_or(String::new(), |at| {
        format!(", which covered it no more at {}: it stays cancelled", local_stamp(at, zone))
    });
    let sentence = format!("{what} absence {absence} at {}{outside}", local_stamp(at, zone));
    let facts = json!({ "outcome": outcome, "absence_id": absence, "outside_at": outside_at.map(stamp) });
    Event::new(at, row.get("run_id"), sentence, facts)
}
