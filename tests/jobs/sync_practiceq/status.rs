//! What a status of the account is here, and which of ours it may not overwrite.

use serde_json::{Value, json};

use super::words::{LATER, PAT, columns, totals};
use crate::support::practiceq::{Sync, appointment};

const MAP: [(&str, &str); 7] = [
    ("Confirmed", "CONFIRMED"),
    ("WaitingConfirmation", "SCHEDULED"),
    ("Canceled", "CANCELLED"),
    ("Declined", "CANCELLED"),
    ("Missed", "NO_SHOW"),
    ("Cancelled", "CANCELLED"),
    ("waiting confirmation", "SCHEDULED"),
];

fn with_status(visit: &str, status: &str) -> Value {
    let mut row = appointment(visit, &PAT, LATER);
    row["Status"] = json!(status);
    row
}

#[tokio::test]
async fn each_status_has_one_of_ours_from_the_first_and_from_every_other() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for (theirs, _) in MAP {
        for (before, _) in MAP {
            sync.upstream.put(with_status(&format!("{before}-{theirs}"), before));
        }
    }
    assert_eq!(totals(&sync.sweep().await)[0], 49);
    let expect = async |place: usize| {
        for visit in sync.visits().await {
            let id = visit["external_id"].as_str().expect("an id");
            let theirs = id.split('-').nth(place).expect("two");
            let ours = MAP.iter().find(|pair| pair.0 == theirs).expect("known").1;
            assert_eq!(columns(&visit, ["status", "synced_status"]), [ours, ours], "{id}");
            assert_eq!(visit["cancelled_at"].is_null(), ours != "CANCELLED", "{id}");
        }
    };
    expect(0).await;
    for (theirs, _) in MAP {
        for (before, _) in MAP {
            sync.upstream.edit(&format!("{before}-{theirs}"), |row| row["Status"] = json!(theirs));
        }
    }
    sync.sweep().await;
    expect(1).await;
}

#[tokio::test]
async fn a_status_that_nobody_knows_leaves_what_is_stored_and_is_said_with_its_word() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for (visit, status) in [("a1", "Canceled"), ("a2", "Confirmed"), ("a3", "Confirmed")] {
        sync.upstream.put(with_status(visit, status));
    }
    sync.sweep().await;
    for (visit, status) in [("a1", json!("Tentative")), ("a2", json!("Pat Doe")), ("a3", Value::Null)] {
        sync.upstream.edit(visit, |row| (row["Status"], row["ServiceName"]) = (status, json!("Another")));
    }
    sync.upstream.put(with_status("a4", "Tentative"));
    let before = sync.written().await;
    for _ in 0..2 {
        let outcome = sync.ends(3, &["--log-format", "json"]).await;
        assert_eq!((totals(&outcome), outcome.count("failed")), ([0, 0, 0, 4], 4), "{outcome:?}");
        assert_eq!(sync.written().await, before, "{outcome:?}");
        assert_eq!(outcome.report()["errors"][0]["code"], "UNKNOWN_STATUS", "{outcome:?}");
        assert!(!outcome.stderr.contains("Pat Doe"), "{outcome:?}");
        assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_visits WHERE missed_sweep IS NOT NULL").await, 0);
    }
    let said = "SELECT string_agg(DISTINCT entity_id, ' ') FROM cron_job_run_errors
                WHERE error_code = 'UNKNOWN_STATUS' AND message LIKE '%Tentative%'";
    assert_eq!(sync.one(said).await, "a1 a4");
    sync.upstream.edit("a1", |row| row["Status"] = json!("CANCELED"));
    sync.ends(3, &[]).await;
    assert_eq!(sync.stored_as("a1", ["status", "service_name"]).await, ["CANCELLED", "Another"]);
    assert_eq!(sync.clinic.count("SELECT count(*) FROM notifications").await, 0);
}

