//! The claim: the run's row is the lock of its lane.
//!
//! Rule: a lane is held if and only if a row of it is RUNNING; it is lost if and only if that row's heartbeat is older
//! than the lease, or it is 30 s past its deadline. A claim that meets a lost row locks it FOR UPDATE, so it waits for a
//! transaction behind the fence, and none begins after it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::warn;
use uuid::Uuid;

use super::close::Closing;
use super::code::ALREADY_RUNNING;
use super::failure_notice::{self, Ending};
use super::fence::LOCK_RUN;
use super::limits::{STATUS_LOCK, limits};
use crate::db::{Db, statements};
use crate::error::{Error, ErrorKind};

statements! {
    INSERT_RUN(UUID, TEXT, TEXT, TEXT, TEXT, TIMESTAMPTZ, INT8, TEXT, TEXT, JSONB, TEXT, TEXT, INT8, INT8) =
        include_str!("insert_run.sql");
    HOLDER(TEXT, TEXT, INT8, UUID) = format!(include_str!("holder.sql"), lost = lost("r", "GREATEST($3, r.lease_ms)"));
    RECENTLY_DONE(TEXT, TEXT, INT8) = include_str!("recently_done.sql");
}

/// Why a run `r` that is RUNNING has lost its lane, or NULL; `lease` is its lease in milliseconds, in SQL.
pub fn lost(run: &str, lease: &str) -> String {
    format!(include_str!("lost.part.sql"), run = run, lease = lease)
}

/// What a run's row says from the beginning.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    pub id: Uuid,
    pub job: &'a str,
    pub lane: &'a str,
    pub source: &'a str,
    pub actor: Option<i64>,
    pub scheduled_for: Option<DateTime<Utc>>,
    pub timeout: Duration,
    pub lease: Duration,
    pub host: &'a str,
    pub metadata: &'a Value,
    /// Not to be taken where a run of the lane succeeded so short a time ago.
    pub unless_succeeded_within: Option<Duration>,
}

/// What became of a claim.
pub enum Claimed {
    /// The lane is ours; the instant is the database's.
    Held(DateTime<Utc>),
    /// Another live run holds it; a SKIPPED row says so.
    Busy(Uuid),
    /// A dead run holds it and cannot be moved away; a FAILED row says so.
    Blocked(Uuid),
    /// A run has done it already, or was stopped by its brake; a SKIPPED row says so.
    RecentlyDone(RecentlyDone),
}

/// A run of the lane that makes this one unnecessary.
#[derive(Clone, Copy)]
pub struct RecentlyDone {
    pub run: Uuid,
    succeeded: bool,
}

