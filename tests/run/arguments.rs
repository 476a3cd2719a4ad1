//! What a person asks for and is not there: exit 2, and no failure of the job.

use serde_json::json;

use crate::support::Clinic;

async fn told(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM notifications WHERE type LIKE 'JOB%'").await
}

#[tokio::test]
async fn an_argument_that_names_nothing_is_no_failure_of_the_job() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", None).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    let wrong: [&[&str]; 2] =
        [&["escalate-sla", "--fallback-department", "x"], &["advance-billing", "--stage", "paid", "--case", "one"]];
    for _ in 0..4 {
        // The lane has the name of the facility, so without it there is no run.
        let report = clinic.run(&["escalate-sla", "--facility", "99"]).await.expect(2).report();
        assert_eq!((&report["error_code"], &report["run_id"]), (&json!("UNKNOWN_ARGUMENT"), &json!(null)), "{report}");
        for args in wrong {
            let report = clinic.run(args).await.expect(2).report();
            assert_eq!((&report["status"], &report["ok"]), (&json!("SKIPPED"), &json!(false)), "{report}");
        }
    }
    assert_eq!(told(&clinic).await, 0, "nobody is alarmed");
    let rows = clinic.json("SELECT jsonb_agg(DISTINCT status || ' ' || error_code) AS s FROM cron_job_runs").await;
    assert_eq!(rows["s"], json!(["SKIPPED UNKNOWN_ARGUMENT", "SKIPPED UNKNOWN_CASE"]));
    let health = clinic.run(&["health", "escalate-sla", "--failing"]).await.expect(0).report();
    assert_eq!(health["jobs"], json!([]), "nothing is failing: {health}");
    let job = clinic.run(&["health", "escalate-sla"]).await.report()["jobs"][0].take();
    assert_eq!((&job["consecutiveFailures"], &job["stats"]["failedRuns"]), (&json!(0), &json!(0)), "{job}");
    assert_eq!(job["skippedRuns"]["byReason"], json!({ "UNKNOWN_ARGUMENT": 4 }), "{job}");
    // It neither counts among failures nor ends them.
    clinic.sql("ALTER TABLE px_case_audits RENAME TO elsewhere").await;
    clinic
        .sql(&format!(
            "INSERT INTO px_cases (facility_id, due_at) VALUES ({facility}, clock_timestamp() - interval '1 day')"
        ))
        .await;
    for expected in [0, 0, 1] {
        clinic.run(&["escalate-sla", "--attempts", "1"]).await.expect(1);
        clinic.run(wrong[0]).await.expect(2);
        assert_eq!(told(&clinic).await, expected);
    }
}

/// What the clinic has not configured is a failure: nobody asked for anything wrong, and it does not end by itself.
#[tokio::test]
async fn a_configuration_that_forbids_the_work_is_a_failure() {
    let clinic = Clinic::new().await;
    clinic.user(clinic.facility("America/New_York", None).await, "HOSPITAL_ADMIN").await;
    clinic.sql("DELETE FROM surgical_case_transitions").await;
    for expected in [0, 0, 1] {
        let report = clinic.run(&["advance-billing", "--stage", "paid"]).await.expect(2).report();
        assert_eq!((&report["status"], &report["error_code"]), (&json!("FAILED"), &json!("NO_TRANSITION")), "{report}");
        assert_eq!(told(&clinic).await, expected);
    }
}
