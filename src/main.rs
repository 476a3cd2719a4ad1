//! `rounds`: run-once jobs for a clinic's operations on PostgreSQL. The program parses, initialises, dispatches and
//! exits.

#![forbid(unsafe_code)]

mod arg;
mod cli;
mod clients;
mod clinic;
mod command;
mod config;
mod db;
#[cfg(feature = "demo")]
mod demo;
mod error;
mod exit;
mod file;
mod jobs;
mod json;
mod machine;
mod ops;
mod output;
mod panic;
mod retry;
mod run;
mod schedule;
mod systemd;
mod time_zone;
mod trace;

use std::process::ExitCode;
use std::time::Duration;

use cli::Cli;
use exit::Exit;

fn main() -> ExitCode {
    let Cli { global, command, refused } = Cli::read();
    output::choose(global.output.color);
    output::log::init(&global.logs, &global.output, command.log_level());
    panic::install_hook();
    // One thread is enough, because a run waits for the database and does not compute.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("timers and sockets");
    let exit = runtime.block_on(panic::catch(command.execute(global, refused))).unwrap_or(Exit::Failed);
    // A DNS lookup without an answer must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(2));
    exit.into()
}
