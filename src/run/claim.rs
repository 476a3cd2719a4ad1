//! The claim: the run's row is the lock of its lane.
//!
//! Rule: a lane is held if and only if a row of it is RUNNING; it is lost if and only if that row's heartbeat is a lease
//! old, or lies a lease in the future, or the row is 30 s past its deadline. A claim that meets a lost row locks it FOR
//! UPDATE, so it waits for a fenced transaction that is in progress, and no other can begin.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::warn;
use uuid::Uuid;

use super::clock::has_passed;
use super::close::Closing;
use super::code::ALREADY_RUNNING;
use super::failure_notice::{self, RunResult};
use super::fence::LOCK_RUN;
use super::limits::{STATUS_LOCK, limits};
use super::pause::{PAUSED, RESTORED, paused};
use crate::db::identity::Identity;
use crate::db::{Db, Key, Row, statements};
use crate::error::{Error, ErrorKind};
use crate::machine;

statements! {
    INSERT_RUN(UUID, TEXT, TEXT, TEXT, TEXT, TIMESTAMPTZ, INT8, TEXT, TEXT, JSONB, TEXT, TEXT, INT8, TEXT, BOOL,
               TEXT) =
        format!(include_str!("insert_run.sql"), paused = paused("$2", "$3"));
    HOLDER(TEXT, TEXT, INT8, UUID) =
        format!(include_str!("holder.sql"), loss_reason = loss_reason("r", "GREATEST($3, r.lease_ms)"));
    RECENTLY_DONE(TEXT, TEXT, INT8) =
        format!(include_str!("recently_done.sql"), has_passed = has_passed("completed_at"));
}

/// The reason, in SQL, for which a RUNNING run has lost its lane, or NULL. `run` is the alias of its row, `lease` an
/// expression for its lease in milliseconds.
pub fn loss_reason(run: &str, lease: &str) -> String {
    format!(include_str!("loss_reason.part.sql"), run = run, lease = lease)
}

/// The values of a run's row when it is inserted.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    pub id: Uuid,
    pub job: &'a str,
    pub lane: &'a str,
    pub source: &'a str,
    pub actor: Option<&'a Key>,
    pub scheduled_for: Option<DateTime<Utc>>,
    pub timeout: Duration,
    pub lease: Duration,
    pub metadata: &'a Value,
    /// The lane is not taken if a run of it succeeded at most this long ago.
    pub unless_succeeded_within: Option<Duration>,
    /// The endpoint that is told of failures beside the admins.
    pub failure_webhook: Option<&'a str>,
    /// The lane is not taken while it is paused.
    pub heeds_pauses: bool,
    /// The identity of the database, where none is recorded.
    pub identity: Option<&'a Identity>,
}

