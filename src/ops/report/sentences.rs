//! The first sentences of a report: what a director wants to know.

use std::collections::BTreeMap;

use super::Report;
use super::business_view::{messages_words, money_words, registry_words, requests_words};
use super::clinic_view::{alerts_words, no_shows_words, waits_words};
use super::lanes::{Jobs, LaneFigures};
use super::period::Period;
use super::words::{day_of, grouped, many};
use super::work::Queue;

pub fn of(report: &Report) -> Vec<String> {
    let now = &report.period;
    let jobs = now.jobs.told().map(|jobs| jobs_words(jobs, &now.period));
    let no_shows = now.no_shows.told().filter(|of| of.total.visits > 0);
    let no_shows = no_shows.map(|of| no_shows_words(&of.total, report.no_shows_before.as_ref()));
    let waits = now.waits.told().filter(|of| of.total.vitals.n > 0).map(|of| waits_words(&of.total));
    let alerts = now.alerts.told().filter(|of| of.total.raised > 0).map(|of| alerts_words(&of.total));
    let cases = report.cases.told().map(|queue| open_words(queue, "case", "cases"));
    let tickets = report.tickets.told().map(|queue| open_words(queue, "ticket", "tickets"));
    let open: Vec<String> = cases.into_iter().chain(tickets).collect();
    let open = (!open.is_empty()).then(|| open.join("; "));
    let money = now.money.told().filter(|of| !of.by_status.is_empty()).map(money_words);
    let messages = now.messages.told().filter(|of| !of.is_empty()).map(|of| messages_words(of));
    let requests = now.requests.told().filter(|of| !of.is_empty()).map(requests_words);
    let registry = now.registry.told().filter(|of| of.up_to.is_some()).map(registry_words);
    let all = [jobs, no_shows, waits, alerts, open, money, messages, requests, registry];
    all.into_iter().flatten().map(|words| format!("{words}.")).collect()
}

fn open_words(queue: &Queue, one: &str, several: &str) -> String {
    let late =
        if queue.overdue > 0 { format!(", {} past the due time", grouped(queue.overdue)) } else { String::new() };
    format!("{}{late}", many(queue.open, &format!("open {one}"), &format!("open {several}")))
}

fn jobs_words(jobs: &Jobs, period: &Period) -> String {
    let late: Vec<&str> = of_late(jobs).map(|lane| lane.counts.name.as_str()).collect();
    let all = jobs.lanes.len();
    let on_time = match late.len() {
        0 => format!("All {all} jobs on time"),
        1 => format!("1 of {all} jobs is not on time ({})", late[0]),
        // More than three names are no sentence any more.
        2 | 3 => format!("{} of {all} jobs are not on time ({})", late.len(), late.join(", ")),
        many => format!("{many} of {all} jobs are not on time"),
    };
    let failed: i64 = jobs.lanes.iter().map(|lane| lane.counts.failed).sum();
    let runs: i64 = jobs.lanes.iter().map(|lane| lane.counts.runs).sum();
    let failed = match failed {
        _ if runs == 0 => return format!("No job ran in this time; {}", missed_words(jobs, period)),
        0 => format!("none of {} failed", many(runs, "run", "runs")),
        failed => format!("{} of {} failed", grouped(failed), many(runs, "run", "runs")),
    };
    format!("{on_time}; {}; {failed}", missed_words(jobs, period))
}

fn of_late(jobs: &Jobs) -> impl Iterator<Item = &LaneFigures> {
    jobs.lanes.iter().filter(|lane| lane.healthy == Some(false))
}

/// How many slots were missed, and when most of them.
fn missed_words(jobs: &Jobs, period: &Period) -> String {
    let mut by_day = BTreeMap::<_, (i64, _)>::new();
    for slot in jobs.lanes.iter().flat_map(|lane| &lane.missed_slots) {
        let day = slot.with_timezone(&period.zone).date_naive();
        by_day.entry(day).and_modify(|(count, _)| *count += 1).or_insert((1, *slot));
    }
    let all: i64 = by_day.values().map(|(count, _)| count).sum();
    let worst = by_day.values().max_by_key(|(count, _)| *count);
    match (worst, by_day.len()) {
        (None, _) => "no slot missed".to_owned(),
        (Some((_, slot)), 1) => format!("{} missed on {}", many(all, "slot", "slots"), day_of(period, *slot)),
        (Some((most, slot)), _) => {
            format!("{} missed, {} of them on {}", many(all, "slot", "slots"), grouped(*most), day_of(period, *slot))
        }
    }
}
