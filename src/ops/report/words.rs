//! Figures as people read them.

use chrono::{DateTime, TimeDelta, Utc};

use super::period::Period;
use crate::output::span;

/// A number with its thousands apart: "8,080".
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

/// So many of what a word names, with the thousands apart.
pub fn many(count: i64, one: &str, several: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { several })
}

/// A share of one: "5.1 %".
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The same of a share that may not be known.
pub fn percent_of(share: Option<f64>) -> String {
    share.map_or(String::new(), percent)
}

/// A duration in milliseconds: "850 ms", "12.3 s", "4 min".
pub fn milliseconds(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => span(TimeDelta::milliseconds(ms)),
    }
}

pub fn milliseconds_of(ms: Option<i64>) -> String {
    ms.map_or(String::new(), milliseconds)
}

/// A wait in seconds: "45 s", "6.5 min", "3 h".
pub fn wait(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        100.0..600.0 => format!("{:.1} min", seconds / 60.0),
        600.0..7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ => span(TimeDelta::seconds(seconds as i64)),
    }
}

pub fn wait_of(seconds: Option<f64>) -> String {
    seconds.map_or(String::new(), wait)
}

/// An amount, from its cents: "1,234.50".
pub fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", grouped(i64::try_from(cents / 100).unwrap_or(i64::MAX)), cents % 100)
}

/// A day of the period: "14 November".
pub fn day_of(period: &Period, at: DateTime<Utc>) -> String {
    at.with_timezone(&period.zone).format("%-d %B").to_string()
}

/// A word of our tables as a heading: "NO_VITALS" is "no vitals".
pub fn plain(code: &str) -> String {
    code.to_lowercase().replace('_', " ")
}

/// Whether a share rose or fell: "up from 4.0 %", "as before".
pub fn change(now: f64, before: f64) -> String {
    match (percent(now), percent(before)) {
        (now, before) if now == before => "as before".to_owned(),
        (_, was) if now > before => format!("up from {was}"),
        (_, was) => format!("down from {was}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!([999, 1_000, 99_949, 240_000].map(milliseconds), ["999 ms", "1.0 s", "99.9 s", "4 min"]);
        assert_eq!([0.4, 99.0, 390.0, 660.0, 10_800.0].map(wait), ["0 s", "99 s", "6.5 min", "11 min", "3 h"]);
        assert_eq!([0, 5, 123_450, -100].map(amount), ["0.00", "0.05", "1,234.50", "-1.00"]);
        assert_eq!((percent(0.0509), many(1, "visit", "visits")), ("5.1 %".to_owned(), "1 visit".to_owned()));
        let changes = [change(0.05, 0.06), change(0.06, 0.05), change(0.05001, 0.05002)];
        assert_eq!(changes, ["down from 6.0 %", "up from 5.0 %", "as before"]);
    }
}
