//! Visits: when one is, and those that a ledger names by text.

use tokio_postgres::Transaction;

use crate::clinic::local_time::{clock_time, day};
use crate::db::{Key, statements, unless_no_key};
use crate::error::Error;

statements! {
    // For a ledger that is older than the type of the keys. It reads all visits.
    EXISTING_AS_TEXT(TEXT_ARRAY) = "SELECT a.id::text FROM appointments a WHERE a.id::text = ANY ($1)";
}

/// The joins of a visit `a` with its facility, its doctor and the instant of its start, in SQL. `now` is the instant, and
/// `zones` the facilities whose time zone cannot be read.
pub fn joins_of_visit(now: &str, zones: &str) -> String {
    format!(
        include_str!("visit.part.sql"),
        day = day("a.appointment_date"),
        start_time = clock_time("a.start_time"),
        now = now,
        zones = zones
    )
}

/// Reads by the keys of visits that a ledger names, where some may be no values of the key's type.
pub async fn read_by<T>(
    tx: &Transaction<'_>,
    visits: &[Key],
    read: impl AsyncFn(&[Key]) -> Result<T, Error>,
) -> Result<T, Error> {
    match unless_no_key(tx, async || read(visits).await).await? {
        Some(found) => Ok(found),
        None => read(&existing(tx, visits).await?).await,
    }
}

/// Those of the keys that visits have, where some may be no values of the key's type.
async fn existing(tx: &Transaction<'_>, keys: &[Key]) -> Result<Vec<Key>, Error> {
    let texts: Vec<&str> = keys.iter().map(Key::as_str).collect();
    Ok(EXISTING_AS_TEXT.all(tx, &[&texts]).await?.iter().map(|row| row.get(0)).collect())
}
