//! The operator's commands: each answers one question, or does one thing that a person has decided.
//!
//! They hold no lock and are no runs. What reads does so in a read-only transaction; what changes something does it in one
//! transaction, in the name of an `--actor` who may, and compares the state that it was decided on.

pub mod alerts;
mod desk;
pub mod escalation_rules;
pub mod explain;
pub mod health;
pub mod manual;
pub mod no_show;
pub mod npi;
pub mod npi_files;
pub mod practiceq;
pub mod runs;
pub mod schedule;
pub mod stages;

use std::time::Duration;

use serde_json::{Value, json};
use tracing::error;

use crate::db::{DatabaseArgs, Db};
use crate::exit::Exit;
use crate::metrics::{Metrics, MetricsArgs};
use crate::output::{Output, OutputArgs};
use crate::redact::{Class, Failure};
use crate::run::RunArgs;
use crate::table::{self, Style};
pub use desk::Desk;

/// One command.
pub trait Operation {
    const NAME: &'static str;
    /// How long it may take until it is answered, or a COMMIT is sent; `--timeout` can make that shorter.
    const LIMIT: Duration = Duration::from_secs(30);

    async fn perform(&self, desk: &Desk<'_>) -> Result<Answer, Failure>;

    /// What it says where there is no answer.
    fn unanswered(&self, failure: Failure) -> Failure {
        failure
    }
}

/// What a command says.
pub struct Answer {
    pub exit: Exit,
    pub json: Value,
    pub text: String,
    /// Said as it is, whatever --output is.
    pub bytes: Option<Vec<u8>>,
    /// Where they are wanted.
    pub metrics: Vec<Metrics>,
}

impl Answer {
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
pub async fn command<O: Operation>(
    operation: &O,
    database: &DatabaseArgs,
    run: &RunArgs,
    (output, metrics): (&OutputArgs, &MetricsArgs),
) -> Exit {
    let limit = run.timeout.map_or(O::LIMIT, |timeout| timeout.min(O::LIMIT));
    let answer = match Db::open(database, &format!("rounds/{}", O::NAME)) {
        Ok(db) => operation.perform(&Desk { db: &db, run, limit }).await,
        Err(failure) => Err(failure),
    };
    match answer.map_err(|failure| operation.unanswered(failure)) {
        Ok(Answer { exit, bytes: Some(bytes), .. }) => {
            output.raw(&bytes);
            exit
        }
        Ok(answer) => {
            output.print(|| answer.text, || answer.json);
            metrics.write(&answer.metrics);
            answer.exit
        }
        Err(failure) => {
            error!(error_code = %failure.code, "{}: {}", O::NAME, failure.message);
            if output.resolve() == Output::Json {
                let why = json!({ "ok": false, "error_code": failure.code, "error_message": failure.message });
                output.print(String::new, || why);
            }
            if failure.class == Class::Configuration { Exit::Usage } else { Exit::Failed }
        }
    }
}

/// A table as wide as the terminal, or a sentence where it would be empty.
fn listing(names: &[&str], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let mut text = table::lines(names, rows, Style { colour: crate::output::colour(), fit: true }).join("\n");
    text.push('\n');
    text
}

/// A value in a table: nothing where there is none.
fn shown(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}
