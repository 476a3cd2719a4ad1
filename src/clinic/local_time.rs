//! The local time of facilities. PostgreSQL computes instants (`AT TIME ZONE`); this file finds the facilities without
//! a readable time zone, and the dates that are "today" in some time zone.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use tokio_postgres::Transaction;

use crate::db::{Key, Row, decodable, statements, unless};
use crate::error::{Error, ErrorKind};
use crate::time_zone::Tz;

statements! {
    FACILITIES() = format!(
        "SELECT f.id::text, {} AS time_zone FROM facilities f WHERE f.id IS NOT NULL ORDER BY f.id",
        decodable("f.time_zone")
    );
    // It fails where the server does not know one of the zones.
    ASK_SERVER(TEXT_ARRAY) =
        "SELECT count(timestamp '2000-01-01' AT TIME ZONE z.name) AS zones FROM unnest($1) AS z (name)";
}

/// The SQLSTATE for a time zone that the server does not know.
const UNKNOWN_TO_SERVER: &str = "22023";

/// The facilities whose time zone is not an IANA name, or one that the server does not know. One of them would make a
/// statement fail for all facilities.
pub async fn unreadable_zones(tx: &Transaction<'_>) -> Result<Vec<Key>, Error> {
    let rows = FACILITIES.all(tx, &[]).await?;
    let zone = |row: &Row| row.get::<_, Option<String>>("time_zone");
    let known = known_zones(tx, rows.iter().filter_map(zone).collect()).await?;
    let unreadable = |row: &&Row| !zone(row).is_some_and(|name| known.contains(&name));
    Ok(rows.iter().filter(unreadable).map(|row| row.get("id")).collect())
}

/// Those of the names that are IANA names and known to the server. The server has a list of its own, which an upgrade of
/// its system may shorten; it is asked for all names at once, and for each only if it does not know all.
pub async fn known_zones(tx: &Transaction<'_>, names: BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
    let mut known: BTreeSet<String> = names.into_iter().filter(|name| Tz::is_known(name)).collect();
    if !known.is_empty() && !are_known_to_server(tx, known.iter()).await? {
        for name in known.clone() {
            if !are_known_to_server(tx, std::iter::once(&name)).await? {
                known.remove(&name);
            }
        }
    }
    Ok(known)
}

/// Whether the server knows all these zones. The question is asked behind a savepoint, because the answer No is an
/// error; the view of all zones that the server knows takes it longer than all else that an idle run does.
async fn are_known_to_server(tx: &Transaction<'_>, names: impl Iterator<Item = &String>) -> Result<bool, Error> {
    let names: Vec<&String> = names.collect();
    let answer = unless(tx, &[UNKNOWN_TO_SERVER], async || ASK_SERVER.one(tx, &[&names]).await).await?;
    Ok(answer.is_some())
}

/// A time of day, in SQL, from a column of type time or text; NULL where the text is none.
pub fn clock_time(column: &str) -> String {
    format!(include_str!("clock_time.part.sql"), column = column)
}

/// A day, in SQL, from a column of type date or timestamp; NULL where no instant can be computed from it.
pub fn day(column: &str) -> String {
    format!("CASE WHEN {column} BETWEEN date '0001-01-01' AND date '9999-12-31' THEN {column}::date END")
}

/// An instant, in SQL, from a column of type timestamptz, or of type timestamp in UTC; NULL where nothing can be added
/// to it.
pub fn instant(column: &str) -> String {
    format!("CASE WHEN {column} BETWEEN '0001-01-01' AND '9999-12-31' THEN {column}::timestamptz END")
}

/// A duration in minutes, in SQL, from a column of any whole-number type; NULL where it is no sensible one.
pub fn minutes(column: &str) -> String {
    format!("CASE WHEN {column} BETWEEN 1 AND 525600 THEN {column}::int END")
}

/// The length of a doctor's slots in minutes, in SQL; `d` is a row of doctors.
pub fn slot_length() -> String {
    "CASE WHEN d.slot_duration_minutes BETWEEN 1 AND 1440 THEN d.slot_duration_minutes::int END".to_owned()
}

/// The error of a visit whose start cannot be read.
pub fn unreadable_start() -> Error {
    let message = "appointment_date and start_time are no day and time, such as 2026-03-02 and 09:30; not judged";
    Error::new("UNREADABLE_TIME", ErrorKind::Data, message)
}

/// The error of a facility whose time zone is not an IANA name, or not known to the server.
pub fn unreadable_zone() -> Error {
    let message = "facilities.time_zone is not an IANA time zone, such as America/Denver, or one that the database \
                   server does not know; none of its visits was judged";
    Error::new("UNKNOWN_TIME_ZONE", ErrorKind::Data, message)
}

/// The error of a doctor without a slot length, whose visits the jobs cannot assess.
pub fn no_slot_length() -> Error {
    let message = "doctors.slot_duration_minutes is not set, or no number of minutes from 1 to 1440; visits that \
                   depend on it were not judged";
    Error::new("NO_SLOT_LENGTH", ErrorKind::Data, message)
}

/// The instant that lies `age` before `now`, but not before 1970.
pub fn before(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    let age = TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(age).map_or(DateTime::UNIX_EPOCH, |then| then.max(DateTime::UNIX_EPOCH))
}

/// The earliest date that is at most `lookback_days` back in some time zone, and the latest date that is today in one.
/// They are outer bounds for which an index can be used.
pub fn outer_dates(now: DateTime<Utc>, lookback_days: u32) -> (NaiveDate, NaiveDate) {
    let west = (now - TimeDelta::hours(12)).date_naive();
    let east = (now + TimeDelta::hours(14)).date_naive();
    (west.checked_sub_days(Days::new(lookback_days.into())).unwrap_or(NaiveDate::MIN), east)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_dates_cover_both_ends_of_the_world() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let noon = outer_dates(at("2026-03-02T11:59:59Z"), 0);
        assert_eq!(noon, (date("2026-03-01"), date("2026-03-03")), "still yesterday at UTC-12, tomorrow at UTC+14");
        assert_eq!(outer_dates(at("2026-03-02T12:00:00Z"), 7), (date("2026-02-23"), date("2026-03-03")));
    }
}
