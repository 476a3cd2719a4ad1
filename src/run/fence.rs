//! The fencing of every transaction that changes something, and the outcome of a transaction whose COMMIT got no reply.
//!
//! Rule: a transaction of a run may change something if and only if it holds the run's row FOR KEY SHARE while that row
//! is RUNNING. Every change of the row's status locks it FOR UPDATE first, so the two exclude each other.

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::limits::STATUS_LOCK;
use crate::db::{Db, Limits, statements};
use crate::error::{Error, ErrorKind};

statements! {
    FENCE(UUID) = include_str!("fence.sql");
    pub LOCK_RUN(UUID) = include_str!("lock_run.sql");
    TRANSACTION_STATUS(TEXT) = "SELECT pg_xact_status($1::xid8)";
}

/// Fences a transaction. Returns the transaction's id, or None if the run has been taken over.
pub async fn fence(tx: &Transaction<'_>, run: Uuid) -> Result<Option<String>, Error> {
    let row = FENCE.opt(tx, &[&run]).await.map_err(|error| {
        // A lock on the run's own row must not count as a lock on the rows of its batch.
        let error = error.context("the run's row");
        let kind = if error.kind == ErrorKind::Locked { ErrorKind::Other } else { error.kind };
        Error { kind, ..error }
    })?;
    Ok(row.map(|row| row.get(0)))
}

/// Whether a COMMIT whose reply was lost was done. Waits on a new connection until the old transaction has ended, then
/// reads its status from the server; the outcome is never guessed.
pub async fn did_commit(db: &Db, limits: Limits, run: Uuid, xid: &str) -> Result<bool, Error> {
    let mut client = db.client().await?;
    let tx = limits.with_lock(STATUS_LOCK).begin(&mut client).await?;
    LOCK_RUN.opt(&tx, &[&run]).await?;
    let committed = committed(&tx, xid).await?;
    tx.rollback().await?;
    committed.ok_or_else(unknown)
}

/// Whether a transaction committed; None while it is in progress.
pub async fn committed(tx: &Transaction<'_>, xid: &str) -> Result<Option<bool>, Error> {
    let row = TRANSACTION_STATUS.one(tx, &[&xid]).await?;
    match row.get::<_, Option<&str>>(0) {
        Some("committed") => Ok(Some(true)),
        Some("aborted") => Ok(Some(false)),
        Some("in progress") => Ok(None),
        _ => Err(unknown()),
    }
}

fn unknown() -> Error {
    Error::new("COMMIT_UNKNOWN", ErrorKind::Other, "the server does not know how a transaction ended")
}
