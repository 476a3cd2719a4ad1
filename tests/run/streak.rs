//! Notices of a job that keeps failing: to whom, how often, and when it is over.

use serde_json::{Value, json};

use crate::support::{Clinic, program};

const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

/// A clinic in which a run with `--max-items 1` meets its brake, with two admins who are told and others who are not.
async fn clinic() -> Clinic {
    let clinic = Clinic::with_visits(3).await;
    for role in ["HOSPITAL_ADMIN", "HOSPITAL_ADMIN", "HOSPITAL_ADMIN", "SUPERVISOR", "NURSE"] {
        clinic.user(1, role).await;
    }
    clinic
        .sql("UPDATE users SET active = false WHERE id = (SELECT max(id) FROM users WHERE role = 'HOSPITAL_ADMIN')")
        .await;
    clinic
}

async fn fail(clinic: &Clinic) {
    clinic.run(&[&AT[..], &["--max-items", "1"]].concat()).await.expect(5);
}

/// Fails with another error code.
async fn fail_otherwise(clinic: &Clinic) {
    clinic.sql("ALTER TABLE no_show_logs RENAME TO hidden").await;
    clinic.run(&AT).await.expect(1);
    clinic.sql("ALTER TABLE hidden RENAME TO no_show_logs").await;
}

/// Succeeds with nothing to do, so that later runs may still fail.
async fn succeed(clinic: &Clinic) {
    clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
}

/// The notices that each admin got so far: how many of failures, how many of recovery.
async fn told(clinic: &Clinic) -> Vec<(i64, i64)> {
    let query =
        "SELECT count(n.id) FILTER (WHERE n.type = 'JOB_FAILING'), count(n.id) FILTER (WHERE n.type = 'JOB_RECOVERED')
                 FROM users u LEFT JOIN notifications n ON n.recipient_kind = 'USER' AND n.recipient_id = u.id::text
                 GROUP BY u.id HAVING u.role = 'HOSPITAL_ADMIN' AND u.active ORDER BY u.id";
    clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn the_third_failure_is_told_once_and_so_is_the_recovery() {
    let clinic = clinic().await;
    for expected in [0, 0, 1, 1, 1] {
        fail(&clinic).await;
        assert_eq!(told(&clinic).await, [(expected, 0); 2]);
    }
    succeed(&clinic).await;
    assert_eq!(told(&clinic).await, [(1, 1); 2]);
    succeed(&clinic).await;
    // Two failures are told to nobody, and neither is their end.
    for _ in 0..2 {
        fail(&clinic).await;
    }
    succeed(&clinic).await;
    assert_eq!(told(&clinic).await, [(1, 1); 2]);
    // Another streak is told again.
    for _ in 0..3 {
        fail(&clinic).await;
    }
    assert_eq!(told(&clinic).await, [(2, 1); 2]);
    let others = "SELECT count(*) FROM notifications n JOIN users u ON n.recipient_id = u.id::text
                  WHERE n.type LIKE 'JOB%' AND (u.role <> 'HOSPITAL_ADMIN' OR NOT u.active)";
    assert_eq!(clinic.count(others).await, 0);
}

#[tokio::test]
async fn another_error_code_is_told_and_each_of_them_once_a_day() {
    let clinic = clinic().await;
    for _ in 0..3 {
        fail(&clinic).await;
    }
    fail_otherwise(&clinic).await;
    assert_eq!(told(&clinic).await, [(2, 0); 2]);
    fail(&clinic).await;
    fail_otherwise(&clinic).await;
    assert_eq!(told(&clinic).await, [(2, 0); 2], "both are known today");
    let age = async |by: &str| {
        clinic.sql(&format!("UPDATE notifications SET created_at = created_at - interval '{by}'")).await
    };
    age("22 hours 59 minutes").await;
    fail(&clinic).await;
    assert_eq!(told(&clinic).await, [(2, 0); 2]);
    age("1 minute").await;
    fail(&clinic).await;
    assert_eq!(told(&clinic).await, [(3, 0); 2], "a day is over, the hour less that runs may be apart");
    fail_otherwise(&clinic).await;
    assert_eq!(told(&clinic).await, [(4, 0); 2]);
}

#[tokio::test]
async fn the_words_name_job_count_and_error_and_no_row() {
    let clinic = clinic().await;
    for _ in 0..3 {
        fail(&clinic).await;
    }
    succeed(&clinic).await;
    let notices = clinic
        .json(
            "SELECT jsonb_agg(to_jsonb(n) - '{id,recipient_id,entity_id,dedupe_key,created_at,sent_at,run_id}'::text[]
                              ORDER BY id) AS n
             FROM notifications n WHERE recipient_id = (SELECT min(id)::text FROM users WHERE role = 'HOSPITAL_ADMIN')",
        )
        .await;
    insta::assert_snapshot!("failing_and_recovered", serde_json::to_string_pretty(&notices["n"]).expect("JSON"));
    let first = clinic.json("SELECT id FROM cron_job_runs ORDER BY started_at LIMIT 1").await;
    let named = clinic.json("SELECT array_agg(DISTINCT entity_id) AS id FROM notifications").await;
    assert_eq!(named["id"], json!([first["id"]]), "a streak is known by its first run");
}

