//! The run's row is the lock.
//!
//! Rule: a lane is held if and only if a row of it is RUNNING; it is lost if and only if that row's heartbeat is older
//! than the lease, or it is 30 s past its deadline. Every transaction that changes anything first takes the row FOR KEY
//! SHARE while it is RUNNING (the fence); every change of its status first takes it FOR UPDATE. So a takeover waits for
//! an effect in flight, and no effect begins after it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};
use tracing::{debug, warn};
use uuid::Uuid;

use super::Halt;
use super::streak::{self, Ended};
use crate::db::{Db, Limits};
use crate::redact::{Class, Failure};

/// How long a change of status waits for an effect in flight.
const STATUS_LOCK: Duration = Duration::from_secs(5);

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
    Settled(Settled),
}

/// What was decided for this slot already.
#[derive(Clone, Copy)]
pub struct Settled {
    pub run: Uuid,
    succeeded: bool,
}

impl Settled {
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

/// The limits that keep everything a run does shorter than its lease.
pub fn limits(lease: Duration) -> Limits {
    Limits {
        statement: (lease / 2).min(Duration::from_secs(30)),
        lock: (lease / 12).min(Duration::from_secs(2)),
        idle: (lease / 4).min(Duration::from_secs(15)),
    }
}

impl Claim<'_> {
    /// Takes the lane. Asking again with the same id after a lost reply finds the row that is there.
    pub async fn take(&self, db: &Db) -> Result<Claimed, Failure> {
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
                Err(Refused::Failed(failure)) => return Err(failure),
            };
            tx.rollback().await?;
            let tx = limits.begin(&mut client).await?;
            let why = ("TAKEOVER_BLOCKED", format!("run {blocked} is dead, but its row is locked"));
            if self.insert(&tx, "FAILED", Some(&why)).await?.is_some() {
                streak::tell(&tx, self.id, Ended::Failed).await?;
            }
            tx.commit().await?;
            return Ok(Claimed::Blocked(blocked));
        }
        Err(Failure::new("CLAIM_CONTENDED", Class::Other, "the lane changes hands faster than it can be taken"))
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
                "SKIPPED" => Ok(Some(self.settled(tx).await?.map_or(Claimed::Busy(self.id), Claimed::Settled))),
                _ => Err(Failure::new("CLAIM_LOST", Class::Other, "taken over before it began").into()),
            };
        }
        if holder.lost.is_none() {
            let why = ("ALREADY_RUNNING", format!("run {} on {} is at work", holder.id, holder.host));
            self.insert(tx, "SKIPPED", Some(&why)).await?;
            return Ok(Some(Claimed::Busy(holder.id)));
        }
        match tx.query_typed_opt(include_str!("settled.sql"), &[(&holder.id, Type::UUID)]).await.map_err(Failure::from)
        {
            Err(failure) if failure.class == Class::Locked => return Err(Refused::Blocked(holder.id)),
            row => row?,
        };
        // It may have come back to life while we waited for its row.
        match self.holder(tx).await? {
            Some(Holder { id, lost: Some(lost), .. }) if id == holder.id => Ok(self.take_over(tx, id, &lost).await?),
            _ => Ok(None),
        }
    }

    async fn take_over(&self, tx: &Transaction<'_>, id: Uuid, lost: &str) -> Result<Option<Claimed>, Failure> {
        let why =
            if lost == "LEASE_EXPIRED" { "it gave no sign of life for a lease" } else { "it was past its deadline" };
        let message = format!("taken over by run {}: {why}", self.id);
        let error = Some((lost, message.as_str()));
        let report = &Value::Object(Default::default());
        let closing = Closing { id, status: "FAILED", error, processed: 0, failed: 0, report, news: false };
        if closing.close(tx).await?.is_none() {
            return Ok(None);
        }
        warn!(taken_over = %id, error_code = lost, "a dead run held the lane; taking over");
        self.hold(tx).await
    }

    /// Takes the lane where it is free. With it in hand, so that no other run can succeed between the look and the claim,
    /// looks whether it was done lately.
    async fn hold(&self, tx: &Transaction<'_>) -> Result<Option<Claimed>, Failure> {
        let Some(started) = self.insert(tx, "RUNNING", None).await? else { return Ok(None) };
        let Some(settled) = self.settled(tx).await? else { return Ok(Some(Claimed::Held(started))) };
        let (code, why) = settled.why();
        let error = Some((code, why.as_str()));
        let report = &Value::Object(Default::default());
        let closing = Closing { id: self.id, status: "SKIPPED", error, processed: 0, failed: 0, report, news: false };
        closing.close(tx).await?;
        Ok(Some(Claimed::Settled(settled)))
    }

    /// The newest run of the lane that was lately enough for this one not to be needed.
    pub async fn settled(&self, tx: &Transaction<'_>) -> Result<Option<Settled>, Failure> {
        let Some(within) = self.unless_succeeded_within else { return Ok(None) };
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&self.job, Type::TEXT), (&self.lane, Type::TEXT), (&millis(within), Type::INT8)];
        let row = tx.query_typed_opt(include_str!("succeeded.sql"), &parameters).await?;
        Ok(row.map(|row| Settled { run: row.get("id"), succeeded: row.get("succeeded") }))
    }

    async fn holder(&self, tx: &Transaction<'_>) -> Result<Option<Holder>, Failure> {
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&self.job, Type::TEXT),
            (&self.lane, Type::TEXT),
            (&millis(self.lease), Type::INT8),
            (&self.id, Type::UUID),
        ];
        let row = tx.query_typed_opt(include_str!("holder.sql"), &parameters).await?;
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
    ) -> Result<Option<DateTime<Utc>>, Failure> {
        let (code, message) = error.map(|(code, message)| (*code, message.as_str())).unzip();
        let row = tx
            .query_typed_opt(
                include_str!("run_row.sql"),
                &[
                    (&self.id, Type::UUID),
                    (&self.job, Type::TEXT),
                    (&self.lane, Type::TEXT),
                    (&status, Type::TEXT),
                    (&self.source, Type::TEXT),
                    (&self.scheduled_for, Type::TIMESTAMPTZ),
                    (&millis(self.timeout), Type::INT8),
                    (&self.host, Type::TEXT),
                    (&env!("ROUNDS_VERSION"), Type::TEXT),
                    (self.metadata, Type::JSONB),
                    (&code, Type::TEXT),
                    (&message, Type::TEXT),
                    (&millis(self.lease), Type::INT8),
                    (&self.actor, Type::INT8),
                ],
            )
            .await?;
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
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The fence; returns the transaction's id, or nothing where the run has been taken over.
pub async fn fence(tx: &Transaction<'_>, run: Uuid) -> Result<Option<String>, Failure> {
    let row = tx.query_typed_opt(include_str!("fence.sql"), &[(&run, Type::UUID)]).await.map_err(|error| {
        // The run's own row is held: no matter of the rows that it works on.
        let failure = Failure::from(error).context("the run's row");
        let class = if failure.class == Class::Locked { Class::Other } else { failure.class };
        Failure { class, ..failure }
    })?;
    Ok(row.map(|row| row.get(0)))
}

/// After a COMMIT whose reply was lost: did it commit? Waits on a new connection until the old transaction has ended,
/// then asks the server's log of transactions. A guess is never made.
pub async fn settled(db: &Db, limits: Limits, run: Uuid, xid: &str) -> Result<bool, Failure> {
    let mut client = db.client().await?;
    let tx = limits.with_lock(STATUS_LOCK).begin(&mut client).await?;
    tx.query_typed_opt(include_str!("settled.sql"), &[(&run, Type::UUID)]).await?;
    let committed = committed(&tx, xid).await?;
    tx.rollback().await?;
    committed.ok_or_else(unknown)
}

/// Whether a transaction committed; nothing while it is at work.
pub async fn committed(tx: &Transaction<'_>, xid: &str) -> Result<Option<bool>, Failure> {
    let row = tx.query_typed_one("SELECT pg_xact_status($1::xid8)", &[(&xid, Type::TEXT)]).await?;
    match row.get::<_, Option<&str>>(0) {
        Some("committed") => Ok(Some(true)),
        Some("aborted") => Ok(Some(false)),
        Some("in progress") => Ok(None),
        _ => Err(unknown()),
    }
}

fn unknown() -> Failure {
    Failure::new("COMMIT_UNKNOWN", Class::Other, "the server does not know how a transaction ended")
}

/// The end of a run, for its row.
pub struct Closing<'a> {
    pub id: Uuid,
    pub status: &'a str,
    /// Code and redacted message.
    pub error: Option<(&'a str, &'a str)>,
    pub processed: u64,
    pub failed: u64,
    /// Merged into the row's metadata.
    pub report: &'a Value,
    /// Whether a failure is told at once, and not only when there are several in a row.
    pub news: bool,
}

