//! What the account allows, for all processes together.
//!
//! Rule: a request is sent if and only if it was counted before, in a transaction that holds the account's one row: fewer than
//! the limit in the last 62 s, and in the last 24 h and a minute, the account has not asked to be left alone, and, of a run that
//! a scheduler started, without touching the share that is kept for people.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;

use super::End;
use super::show::Show;
use crate::clients::RetryAfter;
use crate::db::statements;
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions};

statements! {
    LOCK_ACCOUNT() = "SELECT FROM api_budgets WHERE account = 'practiceq' FOR UPDATE";
    PERMIT(INT8, INT8, INT8, INT8, BOOL, TEXT, UUID) = include_str!("rate_limit.sql");
    BLOCK(FLOAT8) = "UPDATE api_budgets
        SET blocked_until = greatest(blocked_until, clock_timestamp() + make_interval(secs => $1))
        WHERE account = 'practiceq'";
}

/// How long the account's row is waited for: it is held for a moment only.
const PATIENCE: Duration = Duration::from_secs(10);
/// Less than what a window has beyond its minute.
const MARGIN: Duration = Duration::from_millis(1500);
const LATE_MAX: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What a run keeps to end itself, or a tenth of its time.
const RESERVE: Duration = Duration::from_secs(15);
/// Where the account asks to be left alone and does not say for how long.
const LATER: Duration = Duration::from_secs(60);
/// And where it says so of an absurd time.
const A_DAY: Duration = Duration::from_secs(86_400);

#[derive(Args, Clone, Debug, Serialize)]
pub struct Limits {
    /// How many requests a minute the account allows
    #[arg(long, env = "ROUNDS_PRACTICEQ_PER_MINUTE", value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub requests_per_minute: u32,
    /// How many requests a day the account allows
    #[arg(long, env = "ROUNDS_PRACTICEQ_PER_DAY", value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub requests_per_day: u32,
    /// How much of both is kept for people who refresh by hand
    #[arg(long, env = "ROUNDS_PRACTICEQ_MANUAL_SHARE", value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=90))]
    pub manual_share: u32,
}

impl Limits {
    /// Without the share that is kept for people; at least one.
    fn scheduled(&self, limit: u32) -> i64 {
        (i64::from(limit) * i64::from(100 - self.manual_share) / 100).max(1)
    }
}

pub struct Budget<'a> {
    run: &'a Run,
    limits: &'a Limits,
    manual: bool,
    began: Instant,
    /// How many requests were counted.
    pub used: u64,
}

/// What the database says of a request.
enum Grant {
    /// It is counted, at this instant.
    Asked(DateTime<Utc>),
    Wait {
        wait: Duration,
        blocked: bool,
    },
}

impl<'a> Budget<'a> {
    pub fn new(run: &'a Run, limits: &'a Limits, manual: bool) -> Self {
        Self { run, limits, manual, began: Instant::now(), used: 0 }
    }

    /// What is left of the run's time.
    pub fn left(&self) -> Duration {
        let limit = self.run.time_limit;
        limit.saturating_sub(RESERVE.min(limit / 10)).saturating_sub(self.began.elapsed())
    }

    /// Waits until a request may be sent, and counts it.
    pub async fn take(&mut self, purpose: &str, show: &Show) -> Result<DateTime<Utc>, End> {
        let mut late = 0;
        loop {
            let began = Instant::now();
            match self.grant(purpose).await? {
                Grant::Asked(at) => {
                    self.used += 1;
                    if began.elapsed() < MARGIN {
                        return Ok(at);
                    }
                    // Sent so long after it was counted, it could be one too many of its minute: it is counted again.
                    late += 1;
                    if late == LATE_MAX {
                        return Err(End::stop("BUDGET", "the database takes too long to count a request"));
                    }
                }
                Grant::Wait { wait, blocked } if wait > self.left() => {
                    let (code, why) = match blocked {
                        true => ("RATE_LIMITED", "the account asks to be left alone for longer"),
                        false => ("BUDGET", "the account's limit of requests leaves none for longer"),
                    };
                    let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
                    return Err(End::stop(code, format!("{why} ({wait}) than the run has")));
                }
                Grant::Wait { wait, .. } => self.wait(wait, show).await?,
            }
        }
    }

    async fn wait(&self, wait: Duration, show: &Show) -> Result<(), End> {
        let until = Instant::now() + wait;
        loop {
            self.run.checkpoint()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            show.waits(left);
            tokio::time::sleep(left.min(LOOK_EVERY)).await;
        }
    }

    async fn grant(&self, purpose: &str) -> Result<Grant, End> {
        let Limits { requests_per_minute, requests_per_day, .. } = *self.limits;
        let scheduled = [requests_per_minute, requests_per_day].map(|limit| self.limits.scheduled(limit));
        let count = async |tx: &Transaction<'_>| {
            LOCK_ACCOUNT.execute(tx, &[]).await?;
            let [a_minute, a_day] = [requests_per_minute, requests_per_day].map(i64::from);
            let [scheduled_minute, scheduled_day] = &scheduled;
            let row = PERMIT
                .one(tx, &[&a_minute, &a_day, scheduled_minute, scheduled_day, &self.manual, &purpose, &self.run.id])
                .await?;
            let wait = Duration::from_millis(row.get::<_, i64>("wait_ms").max(1).unsigned_abs());
            let asked: Option<DateTime<Utc>> = row.get("asked_at");
            Ok::<_, Error>(asked.map_or(Grant::Wait { wait, blocked: row.get("is_blocked") }, Grant::Asked))
        };
        Ok(self.commit("counting a request in api_requests", count).await?)
    }

    /// A request of a dry run is one: what is noted of it stays.
    async fn commit<T>(&self, what: &str, body: impl AsyncFn(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Halt> {
        match self.run.dry_run() {
            true => self.run.write_unfenced_once(what, body).await,
            false => self.run.write(what, WriteOptions { lock_wait: Some(PATIENCE), ..Default::default() }, body).await,
        }
    }

    /// The account wants no request for so long, from nobody; it was asked at that instant.
    pub async fn block(&self, wait: Option<RetryAfter>, asked_at: DateTime<Utc>) -> Result<(), End> {
        let wait = match wait {
            Some(RetryAfter::For(wait)) => wait,
            Some(RetryAfter::Until(until)) => (until - asked_at).to_std().unwrap_or_default(),
            None => LATER,
        };
        let seconds = wait.min(A_DAY).as_secs_f64();
        let block = async |tx: &Transaction<'_>| BLOCK.execute(tx, &[&seconds]).await;
        self.commit("noting that the account asks to be left alone", block).await?;
        Ok(())
    }
}