#[tokio::test]
async fn what_was_broken_works_again_and_what_its_brake_stopped_runs_again() {
    let clinic = clinic().await;
    let recovered = "SELECT DISTINCT title, body FROM notifications WHERE type = 'JOB_RECOVERED'";
    for _ in 0..3 {
        fail(&clinic).await;
    }
    succeed(&clinic).await;
    let braked = clinic.json(recovered).await;
    let body = "mark-no-shows runs again; it had been stopped by its brake.";
    assert_eq!(braked, json!({"title": "mark-no-shows runs again", "body": body}));
    clinic.sql("DELETE FROM notifications").await;
    fail(&clinic).await;
    for _ in 0..2 {
        fail_otherwise(&clinic).await;
    }
    succeed(&clinic).await;
    let broken = clinic.json(recovered).await;
    let body = "mark-no-shows works again after 3 consecutive failures.";
    assert_eq!(broken, json!({"title": "mark-no-shows works again", "body": body}));
}

#[tokio::test]
async fn interrupted_and_skipped_runs_neither_count_nor_end_a_streak() {
    let clinic = clinic().await;
    fail(&clinic).await;
    let insert = "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, completed_at, host,
                                             version, error_code)
                  SELECT gen_random_uuid(), job, status, t, t, t, t, 'h', 'v', code
                  FROM (SELECT clock_timestamp() AS t) c,
                       (VALUES ('mark-no-shows', 'FAILED', 'INTERRUPTED'), ('mark-no-shows', 'SKIPPED', 'ALREADY_RUNNING'),
                               ('stage-alerts', 'FAILED', 'BRAKE'), ('stage-alerts', 'COMPLETED', NULL)) v (job, status, code)";
    clinic.sql(insert).await;
    fail(&clinic).await;
    assert_eq!(told(&clinic).await, [(0, 0); 2]);
    clinic.sql(insert).await;
    fail(&clinic).await;
    assert_eq!(told(&clinic).await, [(1, 0); 2]);
    clinic.sql(insert).await;
    succeed(&clinic).await;
    assert_eq!(told(&clinic).await, [(1, 1); 2], "recovered, although the run before was interrupted");
}

#[tokio::test]
async fn a_run_that_died_is_a_failure_when_it_is_taken_over() {
    let clinic = clinic().await;
    fail(&clinic).await;
    fail(&clinic).await;
    clinic.dead_run("1 hour", "0 s").await;
    let outcome = clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    assert_eq!(told(&clinic).await, [(1, 1); 2], "told by the one that took over, whose success ends it: {outcome:?}");
    let body = clinic.json("SELECT body FROM notifications WHERE type = 'JOB_FAILING' LIMIT 1").await;
    assert!(body["body"].as_str().is_some_and(|body| body.ends_with("[LEASE_EXPIRED]")), "{body}");
}

