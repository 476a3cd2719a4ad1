//! The command line: the sub-commands of `rounds`, and their dispatch.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::{GlobalArgs, refuse, run_operation};
use crate::exit::Exit;
use crate::jobs::{self, JobCommand};
use crate::ops::adopt::AdoptArgs;
use crate::ops::alerts::AlertsArgs;
use crate::ops::check::CheckArgs;
use crate::ops::escalation_rules::EscalationRulesArgs;
use crate::ops::grants::{self, GrantsArgs};
use crate::ops::health::HealthArgs;
use crate::ops::manual::{self, CompletionsArgs, ManArgs};
use crate::ops::migrate::{self, MigrateArgs};
use crate::ops::no_show::NoShowArgs;
use crate::ops::npi::NpiArgs;
use crate::ops::practiceq::PracticeqArgs;
use crate::ops::runs::RunsArgs;
use crate::ops::schedule::{self as plan, ScheduleArgs};
use crate::ops::statements::{self, StatementsArgs};
use crate::output::log::LogLevel;
use crate::schedule;

/// Run-once jobs that keep a clinic running on time.
///
/// A scheduler starts `rounds JOB`; it does the job once on PostgreSQL, records the run in cron_job_runs, and exits:
/// 0 done, nothing to do, or skipped; 1 failed; 2 usage or configuration; 3 done, but some items failed; 4 taken over
/// by another run; 5 brake, too much was due; 75 skipped, with --fail-if-running; 124 deadline passed; 129, 130, 143
/// interrupted.
#[derive(Parser)]
#[command(name = "rounds", version = env!("ROUNDS_VERSION"), subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    #[command(flatten)]
    Job(JobCommand),
    NoShow(NoShowArgs),
    Alerts(AlertsArgs),
    EscalationRules(EscalationRulesArgs),
    Check(CheckArgs),
    Health(HealthArgs),
    Runs(RunsArgs),
    Schedule(ScheduleArgs),
    Npi(NpiArgs),
    Practiceq(PracticeqArgs),
    Migrate(MigrateArgs),
    Adopt(AdoptArgs),
    Grants(GrantsArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    #[command(hide = true)]
    Statements(StatementsArgs),
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoArgs),
}

impl Command {
    pub async fn execute(self, global: GlobalArgs) -> Exit {
        if let Err(error) = jobs::install_schedule(&global.schedule) {
            return refuse("rounds", &error, &global.output);
        }
        match self {
            Self::Job(job) => job.start(&global).await,
            Self::NoShow(args) => run_operation(&args, &global).await,
            Self::Alerts(args) => run_operation(&args, &global).await,
            Self::EscalationRules(args) => run_operation(&args, &global).await,
            Self::Check(args) => run_operation(&args, &global).await,
            Self::Health(args) => run_operation(&args, &global).await,
            Self::Runs(args) => run_operation(&args, &global).await,
            Self::Schedule(args) => plan::schedule(&args, &global.common, &global.output),
            Self::Npi(args) => run_operation(&args, &global).await,
            Self::Practiceq(args) => run_operation(&args, &global).await,
            Self::Migrate(args) => migrate::command(&args, &global).await,
            Self::Adopt(args) => run_operation(&args, &global).await,
            Self::Grants(args) => grants::command(&args, &global),
            Self::Completions(args) => manual::completions(&args, pages()),
            Self::Man(args) => manual::man(&args, pages()),
            Self::Statements(args) => statements::command(&args),
            #[cfg(feature = "demo")]
            Self::Demo(args) => crate::demo::command(&args, global.common).await,
        }
    }

    /// The log level without --log-level. The demo logs errors only, because its tables show the work of its runs.
    pub fn log_level(&self) -> LogLevel {
        match self {
            #[cfg(feature = "demo")]
            Self::Demo(_) => LogLevel::Error,
            _ => LogLevel::Info,
        }
    }
}

impl Cli {
    /// Reads the command line of this process; on bad usage prints the mistake and exits 2.
    pub fn read() -> Self {
        let mut command = with_schedule(Self::command());
        // Only the given sub-command is built; the whole tree is needed only for a message or the help.
        let matches = command.try_get_matches_from_mut(std::env::args_os());
        let mut matches = matches.unwrap_or_else(|_| tree().try_get_matches().unwrap_or_else(|error| exit(error)));
        Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// Prints the mistake in the command line and exits. A surplus word is not repeated, because it is most likely part of
/// a note without quotes, and about a patient.
fn exit(error: clap::Error) -> ! {
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && !word.starts_with("--")
    {
        let message = "a word is left over: put a text of several words in quotes";
        tree().error(ErrorKind::UnknownArgument, message).exit();
    }
    error.exit()
}

/// The command line for the manual, without the help sub-commands, which repeat it.
pub fn pages() -> ClapCommand {
    fn without_help(command: ClapCommand) -> ClapCommand {
        command.disable_help_subcommand(true).mut_subcommands(without_help)
    }
    built(without_help(Cli::command()))
}

/// The whole command line.
fn tree() -> ClapCommand {
    built(Cli::command())
}

/// The given command line with the schedule of each job, completely built.
fn built(command: ClapCommand) -> ClapCommand {
    let mut command = with_schedule(command);
    command.build();
    command
}

/// Adds each job's cadence and deadline to its help.
fn with_schedule(command: ClapCommand) -> ClapCommand {
    command.mut_subcommands(|job| {
        let lines = schedule::default_rows(job.get_name()).map(|row| {
            let lane = if row.lane.is_empty() { String::new() } else { format!(" ({})", row.lane) };
            let deadline = humantime::format_duration(row.deadline);
            format!("Schedule{lane}: {}. Deadline: {deadline}.", row.cadence)
        });
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() { job } else { job.after_help(lines.join("\n")) }
    })
}
