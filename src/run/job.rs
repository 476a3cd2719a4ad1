//! The interface of a job, and the run that it gets: the instant that decides what is due, reads, and fenced writes.

use std::fmt::Display;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::Transaction;
use tracing::warn;
use uuid::Uuid;

use super::args::{MAX_ITEMS, RunArgs};
use super::fence;
use super::halt::{Halt, halted};
use super::reach::Reach;
use super::records::Item;
use super::refusals::{Coverage, Refusals};
use super::report::Report;
use super::watched;
use super::write_options::WriteOptions;
use crate::clinic::actor;
use crate::db::{Db, Key, Limits, SchemaName};
use crate::error::{Error, ErrorKind};
use crate::retry::Retry;
use crate::trace;

/// The option that makes a run a person's.
#[derive(Clone, Copy)]
pub enum ByHand {
    /// A person's word, which is nobody's without an actor.
    Word(&'static str),
    /// What no schedule asks for. An operator may without an actor, until the owner requires bound logins.
    Act(&'static str),
}

/// A job: its arguments and its work. `Serialize` gives the arguments to the run's row.
pub trait Job: Serialize {
    const NAME: &'static str;
    /// Whether its runs stage messages to people. Then none begins in a restored backup, and much at once is asked about.
    const TELLS: bool;
    type Report: Report;
    /// Whether its items are messages that wait to be sent.
    const DELIVERS: bool = false;
    /// Whom it asks beside the database, if anybody: then a look at what it would do is not made unasked.
    const ASKS: Option<&'static str> = None;

    /// The options that show what is due: a list is of the jobs that judge the database's rows and tell people.
    const LOOK: &'static str = if Self::TELLS && Self::ASKS.is_none() { "--dry-run --list" } else { "--dry-run" };

    /// The lane of this run. Lanes of a job may run at the same time, and each has its own health.
    fn lane(&self) -> String {
        String::new()
    }

    /// The options that select the lane.
    fn lane_options(&self) -> Vec<String> {
        vec![]
    }

    /// How much of what is due in its lane this run looks at.
    fn coverage(&self) -> Coverage {
        Coverage::All
    }

    /// How far a run reaches that a person starts.
    fn reach(&self) -> Reach<'_> {
        Reach::Group
    }

    /// The roles that may start it by hand.
    fn roles(&self) -> &'static [&'static str] {
        actor::SUPERVISORS
    }

    /// What makes this run a person's, if something does.
    fn by_hand(&self) -> Option<ByHand> {
        None
    }

    /// Refuses arguments that are wrong in combination.
    fn check(&self, _run: &RunArgs) -> Result<(), Error> {
        Ok(())
    }

    /// Keeps what is lost with a run that may not begin, before the run is claimed. Where that fails, it may be called again.
    fn receive(&self, _db: &Db, _limits: Limits, _dry_run: bool) -> impl Future<Output = Result<(), Error>> {
        async { Ok(()) }
    }

    /// The time limit of this run, if it is not the deadline of the schedule.
    fn time_limit(&self, _tx: &Transaction<'_>) -> impl Future<Output = Result<Option<Duration>, Error>> {
        async { Ok(None) }
    }

    /// The instant since which the oldest item is due, of that facility if there is one, where one cheap query says it.
    fn oldest_due(
        &self,
        _tx: &Transaction<'_>,
        _now: DateTime<Utc>,
        _facility: Option<&Key>,
    ) -> impl Future<Output = Result<Option<DateTime<Utc>>, Error>> {
        async { Ok(None) }
    }

    /// Does the work once. The report belongs to the runner, so that an interrupted run reports its work too.
    async fn run(&self, run: &Run, report: &mut Self::Report) -> Result<(), Halt>;
}

