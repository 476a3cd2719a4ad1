//! The filter of `rounds no-show logs` and `stats`.

use chrono::NaiveDate;
use clap::Args;
use tokio_postgres::Transaction;

use crate::arg::day;
use crate::clinic::actor::refused;
use crate::command::check_known;
use crate::db::Key;
use crate::error::Error;
use crate::ops::visits::VisitFilter;

/// The visits that are looked at.
#[derive(Args, Clone, Debug)]
pub struct Filter {
    /// Only visits at this facility
    #[arg(long, value_name = "FACILITY_ID")]
    pub facility: Option<Key>,
    /// Only visits with this doctor
    #[arg(long, value_name = "DOCTOR_ID")]
    pub doctor: Option<Key>,
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
        check_known(tx, self.facility.as_ref(), self.doctor.as_ref()).await.map(drop)
    }

    pub fn visits(&self) -> VisitFilter<'_> {
        let Self { facility, doctor, from, to } = self;
        VisitFilter { facility: facility.as_ref(), doctor: doctor.as_ref(), from: *from, to: *to }
    }
}
