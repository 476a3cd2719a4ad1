//! Whether the registry was ever loaded.

use tokio_postgres::Transaction;

use crate::db::statements;
use crate::error::{Error, ErrorKind};

statements! {
    LOADED() = "SELECT EXISTS (SELECT FROM npi_data) AS loaded";
}

/// Refuses an empty registry, in which everybody would be unknown.
pub async fn check_loaded(tx: &Transaction<'_>) -> Result<(), Error> {
    if LOADED.one(tx, &[]).await?.get("loaded") {
        return Ok(());
    }
    let message = "the registry of providers is empty: it was never loaded. Run `rounds refresh-npi`";
    Err(Error::new("REGISTRY_EMPTY", ErrorKind::Refused, message))
}
