//! The cadence of a job: local times of the day in a zone, and the days.

use std::fmt;

use crate::time_zone::Tz;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Weekday};

use super::fields::Fields;

pub const HOUR: TimeDelta = TimeDelta::hours(1);
/// The least number of slots of a day that make a job a frequent one.
const FREQUENT: usize = 4;

/// The cadence of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Every `minutes` minutes, the first slot `offset` minutes after midnight; between two times of the day, both of
    /// which are slots, or all day.
    Every {
        minutes: u32,
        offset: u32,
        between: Option<(NaiveTime, NaiveTime)>,
        zone: Zone,
    },
    Daily {
        at: NaiveTime,
        zone: Zone,
    },
    Weekly {
        on: Weekday,
        at: NaiveTime,
        zone: Zone,
    },
    /// Anything else that five cron fields say.
    Cron {
        fields: Fields,
        zone: Zone,
    },
}

/// The time zone of a cadence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// The one zone that a deployment names.
    Schedule,
    Fixed(Tz),
}

/// A time of the day; 24:00 does not exist.
pub const fn clock(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).expect("a time of the day")
}

impl Zone {
    fn tz(self, schedule: Tz) -> Tz {
        match self {
            Self::Schedule => schedule,
            Self::Fixed(zone) => zone,
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule => f.write_str("the schedule zone"),
            Self::Fixed(zone) => f.write_str(zone.name()),
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: NaiveTime| time.format("%H:%M");
        match *self {
            Self::Every { minutes: 1, between: None, .. } => f.write_str("every minute"),
            Self::Every { minutes: 1, between: Some((first, last)), zone, .. } => {
                write!(f, "every minute, {}-{}, {zone}", time(first), time(last))
            }
            Self::Every { minutes, between: Some((first, last)), zone, .. } => {
                write!(f, "every {minutes} minutes, {}-{}, {zone}", time(first), time(last))
            }
            Self::Every { minutes, offset: 0, between: None, .. } => write!(f, "every {minutes} minutes"),
            Self::Every { minutes, offset, between: None, .. } => {
                write!(f, "every {minutes} minutes from minute {offset}")
            }
            Self::Daily { at, zone } => write!(f, "daily {}, {zone}", time(at)),
            Self::Weekly { on, at, zone } => write!(f, "{on} {}, {zone}", time(at)),
            Self::Cron { fields, zone } => write!(f, "{fields}, {zone}"),
        }
    }
}

impl Cadence {
    /// All day, by UTC: the time zone makes no difference for whole quarters of an hour.
    pub const fn around_the_clock(minutes: u32, offset: u32) -> Self {
        Self::Every { minutes, offset, between: None, zone: Zone::Fixed(Tz::UTC) }
    }

    /// This cadence, `hours` hours later on the same day.
    fn later(self, hours: u32) -> Option<Self> {
        let late = |at: NaiveTime| at.with_hour(at.hour() + hours);
        match self {
            Self::Daily { at, zone } => Some(Self::Daily { at: late(at)?, zone }),
            Self::Weekly { on, at, zone } => Some(Self::Weekly { on, at: late(at)?, zone }),
            Self::Cron { fields, zone } => {
                let hour = fields.hours.only().filter(|hour| hour + hours < 24)?;
                Some(Self::Cron { fields: Fields { hours: fields.hours.of([hour + hours]), ..fields }, zone })
            }
            Self::Every { .. } => None,
        }
    }

    /// The restarts of a cadence with one start a day: hourly, at most so many, on the same day, and none at a time
    /// that the clocks may skip or repeat.
    pub fn restarts(&self, schedule: Tz, most: u32) -> Vec<Self> {
        if self.is_more_than_daily() {
            return vec![];
        }
        let is_told_apart = |later: &Self| later.clock_change(schedule).is_none();
        (1..=most).map_while(|hours| self.later(hours).filter(is_told_apart)).collect()
    }

    pub(super) fn is_more_than_daily(&self) -> bool {
        match self {
            Self::Every { .. } => true,
            Self::Daily { .. } | Self::Weekly { .. } => false,
            Self::Cron { fields, .. } => fields.minutes.only().is_none() || fields.hours.only().is_none(),
        }
    }

