//! The cost of `rounds mark-no-shows`, against what the database itself needs, against the limit and against a
//! transaction a row.
//!
//! Every figure is a ratio or a difference within one run on one machine; a target that is missed is exit code 1. The
//! server is a scratch cluster with fsync on. ROUNDS_BENCH_ROWS=100000 is a quick run. See docs/performance.md.

mod by_row;
mod contest;
mod harness;
mod process;
mod recording;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use contest::{Contest, hold};
use harness::{Harness, Verdict, median};
use process::{Cost, psql, rounds, run};
use recording::Change;

/// Day in all the time zones of clinic.sql.
const AS_OF: &str = "2026-03-02T17:00:00Z";
/// Before any visit.
const NOTHING_DUE: &str = "2020-01-01T17:00:00Z";
const STARTS: usize = 30;

fn main() -> ExitCode {
    let visits = std::env::var("ROUNDS_BENCH_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
    let size = [format!("visits={visits}"), format!("due={}", 100_000.min(visits / 10)), format!("as_of={AS_OF}")];
    let harness = Harness::start("clinic.sql", &size);
    // First, while this process is small: see Cost::resident.
    let idle_met = start_up(&harness);
    let contest = Contest {
        job: "mark-no-shows",
        args: &["--as-of", AS_OF, "--max-items", "200000"],
        changed: "SELECT appointment_id FROM no_show_logs ORDER BY appointment_id::bigint",
        singles: row_by_row,
        effects: "SELECT format('%s no-shows, %s logs, %s slots released, %s notifications',
                                (SELECT count(*) FROM appointments WHERE status = 'NO_SHOW'),
                                (SELECT count(*) FROM no_show_logs), count(*) FILTER (WHERE slot_released),
                                (SELECT count(*) FROM notifications))
                  FROM no_show_logs",
        changes: &[
            Change {
                table: "appointments",
                set: &["status", "updated_at"],
                written: "status = 'NO_SHOW' AND updated_at = '2026-03-02T17:00:00Z'",
            },
            Change {
                table: "doctor_slots",
                set: &["is_booked", "appointment_id", "is_blocked"],
                written: "appointment_id IS NULL",
            },
            Change { table: "no_show_logs", set: &[], written: "true" },
            Change { table: "notifications", set: &[], written: "true" },
        ],
    };
    let work_met = hold(&harness, &contest);
    if idle_met && work_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A run with nothing to do, beside psql; whether the targets are met.
fn start_up(harness: &Harness) -> bool {
    let nothing = |url: &str| run(rounds(url, "mark-no-shows").args(["--as-of", NOTHING_DUE]));
    let (program, psql): (Vec<_>, Vec<_>) =
        harness.on_copy(|url| (0..STARTS).map(|_| (nothing(url), run(psql(url).args(["-c", "SELECT 1"])))).unzip());
    let of = |costs: Vec<Cost>| Cost {
        wall: median(costs.iter().map(|cost| cost.wall)),
        resident: median(costs.iter().map(|cost| cost.resident)),
    };
    let (program, psql) = (of(program), of(psql));
    let millis = |wall: Duration| wall.as_secs_f64() * 1000.0;
    let mebibytes = |kibibytes: i64| kibibytes as f64 / 1024.0;
    println!("nothing to do");
    for (name, cost) in [("rounds mark-no-shows", &program), ("psql -c 'select 1'", &psql)] {
        println!("  {name:28} {:9.3} ms and {:.1} MiB", millis(cost.wall), mebibytes(cost.resident));
    }
    let later = millis(program.wall) - millis(psql.wall);
    let memory = mebibytes(program.resident);
    let mut verdict = Verdict::begin();
    verdict.row("nothing to do: longer than psql by", format!("{later:.1} ms"), "<= 30 ms", later <= 30.0);
    verdict.row("nothing to do: resident memory", format!("{memory:.1} MiB"), "< 15 MB", memory * 1.048_576 < 15.0);
    verdict.met
}

fn row_by_row(url: &str, ids: &[i64]) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let began = Instant::now();
    let marked = runtime.block_on(by_row::mark(url, ids, AS_OF.parse().expect("an instant"))).expect("the loop works");
    assert_eq!(marked, ids.len(), "all were due");
    (marked, began.elapsed())
}
