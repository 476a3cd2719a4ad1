//! The cost of `rounds report` of thirty days, with ten times the history against the same thirty days. See
//! docs/performance.md; ROUNDS_BENCH_ROWS=20000 is a quick run.

#[allow(dead_code, reason = "not every use needs all of it")]
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;

use std::process::ExitCode;
use std::time::Duration;

use harness::{Harness, Verdict, median};
use process::{Cost, psql, rounds, run};

/// How often each report is written; the median counts.
const REPEATS: usize = 7;
/// How much more the report may cost with ten times the history.
const MOST: f64 = 1.5;

fn main() -> ExitCode {
    let rows: usize =
        std::env::var("ROUNDS_BENCH_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
    let of = |rows: usize, window: usize| [format!("rows={rows}"), format!("window={window}")];
    let window = rows / 10;
    let harness = Harness::start("report.sql", &of(rows, window));
    let large = harness.another("large");
    eprintln!("filling in {} ...", 10 * rows);
    let fill = format!("{}/benches/report.sql", env!("CARGO_MANIFEST_DIR"));
    let values = of(10 * rows, window);
    run(psql(&large).args(values.iter().flat_map(|value| ["-v", value])).args(["-f", &fill]));
    let (small, _) = (cost(&harness.url()), cost(&large));
    let (small_again, large) = (cost(&harness.url()), cost(&large));
    let mut verdict = Verdict::begin();
    let small = small.wall.min(small_again.wall);
    verdict.row(&format!("{rows} of each, {window} in 30 days"), seconds(small), "", true);
    verdict.row(&format!("{} of each, the same 30 days", 10 * rows), seconds(large.wall), "", true);
    verdict.row("memory of the latter", format!("{} MiB", large.resident / 1024), "", true);
    verdict.at_most("ten times the history", large.wall.as_secs_f64() / small.as_secs_f64(), MOST);
    if verdict.met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a report costs, in the median.
fn cost(url: &str) -> Cost {
    let place = tempfile::tempdir().expect("a place");
    let page = place.path().join("report.html");
    let mut costs: Vec<Cost> = (0..REPEATS)
        .map(|_| run(rounds(url, "report").args(["--as-of", "2026-03-31T20:00:00Z", "--html"]).arg(&page)))
        .collect();
    let wall = median(costs.iter().map(|cost| cost.wall));
    let index = costs.iter().position(|cost| cost.wall == wall).expect("one of them");
    costs.swap_remove(index)
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
