//! Who is told of which change, and of which nobody is.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, millis};
use crate::jobs::messages::read_as_staged;
use crate::support::practiceq::{Client, Sync, appointment};

/// This afternoon.
const TODAY: &str = "2026-03-02T20:00:00Z";
const KINDS: [&str; 5] = ["TIME", "PRACTITIONER", "LINK", "CANCELLED", "DELETED"];

/// Pat, with one visit at that instant which has been imported.
async fn imported(instant: &str) -> Sync {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let second = sync.clinic.doctor(sync.facility, Some(30)).await;
    let insert =
        "INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id) VALUES ($1, 'prac-2') RETURNING id";
    sync.clinic.row(insert, &[&second]).await;
    sync.upstream.put(appointment("a1", &PAT, instant));
    sync.sweep().await;
    sync
}

impl Sync {
    /// Changes a visit in the account, in the way of this kind.
    fn change(&self, visit: &str, kind: &str) {
        match kind {
            "TIME" => self.upstream.edit(visit, |row| {
                let start = row["StartDate"].as_i64().expect("a number");
                (row["StartDate"], row["EndDate"]) = (json!(start + 60_000), json!(start + 1_860_000));
            }),
            "PRACTITIONER" => self.upstream.edit(visit, |row| row["PractitionerId"] = json!("prac-2")),
            "LINK" => self.upstream.edit(visit, |row| {
                row["TelehealthInfo"]["JoinUrl"] =
                    json!(format!("{}x", row["TelehealthInfo"]["JoinUrl"].as_str().expect("a link")));
            }),
            "CANCELLED" => self.upstream.edit(visit, |row| row["Status"] = json!("Canceled")),
            _ => self.upstream.delete(visit),
        }
    }

    fn moves(&self, visit: &str, to: &str) {
        self.upstream.edit(visit, |row| {
            (row["StartDate"], row["EndDate"]) = (json!(millis(to)), json!(millis(to) + 1_800_000));
        });
    }

    /// Of which visit who was told what, in this order.
    async fn told(&self) -> Vec<(String, i64, String)> {
        let query = "SELECT a.external_id, n(n.recipient_id), n.metadata->>'kind'
                     FROM notifications n JOIN appointments a ON a.id::text = n.metadata->>'appointment_id'
                     WHERE n.type = 'APPOINTMENT_CHANGED' AND n.recipient_kind = 'USER' ORDER BY 1, 2, 3, n.id";
        self.clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    /// What was told, whomever.
    async fn kinds(&self) -> Vec<String> {
        self.told().await.into_iter().map(|(_, _, kind)| kind).collect()
    }
}

#[tokio::test]
async fn each_kind_of_change_to_todays_visit_is_told_once() {
    for kind in KINDS {
        let sync = imported(TODAY).await;
        assert_eq!(sync.kinds().await, [""; 0], "{kind}: the first import is no change");
        sync.change("a1", kind);
        let run = sync.sweep().await.report()["run_id"].clone();
        assert_eq!(sync.told().await, [("a1".into(), sync.case_manager, kind.into())], "{kind}");
        let notice = sync.clinic.json("SELECT * FROM notifications").await;
        let visit = sync.stored("a1").await;
        for (column, value) in [
            ("recipient_kind", json!("USER")),
            ("channel", json!("IN_APP")),
            ("priority", json!("HIGH")),
            ("status", json!("SENT")),
            ("run_id", run),
        ] {
            assert_eq!(notice[column], value, "{kind}: {notice}");
        }
        let metadata = notice["metadata"].as_object().expect("an object");
        let keys: Vec<_> = metadata.keys().map(String::as_str).collect();
        assert_eq!(keys, ["kind", "starts_at", "appointment_id"], "{kind}: {notice}");
        assert_eq!((&metadata["appointment_id"], &metadata["kind"]), (&json!(visit["id"].to_string()), &json!(kind)));
        // Whom it is about stands in the text that staff read, and nowhere else.
        let text = ["title", "metadata", "dedupe_key", "entity_id"].map(|column| notice[column].to_string()).concat();
        assert!(!text.contains("Pat") && !text.contains("Doe"), "{kind}: {text}");
        assert!(!notice.to_string().contains(PAT.email), "{kind}: {notice}");
        for lane in [&[][..], &["--incremental"], &["--appointment", "a1"]] {
            sync.ends(0, lane).await;
            assert_eq!(sync.kinds().await, [kind], "{kind} {lane:?}: once");
        }
    }
}

#[tokio::test]
async fn the_words_are_plain() {
    let mut words = vec![];
    for kind in KINDS {
        let sync = imported(TODAY).await;
        sync.change("a1", kind);
        sync.sweep().await;
        let query = "SELECT concat_ws(' | ', channel, status, type, priority, title, body, metadata, entity, entity_id,
                                      expires_at) FROM notifications";
        words.push(sync.clinic.row(query, &[]).await.get::<_, String>(0));
    }
    insta::assert_snapshot!("appointment_changed", words.join("\n"));
}

