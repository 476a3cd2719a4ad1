//! A facility that a person names. Jobs whose rule reads no facility do not list its statement: a help desk need not have
//! that table, and who names a facility there needs SELECT on it.

use tokio_postgres::Transaction;

use crate::clinic::actor::refused;
use crate::db::{Key, no_such_key, statements};
use crate::error::Error;

statements! {
    FACILITY(KEY) = "SELECT f.id::text AS id FROM facilities f WHERE f.id = $1";
}

/// The facility in the server's own form. Refuses one that does not exist.
pub async fn known(tx: &Transaction<'_>, id: &Key) -> Result<Key, Error> {
    match no_such_key(FACILITY.opt(tx, &[id]).await)? {
        Some(row) => Ok(row.get("id")),
        None => Err(refused("UNKNOWN_ARGUMENT", format!("--facility: there is no facility {id}; nothing was changed"))),
    }
}
