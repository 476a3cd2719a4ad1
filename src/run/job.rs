//! What a job is, and what a run offers it: the instant that decides, reading, and effects behind the fence.

use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use tracing::warn;
use uuid::Uuid;

use super::args::RunArgs;
use super::halt::{Halt, halted};
use super::lease;
use super::report::{NotDone, Report};
use crate::actor;
use crate::db::{Db, Limits};
use crate::redact::{Class, Failure};
use crate::retry::Retry;

/// A job: its arguments, and what it does with a run. `Serialize` gives the arguments to the run's row.
pub trait Job: Serialize {
    const NAME: &'static str;
    type Report: Report;

    /// What may run side by side, and is judged apart.
    fn lane(&self) -> String {
        String::new()
    }

    /// Who may start it by hand.
    fn roles(&self) -> &'static [&'static str] {
        actor::SUPERVISORS
    }

    /// Refuses what no single option shows to be wrong.
    fn check(&self, _run: &RunArgs) -> Result<(), Failure> {
        Ok(())
    }

    /// How long this run may take, where that is not what the schedule says.
    fn time_limit(&self, _tx: &Transaction<'_>) -> impl Future<Output = Result<Option<Duration>, Failure>> {
        async { Ok(None) }
    }

    /// Does it once. The report belongs to the runner, so that an interrupted run still tells what it did.
    async fn run(&self, run: &Run, report: &mut Self::Report) -> Result<(), Halt>;
}

/// How long a lock is waited for by what takes long itself.
const AT_LENGTH: Duration = Duration::from_secs(60);

/// One run of a job.
pub struct Run {
    pub id: Uuid,
    /// The database's clock after the claim, or `--as-of`: the only time that decides what is due.
    pub now: DateTime<Utc>,
    /// When it stops itself, at the latest.
    pub time_limit: Duration,
    pub(super) args: RunArgs,
    pub(super) db: Db,
    pub(super) limits: Limits,
    pub(super) stop: watch::Receiver<Option<Halt>>,
}

impl Run {
    /// The user who started it by hand.
    pub fn actor(&self) -> Option<i64> {
        self.args.actor
    }

    pub fn dry_run(&self) -> bool {
        self.args.dry_run
    }

    pub fn batch_rows(&self) -> usize {
        self.args.batch_rows as usize
    }

    /// `--max-items`, where it was given.
    pub fn max_items(&self) -> Option<u32> {
        self.args.max_items
    }

    /// How many ids a scan may return: one more than the brake allows, so that the brake can tell.
    pub fn scan_limit(&self) -> i64 {
        i64::from(self.args.brake()) + 1
    }

    /// The brake: with more than `--max-items` due, nothing is changed.
    pub fn brake(&self, due: usize) -> Result<(), Halt> {
        let max = self.args.brake();
        let halt = || {
            Halt::brake(format!(
                "more than {max} items are due; nothing was changed. Look at them with --dry-run --max-items N; if they \
                 are right, run once with --max-items N"
            ))
        };
        if due > max as usize { Err(halt()) } else { Ok(()) }
    }

    /// The same where something has been changed already.
    pub fn brake_after(&self, due: usize) -> Result<(), Halt> {
        let halt = |max| {
            Halt::brake(format!(
                "more than {max} items became due by what this run changed; what was committed stays, the rest was not \
                 done. Look at it with --dry-run --max-items N; if it is right, run once with --max-items N"
            ))
        };
        self.brake(due).map_err(|_| halt(self.args.brake()))
    }

    /// Ends the run here if it must end. Called between transactions.
    pub fn checkpoint(&self) -> Result<(), Halt> {
        self.stop.borrow().clone().map_or(Ok(()), Err)
    }

    /// Waits until the run is told to stop.
    pub async fn halted(&self) -> Halt {
        halted(self.stop.clone()).await
    }

    /// Reads in a read-only transaction, without the fence; tried again when the connection or the server fails.
    pub async fn read<T>(
        &self,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        self.checkpoint()?;
        let read = async || {
            let mut client = self.db.client().await?;
            let tx = self.limits.begin_reading(&mut client).await?;
            let value = body(&tx).await?;
            // Dropped, it is rolled back without a wait for the answer.
            drop(tx);
            Ok(value)
        };
        Ok(self.retry().run(what, read).await.map_err(|failure| failure.context(what))?)
    }

