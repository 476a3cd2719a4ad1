//! The parameters of the rule of an alert.

use chrono::NaiveDate;
use tokio_postgres::types::ToSql;

/// The parameters $3 to $8 of the rule; $1 is now, and $2 the unreadable zones.
pub struct Rule {
    pub basis: &'static str,
    pub no_vitals_minutes: i32,
    pub no_doctor_minutes: i32,
    pub waiting_minutes: Option<i32>,
    pub first: NaiveDate,
    pub lookback_days: i32,
}

impl Rule {
    pub fn parameters(&self) -> [&(dyn ToSql + Sync); 6] {
        let Self { basis, no_vitals_minutes, no_doctor_minutes, waiting_minutes, first, lookback_days } = self;
        [basis, no_vitals_minutes, no_doctor_minutes, waiting_minutes, first, lookback_days]
    }
}