impl Closing<'_> {
    /// Changes the status, and stages what is to be told of it; returns how long the run took, or nothing where it has
    /// been taken over.
    pub async fn close(&self, tx: &Transaction<'_>) -> Result<Option<u64>, Failure> {
        let (code, message) = self.error.unzip();
        let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
            (&self.id, Type::UUID),
            (&self.status, Type::TEXT),
            (&code, Type::TEXT),
            (&message, Type::TEXT),
            (&(self.processed as i64), Type::INT8),
            (&(self.failed as i64), Type::INT8),
            (self.report, Type::JSONB),
        ];
        let Some(row) = tx.query_typed_opt(include_str!("close.sql"), &parameters).await? else { return Ok(None) };
        match (self.status, code) {
            ("FAILED", _) if self.news => streak::tell(tx, self.id, Ended::Braked).await?,
            ("FAILED", code) if code != Some("INTERRUPTED") => streak::tell(tx, self.id, Ended::Failed).await?,
            ("COMPLETED", _) if row.get("after_failure") => streak::tell(tx, self.id, Ended::Recovered).await?,
            _ => {}
        }
        Ok(Some(row.get::<_, i64>("duration_ms").unsigned_abs()))
    }

    /// The same in a transaction of its own. Asked again after a lost reply, it finds what it has written.
    pub async fn commit(&self, db: &Db, limits: Limits) -> Result<Option<u64>, Failure> {
        let mut client = db.client().await?;
        let tx = limits.with_lock(STATUS_LOCK).begin(&mut client).await?;
        if let Some(duration) = self.close(&tx).await? {
            tx.commit().await?;
            return Ok(Some(duration));
        }
        let row = tx
            .query_typed_opt(
                "SELECT duration_ms FROM cron_job_runs WHERE id = $1 AND status = $2 AND error_code IS NOT DISTINCT FROM $3
                 AND NOT starts_with(coalesce(error_message, ''), 'taken over')",
                &[
                    (&self.id, Type::UUID),
                    (&self.status, Type::TEXT),
                    (&self.error.map(|(code, _)| code), Type::TEXT),
                ],
            )
            .await?;
        Ok(row.map(|row| row.get::<_, i64>(0).unsigned_abs()))
    }
}