#[tokio::test]
async fn of_two_that_fail_at_the_same_moment_one_tells() {
    let clinic = clinic().await;
    fail(&clinic).await;
    fail(&clinic).await;
    clinic.dead_run("1 hour", "0 s").await;
    clinic.sql("BEGIN; SELECT FROM cron_job_runs WHERE status = 'RUNNING' FOR KEY SHARE").await;
    let runs: Vec<_> = (0..4).map(|_| clinic.program.start(&[&AT[..], &["--lease", "6s"]].concat())).collect();
    for run in runs {
        assert_eq!(program::finish(run).await.expect(1).report()["error_code"], "TAKEOVER_BLOCKED");
    }
    clinic.sql("COMMIT").await;
    assert_eq!(told(&clinic).await, [(1, 0); 2]);
}

#[tokio::test]
async fn a_notice_that_cannot_be_staged_does_not_keep_a_run_from_ending() {
    let clinic = clinic().await;
    clinic.sql("ALTER TABLE notifications ADD CONSTRAINT no_news CHECK (type NOT LIKE 'JOB%')").await;
    for _ in 0..3 {
        fail(&clinic).await;
    }
    let outcome = clinic.run(&[&AT[..], &["--max-items", "1"]].concat()).await.expect(5);
    assert!(outcome.stderr.contains("no admin could be told") && outcome.stderr.contains("no_news"), "{outcome:?}");
    let rows =
        clinic.json("SELECT array_agg(DISTINCT concat_ws(' ', status, error_code)) AS s FROM cron_job_runs").await;
    assert_eq!(rows["s"], json!(["FAILED BRAKE"]));
    assert_eq!(told(&clinic).await, [(0, 0); 2]);
}

#[tokio::test]
async fn a_dry_run_is_no_part_of_a_streak() {
    let clinic = clinic().await;
    for _ in 0..4 {
        let dry = clinic.run(&[&AT[..], &["--max-items", "1", "--dry-run"]].concat()).await.expect(0).report();
        assert_eq!(dry["marked"], 3, "it shows what is due beyond the brake: {dry}");
        let why = dry["would_brake"].as_str().unwrap_or_default();
        assert!(why.starts_with("more than 1 items are due") && why.contains("--dry-run --list"), "{dry}");
    }
    assert_eq!(clinic.json("SELECT count(*) AS n FROM cron_job_runs").await["n"], Value::from(0));
    assert_eq!(told(&clinic).await, [(0, 0); 2]);
}

/// What the log and the row of the last run say of nobody who could be told.
async fn untold(clinic: &Clinic, outcome: &program::Outcome) -> Value {
    let report =
        clinic.json("SELECT metadata->'report' AS r FROM cron_job_runs ORDER BY started_at DESC LIMIT 1").await;
    let kept = report["r"]["nobody_told"].clone();
    assert_eq!(outcome.stderr.contains("NOBODY_TOLD"), !kept.is_null(), "the log and the row agree: {outcome:?}");
    assert!(report["r"]["scanned"].is_u64(), "the rest of the report stays: {report}");
    kept
}

