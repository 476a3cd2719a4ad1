//! The part that every operator command gets: the database, read or changed in one transaction in the name of an actor,
//! and an output.
//!
//! A command holds no lock and is no run. A command that reads does so in a read-only transaction. A command that
//! changes something does so in one transaction, in the name of an `--actor` who may, and compares the state that it
//! was decided on.

mod context;

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tracing::error;

use crate::db::{DatabaseArgs, Db, statements};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::log::LogArgs;
use crate::output::metrics::{Metrics, MetricsArgs};
use crate::output::table::{self, Style};
use crate::output::{OutputArgs, OutputFormat};
use crate::run::{CommonArgs, JobArgs};
pub use context::{CommandContext, Moment, check_known, held, locked};

statements! {
    of context;
}

/// The options of every command.
#[derive(Args)]
pub struct GlobalArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub metrics: MetricsArgs,
    #[command(flatten)]
    pub logs: LogArgs,
}

/// One command.
pub trait Operation {
    const NAME: &'static str;
    /// How long it may take until it is answered, or a COMMIT is sent; `--timeout` can make that shorter.
    const LIMIT: Duration = Duration::from_secs(30);

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error>;

    /// What it says where there is no answer.
    fn unanswered(&self, error: Error) -> Error {
        error
    }
}

/// A command that an option makes of a job.
pub trait Mode: Operation + Sized {
    type Job: Args;

    /// The command, where the option is given; else the arguments as they are.
    fn of(args: Box<JobArgs<Self::Job>>) -> Result<Self, Box<JobArgs<Self::Job>>>;
}

/// What a command says.
pub struct Output {
    pub exit: Exit,
    pub json: Value,
    pub text: String,
    /// Said as it is, whatever --output is.
    pub bytes: Option<Vec<u8>>,
    /// Where they are wanted.
    pub metrics: Vec<Metrics>,
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

/// Performs a command, and prints its answer or why there is none.
pub async fn run_operation<O: Operation>(operation: &O, global: &GlobalArgs) -> Exit {
    let GlobalArgs { database, common, output, metrics, .. } = global;
    let limit = common.timeout.map_or(O::LIMIT, |timeout| timeout.min(O::LIMIT));
    let answer = match Db::open(database, &format!("rounds/{}", O::NAME)) {
        Ok(db) => operation.execute(&CommandContext { db: &db, args: common, limit }).await,
        Err(error) => Err(error),
    };
    match answer.map_err(|error| operation.unanswered(error)) {
        Ok(Output { exit, bytes: Some(bytes), .. }) => {
            output.raw(&bytes);
            exit
        }
        Ok(answer) => {
            output.print(|| answer.text, || answer.json);
            metrics.write(&answer.metrics);
            answer.exit
        }
        Err(error) => {
            error!(error_code = %error.code, "{}: {}", O::NAME, error.message);
            if output.resolve() == OutputFormat::Json {
                let why = json!({ "ok": false, "error_code": error.code, "error_message": error.message });
                output.print(String::new, || why);
            }
            if error.is_usage() { Exit::Usage } else { Exit::Failed }
        }
    }
}

/// A table as wide as the terminal, or a sentence where it would be empty.
pub fn listing(names: &[&str], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let mut text = table::lines(names, rows, Style { colour: crate::output::colour(), fit: true }).join("\n");
    text.push('\n');
    text
}

/// A value in a table: nothing where there is none.
pub fn shown(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}
