//! The link of a visit, which a person may enter where the account has none, and where the visit takes place.

use serde_json::{Value, json};

use super::words::{LATER, PAT, totals};
use crate::support::practiceq::{Sync, appointment};

/// Tomorrow, so that people are told of what changes.
const TOMORROW: &str = "2026-03-03T18:00:00Z";
const PERSONS: &str = "https://meet.google.com/abc-defg-hij";

async fn enter(sync: &Sync, link: &str) {
    sync.clinic.sql(&format!("UPDATE practiceq_visits SET meeting_url = {link} WHERE external_id = 'a1'")).await;
}

async fn link(sync: &Sync) -> Value {
    sync.stored("a1").await["meeting_url"].clone()
}

/// The kinds of the notices, in their order.
async fn told(sync: &Sync) -> Value {
    sync.one("SELECT coalesce(jsonb_agg(metadata ->> 'kind' ORDER BY id), '[]') FROM notifications").await
}

#[tokio::test]
async fn the_link_and_the_place_are_stored_as_the_account_has_them() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let hosts = "https://meet.example/host-canary";
    let rows = [
        (json!({"StartUrl": hosts, "Url": "https://meet.example/u"}), json!("02")),
        (json!({"StartUrl": hosts, "Url": hosts, "VideoUrl": "https://meet.example/v"}), json!(10)),
        (json!({"StartUrl": hosts, "Invitation": "Join <https://meet.example/i>."}), json!("11")),
        (json!({"StartUrl": hosts}), json!("")),
        (Value::Null, Value::Null),
    ];
    for (number, (telehealth, place)) in rows.into_iter().enumerate() {
        let mut row = appointment(&format!("a{number}"), &PAT, LATER);
        (row["TelehealthInfo"], row["PlaceOfService"]) = (telehealth, place);
        sync.upstream.put(row);
    }
    assert_eq!(totals(&sync.sweep().await)[0], 5);
    let stored: Vec<Value> = sync
        .visits()
        .await
        .iter()
        .map(|visit| json!([visit["meeting_url"], visit["place_of_service"], visit["location_name"]]))
        .collect();
    let expected = json!([
        ["https://meet.example/u", "02", "Canary Street"],
        ["https://meet.example/v", "10", "Canary Street"],
        ["https://meet.example/i", "11", "Canary Street"],
        [null, null, "Canary Street"],
        [null, null, "Canary Street"],
    ]);
    assert_eq!(json!(stored), expected);
    assert_eq!(sync.tables_with("host-canary").await, [""; 0]);
    // Another place alone is a change; the same is none.
    sync.upstream.edit("a4", |row| row["PlaceOfService"] = json!("02"));
    assert_eq!(totals(&sync.sweep().await)[1], 1);
    assert_eq!(sync.stored("a4").await["place_of_service"], "02");
    assert_eq!(totals(&sync.sweep().await)[1], 0);
}

#[tokio::test]
async fn a_link_that_a_person_entered_is_never_overwritten_with_nothing() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let mut row = appointment("a1", &PAT, TOMORROW);
    row["TelehealthInfo"] = Value::Null;
    sync.upstream.put(row);
    sync.sweep().await;
    enter(&sync, &format!("'{PERSONS}'")).await;
    // Whatever else changes, and however the visit is read.
    sync.upstream.edit("a1", |row| row["ServiceName"] = json!("another"));
    assert_eq!(totals(&sync.sweep().await)[1], 1);
    sync.upstream.edit("a1", |row| row["TelehealthInfo"] = json!({"StartUrl": "https://meet.example/host"}));
    sync.upstream.edit("a1", |row| row["Status"] = json!("WaitingConfirmation"));
    assert_eq!(totals(&sync.ends(0, &["--appointment", "a1"]).await)[1], 1);
    sync.upstream.delete("a1");
    sync.ends(0, &["--incremental"]).await;
    sync.upstream.restore("a1");
    sync.upstream.edit("a1", |row| row["ServiceName"] = json!("a third"));
    assert_eq!(totals(&sync.sweep().await)[1], 1);
    assert_eq!(link(&sync).await, PERSONS);
    assert_eq!(told(&sync).await, json!(["DELETED", "REINSTATED"]), "no link has changed");
}

#[tokio::test]
async fn a_link_of_the_accounts_own_goes_with_it_and_a_new_one_replaces_a_persons() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, TOMORROW));
    sync.sweep().await;
    enter(&sync, &format!("'{PERSONS}'")).await;
    sync.upstream.edit("a1", |row| row["ServiceName"] = json!("another"));
    sync.sweep().await;
    assert_eq!(link(&sync).await, PERSONS, "the account has no other link than before");
    sync.upstream.edit("a1", |row| row["TelehealthInfo"] = Value::Null);
    sync.sweep().await;
    assert_eq!((link(&sync).await, told(&sync).await), (json!(PERSONS), json!([])));
    sync.upstream.edit("a1", |row| row["TelehealthInfo"] = json!({"Url": "https://meet.example/new"}));
    sync.sweep().await;
    assert_eq!((link(&sync).await, told(&sync).await), (json!("https://meet.example/new"), json!(["LINK"])));
    sync.upstream.edit("a1", |row| row["TelehealthInfo"] = Value::Null);
    sync.sweep().await;
    assert_eq!((link(&sync).await, told(&sync).await), (Value::Null, json!(["LINK", "LINK"])), "nobody entered it");
    // Nor is one put back that a person took away.
    sync.upstream.edit("a1", |row| row["TelehealthInfo"] = json!({"Url": "https://meet.example/third"}));
    sync.sweep().await;
    enter(&sync, "NULL").await;
    sync.upstream.edit("a1", |row| row["ServiceName"] = json!("a third"));
    sync.sweep().await;
    assert_eq!(link(&sync).await, Value::Null);
}
