//! The cost of `rounds escalate-sla` and `rounds escalate-tickets`, against what the database itself needs, against
//! the limit and against a transaction a row. See docs/performance.md; ROUNDS_BENCH_ROWS=10000 is a quick run.

#[path = "escalations/cases.rs"]
mod cases;
mod contest;
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
mod recording;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;
#[path = "escalations/tickets.rs"]
mod tickets;

use std::process::ExitCode;

use contest::{Contest, hold};
use harness::Harness;
use recording::Change;

const AS_OF: &str = "2026-03-02T17:00:00Z";
const ARGS: &[&str] = &["--as-of", AS_OF, "--max-items", "1000000"];

fn main() -> ExitCode {
    let rows: usize =
        std::env::var("ROUNDS_BENCH_ROWS").map_or(100_000, |rows| rows.parse().expect("a number of rows"));
    let size =
        [format!("cases={}", 5 * rows), format!("due={rows}"), format!("tickets={rows}"), format!("as_of={AS_OF}")];
    let harness = Harness::start("escalations.sql", &size);
    let cases = Contest {
        job: "escalate-sla",
        args: ARGS,
        changed: "SELECT case_id FROM px_case_audits ORDER BY case_id::bigint",
        singles: cases::one_by_one,
        effects: "SELECT format('%s escalated, %s audits, %s notifications', (SELECT count(*) FROM px_cases WHERE
                  escalated_at = '2026-03-02T17:00:00Z'), (SELECT count(*) FROM px_case_audits),
                  (SELECT count(*) FROM notifications))",
        changes: &[
            Change {
                table: "px_cases",
                set: &["status", "escalation_level", "escalated_at", "updated_at"],
                written: "escalated_at = '2026-03-02T17:00:00Z'",
            },
            Change { table: "px_case_audits", set: &[], written: "true" },
            Change { table: "notifications", set: &[], written: "true" },
        ],
    };
    let tickets = Contest {
        job: "escalate-tickets",
        args: ARGS,
        changed: "SELECT ticket_id FROM ticket_history ORDER BY ticket_id::bigint",
        singles: tickets::one_by_one,
        effects: "SELECT format('%s episodes, %s history rows, %s followers, %s notifications',
                  (SELECT count(*) FROM escalation_episodes), (SELECT count(*) FROM ticket_history),
                  (SELECT count(*) FROM ticket_followers), (SELECT count(*) FROM notifications))",
        changes: &[
            Change {
                table: "tickets",
                set: &["assignee_id", "team_id", "updated_at"],
                written: "updated_at = '2026-03-02T17:00:00Z'",
            },
            Change { table: "escalation_episodes", set: &[], written: "true" },
            Change { table: "ticket_history", set: &[], written: "true" },
            Change { table: "ticket_followers", set: &[], written: "true" },
            Change { table: "notifications", set: &[], written: "true" },
        ],
    };
    let met = [hold(&harness, &cases), hold(&harness, &tickets)];
    if met == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
