//! The server takes no more writes or no more connections while a run is at work, or when one begins.

use std::time::{Duration, Instant};

use crate::support::program::{self, Outcome};
use crate::support::{Clinic, Program, gate, scratch, server};

const ARGS: [&str; 7] =
    ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "10", "--lease", "8s"];

/// A fault of the server for one role: how it begins, how it ends, and its code.
const FAULTS: [(&str, &str, &str); 2] = [
    ("SET default_transaction_read_only = on", "RESET default_transaction_read_only", "25006"),
    ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1", "53300"),
];

/// A clinic, and a role of which the server takes no writes or no connections at will.
struct Limited {
    clinic: Clinic,
    role: String,
    program: Program,
}

impl Limited {
    async fn new() -> Self {
        let clinic = Clinic::with_visits(30).await;
        let role = format!("limited_{}", clinic.database);
        clinic
            .sql(&format!(
                "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA rounds TO {role};
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rounds TO {role};
                 GRANT USAGE ON ALL SEQUENCES IN SCHEMA rounds TO {role}"
            ))
            .await;
        let url = server().url(&clinic.database).replace(&format!("//{}@", scratch::USER), &format!("//{role}@"));
        let program = clinic.program.clone().env("DATABASE_URL", &url);
        Self { clinic, role, program }
    }

    async fn alter(&self, how: &str) {
        self.clinic.sql(&format!("ALTER ROLE {} {how}", self.role)).await;
    }

    /// A run whose server changes so in its second batch, and is mended after a while, or not.
    async fn interrupted(&self, (begin, end, _): (&str, &str, &str), mended: Option<Duration>) -> Outcome {
        gate::close(&self.clinic, 15).await;
        let run = self.program.start(&ARGS);
        gate::reached(&self.clinic).await;
        self.alter(begin).await;
        self.clinic
            .sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", self.role))
            .await;
        if let Some(after) = mended {
            tokio::time::sleep(after).await;
            self.alter(end).await;
        }
        let outcome = program::finish(run).await;
        self.alter(end).await;
        gate::open(&self.clinic).await;
        outcome
    }

    async fn rows(&self) -> Vec<String> {
        let rows = "SELECT concat_ws(' ', status, error_code) FROM cron_job_runs ORDER BY started_at";
        self.clinic.rows(rows).await.iter().map(|row| row.get(0)).collect()
    }
}

#[tokio::test]
async fn the_close_is_tried_until_its_time_is_over() {
    for fault in FAULTS {
        let limited = Limited::new().await;
        let outcome = limited.interrupted(fault, Some(Duration::from_secs(3))).await.expect(1);
        let report = outcome.report();
        assert_eq!((report["error_code"].as_str(), outcome.count("marked")), (Some(fault.2), 10), "{outcome:?}");
        assert!(outcome.stderr.contains("closing the run"), "{outcome:?}");
        assert_eq!(limited.rows().await, [format!("FAILED {}", fault.2)]);
        // So the next start need not wait.
        assert_eq!(limited.program.run(&ARGS).await.expect(0).count("marked"), 20);
        assert_eq!(limited.clinic.effects().await, (30, 30, 60));
    }
}

#[tokio::test]
async fn a_row_that_stays_open_is_told_with_when_the_next_run_can_begin() {
    for fault in FAULTS {
        let limited = Limited::new().await;
        let began = Instant::now();
        let outcome = limited.interrupted(fault, None).await.expect(1);
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        let report = outcome.report();
        let why = report["error_message"].as_str().expect("a text");
        assert_eq!(report["error_code"], fault.2, "{report}");
        assert!(why.contains("the run's row could not be closed"), "{why}");
        assert!(why.contains("within 8s is SKIPPED, the first one after that takes it over"), "{why}");
        assert!(outcome.stderr.contains("NOT_CLOSED"), "{outcome:?}");
        assert_eq!(limited.rows().await, ["RUNNING"]);
        limited.clinic.bury().await;
        assert_eq!(limited.program.run(&ARGS).await.expect(0).count("marked"), 20);
        assert_eq!(limited.rows().await, ["FAILED LEASE_EXPIRED", "COMPLETED"]);
    }
}

#[tokio::test]
async fn a_server_that_takes_no_writes_at_the_start_is_a_clear_error() {
    for (begin, end, code) in FAULTS {
        let limited = Limited::new().await;
        limited.alter(begin).await;
        let report = limited.program.run(&ARGS).await.expect(1).report();
        let why = report["error_message"].as_str().expect("a text");
        assert_eq!(report["error_code"], code, "{report}");
        assert!(why.contains("nothing was done") && why.contains("gave up after 3 attempts"), "{why}");
        if code == "25006" {
            assert!(why.contains("read-only") && why.contains("claiming the run"), "{why}");
        }
        assert!(limited.rows().await.is_empty());
        limited.alter(end).await;
        limited.program.run(&ARGS).await.expect(0);
    }
}

/// After a failover the next attempt has a connection of its own.
#[tokio::test]
async fn a_server_that_takes_writes_again_is_used_again() {
    let limited = Limited::new().await;
    limited.alter(FAULTS[0].0).await;
    let program = limited.program.clone().env("ROUNDS_RETRY_DELAY", "2s");
    let run = program.start(&ARGS);
    tokio::time::sleep(Duration::from_secs(1)).await;
    limited.alter(FAULTS[0].1).await;
    let outcome = program::finish(run).await.expect(0);
    assert!(outcome.stderr.contains("trying again") && outcome.stderr.contains("25006"), "{outcome:?}");
    assert_eq!(outcome.count("marked"), 30);
}
