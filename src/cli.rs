//! The command line: the sub-commands of `rounds`, and their dispatch.

mod environment;

use std::collections::HashSet;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing::warn;

use crate::command::{GlobalArgs, refuse, run_operation};
use crate::config::{self, Settings};
use crate::error::Error;
use crate::exit::Exit;
use crate::jobs::{self, JobCommand};
use crate::ops::absences::AbsencesArgs;
use crate::ops::actors::ActorsArgs;
use crate::ops::adopt::AdoptArgs;
use crate::ops::alerts::AlertsArgs;
use crate::ops::check::CheckArgs;
use crate::ops::completions::{self, CompletionsArgs};
use crate::ops::config::{self as settings, ConfigCommandArgs};
use crate::ops::escalation_rules::EscalationRulesArgs;
use crate::ops::grants::{self, GrantsArgs};
use crate::ops::health::HealthArgs;
use crate::ops::help::{self, HelpArgs};
use crate::ops::manual::{self, ManArgs};
use crate::ops::migrate::{self, MigrateArgs};
use crate::ops::no_show::NoShowArgs;
use crate::ops::notifications::NotificationsArgs;
use crate::ops::npi::NpiArgs;
use crate::ops::pauses::{PauseArgs, ResumeArgs};
use crate::ops::practiceq::PracticeqArgs;
use crate::ops::report::ReportArgs;
use crate::ops::runs::{self, RunsArgs};
use crate::ops::schedule::{self as plan, ScheduleArgs};
use crate::ops::statements::{self, StatementsArgs};
use crate::ops::version::{self, VersionArgs};
use crate::output::log::LogLevel;
use crate::output::{JobName, asked};
use crate::schedule;

/// Run-once jobs that keep a clinic running on time.
///
/// A scheduler starts `rounds JOB`; it does the job once on PostgreSQL, records the run in cron_job_runs, and exits:
/// 0 done, nothing to do, or skipped; 1 failed; 2 usage or configuration; 3 done, but some items failed; 4 taken over
/// by another run; 5 brake, too much was due; 75 skipped, with --fail-if-running; 124 deadline passed; 129, 130, 143
/// interrupted.
#[derive(Parser)]
#[command(name = "rounds", version = env!("ROUNDS_VERSION"), subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
    /// Why the files of settings cannot be used.
    #[arg(skip)]
    pub refused: Option<Error>,
}

#[derive(Subcommand)]
pub enum Command {
    #[command(flatten)]
    Job(JobCommand),
    NoShow(NoShowArgs),
    Alerts(AlertsArgs),
    Absences(AbsencesArgs),
    Notifications(NotificationsArgs),
    EscalationRules(EscalationRulesArgs),
    Check(CheckArgs),
    Health(HealthArgs),
    Runs(RunsArgs),
    Report(ReportArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Schedule(ScheduleArgs),
    Npi(NpiArgs),
    Practiceq(PracticeqArgs),
    Migrate(MigrateArgs),
    Actors(ActorsArgs),
    Adopt(AdoptArgs),
    Grants(GrantsArgs),
    Config(ConfigCommandArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    Version(VersionArgs),
    Help(HelpArgs),
    #[command(hide = true)]
    Statements(StatementsArgs),
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoArgs),
    #[cfg(feature = "demo")]
    Seed(crate::demo::seed::SeedArgs),
}

impl Command {
    /// Executes the command, unless the files of settings were refused.
    pub async fn execute(self, global: GlobalArgs, refused: Option<Error>) -> Exit {
        if let Some(error) = refused {
            return refuse("rounds", &error, &global.output);
        }
        match jobs::install_schedule(&global.schedule) {
            Err(error) if self.goes_on_without_schedule() => {
                warn!(error_code = %error.code, "{}; this command goes on without it", error.message);
            }
            Err(error) => return refuse("rounds", &error, &global.output),
            Ok(()) => {}
        }
        match self {
            Self::Job(job) => job.start(&global).await,
            Self::NoShow(args) => run_operation(&args, &global).await,
            Self::Alerts(args) => run_operation(&args, &global).await,
            Self::Absences(args) => run_operation(&args, &global).await,
            Self::Notifications(args) => run_operation(&args, &global).await,
            Self::EscalationRules(args) => run_operation(&args, &global).await,
            Self::Check(args) => run_operation(&args, &global).await,
            Self::Health(args) => run_operation(&args, &global).await,
            Self::Runs(args) => runs::command(&args, &global).await,
            Self::Report(args) => run_operation(&args, &global).await,
            Self::Pause(args) => run_operation(&args, &global).await,
            Self::Resume(args) => run_operation(&args, &global).await,
            Self::Schedule(args) => plan::schedule(&args, &global.common, &global.output),
            Self::Npi(args) => run_operation(&args, &global).await,
            Self::Practiceq(args) => run_operation(&args, &global).await,
            Self::Migrate(args) => migrate::command(&args, &global).await,
            Self::Actors(args) => run_operation(&args, &global).await,
            Self::Adopt(args) => run_operation(&args, &global).await,
            Self::Grants(args) => grants::command(&args, &global).await,
            Self::Config(args) => settings::command(&args, &Cli::command(), &given(), &global.output),
            Self::Completions(args) => completions::command(&args, pages(), &global.output),
            Self::Man(args) => manual::man(&args, pages()),
            Self::Version(args) => version::command(&args, &global).await,
            Self::Help(args) => help::command(&args, tree(), &global.output),
            Self::Statements(args) => statements::command(&args),
            #[cfg(feature = "demo")]
            Self::Demo(args) => crate::demo::command(&args, global.common).await,
            #[cfg(feature = "demo")]
            Self::Seed(args) => crate::demo::seed::command(&args, &global).await,
        }
    }

