//! A cadence as people write it: the words that `rounds schedule` prints, or five cron fields.

use std::collections::BTreeSet;

use crate::time_zone::Tz;
use chrono::{NaiveTime, TimeDelta, Timelike, Weekday};

use super::cadence::{Cadence, Zone, clock};
use super::fields::Fields;

const DAY: u32 = 24 * 60;
const SCHEDULE_ZONE: &str = "the schedule zone";
const WORDS: &str = "write `every minute`, `every 15 minutes`, `every 30 minutes from minute 7`, `every 5 minutes, 07:00-22:55`, \
                     `daily 04:30`, `Mon 08:00` or five cron fields, and a zone behind a comma where it is not the \
                     schedule's";

/// Reads a cadence, whose hours and zone may be said apart.
pub fn cadence(text: &str, hours: Option<&str>, zone: Option<&str>) -> Result<Cadence, String> {
    let mut parts = text.split(", ").map(str::trim);
    let when = parts.next().unwrap_or_default();
    let mut within = parts.clone().next().filter(|part| part.contains(':'));
    if within.is_some() {
        parts.next();
    }
    let named = parts.next();
    if let Some(left) = parts.next() {
        return Err(format!("`{left}` is left over in `{text}`; {WORDS}"));
    }
    if (within.is_some() && hours.is_some()) || (named.is_some() && zone.is_some()) {
        return Err(format!("`{text}` says the hours or the zone already"));
    }
    within = within.or(hours);
    let zone = named.or(zone).map(named_zone).transpose()?;
    let cadence = match Fields::parse(when) {
        Some(_) if within.is_some() => Err("cron fields say the hours themselves".to_owned()),
        Some(fields) => of_fields(fields?, zone),
        None => of_words(when, within, zone),
    }?;
    Ok(cadence)
}

fn named_zone(name: &str) -> Result<Zone, String> {
    if name == SCHEDULE_ZONE {
        return Ok(Zone::Schedule);
    }
    name.parse::<Tz>().map(Zone::Fixed).map_err(|()| format!("`{name}` is no IANA time zone, such as America/Denver"))
}

fn of_words(when: &str, hours: Option<&str>, zone: Option<Zone>) -> Result<Cadence, String> {
    let words: Vec<&str> = when.split_whitespace().collect();
    let wrong = || format!("`{when}` is no cadence; {WORDS}");
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    if words[..] == ["every", "minute"] {
        return every(1, None, hours, zone);
    }
    if let ["every", minutes, "minutes", from @ ..] = &words[..] {
        let minutes = number(minutes)?;
        let offset = match from {
            [] => None,
            ["from", "minute", offset] => Some(number(offset)?),
            _ => return Err(wrong()),
        };
        return every(minutes, offset, hours, zone);
    }
    if hours.is_some() {
        return Err(format!("`{when}` has no hours: it is one time of a day"));
    }
    let zone = zone.unwrap_or(Zone::Schedule);
    match words[..] {
        ["daily", at] => Ok(Cadence::Daily { at: time(at)?, zone }),
        [day, at] => Ok(Cadence::Weekly { on: day.parse::<Weekday>().map_err(|_| wrong())?, at: time(at)?, zone }),
        _ => Err(wrong()),
    }
}

fn every(minutes: u32, offset: Option<u32>, hours: Option<&str>, zone: Option<Zone>) -> Result<Cadence, String> {
    let is_part = |whole: u32| minutes > 0 && whole.is_multiple_of(minutes) && minutes < whole;
    if !(is_part(60) || (minutes.is_multiple_of(60) && is_part(DAY))) {
        return Err(format!(
            "every {minutes} minutes is at other times of each hour or day, which no cron line says: take a part of \
             60, or hours that are a part of 24"
        ));
    }
    if offset.is_some_and(|offset| offset >= minutes) {
        return Err(format!("the first start is within the first {minutes} minutes of a day"));
    }
    let Some(hours) = hours else {
        return match zone {
            None | Some(Zone::Fixed(Tz::UTC)) => Ok(Cadence::around_the_clock(minutes, offset.unwrap_or(0))),
            Some(_) => Err("without hours it goes by UTC, around the clock: say no zone, or the hours".to_owned()),
        };
    };
    let (first, last) = hours.split_once('-').ok_or_else(|| format!("`{hours}` are no hours, such as 07:00-22:55"))?;
    let (first, last) = (time(first)?, time(last)?);
    let of_day = |time: NaiveTime| time.hour() * 60 + time.minute();
    if offset.is_some_and(|offset| offset != of_day(first) % minutes) {
        return Err(format!("from minute {} on, {} is no start", offset.unwrap_or(0), first.format("%H:%M")));
    }
    if first > last {
        return Err(format!("{hours} end before they begin: hours are those of one day"));
    }
    match (of_day(last) - of_day(first)) % minutes {
        0 if first < last => {
            let (offset, zone) = (of_day(first) % minutes, zone.unwrap_or(Zone::Schedule));
            Ok(Cadence::Every { minutes, offset, between: Some((first, last)), zone })
        }
        0 => Err(format!("{hours} are one start a day: write `daily {}`", first.format("%H:%M"))),
        left => {
            let before = (last - TimeDelta::minutes(left.into())).format("%H:%M").to_string();
            Err(format!("the hours end with a start: the last one of every {minutes} minutes in {hours} is {before}"))
        }
    }
}

