//! The cadence of a job: the instants of its slots, and the part of a period that lies in its working hours.
//!
//! Slots are local times in a zone. A local time that occurs twice gives two slots of a job that runs every few
//! minutes, and only the first of a daily or weekly one. A local time that does not exist gives no slot of the former,
//! and the instant after the gap of the latter.

use std::fmt;

use crate::time_zone::Tz;
use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};

pub const HOUR: TimeDelta = TimeDelta::hours(1);

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
            Self::Every { minutes, between: Some((first, last)), zone, .. } => {
                write!(f, "every {minutes} minutes, {}-{}, {zone}", time(first), time(last))
            }
            Self::Every { minutes, offset: 0, between: None, .. } => write!(f, "every {minutes} minutes"),
            Self::Every { minutes, offset, between: None, .. } => {
                write!(f, "every {minutes} minutes from minute {offset}")
            }
            Self::Daily { at, zone } => write!(f, "daily {}, {zone}", time(at)),
            Self::Weekly { on, at, zone } => write!(f, "{on} {}, {zone}", time(at)),
        }
    }
}

impl Cadence {
    /// All day, by UTC: the time zone makes no difference for whole quarters of an hour.
    pub const fn around_the_clock(minutes: u32, offset: u32) -> Self {
        Self::Every { minutes, offset, between: None, zone: Zone::Fixed(Tz::UTC) }
    }

    /// This cadence, `hours` hours later.
    pub fn later(self, hours: i64) -> Self {
        let late = |at: NaiveTime| at.overflowing_add_signed(TimeDelta::hours(hours)).0;
        match self {
            Self::Daily { at, zone } => Self::Daily { at: late(at), zone },
            Self::Weekly { on, at, zone } => Self::Weekly { on, at: late(at), zone },
            every @ Self::Every { .. } => every,
        }
    }

    /// Weekly, by UTC.
    pub const fn weekly(on: Weekday, at: NaiveTime) -> Self {
        Self::Weekly { on, at, zone: Zone::Fixed(Tz::UTC) }
    }

    /// The time from one slot to the next.
    pub fn interval(&self) -> TimeDelta {
        match self {
            Self::Every { minutes, .. } => TimeDelta::minutes(i64::from(*minutes)),
            Self::Daily { .. } => TimeDelta::days(1),
            Self::Weekly { .. } => TimeDelta::weeks(1),
        }
    }

    /// Whether the job runs less often than hourly, so that one missed slot matters.
    pub fn is_slow(&self) -> bool {
        self.interval() > HOUR
    }

    /// The time zone of the cadence.
    pub fn tz(&self, schedule: Tz) -> Tz {
        match self {
            Self::Every { zone, .. } | Self::Daily { zone, .. } | Self::Weekly { zone, .. } => zone.tz(schedule),
        }
    }

    /// The slots from one instant to another, without the latter, in order.
    pub fn slots(&self, schedule: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let zone = self.tz(schedule);
        let mut slots: Vec<_> = local_days(zone, from, until).flat_map(|day| self.of_day(zone, day)).collect();
        slots.retain(|slot| (from..until).contains(slot));
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// The slots of a local day.
    fn of_day(&self, zone: Tz, day: NaiveDate) -> Vec<DateTime<Utc>> {
        match *self {
            Self::Every { minutes, offset, between, .. } => {
                let (first, last) = between.unwrap_or((clock(0, 0), clock(23, 59)));
                let times = (offset..24 * 60).step_by(minutes as usize).map(|minute| clock(minute / 60, minute % 60));
                let times = times.filter(|time| (first..=last).contains(time));
                times.flat_map(|time| instants(zone.from_local_datetime(&day.and_time(time)))).collect()
            }
            Self::Daily { at, .. } => vec![instant(zone, day, at)],
            Self::Weekly { on, at, .. } if chrono::Datelike::weekday(&day) == on => vec![instant(zone, day, at)],
            Self::Weekly { .. } => vec![],
        }
    }

    /// The part of the time between two instants that lies in working hours; all of it if the job has none.
    pub fn working_time(&self, schedule: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
        let Some(hours) = self.hours(schedule) else { return (until - from).max(TimeDelta::zero()) };
        local_days(hours.zone, from, until)
            .map(|day| {
                let (opens, closes) = hours.of_day(day);
                (closes.min(until) - opens.max(from)).max(TimeDelta::zero())
            })
            .sum()
    }

    /// Whether an instant lies in working hours, the first and the last slot included.
    pub fn is_working(&self, schedule: Tz, now: DateTime<Utc>) -> bool {
        let Some(hours) = self.hours(schedule) else { return true };
        let (opens, closes) = hours.of_day(now.with_timezone(&hours.zone).date_naive());
        (opens..=closes).contains(&now)
    }

    fn hours(&self, schedule: Tz) -> Option<Hours> {
        match *self {
            Self::Every { between: Some((first, last)), zone, .. } => {
                Some(Hours { zone: zone.tz(schedule), first, last })
            }
            _ => None,
        }
    }
}

/// The working hours: from the first slot of a day to its last.
struct Hours {
    zone: Tz,
    first: NaiveTime,
    last: NaiveTime,
}

impl Hours {
    fn of_day(&self, day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
        (instant(self.zone, day, self.first), instant(self.zone, day, self.last))
    }
}

/// The local days that an interval touches.
fn local_days(zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> {
    let last = until.with_timezone(&zone).date_naive();
    let first = from.with_timezone(&zone).date_naive();
    first.iter_days().take_while(move |day| *day <= last)
}

/// The instant of a local time: the first of two, or the one after a gap.
fn instant(zone: Tz, day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let local = day.and_time(time);
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        // The offset of the day before gives an instant as far behind the gap as the local time lies in it.
        LocalResult::None => {
            let before = zone.from_local_datetime(&(local - Days::new(1))).latest();
            before.map_or_else(|| Utc.from_utc_datetime(&local), |before| before.to_utc() + TimeDelta::days(1))
        }
    }
}

fn instants(local: LocalResult<DateTime<Tz>>) -> impl Iterator<Item = DateTime<Utc>> {
    let (first, second) = match local {
        LocalResult::None => (None, None),
        LocalResult::Single(instant) => (Some(instant), None),
        LocalResult::Ambiguous(first, second) => (Some(first), Some(second)),
    };
    first.into_iter().chain(second).map(|instant| instant.to_utc())
}

#[cfg(test)]
mod tests {

