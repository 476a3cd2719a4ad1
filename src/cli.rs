//! The table of contents: what `rounds` can be told.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::db::{DatabaseArgs, Db};
use crate::exit::Exit;
use crate::jobs::advance_billing::AdvanceBilling;
use crate::jobs::escalate_sla::EscalateSla;
use crate::jobs::escalate_tickets::EscalateTickets;
use crate::jobs::mark_no_shows::MarkNoShows;
use crate::jobs::monitor_ticket_sla::MonitorTicketSla;
use crate::jobs::prune::Prune;
use crate::jobs::refresh_npi::RefreshNpi;
use crate::jobs::stage_alerts::StageAlerts;
use crate::jobs::sync_practiceq::SyncPracticeq;
use crate::metrics::{Metrics, MetricsArgs};
use crate::migrate::{self, MigrateArgs};
use crate::ops::alerts::AlertsArgs;
use crate::ops::escalation_rules::EscalationRulesArgs;
use crate::ops::explain::Explain;
use crate::ops::health::HealthArgs;
use crate::ops::manual::{self, CompletionsArgs, ManArgs};
use crate::ops::no_show::NoShowArgs;
use crate::ops::npi::NpiArgs;
use crate::ops::npi_files::NpiFiles;
use crate::ops::practiceq::PracticeqArgs;
use crate::ops::runs::RunsArgs;
use crate::ops::schedule::{self as plan, ScheduleArgs};
use crate::ops::stages::Stages;
use crate::ops::{self, Operation};
use crate::output::OutputArgs;
use crate::run::{self, Job, RunArgs};
use crate::schedule;
use crate::telemetry::{LogArgs, LogLevel};

/// Run-once jobs that keep a clinic running on time.
///
/// A scheduler starts `rounds JOB`; it does the job once on PostgreSQL, records the run in cron_job_runs, and exits:
/// 0 done, nothing to do, or skipped; 1 failed; 2 usage or configuration; 3 done, but some items failed; 4 taken over
/// by another run; 5 brake, too much was due; 75 skipped, with --fail-if-running; 124 deadline passed; 130, 143
/// interrupted.
#[derive(Parser)]
#[command(name = "rounds", version = env!("ROUNDS_VERSION"), subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
pub struct Global {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub metrics: MetricsArgs,
    #[command(flatten)]
    pub logs: LogArgs,
}

#[derive(Subcommand)]
pub enum Command {
    MarkNoShows(MarkNoShows),
    StageAlerts(StageAlerts),
    EscalateSla(EscalateSla),
    MonitorTicketSla(MonitorTicketSla),
    EscalateTickets(EscalateTickets),
    AdvanceBilling(AdvanceBilling),
    RefreshNpi(RefreshNpi),
    SyncPracticeq(SyncPracticeq),
    Prune(Prune),
    NoShow(NoShowArgs),
    Alerts(AlertsArgs),
    EscalationRules(EscalationRulesArgs),
    Health(HealthArgs),
    Runs(RunsArgs),
    Schedule(ScheduleArgs),
    Npi(NpiArgs),
    Practiceq(PracticeqArgs),
    Migrate(MigrateArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoArgs),
}

impl Command {
    /// Does it.
    pub async fn perform(self, global: Global) -> Exit {
        match self {
            Self::MarkNoShows(job) => run(job, global).await,
            Self::StageAlerts(job) => run(job, global).await,
            Self::EscalateSla(job) => match job.explain {
                Some(case) => ask(Explain { job, case }, global).await,
                None => run(job, global).await,
            },
            Self::MonitorTicketSla(job) => run(job, global).await,
            Self::EscalateTickets(job) => run(job, global).await,
            Self::AdvanceBilling(job) if job.is_bare() => ask(Stages { job }, global).await,
            Self::AdvanceBilling(job) => run(job, global).await,
            Self::RefreshNpi(job) if job.list => ask(NpiFiles { job }, global).await,
            Self::RefreshNpi(job) => run(job, global).await,
            Self::SyncPracticeq(job) => run(job, global).await,
            Self::Prune(job) => run(job, global).await,
            Self::NoShow(args) => ask(args, global).await,
            Self::Alerts(args) => ask(args, global).await,
            Self::EscalationRules(args) => ask(args, global).await,
            Self::Health(args) => ask(args, global).await,
            Self::Runs(args) => ask(args, global).await,
            Self::Schedule(args) => plan::schedule(&args, &global.run, &global.output),
            Self::Npi(args) => ask(args, global).await,
            Self::Practiceq(args) => ask(args, global).await,
            Self::Migrate(args) => migrate::command(&args, global.run.dry_run, &global.database, &global.output).await,
            Self::Completions(args) => manual::completions(&args, pages()),
            Self::Man(args) => manual::man(&args, pages()),
            #[cfg(feature = "demo")]
            Self::Demo(args) => crate::demo::command(&args, &global.run).await,
        }
    }

