//! The identity of the database: what tells it from a copy that was restored from a backup.
//!
//! Rule: it is another database than the recorded one if and only if its name, its number on the server, the server's
//! system identifier or the server's timeline differs; what the server does not tell, now or then, does not differ.

use tokio_postgres::Transaction;

use super::Row;
use super::key::Key;
use super::savepoint::tried;
use super::statements;
use crate::error::{Error, ErrorKind};

statements! {
    // The timeline of a standby, which is not yet its own, is not known. The control file has an older one after a
    // promotion, until its first checkpoint.
    IDENTITY_OF_SERVER() = format!(
        include_str!("identity.sql"),
        system = "(SELECT c.system_identifier::text FROM pg_control_system() c)",
        timeline = "CASE WHEN NOT pg_is_in_recovery()
                         THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer END"
    );
    IDENTITY_BY_NAME() = format!(include_str!("identity.sql"), system = "NULL::text", timeline = "NULL::integer");
    RECORD_IDENTITY(TEXT, INT8, TEXT, INT4) =
        "INSERT INTO database_identity (database_name, database_oid, system_identifier, timeline, recorded_at)
         VALUES ($1, $2, $3, $4, clock_timestamp()) ON CONFLICT (only_row) DO NOTHING";
    // $5 the user who accepts it text or NULL
    ACCEPT_IDENTITY(TEXT, INT8, TEXT, INT4, TEXT) =
        "INSERT INTO database_identity (database_name, database_oid, system_identifier, timeline, recorded_by,
                                        recorded_at)
         VALUES ($1, $2, $3, $4, $5, clock_timestamp())
         ON CONFLICT (only_row) DO UPDATE
         SET database_name = $1, database_oid = $2, system_identifier = $3, timeline = $4, recorded_by = $5,
             recorded_at = clock_timestamp()";
}

/// The name of the statement that not every server allows.
pub const NOT_EVERYWHERE: &str = "IDENTITY_OF_SERVER";

/// What tells a database from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub oid: i64,
    /// None if the server does not tell it; a managed one may not.
    pub system: Option<String>,
    pub timeline: Option<i32>,
}

/// The identity of the database, and the recorded one.
#[derive(Clone, Debug)]
pub struct Identities {
    pub now: Identity,
    pub recorded: Option<Identity>,
}

impl Identities {
    /// Reads both in a transaction of which an error may be the end: see [`Self::read_by_name`].
    pub async fn read(tx: &Transaction<'_>) -> Result<Self, Error> {
        Ok(Self::of(&IDENTITY_OF_SERVER.one(tx, &[]).await?))
    }

    /// Reads both where the server does not tell about itself.
    pub async fn read_by_name(tx: &Transaction<'_>) -> Result<Self, Error> {
        Ok(Self::of(&IDENTITY_BY_NAME.one(tx, &[]).await?))
    }

    /// Reads both, whatever the server tells.
    pub async fn read_anyhow(tx: &Transaction<'_>) -> Result<Self, Error> {
        match tried(tx, async || Self::read(tx).await).await? {
            Err(error) if error.kind != ErrorKind::Transient => Self::read_by_name(tx).await,
            outcome => outcome,
        }
    }

    fn of(row: &Row) -> Self {
        let now = Identity {
            name: row.get("name"),
            oid: row.get("oid"),
            system: row.get("system"),
            timeline: row.get("timeline"),
        };
        let recorded = row.get::<_, Option<String>>("recorded_name").map(|name| Identity {
            name,
            oid: row.get("recorded_oid"),
            system: row.get("recorded_system"),
            timeline: row.get("recorded_timeline"),
        });
        Self { now, recorded }
    }

