//! What a run says of itself, and how it ends.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, balanced, millis, skipped, totals};
use crate::jobs::owed;
use crate::support::practiceq::{Client, Fault, Sync, appointment};
use crate::support::program::Outcome;

impl Sync {
    /// So many patients, each with an address; the clients of the account have the same numbers.
    async fn patients(&self, patients: usize) {
        for number in 0..patients {
            self.patient_of(&client(&names(number))).await;
        }
    }

    /// Patients without an address.
    async fn unreachable(&self, patients: usize) -> Vec<i64> {
        let mut ids = vec![];
        for _ in 0..patients {
            ids.push(self.patient("Al", "Fox", None, None).await);
        }
        ids
    }

    /// Status, processed and failed of the last row of the log.
    async fn logged(&self) -> Value {
        let query = "SELECT status, patients_processed AS processed, patients_failed AS failed
                     FROM sync_logs ORDER BY id DESC LIMIT 1";
        self.clinic.json(query).await
    }

    /// Since when the patients of these affiliations are up to date.
    async fn up_to_date(&self, condition: &str) -> Vec<bool> {
        let query = format!(
            "SELECT f.fresh_since IS NOT NULL
             FROM patient_organization_affiliations a
             LEFT JOIN practiceq_freshness f ON f.patient_id = a.patient_id::text
                                                AND f.organization_id = a.organization_id::text
             WHERE {condition} ORDER BY a.id"
        );
        self.clinic.rows(&query).await.iter().map(|row| row.get(0)).collect()
    }
}

fn names(number: usize) -> (i64, String, String) {
    (number as i64 + 1, format!("First{number} Last{number}"), format!("p{number}@home.example"))
}

fn client((id, name, email): &(i64, String, String)) -> Client<'_> {
    Client { id: *id, name, email, date_of_birth: "1980-04-02" }
}

/// 12 patients and 47 visits that have been imported; since then 5 have changed and 3 are new.
async fn a_day_later() -> Sync {
    let sync = Sync::new().await;
    sync.patients(12).await;
    let visit = |number: usize| appointment(&format!("a{number}"), &client(&names(number % 12)), LATER);
    for number in 0..47 {
        sync.upstream.put(visit(number));
    }
    let outcome = sync.sweep().await;
    assert_eq!(totals(&outcome), [47, 0, 0, 0]);
    for number in 0..5 {
        sync.upstream.edit(&format!("a{number}"), |row| row["ServiceName"] = json!("Another"));
    }
    for number in 47..50 {
        sync.upstream.put(visit(number));
    }
    sync
}

#[tokio::test]
async fn the_report_ends_with_the_sentence_that_people_know() {
    let sync = a_day_later().await;
    let stdout = sync.run(&["--output", "text"]).await.expect(0).stdout;
    let sentence = "Successfully synced 12 patients. New: 3 | Updated: 5 | Unchanged: 42";
    assert!(stdout.trim_end().ends_with(sentence), "{stdout}");
    sync.unreachable(1).await;
    let stdout = sync.run(&["--output", "text"]).await.expect(3).stdout;
    let sentence = "Successfully synced 12 patients. New: 0 | Updated: 0 | Unchanged: 50";
    assert!(stdout.trim_end().ends_with(sentence), "{stdout}");
}

