//! A look for rows by texts that may be no keys, within a transaction that goes on.

use tokio_postgres::Transaction;

use crate::db::no_such_key;
use crate::error::Error;

/// Reads in a savepoint. None if a text is no value of the key's type, so that the server refused it.
pub async fn unless_no_key<T>(
    tx: &Transaction<'_>,
    read: impl AsyncFnOnce() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    tx.batch_execute("SAVEPOINT look").await?;
    let found = no_such_key(read().await.map(Some))?;
    let undo = if found.is_none() { "ROLLBACK TO SAVEPOINT look; " } else { "" };
    tx.batch_execute(&format!("{undo}RELEASE SAVEPOINT look")).await?;
    Ok(found)
}
