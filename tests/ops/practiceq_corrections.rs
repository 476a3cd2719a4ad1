//! Decisions about the account's appointments that were wrong, and are taken back: by whom, and what becomes of it.

use serde_json::{Value, json};

use super::{ROLES, application, at_once, group_user, refused};
use crate::support::practiceq::{Client, Sync, appointment};
use crate::support::program::Outcome;

const NEW: Client = Client { id: 900, name: "Newt Unknown", email: "newt@home.example", date_of_birth: "1990-09-09" };
const PAT: Client = Client { id: 100, name: "Pat Doe", email: "pat@home.example", date_of_birth: "1980-04-02" };
const LATER: &str = "2026-03-10T18:00:00Z";

struct Decided {
    sync: Sync,
    pat: i64,
    ann: i64,
}

impl Decided {
    /// A clinic with Pat and Ann; n1 and n2 are of a client whom nobody knows, a1 of Pat's.
    async fn new() -> Self {
        let sync = Sync::new().await;
        let pat = sync.patient_of(&PAT).await;
        let ann = sync.patient("Ann", "Roe", Some("ann@home.example"), Some("1975-12-31")).await;
        for (id, client) in [("n1", NEW), ("n2", NEW), ("a1", PAT)] {
            sync.upstream.put(appointment(id, &client, LATER));
        }
        sync.run(&[]).await.expect(0);
        Self { sync, pat, ann }
    }

    async fn run(&self, words: &str, actor: i64, more: &[&str]) -> Outcome {
        let actor = actor.to_string();
        let words: Vec<&str> = words.split(' ').chain(["--actor", &actor]).chain(more.iter().copied()).collect();
        self.sync.clinic.run(&[&["practiceq"], &words[..]].concat()).await
    }

    async fn id(&self, external_id: &str) -> i64 {
        self.sync.clinic.row("SELECT id FROM practiceq_unmatched WHERE external_id = $1", &[&external_id]).await.get(0)
    }

    async fn link(&self, external_id: &str, patient: i64) -> Outcome {
        let words = format!("unmatched link {} --patient {patient}", self.id(external_id).await);
        self.run(&words, self.sync.case_manager, &[]).await
    }

    async fn reopen(&self, external_id: &str, actor: i64, more: &[&str]) -> Outcome {
        self.run(&format!("unmatched reopen {}", self.id(external_id).await), actor, more).await
    }

    /// Whose visits are in a chart.
    async fn charts(&self) -> Value {
        let charts = "SELECT coalesce(jsonb_object_agg(external_id, patient_id), '{}') AS c FROM stored_visits
                      WHERE deleted_at IS NULL";
        self.sync.clinic.json(charts).await["c"].clone()
    }

    /// What waits for a person.
    async fn open(&self) -> Value {
        let open = "SELECT coalesce(jsonb_agg(external_id ORDER BY external_id), '[]') AS o FROM practiceq_unmatched
                    WHERE status = 'open'";
        self.sync.clinic.json(open).await["o"].clone()
    }

    async fn state(&self) -> Value {
        let tables = ["appointments", "practiceq_visits", "practiceq_clients", "practiceq_unmatched", "notifications"];
        let all = tables.map(|table| format!("(SELECT jsonb_agg(t ORDER BY t.*::text) FROM {table} t) AS {table}"));
        self.sync.clinic.json(&format!("SELECT {}", all.join(", "))).await
    }
}

#[tokio::test]
async fn a_wrong_link_is_taken_back_with_all_that_followed_from_it() {
    let clinic = Decided::new().await;
    let (pat, ann, manager) = (clinic.pat, clinic.ann, clinic.sync.case_manager);
    clinic.link("n1", pat).await.expect(0);
    assert_eq!(clinic.charts().await, json!({"a1": pat, "n1": pat, "n2": pat}));
    let before = clinic.state().await;
    let dry = clinic.reopen("n1", manager, &["--dry-run"]).await.expect(0).report();
    assert_eq!([&dry["dry_run"], &dry["visits"]], [&json!(true), &json!(2)]);
    assert_eq!(clinic.state().await, before);
    let id = clinic.id("n1").await;
    let report = clinic.reopen("n1", manager, &[]).await.expect(0).report();
    let expected = json!({
        "ok": true, "dry_run": false, "id": id, "status": "open", "external_id": "n1", "client_id": "900",
        "appointments": 2, "visits": 2,
    });
    assert_eq!(report, expected);
    assert_eq!((clinic.charts().await, clinic.open().await), (json!({"a1": pat}), json!(["n1", "n2"])));
    // What was read of them may be old: it is read again first.
    let message = refused(clinic.link("n1", ann).await, 1, "NOT_READ");
    assert!(message.contains("sync-practiceq --appointment n1"), "{message}");
    clinic.sync.run(&["--appointment", "n1"]).await.expect(0);
    // The other is read later, and goes where its client is.
    assert_eq!(clinic.link("n1", ann).await.expect(0).count("appointments"), 1);
    clinic.sync.run(&[]).await.expect(0);
    assert_eq!(clinic.charts().await, json!({"a1": pat, "n1": ann, "n2": ann}));
    assert_eq!(clinic.open().await, json!([]));
}