#[tokio::test]
async fn the_report_says_what_was_done() {
    let sync = a_day_later().await;
    sync.upstream.delete("a46");
    sync.upstream.put(appointment("n1", &Client { id: 91, ..PAT }, LATER));
    let mut unknown = appointment("a51", &client(&names(0)), LATER);
    (unknown["PractitionerId"], unknown["PractitionerEmail"]) = (json!("prac-9"), Value::Null);
    sync.upstream.put(unknown);
    let outcome = sync.sweep().await;
    let report = outcome.report();
    for (key, value) in [
        ("ok", json!(true)),
        ("dry_run", json!(false)),
        ("total_patients", json!(12)),
        ("patients_processed", json!(12)),
        ("patients_failed", json!(0)),
        ("total_appointments", json!({"new": 4, "updated": 5, "unchanged": 41, "errors": 0})),
        ("deleted", json!(1)),
        ("unmatched", json!(1)),
        ("unknown_practitioners", json!(1)),
        ("pages", json!(5)),
        ("requests", json!(5)),
        ("failed", json!(0)),
        ("sync_log_id", sync.one("SELECT max(id) FROM sync_logs").await),
        ("run_id", sync.one("SELECT run_id FROM sync_logs ORDER BY id DESC LIMIT 1").await),
    ] {
        assert_eq!(report[key], value, "{key}: {report}");
    }
    assert_eq!(skipped(&outcome, "unmatched"), 1, "{report}");
    assert!(report["duration_ms"].is_u64(), "{report}");
    let run =
        sync.clinic.json("SELECT metadata->'report' AS r FROM cron_job_runs ORDER BY started_at DESC LIMIT 1").await;
    assert_eq!((&run["r"]["total_appointments"]["new"], &run["r"]["deleted"]), (&json!(4), &json!(1)));
}

#[tokio::test]
async fn patients_whom_nobody_can_look_for_have_failed_and_are_named() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let ids = sync.unreachable(2).await;
    // Of one the client is known, and one is out of scope.
    let known = sync.unreachable(2).await;
    sync.clinic.sql(&format!("INSERT INTO practiceq_clients VALUES ('300', {}, NULL, now(), NULL)", known[0])).await;
    sync.affiliate(known[1], sync.organization, "inactive").await;
    sync.upstream.put(appointment("a1", &Client { id: 300, ..ANN }, LATER));
    let outcome = sync.ends(3, &[]).await;
    let report = outcome.report();
    let counts = ["total_patients", "patients_processed", "patients_failed", "failed"].map(|key| outcome.count(key));
    assert_eq!(counts, [4, 2, 2, 2], "{report}");
    let error = |id: i64| json!({"entity": "patient", "id": id.to_string(), "code": "NO_EMAIL"});
    assert_eq!(report["errors"], json!([error(ids[0]), error(ids[1])]));
    assert_eq!(sync.whose().await, json!({"a1": known[0]}));
    let log = sync.clinic.json("SELECT status, patients_failed, metadata->'errors' AS e FROM sync_logs").await;
    assert_eq!((&log["status"], &log["patients_failed"]), (&json!("partial_success"), &json!(2)));
    for (error, id) in log["e"].as_array().expect("a list").iter().zip(ids) {
        let said = ["message", "entity", "code"].map(|key| error[key].clone());
        assert_eq!(said, ["Patient has no email", "patient", "NO_EMAIL"], "{log}");
        assert_eq!(error["id"].to_string().trim_matches('"'), id.to_string(), "{log}");
    }
    let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE entity = 'patient' AND error_code = 'NO_EMAIL'";
    assert_eq!(sync.clinic.count(recorded).await, 2);
    sync.run(&["--partial-ok"]).await.expect(0);
}

#[tokio::test]
async fn all_read_and_all_failed_is_failed() {
    let sync = Sync::new().await;
    sync.unreachable(2).await;
    sync.ends(1, &[]).await;
    assert_eq!(sync.logged().await, json!({"status": "failed", "processed": 0, "failed": 2}));
    sync.patient_of(&PAT).await;
    sync.ends(3, &[]).await;
    assert_eq!(sync.logged().await, json!({"status": "partial_success", "processed": 1, "failed": 2}));
    sync.clinic.sql("UPDATE patients SET email = 'x' || id || '@home.example'").await;
    sync.sweep().await;
    assert_eq!(sync.logged().await, json!({"status": "completed", "processed": 3, "failed": 0}));
}

