//! `rounds flag-schedule-conflicts --explain VISIT_ID`: why the patient of a visit was told of changed hours, or was
//! not.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;

use super::flags::{ENDED, FLAG};
use super::rule::Scope;
use super::{EXPLAIN, FLAGS, FlagScheduleConflicts, VISIT_OF};
use crate::clinic::visit_words::{begins, known, not_looked_at};
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Keys, Row, no_such_key};
use crate::error::Error;
use crate::output::{local_stamp, stamp};
use crate::run::Item;
use crate::time_zone::Tz;

impl Judge for FlagScheduleConflicts {
    const KIND: Kind = Kind::VISIT;
    type Scope = Scope;

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    /// Of all facilities: what belongs to another one is said by itself.
    async fn scope(&self, tx: &Transaction<'_>) -> Result<Scope, Error> {
        Scope::read(tx, DateTime::UNIX_EPOCH, None, true).await
    }

    async fn judge(&self, look: &Look<'_>, scope: &Scope, id: &Key) -> Result<Option<Judgement>, Error> {
        let scope = scope.at(look.now);
        let (zones, doctors) = scope.keys();
        let [now, first, zones, doctors, facility, any] = scope.parameters(&zones, &doctors);
        let visit = EXPLAIN.opt(look.tx, &[now, first, zones, doctors, facility, any, id]).await;
        let Some(visit) = no_such_key(visit)? else { return Ok(None) };
        let (id, facility): (Key, Option<Key>) = (visit.get("id"), visit.get("facility_id"));
        let zone = look.zone(facility.as_ref()).await?;
        let mut verdicts = vec![verdict(&visit, look.now, zone)];
        verdicts.extend(ends(look, &scope, &id).await?);
        let (at, state) = (visit.get("starts_at"), state(&visit, look.now, zone));
        Ok(Some(Judgement { id, facility, zone, at, state, no_history: "It was never flagged.", verdicts }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let flags = FLAGS.all(look.tx, &[&judged.id]).await?;
        Ok(flags.iter().map(|flag| event(flag, judged.zone)).collect())
    }

    /// The visit of a flag that the run would clear.
    async fn row_of(&self, look: &Look<'_>, item: &Item) -> Result<Option<Key>, Error> {
        let Some(flag) = (item.entity == FLAG).then(|| item.id.parse::<i64>().ok()).flatten() else {
            return Ok(Some(Key::from(item.id.clone())));
        };
        Ok(VISIT_OF.opt(look.tx, &[&flag]).await?.map(|row| row.get("appointment_id")))
    }
}

/// The open flags of a visit that no longer hold.
async fn ends(look: &Look<'_>, scope: &Scope, visit: &Key) -> Result<Vec<Verdict>, Error> {
    let flags = FLAGS.all(look.tx, &[visit]).await?;
    let is_open = |flag: &&Row| flag.get::<_, Option<DateTime<Utc>>>("cleared_at").is_none();
    let open: Vec<Key> = flags.iter().filter(is_open).map(|flag| flag.get("id")).collect();
    if open.is_empty() {
        return Ok(vec![]);
    }
    let visits = [visit.clone()];
    let (zones, doctors) = scope.keys();
    let [now, first, zones, doctors, facility, _] = scope.parameters(&zones, &doctors);
    let ended = ENDED.all(look.tx, &[now, first, zones, doctors, facility, &Keys(&visits), &Keys(&open)]).await?;
    let end = |row: &Row| {
        let id: Key = row.get("id");
        Verdict {
            item: Item { entity: FLAG, id: id.to_string(), ..Item::default() },
            name: format!("end of flag {id}"),
            due: true,
            action: format!("clear the flag {id}"),
            why: cleared(row.get("by")).to_owned(),
            ..Verdict::default()
        }
    };
    Ok(ended.iter().map(end).collect())
}

fn verdict(visit: &Row, now: DateTime<Utc>, zone: Tz) -> Verdict {
    let due: bool = visit.get("due");
    let changed_at: Option<DateTime<Utc>> = visit.get("changed_at");
    let changed = |at| format!("it does not fit the hours of its doctor since {}", local_stamp(at, zone));
    let made_at: Option<DateTime<Utc>> = visit.get("made_at");
    Verdict {
        item: Item { entity: "appointment", id: visit.get("id"), ..Item::default() },
        due,
        action: "flag it, and tell its patient and the admins".to_owned(),
        why: changed_at.map_or(String::new(), changed),
        reasons: if due { vec![] } else { reasons(visit, now, zone) },
        candidates: made_at.into_iter().collect(),
        ..Verdict::default()
    }
}

fn reasons(visit: &Row, now: DateTime<Utc>, zone: Tz) -> Vec<String> {
    let mut reasons = not_looked_at(visit, &["SCHEDULED", "CONFIRMED"]);
    let starts_at: Option<DateTime<Utc>> = visit.get("starts_at");
    if starts_at.is_some_and(|start| start <= now) {
        reasons.push("it has begun".to_owned());
    }
    let [is_known, is_zoned, is_unjudged] =
        ["known", "zoned", "is_unjudged"].map(|column| visit.get::<_, Option<bool>>(column).unwrap_or(false));
    let changed_at: Option<DateTime<Utc>> = visit.get("changed_at");
    reasons.extend(match visit.get::<_, Option<&str>>("class") {
        _ if !is_known => Some("its facility or its doctor is not there".to_owned()),
        _ if !is_zoned => Some("the time zone of its facility cannot be read".to_owned()),
        _ if is_unjudged => Some("hours of its doctor cannot be read".to_owned()),
        None | Some("UNREADABLE") => Some("its day or its start cannot be read".to_owned()),
        Some("FITS") => Some("it fits the hours of its doctor".to_owned()),
        Some("WITHOUT_SCHEDULE") => Some("its doctor never had hours".to_owned()),
        Some("NO_SLOT_LENGTH") => {
            Some("its end is not known: it has no slot, and its doctor no slot length".to_owned())
        }
        Some("ON_LEAVE") => Some("its doctor is on leave when it begins".to_owned()),
        Some("UNDATED") => Some("it did not fit when its doctor's hours were seen first".to_owned()),
        Some("MADE_AFTER") => {
            let at = changed_at.map_or(String::new(), |at| format!(" at {}", local_stamp(at, zone)));
            Some(format!("it was made after the hours were changed{at}"))
        }
        Some("TOLD") => Some("its patient was told of it and this change".to_owned()),
        Some(_) => None,
    });
    reasons
}

/// Why a flag is cleared, in words.
fn cleared(by: &str) -> &'static str {
    match by {
        "FITS" => "the visit fits again",
        "MOVED" => "the visit was moved",
        "NOT_AWAITED" => "the visit is no longer SCHEDULED or CONFIRMED",
        "OVER" => "the visit has begun",
        "GONE" => "the visit is deleted",
        _ => "the hours changed again",
    }
}

fn state(visit: &Row, now: DateTime<Utc>, zone: Tz) -> String {
    let [id, facility, status] = known(visit);
    let doctor = visit.get::<_, Option<String>>("doctor_id").unwrap_or_else(|| "(none)".to_owned());
    let start = begins(visit, now, zone);
    format!("Visit {id} of facility {facility} with doctor {doctor} is {status} and {start}.")
}

fn event(flag: &Row, zone: Tz) -> Event {
    let [at, changed_at] = ["flagged_at", "changed_at"].map(|column| flag.get::<_, DateTime<Utc>>(column));
    let cleared_at: Option<DateTime<Utc>> = flag.get("cleared_at");
    let by: Option<&str> = flag.get("cleared_by");
    let end = cleared_at.map_or(String::new(), |end| {
        format!(", and the flag was cleared at {}: {}", local_stamp(end, zone), cleared(by.unwrap_or_default()))
    });
    let [at_local, changed_local] = [at, changed_at].map(|instant| local_stamp(instant, zone));
    let sentence = format!("It was flagged at {at_local}, since its doctor's hours changed at {changed_local}{end}");
    let facts = json!({
        "changed_at": stamp(changed_at),
        "cleared_at": cleared_at.map(stamp),
        "cleared_by": by,
    });
    Event::new(at, flag.get("run_id"), sentence, facts)
}
