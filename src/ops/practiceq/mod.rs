//! `rounds practiceq`: a person decides about the appointments that the sync could not match, and about patients whom it
//! cannot find, and sees how the sync does.

mod patients;
mod report;
mod unmatched;

use clap::{Args, Subcommand};

use crate::command::{CommandContext, Operation, Output};
use crate::error::Error;

crate::db::statements! {
    of patients, report, unmatched;
}

/// Decide whose an appointment is where the sync could not tell; see how the sync does
#[derive(Args)]
pub struct PracticeqArgs {
    #[command(subcommand)]
    command: PracticeqCommand,
}

#[derive(Subcommand)]
enum PracticeqCommand {
    Unmatched(unmatched::UnmatchedArgs),
    Patients(patients::PatientsArgs),
    Report(report::ReportArgs),
}

impl Operation for PracticeqArgs {
    const NAME: &'static str = "practiceq";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            PracticeqCommand::Unmatched(args) => args.execute(context).await,
            PracticeqCommand::Patients(args) => args.execute(context).await,
            PracticeqCommand::Report(args) => args.execute(context).await,
        }
    }
}