/// The outcome of a claim.
pub enum Claimed {
    /// This run holds the lane.
    Held(Held),
    /// Another live run holds the lane; a SKIPPED row records it.
    Busy(Uuid),
    /// A dead run holds the lane, and its row is locked, so it cannot be taken over; a FAILED row records it.
    Blocked(Uuid),
    /// A recent run succeeded or was stopped by its brake; a SKIPPED row records it.
    RecentlyDone(RecentlyDone),
    /// A person has to say the word first; a SKIPPED row with this code and message records it.
    Stopped(&'static str, String),
}

/// A lane that is held.
#[derive(Clone, Copy)]
pub struct Held {
    /// The database's instant.
    pub now: DateTime<Utc>,
    /// Whether items of the lane were refused, or may have been.
    pub has_refusals: bool,
}

/// A run of the lane that makes this one unnecessary.
#[derive(Clone, Copy)]
pub struct RecentlyDone {
    pub run: Uuid,
    succeeded: bool,
}

impl RecentlyDone {
    pub fn code_and_message(self) -> (&'static str, String) {
        let run = self.run;
        match self.succeeded {
            true => ("SUCCEEDED_LATELY", format!("run {run} succeeded lately enough")),
            false => {
                ("BRAKED_LATELY", format!("run {run} was stopped by its brake lately; that waits for a person's word"))
            }
        }
    }
}

impl Claim<'_> {
    /// Takes the lane. A second call with this id, after a lost reply, finds the row of the first.
    pub async fn take(&self, db: &Db) -> Result<Claimed, Error> {
        let limits = limits(self.lease).with_lock(STATUS_LOCK);
        let mut client = db.client().await?;
        // A holder that ends at this moment makes another attempt necessary; the number of attempts is limited.
        for _ in 0..10 {
            let tx = limits.begin(&mut client).await?;
            if let Some(identity) = self.identity {
                identity.record(&tx).await?;
            }
            let blocked = match self.try_take(&tx).await {
                Ok(None) => continue,
                Ok(Some(claimed)) => {
                    tx.commit().await?;
                    return Ok(claimed);
                }
                Err(ClaimError::HolderLocked(holder)) => holder,
                Err(ClaimError::Failed(error)) => return Err(error),
            };
            tx.rollback().await?;
            let tx = limits.begin(&mut client).await?;
            let error = ("TAKEOVER_BLOCKED", format!("run {blocked} is dead, but its row is locked"));
            if self.insert(&tx, "FAILED", Some(&error)).await?.is_some() {
                failure_notice::stage(&tx, self.id, RunResult::Failed, self.failure_webhook).await?;
            }
            tx.commit().await?;
            return Ok(Claimed::Blocked(blocked));
        }
        Err(Error::new(
            "CLAIM_CONTENDED",
            ErrorKind::Other,
            "the lane changes hands faster than it can be taken, or a rule or a trigger drops rows of cron_job_runs",
        ))
    }

    /// One attempt to take the lane. Returns None if its holder has ended meanwhile.
    async fn try_take(&self, tx: &Transaction<'_>) -> Result<Option<Claimed>, ClaimError> {
        if let Some(claimed) = self.take_if_free(tx).await? {
            return Ok(Some(claimed));
        }
        let Some(holder) = self.holder(tx).await? else { return Ok(None) };
        if holder.id == self.id {
            // This run's row of an earlier attempt, whose reply was lost.
            let stopped = [PAUSED, RESTORED].into_iter().find(|code| holder.error_code.as_deref() == Some(code));
            if let Some(code) = stopped {
                return Ok(Some(Claimed::Stopped(code, holder.error_message.unwrap_or_default())));
            }
            return match holder.status.as_str() {
                "RUNNING" => Ok(Some(Claimed::Held(Held { now: holder.started_at, has_refusals: true }))),
                "SKIPPED" => {
                    Ok(Some(self.recently_done(tx).await?.map_or(Claimed::Busy(self.id), Claimed::RecentlyDone)))
                }
                _ => Err(Error::new("CLAIM_LOST", ErrorKind::Other, "taken over before it began").into()),
            };
        }
        if holder.lost.is_none() {
            let error = (ALREADY_RUNNING, format!("run {} on {} is at work", holder.id, holder.host));
            self.insert(tx, "SKIPPED", Some(&error)).await?;
            return Ok(Some(Claimed::Busy(holder.id)));
        }
        match LOCK_RUN.opt(tx, &[&holder.id]).await {
            Err(error) if error.kind == ErrorKind::Locked => return Err(ClaimError::HolderLocked(holder.id)),
            row => row?,
        };
        // The holder may have sent a heartbeat while this run waited for its row.
        match self.holder(tx).await? {
            Some(Holder { id, lost: Some(lost), .. }) if id == holder.id => Ok(self.take_over(tx, id, &lost).await?),
            _ => Ok(None),
        }
    }

    async fn take_over(&self, tx: &Transaction<'_>, id: Uuid, lost: &str) -> Result<Option<Claimed>, Error> {
        let reason = match lost {
            "LEASE_EXPIRED" => "it gave no sign of life for a lease",
            "CLOCK" => "its heartbeat lies in the future, so the database's clock was put back since",
            _ => "it was past its deadline",
        };
        let message = format!("taken over by run {}: {reason}", self.id);
        let closing = Closing {
            taken_over_by: Some(self.id),
            failure_webhook: self.failure_webhook,
            ..Closing::without_work(id, "FAILED", (lost, &message), RunResult::Failed)
        };
        if closing.close(tx).await?.is_none() {
            return Ok(None);
        }
        warn!(taken_over = %id, error_code = lost, "a dead run held the lane; taking over");
        self.take_if_free(tx).await
    }

