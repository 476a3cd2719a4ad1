//! Who is told when a job keeps failing.
//!
//! Rule: every active HOSPITAL_ADMIN is told if and only if a run fails, it is at least the third failure of its lane in
//! a row (the runs that failed since the last success, but those that were interrupted), and this admin was not told of
//! this streak with this error code within a day (23 hours, for a job that runs once a day); and once more when the lane
//! succeeds, if told at all. A brake that waits for a person's word is told from the first on.
//!
//! The notice is staged in the transaction that closes the run, so there is none without the other. If it cannot be
//! staged, the run is closed all the same.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use tracing::{info, warn};
use uuid::Uuid;

use crate::outbox;
use crate::redact::{Class, Failure};

/// From so many failures in a row on, they are told.
const FAILURES_TOLD: i64 = 3;

/// How a run of the lane has just ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Failed,
    /// More was due than it may do unasked.
    Braked,
    /// It succeeded, and the one before it had failed.
    Recovered,
}

/// The join that finds the failures in a row of a lane `l`; `but` is a run that is no success yet, in SQL.
pub fn failures(but: &str) -> String {
    format!(include_str!("streak.sql"), but = but)
}

/// Stages what is to be told of a run that has just been closed in this transaction.
pub async fn tell(tx: &Transaction<'_>, run: Uuid, ended: Ended) -> Result<(), Failure> {
    // Shorter than closing a run may take; with the savepoint these go too.
    tx.batch_execute("SAVEPOINT streak; SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 1000").await?;
    match stage(tx, run, ended).await {
        Ok(()) => tx.batch_execute("RELEASE SAVEPOINT streak").await?,
        Err(failure) if failure.class == Class::Transient => return Err(failure),
        Err(failure) => {
            tx.batch_execute("ROLLBACK TO SAVEPOINT streak").await?;
            warn!(run_id = %run, error_code = %failure.code, "no admin could be told: {}", failure.message);
        }
    }
    Ok(())
}

async fn stage(tx: &Transaction<'_>, run: Uuid, ended: Ended) -> Result<(), Failure> {
    let (streak, outbox) = (failures("$1"), outbox::NOTIFIED);
    let statement = match ended {
        Ended::Failed | Ended::Braked => format!(include_str!("streak.failing.sql"), streak = streak, outbox = outbox),
        Ended::Recovered => format!(include_str!("streak.recovered.sql"), streak = streak, outbox = outbox),
    };
    let row = match ended {
        Ended::Recovered => tx.query_typed_one(&statement, &[(&run, Type::UUID)]).await?,
        failed => {
            let told_from: i64 = if failed == Ended::Braked { 1 } else { FAILURES_TOLD };
            tx.query_typed_one(&statement, &[(&run, Type::UUID), (&told_from, Type::INT8)]).await?
        }
    };
    let (failures, notices): (i64, i64) = (row.get("failures"), row.get("notices"));
    if notices > 0 {
        info!(run_id = %run, failures, notices, "the admins are told of the failures in a row");
    }
    Ok(())
}