/// One run of a job.
pub struct Run {
    pub id: Uuid,
    pub(super) job: &'static str,
    pub(super) lane: String,
    /// The lane without the facility: that of the rule.
    pub(super) lane_of_rule: String,
    /// The facility to which it is kept, in the server's own form.
    pub(super) facility: Option<Key>,
    pub(super) coverage: Coverage,
    pub(super) tells: bool,
    /// The options that show what is due.
    pub(super) look: &'static str,
    /// The job with the options that select this lane.
    pub(super) command: String,
    /// The database's clock after the claim, or `--as-of`: the only time that decides what is due.
    pub now: DateTime<Utc>,
    /// The duration after which it stops itself.
    pub time_limit: Duration,
    /// When that is.
    pub(super) ends: Instant,
    pub(super) actor: Option<Key>,
    pub(super) args: RunArgs,
    pub(super) db: Db,
    pub(super) limits: Limits,
    pub(super) stop: watch::Receiver<Option<Halt>>,
    /// The number of fenced transactions so far.
    pub(super) batches: AtomicI32,
    /// The items of the lane that the database refused, earlier and in this run.
    pub(super) refusals: Refusals,
    /// The first items that it changed, as many as are to be listed.
    pub(super) changed: Mutex<Vec<Item>>,
    /// Why a run would be stopped by its brake, if this one is dry.
    pub(super) would_brake: OnceLock<String>,
}

impl Run {
    /// The user who started the run by hand.
    pub fn actor(&self) -> Option<&Key> {
        self.actor.as_ref()
    }

    /// The facility to which the run is kept; None: all.
    pub fn facility(&self) -> Option<&Key> {
        self.facility.as_ref()
    }

    /// Those of these facilities that the run looks at.
    pub fn of_its_facility(&self, mut facilities: Vec<Key>) -> Vec<Key> {
        facilities.retain(|facility| self.facility.as_ref().is_none_or(|own| own == facility));
        facilities
    }

    /// The lane: that of the job's arguments, and of the facility.
    pub fn lane(&self) -> &str {
        &self.lane
    }

    /// The schema of the tables.
    pub fn schema(&self) -> &SchemaName {
        self.db.schema()
    }

    pub fn dry_run(&self) -> bool {
        self.args.common.dry_run
    }

    pub fn batch_rows(&self) -> usize {
        self.args.batch_rows as usize
    }

    /// `--max-items`, if it was given.
    pub fn max_items(&self) -> Option<u32> {
        self.args.max_items
    }

    /// The number of ids that a scan may return: one more than the brake allows, so that the brake can be exceeded, and
    /// those that wait after a refusal, which do not count for the brake. A dry run shows what is due beyond its brake.
    pub fn scan_limit(&self) -> i64 {
        let allowed = if self.dry_run() { self.args.brake().max(MAX_ITEMS) } else { self.args.brake() };
        i64::from(allowed) + 1 + self.waiting() as i64
    }

    /// The number of items that wait after a refusal: a scan finds at most so many of them.
    pub fn waiting(&self) -> usize {
        self.refusals.waiting()
    }

    /// The number of these ids that the run will try, because they do not wait after a refusal. `part` is that of their
    /// batch.
    pub fn to_try<I: Display>(&self, entity: &str, part: &str, ids: &[I]) -> usize {
        self.refusals.tried(entity, part, ids)
    }

    /// Returns the halt if the run has to stop. Called between transactions.
    pub fn checkpoint(&self) -> Result<(), Halt> {
        self.stop.borrow().clone().map_or(Ok(()), Err)
    }

