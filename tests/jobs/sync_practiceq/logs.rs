//! `sync_logs`, and what a dashboard may see of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT};
use crate::support::practiceq::{Client, Fault, Sync, appointment};

impl Sync {
    /// The last row of the log.
    async fn log(&self) -> Value {
        self.clinic.json("SELECT * FROM sync_logs ORDER BY id DESC LIMIT 1").await
    }
}

#[tokio::test]
async fn a_row_tells_all_of_its_run() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for visit in ["a1", "a2", "a3"] {
        sync.upstream.put(appointment(visit, &PAT, LATER));
    }
    sync.sweep().await;
    sync.upstream.edit("a1", |row| row["Status"] = json!("Canceled"));
    sync.upstream.put(appointment("a4", &PAT, LATER));
    let report = sync.sweep().await.report();
    let log = sync.log().await;
    for (column, value) in [
        ("id", report["sync_log_id"].clone()),
        ("sync_type", json!("automated_daily")),
        ("organization_id", Value::Null),
        ("patient_id", Value::Null),
        ("triggered_by_user_id", Value::Null),
        ("status", json!("completed")),
        ("appointments_new", json!(1)),
        ("appointments_updated", json!(1)),
        ("appointments_unchanged", json!(2)),
        ("appointments_errors", json!(0)),
        ("patients_processed", json!(1)),
        ("patients_failed", json!(0)),
        ("error_message", Value::Null),
        ("run_id", report["run_id"].clone()),
    ] {
        assert_eq!(log[column], value, "{column}: {log}");
    }
    // The window and the changes, each with an empty page, and the deletions.
    for (key, value) in [("errors", json!([])), ("requests", json!(5)), ("pages", json!(5))] {
        assert_eq!(log["metadata"][key], value, "{key}: {log}");
    }
    for column in ["started_at", "completed_at", "duration_ms", "created_at", "updated_at"] {
        assert!(!log[column].is_null(), "{column}: {log}");
    }
}

#[tokio::test]
async fn each_lane_has_its_type_and_names_what_it_was_for() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    let group = sync.clinic.of_the_group().await;
    let [patient, organization, admin, manager] =
        [pat, sync.organization, group, sync.case_manager].map(|id| id.to_string());
    for (args, expected) in [
        (vec![], json!(["automated_daily", null, null, null])),
        (vec!["--incremental"], json!(["automated_incremental", null, null, null])),
        (vec!["--actor", &admin], json!(["automated_daily", null, null, admin])),
        (vec!["--organization", &organization], json!(["manual_org_bulk", organization, null, null])),
        (
            vec!["--organization", &organization, "--actor", &manager],
            json!(["manual_org_bulk", organization, null, manager]),
        ),
        (vec!["--patient", &patient, "--actor", &manager], json!(["manual_patient", null, patient, manager])),
    ] {
        sync.ends(0, &args).await;
        let log = sync.log().await;
        let columns =
            ["sync_type", "organization_id", "patient_id", "triggered_by_user_id"].map(|key| log[key].clone());
        assert_eq!(json!(columns), expected, "{args:?}");
    }
    sync.ends(0, &["--appointment", "a1", "--actor", &admin]).await;
    let log = sync.log().await;
    assert_eq!((&log["sync_type"], &log["triggered_by_user_id"]), (&json!("manual_patient"), &json!(admin)));
    assert_eq!(log["patient_id"], patient, "whose the visit is");
}

#[tokio::test]
async fn a_duration_is_in_true_milliseconds() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.upstream.fault(&[Fault::SlowBody(Duration::from_millis(1500))]);
    let report = sync.sweep().await.report();
    let query = "SELECT duration_ms AS ms,
                        abs(duration_ms - extract(epoch FROM completed_at - started_at) * 1000) <= 1 AS exact,
                        completed_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp() AS lately
                 FROM sync_logs";
    let log = sync.clinic.json(query).await;
    assert_eq!((&log["exact"], &log["lately"]), (&json!(true), &json!(true)), "{log}");
    let ms = log["ms"].as_i64().expect("a number");
    assert!((1500..60_000).contains(&ms), "{ms}");
    assert!(report["duration_ms"].as_i64().is_some_and(|whole| whole >= 1500), "{report}");
}

#[tokio::test]
async fn when_a_row_was_changed_is_kept_whatever_anybody_says() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.sweep().await;
    let order = "SELECT updated_at >= created_at AND updated_at >= completed_at FROM sync_logs";
    assert_eq!(sync.one(order).await, true);
    sync.clinic.sql("CREATE TABLE before AS SELECT updated_at AS at FROM sync_logs").await;
    for set in ["error_message = NULL", "updated_at = '2020-01-01'"] {
        sync.clinic
            .sql(&format!("UPDATE before SET at = s.updated_at FROM sync_logs s; UPDATE sync_logs SET {set}"))
            .await;
        assert_eq!(sync.one("SELECT s.updated_at > b.at FROM sync_logs s, before b").await, true, "{set}");
    }
}

