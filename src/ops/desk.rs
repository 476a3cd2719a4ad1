//! What a command works with: the database, read or changed in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use tracing::warn;

use crate::actor::{Actor, refused};
use crate::db::{Db, Limits};
use crate::redact::{Class, Failure};
use crate::run::{self, RunArgs};
use crate::schema;

/// A person waits: nothing takes as long as it may in a run.
const LIMITS: Limits =
    Limits { statement: Duration::from_secs(25), lock: Duration::from_secs(2), idle: Duration::from_secs(10) };
/// How often it is asked what became of a COMMIT that is still at work, and how long to wait between.
const ASKED: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(250);

pub struct Desk<'a> {
    pub db: &'a Db,
    pub run: &'a RunArgs,
}

/// When somebody acts, and who.
pub struct Moment {
    pub now: DateTime<Utc>,
    pub actor: Actor,
}

impl Desk<'_> {
    /// Reads in one read-only transaction, at the instant that counts: the database's clock, or `--as-of`.
    pub async fn read<T>(
        &self,
        body: impl AsyncFnOnce(&Transaction<'_>, DateTime<Utc>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut client = self.db.client().await?;
        let tx = LIMITS.begin_reading(&mut client).await?;
        schema::check_served(&tx).await?;
        let now = self.now(&tx).await?;
        body(&tx, now).await
    }

    /// Changes something in one transaction, as `--actor`. With `--dry-run` it is rolled back; a lost reply to COMMIT is
    /// resolved, not guessed.
    pub async fn act<T>(
        &self,
        body: impl AsyncFnOnce(&Transaction<'_>, &Moment) -> Result<T, Failure>,
    ) -> Result<(Moment, T), Failure> {
        self.run.check()?;
        let Some(actor) = self.run.actor else {
            return Err(refused("NO_ACTOR", "say who you are: --actor USER_ID".into()));
        };
        let mut client = self.db.client().await?;
        let tx = LIMITS.begin(&mut client).await?;
        schema::check_served(&tx).await?;
        let moment = Moment { now: self.now(&tx).await?, actor: Actor::find(&tx, actor).await? };
        let value = body(&tx, &moment).await?;
        if self.run.dry_run {
            tx.rollback().await?;
            return Ok((moment, value));
        }
        let xid: String = tx.query_typed_one("SELECT pg_current_xact_id()::text", &[]).await?.get(0);
        let Err(error) = tx.commit().await else { return Ok((moment, value)) };
        let failure = Failure::from(error);
        if failure.class != Class::Transient {
            return Err(failure);
        }
        drop(client);
        warn!(error_code = %failure.code, "the reply to COMMIT was lost ({}); asking the server", failure.message);
        let committed = self.committed(&xid).await;
        match committed.map_err(|failure| failure.context("it is not known whether the change was made; look first"))? {
            true => Ok((moment, value)),
            false => Err(failure.context("nothing was changed")),
        }
    }

    async fn now(&self, tx: &Transaction<'_>) -> Result<DateTime<Utc>, Failure> {
        let clock = tx.query_typed_one("SELECT clock_timestamp()", &[]).await?;
        Ok(self.run.as_of.unwrap_or(clock.get(0)))
    }

    /// What became of a transaction whose end was not heard; it may be at work still.
    async fn committed(&self, xid: &str) -> Result<bool, Failure> {
        for _ in 0..ASKED {
            let mut client = self.db.client().await?;
            let tx = LIMITS.begin_reading(&mut client).await?;
            if let Some(committed) = run::committed(&tx, xid).await? {
                return Ok(committed);
            }
            tokio::time::sleep(BETWEEN).await;
        }
        let message = "it is still at work in the database";
        Err(Failure::new("COMMIT_UNKNOWN", Class::Other, message))
    }
}
