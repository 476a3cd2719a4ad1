//! The runner of every operator command: the database, read or changed in one transaction, and an output.
//!
//! A command holds no lane and is no run. A command that reads does so in a read-only transaction. A command that
//! changes something does so in one transaction, as an `--actor` who is allowed to, and compares the state on which the
//! decision was made.

mod context;
pub mod explain;
pub mod limit;
pub mod list;
pub mod look;
pub mod notes;
mod signals;
pub mod told;

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tracing::error;

use crate::clients::otlp;
use crate::clients::ping::PingArgs;
use crate::config::ConfigArgs;
use crate::db::{DatabaseArgs, Db, statements};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::log::{LogArgs, is_report_seen};
use crate::output::metrics::{MetricsArgs, Told};
use crate::output::table::{self, Column, Style};
use crate::output::telling::tell;
use crate::output::{self as out, OutputArgs, OutputFormat};
use crate::panic;
use crate::run::{CommonArgs, JobArgs};
use crate::schedule::FileArgs;
pub use context::{CommandContext, Moment, check_known, check_recorded, held, locked};
pub use look::Look;
pub use signals::Signals;

statements! {
    of context, look;
}

/// The options of every command.
#[derive(Args)]
pub struct GlobalArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub schedule: FileArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub metrics: MetricsArgs,
    #[command(flatten)]
    pub ping: PingArgs,
    #[command(flatten)]
    pub logs: LogArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// One command.
pub trait Operation {
    const NAME: &'static str;
    /// The time limit until the output, or until COMMIT is sent; `--timeout` can make it shorter.
    const LIMIT: Duration = Duration::from_secs(30);
    /// Whether a dead man's switch waits for its word.
    const IS_WATCHED: bool = false;

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error>;

    /// The metrics that are written with --metrics when the command fails.
    fn metrics_of_failure(&self) -> Vec<Told> {
        vec![]
    }

    /// The error that is reported when the command fails.
    fn describe_error(&self, error: Error) -> Error {
        error
    }
}

/// An operator command that an option of a job selects.
pub trait Mode: Operation + Sized {
    type Job: Args;

    /// The command if the option is given, else the unchanged arguments.
    fn of(args: Box<JobArgs<Self::Job>>) -> Result<Self, Box<JobArgs<Self::Job>>>;
}

/// The output of a command.
pub struct Output {
    pub exit: Exit,
    pub json: Value,
    pub text: String,
    /// Bytes that are written instead of text or JSON, unchanged where stdout is no terminal.
    pub bytes: Option<Vec<u8>>,
    /// The metrics that are written with --metrics.
    pub metrics: Vec<Told>,
}

impl Output {
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), ..Self::done(Value::Null, String::new()) }
    }

    pub fn done(json: Value, text: String) -> Self {
        Self::new(Exit::Done, json, text)
    }

    pub fn new(exit: Exit, json: Value, text: String) -> Self {
        Self { exit, json, text, bytes: None, metrics: vec![] }
    }
}

/// Executes a command, and prints its output or its error.
pub async fn run_operation<O: Operation>(operation: &O, global: &GlobalArgs) -> Exit {
    let GlobalArgs { database, common, output, metrics, ping, .. } = global;
    let limit = common.timeout.map_or(O::LIMIT, |timeout| timeout.min(O::LIMIT));
    let result = match Db::open(database, &format!("rounds/{}", O::NAME)) {
        Ok(db) => {
            let context = CommandContext { db: &db, args: common, limit, command: O::NAME };
            panic::catch(operation.execute(&context)).await.unwrap_or_else(Err)
        }
        Err(error) => Err(error),
    };
    let (exit, values) = match result.map_err(|error| operation.describe_error(error)) {
        Ok(Output { exit, bytes: Some(bytes), .. }) => (out::print_bytes(exit, &bytes), vec![]),
        Ok(Output { exit, json, text, metrics, .. }) => (output.print(exit, || text, || json), metrics),
        Err(error) => (refuse(O::NAME, &error, output), operation.metrics_of_failure()),
    };
    let mut tellings = metrics.tellings(&values);
    tellings.extend(otlp::tellings(&values));
    if let Some(switch) = O::IS_WATCHED.then(|| ping.switch(O::NAME)).flatten() {
        tellings.push(told::say_verdict(switch, exit, &values));
    }
    tell(tellings);
    exit
}

/// Tells the error of a command, once: where the report shows it, the log does not.
pub fn refuse(command: &str, error: &Error, output: &OutputArgs) -> Exit {
    if output.resolve() != OutputFormat::Json || !is_report_seen() {
        error!(error_code = %error.code, "{command}: {}", error.message);
    }
    let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
    let json = json!({ "ok": false, "error_code": error.code, "error_message": error.message });
    match output.resolve() {
        OutputFormat::Text | OutputFormat::Csv => exit,
        OutputFormat::Json => output.print(exit, String::new, || json),
    }
}

/// A table at most as wide as the terminal, with a last line about what does not fit; or the sentence `empty` if there
/// are no rows.
pub fn listing<'a, C: Into<Column<'a>> + Copy>(names: &[C], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let style = Style { colour: crate::output::colour(), width: table::width() };
    let table = table::lines(names, rows, style);
    let mut text = table.lines.join("\n");
    text.push('\n');
    if let Some(note) = table.note("wider terminal or --output json") {
        text.push_str(&out::folded(&format!("{note}\n")));
    }
    text
}

/// The name of a choice on the command line, which is also its name in the database.
pub fn value_name(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
}

/// The text of a value in a table; it is empty if there is none.
pub fn shown(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}