fn time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| format!("`{text}` is no time of a day, such as 07:00"))
}

/// The cadence of cron fields, in words where there are some.
fn of_fields(fields: Fields, zone: Option<Zone>) -> Result<Cadence, String> {
    let own = zone.unwrap_or(Zone::Schedule);
    if let (Some(minute), Some(hour), true) = (fields.minutes.only(), fields.hours.only(), fields.days.is_all()) {
        let at = clock(hour, minute);
        let weekday = fields.weekdays.only().and_then(|day| Weekday::try_from(((day + 6) % 7) as u8).ok());
        match weekday {
            Some(on) if fields.months.is_all() => return Ok(Cadence::Weekly { on, at, zone: own }),
            _ if fields.is_every_day() => return Ok(Cadence::Daily { at, zone: own }),
            _ => {}
        }
    }
    if fields.is_every_day()
        && let Some((minutes, offset)) = evenly(fields)
    {
        let times: BTreeSet<NaiveTime> = fields.times().collect();
        return match (fields.hours.is_all(), times.first(), times.last()) {
            (false, Some(first), Some(last)) => {
                Ok(Cadence::Every { minutes, offset, between: Some((*first, *last)), zone: own })
            }
            _ => every(minutes, Some(offset), None, zone),
        };
    }
    Ok(Cadence::Cron { fields, zone: own })
}

/// The minutes from one start to the next and the first start, if they are the same in one row of hours.
fn evenly(fields: Fields) -> Option<(u32, u32)> {
    let (step, from) = match fields.minutes.only() {
        Some(minute) => (60, minute),
        None => fields.minutes.step().filter(|(step, _)| 60 % step == 0)?,
    };
    (fields.hours.ranges().len() == 1).then_some((step, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        cadence(text, None, None).map(|cadence| cadence.to_string())
    }

    #[test]
    fn words_are_read_as_they_are_printed() {
        for text in [
            "every 5 minutes, 07:00-22:55, the schedule zone",
            "every 15 minutes, 06:00-20:00, America/Denver",
            "every 15 minutes, 06:07-20:07, UTC",
            "every 120 minutes, 07:00-19:00, the schedule zone",
            "every minute",
            "every 4 minutes",
            "every 15 minutes",
            "every 30 minutes from minute 7",
            "every 240 minutes from minute 90",
            "daily 04:30, the schedule zone",
            "Mon 08:00, UTC",
            "15 8 * * 1-5, the schedule zone",
            "*/20 8,12 * 1-6 *, Asia/Kolkata",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn cron_fields_become_words_where_there_are_some() {
        for (text, words) in [
            ("* * * * *", "every minute"),
            ("*/1 * * * *", "every minute"),
            ("*/2 8-9 * * *", "every 2 minutes, 08:00-09:58, the schedule zone"),
            ("* 8-9 * * *", "every minute, 08:00-09:59, the schedule zone"),
            ("*/5 7-22 * * *", "every 5 minutes, 07:00-22:55, the schedule zone"),
            ("7,37 * * * *", "every 30 minutes from minute 7"),
            ("10 * * * *", "every 60 minutes from minute 10"),
            ("30 4 * * *, America/Denver", "daily 04:30, America/Denver"),
            ("0 8 * * 0", "Sun 08:00, the schedule zone"),
            ("0 8 * * 1, UTC", "Mon 08:00, UTC"),
            ("0 8 1 * *", "0 8 1 * *, the schedule zone"),
            ("0,15 * * * *", "0,15 * * * *, the schedule zone"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(words), "{text}");
        }
    }

    #[test]
    fn hours_and_zone_may_be_said_apart() {
        let apart = cadence("every 10 minutes", Some("08:00-18:00"), Some("Asia/Kolkata")).expect("a cadence");
        assert_eq!(apart.to_string(), "every 10 minutes, 08:00-18:00, Asia/Kolkata");
        for (text, hours, zone) in [
            ("every 10 minutes, 08:00-18:00", Some("08:00-18:00"), None),
            ("daily 08:00, UTC", None, Some("UTC")),
            ("daily 08:00", Some("08:00-18:00"), None),
            ("*/10 * * * *", Some("08:00-18:00"), None),
            ("every 10 minutes", None, Some("Asia/Kolkata")),
            ("daily 08:00", None, Some("Asia/Nowhere")),
        ] {
            cadence(text, hours, zone).expect_err(text);
        }
    }

    #[test]
    fn what_a_target_cannot_say_is_refused() {
        for (text, why) in [
            ("every 7 minutes", "a part of 60"),
            ("every 90 minutes", "a part of 60"),
            ("every 0 minutes", "a part of 60"),
            ("every 1440 minutes", "a part of 60"),
            ("every 15 minutes from minute 15", "within the first 15"),
            ("every 15 minutes, 07:00-07:50", "is 07:45"),
            ("every 15 minutes, 22:00-06:00", "end before they begin"),
            ("every 15 minutes, 07:00-07:00", "`daily 07:00`"),
            ("every 15 minutes from minute 5, 07:00-08:00", "07:00 is no start"),
            ("daily 24:00", "no time of a day"),
            ("hourly", "is no cadence"),
            ("", "is no cadence"),
            ("0 8 1 * 1", "a day of the month and a day of the week"),
            ("daily 08:00, UTC, UTC", "left over"),
        ] {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