    /// What is logged where --log-level is not given: the demo shows in tables what its runs would log.
    pub fn log_level(&self) -> LogLevel {
        match self {
            #[cfg(feature = "demo")]
            Self::Demo(_) => LogLevel::Error,
            _ => LogLevel::Info,
        }
    }
}

async fn run<J: Job>(job: J, global: Global) -> Exit {
    let db = Db::open(&global.database, &format!("rounds/{}", J::NAME));
    let summary = run::execute(&job, &global.run, db).await;
    global.output.print(|| summary.text(), || summary.json());
    let known = schedule::rows(J::NAME).any(|row| row.lane == summary.lane);
    let job = schedule::name(J::NAME, if known { &summary.lane } else { "" });
    let (processed, failed) = summary.items;
    let healthy = matches!(summary.exit, Exit::Done | Exit::Partial | Exit::Busy);
    let run = Some([summary.duration_ms, processed, failed]);
    global.metrics.write(&[Metrics { job, healthy, run }]);
    summary.exit
}

async fn ask<O: Operation>(operation: O, global: Global) -> Exit {
    ops::command(&operation, &global.database, &global.run, (&global.output, &global.metrics)).await
}

impl Cli {
    /// The command line of this process; on bad usage says what is wrong and exits 2.
    pub fn read() -> Self {
        let mut command = with_schedule(Self::command());
        // Built for what was asked for alone: the whole tree is needed only to say what there is.
        let matches = command.try_get_matches_from_mut(std::env::args_os());
        let mut matches = matches.unwrap_or_else(|_| tree().try_get_matches().unwrap_or_else(|error| exit(error)));
        Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// Says what is wrong with the command line. A word too many is not repeated: most likely it is of a note without quotes,
/// and about a patient.
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

/// The options of a run that no operator's command looks at.
const OF_JOBS: [&str; 10] = [
    "lease",
    "attempts",
    "retry_delay",
    "max_items",
    "batch_rows",
    "source",
    "scheduled_for",
    "unless_succeeded_within",
    "fail_if_running",
    "partial_ok",
];

/// The command line for the manual: without the help commands, which say the same.
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

/// Each job with its schedule, each other command without the options that only jobs have.
fn built(command: ClapCommand) -> ClapCommand {
    let mut command = with_schedule(command);
    command.build();
    let is_job = |command: &ClapCommand| schedule::rows(command.get_name()).next().is_some();
    command.mut_subcommands(|command| if is_job(&command) { command } else { without_job_options(command) })
}

fn without_job_options(command: ClapCommand) -> ClapCommand {
    let command = command.mut_args(|arg| {
        let hide = arg.is_hide_set() || OF_JOBS.contains(&arg.get_id().as_str());
        arg.hide(hide)
    });
    command.mut_subcommands(without_job_options)
}

/// Adds each job's cadence and deadline to its help.
fn with_schedule(command: ClapCommand) -> ClapCommand {
    command.mut_subcommands(|job| {
        let lines = schedule::rows(job.get_name()).map(|row| {
            let lane = if row.lane.is_empty() { String::new() } else { format!(" ({})", row.lane) };
            let deadline = humantime::format_duration(row.deadline);
            format!("Schedule{lane}: {}. Deadline: {deadline}.", row.cadence)
        });
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() { job } else { job.after_help(lines.join("\n")) }
    })
}
