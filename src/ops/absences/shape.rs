//! The shape of what is said of an absence: exactly these five keys, so that a page can rely on them.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::clinic::actor::refused;
use crate::clinic::local_time::{clock_time, day};
use crate::command::Output;
use crate::db::{Key, Row, statements, unless_no_key};
use crate::error::Error;
use crate::output::counted;

statements! {
    ABSENCE(KEY) = format!(
        "SELECT x.id::text AS id, x.doctor_id::text AS doctor_id, d.facility_id::text AS facility_id,
                x.type::text AS type, x.status::text AS status, {} AS first_day, {} AS last_day, {} AS start_time,
                {} AS end_time
         FROM doctor_absences x LEFT JOIN doctors d ON d.id = x.doctor_id WHERE x.id = $1",
        day("x.first_day"),
        day("x.last_day"),
        clock_time("x.start_time"),
        clock_time("x.end_time"),
    );
}

/// The absence.
pub struct Absence {
    pub id: Option<Key>,
    pub doctor: Option<Key>,
    pub facility: Option<Key>,
    pub kind: Option<String>,
    pub status: String,
    pub days: [Option<NaiveDate>; 2],
    pub times: [Option<NaiveTime>; 2],
}

/// What a person has to know, with the visits that it is about.
pub struct Warning {
    pub code: &'static str,
    pub message: String,
    pub visits: Vec<(Key, NaiveDateTime)>,
}

pub struct Shape {
    pub absence: Absence,
    pub slots_blocked: i64,
    pub cancelled: i64,
    pub notified: i64,
    pub warnings: Vec<Warning>,
}

/// The absence of the clinic's table, if it is there.
pub async fn saved(tx: &Transaction<'_>, id: &Key) -> Result<Option<Absence>, Error> {
    let row = unless_no_key(tx, async || ABSENCE.opt(tx, &[id]).await).await?.flatten();
    Ok(row.as_ref().map(Absence::of))
}

pub fn unknown(id: &Key) -> Error {
    refused("UNKNOWN_ABSENCE", format!("there is no absence {id}"))
}

impl Absence {
    fn of(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            doctor: row.get("doctor_id"),
            facility: row.get("facility_id"),
            kind: row.get("type"),
            status: row.get::<_, Option<String>>("status").unwrap_or_default(),
            days: [row.get("first_day"), row.get("last_day")],
            times: [row.get("start_time"), row.get("end_time")],
        }
    }

    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }

    fn json(&self) -> Value {
        let [first, last] = self.days;
        let [from, to] = self.times.map(|time| time.map(|time| time.format("%H:%M").to_string()));
        json!({
            "id": self.id,
            "doctorId": self.doctor,
            "facilityId": self.facility,
            "type": self.kind,
            "status": self.status,
            "firstDay": first,
            "lastDay": last,
            "startTime": from,
            "endTime": to,
        })
    }

    fn text(&self) -> String {
        let end = |day: Option<NaiveDate>, time: Option<NaiveTime>| {
            let day = day.map_or("a day that is not known".to_owned(), |day| day.to_string());
            time.map_or(day.clone(), |time| format!("{day} {}", time.format("%H:%M")))
        };
        let name = self.id.as_ref().map_or("An absence that is not saved".to_owned(), |id| format!("Absence {id}"));
        let doctor = self.doctor.as_ref().map_or("(unknown)".to_owned(), ToString::to_string);
        let kind = self.kind.as_deref().unwrap_or("of no type");
        let status = &self.status;
        let (begins, ends) = (end(self.days[0], self.times[0]), end(self.days[1], self.times[1]));
        format!("{name} of doctor {doctor}: {kind}, {begins} to {ends}, {status}")
    }
}

impl Shape {
    pub fn output(&self, would: bool) -> Output {
        Output::done(self.json(), self.text(would))
    }

    fn json(&self) -> Value {
        let warnings = self.warnings.iter().map(Warning::json).collect::<Vec<_>>();
        json!({
            "absence": self.absence.json(),
            "slotsBlocked": self.slots_blocked,
            "cancelledAppointments": self.cancelled,
            "patientNotifications": self.notified,
            "warnings": warnings,
        })
    }

    fn text(&self, would: bool) -> String {
        let did = if would { "would be" } else { "are" };
        let of = |count: i64, word| counted(count.unsigned_abs(), word);
        let mut text = self.absence.text() + "\n";
        text += &format!("  {} {did} blocked\n", of(self.slots_blocked, "slot"));
        text += &format!("  {} {did} cancelled\n", of(self.cancelled, "visit"));
        text += &format!("  {} {did} told\n", of(self.notified, "patient"));
        for warning in &self.warnings {
            text += &format!("  {}: {}\n", warning.code, warning.message);
            for (id, start) in &warning.visits {
                text += &format!("    visit {id}: {}\n", start.format("%Y-%m-%d %H:%M"));
            }
        }
        text
    }
}

impl Warning {
    pub fn new(code: &'static str, message: String, visits: Vec<(Key, NaiveDateTime)>) -> Self {
        Self { code, message, visits }
    }

    fn json(&self) -> Value {
        let visit = |(id, start): &(Key, NaiveDateTime)| json!({ "id": id, "date": start.date(), "time": start.format("%H:%M").to_string() });
        json!({
            "code": self.code,
            "message": self.message,
            "appointments": self.visits.iter().map(visit).collect::<Vec<_>>(),
        })
    }
}