#[tokio::test]
async fn nothing_read_is_failed_and_half_of_it_is_half_a_success() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for number in 0..150 {
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
    }
    sync.upstream.fault(&[Fault::Status(400)]);
    let report = sync.run(&[]).await.expect(1).report();
    assert_eq!((&report["ok"], &report["patients_processed"]), (&json!(false), &json!(0)), "{report}");
    let log = sync.clinic.json("SELECT status, error_message, metadata FROM sync_logs").await;
    assert_eq!(log["status"], "failed");
    assert!(!log["error_message"].is_null(), "{log}");
    sync.upstream.fault(&[Fault::None, Fault::Status(400)]);
    let outcome = sync.ends(3, &[]).await;
    assert_eq!((totals(&outcome)[0], outcome.count("failed")), (100, 1), "{outcome:?}");
    assert_eq!(outcome.report()["errors"][0]["entity"], "page", "{outcome:?}");
    let log = sync
        .clinic
        .json("SELECT status, metadata->'errors'->0->'message' AS m FROM sync_logs ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(log, json!({"status": "partial_success", "m": "Failed to fetch from PracticeQ"}));
    assert_eq!(totals(&sync.sweep().await)[0], 50);
}

#[tokio::test]
async fn the_admins_hear_once_a_day_that_more_than_five_patients_failed() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let second = sync.clinic.user(sync.facility, "HOSPITAL_ADMIN").await;
    sync.clinic.user(sync.facility, "SUPERVISOR").await;
    let gone = sync.clinic.user(sync.facility, "HOSPITAL_ADMIN").await;
    sync.clinic.sql(&format!("UPDATE users SET active = false WHERE id = {gone}")).await;
    let told = async || {
        let query = "SELECT coalesce(jsonb_agg(n(recipient_id) ORDER BY id), '[]') FROM notifications
                     WHERE type = 'SYNC_PATIENTS_FAILED' AND channel = 'IN_APP' AND recipient_kind = 'USER'";
        sync.one(query).await
    };
    sync.unreachable(5).await;
    sync.ends(3, &[]).await;
    assert_eq!(told().await, json!([]), "five are few");
    sync.unreachable(1).await;
    // Days in Denver.
    for (now, days) in [
        ("2026-03-02T15:00:00Z", 1),
        ("2026-03-02T15:00:00Z", 1),
        ("2026-03-03T06:59:59Z", 1),
        ("2026-03-03T07:00:00Z", 2),
        ("2026-03-04T06:59:59Z", 2),
    ] {
        sync.ends(3, &["--as-of", now]).await;
        let mut told: Vec<_> = told().await.as_array().expect("a list").clone();
        told.sort_by_key(|id| id.as_i64());
        let expected = [sync.admin, second].iter().flat_map(|id| vec![json!(id); days]).collect::<Vec<_>>();
        assert_eq!(told, expected, "{now}");
    }
    let texts = "SELECT string_agg(title || body || metadata::text, ' ') FROM notifications
                 WHERE type = 'SYNC_PATIENTS_FAILED'";
    assert!(!sync.one(texts).await.to_string().contains("Fox"), "ids and counts say enough");
    let words = "SELECT concat_ws(' | ', status, priority, title, body) FROM notifications
                 WHERE type = 'SYNC_PATIENTS_FAILED' ORDER BY id LIMIT 1";
    let words: String = sync.clinic.row(words, &[]).await.get(0);
    let run =
        sync.one("SELECT run_id FROM notifications WHERE type = 'SYNC_PATIENTS_FAILED' ORDER BY id LIMIT 1").await;
    insta::assert_snapshot!("patients_failed", words.replace(run.as_str().expect("an id"), "RUN"));
    let before = told().await;
    sync.ends(3, &["--dry-run", "--as-of", "2026-03-06T15:00:00Z"]).await;
    assert_eq!(told().await, before, "of a dry run nobody is told");
}