    /// What differs, as a text; None if it is the recorded database, or none is recorded.
    pub fn difference(&self) -> Option<String> {
        let (now, recorded) = (&self.now, self.recorded.as_ref()?);
        let mut differs = vec![];
        if now.name != recorded.name {
            differs.push(format!("its name was {} and is {}", recorded.name, now.name));
        }
        if let (Some(now), Some(recorded)) = (&now.system, &recorded.system)
            && now != recorded
        {
            differs.push(format!("the server's system identifier was {recorded} and is {now}"));
        } else if now.oid != recorded.oid {
            differs.push(format!("its number on the server was {} and is {}", recorded.oid, now.oid));
        }
        if self.timeline_differs() {
            let [was, is] = [recorded, now].map(|identity| identity.timeline.unwrap_or_default());
            differs.push(format!("the server's timeline was {was} and is {is}"));
        }
        (!differs.is_empty()).then(|| differs.join(", "))
    }

    /// Whether only the timeline differs, and is a later one: a standby was promoted, or the server was restored from
    /// its own backup, which looks the same.
    pub fn is_promotion(&self) -> bool {
        let Some(recorded) = &self.recorded else { return false };
        self.timeline_differs()
            && self.now.timeline > recorded.timeline
            && Identity { timeline: None, ..self.now.clone() } == Identity { timeline: None, ..recorded.clone() }
    }

    fn timeline_differs(&self) -> bool {
        let recorded = self.recorded.as_ref().and_then(|recorded| recorded.timeline);
        self.now.timeline.zip(recorded).is_some_and(|(now, recorded)| now != recorded)
    }
}

impl Identity {
    /// Records it where none is recorded.
    pub async fn record(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let Self { name, oid, system, timeline } = self;
        RECORD_IDENTITY.execute(tx, &[name, oid, system, timeline]).await?;
        Ok(())
    }

    /// Records it whatever is recorded. Returns whether a row was written.
    pub async fn accept(&self, tx: &Transaction<'_>, actor: Option<&Key>) -> Result<bool, Error> {
        let Self { name, oid, system, timeline } = self;
        Ok(ACCEPT_IDENTITY.execute(tx, &[name, oid, system, timeline, &actor.map(Key::as_str)]).await? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clinic() -> Identity {
        Identity { name: "clinic".into(), oid: 16384, system: Some("7713".into()), timeline: Some(1) }
    }

    fn difference(now: Identity) -> Option<String> {
        Identities { now, recorded: Some(clinic()) }.difference()
    }

    #[test]
    fn any_part_that_is_known_twice_makes_another_database() {
        assert_eq!(difference(clinic()), None);
        let copy = Identity { name: "copy".into(), oid: 16999, ..clinic() };
        let text = "its name was clinic and is copy, its number on the server was 16384 and is 16999";
        assert_eq!(difference(copy).as_deref(), Some(text));
        let anew = Identity { oid: 16999, ..clinic() };
        assert_eq!(difference(anew).as_deref(), Some("its number on the server was 16384 and is 16999"));
        let elsewhere = Identity { system: Some("9".into()), oid: 5, ..clinic() };
        assert_eq!(difference(elsewhere).as_deref(), Some("the server's system identifier was 7713 and is 9"));
        let promoted = Identity { timeline: Some(2), ..clinic() };
        assert_eq!(difference(promoted).as_deref(), Some("the server's timeline was 1 and is 2"));
        assert_eq!(difference(Identity { system: None, timeline: None, ..clinic() }), None, "what is not told");
        assert_eq!(Identities { now: clinic(), recorded: None }.difference(), None, "nothing to compare with");
    }

    #[test]
    fn a_promotion_changes_the_timeline_alone_and_forward() {
        let is_promotion = |now| Identities { now, recorded: Some(clinic()) }.is_promotion();
        let promoted = Identity { timeline: Some(2), ..clinic() };
        assert!(is_promotion(promoted.clone()));
        assert!(!is_promotion(clinic()));
        assert!(!is_promotion(Identity { name: "copy".into(), ..promoted.clone() }));
        assert!(!Identities { now: clinic(), recorded: Some(promoted) }.is_promotion(), "back to an older one");
    }
}
