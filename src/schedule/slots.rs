//! The instants of a cadence's slots, and the part of a period that lies in its working hours.
//!
//! Slots are local times in a zone. A local time that occurs twice gives two slots of a job that runs every few
//! minutes, and only the first of a daily or weekly one. A local time that does not exist gives no slot of the former,
//! and the instant after the gap of the latter.

use crate::time_zone::Tz;
use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};

use super::cadence::Cadence;
use super::fields::Fields;

impl Cadence {
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
        let times = self.times(day).into_iter();
        if self.is_more_than_daily() {
            times.flat_map(|time| instants(zone.from_local_datetime(&day.and_time(time)))).collect()
        } else {
            times.map(|time| instant(zone, day, time)).collect()
        }
    }

    /// The part of the time between two instants that lies in working hours; all of it if the job has none.
    pub fn working_time(&self, schedule: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
        let Some(hours) = self.hours(schedule) else { return (until - from).max(TimeDelta::zero()) };
        local_days(hours.zone, from, until)
            .filter_map(|day| hours.of_day(day))
            .map(|(opens, closes)| (closes.min(until) - opens.max(from)).max(TimeDelta::zero()))
            .sum()
    }

    /// Whether an instant lies in working hours, the first and the last slot included.
    pub fn is_working(&self, schedule: Tz, now: DateTime<Utc>) -> bool {
        let Some(hours) = self.hours(schedule) else { return true };
        let day = hours.of_day(now.with_timezone(&hours.zone).date_naive());
        day.is_some_and(|(opens, closes)| (opens..=closes).contains(&now))
    }

    fn hours(&self, schedule: Tz) -> Option<Hours> {
        match *self {
            Self::Every { between: Some((first, last)), .. } => {
                Some(Hours { zone: self.tz(schedule), first, last, on: Fields::ALL })
            }
            Self::Cron { fields, .. } => {
                let (first, last) = (fields.times().next()?, fields.times().last()?);
                Some(Hours { zone: self.tz(schedule), first, last, on: fields })
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
    /// The days that have some.
    on: Fields,
}

impl Hours {
    fn of_day(&self, day: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let is_on = self.on.is_on(day);
        is_on.then(|| (instant(self.zone, day, self.first), instant(self.zone, day, self.last)))
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
    use chrono::Weekday;

    use super::*;
    use crate::schedule::{Zone, clock};

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