    /// Whether a schedule that cannot be read stops it. A broken file must not keep anybody from stopping everything,
    /// nor from finding out what happened.
    fn goes_on_without_schedule(&self) -> bool {
        match self {
            Self::Pause(args) => !args.names_a_job(),
            Self::Resume(args) => !args.names_a_job(),
            Self::Actors(_) | Self::Migrate(_) | Self::Runs(_) | Self::Version(_) | Self::Help(_) | Self::Config(_) => {
                true
            }
            _ => false,
        }
    }

    /// The log level without --log-level, if the command has one of its own. The demo logs errors only, because its
    /// tables show the work of its runs.
    pub fn log_level(&self) -> Option<LogLevel> {
        match self {
            #[cfg(feature = "demo")]
            Self::Demo(_) => Some(LogLevel::Error),
            _ => None,
        }
    }
}

impl Cli {
    /// Reads the command line of this process; on bad usage prints the mistake and exits 2.
    pub fn read() -> Self {
        let none = Settings::default();
        let matches = parsed(&none, &HashSet::new()).unwrap_or_else(|error| exit(error));
        if let Some(message) = environment::secret_argument(&matches) {
            tree().error(ErrorKind::ValueValidation, message).exit();
        }
        let (mut matches, refused) = match configured(&matches) {
            Ok(configured) => (configured.unwrap_or(matches), None),
            Err(error) => (matches, Some(error)),
        };
        let mut command = Self::command();
        let cli = Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit());
        let cli = Self { refused, ..cli };
        if let Err(message) = cli.global.metrics.check() {
            tree().error(ErrorKind::ValueValidation, message).exit();
        }
        let named = cli.global.metrics.metrics_job_name.iter().filter_map(JobName::job);
        if let Some(job) = named.into_iter().find(|job| !schedule::is_known(job)) {
            let known = schedule::known();
            let message = format!("--metrics-job-name: no job in the schedule is called {job}; there are {known}");
            tree().error(ErrorKind::ValueValidation, message).exit();
        }
        cli
    }
}

/// The command line of this process, with the settings of files, but for those keys.
fn parsed(settings: &Settings, without: &HashSet<String>) -> Result<ArgMatches, clap::Error> {
    // Only the given sub-command is built; the whole tree is needed only for a message or the help.
    let bare = || settings.applied(coloured(Cli::command()), &[], without);
    let matches = with_schedule(bare()).try_get_matches_from_mut(std::env::args_os());
    let is_clear = |matches: &ArgMatches| !environment::is_in_the_way(matches);
    matches.ok().filter(is_clear).map_or_else(|| environment::matches(&|| built(bare())), Ok)
}

