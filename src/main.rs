//! `rounds`: run-once jobs for a clinic's operations on PostgreSQL. Parse, init, dispatch, exit.

#![forbid(unsafe_code)]

mod actor;
mod cli;
mod db;
#[cfg(feature = "demo")]
mod demo;
mod exit;
mod jobs;
mod local_time;
mod migrate;
mod ops;
mod outbox;
mod output;
mod redact;
mod run;
mod schedule;
mod schema;
mod table;
mod telemetry;

use std::process::ExitCode;
use std::time::Duration;

use cli::{Cli, Command, Global};
use db::Db;
use exit::Exit;
use ops::{Operation, manual};
use run::Job;

fn main() -> ExitCode {
    let Cli { global, command } = Cli::read();
    telemetry::init(&global.logs, command.log_level());
    // One thread: a run waits for the database, it does not compute.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("timers and sockets");
    let exit = runtime.block_on(dispatch(global, command));
    // A look-up of a name that nobody answers must not keep a process that is done.
    runtime.shutdown_timeout(Duration::from_secs(2));
    exit.into()
}

async fn dispatch(global: Global, command: Command) -> Exit {
    match command {
        Command::MarkNoShows(job) => run(job, global).await,
        Command::StageAlerts(job) => run(job, global).await,
        Command::Prune(job) => run(job, global).await,
        Command::NoShow(args) => ask(args, global).await,
        Command::Alerts(args) => ask(args, global).await,
        Command::Health(args) => ask(args, global).await,
        Command::Runs(args) => ask(args, global).await,
        Command::Migrate(args) => migrate::command(&args, global.run.dry_run, &global.database, &global.output).await,
        Command::Completions(args) => manual::completions(&args, cli::pages()),
        Command::Man(args) => manual::man(&args, cli::pages()),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::command(&args, &global.run).await,
    }
}

async fn run<J: Job>(job: J, global: Global) -> Exit {
    let db = Db::open(&global.database, &format!("rounds/{}", J::NAME));
    let summary = run::execute(&job, &global.run, db).await;
    global.output.print(|| summary.text(), || summary.json());
    summary.exit
}

async fn ask<O: Operation>(operation: O, global: Global) -> Exit {
    ops::command(&operation, &global.database, &global.run, &global.output).await
}
