//! `rounds npi`: looks up providers in the registry. It is public data, and has nothing of a patient.

mod get;
mod loaded;
mod search;
mod verify;

use clap::{Args, Subcommand};

use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::Error;

statements! {
    of get, loaded, search, verify;
}

/// Look up providers in the national registry
#[derive(Args, Debug)]
pub struct NpiArgs {
    #[command(subcommand)]
    command: NpiCommand,
}

#[derive(Subcommand, Debug)]
enum NpiCommand {
    Search(search::SearchArgs),
    Get(get::GetArgs),
    Verify(verify::VerifyArgs),
}

impl Operation for NpiArgs {
    const NAME: &'static str = "npi";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            NpiCommand::Search(args) => args.execute(context).await,
            NpiCommand::Get(args) => args.execute(context).await,
            NpiCommand::Verify(args) => args.execute(context).await,
        }
    }
}
