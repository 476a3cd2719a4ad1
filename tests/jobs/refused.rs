//! What a job does with one item is refused, and waits, by itself; and what waits is not in a job's own brake.

use serde_json::{Value, json};

use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::tickets::{TICKET, Ticket};

/// Lets the database refuse rows of a table of ours.
async fn refuse(clinic: &Clinic, table: &str, condition: &str) {
    clinic.sql(&format!("ALTER TABLE {table} ADD CONSTRAINT refuses CHECK (NOT ({condition})) NOT VALID")).await;
}

async fn mend(clinic: &Clinic, table: &str) {
    clinic.sql(&format!("ALTER TABLE {table} DROP CONSTRAINT refuses")).await;
}

/// What waits: part and id.
async fn waiting(clinic: &Clinic) -> Vec<String> {
    let query = "SELECT concat_ws(' ', NULLIF(regexp_replace(part, ' [(].*', ''), ''), 'of', entity_id)
                 FROM item_refusals ORDER BY 1";
    clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn an_alert_that_is_refused_does_not_hold_up_the_other_of_the_same_visit() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    let (status, checked_in) = ("CHECKED_IN", Some("2026-03-02T09:05-05"));
    let (date, time, slot) = ("2026-03-02", "09:00", Some(15));
    clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot }).await;
    let run = async |at: &str, more: &[&str]| {
        let at = format!("2026-03-02T{at}:00-05:00");
        let args = ["stage-alerts", "--as-of", &at, "--waiting-minutes", "30"];
        clinic.run(&[&args[..], more].concat()).await
    };
    refuse(&clinic, "stage_alerts", "alert_type = 'NO_VITALS'").await;
    run("09:20", &[]).await.expect(3);
    assert_eq!(waiting(&clinic).await, ["NO_VITALS of 1"]);
    // 09:35 is the next try of the one, and the first of the other.
    let outcome = run("09:34", &["--max-items", "1"]).await.expect(0);
    assert_eq!((outcome.count("raised"), outcome.count("skipped")), (0, 1));
    let outcome = run("09:35", &[]).await.expect(3);
    assert_eq!((outcome.count("raised"), outcome.count("failed")), (1, 1));
    mend(&clinic, "stage_alerts").await;
    assert_eq!(run("09:36", &[]).await.expect(0).count("skipped"), 1);
    assert_eq!(run("10:05", &[]).await.expect(0).count("raised"), 1, "half an hour after the second refusal");
    assert!(waiting(&clinic).await.is_empty());
}

#[tokio::test]
async fn a_rule_that_is_refused_does_not_hold_up_the_others_of_the_same_ticket() {
    let clinic = Clinic::new().await;
    let user = clinic.kind.text(clinic.agent().await);
    for _ in 0..2 {
        let condition = ("priority_level", json!({ "priorities": ["HIGH"] }));
        clinic.rule(condition, ("add_follower", json!({ "userIds": [user] }))).await;
    }
    clinic.ticket(Ticket { priority: "HIGH", ..TICKET }).await;
    let run = async |more: &[&str]| {
        clinic.run(&[&["escalate-tickets", "--as-of", "2026-03-02T12:00:00Z"], more].concat()).await
    };
    refuse(&clinic, "ticket_history", "details ->> 'ruleId' = '1'").await;
    let outcome = run(&[]).await.expect(3);
    assert_eq!((outcome.count("executed"), outcome.count("failed")), (1, 1), "{outcome:?}");
    assert_eq!(waiting(&clinic).await, ["rule 1 of 1"]);
    for more in [&["--dry-run"][..], &[]] {
        let outcome = run(more).await.expect(0);
        assert_eq!((outcome.count("scanned"), outcome.count("skipped")), (1, 1), "{outcome:?}");
    }
    // A third rule's ticket is within the brake, since the other waits.
    clinic.rule(("priority_level", json!({ "priorities": ["HIGH"] })), ("increase_priority", json!({}))).await;
    assert_eq!(run(&["--max-items", "1"]).await.expect(0).count("executed"), 1);
    mend(&clinic, "ticket_history").await;
    clinic.sql("UPDATE tickets SET priority = 'HIGH'").await;
    assert_eq!(run(&["--retry-refused"]).await.expect(0).count("executed"), 1);
    assert!(waiting(&clinic).await.is_empty());
}

