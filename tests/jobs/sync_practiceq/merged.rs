//! A client that the account merges into another keeps the visits that are in a chart, and a person decides.

use serde_json::{Value, json};

use super::words::{ANN, PAT, totals};
use crate::support::practiceq::{Client, Sync, appointment};

/// This afternoon: whoever has to know is told.
const TODAY: &str = "2026-03-02T20:00:00Z";
/// Whom the account calls otherwise than the clinic does.
const NICK: Client = Client { id: 2222, name: "Nick Name", email: "nick@home.example", date_of_birth: "" };
const MERGED: i64 = 3333;

impl Sync {
    /// The admin's decision about what waits.
    async fn decided_so(&self, command: &str, visit: &str, more: &[&str]) {
        let id = self.one(&format!("SELECT id FROM practiceq_unmatched WHERE external_id = '{visit}'")).await;
        let (id, admin) = (id.to_string(), self.admin.to_string());
        let args = [&["practiceq", "unmatched", command, &id, "--actor", &admin], more].concat();
        self.clinic.run(&args).await.expect(0);
    }

    async fn told_of(&self) -> Vec<String> {
        let rows = self.clinic.rows("SELECT title FROM notifications ORDER BY id").await;
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// A visit of Nick's that a person linked to Pat.
async fn linked(change: impl FnOnce(&mut Value)) -> (Sync, i64) {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    let mut row = appointment("n1", &NICK, TODAY);
    change(&mut row);
    sync.upstream.put(row);
    sync.sweep().await;
    sync.decided_so("link", "n1", &["--patient", &pat.to_string()]).await;
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"n1": pat}));
    (sync, pat)
}

#[tokio::test]
async fn a_visit_of_a_linked_client_that_was_merged_stays_and_waits_for_a_person() {
    let (sync, pat) = linked(|_| ()).await;
    sync.upstream.edit("n1", |row| row["ClientId"] = json!(MERGED));
    for unmatched in [1, 1] {
        let outcome = sync.sweep().await;
        assert_eq!((outcome.count("unmatched"), outcome.count("deleted")), (unmatched, 0), "{outcome:?}");
        assert_eq!((sync.whose().await, sync.open().await), (json!({"n1": pat}), json!({"n1": "MERGED"})));
    }
    let before = sync.written().await;
    sync.ends(0, &["--incremental"]).await;
    assert_eq!(sync.written().await, before, "nothing of it has changed");
    assert_eq!(sync.told_of().await, [""; 0], "a merge is no deletion");
    // It is a visit like any other meanwhile.
    sync.upstream.edit("n1", |row| row["Status"] = json!("Canceled"));
    sync.sweep().await;
    assert_eq!(sync.stored_as("n1", ["status", "client_id"]).await, ["CANCELLED", "2222"]);
    assert_eq!(sync.told_of().await, ["Visit cancelled"]);
    // A person says that it is right.
    sync.decided_so("link", "n1", &["--patient", &pat.to_string()]).await;
    sync.sweep().await;
    assert_eq!((sync.whose().await, sync.open().await), (json!({"n1": pat}), json!({})));
    assert_eq!(sync.stored("n1").await["client_id"], "3333");
    let clients = "SELECT jsonb_object_agg(client_id, patient_id::bigint) FROM practiceq_clients";
    assert_eq!(sync.one(clients).await, json!({"2222": pat, "3333": pat}));
}

#[tokio::test]
async fn a_person_may_say_that_it_is_nobodys_or_somebody_elses() {
    let (sync, _) = linked(|_| ()).await;
    sync.upstream.edit("n1", |row| row["ClientId"] = json!(MERGED));
    sync.sweep().await;
    sync.decided_so("ignore", "n1", &[]).await;
    sync.sweep().await;
    assert_eq!((sync.whose().await, sync.told_of().await), (json!({}), vec!["Visit deleted".to_owned()]));

    let (sync, _) = linked(|_| ()).await;
    let ann = sync.patient_of(&ANN).await;
    sync.upstream.edit("n1", |row| row["ClientId"] = json!(MERGED));
    sync.sweep().await;
    sync.decided_so("link", "n1", &["--patient", &ann.to_string()]).await;
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"n1": ann}));
}

#[tokio::test]
async fn another_name_address_or_birthday_is_another_client() {
    for (field, value) in [
        ("ClientName", json!("Other Name")),
        ("ClientEmail", json!("o@home.example")),
        ("ClientDateOfBirth", json!("1990-01-02")),
    ] {
        let (sync, _) = linked(|row| row["ClientDateOfBirth"] = json!("1990-01-01")).await;
        sync.upstream.edit("n1", |row| (row["ClientId"], row[field]) = (json!(MERGED), value));
        sync.sweep().await;
        assert_eq!((sync.whose().await, sync.open().await), (json!({}), json!({"n1": "NOBODY"})), "{field}");
    }
    // A birthday that the account does not know any more says nothing; nor does the way in which the rest is written.
    let (sync, pat) = linked(|row| row["ClientDateOfBirth"] = json!("1990-01-01")).await;
    sync.upstream.edit("n1", |row| {
        (row["ClientId"], row["ClientDateOfBirth"]) = (json!(0), Value::Null);
        (row["ClientName"], row["ClientEmail"]) = (json!(" nick  NAME"), json!("Nick@Home.example "));
    });
    sync.sweep().await;
    assert_eq!((sync.whose().await, sync.open().await), (json!({"n1": pat}), json!({"n1": "MERGED"})));
}

#[tokio::test]
async fn a_group_visit_that_a_person_linked_stays_as_well() {
    let (sync, pat) = linked(|row| row["AdditionalClients"] = json!([{"ClientId": 9}])).await;
    sync.upstream.edit("n1", |row| row["ClientId"] = json!(MERGED));
    for _ in 0..2 {
        sync.sweep().await;
        assert_eq!((sync.whose().await, sync.open().await), (json!({"n1": pat}), json!({"n1": "MERGED"})));
    }
    assert_eq!(sync.told_of().await, [""; 0]);
}

#[tokio::test]
async fn a_client_who_was_found_and_moved_house_is_recognized_too() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, TODAY));
    sync.sweep().await;
    // The clinic does not know the new address.
    sync.upstream.edit("a1", |row| row["ClientEmail"] = json!("pat@new.example"));
    sync.sweep().await;
    sync.upstream.edit("a1", |row| row["ClientId"] = json!(MERGED));
    sync.sweep().await;
    assert_eq!((sync.whose().await, sync.open().await), (json!({"a1": pat}), json!({"a1": "MERGED"})));
    assert_eq!(sync.told_of().await, [""; 0]);
}

#[tokio::test]
async fn what_an_earlier_version_stored_is_recognized_after_one_reading() {
    let (sync, pat) = linked(|_| ()).await;
    sync.clinic.sql("UPDATE practiceq_visits SET client_marks = NULL").await;
    assert_eq!(totals(&sync.sweep().await), [0, 0, 1, 0], "it is unchanged");
    let before = sync.written().await;
    sync.sweep().await;
    assert_eq!(sync.written().await, before, "once");
    sync.upstream.edit("n1", |row| row["ClientId"] = json!(MERGED));
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"n1": pat}));
    let named = "SELECT count(*) FROM practiceq_visits v WHERE v::text ILIKE '%nick%'";
    assert_eq!(sync.clinic.count(named).await, 0, "nobody is named");
}