#[tokio::test]
async fn where_nobody_can_be_told_the_log_and_the_row_say_so() {
    let clinic = clinic().await;
    clinic.sql("UPDATE users SET active = false WHERE role = 'HOSPITAL_ADMIN'").await;
    for told in [true, true, false, false] {
        let outcome = clinic.run(&[&AT[..], &["--max-items", "1"]].concat()).await.expect(5);
        assert_eq!(untold(&clinic, &outcome).await.is_null(), told, "{outcome:?}");
    }
    let earlier = ["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"];
    let outcome = clinic.run(&earlier).await.expect(0);
    let why = untold(&clinic, &outcome).await;
    assert!(
        why.as_str().is_some_and(|why| why.contains("works again") && why.contains("4 failures before it")),
        "{why}"
    );
    // Once it works there is nothing to tell.
    let outcome = clinic.run(&earlier).await.expect(0);
    assert_eq!(untold(&clinic, &outcome).await, Value::Null);
    // Whoever was told of the failures has gone before their end.
    clinic.sql("UPDATE users SET active = true WHERE role = 'HOSPITAL_ADMIN'").await;
    for _ in 0..3 {
        fail(&clinic).await;
    }
    clinic.sql("UPDATE users SET active = false WHERE role = 'HOSPITAL_ADMIN'").await;
    let outcome = clinic.run(&earlier).await.expect(0);
    assert!(
        untold(&clinic, &outcome).await.as_str().is_some_and(|why| why.contains("3 failures before it")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_run_that_died_with_nobody_to_be_told_says_so_in_its_row() {
    let clinic = clinic().await;
    clinic.sql("UPDATE users SET active = false").await;
    fail(&clinic).await;
    fail(&clinic).await;
    clinic.dead_run("1 hour", "0 s").await;
    let outcome = clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    assert!(outcome.stderr.contains("NOBODY_TOLD"), "{outcome:?}");
    let dead = clinic.json("SELECT metadata FROM cron_job_runs WHERE error_code = 'LEASE_EXPIRED'").await;
    assert!(dead["metadata"]["report"]["nobody_told"].is_string(), "{dead}");
}

#[tokio::test]
async fn notices_that_a_rule_drops_are_not_taken_for_told() {
    let clinic = clinic().await;
    clinic.sql("CREATE RULE no_news AS ON INSERT TO notifications WHERE new.type LIKE 'JOB%' DO INSTEAD NOTHING").await;
    fail(&clinic).await;
    fail(&clinic).await;
    let outcome = clinic.run(&[&AT[..], &["--max-items", "1"]].concat()).await.expect(5);
    assert!(outcome.stderr.contains("NOBODY_TOLD"), "{outcome:?}");
}

/// Who was told of what by which channel.
async fn channels(clinic: &Clinic, user: i64) -> Vec<String> {
    let query = format!(
        "SELECT concat_ws(' ', type, channel, priority) FROM notifications WHERE recipient_id = '{user}' ORDER BY id"
    );
    let mut told: Vec<String> = clinic.rows(&query).await.iter().map(|row| row.get(0)).collect();
    told.sort();
    told
}

#[tokio::test]
async fn admins_are_told_as_they_prefer_and_of_failures_in_the_application_in_any_case() {
    let clinic = clinic().await;
    let (failing, failing_by_mail) = ("JOB_FAILING IN_APP HIGH", "JOB_FAILING EMAIL HIGH");
    let (works, works_by_mail) = ("JOB_RECOVERED IN_APP NORMAL", "JOB_RECOVERED EMAIL NORMAL");
    let mut admins = vec![];
    for (in_app, email, address, told) in [
        (true, true, Some("a@x.example"), vec![failing_by_mail, failing, works_by_mail, works]),
        (false, true, Some("a@x.example"), vec![failing_by_mail, failing, works_by_mail]),
        (false, true, Some(" "), vec![failing]),
        (false, false, Some("a@x.example"), vec![failing]),
        (true, true, None, vec![failing, works]),
    ] {
        let admin = clinic.user(1, "HOSPITAL_ADMIN").await;
        clinic.row("UPDATE users SET email = $2 WHERE id = $1 RETURNING id", &[&admin, &address]).await;
        clinic.sql(&format!("INSERT INTO notification_preferences VALUES ({admin}, {in_app}, {email})")).await;
        admins.push((admin, told));
    }
    for _ in 0..3 {
        fail(&clinic).await;
    }
    succeed(&clinic).await;
    for (admin, told) in admins {
        assert_eq!(channels(&clinic, admin).await, told, "{admin}");
    }
}

#[tokio::test]
async fn where_preferences_cannot_be_read_the_admins_are_told_in_the_application() {
    for lacking in ["DROP TABLE notification_preferences", "ALTER TABLE users DROP COLUMN email"] {
        let clinic = clinic().await;
        clinic.sql(lacking).await;
        for expected in [0, 0, 1] {
            fail(&clinic).await;
            assert_eq!(told(&clinic).await, [(expected, 0); 2], "{lacking}");
        }
        succeed(&clinic).await;
        assert_eq!(told(&clinic).await, [(1, 1); 2], "{lacking}");
        let untold = "SELECT count(*) FROM cron_job_runs WHERE metadata::text LIKE '%nobody_told%'";
        assert_eq!(clinic.count(untold).await, 0, "{lacking}");
    }
}
