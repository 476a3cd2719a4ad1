//! What `rounds escalate-sla` and `rounds escalate-tickets` cost, against what the database itself needs and against a
//! transaction a row. See docs/performance.md; ROUNDS_BENCH_ROWS=10000 is a quick run.

#[path = "escalations/cases.rs"]
mod cases;
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
#[path = "../src/demo/scratch.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;
#[path = "escalations/tickets.rs"]
mod tickets;

use std::process::ExitCode;
use std::time::Duration;

use harness::{Harness, ScriptFile, Verdict, median};
use process::{output, psql, rounds, run};

const AS_OF: &str = "2026-03-02T17:00:00Z";
const REPEATS: usize = 3;
const SINGLE_ROWS: usize = 3000;

/// A job, as psql would do it, and as a loop would.
struct Contest<'a> {
    job: &'static str,
    /// How many items it changes.
    items: usize,
    script: &'a ScriptFile,
    /// Some of them one by one: how many, and how long that took.
    singles: &'a dyn Fn(&str) -> (usize, Duration),
    /// What there is afterwards, in one line.
    effects: &'static str,
}

fn main() -> ExitCode {
    let rows: usize =
        std::env::var("ROUNDS_BENCH_ROWS").map_or(100_000, |rows| rows.parse().expect("a number of rows"));
    let size =
        [format!("cases={}", 5 * rows), format!("due={rows}"), format!("tickets={rows}"), format!("as_of={AS_OF}")];
    let harness = Harness::start("escalations.sql", &size);
    let cases = harness.ids(&cases::scan());
    let cases_met = hold(
        &harness,
        &Contest {
            job: "escalate-sla",
            items: cases.len(),
            script: &cases::script(&cases),
            singles: &|url| cases::one_by_one(url, some(&cases)),
            effects: "SELECT format('%s escalated, %s audits, %s notifications', (SELECT count(*) FROM px_cases WHERE
                      escalated_at = '2026-03-02T17:00:00Z'), (SELECT count(*) FROM px_case_audits),
                      (SELECT count(*) FROM notifications))",
        },
    );
    let rules = tickets::rules(&harness);
    let tickets_met = hold(
        &harness,
        &Contest {
            job: "escalate-tickets",
            items: rules.iter().map(|rule| rule.due.len()).sum(),
            script: &tickets::script(&rules),
            singles: &|url| tickets::one_by_one(url, &rules, SINGLE_ROWS),
            effects: "SELECT format('%s episodes, %s history rows, %s followers, %s notifications',
                      (SELECT count(*) FROM escalation_episodes), (SELECT count(*) FROM ticket_history),
                      (SELECT count(*) FROM ticket_followers), (SELECT count(*) FROM notifications))",
        },
    );
    if cases_met && tickets_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Neighbours, so that a page that is written again costs a loop no more than the others.
fn some(ids: &[i64]) -> &[i64] {
    &ids[ids.len() / 2..][..SINGLE_ROWS.min(ids.len() / 2)]
}

/// Whether the targets are met.
fn hold(harness: &Harness, contest: &Contest<'_>) -> bool {
    let round = |number: usize| {
        let effects = |url: &str| output(psql(url).args(["-c", contest.effects])).trim().to_owned();
        let (program, after) = harness.on_copy(|url| {
            let mut command = rounds(url, contest.job);
            command.args(["--as-of", AS_OF, "--max-items", "1000000"]);
            (run(&mut command).wall, effects(url))
        });
        let (script, by_psql) =
            harness.on_copy(|url| (run(psql(url).arg("-f").arg(&contest.script.0)).wall, effects(url)));
        assert_eq!(after, by_psql, "both must have done the same");
        let (count, singles) = harness.on_copy(contest.singles);
        eprintln!(
            "{} round {number}: rounds {program:.2?}, psql {script:.2?}, {count} one by one {singles:.2?}; {after}",
            contest.job
        );
        let each = |wall: Duration, items: usize| wall.as_secs_f64() / items as f64;
        (each(program, contest.items), each(script, contest.items), each(singles, count))
    };
    let work: Vec<_> = (1..=REPEATS).map(round).collect();
    let micros = |of: fn(&(f64, f64, f64)) -> f64| median(work.iter().map(of)) * 1e6;
    println!("{}: {} items; medians; times are of this machine only", contest.job, contest.items);
    println!(
        "  rounds {:.1} us, psql {:.1} us, a transaction a row {:.1} us an item",
        micros(|w| w.0),
        micros(|w| w.1),
        micros(|w| w.2)
    );
    let mut verdict = Verdict::begin();
    verdict.ratios(median(work.iter().map(|w| w.0 / w.1)), median(work.iter().map(|w| w.2 / w.0)));
    verdict.met
}
