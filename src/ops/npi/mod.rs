//! `rounds npi`: looks up providers in the registry, and watches some. It is public data, and has nothing of a patient.

mod asked;
mod filters;
mod get;
mod loaded;
mod search;
mod verify;
mod watch;

use clap::{Args, Subcommand};

use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::Error;

statements! {
    of get, loaded, search, verify, watch;
}

/// Look up providers in the national registry, and watch some of them
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
    Watch(watch::WatchArgs),
}

impl Operation for NpiArgs {
    const NAME: &'static str = "npi";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            NpiCommand::Search(args) => args.execute(context).await,
            NpiCommand::Get(args) => args.execute(context).await,
            NpiCommand::Verify(args) => args.execute(context).await,
            NpiCommand::Watch(args) => args.execute(context).await,
        }
    }
}
