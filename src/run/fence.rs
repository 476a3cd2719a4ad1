//! The fencing of every transaction that changes something, and the outcome of a transaction whose COMMIT got no reply.
//!
//! Rule: a transaction of a run may change something if and only if it holds the run's row FOR KEY SHARE while that row
//! is RUNNING. Every change of the row's status locks it FOR UPDATE first, so the two exclude each other.
//!
//! A fenced transaction was committed if and only if its row in `run_batches` is there. The server's own record of
//! transactions would not do: after a crash it gives the ids of lost transactions to others.

use std::time::Duration;

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::limits::STATUS_LOCK;
use crate::db::{Db, Limits, dropped, statements};
use crate::error::{Error, ErrorKind};

statements! {
    FENCE(UUID, INT4, TEXT) = include_str!("fence.sql");
    pub LOCK_RUN(UUID) = include_str!("lock_run.sql");
    EVIDENCE(UUID, INT4) = "SELECT EXISTS (SELECT FROM run_batches WHERE run_id = $1 AND batch = $2) AS found";
}

/// Fences a transaction, which is the run's `batch`-th; what follows waits for each lock at most for `lock_wait`. Returns
/// false if the run has been taken over.
pub async fn fence(tx: &Transaction<'_>, run: Uuid, batch: i32, lock_wait: Duration) -> Result<bool, Error> {
    let lock_wait = lock_wait.as_millis().to_string();
    let row = FENCE.opt(tx, &[&run, &batch, &lock_wait]).await.map_err(|error| {
        // A lock on the run's own row must not count as a lock on the rows of its batch.
        let error = error.context("the run's row");
        let kind = if error.kind == ErrorKind::Locked { ErrorKind::Other } else { error.kind };
        Error { kind, ..error }
    })?;
    match row.map(|row| row.get::<_, i64>("written")) {
        Some(0) => Err(dropped("run_batches", 0, 1)),
        written => Ok(written.is_some()),
    }
}

/// Whether a COMMIT whose reply was lost was done. On a new connection it waits for the run's row, and so until the old
/// transaction has ended; a second statement, which sees what that one committed, looks for its evidence.
pub async fn did_commit(db: &Db, limits: Limits, run: Uuid, batch: i32) -> Result<bool, Error> {
    let mut client = db.client().await?;
    let tx = limits.with_lock(STATUS_LOCK).begin(&mut client).await?;
    LOCK_RUN.opt(&tx, &[&run]).await?;
    let found = EVIDENCE.one(&tx, &[&run, &batch]).await?.get("found");
    tx.rollback().await?;
    Ok(found)
}
