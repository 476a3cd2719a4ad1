//! `rounds alerts`: the alerts that `stage-alerts` raises, for the staff who deal with them.
//!
//! Rule: ACTIVE -> ACKNOWLEDGED -> RESOLVED, or straight to RESOLVED, never back; by an active NURSE, DOCTOR,
//! RECEPTIONIST or admin of the alert's facility, or by an admin of the whole group, who alone deals with the alerts of
//! deleted visits. Names are shown only to them, and every patient shown is recorded first.

mod change;
mod list;
mod listed;
mod shape;

use clap::{Args, Subcommand};

use crate::arg::row_number;
use crate::command::notes::NotesArgs;
use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::Error;
use crate::schedule::ZoneArgs;
use change::Change;

statements! {
    of change, list;
}

/// Look at alerts of waiting patients; acknowledge and resolve them
#[derive(Args)]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: AlertsCommand,
}

#[derive(Subcommand)]
enum AlertsCommand {
    List(list::ListArgs),
    /// Say that you have seen it: ACTIVE becomes ACKNOWLEDGED
    Acknowledge {
        /// As `rounds alerts list` shows it
        #[arg(value_name = "ALERT_ID", value_parser = row_number)]
        id: i64,
        #[command(flatten)]
        zone: ZoneArgs,
    },
    /// Say that it is dealt with: ACTIVE or ACKNOWLEDGED becomes RESOLVED
    Resolve {
        /// As `rounds alerts list` shows it
        #[arg(value_name = "ALERT_ID", value_parser = row_number)]
        id: i64,
        #[command(flatten)]
        notes: NotesArgs,
        #[command(flatten)]
        zone: ZoneArgs,
    },
}

impl Operation for AlertsArgs {
    const NAME: &'static str = "alerts";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            AlertsCommand::List(args) => args.execute(context).await,
            AlertsCommand::Acknowledge { id, zone } => Change::Acknowledge.execute(context, *id, zone.zone()?).await,
            AlertsCommand::Resolve { id, notes, zone } => {
                let notes = notes.read(context).await?;
                Change::Resolve { notes: notes.as_deref() }.execute(context, *id, zone.zone()?).await
            }
        }
    }
}
