//! What people call facilities and doctors, and the facilities' clocks, for the lists that people read.
//!
//! Rule: a name is a help and no duty. Where the database does not say it (no such column, no privilege, an id that
//! nobody has) a list shows the id, and the time in UTC. A patient has no name here.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use tracing::info;

use crate::command::look::ZONES;
use crate::db::{Key, Keys, NOT_A_KEY, Row, Statement, UNREADABLE, decodable_name, statements, unless};
use crate::error::Error;
use crate::output::local_stamp;
use crate::time_zone::Tz;

statements! {
    FACILITY_NAMES(KEYS) =
        format!("SELECT f.id::text AS id, {} AS name FROM facilities f WHERE f.id = ANY ($1)", decodable_name("f.name"));
    DOCTOR_NAMES(KEYS) = format!(
        "SELECT d.id::text AS id, {} AS first_name, {} AS last_name FROM doctors d WHERE d.id = ANY ($1)",
        decodable_name("d.first_name"), decodable_name("d.last_name")
    );
}

/// The first and the last name of a doctor, either of which may be missing.
#[derive(Clone, Default)]
pub struct DoctorName {
    pub first: Option<String>,
    pub last: Option<String>,
}

/// The facilities and doctors of a list.
#[derive(Default)]
pub struct Places {
    zones: HashMap<Key, Tz>,
    facilities: HashMap<Key, String>,
    doctors: HashMap<Key, DoctorName>,
}

impl Places {
    pub async fn read<'a>(
        tx: &Transaction<'_>,
        facilities: impl Iterator<Item = &'a Key>,
        doctors: impl Iterator<Item = &'a Key>,
    ) -> Result<Self, Error> {
        let [facilities, doctors] = [distinct(facilities), distinct(doctors)];
        let text = |row: &Row, column| row.get::<_, Option<String>>(column).filter(|text| !text.trim().is_empty());
        let zones = told(tx, &ZONES, "facilities' time zones", &facilities).await?;
        let zones = zones.iter().filter_map(|row| Some((row.get("id"), text(row, "time_zone")?.parse().ok()?)));
        let names = told(tx, &FACILITY_NAMES, "facilities' names", &facilities).await?;
        let names = names.iter().filter_map(|row| Some((row.get("id"), text(row, "name")?)));
        let doctors = told(tx, &DOCTOR_NAMES, "doctors' names", &doctors).await?;
        let doctors = doctors.iter().map(|row| {
            let name = DoctorName { first: text(row, "first_name"), last: text(row, "last_name") };
            (row.get("id"), name)
        });
        Ok(Self { zones: zones.collect(), facilities: names.collect(), doctors: doctors.collect() })
    }

    pub fn facility_name(&self, id: Option<&Key>) -> Option<&str> {
        self.facilities.get(id?).map(String::as_str)
    }

    pub fn doctor(&self, id: Option<&Key>) -> DoctorName {
        id.and_then(|id| self.doctors.get(id)).cloned().unwrap_or_default()
    }

    pub fn doctor_name(&self, id: Option<&Key>) -> Option<String> {
        let DoctorName { first, last } = self.doctor(id);
        let words: Vec<String> = first.into_iter().chain(last).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// The name of the facility's zone, if it has one that is known.
    pub fn zone_name(&self, facility: Option<&Key>) -> Option<&'static str> {
        Some(self.zones.get(facility?)?.name())
    }

    /// The facility in a table: its name, else its id.
    pub fn facility_cell(&self, id: Option<&Key>) -> String {
        self.facility_name(id).map_or_else(|| id.map_or(String::new(), Key::to_string), str::to_owned)
    }

    /// The doctor in a table: the name, else the id.
    pub fn doctor_cell(&self, id: Option<&Key>) -> String {
        self.doctor_name(id).unwrap_or_else(|| id.map_or(String::new(), Key::to_string))
    }

    /// An instant in a table: the time of the facility's clocks.
    pub fn time_cell(&self, facility: Option<&Key>, at: DateTime<Utc>) -> String {
        local_stamp(at, facility.and_then(|id| self.zones.get(id)).copied().unwrap_or(Tz::UTC))
    }
}

fn distinct<'a>(keys: impl Iterator<Item = &'a Key>) -> Vec<Key> {
    keys.collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

/// The rows of these ids, behind a savepoint; none where the database does not tell.
pub async fn told(tx: &Transaction<'_>, statement: &Statement, what: &str, ids: &[Key]) -> Result<Vec<Row>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    // A text in our tables may be no key of the clinic's any more.
    let not_told = [&UNREADABLE[..], &NOT_A_KEY].concat();
    match unless(tx, &not_told, async || statement.all(tx, &[&Keys(ids)]).await).await? {
        Some(rows) => Ok(rows),
        None => {
            info!("{what} cannot be read: the list does without (the role needs SELECT on the columns)");
            Ok(vec![])
        }
    }
}
