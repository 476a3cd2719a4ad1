//! `rounds no-show stats`: the share of no-shows among the visits.

use chrono::{DateTime, Days, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::filter::Filter;
use crate::clinic::local_time::day;
use crate::command::{CommandContext, Output, listing, shown};
use crate::db::{Key, Row, statements};
use crate::error::Error;
use crate::ops::places::Places;
use crate::output::counted;
use crate::run::count;

statements! {
    STATS(KEY, KEY, DATE, DATE) = format!(include_str!("stats.sql"), day = day("a.appointment_date"));
}

/// The length of the period without --from, in days.
const DAYS: u64 = 30;
/// The length of the bar of the highest rate.
const BAR: f64 = 24.0;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Count no-shows by facility, doctor and weekday; of the last 30 days, or those before --to, where --from does not say
#[derive(Args, Debug)]
pub struct StatsArgs {
    #[command(flatten)]
    filter: Filter,
}

/// The counts of one group of visits.
struct Group {
    of: Of,
    visits: u64,
    no_shows: u64,
    automatic: u64,
    manual: u64,
    slots_released: u64,
    /// The visits of which a person undid the mark, and that are no no-shows now.
    undone: u64,
}

/// The common property of a group of visits; None where it is not known.
enum Of {
    Total,
    Facility(Option<Key>),
    Doctor(Option<Key>),
    Weekday(Option<&'static str>),
}

impl StatsArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (filter, groups, places) = context
            .read(async |tx, now| {
                let filter = self.period(now);
                filter.check(tx).await?;
                let Filter { facility, doctor, from, to } = &filter;
                let rows = STATS.all(tx, &[facility, doctor, from, to]).await?;
                let groups: Vec<Group> = rows.iter().map(group).collect();
                let facilities = groups.iter().filter_map(Group::facility);
                let places = Places::read(tx, facilities, groups.iter().filter_map(Group::doctor)).await?;
                Ok((filter, groups, places))
            })
            .await?;
        let of = |kind: fn(&Of) -> bool| groups.iter().filter(move |group| kind(&group.of)).collect::<Vec<_>>();
        let (total, facilities, doctors, weekdays) = (
            of(|group| matches!(group, Of::Total)),
            of(|group| matches!(group, Of::Facility(_))),
            of(|group| matches!(group, Of::Doctor(_))),
            of(|group| matches!(group, Of::Weekday(_))),
        );
        let list = |groups: &[&Group]| groups.iter().map(|group| group.json(&places)).collect::<Value>();
        let json = json!({
            "from": filter.from,
            "to": filter.to,
            "total": total.first().map(|group| group.json(&places)),
            "by_facility": list(&facilities),
            "by_doctor": list(&doctors),
            "by_weekday": list(&weekdays),
        });
        let mut text = total.first().map_or(String::new(), |group| group.sentence(&filter));
        for (what, groups) in [("facility", facilities), ("doctor", doctors), ("weekday", weekdays)] {
            text.push_str(&chart(what, &groups, &places));
        }
        Ok(Output::done(json, text))
    }

    fn period(&self, now: DateTime<Utc>) -> Filter {
        let last = self.filter.to.unwrap_or(now.date_naive());
        let from = self.filter.from.or_else(|| last.checked_sub_days(Days::new(DAYS)));
        Filter { from, ..self.filter.clone() }
    }
}

fn group(row: &Row) -> Group {
    let weekday = row.get::<_, Option<i32>>("weekday").and_then(|day| WEEKDAYS.get(day as usize - 1).copied());
    // A bit is set for each of facility, doctor and weekday that the group does not have in common.
    let of = match row.get("grouping") {
        0b011 => Of::Facility(row.get("facility_id")),
        0b101 => Of::Doctor(row.get("doctor_id")),
        0b110 => Of::Weekday(weekday),
        _ => Of::Total,
    };
    let [visits, no_shows, automatic, manual, slots_released, undone] =
        ["visits", "no_shows", "automatic", "manual", "slots_released", "undone"].map(|column| count(row, column));
    Group { of, visits, no_shows, automatic, manual, slots_released, undone }
}

impl Group {
    /// The share of no-shows among the visits, from 0 to 1; None if there was no visit.
    fn rate(&self) -> Option<f64> {
        (self.visits > 0).then(|| self.no_shows as f64 / self.visits as f64)
    }

    fn facility(&self) -> Option<&Key> {
        if let Of::Facility(id) = &self.of { id.as_ref() } else { None }
    }

    fn doctor(&self) -> Option<&Key> {
        if let Of::Doctor(id) = &self.of { id.as_ref() } else { None }
    }

    fn json(&self, places: &Places) -> Value {
        let mut out = match &self.of {
            Of::Total => json!({}),
            Of::Facility(id) => {
                json!({ "facility_id": id, "facility_name": places.facility_name(id.as_ref()) })
            }
            Of::Doctor(id) => json!({ "doctor_id": id, "doctor_name": places.doctor_name(id.as_ref()) }),
            Of::Weekday(day) => json!({ "weekday": day }),
        };
        out["visits"] = self.visits.into();
        out["no_shows"] = self.no_shows.into();
        out["automatic"] = self.automatic.into();
        out["manual"] = self.manual.into();
        out["slots_released"] = self.slots_released.into();
        out["undone"] = self.undone.into();
        out["no_show_rate"] = self.rate().map(|rate| (rate * 10_000.0).round() / 10_000.0).into();
        out
    }

    fn sentence(&self, filter: &Filter) -> String {
        let undone = if self.undone > 0 { format!("; {} undone", self.undone) } else { String::new() };
        let Some(rate) = self.rate() else { return format!("No visits in that time{undone}.\n") };
        let day =
            |name: &str, day: Option<chrono::NaiveDate>| day.map_or(String::new(), |day| format!(" {name} {day}"));
        format!(
            "{} of {} ({:.1} %){}{}: {} automatic, {} manual; {} released{undone}.\n",
            counted(self.no_shows, "no-show"),
            counted(self.visits, "visit"),
            rate * 100.0,
            day("from", filter.from),
            day("to", filter.to),
            self.automatic,
            self.manual,
            counted(self.slots_released, "slot")
        )
    }
}

/// A table of groups, with a bar for each rate in proportion to the highest rate.
fn chart(what: &str, groups: &[&Group], places: &Places) -> String {
    let highest = groups.iter().filter_map(|group| group.rate()).fold(f64::MIN_POSITIVE, f64::max);
    let cells = |group: &&Group| {
        let rate = group.rate().unwrap_or(0.0);
        let name = match &group.of {
            Of::Total => String::new(),
            Of::Facility(id) => places.facility_cell(id.as_ref()),
            Of::Doctor(id) => places.doctor_cell(id.as_ref()),
            Of::Weekday(day) => shown(*day),
        };
        let counts = [group.visits, group.no_shows, group.automatic, group.manual, group.slots_released];
        let bar = "█".repeat((rate / highest * BAR).round() as usize);
        let shares = [format!("{:.1} %", rate * 100.0), bar];
        [name].into_iter().chain(counts.map(|count| count.to_string())).chain(shares).collect()
    };
    let rows: Vec<Vec<String>> = groups.iter().map(cells).collect();
    if rows.is_empty() {
        return String::new();
    }
    listing(&[what, "visits", "no-shows", "automatic", "manual", "released", "rate", ""], &rows, "")
}
