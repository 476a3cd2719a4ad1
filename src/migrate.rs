//! `rounds migrate`: brings a database to this binary's schema. The migrations are in the binary; no job runs them.
//!
//! Rule: a database is served if and only if it is ours, every migration of this binary is applied, and, where it is
//! ahead, it does not ask for a newer binary (`rounds_schema.min_binary_schema`).
//!
//! Safe to run again, and by several at once: an advisory lock of the session lets one work and the others wait. That
//! lock is why this command, alone of all, needs a direct connection and not a transaction-mode pooler.

use clap::Args;
use refinery::Target;
use serde_json::json;
use tokio_postgres::{Client, error::SqlState};
use tracing::{error, info};

use crate::db::{DatabaseArgs, Db};
use crate::exit::Exit;
use crate::output::OutputArgs;
use crate::redact::{Class, Failure};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Our own table, so that a clinic's application may use the same tool.
const TABLE: &str = "rounds_migrations";
/// Any fixed number: "rounds" in ASCII.
const LOCK: i64 = 0x0000_726f_756e_6473;

/// Bring the database to this binary's schema
#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// Change nothing: list what is pending, and exit 1 if anything is
    #[arg(long)]
    check: bool,
    /// How long to wait for another migration to end
    #[arg(long, env = "ROUNDS_LOCK_WAIT", value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    lock_wait: std::time::Duration,
}

/// The newest migration in this binary.
fn newest() -> i32 {
    embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0)
}

/// Refuses a database that this binary must not work on.
pub async fn check_served(client: &Client) -> Result<(), Failure> {
    let refuse = |code, message: String| Failure::new(code, Class::Configuration, message);
    let row = client
        .query_typed_one(
            "SELECT (SELECT max(version)::int FROM rounds_migrations), (SELECT min_binary_schema FROM rounds_schema)",
            &[],
        )
        .await;
    let row = match row {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            return Err(refuse(
                "NOT_OUR_DATABASE",
                "this is not a rounds database: check DATABASE_URL, or run `rounds migrate` once if it is to become one"
                    .into(),
            ));
        }
        row => row.map_err(|error| Failure::from(error).context("cannot read the schema's version"))?,
    };
    let (ours, theirs) = (newest(), row.get::<_, Option<i32>>(0).unwrap_or(0));
    let oldest_served = row.get::<_, Option<i32>>(1).unwrap_or(0);
    if theirs < ours {
        return Err(refuse(
            "SCHEMA_BEHIND",
            format!(
                "the database's schema is at version {theirs} and this binary needs {ours}: run `rounds \
                 migrate`"
            ),
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

/// The command.
pub async fn command(args: &MigrateArgs, dry_run: bool, database: &DatabaseArgs, output: &OutputArgs) -> Exit {
    if dry_run {
        error!("migrate has no --dry-run; --check lists what is pending and changes nothing");
        return Exit::Usage;
    }
    match migrate(args, database).await {
        Ok((pending, applied)) => {
            let json = || json!({ "pending": pending, "applied": applied, "schema": newest() });
            output.print(|| describe(&pending, &applied), json);
            if pending.is_empty() { Exit::Done } else { Exit::Failed }
        }
        Err(failure) => {
            error!(error_code = %failure.code, "migrate: {}", failure.message);
            if failure.class == Class::Configuration { Exit::Usage } else { Exit::Failed }
        }
    }
}

/// Brings a database to this binary's schema; returns the names of the migrations that were applied.
#[cfg(feature = "demo")]
pub async fn apply(database: &DatabaseArgs) -> Result<Vec<String>, Failure> {
    let args = MigrateArgs { check: false, lock_wait: std::time::Duration::from_secs(60) };
    Ok(migrate(&args, database).await?.1)
}

/// Returns the names of the migrations that are still pending, and of those that were applied now.
async fn migrate(args: &MigrateArgs, database: &DatabaseArgs) -> Result<(Vec<String>, Vec<String>), Failure> {
    let db = Db::open(database, "rounds migrate")?;
    let mut client = db.client().await?;
    let client: &mut Client = &mut client;
    let names = |list: &[refinery::Migration]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let runner = || {
        // Grouped: all of them or none. Not aborting on the missing: a database that is ahead is left as it is.
        let mut runner =
            embedded::migrations::runner().set_target(Target::Latest).set_grouped(true).set_abort_missing(false);
        runner.set_migration_table_name(TABLE);
        runner
    };
    if args.check {
        return Ok((names(&pending(client).await?), vec![]));
    }
    let waits = format!("SET lock_timeout = {}", args.lock_wait.as_millis());
    client.batch_execute(&waits).await.map_err(Failure::from)?;
    client
        .execute_typed("SELECT pg_advisory_lock($1)", &[(&LOCK, tokio_postgres::types::Type::INT8)])
        .await
        .map_err(|error| Failure::from(error).context("another migration is at work; nothing was done"))?;
    let report = runner().run_async(client).await.map_err(|error| {
        Failure::from(error).context("the schema was not migrated; correct the cause and run it again")
    })?;
    for migration in report.applied_migrations() {
        info!(migration = %migration, "applied");
    }
    Ok((vec![], names(report.applied_migrations())))
}

/// What is not applied yet, oldest first; asking creates nothing.
async fn pending(client: &mut Client) -> Result<Vec<refinery::Migration>, Failure> {
    let applied = match client.query_typed("SELECT version::int FROM rounds_migrations", &[]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => vec![],
        rows => rows.map_err(Failure::from)?.iter().map(|row| row.get::<_, i32>(0)).collect(),
    };
    let mut pending = embedded::migrations::runner().get_migrations().clone();
    pending.retain(|migration| !applied.contains(&migration.version()));
    pending.sort_by_key(refinery::Migration::version);
    Ok(pending)
}

fn describe(pending: &[String], applied: &[String]) -> String {
    let list = |title: &str, names: &[String]| {
        format!("{title}\n{}", names.iter().map(|n| format!("  {n}\n")).collect::<String>())
    };
    match (pending, applied) {
        ([], []) => format!("The schema is up to date (version {}).", newest()),
        ([], applied) => list("Applied:", applied),
        (pending, _) => list("Pending; run `rounds migrate`:", pending),
    }
}
