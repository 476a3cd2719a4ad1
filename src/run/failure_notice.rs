//! The notices to the admins when a job keeps failing, and when it works again.
//!
//! Rule: every active HOSPITAL_ADMIN is notified if and only if a run fails, it is at least the third failure of its
//! lane in a row (the runs that failed since the last success, without interrupted ones), and this admin was not
//! notified of this streak of failures with this error code within a day (23 hours, for a job that runs once a day);
//! and once more when the lane succeeds, if notified at all. A brake that waits for a person's decision is notified
//! from the first failure on.
//!
//! An endpoint of webhooks that `--failure-webhook` names is told of the same, as one more admin.
//!
//! A notice of failures is HIGH, and that of their end is NORMAL; each is told as they prefer, and in the application
//! where the preferences cannot be read, since a clinic whose jobs tell nobody else need not have such a table.
//!
//! The notice is staged in the transaction that closes the run, so neither is committed without the other. If the
//! notice cannot be staged, the run is closed without it. The log and the report of the run say where nobody could be
//! told.

use tokio_postgres::Transaction;
use tracing::{info, warn};
use uuid::Uuid;

use super::admins::told_if_possible;
use super::clock::has_passed;
use crate::clinic::channels::Preferences;
use crate::clinic::outbox;
use crate::db::{Row, statements};
use crate::error::Error;

/// The least number of failures in a row of which the admins are notified.
const MIN_FAILURES: i64 = 3;

statements! {
    NOTIFY_FAILING[preferences: Preferences = Preferences::BOTH.into()](UUID, INT8, INT8, TEXT) = format!(
            include_str!("notify_failing.sql"),
            channels = preferences.channels("'HIGH'"),
            failures = failures("$1"),
            notice_has_passed = has_passed("n.created_at"),
            outbox = outbox::notified()
        );
    TOLD(TEXT) = "SELECT count(*) AS notices FROM notifications WHERE type = 'JOB_FAILING' AND entity_id = $1";
    NOTE_UNTOLD(UUID, TEXT) = include_str!("note_untold.sql");
    NOTIFY_RECOVERED[preferences: Preferences = Preferences::BOTH.into()](UUID, TEXT) = format!(
            include_str!("notify_recovered.sql"),
            channels = preferences.channels("'NORMAL'"),
            failures = failures("$1"),
            outbox = outbox::notified()
        );
}

/// The result of a run, as it counts for the streak of failures of its lane.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    Succeeded,
    Failed,
    /// A failure by a brake that waits for a person's decision: the admins are notified at once.
    Braked,
    /// The run was interrupted, refused or not needed, so it is neither a success nor a failure.
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

/// Stages the notices of a run that has just been closed in this transaction, also to an endpoint if there is one. Where
/// somebody had to be told and nobody could be, the log and the report of the run say so.
pub async fn stage(tx: &Transaction<'_>, run: Uuid, result: RunResult, endpoint: Option<&str>) -> Result<(), Error> {
    if result == RunResult::NotCounted {
        return Ok(());
    }
    // These limits are shorter than the time for closing a run; they end with the savepoint.
    let limits = "SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 1000";
    let insert = async |preferences| insert(tx, run, (result, endpoint), preferences).await;
    let told = told_if_possible(tx, limits, insert).await?;
    let untold = told.unwrap_or_else(|error| Some(format!("no admin could be told: {error}")));
    if let Some(reason) = untold {
        warn!(run_id = %run, error_code = "NOBODY_TOLD", "{reason}");
        NOTE_UNTOLD.execute(tx, &[&run, &reason]).await?;
    }
    Ok(())
}

/// Inserts the notices. Returns the reason for which nobody could be told, where somebody had to be.
async fn insert(
    tx: &Transaction<'_>,
    run: Uuid,
    (result, endpoint): (RunResult, Option<&str>),
    preferences: Preferences,
) -> Result<Option<String>, Error> {
    let (row, untold) = match result {
        RunResult::Succeeded => {
            let row = NOTIFY_RECOVERED.with(&preferences).one(tx, &[&run, &endpoint]).await?;
            let is_due = count(&row, "failures") >= MIN_FAILURES || count(&row, "earlier") > 0;
            let untold = (is_due && count(&row, "notices") == 0).then_some(
                "nobody could be told that it works again: none who was told of its failures is \
                          active and takes such notices",
            );
            (row, untold)
        }
        _ => {
            let least = if result == RunResult::Braked { 1 } else { MIN_FAILURES };
            let row = NOTIFY_FAILING.with(&preferences).one(tx, &[&run, &least, &MIN_FAILURES, &endpoint]).await?;
            let untold = match () {
                () if count(&row, "failures") < least => None,
                () if count(&row, "admins") == 0 && endpoint.is_none() => {
                    Some("nobody could be told of the failures in a row: there is no active HOSPITAL_ADMIN")
                }
                () if count(&row, "due") > 0 && count(&row, "notices") == 0 => nothing_stored(tx, &row).await?,
                () => None,
            };
            (row, untold)
        }
    };
    let (failures, notices) = (count(&row, "failures"), count(&row, "notices"));
    if notices > 0 {
        match result {
            RunResult::Succeeded => {
                info!(run_id = %run, notices, "those who were told of its failures are told that it works again")
            }
            _ => info!(run_id = %run, failures, notices, "the admins are told of the failures in a row"),
        }
    }
    let before = if result == RunResult::Succeeded { "failures before it" } else { "in a row" };
    Ok(untold.map(|reason| format!("{reason} ({failures} {before})")))
}

/// The reason for which no notice that was due was inserted, unless another run has inserted it at the same moment.
async fn nothing_stored(tx: &Transaction<'_>, row: &Row) -> Result<Option<&'static str>, Error> {
    let told = TOLD.one(tx, &[&row.get::<_, Option<String>>("first_run")]).await?;
    Ok((count(&told, "notices") == 0).then_some(
        "nobody could be told of the failures in a row: a rule or a trigger on notifications drops the rows",
    ))
}

fn count(row: &Row, column: &str) -> i64 {
    row.get(column)
}
