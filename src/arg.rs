//! Parsers of the values of options. Their messages say what is expected, in the words of a person.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveDate;

/// The longest duration that an option takes, 100 years: nothing that was recorded is older, and the database can
/// subtract it from any instant of ours.
const DURATION_MAX: Duration = Duration::from_secs(36_525 * 24 * 3600);
/// The words of an error that say the form of a duration.
const DURATION: &str = "a duration looks like 90s, 4m or 24h";

/// A parser of whole numbers in a range.
pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Copy + Send + Sync + 'static,
{
    move |text| match text.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from {} to {}", range.start(), range.end())),
    }
}

/// The number of a row that a list shows.
pub fn row_number(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| "expected the number of a row, as the list shows it, such as 17".to_owned())
}

/// A day of the calendar.
pub fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "a day looks like 2026-03-02".to_owned())
}

/// Yes or no, as environments say it.
pub fn truth(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected yes or no (also 1 or 0, true or false, on or off)".to_owned()),
    }
}

/// A duration, which may be nothing.
pub fn duration(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::ZERO..=DURATION_MAX)
}

/// A duration within bounds. Every option that takes one is read by this, so that none gets what no clock can add.
pub fn duration_within(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    let [least, most] = [range.start(), range.end()].map(|bound| humantime::format_duration(*bound));
    match humantime::parse_duration(text) {
        Ok(duration) if range.contains(&duration) => Ok(duration),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err(match range.start().is_zero() {
            true => format!("must be at most {most}"),
            false => format!("must be from {least} to {most}"),
        }),
        Err(_) => Err(DURATION.to_owned()),
    }
}

pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("must be longer than nothing; {DURATION}")),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_value_is_told_what_is_one() {
        let number = whole::<u32>(1..=20);
        assert_eq!((number("1"), number(" 20 ")), (Ok(1), Ok(20)));
        for bad in ["0", "21", "x", "", "1.5", "99999999999999999999", "-1"] {
            assert_eq!(number(bad), Err("expected a whole number from 1 to 20".to_owned()), "{bad}");
        }
        assert_eq!((truth("Yes"), truth("0"), truth("maybe").is_err()), (Ok(true), Ok(false), true));
        assert_eq!((duration("0s"), positive_duration("90s")), (Ok(Duration::ZERO), Ok(Duration::from_secs(90))));
        for bad in ["5", "soon", "", "1 parsec"] {
            assert_eq!(positive_duration(bad), Err(DURATION.to_owned()), "{bad}");
        }
        assert!(positive_duration("0s").is_err());
    }
}
