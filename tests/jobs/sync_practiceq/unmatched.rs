//! What a person decides of a visit that matched nobody or several, and how the sync keeps to it.

use std::time::Duration;

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, skipped, totals};
use crate::support::practiceq::{Client, Fault, Sync, appointment};
use crate::support::program::{self, Outcome};

/// A client whom nobody knows.
const NEW: Client = Client { id: 900, name: "Newt Unknown", email: "newt@home.example", date_of_birth: "1990-09-09" };

impl Sync {
    /// The id of what waits for a person.
    async fn waiting(&self, external_id: &str) -> i64 {
        let query = "SELECT id FROM practiceq_unmatched WHERE external_id = $1";
        self.clinic.row(query, &[&external_id]).await.get(0)
    }

    /// A decision of the admin's.
    async fn decides(&self, command: &str, external_id: &str, more: &[&str]) -> Outcome {
        let (id, admin) = (self.waiting(external_id).await.to_string(), self.admin.to_string());
        self.clinic.run(&[&["practiceq", "unmatched", command, &id, "--actor", &admin], more].concat()).await
    }

    async fn links(&self, external_id: &str, patient: i64) -> Value {
        self.decides("link", external_id, &["--patient", &patient.to_string()]).await.expect(0).report()
    }

    async fn ignores(&self, external_id: &str, more: &[&str]) -> Value {
        self.decides("ignore", external_id, more).await.expect(0).report()
    }

    /// What was decided of each.
    async fn decided(&self) -> Value {
        self.one("SELECT coalesce(jsonb_object_agg(external_id, status), '{}') FROM practiceq_unmatched").await
    }
}

/// Pat and Ann; of the unknown client there are three visits.
async fn three_unknown() -> (Sync, i64, i64) {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    for visit in ["n1", "n2", "n3"] {
        sync.upstream.put(appointment(visit, &NEW, LATER));
    }
    assert_eq!(sync.sweep().await.count("unmatched"), 3);
    sync.upstream.clear_requests();
    (sync, pat, ann)
}

#[tokio::test]
async fn a_link_stores_the_visit_at_once_and_the_clients_others_with_it() {
    let (sync, pat, _) = three_unknown().await;
    let id = sync.waiting("n2").await;
    let report = sync.links("n2", pat).await;
    let patient = pat.to_string();
    let expected =
        json!({"ok": true, "dry_run": false, "id": id, "status": "linked", "patient_id": patient, "appointments": 3});
    assert_eq!(report, expected);
    assert!(sync.upstream.requests().is_empty(), "nothing needs to be asked for again");
    assert_eq!(sync.whose().await, json!({"n1": pat, "n2": pat, "n3": pat}));
    assert_eq!(sync.decided().await, json!({"n1": "linked", "n2": "linked", "n3": "linked"}));
    let client = sync.clinic.json("SELECT client_id, patient_id, linked_by FROM practiceq_clients").await;
    assert_eq!(client, json!({"client_id": "900", "patient_id": pat.to_string(), "linked_by": sync.admin.to_string()}));
    let rows =
        "SELECT count(*) FROM practiceq_unmatched WHERE decided_by IS NULL OR decided_at IS NULL OR patient_id IS NULL";
    assert_eq!(sync.clinic.count(rows).await, 0);
    let stored = sync.stored("n2").await;
    for (column, value) in [
        ("facility_id", json!(sync.facility)),
        ("doctor_id", json!(sync.doctor)),
        ("status", json!("CONFIRMED")),
        ("appointment_date", json!("2026-03-10")),
        ("start_time", json!("12:00:00")),
        ("starts_at", json!("2026-03-10T18:00:00+00:00")),
        ("ends_at", json!("2026-03-10T18:30:00+00:00")),
        ("meeting_url", json!("https://meet.example/join/n2")),
        ("service_name", json!("Canary follow-up")),
        ("client_id", json!("900")),
    ] {
        assert_eq!(stored[column], value, "{column}: {stored}");
    }
    assert_eq!(sync.tables_with("host-canary").await, [""; 0]);
    // The next sweep finds it as it would have stored it itself.
    let before = sync.written().await;
    assert_eq!(totals(&sync.sweep().await), [0, 0, 3, 0]);
    assert_eq!(sync.written().await, before);
    assert_eq!(sync.clinic.count("SELECT count(*) FROM notifications").await, 0);
}

