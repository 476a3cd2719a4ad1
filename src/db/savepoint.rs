//! A part of a transaction that the server may refuse, while the transaction goes on.

use tokio_postgres::Transaction;

use crate::error::Error;

/// The SQLSTATEs of a relation or a column that is not there, and of a privilege that the role has not got.
pub const UNREADABLE: [&str; 3] = ["42P01", "42703", "42501"];

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

/// The outcome of an attempt; None if the server refused it with one of these codes.
pub async fn unless<T>(
    tx: &Transaction<'_>,
    codes: &[&str],
    attempt: impl AsyncFnOnce() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match tried(tx, attempt).await? {
        Err(error) if codes.contains(&error.code.as_ref()) => Ok(None),
        outcome => outcome.map(Some),
    }
}