#[tokio::test]
async fn an_email_of_a_change_does_not_name_the_patient() {
    for (in_app, channels) in [(true, vec!["EMAIL", "IN_APP"]), (false, vec!["EMAIL", "IN_APP"])] {
        let sync = imported(TODAY).await;
        sync.clinic
            .sql(&format!(
                "UPDATE users SET email = 'c@x.example' WHERE id = {id};
                 INSERT INTO notification_preferences VALUES ({id}, {in_app}, true)",
                id = sync.case_manager
            ))
            .await;
        sync.change("a1", "TIME");
        sync.sweep().await;
        let query = "SELECT channel, body FROM notifications ORDER BY channel";
        let told: Vec<(String, String)> =
            sync.clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1))).collect();
        let times = "the visit of Monday 2026-03-02, 13:00 is now on Monday 2026-03-02, 13:01.";
        assert_eq!(told[0].1, format!("A patient: {times}"));
        assert_eq!(read_as_staged(&sync.clinic).await, 1);
        assert_eq!(told[1].1, format!("Pat Doe: {times}"));
        assert_eq!(told.into_iter().map(|(channel, _)| channel).collect::<Vec<_>>(), channels, "it is HIGH");
    }
}

#[tokio::test]
async fn other_changes_are_nobodys_business() {
    let sync = imported(TODAY).await;
    for (field, value) in [
        ("ServiceName", json!("Another")),
        ("LocationName", json!("Elsewhere")),
        ("LocationId", json!(7)),
        ("EndDate", json!(millis("2026-03-02T20:45:00Z"))),
        ("Status", json!("WaitingConfirmation")),
        ("Status", json!("Confirmed")),
        ("Price", json!(0)),
    ] {
        sync.upstream.edit("a1", |row| row[field] = value.clone());
        sync.sweep().await;
        assert_eq!(sync.kinds().await, [""; 0], "{field} {value}");
    }
}

#[tokio::test]
async fn a_derived_change_is_told_to_nobody() {
    let sync = imported(TODAY).await;
    let third = sync.clinic.doctor(sync.facility, Some(30)).await;
    for change in [
        format!("UPDATE provider_intakeq_settings SET doctor_id = {third} WHERE practitioner_id = 'prac-1'"),
        format!("UPDATE facilities SET time_zone = 'America/New_York' WHERE id = {}", sync.facility),
        "UPDATE facilities SET time_zone = 'America/Denver'".into(),
    ] {
        sync.clinic.sql(&change).await;
        assert_eq!(sync.sweep().await.report()["total_appointments"]["updated"], 1, "{change}");
        assert_eq!(sync.kinds().await, [""; 0], "{change}");
    }
    // Nor is that the sync learns who an unknown one is.
    let mut unknown = appointment("a2", &PAT, TODAY);
    (unknown["PractitionerId"], unknown["PractitionerEmail"]) = (json!("prac-7"), Value::Null);
    sync.upstream.put(unknown);
    sync.sweep().await;
    let insert =
        format!("INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id) VALUES ({third}, 'prac-7')");
    sync.clinic.sql(&insert).await;
    sync.sweep().await;
    assert_eq!(sync.stored("a2").await["doctor_id"], third);
    assert_eq!(sync.kinds().await, [""; 0]);
}

