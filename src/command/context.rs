//! What a command works with: the database, read or changed in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;
use tokio_postgres::Transaction;
use tracing::warn;

use crate::clinic::actor::{Actor, refused};
use crate::db::{CLOCK, Db, Limits, schema, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{self, CommonArgs};

/// A person waits: nothing takes as long as it may in a run.
const LIMITS: Limits =
    Limits { statement: Duration::from_secs(25), lock: Duration::from_secs(2), idle: Duration::from_secs(10) };
/// How long the reply to a COMMIT is waited for, and then the answer to what became of it.
const COMMIT: Duration = Duration::from_secs(5);
const SETTLE: Duration = Duration::from_secs(15);
/// Between two questions while the COMMIT is at work.
const BETWEEN: Duration = Duration::from_millis(250);

statements! {
    TRANSACTION_ID() = "SELECT pg_current_xact_id()::text";
    KNOWN(INT8, INT8) =
        "SELECT $1 IS NULL OR EXISTS (SELECT FROM facilities WHERE id = $1) AS facility,
                $2 IS NULL OR EXISTS (SELECT FROM doctors WHERE id = $2) AS doctor";
}

pub struct CommandContext<'a> {
    pub db: &'a Db,
    pub args: &'a CommonArgs,
    /// How long everything but a COMMIT may take.
    pub limit: Duration,
}

/// When somebody acts, and who.
pub struct Moment {
    pub now: DateTime<Utc>,
    pub actor: Actor,
}

impl CommandContext<'_> {
    /// Reads in one read-only transaction, at the instant that counts: the database's clock, or `--as-of`.
    pub async fn read<T>(
        &self,
        body: impl AsyncFnOnce(&Transaction<'_>, DateTime<Utc>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let read = async {
            let mut client = self.db.client().await?;
            let tx = LIMITS.begin_reading(&mut client).await?;
            schema::check_served(&tx).await?;
            let now = self.now(&tx).await?;
            let value = body(&tx, now).await?;
            // Ended, not dropped: the process may be gone before the server hears of it.
            tx.rollback().await?;
            Ok(value)
        };
        timeout(self.limit, read).await.unwrap_or_else(|_| Err(self.no_answer()))
    }

    /// Changes something in one transaction, as `--actor`. With `--dry-run` it is rolled back; a lost reply to COMMIT is
    /// resolved, not guessed.
    pub async fn act<T>(
        &self,
        body: impl AsyncFnOnce(&Transaction<'_>, &Moment) -> Result<T, Error>,
    ) -> Result<(Moment, T), Error> {
        self.args.check()?;
        let Some(actor) = self.args.actor else {
            return Err(refused("NO_ACTOR", "say who you are: --actor USER_ID".into()));
        };
        let client = timeout(self.limit, self.db.client()).await.unwrap_or_else(|_| Err(self.no_answer()));
        let mut client = client?;
        let change = async {
            let tx = LIMITS.begin(&mut client).await?;
            schema::check_served(&tx).await?;
            let moment = Moment { now: self.now(&tx).await?, actor: Actor::find(&tx, actor).await? };
            let value = body(&tx, &moment).await?;
            let xid: String = TRANSACTION_ID.one(&tx, &[]).await?.get(0);
            Ok((tx, xid, (moment, value)))
        };
        let (tx, xid, done) = timeout(self.limit, change).await.unwrap_or_else(|_| Err(self.no_answer()))?;
        if self.args.dry_run {
            tx.rollback().await?;
            return Ok(done);
        }
        let error = match timeout(COMMIT, tx.commit()).await {
            Ok(Ok(())) => return Ok(done),
            Ok(Err(error)) => Error::from(error),
            Err(_) => self.no_answer(),
        };
        if error.kind != ErrorKind::Transient {
            return Err(error);
        }
        // Closed, not given back: it may still owe an answer.
        drop(deadpool_postgres::Object::take(client));
        warn!(error_code = %error.code, "the reply to COMMIT was lost ({}); asking the server", error.message);
        let committed = timeout(SETTLE, self.committed(&xid)).await.unwrap_or_else(|_| Err(self.no_answer()));
        match committed.map_err(|error| error.context("it is not known whether the change was made; look first"))? {
            true => Ok(done),
            false => Err(error.context("nothing was changed")),
        }
    }

    /// Shows whom something is about, in one transaction with the record that it was shown.
    pub async fn reveal<T>(
        &self,
        body: impl AsyncFnOnce(&Transaction<'_>, &Moment) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.args.dry_run {
            let message = "--reveal is recorded, so it cannot be done with --dry-run";
            return Err(refused("REVEAL_NOT_RECORDED", message.into()));
        }
        Ok(self.act(body).await?.1)
    }

    async fn now(&self, tx: &Transaction<'_>) -> Result<DateTime<Utc>, Error> {
        let clock = CLOCK.one(tx, &[]).await?;
        Ok(self.args.as_of.unwrap_or(clock.get(0)))
    }

    /// What became of a transaction whose end was not heard; it may be at work still.
    async fn committed(&self, xid: &str) -> Result<bool, Error> {
        loop {
            let mut client = self.db.client().await?;
            let tx = LIMITS.begin_reading(&mut client).await?;
            if let Some(committed) = run::committed(&tx, xid).await? {
                return Ok(committed);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    pub fn no_answer(&self) -> Error {
        let message = format!("cannot reach the database ({}): no answer in time", self.db.target());
        Error::new("CONNECTION", ErrorKind::Transient, message)
    }
}

/// Says that a row could not be had; `what` is what somebody else is changing.
pub fn held(error: Error, what: impl std::fmt::Display) -> Error {
    if error.kind == ErrorKind::Locked { locked(what) } else { error.context(what) }
}

pub fn locked(what: impl std::fmt::Display) -> Error {
    let message = format!("somebody else is changing {what}; nothing was changed; try again");
    Error::new("LOCKED", ErrorKind::Locked, message)
}

/// Refuses the id of a facility or a doctor that is not there.
pub async fn check_known(tx: &Transaction<'_>, facility: Option<i64>, doctor: Option<i64>) -> Result<(), Error> {
    let row = KNOWN.one(tx, &[&facility, &doctor]).await?;
    let refuse = |code, flag: &str, what: &str, id: Option<i64>| {
        Err(refused(code, format!("--{flag}: there is no {what} {}", id.unwrap_or_default())))
    };
    match (row.get("facility"), row.get("doctor")) {
        (false, _) => refuse("UNKNOWN_FACILITY", "facility", "facility", facility),
        (_, false) => refuse("UNKNOWN_DOCTOR", "doctor", "doctor", doctor),
        _ => Ok(()),
    }
}