#[tokio::test]
async fn what_a_linked_client_books_later_is_his() {
    let (sync, pat, _) = three_unknown().await;
    sync.links("n1", pat).await;
    sync.upstream.put(appointment("n4", &NEW, LATER));
    sync.upstream.edit("n1", |row| row["Status"] = json!("Canceled"));
    let outcome = sync.ends(0, &["--incremental"]).await;
    assert_eq!((totals(&outcome)[..2].to_vec(), outcome.count("unmatched")), (vec![1, 1], 0), "{outcome:?}");
    assert_eq!(sync.whose().await, json!({"n1": pat, "n2": pat, "n3": pat, "n4": pat}));
    assert_eq!(sync.stored("n1").await["status"], "CANCELLED");
}

#[tokio::test]
async fn a_link_of_a_visit_holds_for_the_client_that_it_was_made_of() {
    let (sync, pat, _) = three_unknown().await;
    sync.links("n1", pat).await;
    // Somebody gives it to another client, of whom nobody can tell who it is: Ann's address, and a birthday that is not hers.
    sync.upstream.edit("n1", |row| {
        (row["ClientId"], row["ClientName"], row["ClientEmail"]) = (json!(ANN.id), json!(ANN.name), json!(ANN.email));
        row["ServiceName"] = json!("Another");
    });
    let outcome = sync.sweep().await;
    assert_eq!(sync.decided().await["n1"], "open", "{outcome:?}");
    assert!(sync.stored("n1").await["deleted_at"].is_string(), "it is in nobody's chart: {outcome:?}");
    // Its others are Pat's as before.
    assert_eq!(sync.whose().await, json!({"n2": pat, "n3": pat}));
}

#[tokio::test]
async fn a_group_visit_is_linked_alone() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    for visit in ["g1", "g2", "g3"] {
        let mut row = appointment(visit, &NEW, LATER);
        row["AdditionalClients"] = json!([{"ClientId": PAT.id}, {"ClientId": ANN.id}]);
        sync.upstream.put(row);
    }
    sync.sweep().await;
    assert_eq!(sync.links("g1", pat).await["appointments"], 1);
    assert_eq!(sync.links("g2", ann).await["appointments"], 1);
    assert_eq!(sync.whose().await, json!({"g1": pat, "g2": ann}));
    assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_clients").await, 0, "its client is not the patient");
    for visit in ["g1", "g3"] {
        sync.upstream.edit(visit, |row| row["ServiceName"] = json!("Another"));
    }
    let outcome = sync.sweep().await;
    assert_eq!((totals(&outcome)[1], outcome.count("unmatched")), (1, 1), "{outcome:?}");
    assert_eq!(sync.whose().await, json!({"g1": pat, "g2": ann}));
    assert_eq!(sync.open().await, json!({"g3": "GROUP"}));
}

#[tokio::test]
async fn a_twin_is_told_apart_by_a_person_once() {
    let sync = Sync::new().await;
    let [email, born] = ["twins@home.example", "2015-06-01"];
    sync.patient("Tim", "Doe", Some(email), Some(born)).await;
    let tom = sync.patient("Tom", "Doe", Some(email), Some(born)).await;
    let client = Client { id: 70, name: "T Doe", email, date_of_birth: born };
    sync.upstream.put(appointment("t1", &client, LATER));
    sync.sweep().await;
    assert_eq!(sync.open().await, json!({"t1": "SEVERAL"}));
    sync.links("t1", tom).await;
    sync.upstream.put(appointment("t2", &client, LATER));
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"t1": tom, "t2": tom}));
}

#[tokio::test]
async fn what_left_a_chart_can_be_linked_back() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.sweep().await;
    let id = sync.stored("a1").await["id"].clone();
    sync.upstream.edit("a1", |row| (row["ClientId"], row["ClientEmail"]) = (json!(900), json!(NEW.email)));
    sync.sweep().await;
    assert_eq!((sync.whose().await, sync.open().await), (json!({}), json!({"a1": "NOBODY"})));
    sync.links("a1", pat).await;
    assert_eq!(sync.stored_as("a1", ["id", "patient_id", "deleted_at"]).await, [id, json!(pat), Value::Null]);
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"a1": pat}));
}

#[tokio::test]
async fn a_visit_that_is_ignored_stays_so_and_its_client_is_asked_about_again() {
    let (sync, ..) = three_unknown().await;
    let id = sync.waiting("n1").await;
    let report = sync.ignores("n1", &[]).await;
    assert_eq!(report, json!({"ok": true, "dry_run": false, "id": id, "status": "ignored", "rows": 1}));
    sync.upstream.put(appointment("n4", &NEW, LATER));
    sync.upstream.edit("n1", |row| row["ServiceName"] = json!("Another"));
    let outcome = sync.sweep().await;
    assert_eq!((skipped(&outcome, "ignored"), outcome.count("unmatched")), (1, 3), "{outcome:?}");
    assert_eq!(sync.decided().await, json!({"n1": "ignored", "n2": "open", "n3": "open", "n4": "open"}));
    // Though the client turns out to be known: a person has said so of this visit.
    let newt = sync.patient_of(&NEW).await;
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"n2": newt, "n3": newt, "n4": newt}));
}

