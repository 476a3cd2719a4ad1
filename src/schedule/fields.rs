//! Five cron fields: minutes, hours, days of the month, months, days of the week, each as a set.
//!
//! They are also the common form of every cadence, which each scheduler's language can say: the product of five sets.

use std::fmt;

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

/// A field: the bit of each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    bits: u64,
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    pub minutes: Set,
    pub hours: Set,
    pub days: Set,
    pub months: Set,
    /// From Sunday, which is 0.
    pub weekdays: Set,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// The most days that each month may have; none has a day that is not there each year.
const DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Set {
    const fn all(first: u32, last: u32) -> Self {
        Self { bits: (u64::MAX >> (63 - (last - first))) << first, first, last }
    }

    /// These values instead of all.
    pub fn of(self, values: impl IntoIterator<Item = u32>) -> Self {
        Self { bits: values.into_iter().fold(0, |bits, value| bits | 1 << value), ..self }
    }

    pub fn has(self, value: u32) -> bool {
        self.bits >> value & 1 == 1
    }

    pub fn is_all(self) -> bool {
        self == Self::all(self.first, self.last)
    }

    pub fn values(self) -> impl Iterator<Item = u32> {
        (self.first..=self.last).filter(move |value| self.has(*value))
    }

    pub fn only(self) -> Option<u32> {
        (self.bits.count_ones() == 1).then(|| self.bits.trailing_zeros())
    }

    /// The step and the first value, if the values go on evenly to the end and begin within the first step.
    pub fn step(self) -> Option<(u32, u32)> {
        let values: Vec<u32> = self.values().collect();
        let [from, next, ..] = values[..] else { return None };
        let step = next - from;
        let is_even = values.iter().copied().eq((from..=self.last).step_by(step as usize));
        (is_even && from - self.first < step).then_some((step, from))
    }

    /// The runs of values that follow each other.
    pub fn ranges(self) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = vec![];
        for value in self.values() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == value => *last = value,
                _ => ranges.push((value, value)),
            }
        }
        ranges
    }

    /// A field as people write it; the names of its values, if it has any, begin with the first value.
    fn parse(self, text: &str, names: &[&str]) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no cron field of {} to {}", self.first, self.last);
        let number = |text: &str| -> Result<u32, String> {
            let name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
            match name {
                Some(index) => Ok(self.first + index as u32),
                None => text.parse().map_err(|_| wrong()),
            }
        };
        let mut found = self.of([]);
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => {
                    (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0).ok_or_else(wrong)?))
                }
                None => (part, None),
            };
            let (from, to) = match range.split_once('-') {
                Some((from, to)) => (number(from)?, number(to)?),
                None if range == "*" => (self.first, self.last),
                None if step.is_some() => {
                    return Err(format!("{}; `{range}/N` needs an end: {range}-{}/N", wrong(), self.last));
                }
                None => (number(range)?, number(range)?),
            };
            // Of the days of the week 7 is Sunday, too.
            let sunday = self.last == 6 && to == 7;
            if from > to || from < self.first || (to > self.last && !sunday) {
                return Err(wrong());
            }
            let values =
                (from..=to).step_by(step.unwrap_or(1) as usize).map(|value| if sunday { value % 7 } else { value });
            found = self.of(found.values().chain(values));
        }
        Ok(found)
    }
}

impl Fields {
    /// Every minute.
    pub const ALL: Self = Self {
        minutes: Set::all(0, 59),
        hours: Set::all(0, 23),
        days: Set::all(1, 31),
        months: Set::all(1, 12),
        weekdays: Set::all(0, 6),
    };

