//! The instants of a cron line, an EventBridge expression, an OnCalendar line and a line of a crontab: as much of each
//! language as the renderings use.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// A line, read. Wall clock in a zone.
#[derive(Debug)]
pub struct Times {
    pub zone: Tz,
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    days: BTreeSet<u32>,
    months: BTreeSet<u32>,
    /// From Sunday, which is 0.
    weekdays: BTreeSet<u32>,
    /// What the line asks another clock.
    guard: Option<Guard>,
}

/// A zone, and the values that minute, hour, day, month and day of the week (from Monday, which is 1) may have on its
/// clock; None: any.
#[derive(Debug)]
struct Guard {
    zone: Tz,
    fields: [Option<BTreeSet<u32>>; 5],
}

impl Guard {
    /// Reads the patterns of a line of grep: values in parentheses, or a dot for each digit.
    fn read(zone: &str, patterns: &str) -> Self {
        let patterns: Vec<&str> = patterns.split(' ').collect();
        let fields = patterns.iter().zip([2, 2, 2, 2, 1]).map(|(pattern, digits)| {
            let values = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            if values.is_none() {
                assert_eq!(*pattern, ".".repeat(digits), "no pattern that this reads");
            }
            let number = |value: &str| {
                assert_eq!(value.len(), digits, "{pattern}");
                value.parse().expect("a number")
            };
            values.map(|values| values.split('|').map(number).collect())
        });
        let fields: Vec<_> = fields.collect();
        Self { zone: named(zone), fields: fields.try_into().expect("five patterns") }
    }

    fn lets_through(&self, slot: DateTime<Utc>) -> bool {
        let there = slot.with_timezone(&self.zone).naive_local();
        let weekday = there.weekday().number_from_monday();
        let values = [there.minute(), there.hour(), there.day(), there.month(), weekday];
        self.fields.iter().zip(values).all(|(field, value)| field.as_ref().is_none_or(|all| all.contains(&value)))
    }
}

impl Times {
    fn is_on(&self, day: NaiveDate) -> bool {
        self.days.contains(&day.day())
            && self.months.contains(&day.month())
            && self.weekdays.contains(&day.weekday().num_days_from_sunday())
    }
}

/// The next starts from an instant on, as reports write them.
pub fn starts(lines: &[Times], from: DateTime<Utc>, count: usize) -> Vec<String> {
    let mut instants = BTreeSet::new();
    for line in lines {
        let days = from.with_timezone(&line.zone).date_naive().iter_days().take(7 * (count + 2));
        let mut found = 0;
        for day in days.filter(|day| line.is_on(*day)) {
            for (hour, minute) in
                line.hours.iter().flat_map(|hour| line.minutes.iter().map(move |minute| (hour, minute)))
            {
                let local = line.zone.from_local_datetime(&day.and_hms_opt(*hour, *minute, 0).expect("a time"));
                let both = [local.earliest(), local.latest()];
                let slots = both.into_iter().flatten().map(|slot| slot.to_utc()).filter(|slot| *slot >= from);
                let slots = slots.filter(|slot| line.guard.as_ref().is_none_or(|guard| guard.lets_through(*slot)));
                found += slots.map(|slot| instants.insert(slot)).filter(|new| *new).count();
            }
            if found >= count {
                break;
            }
        }
    }
    let stamp = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::Millis, true);
    instants.into_iter().take(count).map(stamp).collect()
}

/// Five fields: minute, hour, day of the month, month, day of the week.
pub fn cron(line: &str, zone: &str) -> Times {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else { panic!("no cron line that this reads: {line}") };
    assert!(day == "*" || weekday == "*", "{line}: cron would take either day");
    times(zone, [minute, hour, day, month], values(weekday, 0, 7))
}

/// cron(minute hour day-of-month month day-of-week year).
pub fn event_bridge(expression: &str, zone: &str) -> Times {
    let fields = expression.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')'));
    let fields: Vec<&str> = fields.unwrap_or_else(|| panic!("no cron expression: {expression}")).split(' ').collect();
    let (minute, hour, day, month, weekday) = match fields[..] {
        [minute, hour, day, month, "?", "*"] if day != "?" => (minute, hour, day, month, "*"),
        [minute, hour, "?", month, weekday, "*"] => (minute, hour, "*", month, weekday),
        _ => panic!("no cron expression that this reads: {expression}"),
    };
    times(zone, [minute, hour, day, month], weekdays(weekday))
}

/// [Weekdays] *-month-day hours:minutes zone.
pub fn on_calendar(line: &str) -> Times {
    let words: Vec<&str> = line.split(' ').collect();
    let (weekday, date, time, zone) = match words[..] {
        [date, time, zone] => ("*", date, time, zone),
        [weekday, date, time, zone] => (weekday, date, time, zone),
        _ => panic!("no OnCalendar line that this reads: {line}"),
    };
    let date: Vec<&str> = date.split('-').collect();
    let ["*", month, day] = date[..] else { panic!("no date that this reads: {line}") };
    let (hour, minute) = time.split_once(':').expect("hours and minutes");
    let fields = [minute, hour, day, month].map(|field| field.replace("..", "-"));
    times(zone, fields.each_ref().map(String::as_str), weekdays(weekday))
}

/// A line of a crontab on a machine in a zone, and its command.
pub fn crontab(line: &str, machine: &str) -> (Times, String) {
    let (fields, command) = line.split_once("  ").unwrap_or_else(|| panic!("no line of a crontab: {line}"));
    let mut times = cron(fields, machine);
    let mut command = command;
    if let Some((zone, rest)) = command.strip_prefix("TZ=").and_then(|rest| rest.split_once(' ')) {
        let asked = rest.strip_prefix("date '+\\%M \\%H \\%d \\%m \\%u' | grep -qxE '").expect("a question to date");
        let (patterns, rest) = asked.split_once("' || exit 0; ").expect("a pattern");
        times.guard = Some(Guard::read(zone, patterns));
        command = rest;
    }
    (times, command.to_owned())
}

fn times(zone: &str, [minute, hour, day, month]: [&str; 4], weekdays: BTreeSet<u32>) -> Times {
    Times {
        zone: named(zone),
        minutes: values(minute, 0, 60),
        hours: values(hour, 0, 24),
        days: values(day, 1, 32),
        months: values(month, 1, 13),
        weekdays,
        guard: None,
    }
}

fn named(zone: &str) -> Tz {
    zone.parse().unwrap_or_else(|_| panic!("no zone: {zone}"))
}

fn weekdays(field: &str) -> BTreeSet<u32> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let named = |name: &str| NAMES.iter().position(|known| *known == name.to_lowercase()).map(|day| day as u32);
    let days: Option<BTreeSet<u32>> = field.split(',').map(named).collect();
    days.unwrap_or_else(|| values(field, 0, 7))
}

/// `*`, a number, a range, each with a step; several with commas. A number with a step goes on to the end.
fn values(field: &str, begin: u32, end: u32) -> BTreeSet<u32> {
    let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("no number: {text} in {field}"));
    field
        .split(',')
        .flat_map(|part| {
            let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(number(step))));
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first), number(last)),
                None if range == "*" => (begin, end - 1),
                None => (number(range), if step.is_some() { end - 1 } else { number(range) }),
            };
            assert!(begin <= first && first <= last && last < end, "{field} is outside of {begin} to {}", end - 1);
            (first..=last).step_by(step.unwrap_or(1) as usize)
        })
        .collect()
}
