//! The notices to the admins when a job keeps failing, and when it works again.
//!
//! Rule: every active HOSPITAL_ADMIN is notified if and only if a run fails, it is at least the third failure of its
//! lane in a row (the runs that failed since the last success, without interrupted ones), and this admin was not
//! notified of this streak of failures with this error code within a day (23 hours, for a job that runs once a day);
//! and once more when the lane succeeds, if notified at all. A brake that waits for a person's decision is notified
//! from the first failure on.
//!
//! The notice is staged in the transaction that closes the run, so neither is committed without the other. If the
//! notice cannot be staged, the run is closed without it.

use tokio_postgres::Transaction;
use tracing::{info, warn};
use uuid::Uuid;

use super::clock::has_passed;
use crate::clinic::outbox;
use crate::db::statements;
use crate::error::{Error, ErrorKind};

/// The least number of failures in a row of which the admins are notified.
const MIN_FAILURES: i64 = 3;

statements! {
    NOTIFY_FAILING(UUID, INT8, INT8) = format!(
            include_str!("notify_failing.sql"),
            failures = failures("$1"),
            notice_has_passed = has_passed("n.created_at"),
            outbox = outbox::NOTIFIED
        );
    NOTIFY_RECOVERED(UUID) =
        format!(include_str!("notify_recovered.sql"), failures = failures("$1"), outbox = outbox::NOTIFIED);
}

/// The result of a run, as it counts for the streak of failures of its lane.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    Succeeded,
    Failed,
    /// A failure by a brake that waits for a person's decision: the admins are notified at once.
    Braked,
    /// The run was interrupted or not needed, so it is neither a success nor a failure.
    NotCounted,
}

/// The join that finds the failures in a row of a lane `l`. `except` is, in SQL, the id of a run whose success does not
/// end the streak, or NULL.
pub fn failures(except: &str) -> String {
    format!(
        include_str!("failures.part.sql"),
        except = except,
        failure_has_passed = has_passed("f.completed_at"),
        success_has_passed = has_passed("s.completed_at")
    )
}

/// Stages the notices of a run that has just been closed in this transaction.
pub async fn stage(tx: &Transaction<'_>, run: Uuid, result: RunResult) -> Result<(), Error> {
    if result == RunResult::NotCounted {
        return Ok(());
    }
    // These limits are shorter than the time for closing a run; they end with the savepoint.
    tx.batch_execute("SAVEPOINT notice; SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 1000").await?;
    match insert(tx, run, result).await {
        Ok(()) => tx.batch_execute("RELEASE SAVEPOINT notice").await?,
        Err(error) if error.kind == ErrorKind::Transient => return Err(error),
        Err(error) => {
            tx.batch_execute("ROLLBACK TO SAVEPOINT notice").await?;
            warn!(run_id = %run, error_code = %error.code, "no admin could be told: {}", error.message);
        }
    }
    Ok(())
}

async fn insert(tx: &Transaction<'_>, run: Uuid, result: RunResult) -> Result<(), Error> {
    let row = match result {
        RunResult::Succeeded => NOTIFY_RECOVERED.one(tx, &[&run]).await?,
        RunResult::Braked => NOTIFY_FAILING.one(tx, &[&run, &1_i64, &MIN_FAILURES]).await?,
        _ => NOTIFY_FAILING.one(tx, &[&run, &MIN_FAILURES, &MIN_FAILURES]).await?,
    };
    let (failures, notices): (i64, i64) = (row.get("failures"), row.get("notices"));
    if notices > 0 {
        info!(run_id = %run, failures, notices, "the admins are told of the failures in a row");
    }
    Ok(())
}
