//! `rounds advance-billing`: what every job owes, and what many runs at once may not do.

mod brake;
mod by_hand;
mod keys;
mod properties;
mod rules;
mod runs;

use serde_json::Value;

use super::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::keys::Kind;
use crate::support::program::Outcome;

const NOW: &str = "2026-03-02T08:00:00Z";
const PENDING: &[&str] = &["advance-billing", "--stage", "pending-payment", "--as-of", NOW];
const PAID: &[&str] = &["advance-billing", "--stage", "paid", "--as-of", NOW];

/// By hand: which cases, and what is to become of them, is said behind it.
const HAND: &[&str] = &["advance-billing", "--as-of", NOW];
const STATUSES: [i32; 13] = [7, 8, 10, 15, 20, 30, 40, 50, 60, 70, 80, 400, 500];

/// A facility with a patient whose cases are billed.
pub struct BillingFixture {
    clinic: Clinic,
    facility: i64,
    patient: i64,
}

/// Fails unless a run has ended well: with exit code 3 if and only if it was asked for cases that there are not.
fn ended(outcome: Outcome) -> Outcome {
    let report = outcome.report();
    let errors = report["errors"].as_array().into_iter().flatten();
    assert!(errors.into_iter().all(|error| error["code"] == "UNKNOWN_CASE"), "{report}");
    let failed = outcome.count("failed");
    outcome.expect(if failed > 0 { 3 } else { 0 })
}

impl BillingFixture {
    pub async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let facility = clinic.facility("America/New_York", None).await;
        let patient = clinic.patient().await;
        Self { clinic, facility, patient }
    }

    /// So many cases of a status, of 10.01 each; ids go on from the last.
    async fn cases(&self, status: i32, cases: i64) {
        let insert = format!(
            "INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
             SELECT k({}), k({}), {status}, 10.01 FROM generate_series(1, {cases})",
            self.facility, self.patient
        );
        self.clinic.sql(&insert).await;
    }

    /// One case of each of these statuses, in this order, worth 10.01.
    async fn cases_of(&self, statuses: &[i32]) {
        for status in statuses {
            self.cases(*status, 1).await;
        }
    }

    /// A step of a case so long before now: the job's own, or one that the application recorded.
    async fn step(&self, case: i64, (from, to): (i32, i32), by_job: bool, ago: &str) {
        let (run, back) = (if by_job { "gen_random_uuid()" } else { "NULL" }, to <= from);
        let insert = format!(
            "INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, run_id, forced, created_at)
             VALUES (k({case})::text, {from}, {to}, '1', {run}, {back}, timestamptz '{NOW}' - interval '{ago}')"
        );
        self.clinic.sql(&insert).await;
    }

    /// All that is known of the cases, in order.
    async fn rows(&self) -> Value {
        self.clinic.json("SELECT jsonb_agg(c ORDER BY id) AS c FROM surgical_cases c").await["c"].take()
    }

    /// All steps but their ids, in order.
    async fn history(&self) -> Value {
        let query = "SELECT coalesce(jsonb_agg(to_jsonb(h) - 'id' ORDER BY id), '[]') AS h
                     FROM surgical_case_status_history h";
        self.clinic.json(query).await["h"].take()
    }

    /// The status of each case, in order.
    async fn in_order(&self) -> Vec<i32> {
        let query = "SELECT case_status FROM surgical_cases ORDER BY id";
        self.clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
    }

    /// Runs a stage, or cases by hand; everything scanned is accounted for.
    async fn run(&self, stage: &[&str], more: &[&str]) -> Outcome {
        let outcome = ended(self.clinic.run(&[stage, more].concat()).await);
        owed::balanced(&outcome, "advanced");
        outcome
    }

    /// How many cases have which status.
    async fn statuses(&self) -> Vec<(i32, i64)> {
        let query = "SELECT case_status, count(*) FROM surgical_cases GROUP BY 1 ORDER BY 1";
        self.clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// With so many submitted cases, as what every job owes sees it.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let mut fixture = Self::of(kind).await;
        fixture.cases(10, things).await;
        fixture.clinic.program = fixture.clinic.program.env("ROUNDS_MAX_ITEMS", "100000");
        Owed { subject: &SUBJECT, clinic: fixture.clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: PENDING,
    table: "surgical_cases",
    written: ("surgical_case_status_history", "case_id"),
    evidence: &[
        ("surgical_case_status_history", "case_id", 1),
        ("(SELECT * FROM surgical_cases WHERE case_status = 15)", "id", 1),
    ],
    entity: "surgical_case",
    done: "/advanced",
    ..owed::SUBJECT
};

// What the application holds is waited for: below, with what is said of it.
owed::owed_by_the_job! {
    BillingFixture:
    a_second_run_changes_nothing,
    ten_at_once_do_each_once,
    a_child_row_that_is_being_inserted_is_no_reason_to_skip,
    one_poison_row_stops_nobody,
    a_dry_run_says_what_a_run_does_and_changes_nothing,
    one_more_than_a_batch_takes_two,
    a_killed_run_is_completed_by_the_next,
    the_brake_holds_before_anything_is_changed,
}

#[tokio::test]
async fn what_is_held_for_longer_than_it_waits_is_reported_and_left() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let owed = BillingFixture::owed(kind, 3).await;
        let outcome = owed.what_the_application_holds_is_left_to_the_next_run().await;
        let said = format!("surgical_case {}: somebody else holds it; not done", kind.text(1));
        assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
    }
}
