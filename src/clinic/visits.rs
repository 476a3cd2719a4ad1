//! The visits that a ledger names by text.

use tokio_postgres::Transaction;

use crate::db::{Key, statements};
use crate::error::Error;

statements! {
    // For a ledger that is older than the type of the keys. It reads all visits.
    EXISTING_AS_TEXT(TEXT_ARRAY) = "SELECT a.id::text FROM appointments a WHERE a.id::text = ANY ($1)";
}

/// Those of the keys that visits have, where some may be no values of the key's type.
pub async fn existing(tx: &Transaction<'_>, keys: &[Key]) -> Result<Vec<Key>, Error> {
    let texts: Vec<&str> = keys.iter().map(Key::as_str).collect();
    Ok(EXISTING_AS_TEXT.all(tx, &[&texts]).await?.iter().map(|row| row.get(0)).collect())
}
