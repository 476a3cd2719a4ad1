//! The rate limit of the account, which all processes share.
//!
//! Rule: a request is sent if and only if it was counted before, in a transaction that holds the account's one row. It
//! is counted if and only if fewer than the limit were counted in the last 62 s, and in the last 24 h and a minute; the
//! account has not asked for a pause; and a run that no person started leaves the share that is reserved for people, and
//! for events takes a share of the day at most.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::end::{End, StopReason};
use super::lane::Lane;
use super::progress::Progress;
use crate::arg::whole;
use crate::clients::RetryAfter;
use crate::db::statements;
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions, has_passed};

statements! {
    LOCK_ACCOUNT() = "SELECT FROM api_budgets WHERE account = 'practiceq' FOR UPDATE";
    PERMIT(INT8, INT8, INT8, INT8, BOOL, TEXT, UUID, INT8) = format!(
        include_str!("permit.sql"),
        request_has_passed = has_passed("r.requested_at"),
        pause_has_begun = pause_has_begun()
    );
    BLOCK(FLOAT8) = format!(
        "UPDATE api_budgets
         SET blocked_until = greatest(CASE WHEN {} THEN blocked_until END,
                                      clock_timestamp() + make_interval(secs => $1))
         WHERE account = 'practiceq'",
        pause_has_begun()
    );
}

/// Whether the account asked for the pause before now, in SQL: a pause is at most a day ([`PAUSE_MAX`]).
fn pause_has_begun() -> String {
    has_passed("blocked_until - interval '1 day'")
}

/// The lock wait for the account's row: a transaction holds it for a moment only.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// A permit is used at most this long after it was asked for: less than the 2 s that a window has beyond its minute.
const PERMIT_AGE_MAX: Duration = Duration::from_millis(1500);
/// How many permits may come too late before the run stops.
const LATE_PERMITS_MAX: u32 = 3;
/// How often a run that waits looks whether it has to stop.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// The time that a run keeps for its own end; at most a tenth of all its time.
const RESERVE: Duration = Duration::from_secs(15);
/// The pause where the account answers 429 and names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(60);
/// Events take at most this part of a day's requests: an incremental run reads what changed anyway.
const EVENTS_PART: i64 = 5;
/// The longest pause that is believed.
const PAUSE_MAX: Duration = Duration::from_secs(86_400);

#[derive(Args, Clone, Debug, Serialize)]
pub struct RateLimits {
    /// How many requests a minute the account allows
    #[arg(long, env = "ROUNDS_PRACTICEQ_PER_MINUTE", value_name = "N", default_value_t = 10, value_parser = whole::<u32>(1..=1_000_000))]
    pub requests_per_minute: u32,
    /// How many requests a day the account allows
    #[arg(long, env = "ROUNDS_PRACTICEQ_PER_DAY", value_name = "N", default_value_t = 500, value_parser = whole::<u32>(1..=100_000_000))]
    pub requests_per_day: u32,
    /// How much of both is kept for people who refresh by hand
    #[arg(long, env = "ROUNDS_PRACTICEQ_MANUAL_SHARE", value_name = "PERCENT", default_value_t = 20, value_parser = whole::<u32>(0..=90))]
    pub manual_share: u32,
}

impl RateLimits {
    /// The limit without the share that is reserved for people; at least one.
    fn scheduled(&self, limit: u32) -> i64 {
        (i64::from(limit) * i64::from(100 - self.manual_share) / 100).max(1)
    }

    /// How many requests of a day may be because of events.
    fn events(&self) -> i64 {
        (i64::from(self.requests_per_day) / EVENTS_PART).max(1)
    }
}

/// For whom a run asks, and which requests it may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A scheduler started it.
    Scheduled,
    /// A person waits: the reserved share may be used.
    ByHand,
    /// Events: of those of a scheduler only a part of the day's.
    Events,
}

impl Purpose {
    pub fn of(lane: &Lane) -> Self {
        match lane {
            Lane::Full | Lane::Incremental => Self::Scheduled,
            Lane::Patient(_) | Lane::Organization(_) | Lane::Appointment(_) => Self::ByHand,
            Lane::Inbox => Self::Events,
        }
    }
}

pub struct RateLimiter<'a> {
    run: &'a Run,
    limits: &'a RateLimits,
    purpose: Purpose,
    started: Instant,
    /// How many requests this run has counted.
    pub requests: u64,
}

/// The database's answer to a request for a permit.
enum Permit {
    /// The request is counted, at this instant.
    Granted(DateTime<Utc>),
    /// `is_paused`: by the account's own word, and not by its limits.
    After { wait: Duration, is_paused: bool },
}

