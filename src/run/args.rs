//! The options of every command, and the additional options of every job.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, FromArgMatches as _, ValueEnum};
use serde::Serialize;
use tokio::time::Instant;

use crate::arg::{duration_within, positive_duration, truth, whole};
use crate::clinic::messages::{ENDPOINT_FORM, is_endpoint};
use crate::config;
use crate::db::Key;
use crate::error::{Error, ErrorKind};
use crate::retry::Retry;

/// The variable that allows effects at an instant other than the database's: for tests, the demo and a replay.
const ALLOW_AS_OF: &str = "ROUNDS_ALLOW_AS_OF";
pub const MAX_ITEMS: u32 = 100_000;
const LEASE: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(3600);
/// The longest time of a run, a week. The server's `statement_timeout` ends at 24 days.
const TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest wait before a second try. `Retry` waits a minute at most.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(3600);

// Options of every command that looks at the clinic or changes it. A doc comment would become the help of each.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[command(next_help_heading = "Run")]
pub struct CommonArgs {
    /// Stop the run after this long [default: the job's deadline]
    #[arg(long, global = true, env = "ROUNDS_TIMEOUT", value_name = "DURATION", value_parser = timeout)]
    #[serde(serialize_with = "as_text")]
    pub timeout: Option<Duration>,
    /// Do everything and roll it back: the report is exact, and nothing is changed or recorded
    #[arg(long, global = true, env = "ROUNDS_DRY_RUN", value_parser = truth)]
    #[serde(skip)]
    pub dry_run: bool,
    /// Decide as if it were this instant (RFC 3339); with effects only where ROUNDS_ALLOW_AS_OF=1 is set,
    /// and never of prune
    #[arg(long, global = true, env = "ROUNDS_AS_OF", value_name = "INSTANT", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// The user who starts it by hand: recorded with the run, which is manual then, and in what it writes. A claim that
    /// anybody with the database URL can make, but where the login is bound to a user (rounds actors)
    #[arg(long, global = true, env = "ROUNDS_ACTOR", value_name = "USER_ID")]
    #[serde(skip)]
    pub actor: Option<Key>,
    /// Effects at another instant are the purpose of this run. Only code that owns its database sets it; no option
    /// does.
    #[arg(skip)]
    #[serde(skip)]
    replay: bool,
}

// Options of every job.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// These options stand before or behind the job's name; the options below stand behind it.
    #[arg(skip)]
    #[serde(flatten)]
    pub common: CommonArgs,
    /// The number of changed items that a dry run names: `--list` of the jobs that can say why.
    #[arg(skip)]
    #[serde(skip)]
    pub list: Option<u32>,
    /// Take over a run whose last heartbeat is older than this, at least 2s
    #[arg(long, env = "ROUNDS_LEASE", value_name = "DURATION", default_value = "60s", value_parser = lease)]
    #[serde(skip)]
    pub lease: Duration,
    /// How many times a transaction is tried when the connection or the server fails
    #[arg(long, env = "ROUNDS_ATTEMPTS", value_name = "N", default_value_t = 3)]
    #[arg(value_parser = whole::<u32>(1..=20))]
    #[serde(skip)]
    pub attempts: u32,
    /// The wait before the second try; it doubles with each
    #[arg(long, env = "ROUNDS_RETRY_DELAY", value_name = "DURATION", default_value = "5s")]
    #[arg(value_parser = retry_delay)]
    #[serde(skip)]
    pub retry_delay: Duration,
    /// The brake: when more than this many items are due, change nothing and exit 5 [default: 100000, or the job's own]
    #[arg(long, env = "ROUNDS_MAX_ITEMS", value_name = "N")]
    #[arg(value_parser = whole::<u32>(1..=10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// Of a job that tells people: how many items a lane may find due that has never completed a run; above it the
    /// run brakes, unless --max-items is given
    #[arg(long, env = "ROUNDS_FIRST_RUN_MAX", value_name = "N", default_value_t = 100)]
    #[arg(value_parser = whole::<u32>(0..=10_000_000))]
    #[serde(skip)]
    pub first_run_max: u32,
    /// How many rows one transaction changes
    #[arg(long, env = "ROUNDS_BATCH_ROWS", value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = whole::<u32>(1..=5000))]
    pub batch_rows: u32,
    /// Try also what the database refused lately and what waits for its next try
    #[arg(long, env = "ROUNDS_RETRY_REFUSED", value_parser = truth)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retry_refused: bool,
    /// Who started the run, for the record
    #[arg(long, env = "ROUNDS_SOURCE", value_enum, default_value_t = Source::Manual)]
    #[serde(skip)]
    pub source: Source,
    /// The slot of the schedule that the run is for (RFC 3339), for the record
    #[arg(long, env = "ROUNDS_SCHEDULED_FOR", value_name = "INSTANT", value_parser = instant)]
    #[serde(skip)]
    pub scheduled_for: Option<DateTime<Utc>>,
    /// Skip the run if one of the job succeeded, or was stopped by its brake, at most this long ago: for a scheduler that
    /// stands in for another
    #[arg(long, env = "ROUNDS_UNLESS_SUCCEEDED_WITHIN", value_name = "DURATION", value_parser = positive_duration)]
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub unless_succeeded_within: Option<Duration>,
    /// Run although a person has paused the job: needs --actor, who is recorded with the run
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub even_if_paused: bool,
    /// A later timeline of the same server is a standby that was promoted, and no restored backup: for clusters that
    /// fail over by themselves
    #[arg(long, env = "ROUNDS_TRUST_PROMOTIONS", value_parser = truth)]
    #[serde(skip)]
    pub trust_promotions: bool,
    /// Tell this endpoint of webhooks, too, when the job keeps failing and when it works again: a name of the file of
    /// --webhook-endpoints, such as pager
    #[arg(long, env = "ROUNDS_FAILURE_WEBHOOK", value_name = "ENDPOINT", value_parser = endpoint)]
    #[serde(skip)]
    pub failure_webhook: Option<String>,
    /// Exit 75 instead of 0 when another run of the job is at work
    #[arg(long, env = "ROUNDS_FAIL_IF_RUNNING", value_parser = truth)]
    #[serde(skip)]
    pub fail_if_running: bool,
    /// Exit 0 instead of 3 when some items failed, for schedulers that know only success and failure
    #[arg(long, env = "ROUNDS_PARTIAL_OK", value_parser = truth)]
    #[serde(skip)]
    pub partial_ok: bool,
}

