//! What became of the lanes so far, and what they live on.

use super::Checked;
use crate::support::Clinic;

/// Inserts runs of a lane that ended so many minutes ago, each with its error code; none is a success.
async fn ran(clinic: &Clinic, job: &str, lane: &str, ends: &[(&str, Option<&str>)]) {
    for (ago, code) in ends {
        let status = if code.is_some() { "FAILED" } else { "COMPLETED" };
        let code = code.map_or("NULL".to_owned(), |code| format!("'{code}'"));
        let insert = format!(
            "INSERT INTO cron_job_runs (id, job_name, lane, status, source, started_at, heartbeat_at, deadline_at,
                                        completed_at, duration_ms, items_processed, error_code, error_message, host,
                                        version, metadata)
             SELECT gen_random_uuid(), '{job}', '{lane}', '{status}', 'cron', t, t, t, t, 0, 0, {code}, {code}, 'h', 'v',
                    '{{\"arguments\": {{\"requests_per_day\": 500}}}}'
             FROM (SELECT clock_timestamp() - interval '{ago}' AS t) c"
        );
        clinic.sql(&insert).await;
    }
}

#[tokio::test]
async fn the_runs_so_far_are_told_of_each_lane() {
    let clinic = Clinic::new().await;
    let fresh = Checked::of(&clinic, &["mark-no-shows", "refresh-npi", "sync-practiceq"]).await.ready();
    for (job, topic, what) in [
        ("mark-no-shows", "runs", "no run yet"),
        ("refresh-npi", "registry", "no file was loaded yet"),
        ("sync-practiceq", "requests", "nothing was asked"),
    ] {
        assert_eq!(fresh.told(job, topic, what).0, "skipped");
    }
    ran(&clinic, "mark-no-shows", "", &[("1 minute", None)]).await;
    ran(&clinic, "stage-alerts", "", &[("3 minutes", None), ("2 minutes", Some("X")), ("1 minute", Some("Y"))]).await;
    ran(&clinic, "deliver-notifications", "sms", &[("1 minute", None)]).await;
    ran(&clinic, "notify-cancellations", "", &[("3 days", None)]).await;
    clinic
        .sql(
            "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, created_at)
             SELECT 'USER', '1', 'SMS', 'T', 't', 'b', 'appointment', '1', '1', 'PENDING',
                    clock_timestamp() - interval '20 minutes';
             INSERT INTO pauses (job_name, reason, paused_by, paused_at) VALUES ('escalate-sla', 'why', '1', now())",
        )
        .await;
    let checked = Checked::of(&clinic, &[]).await;
    let (level, what) = checked.told("mark-no-shows", "runs", "last success ");
    assert_eq!(level, "ok", "{what}");
    let (level, what) = checked.told("stage-alerts", "runs", "last success 3 min ago");
    assert!(level == "warning" && what.contains("2 failures in a row since: Y [Y]"), "{what}");
    let (level, what) = checked.told("deliver-notifications", "runs", "sms: ");
    assert!(level == "warning" && what.contains("BACKLOG"), "{what}");
    let (level, what) = checked.told("notify-cancellations", "runs", "no success for");
    assert_eq!(level, "warning", "{what}");
    let (level, what) = checked.told("escalate-sla", "runs", "paused by user 1");
    assert_eq!(level, "skipped", "{what}");
}

#[tokio::test]
async fn the_age_of_the_registry_and_the_requests_left_are_told() {
    let clinic = Clinic::new().await;
    ran(&clinic, "sync-practiceq", "full", &[("1 hour", None)]).await;
    let file = |name: &str, age: i32| {
        format!(
            "INSERT INTO npi_files (name, kind, sha256, bytes, period_start, period_end, header, rows, rows_0, rows_1, rows_2,
                                    inserted, updated, unchanged, older, duplicates, deactivated, rejected, seconds,
                                    processed_at, run_id)
             SELECT '{name}', 'WEEKLY', '{name}', 0, d - 7, d, '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, now(),
                    gen_random_uuid()
             FROM (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date - {age} AS d) c;"
        )
    };
    clinic
        .sql(&format!(
            "{} INSERT INTO api_requests (account, requested_at, manual, purpose, run_id)
             SELECT 'practiceq', clock_timestamp() - make_interval(mins => n), false, 'x', gen_random_uuid()
             FROM generate_series(1, 440) n",
            file("a", 60)
        ))
        .await;
    let jobs = ["refresh-npi", "sync-practiceq"];
    let checked = Checked::of(&clinic, &jobs).await;
    checked.fault(Some("refresh-npi"), "registry", "warning", &["60 days old"]);
    assert_eq!(checked.told("sync-practiceq", "requests", "60 of 500 requests are left").0, "ok");
    clinic
        .sql(&format!(
            "{} INSERT INTO api_requests (account, requested_at, manual, purpose, run_id)
             SELECT 'practiceq', clock_timestamp() - interval '2 hours', false, 'x', gen_random_uuid()
             FROM generate_series(1, 21) n;
             UPDATE api_requests SET requested_at = requested_at - interval '2 days' WHERE id % 44 = 0",
            file("b", 3)
        ))
        .await;
    let checked = Checked::of(&clinic, &jobs).await;
    assert_eq!(checked.told("refresh-npi", "registry", "up to").0, "ok");
    checked.fault(Some("sync-practiceq"), "requests", "warning", &["49 of 500 requests are left"]);
}
