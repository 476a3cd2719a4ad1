//! Runs, slots and gaps of the jobs, of a lane whose runs are known.

use serde_json::{Value, json};

use super::{page, report};
use crate::support::Clinic;

/// Runs of `mark-no-shows` every five minutes for two days, of 100 to 387 ms: at 09:00 on the 30th three slots had none, two
/// runs failed at 12:00, one was skipped at 13:00, one interrupted at 14:00. And two of a patient, by hand.
async fn clinic() -> Clinic {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO cron_job_runs (id, job_name, status, source, started_at, heartbeat_at, deadline_at, completed_at,
                                        duration_ms, items_processed, error_code, error_message, host, version)
             SELECT gen_random_uuid(), 'mark-no-shows', o.status, 'cron', at, at, at, at + make_interval(secs => 0.5),
                    100 + k % 288, 2, o.code, CASE WHEN o.code = '57P01' THEN 'shut down <b>&' END, 'h', 'v'
             FROM generate_series(timestamptz '2026-03-29 20:00:01Z', '2026-03-31 19:55:01Z', '5 minutes')
                  WITH ORDINALITY AS g (at, k)
             CROSS JOIN LATERAL (SELECT to_char(at, 'DD HH24:MI') AS time) t
             CROSS JOIN LATERAL (SELECT CASE WHEN time IN ('30 12:00', '30 12:05') THEN '57P01'
                                             WHEN time = '30 13:00' THEN 'ALREADY_RUNNING'
                                             WHEN time = '30 14:00' THEN 'INTERRUPTED' END AS code) c
             CROSS JOIN LATERAL (SELECT CASE code WHEN 'ALREADY_RUNNING' THEN 'SKIPPED' ELSE
                                             CASE WHEN code IS NULL THEN 'COMPLETED' ELSE 'FAILED' END END AS status,
                                        code) o
             WHERE time NOT BETWEEN '30 09:00' AND '30 09:10';
             INSERT INTO cron_job_runs (id, job_name, lane, status, started_at, heartbeat_at, deadline_at, completed_at,
                                        duration_ms, host, version)
             SELECT gen_random_uuid(), 'sync-practiceq', 'patient:CANARY' || n, 'COMPLETED', t, t, t, t, 5, 'h', 'v'
             FROM generate_series(1, 2) n, (SELECT timestamptz '2026-03-31 12:00Z' AS t) q;
             UPDATE rounds_migrations SET applied_on = '2026-03-29T20:00:00Z'",
        )
        .await;
    clinic
}

#[tokio::test]
async fn runs_slots_and_gaps_are_known() {
    let clinic = clinic().await;
    let figures = report(&clinic, &["--since", "2d"]).await;
    let jobs = &figures["period"]["jobs"];
    let lane = &jobs["lanes"][0];
    let exact = clinic
        .json(
            "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
                    percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms, max(duration_ms) AS max_ms,
                    count(*) AS succeeded, sum(items_processed) AS items
             FROM cron_job_runs WHERE job_name = 'mark-no-shows' AND status = 'COMPLETED'",
        )
        .await;
    for key in ["p50_ms", "p95_ms", "max_ms", "succeeded"] {
        assert_eq!(lane[key], exact[key], "{key}");
    }
    let counts = ["runs", "failed", "interrupted", "skipped"].map(|key| lane[key].as_i64());
    assert_eq!((lane["name"].as_str(), counts), (Some("mark-no-shows"), [573, 2, 1, 1].map(Some)));
    let missed = ["2026-03-30T09:00:00Z", "2026-03-30T09:05:00Z", "2026-03-30T09:10:00Z"];
    assert_eq!(lane["missed_slots"], json!(missed));
    let gap = json!({"seconds": 1200, "from": "2026-03-30T08:55:01Z", "until": "2026-03-30T09:15:01Z"});
    assert_eq!(lane["longest_gap"], gap);
    assert_eq!((&lane["healthy"], lane["failures"].as_array().map(Vec::len)), (&json!(true), Some(2)));
    assert_eq!(lane["failures"][0]["message"], "shut down <b>&", "JSON has it as it is");
    let sum = |key: &str| -> i64 {
        let times = lane["times"].as_array().expect("times");
        times.iter().map(|time| time[key].as_i64().expect("a count")).sum()
    };
    assert_eq!([sum("succeeded"), sum("failed"), sum("skipped"), sum("missed")], [569, 2, 2, 3]);
    assert_eq!(lane["times"].as_array().map(Vec::len), Some(48), "an hour each");
    assert_eq!(jobs["others"][0]["runs"], 2);
    assert!(!figures.to_string().contains("patient:"), "no patient's id");
    let said = figures["sentences"][0].as_str().expect("a sentence");
    assert!(said.contains(" of them on 30 March; 2 of 573 runs failed"), "{said}");
}

#[tokio::test]
async fn the_verdict_is_that_of_health() {
    let clinic = clinic().await;
    let figures = report(&clinic, &["--since", "2d"]).await;
    let health = clinic.run(&["health", "--as-of", "2026-03-31T20:00:00Z"]).await.report();
    let of = |list: &Value, key: &str| -> Vec<Option<bool>> {
        list.as_array().expect("jobs").iter().map(|job| job[key].as_bool()).collect()
    };
    assert_eq!(of(&figures["period"]["jobs"]["lanes"], "healthy"), of(&health["jobs"], "isHealthy"));
}

#[tokio::test]
async fn a_reason_is_text_and_no_markup() {
    let page = page(&clinic().await, &["--since", "2d"]).await;
    assert!(page.contains("shut down &lt;b&gt;&amp;") && !page.contains("<b>"), "{page}");
}
