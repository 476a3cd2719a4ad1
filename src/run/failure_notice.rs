//! Who is told when a job keeps failing.
//!
//! Rule: every active HOSPITAL_ADMIN is told if and only if a run fails, it is at least the third failure of its lane in
//! a row (the runs that failed since the last success, but those that were interrupted), and this admin was not told of
//! this row of failures with this error code within a day (23 hours, for a job that runs once a day); and once more when the lane
//! succeeds, if told at all. A brake that waits for a person's word is told from the first on.
//!
//! The notice is staged in the transaction that closes the run, so there is none without the other. If it cannot be
//! staged, the run is closed all the same.

use tokio_postgres::Transaction;
use tracing::{info, warn};
use uuid::Uuid;

use crate::clinic::outbox;
use crate::db::statements;
use crate::error::{Error, ErrorKind};

/// The least number of failures in a row of which the admins are told.
pub const FAILURES_TOLD: i64 = 3;

statements! {
    NOTIFY_FAILING(UUID, INT8, INT8) =
        format!(include_str!("notify_failing.sql"), failures = failures("$1"), outbox = outbox::NOTIFIED);
    NOTIFY_RECOVERED(UUID) =
        format!(include_str!("notify_recovered.sql"), failures = failures("$1"), outbox = outbox::NOTIFIED);
}

/// How a run of a lane has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Succeeded,
    Failed,
    /// More was due than it may do unasked, and a person has to say a word: told at once.
    Braked,
    /// Neither a success nor a failure: it was interrupted, or was not needed.
    Neither,
}

/// The join that finds the failures in a row of a lane `l`; `but` is a run that is no success yet, in SQL.
pub fn failures(but: &str) -> String {
    format!(include_str!("failures.part.sql"), but = but)
}

/// Stages what is to be told of a run that has just been closed in this transaction.
pub async fn stage(tx: &Transaction<'_>, run: Uuid, ending: Ending) -> Result<(), Error> {
    if ending == Ending::Neither {
        return Ok(());
    }
    // Shorter than closing a run may take; with the savepoint these go too.
    tx.batch_execute("SAVEPOINT notice; SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 1000").await?;
    match insert(tx, run, ending).await {
        Ok(()) => tx.batch_execute("RELEASE SAVEPOINT notice").await?,
        Err(error) if error.kind == ErrorKind::Transient => return Err(error),
        Err(error) => {
            tx.batch_execute("ROLLBACK TO SAVEPOINT notice").await?;
            warn!(run_id = %run, error_code = %error.code, "no admin could be told: {}", error.message);
        }
    }
    Ok(())
}

async fn insert(tx: &Transaction<'_>, run: Uuid, ending: Ending) -> Result<(), Error> {
    let row = match ending {
        Ending::Succeeded => NOTIFY_RECOVERED.one(tx, &[&run]).await?,
        Ending::Braked => NOTIFY_FAILING.one(tx, &[&run, &1_i64, &FAILURES_TOLD]).await?,
        _ => NOTIFY_FAILING.one(tx, &[&run, &FAILURES_TOLD, &FAILURES_TOLD]).await?,
    };
    let (failures, notices): (i64, i64) = (row.get("failures"), row.get("notices"));
    if notices > 0 {
        info!(run_id = %run, failures, notices, "the admins are told of the failures in a row");
    }
    Ok(())
}