// A job's own options, and the options of every job. A doc comment would become the help of each job.
#[derive(Args)]
pub struct JobArgs<J: Args> {
    #[command(flatten)]
    pub job: J,
    #[command(flatten)]
    pub run: RunArgs,
}

impl<J: Args> JobArgs<J> {
    /// The options with which a scheduler starts a lane of a job, beside those of the environment and of files. The error
    /// is clap's message.
    pub fn scheduled(job: &str, args: &[&str], common: CommonArgs) -> Result<Self, String> {
        let command = || Self::augment_args(clap::Command::new("rounds"));
        let matches = config::matches(command, &[job.to_owned()], &[&["rounds"], args].concat());
        let args = matches.and_then(|matches| Self::from_arg_matches(&matches));
        args.map(|args| args.with(&common)).map_err(|error| error.kind().to_string())
    }

    pub fn with(self, common: &CommonArgs) -> Self {
        Self { run: RunArgs { common: common.clone(), ..self.run }, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    Cron,
    Manual,
    External,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cron => "cron",
            Self::Manual => "manual",
            Self::External => "external",
        }
    }
}

impl CommonArgs {
    /// Refuses effects at an instant other than now, unless they are allowed.
    pub fn check(&self) -> Result<(), Error> {
        let allowed = self.replay || std::env::var(ALLOW_AS_OF).is_ok_and(|value| value == "1");
        if self.as_of.is_some() && !self.dry_run && !allowed {
            return Err(Error::new(
                "AS_OF_NOT_ALLOWED",
                ErrorKind::Refused,
                format!("--as-of would change rows at a time that is not now: add --dry-run, or set {ALLOW_AS_OF}=1"),
            ));
        }
        Ok(())
    }
}

impl RunArgs {
    /// Refuses options that are wrong in combination.
    pub fn check(&self) -> Result<(), Error> {
        if self.list.is_some() && !self.common.dry_run {
            let message = "--list says what a run would do: add --dry-run".to_owned();
            return Err(Error::new("USAGE", ErrorKind::BadRequest, message));
        }
        self.common.check()
    }

    /// The defaults and the values of the environment.
    #[cfg(feature = "demo")]
    pub fn with_defaults(common: CommonArgs) -> Self {
        let matches = Self::augment_args(clap::Command::new("run")).get_matches_from(["run"]);
        let args = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        Self { common, ..args }
    }

    /// These options as a scheduler would have given them at that instant. Only for a database that the caller owns.
    #[cfg(feature = "demo")]
    pub fn replay(&self, instant: DateTime<Utc>) -> Self {
        let common = CommonArgs { as_of: Some(instant), replay: true, ..self.common.clone() };
        Self { common, scheduled_for: Some(instant), source: Source::Cron, ..self.clone() }
    }

    /// These options with the actor that was found: a login may be bound to a user.
    pub fn of(&self, actor: Option<&Key>) -> Self {
        let common = CommonArgs { actor: actor.cloned(), ..self.common.clone() };
        Self { common, ..self.clone() }
    }

    /// The source to be recorded. A run with an actor is manual.
    pub fn recorded_source(&self) -> Source {
        if self.common.actor.is_some() { Source::Manual } else { self.source }
    }

    /// The number of items that may be due, for a job that has no limit of its own.
    pub fn brake(&self) -> u32 {
        self.max_items.unwrap_or(MAX_ITEMS)
    }

    /// The attempts of an action whose time ends then.
    pub fn retry(&self, until: Option<Instant>) -> Retry {
        Retry { attempts: self.attempts, delay: self.retry_delay, until }
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    if is_endpoint(text) { Ok(text.to_owned()) } else { Err(format!("must be {ENDPOINT_FORM}")) }
}

pub fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.to_utc())
        .map_err(|_| "an instant looks like 2026-03-02T09:15:00-05:00".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(1)..=TIMEOUT_MAX)
}

fn retry_delay(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=RETRY_DELAY_MAX)
}

fn lease(text: &str) -> Result<Duration, String> {
    duration_within(text, LEASE)
}

/// A duration in a run's recorded arguments.
pub fn as_text<S: serde::Serializer>(
    duration: &(impl Into<Option<Duration>> + Copy),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match (*duration).into() {
        Some(duration) => serializer.collect_str(&humantime::format_duration(duration)),
        None => serializer.serialize_none(),
    }
}
