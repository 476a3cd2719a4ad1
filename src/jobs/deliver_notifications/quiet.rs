//! Quiet hours: when nobody is woken by a message that can wait.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Utc};
use serde::{Serialize, Serializer};

use crate::time_zone::Tz;

/// From a time of day to another, which may be on the next day; None: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours(Option<[NaiveTime; 2]>);

impl QuietHours {
    /// The end of the quiet hours in which an instant lies, by the clock of a zone; None if it lies in none.
    pub fn end(self, at: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let [from, until] = self.0?;
        let local = at.with_timezone(&zone).naive_local();
        let time = local.time();
        let is_quiet = if from <= until { from <= time && time < until } else { from <= time || time < until };
        if !is_quiet {
            return None;
        }
        let day = if time < until { local.date() } else { local.date().checked_add_days(Days::new(1))? };
        let mut end = day.and_time(until);
        // The clocks may skip the end: then it is over at the first time that they show.
        for _ in 0..=24 {
            match zone.from_local_datetime(&end).earliest() {
                // The clocks went back over the end: it is over the second time.
                Some(instant) if instant.to_utc() <= at => {
                    return zone.from_local_datetime(&end).latest().map(|t| t.to_utc());
                }
                Some(instant) => return Some(instant.to_utc()),
                None => end += TimeDelta::minutes(15),
            }
        }
        None
    }
}

impl Serialize for QuietHours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_str("off"),
            Some([from, until]) => {
                serializer.collect_str(&format_args!("{}-{}", from.format("%H:%M"), until.format("%H:%M")))
            }
        }
    }
}

pub fn parse(text: &str) -> Result<QuietHours, String> {
    if text == "off" {
        return Ok(QuietHours(None));
    }
    let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5);
    let both = text.split_once('-').and_then(|(from, until)| Some([time(from)?, time(until)?]));
    match both {
        Some([from, until]) if from != until => Ok(QuietHours(Some([from, until]))),
        _ => Err("expected two times of day, such as 22:00-07:00, or off".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(hours: &str, zone: Tz, at: &str) -> Option<String> {
        let at: DateTime<Utc> = at.parse().expect("an instant");
        Some(parse(hours).expect("hours").end(at, zone)?.to_rfc3339())
    }

    #[test]
    fn they_begin_and_end_by_the_clock_of_the_facility() {
        let at = |at: &str| end("22:00-07:00", Tz::NEW_YORK, at);
        assert_eq!(at("2026-01-15T02:59:59Z"), None);
        assert_eq!(at("2026-01-15T03:00:00Z").as_deref(), Some("2026-01-15T12:00:00+00:00"));
        assert_eq!(at("2026-01-15T11:59:59Z").as_deref(), Some("2026-01-15T12:00:00+00:00"));
        assert_eq!(at("2026-01-15T12:00:00Z"), None);
        assert_eq!(end("12:00-13:00", Tz::UTC, "2026-01-15T12:30:00Z").as_deref(), Some("2026-01-15T13:00:00+00:00"));
        assert_eq!(end("off", Tz::UTC, "2026-01-15T03:00:00Z"), None);
    }

    #[test]
    fn a_night_in_which_the_clocks_change_is_as_long_as_it_is() {
        let at = |at: &str| end("22:00-07:00", Tz::NEW_YORK, at);
        // 8 March 2026: 02:00 becomes 03:00. 1 November 2026: 02:00 becomes 01:00.
        assert_eq!(at("2026-03-08T04:00:00Z").as_deref(), Some("2026-03-08T11:00:00+00:00"));
        assert_eq!(at("2026-11-01T03:00:00Z").as_deref(), Some("2026-11-01T12:00:00+00:00"));
        // An end that the clocks skip, and one that they show twice.
        let skipped = |at: &str| end("22:00-02:30", Tz::NEW_YORK, at);
        assert_eq!(skipped("2026-03-08T06:59:00Z").as_deref(), Some("2026-03-08T07:00:00+00:00"));
        let twice = |at: &str| end("22:00-01:30", Tz::NEW_YORK, at);
        assert_eq!(twice("2026-11-01T05:00:00Z").as_deref(), Some("2026-11-01T05:30:00+00:00"));
        assert_eq!(twice("2026-11-01T06:10:00Z").as_deref(), Some("2026-11-01T06:30:00+00:00"));
    }

    #[test]
    fn what_is_no_pair_of_times_is_refused() {
        for text in ["", "22:00", "22-7", "22:00-22:00", "25:00-07:00", "22:00-7:00", "on"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