#[tokio::test]
async fn only_what_lies_in_the_rest_of_today_or_in_tomorrow_of_the_facility_is_told() {
    // The zone, now, the last instant of tomorrow there, and the first after it; both clock changes are among them.
    for (zone, now, last, after) in [
        ("America/Denver", "2026-03-02T15:00:00Z", "2026-03-04T06:59:59Z", "2026-03-04T07:00:00Z"),
        ("America/Denver", "2026-03-02T06:59:59Z", "2026-03-03T06:59:59Z", "2026-03-03T07:00:00Z"),
        ("America/Denver", "2026-03-02T07:00:00Z", "2026-03-04T06:59:59Z", "2026-03-04T07:00:00Z"),
        ("Asia/Kathmandu", "2026-03-02T15:00:00Z", "2026-03-03T18:14:59Z", "2026-03-03T18:15:00Z"),
        ("Asia/Kathmandu", "2026-03-02T18:15:00Z", "2026-03-04T18:14:59Z", "2026-03-04T18:15:00Z"),
        ("America/Denver", "2026-03-07T15:00:00Z", "2026-03-09T05:59:59Z", "2026-03-09T06:00:00Z"),
        ("America/Denver", "2026-03-08T15:00:00Z", "2026-03-10T05:59:59Z", "2026-03-10T06:00:00Z"),
        ("America/Denver", "2026-10-31T15:00:00Z", "2026-11-02T06:59:59Z", "2026-11-02T07:00:00Z"),
        ("America/Denver", "2026-11-01T15:00:00Z", "2026-11-03T06:59:59Z", "2026-11-03T07:00:00Z"),
    ] {
        let sync = Sync::new().await;
        sync.patient_of(&PAT).await;
        sync.clinic.sql(&format!("UPDATE facilities SET time_zone = '{zone}'")).await;
        let now_millis = millis(now);
        for (visit, instant) in [
            ("a-past", now_millis - 1000),
            ("b-soon", now_millis + 1000),
            ("c-last", millis(last)),
            ("d-after", millis(after)),
        ] {
            let mut row = appointment(visit, &PAT, now);
            (row["StartDate"], row["EndDate"]) = (json!(instant), json!(instant + 1_800_000));
            sync.upstream.put(row);
        }
        sync.ends(0, &["--as-of", now]).await;
        for visit in ["a-past", "b-soon", "c-last", "d-after"] {
            sync.change(visit, "LINK");
        }
        sync.ends(0, &["--as-of", now]).await;
        let told: Vec<_> = sync.told().await.into_iter().map(|(visit, ..)| visit).collect();
        assert_eq!(told, ["b-soon", "c-last"], "{zone} {now}");
    }
}

#[tokio::test]
async fn a_visit_that_comes_to_these_days_or_leaves_them_is_told() {
    const WEEK: &str = "2026-03-09T20:00:00Z";
    const TOMORROW: &str = "2026-03-03T20:00:00Z";
    const YESTERDAY: &str = "2026-03-01T20:00:00Z";
    const THIS_MORNING: &str = "2026-03-02T14:00:00Z";
    for (from, to, told) in [
        (TODAY, TOMORROW, true),
        (TOMORROW, WEEK, true),
        (WEEK, TOMORROW, true),
        (TODAY, YESTERDAY, true),
        (YESTERDAY, TODAY, true),
        (THIS_MORNING, TODAY, true),
        (LATER, WEEK, false),
        (THIS_MORNING, WEEK, false),
        (WEEK, YESTERDAY, false),
        (YESTERDAY, THIS_MORNING, false),
    ] {
        let sync = imported(from).await;
        sync.moves("a1", to);
        sync.sweep().await;
        assert_eq!(sync.kinds().await, vec!["TIME"; usize::from(told)], "{from} {to}");
        if told {
            let starts_at = sync.one("SELECT (metadata->>'starts_at')::timestamptz FROM notifications").await;
            assert_eq!(starts_at, to.replace('Z', "+00:00"), "{from} {to}");
        }
    }
}

#[tokio::test]
async fn each_change_is_told_though_one_like_it_was_before() {
    let sync = imported(TODAY).await;
    let other = "2026-03-02T21:00:00Z";
    for (number, to) in [other, TODAY, other, TODAY].into_iter().enumerate() {
        sync.moves("a1", to);
        sync.ends(0, &["--incremental"]).await;
        assert_eq!(sync.kinds().await.len(), number + 1, "{to}");
    }
    for (number, status) in ["Canceled", "Confirmed", "Declined", "Canceled"].into_iter().enumerate() {
        sync.upstream.edit("a1", |row| row["Status"] = json!(status));
        sync.ends(0, &["--incremental"]).await;
        let cancelled = sync.kinds().await.iter().filter(|kind| *kind == "CANCELLED").count();
        assert_eq!(cancelled, [1, 1, 2, 2][number], "{status}");
    }
}