#[tokio::test]
async fn what_staff_did_with_a_visit_stays() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let arrived = "checked_in_at = '2026-03-10T17:55Z', vitals_recorded_at = '2026-03-10T17:58Z'";
    let cancelled =
        format!("cancelled_at = '2026-03-01T10:00Z', cancelled_by = {}, cancelled_reason = 'ill'", sync.admin);
    let ours = [("CHECKED_IN", arrived), ("IN_PROGRESS", arrived), ("COMPLETED", arrived), ("CANCELLED", &cancelled)];
    for (status, _) in ours {
        sync.upstream.put(appointment(status, &PAT, LATER));
    }
    sync.sweep().await;
    for (status, more) in ours {
        let update = format!("UPDATE appointments SET status = '{status}', {more} WHERE external_id = '{status}'");
        sync.clinic.sql(&update).await;
    }
    let kept = [
        "id",
        "status",
        "checked_in_at",
        "vitals_recorded_at",
        "cancelled_at",
        "cancelled_by",
        "cancelled_reason",
        "notes",
        "created_at",
    ];
    let before = sync.visits().await;
    for (number, theirs) in ["Missed", "WaitingConfirmation", "Confirmed"].into_iter().enumerate() {
        for (status, _) in ours {
            sync.upstream.edit(status, |row| {
                row["Status"] = json!(theirs);
                row["ServiceName"] = json!(format!("S{number}"));
            });
        }
        assert_eq!(totals(&sync.sweep().await)[..2], [0, 4], "{theirs}");
        for (before, after) in before.iter().zip(sync.visits().await) {
            assert_eq!(columns(before, kept), columns(&after, kept), "{theirs}");
            assert_eq!(after["service_name"], format!("S{number}"), "the account's own fields follow it");
        }
    }
}

#[tokio::test]
async fn a_cancellation_of_the_account_leaves_a_visit_that_has_begun_here() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for visit in ["a1", "a2"] {
        sync.upstream.put(appointment(visit, &PAT, LATER));
    }
    sync.sweep().await;
    sync.clinic
        .sql(
            "UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '2026-03-10T17:55Z'
             WHERE external_id = 'a1'",
        )
        .await;
    for visit in ["a1", "a2"] {
        sync.upstream.edit(visit, |row| row["Status"] = json!("Canceled"));
    }
    sync.sweep().await;
    assert_eq!(sync.stored_as("a1", ["status", "cancelled_at"]).await, [json!("CHECKED_IN"), Value::Null]);
    assert_eq!(sync.stored("a2").await["status"], "CANCELLED");
}

#[tokio::test]
async fn a_cancellation_that_is_taken_back_leaves_no_trace() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.sweep().await;
    for (theirs, ours) in
        [("Canceled", "CANCELLED"), ("Confirmed", "CONFIRMED"), ("Declined", "CANCELLED"), ("Missed", "NO_SHOW")]
    {
        sync.upstream.edit("a1", |row| row["Status"] = json!(theirs));
        sync.sweep().await;
        let stored = sync.stored("a1").await;
        assert_eq!(
            (&stored["status"], stored["cancelled_at"].is_null()),
            (&json!(ours), ours != "CANCELLED"),
            "{stored}"
        );
        assert_eq!(
            columns(&stored, ["cancelled_by", "cancelled_reason", "deleted_at"]),
            [Value::Null, Value::Null, Value::Null]
        );
    }
}

#[tokio::test]
async fn whatever_else_staff_made_of_it_stays_when_the_account_says_nothing_new_of_it() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let ours = ["SCHEDULED", "NO_SHOW"];
    for status in ours {
        sync.upstream.put(appointment(status, &PAT, LATER));
    }
    sync.sweep().await;
    for status in ours {
        let update = format!("UPDATE appointments SET status = '{status}', notes = 'N' WHERE external_id = '{status}'");
        sync.clinic.sql(&update).await;
        sync.upstream.edit(status, |row| row["ServiceName"] = json!("Another"));
    }
    assert_eq!(totals(&sync.sweep().await)[..2], [0, 2]);
    for status in ours {
        let stored = sync.stored_as(status, ["status", "notes", "service_name"]).await;
        assert_eq!(stored, [status, "N", "Another"]);
    }
}
