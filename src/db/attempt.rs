//! An attempt that may fail, within a transaction that goes on.

use tokio_postgres::Transaction;

use crate::error::Error;

/// Tries something behind a savepoint, so that an error of the server does not end the transaction.
pub async fn tried<T, E>(
    tx: &Transaction<'_>,
    attempt: impl AsyncFnOnce() -> Result<T, E>,
) -> Result<Result<T, E>, Error> {
    tx.batch_execute("SAVEPOINT attempt").await?;
    let outcome = attempt().await;
    let undo = if outcome.is_err() { "ROLLBACK TO SAVEPOINT attempt; " } else { "" };
    tx.batch_execute(&format!("{undo}RELEASE SAVEPOINT attempt")).await?;
    Ok(outcome)
}
