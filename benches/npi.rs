//! The cost of `rounds refresh-npi` and `rounds npi search` on a registry of the size of the real one, against what
//! psql needs for the same and against what is usually done. See docs/performance.md.
//!
//! ROUNDS_BENCH_ROWS=200000 is a quick run, whose figures for the whole weekly job say little: what rebuilding costs grows
//! with the registry. ROUNDS_BENCH_FILES=DIR writes the files into a directory, and nothing else.

#[path = "npi/draw.rs"]
mod draw;
#[path = "npi/first.rs"]
mod first;
#[path = "npi/generate.rs"]
mod generate;
#[allow(dead_code, reason = "not every use needs all of it")]
mod harness;
#[path = "npi/names.rs"]
mod names;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
#[path = "npi/program.rs"]
mod program;
#[path = "npi/provider.rs"]
mod provider;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;
#[path = "npi/search.rs"]
mod search;
#[path = "npi/staging.rs"]
mod staging;
#[rustfmt::skip] // A line for each item would make long lists of them.
#[path = "npi/tables.rs"]
mod tables;
#[path = "npi/weekly.rs"]
mod weekly;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use first::First;
use generate::Registry;
use harness::{Harness, Verdict, median};
use program::Load;
use search::Searches;

const REPEATS: u64 = 3;

fn main() -> ExitCode {
    let rows = std::env::var("ROUNDS_BENCH_ROWS").map_or(9_500_000, |rows| rows.parse().expect("a number of rows"));
    let registry = Registry { rows };
    if let Some(dir) = std::env::var_os("ROUNDS_BENCH_FILES") {
        registry.weekly(0, Path::new(&dir));
        registry.monthly(Path::new(&dir));
        return ExitCode::SUCCESS;
    }
    let work = WorkDir::new();
    let harness = Harness::empty();
    // A registry with nothing in it: for staging alone, and to get from a file what is staged of it.
    let aside = harness.another("aside");
    let staging = staging::measure(&harness, &aside, &registry.weekly(0, &work.0));
    let first = first::measure(&harness, registry, &work.0);
    let weekly: Vec<_> = (0..REPEATS).map(|round| weekly::round(&harness, &aside, registry, round, &work.0)).collect();
    let searches = search::measure(&harness, registry);
    if report(registry, &staging, &first, &weekly, &searches) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where the files are made; it goes with this.
struct WorkDir(PathBuf);

impl WorkDir {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("rounds-bench-npi-{}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Prints the figures; whether all targets are met. Ratios are taken within a round, between neighbours in time.
fn report(
    registry: Registry,
    staging: &[staging::Round],
    first: &First,
    weekly: &[weekly::Round],
    searches: &Searches,
) -> bool {
    let monthly = &first.program;
    let seconds = |name: &str, seconds: f64| println!("  {name:52} {seconds:9.3} s");
    let megabytes = |load: &Load| load.cost.resident as f64 * 1024.0 / 1e6;
    println!("{} rows a week on {}; medians; times are of this machine only", registry.weekly_rows(), registry.rows);
    seconds("staging, one connection", median(staging.iter().map(|r| r.one.staging)));
    seconds("staging, two connections", median(staging.iter().map(|r| r.two.staging)));
    seconds("unzip | psql \\copy, 330 columns of text", median(staging.iter().map(|r| r.psql)));
    seconds("the weekly job", median(weekly.iter().map(|r| r.program.seconds())));
    seconds("  of it staging", median(weekly.iter().map(|r| r.program.staging)));
    seconds("  of it other names", median(weekly.iter().map(|r| r.program.other_names)));
    seconds("hand-tuned SQL on what is staged", median(weekly.iter().map(|r| r.by_hand)));
    seconds("\\copy, merge, 52 tables rebuilt", median(weekly.iter().map(|r| r.rebuilt)));
    seconds("  with the trigrams that the program keeps, too", median(weekly.iter().map(|r| r.rebuilt + r.trigrams)));
    seconds("the monthly file into an empty database", monthly.seconds());
    seconds("  of it staging", monthly.staging);
    seconds("  of it other names", monthly.other_names);
    seconds("hand-tuned SQL on what is staged of it", first.by_hand);
    seconds("the monthly file into a registry with some rows", first.merged.seconds());
    searches.print();
    let mut verdict = Verdict::begin();
    let mut at_least = |name: &str, ratio: f64, target: f64| {
        verdict.row(name, format!("{ratio:.2}x"), &format!(">= {target}x"), ratio >= target);
    };
    at_least("zip to staging, one connection", median(staging.iter().map(|r| r.psql / r.one.staging)), 2.0);
    at_least("zip to staging, two connections", median(staging.iter().map(|r| r.psql / r.two.staging)), 2.7);
    at_least("weekly job, against rebuilding", median(weekly.iter().map(|r| r.rebuilt / r.program.seconds())), 10.0);
    at_least("first load, against a merge", first.merged.seconds() / monthly.seconds(), 2.5);
    let rate = |load: &Load| load.rows as f64 / load.staging;
    // Of the weekly ones the fastest: the monthly file takes so long that little can disturb it.
    let fastest = weekly.iter().map(|r| &r.program).chain(staging.iter().map(|r| &r.two)).map(rate).fold(0.0, f64::max);
    at_least("monthly rows/s, against weekly", rate(monthly) / fastest, 0.6);
    let ratio = median(weekly.iter().map(|r| r.program.seconds() / (r.program.staging + r.by_hand)));
    verdict.row("weekly job, against hand-tuned SQL", format!("{ratio:.2}x"), "<= 1.2x", ratio <= 1.2);
    let ratio = monthly.seconds() / (monthly.staging + first.by_hand);
    verdict.row("first load, against hand-tuned SQL", format!("{ratio:.2}x"), "<= 1.3x", ratio <= 1.3);
    let weekly = weekly.iter().map(|r| megabytes(&r.program)).fold(0.0, f64::max);
    for (name, most) in
        [("weekly file: resident memory", weekly), ("monthly file: resident memory", megabytes(monthly))]
    {
        verdict.row(name, format!("{most:.1} MB"), "<= 30 MB", most <= 30.0);
    }
    let p99 = searches.p99_above_idle();
    verdict.row("npi search, p99 above a process that looks up", format!("{p99:.1} ms"), "< 10 ms", p99 < 10.0);
    verdict.met
}
