//! `rounds no-show`: marks a visit by hand, undoes marks, lists the log of no-shows and counts them; for charge nurses.

mod filter;
mod logs;
mod mark;
mod stats;
mod undo;
mod undone;

use clap::{Args, Subcommand};

use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::Error;

statements! {
    of logs, mark, stats, undo, undone;
}

/// Mark a no-show by hand, or undo marks; look at those that were marked
#[derive(Args)]
pub struct NoShowArgs {
    #[command(subcommand)]
    command: NoShowCommand,
}

#[derive(Subcommand)]
enum NoShowCommand {
    Mark(mark::MarkArgs),
    Undo(undo::UndoArgs),
    Logs(logs::LogsArgs),
    Stats(stats::StatsArgs),
}

impl Operation for NoShowArgs {
    const NAME: &'static str = "no-show";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            NoShowCommand::Mark(args) => args.execute(context).await,
            NoShowCommand::Undo(args) => args.execute(context).await,
            NoShowCommand::Logs(args) => args.execute(context).await,
            NoShowCommand::Stats(args) => args.execute(context).await,
        }
    }
}
