//! What a reader sees of the jobs: a table of all, and a timeline of each.

use super::Figures;
use super::lanes::{Counts, Jobs, LaneFigures, Time};
use super::period::Period;
use super::view::{Kind, Plot, Strip, Table, Tone, View};
use super::words::{grouped, many, milliseconds, milliseconds_of, percent_of};
use crate::output::{local_stamp, span};
use chrono::TimeDelta;

const SOURCE: &str = "cron_job_runs, by the start of each run, and the schedule. Success rates leave out runs that were \
                      skipped or interrupted. Durations are those of successful runs. The longest gap is the working time \
                      without the start of a successful run.";

/// The section of the jobs.
pub fn jobs(now: &Figures, before: Option<&Figures>) -> View {
    let view = View::new("jobs", "Jobs", SOURCE);
    let Some(jobs) = now.jobs.told() else { return view.absent(now.jobs.absent().unwrap_or_default()) };
    let before = before.and_then(|before| before.jobs.told());
    let mut tables = vec![overview(jobs, before)];
    let failures = failures(jobs, &now.period);
    if !failures.rows.is_empty() {
        tables.push(failures);
    }
    if !jobs.others.is_empty() {
        tables.push(others(&jobs.others));
    }
    let ran = jobs.lanes.iter().filter(|lane| lane.counts.runs > 0 || !lane.missed_slots.is_empty());
    let plots = ran.map(|lane| plot(lane, &now.period)).collect();
    let sentences = sentences(jobs);
    let unit = now.period.unit.name();
    let hint = format!(
        "In a timeline a cell is one {unit}; of the time, the dark line is the median run and the light one the longest."
    );
    View { sentences, tables, plots, hint, ..view }
}

fn sentences(jobs: &Jobs) -> Vec<String> {
    let late: Vec<String> = jobs.lanes.iter().filter(|lane| lane.healthy == Some(false)).map(late).collect();
    let none = jobs.lanes.iter().filter(|lane| lane.counts.runs == 0).map(|lane| lane.counts.name.as_str());
    let none: Vec<&str> = none.collect();
    let mut out = late;
    if !none.is_empty() {
        out.push(format!("Did not run in this time: {}.", none.join(", ")));
    }
    out
}

fn late(lane: &LaneFigures) -> String {
    format!("{} is not on time: {}.", lane.counts.name, lane.why)
}

fn overview(jobs: &Jobs, before: Option<&Jobs>) -> Table {
    let columns = ["job", "on time", "runs", "ok", "failed", "missed", "p50", "p95", "max", "longest gap", "items"];
    let row = |lane: &LaneFigures| {
        let counts = &lane.counts;
        vec![
            counts.name.clone(),
            lane.healthy.map_or("", |healthy| if healthy { "yes" } else { "no" }).to_owned(),
            grouped(counts.runs),
            percent_of(counts.success_rate()),
            grouped(counts.failed),
            grouped(lane.missed_slots.len() as i64),
            milliseconds_of(counts.p50_ms),
            milliseconds_of(counts.p95_ms),
            milliseconds_of(counts.max_ms),
            lane.longest_gap.map_or(String::new(), |gap| span(TimeDelta::seconds(gap.seconds))),
            grouped(counts.items_processed),
        ]
    };
    let was = |lane: &LaneFigures| before?.lanes.iter().find(|was| was.counts.name == lane.counts.name);
    let rates = before.map(|_| {
        jobs.lanes.iter().map(|lane| percent_of(was(lane).and_then(|was| was.counts.success_rate()))).collect()
    });
    let failed = before.map(|_| {
        jobs.lanes.iter().map(|lane| was(lane).map_or(String::new(), |was| grouped(was.counts.failed))).collect()
    });
    Table::new("All jobs", &columns, jobs.lanes.iter().map(row).collect())
        .and_before("ok before", rates)
        .and_before("failed before", failed)
}

fn failures(jobs: &Jobs, period: &Period) -> Table {
    let rows = jobs.lanes.iter().flat_map(|lane| {
        lane.failures.iter().map(|failure| {
            vec![
                lane.counts.name.clone(),
                grouped(failure.runs),
                failure.code.clone(),
                local_stamp(failure.last_at, period.zone),
                failure.message.clone(),
            ]
        })
    });
    Table::new("Why runs failed", &["job", "runs", "code", "last", "reason, as it was recorded"], rows.collect())
}

fn others(others: &[Counts]) -> Table {
    let row = |counts: &Counts| {
        vec![counts.name.clone(), grouped(counts.runs), percent_of(counts.success_rate()), grouped(counts.failed)]
    };
    Table::new("Runs outside of the schedule", &["job", "runs", "ok", "failed"], others.iter().map(row).collect())
}

/// The timeline of a lane.
fn plot(lane: &LaneFigures, period: &Period) -> Plot {
    let counts = &lane.counts;
    let times = period.times();
    let of = |at| lane.times.iter().find(|time| time.at == at);
    let values = |value: fn(&Time) -> i64| -> Vec<f64> {
        times.iter().map(|at| of(*at).map_or(0.0, |time| value(time) as f64)).collect()
    };
    let missed = lane.missed_slots.len() as i64;
    let row = |name, tone, value: fn(&Time) -> i64, total| {
        let values = values(value);
        let most = values.iter().copied().fold(1.0, f64::max);
        (name, tone, values.iter().map(|value| value / most).collect(), grouped(total))
    };
    let durations = [|time: &Time| time.p50_ms, |time: &Time| time.max_ms]
        .map(|value| times.iter().map(|at| of(*at).and_then(value).map(|ms| ms as f64)).collect());
    let label = |index: usize| times.get(index).map_or(String::new(), |at| period.unit.label(*at));
    let strip = Strip {
        labels: [label(0), label(times.len() / 2), label(times.len().saturating_sub(1))],
        rows: vec![
            row("ok", Tone::Main, |time| time.succeeded, counts.succeeded),
            row("failed", Tone::Bad, |time| time.failed, counts.failed),
            row("missed", Tone::Bad, |time| time.missed, missed),
            row("skipped", Tone::Muted, |time| time.skipped, counts.skipped + counts.interrupted),
        ],
        durations,
        duration_max: milliseconds_of(counts.max_ms),
        items: values(|time| time.items),
        items_total: grouped(counts.items_processed),
    };
    let rate = counts
        .success_rate()
        .map_or("no success or failure".to_owned(), |rate| format!("{} ok", super::words::percent(rate)));
    let took = counts.p95_ms.map_or(String::new(), |p95| format!(", 95 % within {}", milliseconds(p95)));
    let description =
        format!("{}: {rate}{took}; {}.", many(counts.runs, "run", "runs"), many(missed, "missed slot", "missed slots"));
    let table = table(lane, period);
    Plot { title: counts.name.clone(), description, kind: Kind::Strip(strip), table, in_text: false }
}

fn table(lane: &LaneFigures, period: &Period) -> Table {
    let row = |time: &Time| {
        vec![
            period.unit.label(time.at),
            grouped(time.succeeded),
            grouped(time.failed),
            grouped(time.missed),
            grouped(time.skipped),
            milliseconds_of(time.p50_ms),
            milliseconds_of(time.max_ms),
            grouped(time.items),
        ]
    };
    let columns = [period.unit.name(), "ok", "failed", "missed", "skipped", "median", "max", "items"];
    Table::new("", &columns, lane.times.iter().map(row).collect())
}
