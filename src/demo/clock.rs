//! The day of the demo and its times.

use crate::time_zone::Tz;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};

/// The day of the demo: an ordinary one, without a clock change in either time zone.
pub const MONDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date of the calendar");

/// The minutes of a local day.
pub const fn at(hour: i32, minute: i32) -> i32 {
    hour * 60 + minute
}

/// The instant of a New York time on the Monday, such as 09:15.
pub fn instant(clock: &str) -> DateTime<Utc> {
    let time = clock.parse().expect("the story's times are times");
    Tz::NEW_YORK.from_local_datetime(&MONDAY.and_time(time)).single().expect("no clock change on that day").to_utc()
}
