//! The context of a command: the database, read or changed in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Transaction;
use tracing::warn;
use uuid::Uuid;

use crate::clinic::actor::{Actor, refused};
use crate::db::{CLOCK, Connection, Db, Key, Limits, Row, Statement, dropped, no_such_key, schema, statements};
use crate::error::{Error, ErrorKind};
use crate::machine;
use crate::run::CommonArgs;

/// The limits of a command's transactions. They are shorter than in a run, because a person waits.
const LIMITS: Limits =
    Limits { statement: Duration::from_secs(25), lock: Duration::from_secs(2), idle: Duration::from_secs(10) };
/// The wait for the reply to a COMMIT.
const COMMIT: Duration = Duration::from_secs(5);
/// The wait for the outcome of a COMMIT whose reply was lost.
const COMMIT_OUTCOME: Duration = Duration::from_secs(15);
/// The pause between two looks at a COMMIT that is in progress.
const POLL: Duration = Duration::from_millis(250);

statements! {
    // $1 id uuid · $2 actor text · $3 command text · $4 now timestamptz · $5 os_user text · $6 host text
    RECORD(UUID, TEXT, TEXT, TIMESTAMPTZ, TEXT, TEXT) =
        "INSERT INTO operator_actions (id, actor, command, acted_at, os_user, host, db_login)
         VALUES ($1, $2, $3, $4, $5, $6, session_user::text) ON CONFLICT (id) DO NOTHING";
    FACILITY(KEY) = "SELECT f.id::text FROM facilities f WHERE f.id = $1";
    DOCTOR(KEY) = "SELECT d.id::text FROM doctors d WHERE d.id = $1";
}

pub struct CommandContext<'a> {
    pub db: &'a Db,
    pub args: &'a CommonArgs,
    /// The time limit of everything but a COMMIT.
    pub limit: Duration,
    /// The name of the command.
    pub command: &'static str,
}

/// The instant of an action, and its actor.
pub struct Moment {
    pub now: DateTime<Utc>,
    pub actor: Actor,
}