/// What was given on the command line of this process.
fn given() -> ArgMatches {
    parsed(&Settings::default(), &HashSet::new()).unwrap_or_else(|error| exit(error))
}

/// The command line with the settings of the files; None where there is none. A command that asks nobody reads none, so
/// that it can say what is wrong with them.
fn configured(matches: &ArgMatches) -> Result<Option<ArgMatches>, Error> {
    let asks_nobody = match matches.subcommand() {
        Some(("help" | "man" | "completions", _)) => true,
        Some(("version", version)) => !version.get_flag("check"),
        _ => false,
    };
    if asks_nobody {
        return Ok(None);
    }
    let chosen = matches.get_one::<PathBuf>("config").map(PathBuf::as_path);
    let settings = config::read(chosen, |name| std::env::var_os(name))?;
    if settings.has_no_file() {
        return Ok(None);
    }
    config::check(&settings, &Cli::command(), environment::is_secret)?;
    let settings = config::install(settings);
    Ok(Some(parsed(settings, &config::excluded(matches)).unwrap_or_else(|error| exit(error))))
}

/// Prints the mistake in the command line and exits; the help where nothing was given, whatever variables there are. A
/// surplus word is not repeated, because it is most likely part of
/// a note without quotes, and about a patient.
fn exit(error: clap::Error) -> ! {
    if error.kind() == ErrorKind::MissingSubcommand && std::env::args_os().len() == 1 {
        eprint!("{}", tree().render_help());
        std::process::exit(error.exit_code());
    }
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && !is_option(word)
    {
        let message = "a word is left over: put a text of several words in quotes";
        tree().error(ErrorKind::UnknownArgument, message).exit();
    }
    error.exit()
}

/// Whether a word looks like an option: `--word`, or `-` and one letter.
fn is_option(word: &str) -> bool {
    let one_letter = || word.strip_prefix('-').is_some_and(|letter| letter.chars().count() == 1);
    word.starts_with("--") || one_letter()
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
    built(coloured(Cli::command()))
}