#[tokio::test]
async fn several_changes_at_once_are_told_each() {
    let sync = imported(TODAY).await;
    sync.change("a1", "TIME");
    sync.change("a1", "PRACTITIONER");
    sync.change("a1", "LINK");
    sync.sweep().await;
    assert_eq!(sync.kinds().await, ["LINK", "PRACTITIONER", "TIME"]);
}

#[tokio::test]
async fn the_case_managers_of_the_patients_organizations_are_told_and_nobody_else() {
    let sync = imported(TODAY).await;
    let pat = sync.one("SELECT id FROM patients").await.as_i64().expect("an id");
    let ann = sync.patient_of(&Client { ..ANN }).await;
    let (second, manager) = sync.another_organization(sync.facility).await;
    let (third, former) = sync.another_organization(sync.facility).await;
    let (fourth, _) = sync.another_organization(sync.facility).await;
    sync.affiliate(pat, second, "active").await;
    sync.affiliate(pat, third, "inactive").await;
    sync.affiliate(ann, fourth, "active").await;
    sync.affiliate(ann, third, "active").await;
    // In two organizations, told once; inactive, or of none, not at all.
    let gone = sync.clinic.user(sync.facility, "CASE_MANAGER").await;
    sync.clinic.user(sync.facility, "CASE_MANAGER").await;
    sync.clinic
        .sql(&format!(
            "UPDATE users SET active = false WHERE id = {gone};
         INSERT INTO organization_users (organization_id, user_id) VALUES
             ({second}, {}), ({second}, {gone}), ({}, {gone}), ({fourth}, {former})",
            sync.case_manager, sync.organization
        ))
        .await;
    sync.change("a1", "TIME");
    sync.sweep().await;
    let kind = || "TIME".to_owned();
    let expected = [("a1".to_owned(), sync.case_manager, kind()), ("a1".to_owned(), manager, kind())];
    assert_eq!(sync.told().await, expected);
    assert_eq!(sync.clinic.count("SELECT count(*) FROM notifications").await, 2, "no patient, no doctor, no admin");
}

#[tokio::test]
async fn what_was_missed_is_told_when_it_is_sure() {
    let sync = imported(TODAY).await;
    sync.upstream.vanish("a1");
    sync.sweep().await;
    assert_eq!(sync.kinds().await, [""; 0], "absence is not proof");
    sync.sweep().await;
    assert_eq!(sync.kinds().await, ["DELETED"]);
    sync.upstream.restore("a1");
    sync.sweep().await;
    assert_eq!(sync.stored("a1").await["deleted_at"], Value::Null);
    let again = sync.kinds().await.into_iter().filter(|kind| KINDS.contains(&kind.as_str()));
    assert_eq!(again.collect::<Vec<_>>(), ["DELETED"]);
}

#[tokio::test]
async fn a_cancellation_of_what_has_begun_here_is_none() {
    let sync = imported(TODAY).await;
    sync.clinic.sql("UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '2026-03-02T14:55Z'").await;
    sync.change("a1", "CANCELLED");
    sync.sweep().await;
    assert_eq!((sync.stored("a1").await["status"].clone(), sync.kinds().await.len()), (json!("CHECKED_IN"), 0));
}

#[tokio::test]
async fn a_dry_run_tells_nobody() {
    let sync = imported(TODAY).await;
    sync.change("a1", "CANCELLED");
    sync.ends(0, &["--dry-run"]).await;
    assert_eq!(sync.kinds().await, [""; 0]);
    sync.sweep().await;
    assert_eq!(sync.kinds().await, ["CANCELLED"]);
}

#[tokio::test]
async fn a_change_that_is_not_made_is_not_told() {
    let sync = imported(TODAY).await;
    let mut older = sync.upstream.row("a1");
    (older["StartDate"], older["LastModified"]) = (json!(millis(TODAY) + 60_000), json!(1_771_588_700_000_i64));
    sync.upstream.put(older);
    sync.sweep().await;
    assert_eq!(sync.kinds().await, [""; 0], "an older page");
    sync.change("a1", "LINK");
    sync.clinic.sql("BEGIN; SELECT FROM appointments FOR NO KEY UPDATE").await;
    sync.sweep().await;
    sync.clinic.sql("COMMIT").await;
    assert_eq!(sync.kinds().await, [""; 0], "held by somebody");
    sync.sweep().await;
    assert_eq!(sync.kinds().await, ["LINK", "TIME"]);
}