/// Beats every sixth of the lease, on a connection of its own that is opened at the first beat, until dropped. Sets
/// `stop` when the run has been taken over, or when no beat has come through for two thirds of the lease.
pub async fn heartbeat(db: Db, run: Uuid, lease: Duration, stop: watch::Sender<Option<Halt>>) {
    let beat = lease / 6;
    let mut last = Instant::now();
    let mut ticks = tokio::time::interval_at(last + beat, beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    loop {
        ticks.tick().await;
        match tokio::time::timeout(beat, beat_once(&db, &mut connection, run)).await {
            Ok(Ok(true)) => {
                last = Instant::now();
                debug!(run_id = %run, "heartbeat");
                continue;
            }
            Ok(Ok(false)) => {
                stop.send_replace(Some(Halt::Fenced));
                return;
            }
            Ok(Err(failure)) => warn!(error_code = %failure.code, "heartbeat: {}", failure.message),
            Err(_) => warn!(error_code = "CONNECTION", "heartbeat: no answer in time"),
        }
        // A connection that failed, or still owes an answer, is not used again.
        connection = None;
        if last.elapsed() > lease * 2 / 3 {
            stop.send_if_modified(|halt| {
                let first = halt.is_none();
                halt.get_or_insert(Halt::HeartbeatLost);
                first
            });
        }
    }
}

async fn beat_once(
    db: &Db,
    connection: &mut Option<deadpool_postgres::ClientWrapper>,
    run: Uuid,
) -> Result<bool, Failure> {
    let client = match connection {
        Some(client) => client,
        // Taken out of the pool: dropping it closes it.
        None => connection.insert(deadpool_postgres::Object::take(db.client().await?)),
    };
    let rows = client.execute_typed(include_str!("heartbeat.sql"), &[(&run, Type::UUID)]).await?;
    Ok(rows == 1)
}
