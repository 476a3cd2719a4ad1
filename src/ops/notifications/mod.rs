//! `rounds notifications`: the messages of the outbox, for the people who look after them.
//!
//! Rule: what a person decides compares the state on which it was decided, and is done by an active HOSPITAL_ADMIN or
//! SUPERVISOR of the message's facility; of a message without one by an admin of the whole group. UNCERTAIN becomes SENT
//! or PENDING (`settle`); FAILED and EXPIRED become PENDING (`retry`). Texts and addresses are shown only to these
//! people, and that is recorded first.

mod change;
mod list;
mod message;
mod reveal;
mod show;
mod test;

use clap::{Args, Subcommand};

use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::Error;

statements! {
    of change, list, reveal, show, test;
}

/// Look at the messages of the outbox; settle what is uncertain, try again what failed, test a provider
#[derive(Args)]
pub struct NotificationsArgs {
    #[command(subcommand)]
    command: NotificationsCommand,
}

#[derive(Subcommand)]
enum NotificationsCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Settle(change::SettleArgs),
    Retry(change::RetryArgs),
    Test(Box<test::TestArgs>),
}

impl Operation for NotificationsArgs {
    const NAME: &'static str = "notifications";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            NotificationsCommand::List(args) => args.execute(context).await,
            NotificationsCommand::Show(args) => args.execute(context).await,
            NotificationsCommand::Settle(args) => args.execute(context).await,
            NotificationsCommand::Retry(args) => args.execute(context).await,
            NotificationsCommand::Test(args) => args.execute(context).await,
        }
    }
}
