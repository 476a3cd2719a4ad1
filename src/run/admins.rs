//! Tells the admins of a facility what a job has found, in the transaction of what it found.
//!
//! A clinic that only looks providers up has no users, or none that can be read. That keeps no job from its work: then
//! nobody is told, and the log says so.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::warn;
use uuid::Uuid;

use crate::clinic::channels::Preferences;
use crate::clinic::outbox;
use crate::db::{Row, UNREADABLE, statements};
use crate::error::{Error, ErrorKind};

statements! {
    TELL_ADMINS[preferences: Preferences = Preferences::BOTH.into()]
        (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TEXT, TIMESTAMPTZ, UUID) = format!(
            include_str!("tell_admins.sql"),
            channels = preferences.channels("'NORMAL'"),
            outbox = outbox::notified()
        );
}

/// What admins are told.
pub struct AdminNotice<'a> {
    /// None is the group.
    pub facility: Option<&'a str>,
    pub kind: &'static str,
    pub title: String,
    pub body: String,
    pub placeholders: Value,
    pub entity: &'static str,
    pub entity_id: String,
    /// Names the event, so that it is told once.
    pub episode: String,
}

/// Inserts notices as users prefer, or in the application where their preferences cannot be read. Where neither is
/// possible, that is undone alone, and its error is returned. `limits` are set before.
pub async fn told_if_possible<T>(
    tx: &Transaction<'_>,
    limits: &str,
    insert: impl AsyncFn(Preferences) -> Result<T, Error>,
) -> Result<Result<T, Error>, Error> {
    tx.batch_execute(&format!("SAVEPOINT told; {limits}")).await?;
    let mut told = insert(Preferences::Heeded).await;
    if matches!(&told, Err(error) if UNREADABLE.contains(&error.code.as_ref())) {
        tx.batch_execute("ROLLBACK TO SAVEPOINT told").await?;
        told = insert(Preferences::NotThere).await;
    }
    match &told {
        Err(error) if error.kind == ErrorKind::Transient => return told.map(Ok),
        Ok(_) => tx.batch_execute("RELEASE SAVEPOINT told").await?,
        Err(_) => tx.batch_execute("ROLLBACK TO SAVEPOINT told; RELEASE SAVEPOINT told").await?,
    }
    Ok(told)
}

impl AdminNotice<'_> {
    /// Stages the notice, and returns how many were inserted. Where it cannot be, the rest of the transaction stays.
    pub async fn stage(&self, tx: &Transaction<'_>, now: DateTime<Utc>, run: Uuid) -> Result<u64, Error> {
        let kind = self.kind;
        let reason =
            match told_if_possible(tx, "", async |preferences| self.insert(tx, now, run, preferences).await).await? {
                Ok(row) if row.get::<_, i64>("admins") > 0 => return Ok(row.get::<_, i64>("notices").cast_unsigned()),
                Ok(_) => "there is no active HOSPITAL_ADMIN".to_owned(),
                Err(error) => error.to_string(),
            };
        warn!(error_code = "NOBODY_TOLD", "nobody could be told of {kind}: {reason}");
        Ok(0)
    }

    async fn insert(
        &self,
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        run: Uuid,
        preferences: Preferences,
    ) -> Result<Row, Error> {
        let Self { facility, kind, title, body, placeholders, entity, entity_id, episode } = self;
        let parameters: [&(dyn ToSql + Sync); 10] =
            [facility, kind, title, body, placeholders, entity, entity_id, episode, &now, &run];
        TELL_ADMINS.with(&preferences).one(tx, &parameters).await
    }
}
