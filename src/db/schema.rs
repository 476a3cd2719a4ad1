//! The schema of this binary, and the check whether a database has it.
//!
//! Rule: a database is served if and only if it is ours, every migration of this binary is applied, and, where it is
//! ahead, it does not ask for a newer binary (`rounds_schema.min_binary_schema`).

use refinery::{Migration, Runner, Target};
use tokio_postgres::Transaction;

use super::statements;
use crate::error::{Error, ErrorKind};

statements! {
    VERSIONS() =
        "SELECT (SELECT max(version)::int FROM rounds_migrations), (SELECT min_binary_schema FROM rounds_schema)";
    APPLIED() = "SELECT version::int FROM rounds_migrations";
}

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The runner of this binary's migrations, which applies all or none. It records them in a table of our own, so that a
/// clinic's application may use the same tool. Migrations of the database that this binary does not know are ignored.
pub fn runner() -> Runner {
    let runner = embedded::migrations::runner().set_target(Target::Latest);
    let mut runner = runner.set_grouped(true).set_abort_missing(false);
    runner.set_migration_table_name("rounds_migrations");
    runner
}

/// The newest migration in this binary.
pub fn newest() -> i32 {
    runner().get_migrations().iter().map(Migration::version).max().unwrap_or(0)
}

/// Refuses a database that this binary must not work on.
pub async fn check_served(tx: &Transaction<'_>) -> Result<(), Error> {
    let refuse = |code, message: String| Error::new(code, ErrorKind::Refused, message);
    let row = match VERSIONS.one(tx, &[]).await {
        Err(error) if error.kind == ErrorKind::MissingTable => {
            return Err(refuse(
                "NOT_OUR_DATABASE",
                "this is not a rounds database: check DATABASE_URL, or run `rounds migrate` once if it is to become one"
                    .into(),
            ));
        }
        row => row.map_err(|error| error.context("cannot read the schema's version"))?,
    };
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

/// The migrations that are not applied yet, oldest first. The call creates no table.
pub async fn pending(client: &tokio_postgres::Client) -> Result<Vec<Migration>, Error> {
    let applied = match APPLIED.all(client, &[]).await {
        Err(error) if error.kind == ErrorKind::MissingTable => vec![],
        rows => rows?.iter().map(|row| row.get::<_, i32>(0)).collect(),
    };
    let mut pending = runner().get_migrations().clone();
    pending.retain(|migration| !applied.contains(&migration.version()));
    pending.sort_by_key(Migration::version);
    Ok(pending)
}
