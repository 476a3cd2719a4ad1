//! `rounds runs stats`: the totals since ever, the same before and after `prune` has deleted runs.

use serde_json::{Value, json};

use crate::support::Clinic;

/// Runs of three lanes over 600 days, of which most are old enough to be deleted; the durations are spread widely.
async fn fill(clinic: &Clinic) {
    clinic
        .sql(
            "INSERT INTO cron_job_runs (id, job_name, lane, status, started_at, heartbeat_at, deadline_at, completed_at,
                                        duration_ms, items_processed, items_failed, error_code, host, version)
             SELECT gen_random_uuid(), job, lane, status, t, t, t, t, ms, n, n % 2,
                    CASE WHEN status = 'FAILED' THEN CASE WHEN n % 8 = 0 THEN 'INTERRUPTED' ELSE 'XX000' END END, 'h', 'v'
             FROM (SELECT n, CASE n % 3 WHEN 0 THEN 'mark-no-shows' ELSE 'sync-practiceq' END AS job,
                          CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'full' ELSE 'patient:' || n END AS lane,
                          CASE WHEN n % 4 = 0 THEN 'FAILED' WHEN n % 7 = 0 THEN 'SKIPPED' ELSE 'COMPLETED' END AS status,
                          clock_timestamp() - n * interval '1 day' AS t, (n::bigint * n * n) % 7919 AS ms
                   FROM generate_series(1, 600) n) q",
        )
        .await;
}

/// The statistics without those of prune, which runs meanwhile.
async fn stats(clinic: &Clinic) -> Vec<Value> {
    let report = clinic.run(&["runs", "stats"]).await.expect(0).report();
    let lanes = report["jobs"].as_array().expect("lanes").clone();
    lanes.into_iter().filter(|lane| lane["job"] != "prune").collect()
}

#[tokio::test]
async fn deleted_runs_are_counted_still() {
    let clinic = Clinic::new().await;
    fill(&clinic).await;
    let before = stats(&clinic).await;
    let names: Vec<_> = before.iter().map(|lane| (lane["job"].clone(), lane["lane"].clone())).collect();
    let expected = [("mark-no-shows", ""), ("sync-practiceq", "full"), ("sync-practiceq", "patient:*")];
    assert_eq!(names, expected.map(|(job, lane)| (json!(job), json!(lane))), "no id of a patient");
    for keep in ["500d", "300d", "2d"] {
        let deleted = clinic.run(&["prune", "--keep", keep]).await.expect(0).count("runs");
        assert!(deleted > 50, "{keep}: {deleted}");
        assert_eq!(stats(&clinic).await, before, "{keep}");
    }
    assert!(clinic.count("SELECT count(*) FROM cron_job_runs WHERE job_name <> 'prune'").await < 210);
}

#[tokio::test]
async fn the_figures_are_those_of_the_rows() {
    let clinic = Clinic::new().await;
    fill(&clinic).await;
    let by_sql = clinic
        .json(
            "SELECT count(*) AS runs, count(*) FILTER (WHERE status = 'COMPLETED') AS succeeded,
                    count(*) FILTER (WHERE status = 'FAILED' AND error_code = 'XX000') AS failed,
                    count(*) FILTER (WHERE error_code = 'INTERRUPTED') AS interrupted,
                    count(*) FILTER (WHERE status = 'SKIPPED') AS skipped, sum(items_processed) AS items_processed,
                    sum(items_failed) AS items_failed,
                    round(avg(duration_ms) FILTER (WHERE status = 'COMPLETED')) AS average,
                    percentile_disc(ARRAY[0, 0.5, 0.9, 0.95, 0.99, 1]) WITHIN GROUP (ORDER BY duration_ms)
                        FILTER (WHERE status = 'COMPLETED') AS percentiles
             FROM cron_job_runs WHERE job_name = 'mark-no-shows'",
        )
        .await;
    let report = clinic.run(&["runs", "stats", "mark-no-shows"]).await.expect(0).report();
    let [lane] = &report["jobs"].as_array().expect("lanes")[..] else { panic!("one lane: {report}") };
    for key in ["runs", "succeeded", "failed", "interrupted", "skipped", "items_processed", "items_failed"] {
        assert_eq!(lane[key], by_sql[key], "{key}");
    }
    let durations = &lane["duration_ms"];
    assert_eq!(durations["average"], by_sql["average"]);
    for (index, key) in ["min", "p50", "p90", "p95", "p99", "max"].into_iter().enumerate() {
        let [told, exact] = [&durations[key], &by_sql["percentiles"][index]].map(|value| value.as_f64().expect("ms"));
        assert!((told - exact).abs() <= exact / 32.0, "{key}: {told}, and not {exact}");
    }
    assert_eq!([&durations["min"], &durations["max"]], [&by_sql["percentiles"][0], &by_sql["percentiles"][5]]);
    let none = clinic.run(&["runs", "stats", "refresh-npi", "--output", "text"]).await.expect(0).stdout;
    assert_eq!(none, "No run yet.\n");
}
