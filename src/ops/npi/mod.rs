//! `rounds npi`: looks up providers in the registry. It is public data, and has nothing of a patient.

mod get;
mod search;
mod verify;

use clap::{Args, Subcommand};

use tokio_postgres::Transaction;

use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::{Error, ErrorKind};

statements! {
    of get, search, verify;
    LOADED() = "SELECT EXISTS (SELECT FROM npi_data) AS loaded";
}

/// Refuses an empty registry, in which everybody would be unknown.
async fn check_loaded(tx: &Transaction<'_>) -> Result<(), Error> {
    if LOADED.one(tx, &[]).await?.get("loaded") {
        return Ok(());
    }
    let message = "the registry of providers is empty: it was never loaded. Run `rounds refresh-npi`";
    Err(Error::new("REGISTRY_EMPTY", ErrorKind::Refused, message))
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