#[tokio::test]
async fn only_what_was_really_read_is_up_to_date() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.patient_of(&ANN).await;
    let al = sync.unreachable(1).await[0];
    let (other, _) = sync.another_organization(sync.facility).await;
    sync.affiliate(pat, other, "active").await;
    let (former, _) = sync.another_organization(sync.facility).await;
    sync.affiliate(pat, former, "inactive").await;
    for number in 0..150 {
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
    }
    let set = "fresh_since IS NOT NULL";
    sync.upstream.fault(&[Fault::None, Fault::Status(400)]);
    for lane in [&[][..], &["--dry-run"]] {
        sync.ends(3, lane).await;
        assert_eq!(sync.up_to_date(set).await, [true; 0], "{lane:?}");
    }
    sync.ends(0, &["--patient", &pat.to_string()]).await;
    assert_eq!(
        sync.up_to_date(&format!("a.patient_id = {pat}")).await,
        [true, true, false],
        "but not where he has left"
    );
    assert_eq!(sync.up_to_date(&format!("a.patient_id <> {pat}")).await, [false, false]);
    sync.clinic.sql("DELETE FROM practiceq_freshness").await;
    sync.ends(0, &["--organization", &other.to_string()]).await;
    assert_eq!(sync.up_to_date(&format!("a.organization_id = {other}")).await, [true]);
    assert_eq!(sync.up_to_date(&format!("a.patient_id <> {pat} AND {set}")).await, [true; 0]);
    // Of whom nothing was read before, what changed lately is not all.
    for (lane, ann) in [(&[][..], true), (&["--incremental"], false)] {
        sync.clinic
            .sql(&format!(
                "DELETE FROM practiceq_freshness;
                 INSERT INTO practiceq_freshness
                 SELECT patient_id, organization_id, '2026-01-01' FROM patient_organization_affiliations
                 WHERE patient_id = {pat} AND status = 'active'"
            ))
            .await;
        sync.ends(3, lane).await;
        assert_eq!(sync.up_to_date(&format!("a.patient_id <> {al}")).await, [true, ann, true, false], "{lane:?}");
        assert_eq!(sync.up_to_date(&format!("a.patient_id = {al}")).await, [false], "{lane:?}: he failed");
    }
}

/// Something of everything: new, updated, deleted, missing, merged, unmatched, unreadable, and a patient who fails.
async fn mixed() -> Sync {
    let sync = a_day_later().await;
    sync.unreachable(6).await;
    sync.upstream.delete("a40");
    sync.upstream.vanish("a41");
    sync.upstream.put(appointment("n1", &Client { id: 91, ..PAT }, LATER));
    sync.upstream.edit("a42", |row| {
        (row["ClientId"], row["ClientEmail"]) = (json!(92), json!("else@home.example"));
    });
    sync.upstream.edit("a43", |row| row["Status"] = json!("Canceled"));
    sync.upstream.put(appointment("a60", &client(&names(1)), "2026-03-02T20:00:00Z"));
    let mut bad = appointment("bad", &client(&names(1)), LATER);
    bad["Status"] = json!(7);
    sync.upstream.put(bad);
    sync
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let sync = mixed().await;
    sync.upstream.restore("a41");
    sync.ends(3, &[]).await;
    let (content, notices) = (sync.content().await, "SELECT count(*) FROM notifications");
    let told = sync.clinic.count(notices).await;
    let stripped = |content: &Value| {
        let mut content = content.clone();
        // That they were read again is all that may be new of the patients.
        content.as_object_mut().expect("tables").remove("practiceq_freshness");
        content
    };
    for lane in [&[][..], &["--incremental"], &["--organization", "1"]] {
        let outcome = sync.ends(3, lane).await;
        assert_eq!((totals(&outcome)[..2].to_vec(), outcome.count("deleted")), (vec![0, 0], 0), "{lane:?}");
        assert_eq!(stripped(&sync.content().await), stripped(&content), "{lane:?}");
        assert_eq!(sync.clinic.count(notices).await, told, "{lane:?}");
    }
}