#[tokio::test]
async fn a_run_that_never_got_as_far_as_reading_leaves_no_row() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    sync.run(&["--patient", "4711"]).await.expect(2);
    sync.run(&["--patient", &pat, "--actor", "4711"]).await.expect(2);
    sync.ends(0, &["--dry-run"]).await;
    assert_eq!(sync.clinic.count("SELECT count(*) FROM sync_logs").await, 0);
}

#[tokio::test]
async fn only_ids_counts_and_codes_are_in_the_errors_of_which_there_are_ten() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for _ in 0..12 {
        sync.patient("Zebedee", "Canaryman", None, None).await;
    }
    let mut row = appointment("a1", &PAT, LATER);
    (row["PractitionerId"], row["PractitionerEmail"]) = (json!("prac-9"), Value::Null);
    sync.upstream.put(row);
    sync.ends(3, &[]).await;
    let log = sync.log().await;
    let errors = log["metadata"]["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 10, "{log}");
    for error in errors {
        let keys: Vec<_> = error.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["id", "code", "entity", "message"], "{error}");
    }
    assert_eq!(log["patients_failed"], 12);
}

#[tokio::test]
async fn the_view_shows_the_last_hundred_with_whose_they_are() {
    let sync = Sync::new().await;
    sync.clinic
        .sql(&format!(
            "INSERT INTO sync_logs (sync_type, organization_id, organization_name, triggered_by_user_id,
                                    triggered_by_name, started_at, completed_at, duration_ms, status,
                                    appointments_new, run_id)
             SELECT 'manual_org_bulk', '{}', 'O', '{}', 'U', t, t, 0, 'completed', n, gen_random_uuid()
             FROM (SELECT n, timestamptz '2026-03-01' + n * interval '1 minute' AS t FROM generate_series(1, 120) n) s
             ORDER BY n % 7",
            sync.organization, sync.case_manager
        ))
        .await;
    let shown = "SELECT array_agg(appointments_new) FROM v_recent_sync_activity";
    assert_eq!(sync.one(shown).await, json!((21..=120).rev().collect::<Vec<_>>()), "the newest first");
    let who = sync.clinic.json("SELECT * FROM v_recent_sync_activity LIMIT 1").await;
    assert_eq!((&who["organization_name"], &who["triggered_by_name"]), (&json!("O"), &json!("U")), "{who}");
    // The names are those of then.
    let (organization, manager) = (sync.organization.to_string(), sync.case_manager.to_string());
    sync.ends(0, &["--organization", &organization, "--actor", &manager]).await;
    sync.clinic.sql("UPDATE organizations SET name = 'P'; UPDATE users SET name = 'V'").await;
    let who = sync.clinic.json("SELECT * FROM v_recent_sync_activity LIMIT 1").await;
    assert_eq!((&who["organization_name"], &who["triggered_by_name"]), (&json!("O"), &json!("U")), "{who}");
    // A run of nobody for all is there, too.
    sync.patient_of(&PAT).await;
    let report = sync.sweep().await.report();
    let first =
        sync.clinic.json("SELECT id, organization_name, triggered_by_name FROM v_recent_sync_activity LIMIT 1").await;
    assert_eq!(first, json!({"id": report["sync_log_id"], "organization_name": null, "triggered_by_name": null}));
}

#[tokio::test]
async fn a_dashboard_sees_the_view_and_nothing_else() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("n1", &Client { ..ANN }, LATER));
    sync.sweep().await;
    let may = "SELECT coalesce(jsonb_agg(relname ORDER BY relname), '[]') FROM pg_class c
               WHERE relnamespace = 'rounds'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
                 AND CASE relkind
                         WHEN 'S' THEN has_sequence_privilege('rounds_dashboard', c.oid, 'USAGE, SELECT, UPDATE')
                         ELSE has_any_column_privilege('rounds_dashboard', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
                              OR has_table_privilege('rounds_dashboard', c.oid, 'DELETE, TRUNCATE, TRIGGER') END";
    assert_eq!(sync.one(may).await, json!(["v_recent_sync_activity"]));
    let change =
        "SELECT has_table_privilege('rounds_dashboard', 'v_recent_sync_activity', 'INSERT, UPDATE, DELETE, TRUNCATE')";
    assert_eq!(sync.one(change).await, false);
    let login = "SELECT rolcanlogin OR rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles
                 WHERE rolname = 'rounds_dashboard'";
    assert_eq!(sync.one(login).await, false);
    sync.clinic.sql("SET ROLE rounds_dashboard").await;
    assert_eq!(sync.clinic.count("SELECT count(*) FROM v_recent_sync_activity").await, 1);
    for table in ["sync_logs", "patients", "appointments", "practiceq_unmatched", "users", "organizations"] {
        let error = sync.clinic.client.query(&format!("SELECT FROM {table}"), &[]).await.expect_err(table);
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("42501"), "{table}");
    }
    sync.clinic.sql("RESET ROLE").await;
}
