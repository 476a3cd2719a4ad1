//! `rounds version`: the version of the program, and whether the schema of the database fits it.

use clap::Args;
use serde_json::json;

use crate::command::{CommandContext, GlobalArgs, Operation, Output, run_operation};
use crate::db::schema;
use crate::error::Error;
use crate::exit::Exit;

const VERSION: &str = env!("ROUNDS_VERSION");

/// Print the version; with --check, say whether the schema of the database fits it (exit 2 where not)
#[derive(Args, Debug)]
pub struct VersionArgs {
    /// Ask the database for the version of its schema
    #[arg(long)]
    check: bool,
}

pub async fn command(args: &VersionArgs, global: &GlobalArgs) -> Exit {
    if args.check {
        return run_operation(&Check, global).await;
    }
    let json = || json!({ "version": VERSION, "schema_of_program": schema::newest() });
    global.output.print(Exit::Done, || format!("rounds {VERSION}, of schema version {}", schema::newest()), json)
}

struct Check;

impl Operation for Check {
    const NAME: &'static str = "version";

    /// A schema that does not fit is the error of every command.
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let theirs = context.read(async |tx, _| schema::version(tx).await).await?;
        let ours = schema::newest();
        let ahead = if theirs > ours { ": it is newer, and serves this program" } else { "" };
        let text = format!("rounds {VERSION} makes schema version {ours}; the database has version {theirs}{ahead}.");
        let json = json!({ "version": VERSION, "schema_of_program": ours, "schema_of_database": theirs, "fits": true });
        Ok(Output::done(json, text))
    }
}