#[tokio::test]
async fn a_dry_run_says_what_a_run_does_and_changes_nothing() {
    let sync = mixed().await;
    let told = |outcome: Outcome| {
        balanced(&outcome);
        let mut report = outcome.report();
        let log = report["sync_log_id"].clone();
        for key in ["run_id", "sync_log_id", "dry_run", "duration_ms"] {
            report.as_object_mut().expect("an object").remove(key);
        }
        (report, log)
    };
    for (lane, code) in [(&["--incremental"][..], 3), (&["--organization", "1"], 3), (&[], 3), (&[], 3)] {
        let before = sync.everything().await;
        let requests = sync.clinic.count("SELECT count(*) FROM api_requests").await;
        let (dry, log) = told(sync.run(&[lane, &["--dry-run"]].concat()).await.expect(code));
        assert_eq!((sync.everything().await, log), (before, Value::Null), "{lane:?}");
        let asked = sync.clinic.count("SELECT count(*) FROM api_requests").await - requests;
        assert_eq!(dry["requests"], asked, "{lane:?}: what was asked for was asked for");
        let (wet, log) = told(sync.run(lane).await.expect(code));
        assert_eq!(dry, wet, "{lane:?}");
        assert!(log.is_i64(), "{lane:?}");
    }
}

#[tokio::test]
async fn what_could_not_be_stored_is_in_the_log() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    for number in 0..90 {
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
    }
    owed::fail_before(&sync.clinic, "INSERT", "appointments", "NEW.external_id = 'a7'").await;
    for new in [89, 0] {
        let outcome = sync.ends(3, &[]).await;
        assert_eq!((totals(&outcome)[0], totals(&outcome)[3], outcome.count("failed")), (new, 1, 1), "{outcome:?}");
        let query = "SELECT status, appointments_errors AS n, metadata->'errors'->0 AS e
                     FROM sync_logs ORDER BY id DESC LIMIT 1";
        let log = sync.clinic.json(query).await;
        assert_eq!((&log["status"], &log["n"]), (&json!("partial_success"), &json!(1)), "{log}");
        assert_eq!(log["e"]["message"], "Appointment could not be stored", "{log}");
        assert!(!log.to_string().contains("CANARY"), "{log}");
    }
    assert_eq!((sync.visits().await.len(), sync.stored("a8").await["patient_id"].clone()), (89, json!(pat)));
}

#[tokio::test]
async fn a_row_that_can_not_be_changed_stops_nobody_either() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for number in 0..10 {
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
    }
    sync.sweep().await;
    for number in 0..10 {
        sync.upstream.edit(&format!("a{number}"), |row| row["ServiceName"] = json!("Another"));
    }
    let refused = "NEW.external_id = 'a7' AND NEW.service_name = 'Another'";
    owed::fail_before(&sync.clinic, "INSERT OR UPDATE", "practiceq_visits", refused).await;
    let outcome = sync.ends(3, &[]).await;
    assert_eq!(totals(&outcome)[1..].to_vec(), [9, 0, 1], "{outcome:?}");
    assert_eq!(sync.stored("a7").await["service_name"], "Canary follow-up");
    sync.clinic.sql("DROP TRIGGER tell ON practiceq_visits").await;
    assert_eq!(totals(&sync.ends(0, &["--incremental"]).await)[1], 1, "the next run makes up for it");
}

#[tokio::test]
async fn what_somebody_holds_is_left_to_the_next_run() {
    let sync = a_day_later().await;
    sync.clinic.sql("BEGIN; SELECT FROM appointments WHERE external_id = 'a0' FOR NO KEY UPDATE").await;
    let outcome = sync.sweep().await;
    assert_eq!((totals(&outcome)[..2].to_vec(), skipped(&outcome, "locked")), (vec![3, 4], 1), "{outcome:?}");
    sync.clinic.sql("COMMIT").await;
    assert_eq!(sync.stored("a0").await["service_name"], "Canary follow-up");
    assert_eq!(totals(&sync.sweep().await)[1], 1);
    // A row that is only referred to is not held.
    sync.clinic.sql("BEGIN; SELECT FROM appointments FOR KEY SHARE").await;
    sync.upstream.edit("a1", |row| row["StartDate"] = json!(millis("2026-03-10T17:00:00Z")));
    assert_eq!(totals(&sync.sweep().await)[1], 1);
}
