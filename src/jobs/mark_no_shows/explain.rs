//! `rounds mark-no-shows --explain VISIT_ID`: why a visit was marked as a no-show, or was not, or when it would be.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;

use super::{EXPLAIN, LOGS, MarkNoShows, Window};
use crate::clinic::local_time::unreadable_zones;
use crate::clinic::visit_words::{not_looked_at, state};
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Keys, Row, no_such_key};
use crate::error::Error;
use crate::output::{counted, local_stamp, span, stamp};
use crate::run::Item;
use crate::time_zone::Tz;

impl Judge for MarkNoShows {
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
        let window = Window::new(look.now, self.lookback_days);
        let zones = Keys(zones);
        let [now, first, last, lookback, zones] = window.parameters(&zones);
        let visit = EXPLAIN.opt(look.tx, &[now, first, last, lookback, zones, id]).await;
        let Some(visit) = no_such_key(visit)? else { return Ok(None) };
        let facility: Option<Key> = visit.get("facility_id");
        let zone = look.zone(facility.as_ref()).await?;
        Ok(Some(Judgement {
            id: visit.get("id"),
            facility,
            zone,
            at: visit.get("starts_at"),
            state: state(&visit, look.now, zone),
            no_history: "It was never marked as a no-show.",
            verdicts: vec![self.verdict(&visit, look.now)],
        }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let logs = LOGS.all(look.tx, &[&judged.id]).await?;
        Ok(logs.iter().map(|log| event(log, judged.zone)).collect())
    }
}

impl MarkNoShows {
    fn verdict(&self, visit: &Row, now: DateTime<Utc>) -> Verdict {
        let [starts_at, timeout_at] = ["starts_at", "timeout_at"].map(|at| visit.get::<_, Option<DateTime<Utc>>>(at));
        let late = if visit.get::<_, Option<bool>>("day_is_over") == Some(true) {
            "mark it as a no-show, without a word to its patient, because its day is over"
        } else {
            "mark it as a no-show, and tell its patient"
        };
        let late_for = |start| format!("nobody came for {}", span(now - start));
        Verdict {
            item: Item { entity: "appointment", id: visit.get("id"), ..Item::default() },
            due: visit.get("due"),
            action: late.to_owned(),
            why: starts_at.map_or(String::new(), late_for),
            reasons: self.reasons(visit, now),
            candidates: timeout_at.into_iter().collect(),
            ..Verdict::default()
        }
    }

    fn reasons(&self, visit: &Row, now: DateTime<Utc>) -> Vec<String> {
        let mut reasons = not_looked_at(visit, &["SCHEDULED", "CONFIRMED"]);
        if visit.get::<_, Option<bool>>("too_old") == Some(true) {
            let days = counted(self.lookback_days, "day");
            reasons.push(format!("its day is more than {days} before today (--lookback-days)"));
        }
        reasons.extend(match visit.get::<_, Option<&str>>("excuse") {
            Some("doctor_absent") => Some("its doctor is on leave when it begins (doctor_absent)".to_owned()),
            Some("undone") => Some("a person undid a mark of this start (undone)".to_owned()),
            Some(excuse) => Some(format!("it is excused ({excuse})")),
            None => None,
        });
        let [starts_at, timeout_at] = ["starts_at", "timeout_at"].map(|at| visit.get::<_, Option<DateTime<Utc>>>(at));
        let [is_known, is_zoned] = ["known", "zoned"].map(|column| visit.get::<_, bool>(column));
        let minutes: Option<i32> = visit.get("timeout_minutes");
        reasons.extend(match (starts_at, minutes, timeout_at) {
            _ if !is_known => Some("its facility or its doctor is not there".to_owned()),
            _ if !is_zoned => Some("the time zone of its facility cannot be read".to_owned()),
            (None, ..) => Some("its day or its start cannot be read".to_owned()),
            (_, None, _) => Some("neither its facility nor its doctor has a timeout".to_owned()),
            (_, Some(minutes), Some(at)) if now < at => {
                Some(format!("its time is not up: less than {minutes} min since its start"))
            }
            _ => None,
        });
        reasons
    }
}

fn event(log: &Row, zone: Tz) -> Event {
    let (at, reason): (DateTime<Utc>, &str) = (log.get("triggered_at"), log.get("reason"));
    let user: Option<&str> = log.get("created_by");
    let who = user.map_or("the job".to_owned(), |user| format!("user {user}"));
    let released: bool = log.get("slot_released");
    let slot = match (released, log.get("has_slot")) {
        (true, true) => ", and its slot was released",
        // It has no row in doctor_slots, or was marked by a version that did not keep which one it had.
        (true, false) => ", and its time was free again",
        (false, _) => "",
    };
    let undone_at: Option<DateTime<Utc>> = log.get("undone_at");
    let undone_by = log.get::<_, Option<&str>>("undone_by").unwrap_or("(unknown)");
    let undone = undone_at.map_or(String::new(), |undone| {
        format!(", and the mark was undone at {} by user {undone_by}", local_stamp(undone, zone))
    });
    let at_local = local_stamp(at, zone);
    let sentence = format!("It was marked as a no-show ({reason}) at {at_local} by {who}{slot}{undone}");
    let facts = json!({
        "reason": reason,
        "actor": user.unwrap_or("system"),
        "slot_released": released,
        "undone_at": undone_at.map(stamp),
    });
    Event::new(at, log.get("run_id"), sentence, facts)
}