#[tokio::test]
async fn a_client_who_is_ignored_is_so_now_and_later() {
    let (sync, ..) = three_unknown().await;
    let report = sync.ignores("n1", &["--client"]).await;
    assert_eq!((&report["status"], &report["rows"]), (&json!("ignored"), &json!(3)), "{report}");
    assert_eq!(sync.decided().await, json!({"n1": "ignored", "n2": "ignored", "n3": "ignored"}));
    let client = sync.clinic.json("SELECT client_id, patient_id, linked_by FROM practiceq_clients").await;
    assert_eq!(client, json!({"client_id": "900", "patient_id": null, "linked_by": sync.admin.to_string()}));
    sync.upstream.put(appointment("n4", &NEW, LATER));
    sync.patient_of(&NEW).await;
    let outcome = sync.sweep().await;
    assert_eq!((skipped(&outcome, "ignored"), outcome.count("unmatched")), (4, 0), "{outcome:?}");
    assert_eq!(sync.whose().await, json!({}));
}

#[tokio::test]
async fn what_is_decided_already_is_not_decided_again() {
    let (sync, pat, ann) = three_unknown().await;
    sync.ignores("n1", &[]).await;
    sync.links("n2", pat).await;
    let before = sync.content().await;
    for visit in ["n1", "n2"] {
        for (command, more) in [("link", vec!["--patient".to_owned(), ann.to_string()]), ("ignore", vec![])] {
            let more: Vec<_> = more.iter().map(String::as_str).collect();
            let report = sync.decides(command, visit, &more).await.expect(1).report();
            assert_eq!(report["error_code"], "NOT_OPEN", "{visit} {command}: {report}");
        }
    }
    assert_eq!(sync.content().await, before);
    assert_eq!(sync.decided().await, json!({"n1": "ignored", "n2": "linked", "n3": "linked"}));
}

#[tokio::test]
async fn a_link_that_cannot_be_right_is_refused() {
    let (sync, pat, ann) = three_unknown().await;
    let idle = sync.patient("Ida", "Idle", Some("ida@home.example"), None).await;
    sync.affiliate(idle, sync.organization, "inactive").await;
    let elsewhere = format!("INSERT INTO practiceq_clients VALUES ('900', {ann}, NULL, now(), NULL)");
    for (patient, code) in [(4711, "UNKNOWN_PATIENT"), (idle, "NOT_IN_SCOPE"), (pat, "CLIENT_ELSEWHERE")] {
        if code == "CLIENT_ELSEWHERE" {
            sync.clinic.sql(&elsewhere).await;
        }
        let before = sync.content().await;
        for more in [&[][..], &["--dry-run"]] {
            let patient = patient.to_string();
            let outcome = sync.decides("link", "n1", &[&["--patient", &patient], more].concat()).await.expect(2);
            assert_eq!(outcome.report()["error_code"], code, "{outcome:?}");
            assert!(!format!("{outcome:?}").contains("Newt"), "{outcome:?}");
        }
        assert_eq!(sync.content().await, before, "{code}");
    }
    assert_eq!(sync.links("n1", ann).await["patient_id"], ann.to_string(), "she is the one");
}

#[tokio::test]
async fn a_group_visit_of_a_known_client_is_his_or_nobodys() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    sync.upstream.put(appointment("a1", &PAT, LATER));
    let mut row = appointment("g1", &PAT, LATER);
    row["AdditionalClients"] = json!([{"ClientId": ANN.id}]);
    sync.upstream.put(row);
    sync.sweep().await;
    let report = sync.decides("link", "g1", &["--patient", &ann.to_string()]).await.expect(2).report();
    assert_eq!(report["error_code"], "CLIENT_ELSEWHERE", "{report}");
    sync.links("g1", pat).await;
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"a1": pat, "g1": pat}));
}

#[tokio::test]
async fn what_the_account_has_deleted_needs_no_decision() {
    for lane in [&[][..], &["--incremental"]] {
        let (sync, ..) = three_unknown().await;
        sync.ignores("n3", &[]).await;
        sync.upstream.delete("n1");
        let outcome = sync.ends(0, lane).await;
        assert_eq!(outcome.count("deleted"), 0, "none was stored: {outcome:?}");
        assert_eq!(sync.open().await, json!({"n2": "NOBODY"}));
    }
}