impl<'a> RateLimiter<'a> {
    pub fn new(run: &'a Run, limits: &'a RateLimits, purpose: Purpose) -> Self {
        Self { run, limits, purpose, started: Instant::now(), requests: 0 }
    }

    /// The time that the run has left for requests.
    pub fn time_left(&self) -> Duration {
        let limit = self.run.time_limit;
        limit.saturating_sub(RESERVE.min(limit / 10)).saturating_sub(self.started.elapsed())
    }

    /// Waits until a request may be sent, and counts it. Returns when it was counted.
    pub async fn acquire(&mut self, purpose: &str, progress: &Progress) -> Result<DateTime<Utc>, End> {
        let mut late = 0;
        loop {
            let asked = Instant::now();
            match self.try_acquire(purpose).await? {
                Permit::Granted(at) => {
                    self.requests += 1;
                    if asked.elapsed() < PERMIT_AGE_MAX {
                        return Ok(at);
                    }
                    // Sent so long after it was counted, it could be one too many of its minute: it is counted again.
                    late += 1;
                    if late == LATE_PERMITS_MAX {
                        let message = "the database takes too long to count a request";
                        return Err(End::stop(StopReason::NoRequestLeft, message));
                    }
                }
                Permit::After { wait, is_paused } if wait > self.time_left() => {
                    let (reason, why) = match is_paused {
                        true => (StopReason::RateLimited, "the account asks to be left alone for longer"),
                        false => (StopReason::NoRequestLeft, "the account's limit of requests leaves none for longer"),
                    };
                    let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
                    return Err(End::stop(reason, format!("{why} ({wait}) than the run has")));
                }
                Permit::After { wait, .. } => self.wait(wait, progress).await?,
            }
        }
    }

    async fn wait(&self, wait: Duration, progress: &Progress) -> Result<(), Halt> {
        let until = Instant::now() + wait;
        loop {
            self.run.checkpoint()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            progress.waiting(left);
            tokio::time::sleep(left.min(CHECK_EVERY)).await;
        }
    }

    async fn try_acquire(&self, purpose: &str) -> Result<Permit, Halt> {
        let RateLimits { requests_per_minute, requests_per_day, .. } = *self.limits;
        let [minute, day] = [requests_per_minute, requests_per_day].map(i64::from);
        let [scheduled_minute, scheduled_day] =
            [requests_per_minute, requests_per_day].map(|limit| self.limits.scheduled(limit));
        let by_hand = self.purpose == Purpose::ByHand;
        let events_day = (self.purpose == Purpose::Events).then(|| self.limits.events());
        let count = async |tx: &Transaction<'_>| {
            LOCK_ACCOUNT.execute(tx, &[]).await?;
            let limits: [&(dyn ToSql + Sync); 4] = [&minute, &day, &scheduled_minute, &scheduled_day];
            let request: [&(dyn ToSql + Sync); 4] = [&by_hand, &purpose, &self.run.id, &events_day];
            let row = PERMIT.one(tx, &[limits, request].concat()).await?;
            let wait = Duration::from_millis(row.get::<_, i64>("wait_ms").max(1).unsigned_abs());
            let counted_at: Option<DateTime<Utc>> = row.get("counted_at");
            Ok(counted_at.map_or(Permit::After { wait, is_paused: row.get("is_paused") }, Permit::Granted))
        };
        self.commit("counting a request in api_requests", count).await
    }

    /// Also a dry run sends its requests: so its count of them is committed.
    async fn commit<T>(&self, what: &str, body: impl AsyncFn(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Halt> {
        if self.run.dry_run() {
            return self.run.write_unfenced_once(what, body).await;
        }
        let options = WriteOptions { lock_wait: Some(LOCK_WAIT), ..WriteOptions::default() };
        self.run.write(what, options, body).await
    }

    /// Notes for all processes that the account asked for a pause, in its answer to the request of that instant.
    pub async fn pause(&self, pause: Option<RetryAfter>, asked_at: DateTime<Utc>) -> Result<(), Halt> {
        let pause = match pause {
            Some(RetryAfter::For(pause)) => pause,
            Some(RetryAfter::Until(until)) => (until - asked_at).to_std().unwrap_or_default(),
            None => DEFAULT_PAUSE,
        };
        let seconds = pause.min(PAUSE_MAX).as_secs_f64();
        let block = async |tx: &Transaction<'_>| BLOCK.execute(tx, &[&seconds]).await;
        self.commit("noting that the account asks to be left alone", block).await.map(drop)
    }
}
