//! The cost of `rounds mark-no-shows`, against what the database itself needs and against a transaction a row.
//!
//! Every figure is a ratio or a difference within one run on one machine; a target that is missed is exit code 1. The
//! server is a scratch cluster with fsync on. ROUNDS_BENCH_ROWS=100000 is a quick run. ROUNDS_BENCH_PLAN=1 shows the
//! plan of the scan and nothing else. See docs/performance.md.

mod by_psql;
mod by_row;
mod harness;
mod process;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::{Harness, Verdict, median};
use process::{Cost, mark_no_shows, output, psql, run};

/// Day in all the time zones of clinic.sql, and the dates within a week before "today" in any zone.
const AS_OF: &str = "2026-03-02T17:00:00Z";
const FIRST_DATE: &str = "2026-02-23";
const LAST_DATE: &str = "2026-03-03";
/// Before any visit.
const NOTHING_DUE: &str = "2020-01-01T17:00:00Z";
const REPEATS: usize = 5;
const STARTS: usize = 30;
const SINGLE_ROWS: usize = 5000;

fn main() -> ExitCode {
    let visits = std::env::var("ROUNDS_BENCH_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
    let bench = Bench::start(visits, 100_000.min(visits / 10));
    if std::env::var_os("ROUNDS_BENCH_PLAN").is_some() {
        print!("{}", bench.plan());
        return ExitCode::SUCCESS;
    }
    // First, while this process is small: see Cost::resident.
    let idle = bench.start_up();
    let work = bench.work();
    if report(&bench, &idle, &work) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Bench {
    harness: Harness,
    visits: usize,
    due: usize,
}

/// Medians of a run with nothing to do.
struct StartUp {
    rounds: Cost,
    psql: Cost,
}

/// The cost of marking in one round: all that is due by the program and by psql, and a row on its own.
struct Work {
    rounds: Duration,
    psql: Duration,
    single: Duration,
}

impl Bench {
    fn start(visits: usize, due: usize) -> Self {
        let size = [format!("visits={visits}"), format!("due={due}"), format!("as_of={AS_OF}")];
        Self { harness: Harness::start("clinic.sql", &size), visits, due }
    }

    fn start_up(&self) -> StartUp {
        self.harness.on_copy(|url| {
            let (rounds, psql): (Vec<_>, Vec<_>) = (0..STARTS)
                .map(|_| (run(&mut mark_no_shows(url, NOTHING_DUE)), run(psql(url).args(["-c", "SELECT 1"]))))
                .unzip();
            let of = |costs: Vec<Cost>| Cost {
                wall: median(costs.iter().map(|cost| cost.wall)),
                resident: median(costs.iter().map(|cost| cost.resident)),
            };
            StartUp { rounds: of(rounds), psql: of(psql) }
        })
    }

    fn work(&self) -> Vec<Work> {
        let due = self.due_ids();
        let script = by_psql::script(&due);
        // Neighbours, so that a page that is written again costs this loop no more than the others.
        let some = &due[due.len() / 2..][..SINGLE_ROWS.min(due.len() / 2)];
        let round = |number: usize| {
            let (rounds, after) = self.harness.on_copy(|url| (run(&mut mark_no_shows(url, AS_OF)).wall, effects(url)));
            let (psql, by_psql) =
                self.harness.on_copy(|url| (run(psql(url).arg("-f").arg(&script.0)).wall, effects(url)));
            assert_eq!(after, by_psql, "both must have done the same");
            let singles = self.harness.on_copy(|url| row_by_row(url, some));
            let count = some.len();
            eprintln!(
                "round {number}: rounds {rounds:.2?}, psql {psql:.2?}, {count} rows one by one {singles:.2?}; {after}"
            );
            Work { rounds, psql, single: singles / count as u32 }
        };
        (1..=REPEATS).map(round).collect()
    }

    fn due_ids(&self) -> Vec<i64> {
        let ids = self.harness.ids(&by_psql::scan());
        assert_eq!(ids.len(), self.due, "clinic.sql makes exactly these due");
        ids
    }

    fn plan(&self) -> String {
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS, SETTINGS, TIMING off) {}", by_psql::scan());
        output(psql(&self.harness.url()).args(["-c", "SET jit = off", "-c", &explain]))
    }
}

fn row_by_row(url: &str, ids: &[i64]) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let date = |text: &str| text.parse().expect("a date");
    let moment =
        by_row::Moment { now: AS_OF.parse().expect("an instant"), first: date(FIRST_DATE), last: date(LAST_DATE) };
    let began = Instant::now();
    let marked = runtime.block_on(by_row::mark(url, ids, &moment)).expect("the loop works");
    let wall = began.elapsed();
    assert_eq!(marked, ids.len(), "all were due");
    wall
}

/// The result, in one line.
fn effects(url: &str) -> String {
    let count = "SELECT format('%s no-shows, %s logs, %s slots released, %s notifications',
                               (SELECT count(*) FROM appointments WHERE status = 'NO_SHOW'),
                               (SELECT count(*) FROM no_show_logs), count(*) FILTER (WHERE slot_released),
                               (SELECT count(*) FROM notifications))
                 FROM no_show_logs";
    output(psql(url).args(["-c", count])).trim().to_owned()
}

/// Prints the figures; whether all targets are met. Ratios are taken within a round, between neighbours in time.
fn report(bench: &Bench, idle: &StartUp, work: &[Work]) -> bool {
    let millis = |wall: Duration| wall.as_secs_f64() * 1000.0;
    let mebibytes = |kibibytes: i64| kibibytes as f64 / 1024.0;
    let each = |work: &Work| work.rounds / bench.due as u32;
    let row = |name: &str, wall: Duration, unit: &str| println!("  {name:28} {:9.3} ms {unit}", millis(wall));
    println!("{} due of {} visits; medians; times are of this machine only", bench.due, bench.visits);
    row("rounds mark-no-shows", median(work.iter().map(each)), "a row");
    row("the same statements by psql", median(work.iter().map(|work| work.psql / bench.due as u32)), "a row");
    row("a transaction a row", median(work.iter().map(|work| work.single)), "a row");
    println!("nothing to do");
    row("rounds mark-no-shows", idle.rounds.wall, &format!("and {:.1} MiB", mebibytes(idle.rounds.resident)));
    row("psql -c 'select 1'", idle.psql.wall, &format!("and {:.1} MiB", mebibytes(idle.psql.resident)));
    let ratio = median(work.iter().map(|work| work.rounds.as_secs_f64() / work.psql.as_secs_f64()));
    let faster = median(work.iter().map(|work| work.single.as_secs_f64() / each(work).as_secs_f64()));
    let later = millis(idle.rounds.wall) - millis(idle.psql.wall);
    let memory = mebibytes(idle.rounds.resident);
    let mut verdict = Verdict::begin();
    verdict.ratios(ratio, faster);
    verdict.row("nothing to do: longer than psql by", format!("{later:.1} ms"), "<= 30 ms", later <= 30.0);
    verdict.row("nothing to do: resident memory", format!("{memory:.1} MiB"), "< 15 MB", memory * 1.048_576 < 15.0);
    verdict.met
}
