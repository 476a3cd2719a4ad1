//! Keys that a ledger keeps as text, which may be older than the type of the clinic's keys.

use tokio_postgres::Transaction;

use super::key::{Key, unless_no_key};
use super::statement::Statement;
use crate::error::Error;

/// Reads by keys of a ledger. Where the server refuses one, `existing`, which compares them as text, says which of them are
/// keys; it reads the whole table.
pub async fn read_by<T>(
    tx: &Transaction<'_>,
    keys: &[Key],
    existing: &Statement,
    read: impl AsyncFn(&[Key]) -> Result<T, Error>,
) -> Result<T, Error> {
    if let Some(found) = unless_no_key(tx, async || read(keys).await).await? {
        return Ok(found);
    }
    let texts: Vec<&str> = keys.iter().map(Key::as_str).collect();
    let existing: Vec<Key> = existing.all(tx, &[&texts]).await?.iter().map(|row| row.get(0)).collect();
    read(&existing).await
}