    /// Notes items that it changed, as long as they are to be listed. A rehearsal that is repeated changes them again.
    pub(super) fn note_changed<'a, I: Display + 'a>(
        &self,
        entity: &'static str,
        part: &str,
        ids: impl Iterator<Item = &'a I>,
    ) {
        let Some(listed) = self.args.list else { return };
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            let (lane, part) = (self.lane_of_rule.clone(), part.to_owned());
            let item = Item { lane, entity, part, id: id.to_string() };
            if changed.len() < listed as usize && !changed.contains(&item) {
                changed.push(item);
            }
        }
    }

    /// Waits until the run has to stop.
    pub async fn halted(&self) -> Halt {
        halted(self.stop.clone()).await
    }

    /// Reads in a read-only, unfenced transaction, which is retried when the connection or the server fails.
    pub async fn read<T>(
        &self,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Halt> {
        self.checkpoint()?;
        let read = async || {
            let mut client = self.db.client().await?;
            let tx = self.limits.begin_reading(&mut client).await?;
            let value = body(&tx).await?;
            // Dropping the transaction rolls it back without a wait for the answer.
            drop(tx);
            Ok(value)
        };
        Ok(self
            .retry()
            .run(what, async || self.db.renew_after(read().await))
            .await
            .map_err(|error| error.context(what))?)
    }

    /// Changes something in one fenced transaction, which is retried when the connection or the server fails. In a dry
    /// run the transaction is not fenced, and it is rolled back.
    pub async fn write<T>(
        &self,
        what: &str,
        options: WriteOptions,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Halt> {
        if !options.after_stop {
            self.checkpoint()?;
        }
        let limits = options.limits(self.limits, self.time_limit);
        let mut span = trace::batch(options.items);
        let value = self.retry().run(what, async || self.db.renew_after(self.attempt(limits, &body).await)).await;
        let value = value.map_err(|error| Halt::from(error.context(what))).and_then(|done| done.ok_or(Halt::Fenced));
        match &value {
            Ok(_) if self.dry_run() => {}
            Ok(_) => watched::done(self.job, &self.lane, self.batches.load(Ordering::Relaxed)),
            Err(halt) => span.fail(halt.code()),
        }
        value
    }

    /// Writes in one unfenced transaction without retry; each statement may take the time limit of the run. It is for
    /// rows that nobody sees until a fenced transaction uses them.
    pub async fn write_unfenced_once<T>(
        &self,
        what: &str,
        body: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Halt> {
        self.checkpoint()?;
        let write = async {
            let mut client = self.db.client().await?;
            let tx = Limits { statement: self.time_limit, ..self.limits }.begin(&mut client).await?;
            let value = body(&tx).await?;
            tx.commit().await?;
            Ok::<T, Error>(value)
        };
        Ok(write.await.map_err(|error| error.context(what))?)
    }

    /// One attempt of `write`. Returns None if the run has been taken over.
    async fn attempt<T>(
        &self,
        limits: Limits,
        body: &impl AsyncFn(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut client = self.db.client().await?;
        if self.dry_run() {
            let tx = limits.begin(&mut client).await?;
            let value = body(&tx).await?;
            tx.rollback().await?;
            return Ok(Some(value));
        }
        let tx = Limits { lock: self.limits.lock, ..limits }.begin(&mut client).await?;
        // Each attempt has a number of its own, since an earlier one may have been committed.
        let batch = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
        if !fence::fence(&tx, self.id, batch, limits.lock).await? {
            return Ok(None);
        }
        let value = body(&tx).await?;
        let Err(error) = tx.commit().await else { return Ok(Some(value)) };
        let error = Error::from(error);
        if error.kind != ErrorKind::Transient {
            return Err(error);
        }
        // The reply to COMMIT was lost, so its outcome is unknown.
        drop(client);
        warn!(error_code = %error.code, "the reply to COMMIT was lost ({}); asking the server", error.message);
        let did_commit = async || fence::did_commit(&self.db, self.limits, self.id, batch).await;
        match self.retry().run("asking whether a COMMIT was done", did_commit).await {
            Ok(true) => Ok(Some(value)),
            Ok(false) => Err(error),
            // The transaction may have been committed, so it is not retried.
            Err(unknown) => Err(Error { kind: ErrorKind::Other, ..unknown }),
        }
    }

    /// The number of attempts and the waits between them.
    pub fn retry(&self) -> Retry {
        self.args.retry(Some(self.ends))
    }
}
