//! The filter of `rounds no-show logs` and `stats`.

use chrono::NaiveDate;
use clap::Args;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::clinic::actor::refused;
use crate::command::check_known;
use crate::error::Error;

/// The visits that are looked at.
#[derive(Args, Debug)]
pub struct Filter {
    /// Only visits at this facility
    #[arg(long, value_name = "FACILITY_ID")]
    pub facility: Option<i64>,
    /// Only visits with this doctor
    #[arg(long, value_name = "DOCTOR_ID")]
    pub doctor: Option<i64>,
    /// Only visits on this day or later, such as 2026-03-02; the facility's day
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub from: Option<NaiveDate>,
    /// Only visits on this day or earlier
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub to: Option<NaiveDate>,
}

impl Filter {
    /// Refuses ids that do not exist, and a period that ends before it begins.
    pub async fn check(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        if self.from.zip(self.to).is_some_and(|(from, to)| to < from) {
            return Err(refused("EMPTY_PERIOD", "--to is a day before --from".into()));
        }
        check_known(tx, self.facility.map(crate::db::Key::of).as_ref(), self.doctor.map(crate::db::Key::of).as_ref()).await
    }

    pub fn parameters(&self) -> [&(dyn ToSql + Sync); 4] {
        [&self.facility, &self.doctor, &self.from, &self.to]
    }
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "a day looks like 2026-03-02".to_owned())
}
