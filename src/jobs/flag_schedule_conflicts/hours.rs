//! The hours of doctors, and since when they are what they are: the ledger `schedule_versions`.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::clinic::local_time::{clock_time, instant};
use crate::db::{Key, Keys, Row, statements};
use crate::error::{Error, ErrorKind};
use crate::run::count;

statements! {
    UNREADABLE(KEY) = format!(
        include_str!("unreadable.sql"),
        from = starts(),
        to = ends(),
        break_from = break_starts(),
        break_to = break_ends(),
    );
    LOOK(TIMESTAMPTZ, KEYS, TEXT_ARRAY, UUID) = format!(
        include_str!("look.sql"),
        hours = aggregates(),
        none = "encode(sha256(''), 'hex')",
        changed_at = changed_at(),
    );
}

/// The times of a row `w` of hours, in SQL.
pub fn starts() -> String {
    clock_time("w.start_time")
}

pub fn ends() -> String {
    clock_time("w.end_time")
}

pub fn break_starts() -> String {
    clock_time("w.break_start")
}

pub fn break_ends() -> String {
    clock_time("w.break_end")
}

/// The columns `version` and `touched_at` of the hours of a day, in SQL.
pub fn aggregates() -> String {
    format!(
        include_str!("hours.part.sql"),
        from = starts(),
        to = ends(),
        break_from = break_starts(),
        break_to = break_ends(),
        created_at = instant("w.created_at"),
        updated_at = instant("w.updated_at"),
    )
}

/// The instant since which the hours of a day are what they are, in SQL.
pub fn changed_at() -> String {
    include_str!("changed_at.part.sql").trim_end().to_owned()
}

/// Rows of hours that cannot be read.
pub struct Unreadable {
    /// The rows that the run reports.
    pub rows: Vec<Key>,
    /// Their doctors, of whatever facility.
    pub doctors: Vec<Key>,
}

impl Unreadable {
    pub async fn read(tx: &Transaction<'_>, facility: Option<&Key>) -> Result<Self, Error> {
        let found = UNREADABLE.all(tx, &[&facility]).await?;
        let reported = found.iter().filter(|row| row.get("is_reported")).map(|row| row.get("id")).collect();
        let doctor = |row: &Row| row.get::<_, Option<Key>>("doctor_id");
        let mut doctors: Vec<Key> = found.iter().filter_map(doctor).collect();
        doctors.sort_unstable();
        doctors.dedup();
        Ok(Self { rows: reported, doctors })
    }
}

/// Records the hours as they are now. Returns the number of days whose hours have changed since the last look.
pub async fn look(tx: &Transaction<'_>, now: DateTime<Utc>, unreadable: &[Key], run: Uuid) -> Result<u64, Error> {
    let texts: Vec<&str> = unreadable.iter().map(Key::as_str).collect();
    Ok(count(&LOOK.one(tx, &[&now, &Keys(unreadable), &texts, &run]).await?, "changed"))
}

/// The error of hours that cannot be read.
pub fn unreadable_hours() -> Error {
    let message = "weekday is no number from 1 to 7, a time is none, such as 09:30, one end of the break is missing, or \
                   an end is not after its beginning; none of the doctor's visits was judged";
    Error::new("UNREADABLE_SCHEDULE", ErrorKind::Data, message)
}