    /// The least time from one slot to the next.
    pub fn interval(&self) -> TimeDelta {
        match self {
            Self::Every { minutes, .. } => TimeDelta::minutes(i64::from(*minutes)),
            Self::Daily { .. } => TimeDelta::days(1),
            Self::Weekly { .. } => TimeDelta::weeks(1),
            Self::Cron { fields, .. } => {
                let times: Vec<NaiveTime> = fields.times().collect();
                let within = times.windows(2).map(|pair| pair[1] - pair[0]).min();
                let over_night = times[0] - times[times.len() - 1] + gaps(*fields).0;
                within.map_or(over_night, |within| within.min(over_night))
            }
        }
    }

    /// The most time from one slot to the next, or a little more.
    pub fn longest_gap(&self) -> TimeDelta {
        match self {
            Self::Every { .. } | Self::Daily { .. } => TimeDelta::days(1),
            Self::Weekly { .. } => TimeDelta::weeks(1),
            Self::Cron { fields, .. } => gaps(*fields).1,
        }
    }

    /// Whether the job runs less often than hourly, or a few times a day only, so that one missed slot matters. The
    /// working hours of so few slots are so short that silence in them would never last.
    pub fn is_slow(&self) -> bool {
        self.interval() > HOUR || self.day_times().len() < FREQUENT
    }

    /// The time zone of the cadence.
    pub fn tz(&self, schedule: Tz) -> Tz {
        self.zone().tz(schedule)
    }

    /// Whether it follows the one zone that a deployment names.
    pub fn is_in_schedule_zone(&self) -> bool {
        self.zone() == Zone::Schedule
    }

    fn zone(&self) -> Zone {
        match *self {
            Self::Every { zone, .. } | Self::Daily { zone, .. } | Self::Weekly { zone, .. } => zone,
            Self::Cron { zone, .. } => zone,
        }
    }

    /// A local time of a slot that the clocks of its zone skip or repeat: each scheduler does something else then.
    pub fn clock_change(&self, schedule: Tz) -> Option<NaiveDateTime> {
        self.tz(schedule).clock_changes().into_iter().find_map(|(from, until)| {
            let days = from.date().iter_days().take_while(|day| *day <= until.date());
            let locals = days.flat_map(|day| self.times(day).into_iter().map(move |time| day.and_time(time)));
            locals.into_iter().find(|local| (from..until).contains(local))
        })
    }

    /// Calendar lines that together say all its starts.
    pub fn lines(&self) -> Vec<Fields> {
        match *self {
            Self::Cron { fields, .. } => vec![fields],
            Self::Weekly { on, .. } => {
                let weekdays = Fields::ALL.weekdays.of([on.num_days_from_sunday()]);
                Fields { weekdays, ..Fields::ALL }.of_times(self.day_times().into_iter())
            }
            _ => Fields::ALL.of_times(self.day_times().into_iter()),
        }
    }

    /// The times of the slots of a local day, on the clock.
    pub(super) fn times(&self, day: NaiveDate) -> Vec<NaiveTime> {
        let is_on = match self {
            Self::Weekly { on, .. } => day.weekday() == *on,
            Self::Cron { fields, .. } => fields.is_on(day),
            _ => true,
        };
        if is_on { self.day_times() } else { vec![] }
    }

    /// The times of the slots of a day that has some.
    fn day_times(&self) -> Vec<NaiveTime> {
        match *self {
            Self::Every { minutes, offset, between, .. } => {
                let (first, last) = between.unwrap_or((clock(0, 0), clock(23, 59)));
                let times = (offset..24 * 60).step_by(minutes as usize).map(|minute| clock(minute / 60, minute % 60));
                times.filter(|time| (first..=last).contains(time)).collect()
            }
            Self::Daily { at, .. } | Self::Weekly { at, .. } => vec![at],
            Self::Cron { fields, .. } => fields.times().collect(),
        }
    }
}

/// The least and the most time from one day of cron fields to the next.
fn gaps(fields: Fields) -> (TimeDelta, TimeDelta) {
    // Two years and a month, without the 29th of February: each gap is in them.
    let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
    let days: Vec<NaiveDate> = first.iter_days().take(760).filter(|day| fields.is_on(*day)).collect();
    let gaps = || days.windows(2).map(|pair| pair[1] - pair[0]);
    (gaps().min().unwrap_or(TimeDelta::days(365)), gaps().max().unwrap_or(TimeDelta::days(366)))
}
