//! `rounds migrate`: brings a database to this binary's schema. The migrations are in the binary; no job runs them.
//!
//! Safe to run again, and by several processes at once: with an advisory lock of the session one migrates and the
//! others wait. Because of that lock, only this command needs a direct connection instead of a transaction-mode pooler.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio_postgres::Client;
use tracing::{error, info};

use crate::command::GlobalArgs;
use crate::db::schema;
use crate::db::{DatabaseArgs, Db, statements};
use crate::error::Error;
use crate::exit::Exit;

statements! {
    LOCK_SCHEMA(INT8) = "SELECT pg_advisory_lock($1)";
}

/// The key of the advisory lock, an arbitrary number: "rounds" in ASCII.
const LOCK: i64 = 0x0000_726f_756e_6473;

/// Bring the database to this binary's schema
#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// Change nothing: list what is pending, and exit 1 if anything is
    #[arg(long)]
    check: bool,
    /// How long to wait for another migration to end
    #[arg(long, env = "ROUNDS_LOCK_WAIT", value_name = "DURATION", default_value = "60s", value_parser = lock_wait)]
    lock_wait: Duration,
}

/// Executes the command.
pub async fn command(args: &MigrateArgs, global: &GlobalArgs) -> Exit {
    if global.common.dry_run {
        error!("migrate has no --dry-run; --check lists what is pending and changes nothing");
        return Exit::Usage;
    }
    match migrate(args, &global.database).await {
        Ok((pending, applied)) => {
            let json = || json!({ "pending": pending, "applied": applied, "schema": schema::newest() });
            global.output.print(|| describe(&pending, &applied), json);
            if pending.is_empty() { Exit::Done } else { Exit::Failed }
        }
        Err(error) => {
            error!(error_code = %error.code, "migrate: {}", error.message);
            if error.is_usage() { Exit::Usage } else { Exit::Failed }
        }
    }
}

/// Brings a database to this binary's schema; returns the names of the migrations that were applied.
#[cfg(feature = "demo")]
pub async fn apply(database: &DatabaseArgs) -> Result<Vec<String>, Error> {
    let args = MigrateArgs { check: false, lock_wait: Duration::from_secs(60) };
    Ok(migrate(&args, database).await?.1)
}

/// Returns the names of the migrations that are still pending, and of those that were applied now.
async fn migrate(args: &MigrateArgs, database: &DatabaseArgs) -> Result<(Vec<String>, Vec<String>), Error> {
    let db = Db::open(database, "rounds migrate")?;
    let mut client = db.client().await?;
    let client: &mut Client = &mut client;
    let names = |list: &[refinery::Migration]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    if args.check {
        return Ok((names(&schema::pending(client).await?), vec![]));
    }
    let waits = format!("SET lock_timeout = {}", args.lock_wait.as_millis());
    client.batch_execute(&waits).await.map_err(Error::from)?;
    LOCK_SCHEMA
        .execute(client, &[&LOCK])
        .await
        .map_err(|error| error.context("another migration is at work; nothing was done"))?;
    let report = schema::runner().run_async(client).await.map_err(|error| {
        Error::from(error).context("the schema was not migrated; correct the cause and run it again")
    })?;
    for migration in report.applied_migrations() {
        info!(migration = %migration, "applied");
    }
    Ok((vec![], names(report.applied_migrations())))
}

fn describe(pending: &[String], applied: &[String]) -> String {
    let list = |title: &str, names: &[String]| {
        format!("{title}\n{}", names.iter().map(|n| format!("  {n}\n")).collect::<String>())
    };
    match (pending, applied) {
        ([], []) => format!("The schema is up to date (version {}).", schema::newest()),
        ([], applied) => list("Applied:", applied),
        (pending, _) => list("Pending; run `rounds migrate`:", pending),
    }
}

fn lock_wait(text: &str) -> Result<Duration, String> {
    let wait = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_secs(1)..=Duration::from_secs(3600);
    if range.contains(&wait) { Ok(wait) } else { Err("must be from 1s to 1h".to_owned()) }
}
