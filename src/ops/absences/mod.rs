//! `rounds absences`: what `apply-absences` did for an absence, and what it would do.
//!
//! Rule: both only read. `show` says what the ledgers say; `preview` applies the job's own rule, to an absence of the
//! clinic's table, or to one that is not saved yet, so that a page can ask before it saves it. Both show ids, days and
//! counts, no names.

mod preview;
mod shape;
mod show;

use clap::{Args, Subcommand};

use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::Error;
use crate::jobs::apply_absences::preview as effects;

statements! {
    of effects, shape, show;
}

/// Look at what a doctor's leave did to visits and slots, or would do
#[derive(Args)]
pub struct AbsencesArgs {
    #[command(subcommand)]
    command: AbsencesCommand,
}

#[derive(Subcommand)]
enum AbsencesCommand {
    Show(show::ShowArgs),
    Preview(Box<preview::PreviewArgs>),
}

impl Operation for AbsencesArgs {
    const NAME: &'static str = "absences";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            AbsencesCommand::Show(args) => args.execute(context).await,
            AbsencesCommand::Preview(args) => args.execute(context).await,
        }
    }
}
