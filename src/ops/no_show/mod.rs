//! `rounds no-show`: what a charge nurse needs: to mark a visit by hand, to see why visits were marked, and how many.

mod logs;
mod mark;
mod stats;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use crate::clinic::actor::refused;
use crate::command::check_known;
use crate::command::{CommandContext, Operation, Output};
use crate::error::Error;

crate::db::statements! {}

/// Mark a no-show by hand; look at those that were marked
#[derive(Args)]
pub struct NoShowArgs {
    #[command(subcommand)]
    command: NoShowCommand,
}

#[derive(Subcommand)]
enum NoShowCommand {
    Mark(mark::MarkArgs),
    Logs(logs::LogsArgs),
    Stats(stats::StatsArgs),
}

impl Operation for NoShowArgs {
    const NAME: &'static str = "no-show";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            NoShowCommand::Mark(args) => args.execute(context).await,
            NoShowCommand::Logs(args) => args.execute(context).await,
            NoShowCommand::Stats(args) => args.execute(context).await,
        }
    }
}

/// Why a visit is a no-show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Reason {
    AutoTimeout,
    ManualStaff,
    ManualDoctor,
    PatientCalled,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::AutoTimeout => "AUTO_TIMEOUT",
            Self::ManualStaff => "MANUAL_STAFF",
            Self::ManualDoctor => "MANUAL_DOCTOR",
            Self::PatientCalled => "PATIENT_CALLED",
        }
    }
}

/// Which visits.
#[derive(Args, Debug)]
struct Filter {
    /// Only visits at this facility
    #[arg(long, value_name = "FACILITY_ID")]
    facility: Option<i64>,
    /// Only visits with this doctor
    #[arg(long, value_name = "DOCTOR_ID")]
    doctor: Option<i64>,
    /// Only visits on this day or later, such as 2026-03-02; the facility's day
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<NaiveDate>,
    /// Only visits on this day or earlier
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<NaiveDate>,
}

impl Filter {
    /// Refuses ids that are not there, and a time that ends before it begins.
    async fn check(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        if self.from.zip(self.to).is_some_and(|(from, to)| to < from) {
            return Err(refused("EMPTY_PERIOD", "--to is a day before --from".into()));
        }
        check_known(tx, self.facility, self.doctor).await
    }

    fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        vec![(&self.facility, Type::INT8), (&self.doctor, Type::INT8), (&self.from, Type::DATE), (&self.to, Type::DATE)]
    }
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "a day looks like 2026-03-02".to_owned())
}
