//! A part of a transaction that the server may refuse, while the transaction goes on.

use tokio_postgres::Transaction;

use crate::error::Error;

/// The outcome of `part`, in a savepoint. None if the server refused it with one of these codes; then it is undone.
pub async fn unless<T>(
    tx: &Transaction<'_>,
    codes: &[&str],
    part: impl AsyncFnOnce() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    tx.batch_execute("SAVEPOINT part").await?;
    let outcome = match part().await {
        Err(error) if codes.contains(&error.code.as_ref()) => None,
        outcome => Some(outcome?),
    };
    let undo = if outcome.is_none() { "ROLLBACK TO SAVEPOINT part; " } else { "" };
    tx.batch_execute(&format!("{undo}RELEASE SAVEPOINT part")).await?;
    Ok(outcome)
}
