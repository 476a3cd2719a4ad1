//! The two sets of tables of this binary, and the check whether a database has them.
//!
//! Rule: a database is served if and only if our schema in it has every migration of this binary, does not ask for a
//! newer binary (`rounds_schema.min_binary_schema`) where it is ahead, and nobody but its owner can put code there.

use refinery::{Migration, Runner};
use tokio_postgres::Transaction;

use super::{SchemaName, statements, tried};
use crate::error::{Error, ErrorKind};

statements! {
    // With the last of them the schema is that of version 0.1.0.
    OURS() =
        "SELECT to_regclass('rounds_schema') IS NOT NULL AND to_regclass('rounds_migrations') IS NOT NULL
                AND to_regclass('sla_policies_in_force') IS NULL AS ours";
    VERSIONS() =
        "SELECT (SELECT max(version)::int FROM rounds_migrations), (SELECT min_binary_schema FROM rounds_schema)";
    // PostgreSQL prefers a function whose parameters have exactly the types of a call, in whatever schema of the path.
    // So who may create one in our schema can run code as whoever calls one of the server's.
    INTRUSIONS() = include_str!("intrusions.sql");
    RELATION_EXISTS(TEXT, TEXT) =
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = $1 AND c.relname = $2) AS known";
    OF_0_1() =
        "SELECT n.nspname::text AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relname = 'rounds_schema'
           AND EXISTS (SELECT FROM pg_class f WHERE f.relnamespace = n.oid AND f.relname = 'sla_policies_in_force')
         ORDER BY 1 LIMIT 1";
}

mod ours {
    refinery::embed_migrations!("migrations/rounds");
}
mod clinic {
    refinery::embed_migrations!("migrations/clinic");
}

/// A set of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// The tables in which rounds keeps what it remembers and decides.
    Ours,
    /// The tables that the clinic's application writes: a reference set, for a database that begins with nothing.
    Clinic,
}

impl Set {
    /// The table that records which migrations of the set are applied.
    pub fn history(self) -> &'static str {
        match self {
            Self::Ours => "rounds_migrations",
            Self::Clinic => "rounds_clinic_migrations",
        }
    }

    /// All migrations of the set, oldest first.
    pub fn migrations(self) -> Vec<Migration> {
        let runner: Runner = match self {
            Self::Ours => ours::migrations::runner(),
            Self::Clinic => clinic::migrations::runner(),
        };
        let mut migrations = runner.get_migrations().clone();
        migrations.sort_by_key(Migration::version);
        migrations
    }
}

/// The newest migration in this binary.
pub fn newest() -> i32 {
    Set::Ours.migrations().iter().map(Migration::version).max().unwrap_or(0)
}

/// Whether a schema has a relation of that name.
pub async fn relation_exists(tx: &Transaction<'_>, schema: &SchemaName, name: &str) -> Result<bool, Error> {
    Ok(RELATION_EXISTS.one(tx, &[&schema.as_str(), &name]).await?.get("known"))
}

/// Refuses a database that has the tables of version 0.1.0, which kept everything in one set.
pub async fn check_not_of_0_1(tx: &Transaction<'_>) -> Result<(), Error> {
    let Some(row) = OF_0_1.opt(tx, &[]).await? else { return Ok(()) };
    let schema: &str = row.get("schema");
    Err(refuse(
        "SCHEMA_OF_0_1",
        format!(
            "schema {schema} has the tables of rounds 0.1.0, which this version does not read: start anew in an empty \
             database, or set those tables aside first (docs/adopting.md, \"Coming from 0.1.0\")"
        ),
    ))
}

/// Refuses a database that this binary must not work on.
pub async fn check_served(tx: &Transaction<'_>) -> Result<(), Error> {
    let unreadable = |error: Error| error.context("cannot read the schema's version");
    if !OURS.one(tx, &[]).await.map_err(unreadable)?.get::<_, bool>("ours") {
        check_not_of_0_1(tx).await?;
        return Err(refuse(
            "NOT_OUR_DATABASE",
            "this is not a rounds database: check DATABASE_URL and ROUNDS_SCHEMA, and that the role has USAGE on the \
             schema (`rounds grants`); or run `rounds migrate` once if it is to become one"
                .into(),
        ));
    }
    let (row, private) = tokio::join!(VERSIONS.one(tx, &[]), check_private(tx));
    let row = row.map_err(unreadable)?;
    private?;
    let (ours, theirs) = (newest(), row.get::<_, Option<i32>>(0).unwrap_or(0));
    let oldest_served = row.get::<_, Option<i32>>(1).unwrap_or(0);
    if theirs < ours {
        return Err(refuse(
            "SCHEMA_BEHIND",
            format!("the database's schema is at version {theirs} and this binary needs {ours}: run `rounds migrate`"),
        ));
    }
    if oldest_served > ours {
        return Err(refuse(
            "BINARY_TOO_OLD",
            format!(
                "the database's schema asks for a binary that knows version {oldest_served}; this one knows {ours}: \
                 upgrade rounds"
            ),
        ));
    }
    Ok(())
}

/// Refuses a schema in which others than its owner may create something, or in which something of theirs has a name of
/// the server's.
pub async fn check_private(tx: &Transaction<'_>) -> Result<(), Error> {
    let rows = INTRUSIONS.all(tx, &[]).await?;
    let Some(first) = rows.first() else { return Ok(()) };
    let schema: &str = first.get("schema");
    let remedies: Vec<&str> = rows.iter().map(|row| row.get("remedy")).collect();
    Err(refuse(
        "SCHEMA_NOT_PRIVATE",
        format!(
            "others than the owner of schema {schema} can run code as the role of the jobs: they may create functions \
             there, or have; nothing was done. As the owner: {}",
            remedies.join("; ")
        ),
    ))
}

/// The newest migration of the schema, which is served.
pub async fn version(tx: &Transaction<'_>) -> Result<i32, Error> {
    Ok(VERSIONS.one(tx, &[]).await?.get::<_, Option<i32>>(0).unwrap_or(0))
}

/// Whether the schema has migrations that this binary does not know. False where the role may not see it.
pub async fn is_newer(tx: &Transaction<'_>) -> Result<bool, Error> {
    let versions = tried(tx, async || VERSIONS.one(tx, &[]).await).await?;
    Ok(versions.is_ok_and(|row| row.get::<_, Option<i32>>(0).is_some_and(|version| version > newest())))
}

fn refuse(code: &'static str, message: String) -> Error {
    Error::new(code, ErrorKind::Refused, message)
}
