//! One client with many visits, and what is true of every run, however it ends.

use serde_json::Value;

use crate::support::practiceq::{Client, KEY, Sync, appointment};
use crate::support::program::Outcome;

/// Whose name must not come out.
pub const ZEBEDEE: Client<'static> =
    Client { id: 11, name: "Zebedee Canaryman", email: "zebedee@canary.example", date_of_birth: "1980-02-03" };

/// More than two pages.
pub const CROWD: usize = 250;

pub fn visit_id(number: usize) -> String {
    format!("v{number:03}")
}

/// A visit of Zebedee's; one begins each half hour from the night of March 3, 2026.
pub fn visit(number: usize) -> Value {
    let (day, half) = (3 + number / 48, number % 48);
    let starts_at = format!("2026-03-{day:02}T{:02}:{:02}:00Z", half / 2, half % 2 * 30);
    appointment(&visit_id(number), &ZEBEDEE, &starts_at)
}

/// Fails if anything of a client, or the key, was printed.
#[track_caller]
pub fn discreet(outcome: &Outcome) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!said.to_lowercase().contains("canary") && !said.contains(KEY), "{outcome:#?}");
}

/// Fails unless the run says that it could not read on for this reason.
#[track_caller]
pub fn stopped(outcome: &Outcome, code: &str) {
    let report = outcome.report();
    let page = |errors: &Vec<Value>| errors.iter().any(|error| error["entity"] == "page" && error["code"] == code);
    let said = match outcome.code {
        3 => report["errors"].as_array().is_some_and(page),
        _ => report["error_code"] == code,
    };
    assert!(said, "{code}: {outcome:#?}");
}

impl Sync {
    /// The account has so many visits of Zebedee's, who is a patient.
    pub async fn with_visits(visits: usize) -> Self {
        let sync = Self::new().await;
        sync.patient_of(&ZEBEDEE).await;
        (0..visits).for_each(|number| sync.upstream.put(visit(number)));
        sync
    }

    /// A run that ends so, says nothing that it must not, and leaves its log closed and its requests counted.
    pub async fn ends_with(&self, code: i32, args: &[&str]) -> Outcome {
        let outcome = self.run(args).await.expect(code);
        discreet(&outcome);
        self.tidy().await;
        outcome
    }

    /// Fails unless no log is open, nothing recorded names a client, and each request is counted.
    pub async fn tidy(&self) {
        let open = "SELECT count(*) FROM sync_logs WHERE status = 'in_progress'";
        assert_eq!(self.clinic.count(open).await, 0, "logs in progress");
        let recorded = "SELECT jsonb_build_array((SELECT jsonb_agg(r) FROM cron_job_runs r),
                                                 (SELECT jsonb_agg(e) FROM cron_job_run_errors e),
                                                 (SELECT jsonb_agg(l) FROM sync_logs l),
                                                 (SELECT jsonb_agg(q) FROM api_requests q),
                                                 (SELECT jsonb_agg(c) FROM practiceq_cursors c),
                                                 (SELECT jsonb_agg(CASE n.channel WHEN 'IN_APP' THEN to_jsonb(n) - 'body' - 'placeholders'
                                                                  ELSE to_jsonb(n) END)
                                                  FROM notifications n)) AS v";
        let recorded = self.clinic.json(recorded).await["v"].to_string();
        assert!(!recorded.to_lowercase().contains("canary"), "{recorded}");
        let counted = self.clinic.count("SELECT count(*) FROM api_requests WHERE purpose <> 'earlier'").await;
        assert_eq!(counted, self.upstream.requests().len() as i64, "requests");
    }

    /// What the account's visits are here, but for what is unlike from run to run.
    pub async fn picture(&self) -> Value {
        let query = "SELECT coalesce(jsonb_agg(to_jsonb(a) - '{id,created_at,updated_at,read_at,last_seen_sweep,
                                                               missed_sweep,deleted_at,cancelled_at}'::text[]
                                               || jsonb_build_object('deleted', deleted_at IS NOT NULL)
                                               ORDER BY external_id), '[]') AS v
                     FROM stored_visits a";
        self.clinic.json(query).await["v"].clone()
    }

    /// How many visits of the account are stored and not deleted.
    pub async fn stored_visits(&self) -> i64 {
        let query = "SELECT count(*) FROM stored_visits WHERE deleted_at IS NULL";
        self.clinic.count(query).await
    }

    /// The statuses of all logs, in order.
    pub async fn logs(&self) -> Vec<String> {
        let rows = self.clinic.rows("SELECT status FROM sync_logs ORDER BY id").await;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The pages that were asked for, of lists.
    pub fn pages(&self) -> Vec<usize> {
        self.upstream.requests().iter().map(|request| request.page()).collect()
    }

    /// Where each lane that stopped goes on.
    pub async fn cursors(&self) -> Vec<(String, i32)> {
        let rows = self.clinic.rows("SELECT lane, page FROM practiceq_cursors ORDER BY lane").await;
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Lets so much time pass for the account's budget.
    pub async fn pass(&self, interval: &str) {
        self.clinic
            .sql(&format!(
                "UPDATE api_requests SET requested_at = requested_at - interval '{interval}';
                 UPDATE api_budgets SET blocked_until = blocked_until - interval '{interval}'"
            ))
            .await;
    }
}