    /// One transaction behind the fence; tried again when the connection or the server fails. In a dry run there is no
    /// fence, and the transaction is rolled back.
    pub async fn effect<T>(
        &self,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        self.effect_with(self.limits, what, body).await
    }

    /// The same, but each lock is waited for so long.
    pub async fn effect_within<T>(
        &self,
        patience: Duration,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        self.effect_with(self.limits.with_lock(patience), what, body).await
    }

    /// The same for statements that take as long as they need, and wait for others as long as that pays.
    pub async fn effect_at_length<T>(
        &self,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        let limits = Limits { statement: self.time_limit, ..self.limits }.with_lock(AT_LENGTH);
        self.effect_with(limits, what, body).await
    }

    /// One transaction beside the fence, of statements that take as long as they need: for what nobody sees until an effect
    /// takes it up. Not tried again.
    pub async fn beside<T>(
        &self,
        what: &str,
        body: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        self.checkpoint()?;
        let aside = async {
            let mut client = self.db.client().await?;
            let tx = Limits { statement: self.time_limit, ..self.limits }.begin(&mut client).await?;
            let value = body(&tx).await?;
            tx.commit().await?;
            Ok::<T, Failure>(value)
        };
        Ok(aside.await.map_err(|failure| failure.context(what))?)
    }

    /// The same for a last word: also when the run has been told to stop.
    pub async fn last_effect<T>(
        &self,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        self.fenced(self.limits, what, body).await
    }

    async fn effect_with<T>(
        &self,
        limits: Limits,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        self.checkpoint()?;
        self.fenced(limits, what, body).await
    }

    async fn fenced<T>(
        &self,
        limits: Limits,
        what: &str,
        body: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Halt> {
        let value = self.retry().run(what, async || self.attempt(limits, &body).await).await;
        value.map_err(|failure| failure.context(what))?.ok_or(Halt::Fenced)
    }

    /// Nothing comes back where the run has been taken over.
    async fn attempt<T>(
        &self,
        limits: Limits,
        body: &impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let mut client = self.db.client().await?;
        let tx = limits.begin(&mut client).await?;
        if self.dry_run() {
            let value = body(&tx).await?;
            tx.rollback().await?;
            return Ok(Some(value));
        }
        let Some(xid) = lease::fence(&tx, self.id).await? else { return Ok(None) };
        let value = body(&tx).await?;
        let Err(error) = tx.commit().await else { return Ok(Some(value)) };
        let failure = Failure::from(error);
        if failure.class != Class::Transient {
            return Err(failure);
        }
        // The reply to COMMIT was lost, and with it whether it was done.
        drop(client);
        warn!(error_code = %failure.code, "the reply to COMMIT was lost ({}); asking the server", failure.message);
        let ask = async || lease::settled(&self.db, self.limits, self.id, &xid).await;
        match self.retry().run("asking whether a COMMIT was done", ask).await {
            Ok(true) => Ok(Some(value)),
            Ok(false) => Err(failure),
            // Never tried again: it may have been done.
            Err(unknown) => Err(Failure { class: Class::Other, ..unknown }),
        }
    }

    /// Records items that could not be done, and why; the run goes on.
    pub async fn items_failed<I: Display + Serialize>(
        &self,
        not_done: &mut NotDone,
        entity: &'static str,
        ids: &[I],
        failure: &Failure,
    ) -> Result<(), Halt> {
        for id in ids {
            not_done.fail(entity, id, &failure.code);
            warn!(run_id = %self.id, entity, %id, error_code = %failure.code, "{entity} {id}: {}", failure.message);
        }
        if self.dry_run() || ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = ids.iter().map(I::to_string).collect();
        self.effect("recording failed items", async |tx| {
            tx.client()
                .execute_typed(
                    include_str!("item_errors.sql"),
                    &[
                        (&self.id, Type::UUID),
                        (&entity, Type::TEXT),
                        (&ids, Type::TEXT_ARRAY),
                        (&failure.code.as_ref(), Type::TEXT),
                        (&failure.message, Type::TEXT),
                    ],
                )
                .await?;
            Ok(())
        })
        .await
    }

    pub fn retry(&self) -> Retry {
        Retry { attempts: self.args.attempts, delay: self.args.retry_delay }
    }
}