#[tokio::test]
async fn a_link_that_the_sync_found_does_not_come_back_by_itself() {
    let clinic = Decided::new().await;
    let (pat, ann, manager) = (clinic.pat, clinic.ann, clinic.sync.case_manager);
    let listed = clinic.run("clients list", manager, &["--patient", &pat.to_string()]).await.expect(0).report();
    assert_eq!([&listed["clients"][0]["client_id"], &listed["clients"][0]["state"]], ["100", "linked"]);
    assert_eq!(listed["clients"][0]["linked_by"], Value::Null);
    let report = clinic.run("clients unlink 100", manager, &[]).await.expect(0).report();
    let expected = json!({
        "ok": true, "dry_run": false, "client_id": "100", "patient_id": pat.to_string(), "appointments": 0, "visits": 1,
    });
    assert_eq!(report, expected);
    assert_eq!(clinic.charts().await, json!({}));
    // E-mail and date of birth are still those of Pat.
    clinic.sync.upstream.put(appointment("a2", &PAT, LATER));
    for lane in [&[][..], &["--incremental"], &["--appointment", "a1"]] {
        assert_eq!(clinic.sync.run(lane).await.expect(0).report()["deleted"], 0, "{lane:?}");
        assert_eq!((clinic.charts().await, clinic.open().await), (json!({}), json!(["a1", "a2", "n1", "n2"])));
    }
    let text = clinic.run("clients list", manager, &["--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("waits"), "{text}");
    clinic.link("a1", ann).await.expect(0);
    assert_eq!(clinic.charts().await, json!({"a1": ann, "a2": ann}));
    clinic.sync.upstream.put(appointment("a3", &PAT, LATER));
    clinic.sync.run(&[]).await.expect(0);
    // The client is Ann's by a person's word, and the row still says that it is Pat's: a person is asked.
    assert_eq!(clinic.charts().await, json!({"a1": ann, "a2": ann}));
    assert_eq!(clinic.open().await, json!(["a3", "n1", "n2"]));
}

#[tokio::test]
async fn who_was_said_to_be_nobody_is_asked_about_again() {
    for more in [&["--client"][..], &[]] {
        let clinic = Decided::new().await;
        let manager = clinic.sync.case_manager;
        let words = format!("unmatched ignore {}", clinic.id("n1").await);
        clinic.run(&words, manager, more).await.expect(0);
        clinic.sync.run(&[]).await.expect(0);
        let left = if more.is_empty() { json!(["n2"]) } else { json!([]) };
        assert_eq!(clinic.open().await, left);
        clinic.reopen("n1", manager, &[]).await.expect(0);
        assert_eq!(clinic.open().await, json!(["n1", "n2"]));
        clinic.sync.run(&[]).await.expect(0);
        let kept = "SELECT count(*) FROM practiceq_unmatched WHERE content ->> 'client_name' = 'Newt Unknown'";
        assert_eq!(clinic.sync.clinic.count(kept).await, 2, "what a person decides by was read again");
        clinic.link("n1", clinic.ann).await.expect(0);
        assert_eq!(clinic.charts().await, json!({"a1": clinic.pat, "n1": clinic.ann, "n2": clinic.ann}));
    }
}

#[tokio::test]
async fn of_a_group_only_the_one_visit_is_taken_back() {
    let clinic = Decided::new().await;
    let pat = clinic.pat;
    let mut group = appointment("g1", &PAT, LATER);
    group["AdditionalClients"] = json!([{"ClientId": 5}]);
    clinic.sync.upstream.put(group);
    clinic.sync.run(&[]).await.expect(0);
    clinic.link("g1", pat).await.expect(0);
    // What was decided of one visit stays when its client's link goes.
    clinic.run("clients unlink 100", clinic.sync.case_manager, &[]).await.expect(0);
    assert_eq!(clinic.charts().await, json!({"g1": pat}));
    clinic.sync.run(&[]).await.expect(0);
    clinic.link("a1", pat).await.expect(0);
    assert_eq!(clinic.charts().await, json!({"a1": pat, "g1": pat}));
    let report = clinic.reopen("g1", clinic.sync.case_manager, &[]).await.expect(0).report();
    assert_eq!([&report["client_id"], &report["visits"]], [&Value::Null, &json!(1)]);
    assert_eq!(clinic.charts().await, json!({"a1": pat}));
    clinic.sync.run(&[]).await.expect(0);
    assert_eq!((clinic.charts().await, clinic.open().await), (json!({"a1": pat}), json!(["g1", "n1", "n2"])));
}

#[tokio::test]
async fn who_decided_whose_patient_it_is_and_the_group_take_it_back() {
    let clinic = Decided::new().await;
    let sync = &clinic.sync;
    clinic.link("n1", clinic.pat).await.expect(0);
    let elsewhere = sync.clinic.facility("America/Denver", None).await;
    let before = clinic.state().await;
    let mut strangers = vec![sync.clinic.user(elsewhere, "SUPERVISOR").await];
    for role in ROLES.into_iter().filter(|role| !["HOSPITAL_ADMIN", "SUPERVISOR"].contains(role)) {
        strangers.push(sync.clinic.user(sync.facility, role).await);
    }
    for user in strangers {
        refused(clinic.reopen("n1", user, &[]).await, 2, "ACTOR_NOT_ALLOWED");
        refused(clinic.run("clients unlink 900", user, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    }
    assert_eq!(clinic.state().await, before);
    let group = group_user(&sync.clinic, "HOSPITAL_ADMIN").await;
    for user in [sync.case_manager, sync.admin, group] {
        clinic.reopen("n1", user, &["--dry-run"]).await.expect(0);
        clinic.run("clients unlink 900", user, &["--dry-run"]).await.expect(0);
    }
    // Of nobody no patient says whose it is: the user who decided, and the group.
    sync.clinic.sql("UPDATE practiceq_clients SET patient_id = NULL WHERE client_id = '900'").await;
    let other = sync.clinic.user(sync.facility, "SUPERVISOR").await;
    refused(clinic.run("clients unlink 900", other, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    clinic.run("clients unlink 900", sync.case_manager, &["--dry-run"]).await.expect(0);
    // The patient is gone: what names nobody is the decider's and the group's.
    sync.clinic.sql("UPDATE practiceq_clients SET patient_id = '4711' WHERE client_id = '900'").await;
    refused(clinic.run("clients unlink 900", other, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    clinic.run("clients unlink 900", group, &[]).await.expect(0);
}

#[tokio::test]
async fn what_was_not_decided_is_not_taken_back() {
    let clinic = Decided::new().await;
    let manager = clinic.sync.case_manager;
    let before = clinic.state().await;
    refused(clinic.reopen("n1", manager, &[]).await, 1, "NOT_DECIDED");
    refused(clinic.run("unmatched reopen 4711", manager, &[]).await, 2, "UNKNOWN_UNMATCHED");
    refused(clinic.run("clients unlink 4711", manager, &[]).await, 2, "UNKNOWN_CLIENT");
    refused(clinic.run("clients list", manager, &["--patient", "4711"]).await, 2, "UNKNOWN_PATIENT");
    assert_eq!(clinic.state().await, before);
    clinic.run("clients unlink 100", manager, &[]).await.expect(0);
    refused(clinic.run("clients unlink 100", manager, &[]).await, 1, "NOT_LINKED");
}

#[tokio::test]
async fn all_leave_the_chart_or_none() {
    let clinic = Decided::new().await;
    let (manager, other) = (clinic.sync.case_manager.to_string(), clinic.sync.admin.to_string());
    clinic.link("n1", clinic.pat).await.expect(0);
    let before = clinic.state().await;
    let held = application(&clinic.sync.clinic, "SELECT FROM appointments WHERE external_id = 'n2' FOR UPDATE").await;
    refused(clinic.reopen("n1", clinic.sync.case_manager, &[]).await, 1, "LOCKED");
    held.batch_execute("ROLLBACK").await.expect("it lives");
    assert_eq!(clinic.state().await, before);
    // Of two people at once one is told that it is done.
    let id = clinic.id("n1").await.to_string();
    let [first, second] = [&manager, &other].map(|user| ["practiceq", "unmatched", "reopen", &id, "--actor", user]);
    let row = "SELECT FROM practiceq_unmatched WHERE external_id = 'n1' FOR UPDATE";
    let mut codes = at_once(&clinic.sync.clinic, row, &first, &second).await.map(|outcome| outcome.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 1]);
}

#[tokio::test]
async fn those_who_drive_the_patient_hear_that_a_visit_is_not_theirs() {
    let clinic = Decided::new().await;
    clinic.sync.upstream.put(appointment("n3", &NEW, "2026-03-03T18:00:00Z"));
    clinic.sync.run(&[]).await.expect(0);
    clinic.link("n3", clinic.pat).await.expect(0);
    let as_of = ["--as-of", crate::support::practiceq::NOW];
    assert_eq!(clinic.reopen("n3", clinic.sync.case_manager, &as_of).await.expect(0).count("visits"), 3);
    let told = "SELECT jsonb_agg(metadata ->> 'kind') AS kinds FROM notifications";
    assert_eq!(clinic.sync.clinic.json(told).await["kinds"], json!(["DELETED"]));
}