/// The command with the colours of its help and its mistakes, which it prints before its arguments are known.
fn coloured(command: ClapCommand) -> ClapCommand {
    command.color(asked(std::env::args_os(), std::env::var("ROUNDS_COLOR").ok()).of_help())
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

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::time::Duration;

    use clap::{Arg, ArgAction};

    use super::*;
    use crate::ops::groups::{GROUPS, WITHOUT_ROLE};

    /// The words of libraries on a value that they cannot read, which no person would use.
    const OF_RUST: [&str; 18] = [
        "invalid digit",
        "entity not found",
        "float literal",
        "provided string was not",
        "not a boolean",
        "target type",
        "cannot parse",
        "relative URL",
        "empty host",
        "is not in ",
        "expected number at",
        "invalid character at",
        "time unit needed",
        "unknown time unit",
        "premature end",
        "input contains invalid",
        "ParseError",
        "UUID",
    ];
    /// A word, nothing, numbers that are too small, too large or broken, bytes that are no word.
    const GARBAGE: [&str; 8] =
        ["gar bage", "", "-5", "99999999999999999999999", "1.5", "7 parsecs", "\u{1}", "/nowhere/x"];

    /// A command on which each flag with a variable takes its value as that does.
    fn with_values(command: ClapCommand) -> ClapCommand {
        let takes_value = |arg: Arg| match (arg.get_action(), arg.get_env()) {
            (ArgAction::SetTrue, Some(_)) => arg.action(ArgAction::Set).num_args(1),
            _ => arg,
        };
        command.mut_args(takes_value).mut_subcommands(with_values)
    }

    fn options(command: &ClapCommand, path: &[String], to: &mut Vec<(Vec<String>, Arg)>) {
        let own = command.get_arguments().filter(|arg| path.len() == 1 || !arg.is_global_set());
        let own = own.filter(|arg| arg.get_action().takes_values());
        to.extend(own.map(|arg| (path.to_vec(), arg.clone())));
        for sub in command.get_subcommands() {
            options(sub, &[path, &[sub.get_name().to_owned()]].concat(), to);
        }
    }

    #[test]
    fn every_option_says_in_words_what_it_expects() {
        let command = with_values(environment::without(Cli::command(), &|_| false));
        let mut all = vec![];
        options(&command, &["rounds".to_owned()], &mut all);
        assert!(all.len() > 100, "{}", all.len());
        let (mut refused, mut wrong) = (0, vec![]);
        for (path, arg) in &all {
            for garbage in GARBAGE {
                let words = match arg.get_long() {
                    Some(long) => vec![format!("--{long}={garbage}")],
                    None => vec!["--".to_owned(), garbage.to_owned()],
                };
                let Err(error) = command.clone().try_get_matches_from(path.iter().chain(&words)) else { continue };
                let text = error.to_string();
                refused += usize::from(error.kind() == ErrorKind::ValueValidation);
                // A quotation by clap is the person's own word.
                let said = text.split("': ").nth(1).unwrap_or(&text);
                wrong.extend(
                    OF_RUST.iter().filter(|word| said.contains(**word)).map(|_| format!("{path:?} {words:?}: {text}")),
                );
            }
        }
        assert!(refused > 200, "values are refused: {refused}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn each_command_is_a_job_or_one_groups_or_needs_no_role_of_its_own() {
        let words = |command: &ClapCommand| command.get_name().to_owned();
        for name in Cli::command().get_subcommands().map(words).filter(|name| name != "help") {
            let groups = GROUPS.iter().filter(|group| group.commands.contains(&&*name)).count();
            let others = usize::from(jobs::NAMES.contains(&&*name)) + usize::from(WITHOUT_ROLE.contains(&&*name));
            assert_eq!(groups + others, 1, "{name}: src/ops/groups.rs");
        }
    }

    /// The options and arguments of a command and of those below it, each with the command's name.
    fn arguments(command: &ClapCommand, above: &str) -> Vec<(String, Arg)> {
        let name = format!("{above}{} ", command.get_name());
        let own = command.get_arguments().map(|arg| (format!("{name}{arg}"), arg.clone()));
        own.chain(command.get_subcommands().flat_map(|below| arguments(below, &name))).collect()
    }

    /// The message with which the argument refuses a value; None if it takes it.
    fn refusal(arg: &Arg, value: &str) -> Option<String> {
        let alone = Arg::new("value").long("value").value_parser(arg.get_value_parser().clone());
        let command = ClapCommand::new("test").arg(alone);
        let refused = command.try_get_matches_from(["test", &format!("--value={value}")]).err()?;
        assert_eq!((refused.kind(), refused.exit_code()), (ErrorKind::ValueValidation, 2), "{value}: {refused}");
        Some(refused.to_string())
    }

    #[test]
    fn every_duration_and_number_has_bounds_and_names_them() {
        let (duration, share) = (TypeId::of::<Duration>(), TypeId::of::<f64>());
        let whole = [
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i16>(),
            TypeId::of::<i32>(),
            TypeId::of::<i64>(),
        ];
        let (mut durations, mut numbers) = (0, 0);
        // An id is what somebody gave, up to the end of its type.
        let is_id = |arg: &Arg| {
            arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.ends_with("_ID") || name == "NPI"))
        };
        for (name, arg) in arguments(&tree(), "").into_iter().filter(|(_, arg)| !is_id(arg)) {
            let kind = arg.get_value_parser().type_id();
            let (values, bound): (&[&str], &str) = match () {
                () if kind == duration => (&["300000y", "101y", "18446744073709551615y"], "must be "),
                () if kind == share => (&["1e300", "-1e300", "NaN", "inf"], "must be from"),
                () if whole.iter().any(|whole| kind == *whole) => (&["9000000000000000000", "3000000000"], " from "),
                () => continue,
            };
            durations += u32::from(kind == duration);
            numbers += u32::from(kind != duration);
            for value in values {
                let message = refusal(&arg, value);
                assert!(message.as_ref().is_some_and(|text| text.contains(bound)), "{name} with {value}: {message:?}");
            }
        }
        assert!(durations > 60 && numbers > 40, "{durations} durations and {numbers} numbers are not all");
    }
}