#[tokio::test]
async fn a_dry_run_says_what_a_decision_does_and_changes_nothing() {
    let (sync, pat, _) = three_unknown().await;
    let pat = pat.to_string();
    for (command, visit, more) in [("ignore", "n1", &[][..]), ("link", "n2", &["--patient", &*pat])] {
        let before = sync.everything().await;
        let mut dry = sync.decides(command, visit, &[more, &["--dry-run"]].concat()).await.expect(0).report();
        assert_eq!(dry["dry_run"], true, "{command}");
        assert_eq!(sync.everything().await, before, "{command}");
        dry["dry_run"] = json!(false);
        assert_eq!(sync.decides(command, visit, more).await.expect(0).report(), dry, "{command}");
    }
}

#[tokio::test]
async fn a_decision_made_while_a_run_reads_stands() {
    for linked in [true, false] {
        let (sync, pat, _) = three_unknown().await;
        sync.upstream.fault(&[Fault::HeldBody]);
        let run = sync.start(&[]);
        sync.upstream.asked(1).await;
        if linked {
            sync.links("n1", pat).await;
        } else {
            sync.ignores("n1", &["--client"]).await;
        }
        let running = "SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING'";
        assert_eq!(sync.clinic.count(running).await, 1, "all the while");
        sync.upstream.let_go();
        program::finish(run).await.expect(0);
        let [whose, decided] = if linked { [json!(pat), json!("linked")] } else { [Value::Null, json!("ignored")] };
        assert_eq!(sync.decided().await, json!({"n1": decided, "n2": decided, "n3": decided}));
        for _ in 0..2 {
            assert_eq!(sync.whose().await.get("n1").cloned().unwrap_or_default(), whose);
            sync.sweep().await;
        }
    }
}

#[tokio::test]
async fn a_decision_that_is_made_while_the_visit_is_filed_again_stands() {
    let (sync, ..) = three_unknown().await;
    sync.upstream.edit("n1", |row| row["ServiceName"] = json!("Another"));
    let decide =
        "BEGIN; UPDATE practiceq_unmatched SET status = 'ignored', decided_by = 1, decided_at = clock_timestamp()
                  WHERE external_id = 'n1'";
    sync.clinic.sql(decide).await;
    let run = sync.start(&[]);
    tokio::time::sleep(Duration::from_millis(900)).await;
    sync.clinic.sql("COMMIT").await;
    program::finish(run).await.expect(0);
    assert_eq!(sync.decided().await["n1"], "ignored");
}

#[tokio::test]
async fn a_row_that_names_no_client_is_whose_it_was() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.sweep().await;
    sync.upstream.edit("a1", |row| {
        for field in ["ClientId", "ClientName", "ClientEmail", "ClientDateOfBirth"] {
            row[field] = Value::Null;
        }
    });
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({ "a1": pat }));
}

#[tokio::test]
async fn what_is_long_over_is_queued_for_nobody() {
    let sync = Sync::new().await;
    let newt = Client { id: 900, name: "Newt Unknown", email: "newt@home.example", date_of_birth: "1990-09-09" };
    // 30 days before the run, and a second more.
    sync.upstream.put(appointment("kept", &newt, "2026-01-31T15:00:00Z"));
    sync.upstream.put(appointment("over", &newt, "2026-01-31T14:59:59Z"));
    let queued = async || {
        let rows = sync.clinic.rows("SELECT external_id FROM practiceq_unmatched ORDER BY 1").await;
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    assert_eq!(sync.run(&[]).await.expect(0).count("unmatched"), 2, "it is counted all the same");
    assert_eq!(queued().await, ["kept"]);
    sync.run(&["--keep-unmatched", "31d"]).await.expect(0);
    assert_eq!(queued().await, ["kept", "over"]);
}

#[tokio::test]
async fn of_a_client_who_is_nobodys_it_is_noted_once_a_month_that_it_comes() {
    let (sync, ..) = three_unknown().await;
    sync.ignores("n1", &["--client"]).await;
    let seen =
        "SELECT CASE WHEN seen_at = 'epoch' THEN 'never' WHEN seen_at > '2026-02-01' THEN 'now' ELSE 'before' END
                FROM practiceq_clients";
    for (before, expected) in [("'epoch'", "now"), ("timestamptz '2026-03-02 15:00Z' - interval '29 days'", "now")] {
        sync.clinic.sql(&format!("UPDATE practiceq_clients SET seen_at = {before}")).await;
        let written = "SELECT xmin::text FROM practiceq_clients";
        let by = sync.one(written).await;
        assert_eq!(skipped(&sync.sweep().await, "ignored"), 3);
        assert_eq!(sync.one(seen).await, expected);
        assert_eq!(sync.one(written).await != by, before == "'epoch'", "{before}: not written more often");
    }
}
