//! The cost of `rounds escalate-sla` and `rounds escalate-tickets`, against what the database itself needs and against
//! a transaction a row. See docs/performance.md; ROUNDS_BENCH_ROWS=10000 is a quick run.

#[path = "escalations/cases.rs"]
mod cases;
mod contest;
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;
#[path = "escalations/tickets.rs"]
mod tickets;

use std::process::ExitCode;

use contest::{Contest, hold};
use harness::Harness;

const AS_OF: &str = "2026-03-02T17:00:00Z";
const ARGS: &[&str] = &["--as-of", AS_OF, "--max-items", "1000000"];
const SINGLE_ROWS: usize = 3000;

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
            args: ARGS,
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
            args: ARGS,
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