    /// Takes the lane if it is free, and then checks whether a recent run makes this one unnecessary. The check follows
    /// the claim, so that no other run can succeed between the two.
    async fn take_if_free(&self, tx: &Transaction<'_>) -> Result<Option<Claimed>, Error> {
        let Some(row) = self.insert(tx, "RUNNING", None).await? else { return Ok(None) };
        if let Some(message) = row.get("paused") {
            return Ok(Some(Claimed::Stopped(PAUSED, message)));
        }
        let held = Held { now: row.get("started_at"), has_refusals: row.get("has_refusals") };
        let Some(done) = self.recently_done(tx).await? else { return Ok(Some(Claimed::Held(held))) };
        let (code, message) = done.code_and_message();
        let closing = Closing::without_work(self.id, "SKIPPED", (code, &message), RunResult::NotCounted);
        closing.close(tx).await?;
        Ok(Some(Claimed::RecentlyDone(done)))
    }

    /// The newest run of the lane that is recent enough to make this one unnecessary.
    pub async fn recently_done(&self, tx: &Transaction<'_>) -> Result<Option<RecentlyDone>, Error> {
        let Some(within) = self.unless_succeeded_within else { return Ok(None) };
        let row = RECENTLY_DONE.opt(tx, &[&self.job, &self.lane, &millis(within)]).await?;
        Ok(row.map(|row| RecentlyDone { run: row.get("id"), succeeded: row.get("succeeded") }))
    }

    async fn holder(&self, tx: &Transaction<'_>) -> Result<Option<Holder>, Error> {
        let row = HOLDER.opt(tx, &[&self.job, &self.lane, &millis(self.lease), &self.id]).await?;
        Ok(row.map(|row| Holder {
            id: row.get("id"),
            status: row.get("status"),
            host: row.get("host"),
            started_at: row.get("started_at"),
            lost: row.get("lost"),
            error_code: row.get("error_code"),
            error_message: row.get("error_message"),
        }))
    }

    /// Records that the run was skipped, because the database is a restored backup.
    pub async fn skip_restored(&self, db: &Db, message: String) -> Result<Claimed, Error> {
        let mut client = db.client().await?;
        let tx = limits(self.lease).begin(&mut client).await?;
        let error = (RESTORED, message);
        self.insert(&tx, "SKIPPED", Some(&error)).await?;
        tx.commit().await?;
        Ok(Claimed::Stopped(RESTORED, error.1))
    }

    async fn insert(
        &self,
        tx: &Transaction<'_>,
        status: &str,
        error: Option<&(&str, String)>,
    ) -> Result<Option<Row>, Error> {
        let (code, message) = error.map(|(code, message)| (*code, message.as_str())).unzip();
        let (deadline, lease) = (millis(self.timeout), millis(self.lease));
        let parameters: [&(dyn ToSql + Sync); 16] = [
            &self.id,
            &self.job,
            &self.lane,
            &status,
            &self.source,
            &self.scheduled_for,
            &deadline,
            &machine::host(),
            &env!("ROUNDS_VERSION"),
            self.metadata,
            &code,
            &message,
            &lease,
            &self.actor,
            &self.heeds_pauses,
            &machine::os_user(),
        ];
        INSERT_RUN.opt(tx, &parameters).await
    }
}

/// The run that holds the lane.
struct Holder {
    id: Uuid,
    status: String,
    host: String,
    started_at: DateTime<Utc>,
    /// The reason for which it has lost the lane.
    lost: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
}

/// The reason for which an attempt to take the lane failed.
enum ClaimError {
    /// The holder is dead, and its row is locked.
    HolderLocked(Uuid),
    Failed(Error),
}

impl From<Error> for ClaimError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