impl RecentlyDone {
    /// Code and message.
    pub fn why(self) -> (&'static str, String) {
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
    /// Takes the lane. Asking again with the same id after a lost reply finds the row that is there.
    pub async fn take(&self, db: &Db) -> Result<Claimed, Error> {
        let limits = limits(self.lease).with_lock(STATUS_LOCK);
        let mut client = db.client().await?;
        // Runs that end at this very moment make it look again; it does not look without end.
        for _ in 0..10 {
            let tx = limits.begin(&mut client).await?;
            let blocked = match self.try_take(&tx).await {
                Ok(None) => continue,
                Ok(Some(claimed)) => {
                    tx.commit().await?;
                    return Ok(claimed);
                }
                Err(Refused::Blocked(holder)) => holder,
                Err(Refused::Failed(error)) => return Err(error),
            };
            tx.rollback().await?;
            let tx = limits.begin(&mut client).await?;
            let why = ("TAKEOVER_BLOCKED", format!("run {blocked} is dead, but its row is locked"));
            if self.insert(&tx, "FAILED", Some(&why)).await?.is_some() {
                failure_notice::stage(&tx, self.id, Ending::Failed).await?;
            }
            tx.commit().await?;
            return Ok(Claimed::Blocked(blocked));
        }
        Err(Error::new("CLAIM_CONTENDED", ErrorKind::Other, "the lane changes hands faster than it can be taken"))
    }

    /// One look at the lane. Nothing comes back where its holder is gone by now.
    async fn try_take(&self, tx: &Transaction<'_>) -> Result<Option<Claimed>, Refused> {
        if let Some(claimed) = self.hold(tx).await? {
            return Ok(Some(claimed));
        }
        let Some(holder) = self.holder(tx).await? else { return Ok(None) };
        if holder.id == self.id {
            // An earlier attempt of ours, whose reply was lost.
            return match holder.status.as_str() {
                "RUNNING" => Ok(Some(Claimed::Held(holder.started_at))),
                "SKIPPED" => {
                    Ok(Some(self.recently_done(tx).await?.map_or(Claimed::Busy(self.id), Claimed::RecentlyDone)))
                }
                _ => Err(Error::new("CLAIM_LOST", ErrorKind::Other, "taken over before it began").into()),
            };
        }
        if holder.lost.is_none() {
            let why = (ALREADY_RUNNING, format!("run {} on {} is at work", holder.id, holder.host));
            self.insert(tx, "SKIPPED", Some(&why)).await?;
            return Ok(Some(Claimed::Busy(holder.id)));
        }
        match LOCK_RUN.opt(tx, &[&holder.id]).await {
            Err(error) if error.kind == ErrorKind::Locked => return Err(Refused::Blocked(holder.id)),
            row => row?,
        };
        // It may have come back to life while we waited for its row.
        match self.holder(tx).await? {
            Some(Holder { id, lost: Some(lost), .. }) if id == holder.id => Ok(self.take_over(tx, id, &lost).await?),
            _ => Ok(None),
        }
    }

    async fn take_over(&self, tx: &Transaction<'_>, id: Uuid, lost: &str) -> Result<Option<Claimed>, Error> {
        let why =
            if lost == "LEASE_EXPIRED" { "it gave no sign of life for a lease" } else { "it was past its deadline" };
        let message = format!("taken over by run {}: {why}", self.id);
        let closing = Closing {
            taken_over_by: Some(self.id),
            ..Closing::without_work(id, "FAILED", (lost, &message), Ending::Failed)
        };
        if closing.close(tx).await?.is_none() {
            return Ok(None);
        }
        warn!(taken_over = %id, error_code = lost, "a dead run held the lane; taking over");
        self.hold(tx).await
    }

    /// Takes the lane where it is free. With it in hand, so that no other run can succeed between the look and the claim,
    /// looks whether it was done lately.
    async fn hold(&self, tx: &Transaction<'_>) -> Result<Option<Claimed>, Error> {
        let Some(started) = self.insert(tx, "RUNNING", None).await? else { return Ok(None) };
        let Some(done) = self.recently_done(tx).await? else { return Ok(Some(Claimed::Held(started))) };
        let (code, why) = done.why();
        let closing = Closing::without_work(self.id, "SKIPPED", (code, &why), Ending::Neither);
        closing.close(tx).await?;
        Ok(Some(Claimed::RecentlyDone(done)))
    }

    /// The newest run of the lane that was lately enough for this one not to be needed.
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
        }))
    }

    async fn insert(
        &self,
        tx: &Transaction<'_>,
        status: &str,
        error: Option<&(&str, String)>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let (code, message) = error.map(|(code, message)| (*code, message.as_str())).unzip();
        let (deadline, lease) = (millis(self.timeout), millis(self.lease));
        let parameters: [&(dyn ToSql + Sync); 14] = [
            &self.id,
            &self.job,
            &self.lane,
            &status,
            &self.source,
            &self.scheduled_for,
            &deadline,
            &self.host,
            &env!("ROUNDS_VERSION"),
            self.metadata,
            &code,
            &message,
            &lease,
            &self.actor,
        ];
        let row = INSERT_RUN.opt(tx, &parameters).await?;
        Ok(row.map(|row| row.get(0)))
    }
}

/// Who holds the lane.
struct Holder {
    id: Uuid,
    status: String,
    host: String,
    started_at: DateTime<Utc>,
    /// Why it holds it no longer.
    lost: Option<String>,
}

/// Why a look at the lane came to nothing.
enum Refused {
    /// The holder is dead, and its row is locked.
    Blocked(Uuid),
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