impl CommandContext<'_> {
    /// Reads in one read-only transaction, at the instant of the database's clock or of `--as-of`.
    pub async fn read<T>(
        &self,
        body: impl AsyncFnOnce(&Transaction<'_>, DateTime<Utc>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let mut client = self.connect().await?;
        let read = async {
            let tx = LIMITS.begin_reading(&mut client).await?;
            schema::check_served(&tx).await?;
            let now = self.now(&tx).await?;
            let value = body(&tx, now).await?;
            // The rollback is awaited, because the process may end before a dropped transaction is rolled back.
            tx.rollback().await?;
            Ok(value)
        };
        timeout_at(began + self.limit, read).await.unwrap_or_else(|_| Err(self.no_answer()))
    }

    /// Changes something in one transaction, as the user of a bound login or `--actor`. With `--dry-run` it is rolled
    /// back. After a lost reply to COMMIT the server is asked for the outcome.
    pub async fn act<T>(
        &self,
        body: impl AsyncFnOnce(&Transaction<'_>, &Moment) -> Result<T, Error>,
    ) -> Result<(Moment, T), Error> {
        self.args.check()?;
        let mut client = self.connect().await?;
        let change = async {
            let tx = LIMITS.begin(&mut client).await?;
            schema::check_served(&tx).await?;
            let actor = Actor::acting(&tx, self.args.actor.as_ref()).await?;
            let moment = Moment { now: self.now(&tx).await?, actor };
            let value = body(&tx, &moment).await?;
            let id = Uuid::new_v4();
            match self.record(&tx, id, &moment).await? {
                true => Ok((tx, id, (moment, value))),
                false => Err(dropped("operator_actions", 0, 1).context("nothing was changed")),
            }
        };
        let (tx, id, done) = timeout(self.limit, change).await.unwrap_or_else(|_| Err(self.no_answer()))?;
        if self.args.dry_run {
            tx.rollback().await?;
            return Ok(done);
        }
        let error = match timeout(COMMIT, tx.commit()).await {
            Ok(Ok(())) => return Ok(done),
            Ok(Err(error)) => Error::from(error),
            Err(_) => self.no_answer_within(COMMIT),
        };
        if error.kind != ErrorKind::Transient {
            return Err(error);
        }
        // The connection is closed and does not return to the pool, because its answer may still come.
        drop(client.alone());
        warn!(error_code = %error.code, "the reply to COMMIT was lost ({}); asking the server", error.message);
        let committed = timeout(COMMIT_OUTCOME, self.committed(id, &done.0)).await;
        let committed = committed.unwrap_or_else(|_| Err(self.no_answer_within(COMMIT_OUTCOME)));
        match committed.map_err(|error| error.context("it is not known whether the change was made; look first"))? {
            true => Ok(done),
            false => Err(error.context("nothing was changed")),
        }
    }

    /// Changes what is the owner's of the schema, in one transaction without an actor. With `--dry-run` it is rolled
    /// back. `look` says how to find out about a COMMIT whose reply was lost.
    pub async fn administer<T>(
        &self,
        look: &str,
        body: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.args.check()?;
        let mut client = self.connect().await?;
        let change = async {
            let tx = LIMITS.begin(&mut client).await?;
            schema::check_served(&tx).await?;
            let value = body(&tx).await?;
            Ok::<_, Error>((tx, value))
        };
        let (tx, value) = timeout(self.limit, change).await.unwrap_or_else(|_| Err(self.no_answer()))?;
        if self.args.dry_run {
            tx.rollback().await?;
            return Ok(value);
        }
        let committed = timeout(COMMIT, tx.commit()).await;
        let committed = committed.map_or_else(|_| Err(self.no_answer_within(COMMIT)), |done| Ok(done?));
        let unknown = format!("it is not known whether the change was made; look first: {look}");
        committed.map(|()| value).map_err(|error| match error.kind {
            ErrorKind::Transient => error.context(unknown),
            _ => error,
        })
    }

    /// Reads identifying data in one transaction with the record that it was revealed.
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

    /// What a sentence about a change adds after its verb in a dry run.
    pub fn not_changed(&self) -> &'static str {
        if self.args.dry_run { " (dry run: nothing was changed)" } else { "" }
    }

    /// The instant at which the command looks: that of `--as-of`, else of the database's clock.
    pub async fn now(&self, tx: &Transaction<'_>) -> Result<DateTime<Utc>, Error> {
        let clock = CLOCK.one(tx, &[]).await?;
        Ok(self.args.as_of.unwrap_or(clock.get(0)))
    }

    /// Inserts the record of an action. Returns false if it is there already.
    async fn record(&self, tx: &Transaction<'_>, id: Uuid, moment: &Moment) -> Result<bool, Error> {
        let Moment { now, actor } = moment;
        let (os_user, host) = (machine::os_user(), machine::host());
        Ok(RECORD.execute(tx, &[&id, &actor.id.as_str(), &self.command, now, &os_user, &host]).await? == 1)
    }

    /// Whether the action with this id was committed. To insert its record again waits until the old transaction has
    /// ended, and finds the record if and only if that was committed.
    async fn committed(&self, id: Uuid, moment: &Moment) -> Result<bool, Error> {
        loop {
            let mut client = self.db.client().await?;
            let tx = LIMITS.begin(&mut client).await?;
            match self.record(&tx, id, moment).await {
                // The old transaction is at work still.
                Err(error) if error.kind == ErrorKind::Locked => tokio::time::sleep(POLL).await,
                outcome => {
                    tx.rollback().await?;
                    return Ok(!outcome?);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let unreachable = |_| {
            let (database, limit) = (self.db.target(), humantime::format_duration(self.limit));
            let message = format!("cannot reach the database ({database}): no answer within {limit}");
            Err(Error::new("CONNECTION", ErrorKind::Transient, message))
        };
        timeout(self.limit, self.db.client()).await.unwrap_or_else(unreachable)
    }

    /// The limit has passed. It does not say that the database cannot be reached: it may be at work still.
    pub fn no_answer(&self) -> Error {
        self.no_answer_within(self.limit)
    }

    fn no_answer_within(&self, limit: Duration) -> Error {
        let (database, limit) = (self.db.target(), humantime::format_duration(limit));
        let message = format!("the database ({database}) gave no answer within {limit}");
        Error::new("CONNECTION", ErrorKind::Transient, message)
    }
}

/// Turns an error of the kind `Locked` into the message that somebody else is changing `what`, and adds `what` to any
/// other error.
pub fn held(error: Error, what: impl std::fmt::Display) -> Error {
    if error.kind == ErrorKind::Locked { locked(what) } else { error.context(what) }
}

pub fn locked(what: impl std::fmt::Display) -> Error {
    let message = format!("somebody else is changing {what}; nothing was changed; try again");
    Error::new("LOCKED", ErrorKind::Locked, message)
}

/// Refuses the id of a facility or a doctor that does not exist. Returns both in the server's own form.
pub async fn check_known(
    tx: &Transaction<'_>,
    facility: Option<&Key>,
    doctor: Option<&Key>,
) -> Result<[Option<Key>; 2], Error> {
    let facility = known(tx, facility, &FACILITY, "UNKNOWN_FACILITY", "facility").await?;
    let doctor = known(tx, doctor, &DOCTOR, "UNKNOWN_DOCTOR", "doctor").await?;
    Ok([facility, doctor])
}

async fn known(
    tx: &Transaction<'_>,
    id: Option<&Key>,
    statement: &Statement,
    code: &'static str,
    what: &str,
) -> Result<Option<Key>, Error> {
    let Some(id) = id else { return Ok(None) };
    let row = no_such_key(statement.opt(tx, &[id]).await)?;
    let row = row.ok_or_else(|| refused(code, format!("--{what}: there is no {what} {id}")))?;
    Ok(Some(row.get("id")))
}

/// Refuses to show what was not recorded as shown. Each row has the number of rows of the record as `recorded`.
pub fn check_recorded(shown: &[Row]) -> Result<(), Error> {
    let recorded = shown.first().map_or(0, |row| row.get::<_, i64>("recorded").unsigned_abs());
    let meant = shown.len() as u64;
    if recorded == meant { Ok(()) } else { Err(dropped("phi_access_log", recorded, meant).context("nothing is shown")) }
}