#[tokio::test]
async fn a_run_of_one_facility_forgets_nothing_of_another() {
    let clinic = Clinic::new().await;
    for _ in 0..2 {
        let facility = clinic.facility("America/New_York", None).await;
        clinic.user(facility, "HOSPITAL_ADMIN").await;
        let open = "INSERT INTO px_cases (facility_id, due_at) VALUES (k($1), '2026-03-02T11:00:00Z')";
        clinic.client.execute(open, &[&facility]).await.expect("a case");
    }
    let run =
        async |more: &[&str]| clinic.run(&[&["escalate-sla", "--as-of", "2026-03-02T12:00:00Z"], more].concat()).await;
    refuse(&clinic, "px_case_audits", "true").await;
    run(&[]).await.expect(3);
    mend(&clinic, "px_case_audits").await;
    assert_eq!(run(&["--facility", "1", "--retry-refused"]).await.expect(0).count("escalated"), 1);
    // It is in a lane of its own, which has a ledger of its own.
    assert_eq!(waiting(&clinic).await, ["of 1", "of 2"]);
    assert_eq!(run(&["--retry-refused"]).await.expect(0).count("escalated"), 1);
    assert!(waiting(&clinic).await.is_empty());
}

#[tokio::test]
async fn cases_that_wait_are_not_in_the_brake_of_billing_and_a_person_may_name_them() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", None).await;
    let patient = clinic.patient().await;
    let open = async |cases: i64| {
        let insert = format!(
            "INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
             SELECT {facility}, {patient}, 10, 1 FROM generate_series(1, {cases})"
        );
        clinic.sql(&insert).await;
    };
    let run = async |more: &[&str]| {
        let args = ["advance-billing", "--stage", "pending-payment", "--as-of", "2026-03-02T08:00:00Z"];
        clinic.run(&[&args[..], more].concat()).await
    };
    open(10).await;
    refuse(&clinic, "surgical_case_status_history", "case_id::int <= 10").await;
    run(&[]).await.expect(3);
    // By hand: tried at once, and not remembered. It does not concern those that wait.
    run(&["--case", "1"]).await.expect(3);
    let kept = clinic.json("SELECT count(*) AS n, max(refusals) AS most FROM item_refusals").await;
    assert_eq!(kept, json!({"n": 10, "most": 1}));
    // 51 others are more than 50, whatever waits; 50 are not.
    open(51).await;
    let message = run(&[]).await.expect(5).report()["error_message"].take();
    assert!(message.as_str().is_some_and(|said| said.starts_with("51 cases are due")), "{message}");
    clinic.sql("UPDATE surgical_cases SET active = false WHERE id = 61").await;
    let outcome = run(&[]).await.expect(0);
    assert_eq!((outcome.count("advanced"), outcome.count("skipped")), (50, 10));
    mend(&clinic, "surgical_case_status_history").await;
    run(&["--case", "1"]).await.expect(0);
    assert_eq!(run(&["--retry-refused"]).await.expect(0).count("advanced"), 9);
    assert!(waiting(&clinic).await.is_empty(), "the one that was done by hand is no longer due");
}

#[tokio::test]
async fn prune_deletes_what_no_run_tries_any_more() {
    let clinic = Clinic::new().await;
    let keep = "INSERT INTO item_refusals (job_name, lane, entity, part, entity_id, error_code, message, refusals,
                                           first_refused_at, last_refused_at, next_try_at, run_id)
                SELECT 'gone', '', 'x', '', d, '23514', 'no', 1, at, at, at, gen_random_uuid()
                FROM (SELECT d, clock_timestamp() - make_interval(days => d, mins => -10) AS at
                      FROM unnest(ARRAY[13, 14, 15]) AS d) refused";
    clinic.sql(keep).await;
    let outcome = clinic.run(&["prune"]).await.expect(0);
    assert_eq!((outcome.count("scanned"), outcome.count("refusals")), (1, 1), "{outcome:?}");
    let left: Value = clinic.json("SELECT jsonb_agg(entity_id ORDER BY entity_id) AS ids FROM item_refusals").await;
    assert_eq!(left["ids"], json!(["13", "14"]));
}
