//! The time that a report is of.
//!
//! Rule: runs, alerts, messages and requests are those from one instant to another. Visits are those of whole days by the
//! clocks of their facilities, as many as the period has, the last one today; so a period and the one before have the same
//! number of days and share none.

use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use serde::{Serialize, Serializer};

use crate::clinic::local_time::before;
use crate::output::stamp;
use crate::time_zone::Tz;

/// A period.
#[derive(Clone, Copy, Serialize)]
pub struct Period {
    #[serde(serialize_with = "as_stamp")]
    pub from: DateTime<Utc>,
    #[serde(serialize_with = "as_stamp")]
    pub until: DateTime<Utc>,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
    /// The zone of the schedule's clocks.
    #[serde(serialize_with = "as_name")]
    pub zone: Tz,
    pub unit: Unit,
}

/// The unit of the timelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Hour,
    Day,
    Week,
}

fn as_stamp<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&stamp(*at))
}

fn as_name<S: Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

impl Period {
    /// The time before an instant.
    pub fn before(until: DateTime<Utc>, length: Duration, zone: Tz) -> Self {
        let from = before(until, length);
        let last_day = until.with_timezone(&zone).date_naive();
        let unit = match (until - from).num_days() {
            ..3 => Unit::Hour,
            3..120 => Unit::Day,
            _ => Unit::Week,
        };
        let first_day = last_day.checked_sub_days(Days::new(days_of(until - from) - 1)).unwrap_or(NaiveDate::MIN);
        Self { from, until, first_day, last_day, zone, unit }
    }

    /// As much time before this period.
    pub fn one_before(&self) -> Self {
        let length = (self.until - self.from).to_std().unwrap_or_default();
        let from = before(self.from, length);
        let days = Days::new(days_of(self.until - self.from));
        let back = |day: NaiveDate| day.checked_sub_days(days).unwrap_or(NaiveDate::MIN);
        Self { from, until: self.from, first_day: back(self.first_day), last_day: back(self.last_day), ..*self }
    }

    /// How many days there are, at least one.
    pub fn days(&self) -> u64 {
        days_of(self.until - self.from)
    }

    /// The local beginnings of the hours, days or weeks of the period, in order.
    pub fn times(&self) -> Vec<NaiveDateTime> {
        let last = self.time_of(self.until - TimeDelta::milliseconds(1));
        let mut times = vec![self.time_of(self.from)];
        while let Some(next) = times.last().map(|time| *time + self.unit.length()).filter(|next| *next <= last) {
            times.push(next);
        }
        times
    }

    /// The local beginning of the hour, day or week of an instant.
    pub fn time_of(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let local = at.with_timezone(&self.zone).naive_local();
        let day = local.date();
        let monday = day - Days::new(day.weekday().num_days_from_monday().into());
        match self.unit {
            Unit::Hour => day.and_hms_opt(local.hour(), 0, 0).unwrap_or(local),
            Unit::Day => day.and_time(chrono::NaiveTime::MIN),
            Unit::Week => monday.and_time(chrono::NaiveTime::MIN),
        }
    }

    /// What people call the period: "1 to 30 November 2026".
    pub fn title(&self) -> String {
        let [first, last] = [self.first_day, self.last_day];
        match () {
            () if first == last => first.format("%-d %B %Y").to_string(),
            () if (first.year(), first.month()) == (last.year(), last.month()) => {
                format!("{} to {}", first.day(), last.format("%-d %B %Y"))
            }
            () if first.year() == last.year() => format!("{} to {}", first.format("%-d %B"), last.format("%-d %B %Y")),
            () => format!("{} to {}", first.format("%-d %B %Y"), last.format("%-d %B %Y")),
        }
    }
}

fn days_of(length: TimeDelta) -> u64 {
    let day = TimeDelta::days(1).num_milliseconds();
    (length.num_milliseconds().max(1) as u64).div_ceil(day as u64)
}

impl Unit {
    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
            Self::Week => TimeDelta::weeks(1),
        }
    }

    /// A local time as an axis shows it.
    pub fn label(self, time: NaiveDateTime) -> String {
        match self {
            Self::Hour => time.format("%-d %b %H:%M").to_string(),
            _ => time.format("%-d %b").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_period_has_whole_days_and_the_one_before_as_many() {
        let day = Duration::from_secs(86_400);
        let period = Period::before(at("2026-11-30T16:00:00Z"), 30 * day, Tz::DENVER);
        assert_eq!((period.title().as_str(), period.days(), period.unit), ("1 to 30 November 2026", 30, Unit::Day));
        let earlier = period.one_before();
        assert_eq!((earlier.title().as_str(), earlier.until), ("2 to 31 October 2026", period.from));
        // 02:00 in Greenwich is the day before in Denver.
        let night = Period::before(at("2026-11-30T02:00:00Z"), day / 4, Tz::DENVER);
        assert_eq!((night.title().as_str(), night.unit), ("29 November 2026", Unit::Hour));
        assert_eq!((night.times().len(), night.days()), (6, 1));
        let years = Period::before(at("2026-01-05T12:00:00Z"), 200 * day, Tz::UTC);
        assert_eq!((years.title().as_str(), years.unit), ("20 June 2025 to 5 January 2026", Unit::Week));
        assert_eq!(years.times().len(), 30);
    }
}
