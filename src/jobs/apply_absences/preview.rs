//! What applying an absence would do: one that is in the clinic's table, or one that is not saved yet.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::rule::{CANCELS, ON_LEAVE, Rule, blocked, slots_of_leaves, visits_of_leaves};
use crate::clinic::local_time::unreadable_zones;
use crate::db::{Key, Row, statements};
use crate::error::Error;

/// The relation of one absence, in SQL. $7 id of the absence, a key
const SAVED: &str = "(SELECT o.id, o.doctor_id, o.type, o.status, o.first_day, o.last_day, o.start_time, o.end_time
                      FROM doctor_absences o WHERE o.id = $7)";
/// The relation of one absence that is not saved, in SQL. $7 id of the doctor, a key · $8 type text · $9 first day date
/// $10 last day date · $11 and $12 the times on them, text or NULL
const UNSAVED: &str =
    "(SELECT (SELECT o.id FROM doctor_absences o WHERE false) AS id, a.id AS doctor_id, $8::text AS type,
             'ACTIVE'::text AS status, $9::date AS first_day, $10::date AS last_day, $11::text::time AS start_time,
             $12::text::time AS end_time
      FROM doctors a WHERE a.id = $7)";

statements! {
    SLOTS_OF_SAVED(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEY) = slots(SAVED);
    SLOTS_OF_UNSAVED(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEY, TEXT, DATE, DATE, TEXT, TEXT) = slots(UNSAVED);
    VISITS_OF_SAVED(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEY) = visits(SAVED);
    VISITS_OF_UNSAVED(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEY, TEXT, DATE, DATE, TEXT, TEXT) = visits(UNSAVED);
}

fn slots(absence: &str) -> String {
    let (slots, blocked) = (slots_of_leaves(absence, "doctor_slots"), blocked());
    format!("SELECT count(DISTINCT s.id) AS slots\n{slots} AND {blocked}")
}

fn visits(absence: &str) -> String {
    let visits = visits_of_leaves(absence, "appointments");
    format!(
        "SELECT a.id::text AS id, visit.day + visit.start_time AS visit_start, {CANCELS} IS TRUE AS is_cancelled,
                a.source::text AS source, EXISTS (SELECT FROM patients p WHERE p.id = a.patient_id) AS is_told
         {visits} AND {ON_LEAVE}
         ORDER BY visit.starts_at, a.id"
    )
}

/// An absence.
pub enum Absence<'a> {
    Saved(&'a Key),
    Unsaved { doctor: &'a Key, kind: &'a str, days: [NaiveDate; 2], times: [Option<NaiveTime>; 2] },
}

/// What becomes of a visit inside the absence.
pub enum Fate {
    Cancelled,
    /// It is of another system.
    KeptThere,
    Kept,
}

pub struct Visit {
    pub id: Key,
    /// By the facility's clock.
    pub start: NaiveDateTime,
    pub fate: Fate,
    pub is_told: bool,
}

pub struct Effects {
    /// The slots that would be blocked.
    pub slots: i64,
    /// The visits inside the absence that are not over.
    pub visits: Vec<Visit>,
}

/// What applying the absence now would do, if it is not applied.
pub async fn effects(tx: &Transaction<'_>, now: DateTime<Utc>, absence: &Absence<'_>) -> Result<Effects, Error> {
    let rule = Rule::new(now, unreadable_zones(tx).await?);
    let keys = rule.keys();
    let rule = rule.parameters(&keys);
    let (slots, visits) = match absence {
        Absence::Saved(id) => {
            let values: Vec<&(dyn ToSql + Sync)> = [&rule[..], &[id]].concat();
            (SLOTS_OF_SAVED.one(tx, &values).await?, VISITS_OF_SAVED.all(tx, &values).await?)
        }
        Absence::Unsaved { doctor, kind, days: [first, last], times } => {
            let [from, to] = times.map(|time| time.map(|time| time.to_string()));
            let own: [&(dyn ToSql + Sync); 6] = [doctor, kind, first, last, &from, &to];
            let values = [&rule[..], &own].concat();
            (SLOTS_OF_UNSAVED.one(tx, &values).await?, VISITS_OF_UNSAVED.all(tx, &values).await?)
        }
    };
    Ok(Effects { slots: slots.get("slots"), visits: visits.iter().map(visit).collect() })
}

fn visit(row: &Row) -> Visit {
    let fate = match (row.get("is_cancelled"), row.get::<_, Option<&str>>("source")) {
        (true, _) => Fate::Cancelled,
        (false, Some("LOCAL")) => Fate::Kept,
        (false, _) => Fate::KeptThere,
    };
    Visit { id: row.get("id"), start: row.get("visit_start"), fate, is_told: row.get("is_told") }
}
