//! The instants of a cron line, an EventBridge expression and an OnCalendar line: as much of each language as the folders use.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;

/// A line, read. Wall clock in a zone.
#[derive(Debug)]
pub struct Times {
    pub zone: Tz,
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    /// From Sunday, which is 0.
    weekdays: BTreeSet<u32>,
}

/// The next starts from an instant on, as reports write them.
pub fn starts(lines: &[Times], from: DateTime<Utc>, count: usize) -> Vec<String> {
    let mut instants = BTreeSet::new();
    for line in lines {
        let days = from.with_timezone(&line.zone).date_naive().iter_days().take(7 * (count + 2));
        let mut found = 0;
        for day in days.filter(|day| line.weekdays.contains(&day.weekday().num_days_from_sunday())) {
            for (hour, minute) in
                line.hours.iter().flat_map(|hour| line.minutes.iter().map(move |minute| (hour, minute)))
            {
                let local = line.zone.from_local_datetime(&day.and_hms_opt(*hour, *minute, 0).expect("a time"));
                let both = [local.earliest(), local.latest()];
                let slots = both.into_iter().flatten().map(|slot| slot.to_utc()).filter(|slot| *slot >= from);
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
    let [minute, hour, "*", "*", weekday] = fields[..] else { panic!("no cron line that this reads: {line}") };
    let [minutes, hours] = [(minute, 60), (hour, 24)].map(|(field, end)| values(field, end));
    Times { zone: named(zone), minutes, hours, weekdays: values(weekday, 7) }
}

/// cron(minute hour day-of-month month day-of-week year).
pub fn event_bridge(expression: &str, zone: &str) -> Times {
    let fields = expression.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')'));
    let fields: Vec<&str> = fields.unwrap_or_else(|| panic!("no cron expression: {expression}")).split(' ').collect();
    let (minute, hour, weekday) = match fields[..] {
        [minute, hour, "*", "*", "?", "*"] => (minute, hour, "*"),
        [minute, hour, "?", "*", weekday, "*"] => (minute, hour, weekday),
        _ => panic!("no cron expression that this reads: {expression}"),
    };
    let [minutes, hours] = [(minute, 60), (hour, 24)].map(|(field, end)| values(field, end));
    Times { zone: named(zone), minutes, hours, weekdays: weekdays(weekday) }
}

/// [Weekday] *-*-* hours:minutes zone.
pub fn on_calendar(line: &str) -> Times {
    let words: Vec<&str> = line.split(' ').collect();
    let (weekday, time, zone) = match words[..] {
        ["*-*-*", time, zone] => ("*", time, zone),
        [weekday, "*-*-*", time, zone] => (weekday, time, zone),
        _ => panic!("no OnCalendar line that this reads: {line}"),
    };
    let (hour, minute) = time.split_once(':').expect("hours and minutes");
    let [minutes, hours] = [(minute, 60), (hour, 24)].map(|(field, end)| values(&field.replace("..", "-"), end));
    Times { zone: named(zone), minutes, hours, weekdays: weekdays(weekday) }
}

fn named(zone: &str) -> Tz {
    zone.parse().unwrap_or_else(|_| panic!("no zone: {zone}"))
}

fn weekdays(field: &str) -> BTreeSet<u32> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    match NAMES.iter().position(|name| *name == field.to_lowercase()) {
        Some(day) => [day as u32].into(),
        None => values(field, 7),
    }
}

/// `*`, a number, a range, each with a step; several with commas. A number with a step goes on to the end.
fn values(field: &str, end: u32) -> BTreeSet<u32> {
    let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("no number: {text} in {field}"));
    field
        .split(',')
        .flat_map(|part| {
            let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(number(step))));
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first), number(last)),
                None if range == "*" => (0, end - 1),
                None => (number(range), if step.is_some() { end - 1 } else { number(range) }),
            };
            assert!(first <= last && last < end, "{field} is outside of 0 to {}", end - 1);
            (first..=last).step_by(step.unwrap_or(1) as usize)
        })
        .collect()
}