    use super::*;

    const BY_DAY: Cadence =
        Cadence::Every { minutes: 5, offset: 0, between: Some((clock(7, 0), clock(22, 55))), zone: Zone::Schedule };
    const AROUND: Cadence = Cadence::Every { minutes: 15, offset: 0, between: None, zone: Zone::Fixed(Tz::UTC) };
    const MONDAYS: Cadence = Cadence::Weekly { on: Weekday::Mon, at: clock(8, 0), zone: Zone::Fixed(Tz::UTC) };
    const NIGHTLY: Cadence = Cadence::Daily { at: clock(2, 30), zone: Zone::Schedule };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn slots(cadence: Cadence, from: &str, until: &str) -> Vec<String> {
        let slots = cadence.slots(Tz::NEW_YORK, at(from), at(until));
        slots.iter().map(|slot| slot.format("%dT%H:%M").to_string()).collect()
    }

    #[test]
    fn a_day_begins_and_ends_with_a_slot() {
        let day = BY_DAY.slots(Tz::NEW_YORK, at("2026-03-02T05:00:00Z"), at("2026-03-03T05:00:00Z"));
        assert_eq!(day.len(), 192);
        assert_eq!((day[0], day[191]), (at("2026-03-02T12:00:00Z"), at("2026-03-03T03:55:00Z")));
        assert_eq!(AROUND.slots(Tz::UTC, at("2026-03-02T00:00:00Z"), at("2026-03-03T00:00:00Z")).len(), 96);
        let one = slots(AROUND, "2026-03-02T00:00:00Z", "2026-03-02T00:15:00Z");
        assert_eq!(one, ["02T00:00"], "the first instant belongs to it, the last does not");
        assert_eq!(slots(MONDAYS, "2026-03-01T00:00:00Z", "2026-03-10T00:00:00Z"), ["02T08:00", "09T08:00"]);
    }

    #[test]
    fn clock_changes_lose_and_repeat_only_what_the_wall_clock_does() {
        // New York: on March 8 02:00 is followed by 03:00; on November 1 01:00 comes again.
        let spring = ("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z");
        let autumn = ("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z");
        assert_eq!(slots(NIGHTLY, spring.0, spring.1), ["08T07:30"], "03:30 EDT");
        let early = Cadence::Daily { at: clock(1, 30), zone: Zone::Schedule };
        assert_eq!(slots(early, autumn.0, autumn.1), ["01T05:30"], "the first 01:30");
        let all_day = Cadence::Every { minutes: 30, offset: 0, between: None, zone: Zone::Schedule };
        assert_eq!(slots(all_day, spring.0, spring.1).len(), 46);
        assert_eq!(slots(all_day, autumn.0, autumn.1).len(), 50);
    }

    #[test]
    fn only_working_hours_count() {
        let minutes = |from, until| BY_DAY.working_time(Tz::DENVER, at(from), at(until)).num_minutes();
        // Denver is UTC-7: 07:00 is 14:00Z, 22:55 is 05:55Z of the next day.
        assert_eq!(minutes("2026-03-02T14:00:00Z", "2026-03-02T14:13:00Z"), 13);
        assert_eq!(minutes("2026-03-02T05:55:00Z", "2026-03-02T14:00:00Z"), 0, "22:55 is not stale at 07:00");
        assert_eq!(minutes("2026-03-02T05:45:00Z", "2026-03-02T14:04:00Z"), 14);
        assert_eq!(minutes("2026-03-02T14:00:00Z", "2026-03-04T14:00:00Z"), 2 * (15 * 60 + 55));
        assert_eq!(minutes("2026-03-02T15:00:00Z", "2026-03-02T14:00:00Z"), 0);
        let working = |now| BY_DAY.is_working(Tz::DENVER, at(now));
        assert!(!working("2026-03-02T13:59:59Z") && working("2026-03-02T14:00:00Z"));
        assert!(working("2026-03-03T05:55:00Z") && !working("2026-03-03T05:55:01Z"));
        assert_eq!(
            NIGHTLY.working_time(Tz::DENVER, at("2026-03-02T00:00:00Z"), at("2026-03-02T09:00:00Z")).num_hours(),
            9
        );
        assert!(NIGHTLY.is_working(Tz::DENVER, at("2026-03-02T00:00:00Z")));
    }

    #[test]
    fn a_cadence_reads_as_people_say_it() {
        assert_eq!(BY_DAY.to_string(), "every 5 minutes, 07:00-22:55, the schedule zone");
        assert_eq!(AROUND.to_string(), "every 15 minutes");
        assert_eq!(MONDAYS.to_string(), "Mon 08:00, UTC");
        assert_eq!(NIGHTLY.to_string(), "daily 02:30, the schedule zone");
    }
}
