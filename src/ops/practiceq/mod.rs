//! `rounds practiceq`: a person decides about the appointments that the sync could not match, and about patients whom it
//! cannot find; sees which visits are to come, and how the sync does.

mod clients;
mod corrected;
mod decision;
mod ignore;
mod link;
mod patients;
mod reopen;
mod report;
mod staff;
mod unmatched;
mod visits;

use clap::{Args, Subcommand};

use crate::command::{CommandContext, Operation, Output};
use crate::error::Error;

crate::db::statements! {
    of clients, corrected, decision, ignore, link, patients, reopen, report, staff, unmatched, visits;
}

/// Decide whose an appointment is where the sync could not tell; see what is to come, and how the sync does
#[derive(Args)]
pub struct PracticeqArgs {
    #[command(subcommand)]
    command: PracticeqCommand,
}

#[derive(Subcommand)]
enum PracticeqCommand {
    Unmatched(unmatched::UnmatchedArgs),
    Clients(clients::ClientsArgs),
    Visits(visits::VisitsArgs),
    Patients(patients::PatientsArgs),
    Report(report::ReportArgs),
}

impl Operation for PracticeqArgs {
    const NAME: &'static str = "practiceq";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            PracticeqCommand::Unmatched(args) => args.execute(context).await,
            PracticeqCommand::Clients(args) => args.execute(context).await,
            PracticeqCommand::Visits(args) => args.execute(context).await,
            PracticeqCommand::Patients(args) => args.execute(context).await,
            PracticeqCommand::Report(args) => args.execute(context).await,
        }
    }
}