    /// Five fields in a text; None if it is something else.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else { return None };
        minutes.starts_with(|first: char| first == '*' || first.is_ascii_digit()).then(|| {
            let all = Self::ALL;
            let fields = Self {
                minutes: all.minutes.parse(minutes, &[])?,
                hours: all.hours.parse(hours, &[])?,
                days: all.days.parse(days, &[])?,
                months: all.months.parse(months, &MONTHS)?,
                weekdays: all.weekdays.parse(weekdays, &WEEKDAYS)?,
            };
            if !fields.days.is_all() && !fields.weekdays.is_all() {
                return Err("a day of the month and a day of the week: cron would start on either, others on both; \
                            say one of them"
                    .to_owned());
            }
            let is_there = |month: u32| fields.days.values().any(|day| day <= DAYS[month as usize - 1]);
            match fields.months.values().any(is_there) {
                true => Ok(fields),
                false => Err("it is on no day of most years".to_owned()),
            }
        })
    }

    /// Lines that together say these times of the day, in order: hours with the same minutes are one line.
    pub fn of_times(self, times: impl Iterator<Item = NaiveTime>) -> Vec<Self> {
        let mut hours = [self.minutes.of([]); 24];
        for time in times {
            let minutes = &mut hours[time.hour() as usize];
            *minutes = minutes.of(minutes.values().chain([time.minute()]));
        }
        let mut lines: Vec<Self> = vec![];
        for (hour, minutes) in (0..).zip(hours).filter(|(_, minutes)| minutes.bits != 0) {
            match lines.iter_mut().find(|line| line.minutes == minutes) {
                Some(line) => line.hours = line.hours.of(line.hours.values().chain([hour])),
                None => lines.push(Self { minutes, hours: self.hours.of([hour]), ..self }),
            }
        }
        lines
    }

    pub fn is_every_day(self) -> bool {
        self.days.is_all() && self.months.is_all() && self.weekdays.is_all()
    }

    /// The times of a day, in order.
    pub fn times(self) -> impl Iterator<Item = NaiveTime> {
        let all = self.hours.values().flat_map(move |hour| self.minutes.values().map(move |minute| (hour, minute)));
        all.filter_map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0))
    }

    pub fn is_on(self, day: NaiveDate) -> bool {
        self.days.has(day.day())
            && self.months.has(day.month())
            && self.weekdays.has(day.weekday().num_days_from_sunday())
    }
}

/// As cron reads it.
impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, hours, days, months, weekdays } = self;
        write!(f, "{minutes} {hours} {days} {months} {weekdays}")
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("*");
        }
        if let Some((step, from)) = self.step().filter(|(step, from)| *step > 1 && *from == self.first) {
            // Of two values a list says more.
            if (from + 2 * step) <= self.last {
                return write!(f, "*/{step}");
            }
        }
        let ranges = self.ranges();
        let texts = ranges.iter().map(|(from, to)| match to - from {
            0 => from.to_string(),
            1 => format!("{from},{to}"),
            _ => format!("{from}-{to}"),
        });
        f.write_str(&texts.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        Fields::parse(text).expect("five fields").map(|fields| fields.to_string())
    }

    #[test]
    fn fields_are_read_as_cron_reads_them() {
        for (text, canonical) in [
            ("*/5 7-22 * * *", "*/5 7-22 * * *"),
            ("0,30 * * * *", "0,30 * * * *"),
            ("7,37 * * * *", "7,37 * * * *"),
            ("7-59/30 8-12 1 * *", "7,37 8-12 1 * *"),
            ("0 8 * jan-MAR,12 *", "0 8 * 1-3,12 *"),
            ("15 8 * * Mon-fri", "15 8 * * 1-5"),
            ("15 8 * * 5-7", "15 8 * * 0,5,6"),
            ("0-59 0-23 1-31 1-12 0-6", "* * * * *"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(canonical), "{text}");
        }
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for text in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "1x * * * *",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("7/30 * * * *").expect_err("no end").contains("7-59/N"));
        assert!(read("0 8 1 * 1").expect_err("both").contains("a day of the month and a day of the week"));
        assert!(read("0 8 29 2 *").is_err() && read("0 8 31 4,6 *").is_err(), "there is no such day");
        assert!(Fields::parse("every 5 minutes from 7").is_none() && Fields::parse("daily 04:30").is_none());
    }

    #[test]
    fn times_become_lines_of_the_same_minutes() {
        let quarters =
            (6 * 60 + 30..=20 * 60 + 15).step_by(15).filter_map(|m| NaiveTime::from_hms_opt(m / 60, m % 60, 0));
        let lines: Vec<String> = Fields::ALL.of_times(quarters).iter().map(Fields::to_string).collect();
        assert_eq!(lines, ["30,45 6 * * *", "*/15 7-19 * * *", "0,15 20 * * *"]);
    }
}
