//! `rounds practiceq`: what the sync could not decide, for a person who can; and how the sync does.

mod report;
mod unmatched;

use clap::{Args, Subcommand};

use super::{Answer, Desk, Operation};
use crate::redact::Failure;

/// Decide whose an appointment is where the sync could not tell; see how the sync does
#[derive(Args)]
pub struct PracticeqArgs {
    #[command(subcommand)]
    command: PracticeqCommand,
}

#[derive(Subcommand)]
enum PracticeqCommand {
    Unmatched(unmatched::UnmatchedArgs),
    Report(report::ReportArgs),
}

impl Operation for PracticeqArgs {
    const NAME: &'static str = "practiceq";

    async fn perform(&self, desk: &Desk<'_>) -> Result<Answer, Failure> {
        match &self.command {
            PracticeqCommand::Unmatched(args) => args.perform(desk).await,
            PracticeqCommand::Report(args) => args.perform(desk).await,
        }
    }
}
