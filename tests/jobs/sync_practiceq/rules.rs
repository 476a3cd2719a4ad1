//! What a row of the account becomes here, which of its changes are written, and what of ours is left as it is.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, columns, millis, skipped, totals};
use crate::support::practiceq::{Sync, appointment};

/// Pat, with one visit that has been imported.
async fn imported() -> (Sync, i64) {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    assert_eq!(totals(&sync.sweep().await)[0], 1);
    (sync, pat)
}

#[tokio::test]
async fn a_visit_is_imported_with_everything_that_is_asked_of_it() {
    let (sync, pat) = imported().await;
    let expected = json!({
        "facility_id": sync.facility,
        "doctor_id": sync.doctor,
        "patient_id": pat,
        "source": "PRACTICEQ",
        "external_id": "a1",
        "appointment_date": "2026-03-10",
        "start_time": "12:00:00",
        "status": "CONFIRMED",
        "synced_status": "CONFIRMED",
        "cancelled_at": null,
        "notes": null,
        "starts_at": "2026-03-10T18:00:00+00:00",
        "ends_at": "2026-03-10T18:30:00+00:00",
        "meeting_url": "https://meet.example/join/a1",
        "service_name": "Canary follow-up",
        "location_name": "Canary Street",
        "practitioner": "prac-1",
        "client_id": "100",
        "modified_at": "2026-02-20T12:00:00+00:00",
        "missed_sweep": null,
        "deleted_at": null,
    });
    let stored = sync.stored("a1").await;
    for (column, value) in expected.as_object().expect("columns") {
        assert_eq!(&stored[column], value, "{column}: {stored}");
    }
    for column in ["content_hash", "read_at", "last_seen_sweep"] {
        assert!(!stored[column].is_null(), "{column}: {stored}");
    }
    let sweep = sync.one("SELECT id FROM sync_logs").await;
    assert_eq!(stored["last_seen_sweep"], sweep);
}

#[tokio::test]
async fn times_may_be_integers_floats_or_strings() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let forms =
        |millis: i64| [json!(millis), json!(millis as f64), json!(millis.to_string()), json!(format!("{millis}.0"))];
    let [starts, ends] = ["2026-03-10T18:00:00.123Z", "2026-03-10T18:45:00.456Z"].map(millis);
    for (number, (start, end)) in forms(starts).into_iter().zip(forms(ends)).enumerate() {
        let mut row = appointment(&format!("a{number}"), &PAT, LATER);
        (row["StartDate"], row["EndDate"]) = (start, end);
        row["LastModified"] = forms(millis("2026-02-21T01:02:03.004Z"))[number].clone();
        sync.upstream.put(row);
    }
    assert_eq!(totals(&sync.sweep().await), [4, 0, 0, 0]);
    for visit in sync.visits().await {
        let expected = [
            "2026-03-10T18:00:00.123+00:00",
            "2026-03-10T18:45:00.456+00:00",
            "2026-02-21T01:02:03.004+00:00",
            "12:00:00.123",
        ];
        assert_eq!(columns(&visit, ["starts_at", "ends_at", "modified_at", "start_time"]), expected, "{visit}");
    }
    // One way of writing it for another is no change.
    let before = sync.written().await;
    sync.upstream.edit("a0", |row| row["StartDate"] = json!(starts.to_string()));
    sync.upstream.edit("a2", |row| row["StartDate"] = json!(starts as f64));
    assert_eq!(totals(&sync.sweep().await)[..2], [0, 0]);
    assert_eq!(sync.written().await, before);
}

#[tokio::test]
async fn a_visit_has_the_facilitys_date_and_time_on_the_nights_of_both_clock_changes() {
    let nights = [
        ("2026-03-08T06:59:59Z", "2026-03-07", "23:59:59"),
        ("2026-03-08T07:00:00Z", "2026-03-08", "00:00:00"),
        ("2026-03-08T08:59:59Z", "2026-03-08", "01:59:59"),
        ("2026-03-08T09:00:00Z", "2026-03-08", "03:00:00"),
        ("2026-03-09T05:59:59Z", "2026-03-08", "23:59:59"),
        ("2026-03-09T06:00:00Z", "2026-03-09", "00:00:00"),
        ("2026-11-01T05:59:59Z", "2026-10-31", "23:59:59"),
        ("2026-11-01T06:00:00Z", "2026-11-01", "00:00:00"),
        ("2026-11-01T07:30:00Z", "2026-11-01", "01:30:00"),
        ("2026-11-01T08:30:00Z", "2026-11-01", "01:30:00"),
        ("2026-11-02T06:59:59Z", "2026-11-01", "23:59:59"),
        ("2026-11-02T07:00:00Z", "2026-11-02", "00:00:00"),
    ];
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for (number, (instant, ..)) in nights.into_iter().enumerate() {
        sync.upstream.put(appointment(&format!("a{number:02}"), &PAT, instant));
    }
    let args = ["--ahead-days", "300"];
    assert_eq!(totals(&sync.ends(0, &args).await)[0], 12);
    for (visit, (instant, date, time)) in sync.visits().await.iter().zip(nights) {
        assert_eq!(columns(visit, ["appointment_date", "start_time"]), [date, time], "{instant}");
    }
    assert_eq!(totals(&sync.ends(0, &args).await)[..2], [0, 0], "the same hour twice is no change");
    // An hour later by the clock of the world, and the same by the clock on the wall.
    sync.upstream.edit("a08", |row| {
        (row["StartDate"], row["EndDate"]) =
            (json!(millis("2026-11-01T08:30:00Z")), json!(millis("2026-11-01T09:00:00Z")));
    });
    assert_eq!(totals(&sync.ends(0, &args).await)[1], 1);
}

#[tokio::test]
async fn a_visit_is_at_the_doctors_facility_else_at_that_of_the_first_organization() {
    let sync = Sync::new().await;
    let clinic = &sync.clinic;
    let kathmandu = clinic.facility("Asia/Kathmandu", None).await;
    let doctor = clinic.doctor(kathmandu, Some(30)).await;
    let insert =
        "INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id) VALUES ($1, 'prac-2') RETURNING id";
    clinic.row(insert, &[&doctor]).await;
    let berlin = clinic.facility("Europe/Berlin", None).await;
    let (second, _) = sync.another_organization(berlin).await;
    let (third, _) = sync.another_organization(kathmandu).await;
    // Pat has left the first of three.
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    for organization in [third, second] {
        sync.affiliate(pat, organization, "active").await;
        sync.affiliate(ann, organization, "active").await;
    }
    sync.affiliate(pat, sync.organization, "inactive").await;
    for (visit, client, practitioner) in
        [("a1", PAT, "prac-1"), ("a2", PAT, "prac-2"), ("a3", PAT, "prac-9"), ("b3", ANN, "prac-9")]
    {
        let mut row = appointment(visit, &client, LATER);
        row["PractitionerId"] = json!(practitioner);
        row["PractitionerEmail"] = Value::Null;
        sync.upstream.put(row);
    }
    assert_eq!(totals(&sync.sweep().await)[0], 4);
    let names = ["facility_id", "doctor_id", "appointment_date", "start_time"];
    for (visit, expected) in [
        ("a1", json!([sync.facility, sync.doctor, "2026-03-10", "12:00:00"])),
        ("a2", json!([kathmandu, doctor, "2026-03-10", "23:45:00"])),
        ("a3", json!([berlin, null, "2026-03-10", "19:00:00"])),
        ("b3", json!([sync.facility, null, "2026-03-10", "12:00:00"])),
    ] {
        assert_eq!(json!(sync.stored_as(visit, names).await), expected, "{visit}");
    }
}

#[tokio::test]
async fn a_practitioner_is_found_by_id_else_by_address() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let second = sync.clinic.doctor(sync.facility, Some(30)).await;
    let insert = "INSERT INTO provider_intakeq_settings (doctor_id, practitioner_email)
                  VALUES ($1, 'Second@Clinic.example') RETURNING id";
    sync.clinic.row(insert, &[&second]).await;
    let cases = [
        (json!("prac-1"), json!("second@clinic.example"), json!(sync.doctor)),
        (json!("prac-9"), json!("SECOND@clinic.example"), json!(second)),
        (Value::Null, json!("second@clinic.EXAMPLE"), json!(second)),
        (json!("prac-9"), json!("doc@clinic.example"), json!(sync.doctor)),
        (json!("prac-9"), json!("third@clinic.example"), Value::Null),
        (Value::Null, Value::Null, Value::Null),
    ];
    for (number, (id, email, _)) in cases.iter().enumerate() {
        let mut row = appointment(&format!("a{number}"), &PAT, LATER);
        (row["PractitionerId"], row["PractitionerEmail"]) = (id.clone(), email.clone());
        sync.upstream.put(row);
    }
    sync.sweep().await;
    for (visit, (id, email, doctor)) in sync.visits().await.iter().zip(cases) {
        assert_eq!(visit["doctor_id"], doctor, "{id} {email}");
    }
}

#[tokio::test]
async fn an_unknown_practitioner_is_listed_and_leaves_the_doctor_as_he_is() {
    let (sync, pat) = imported().await;
    for visit in ["a2", "a3"] {
        let mut row = appointment(visit, &PAT, LATER);
        (row["PractitionerId"], row["PractitionerEmail"]) = (json!("prac-9"), Value::Null);
        sync.upstream.put(row);
    }
    sync.upstream.edit("a1", |row| {
        (row["PractitionerId"], row["PractitionerEmail"]) = (json!("prac-8"), Value::Null);
        row["ServiceName"] = json!("Another");
    });
    let outcome = sync.sweep().await;
    assert_eq!(
        (totals(&outcome)[..2].to_vec(), outcome.count("unknown_practitioners")),
        (vec![2, 1], 2),
        "{outcome:?}"
    );
    assert_eq!((outcome.count("failed"), outcome.count("patients_failed")), (0, 0), "{outcome:?}");
    let kept = sync.stored_as("a1", ["doctor_id", "service_name", "practitioner"]).await;
    assert_eq!(kept, [json!(sync.doctor), json!("Another"), json!("prac-8")]);
    assert_eq!(sync.stored_as("a2", ["doctor_id", "patient_id"]).await, [Value::Null, json!(pat)]);
    let last = "SELECT status, patients_failed AS f, unknown_practitioners AS n, metadata->'errors' AS e
                FROM v_recent_sync_activity JOIN sync_logs l USING (id, status, patients_failed, unknown_practitioners)
                ORDER BY id DESC LIMIT 1";
    let log = sync.clinic.json(last).await;
    let counts = [&log["status"], &log["n"], &log["f"]];
    assert_eq!(counts, [&json!("partial_success"), &json!(2), &json!(0)], "it is no failure of the patient: {log}");
    let listed = log["e"].as_array().expect("a list");
    assert!(!listed.is_empty() && listed.iter().all(|error| error["message"] == "Unknown practitioner"), "{log}");
    // As soon as somebody says who they are, they are.
    sync.clinic.sql(&format!(
        "INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id) VALUES ({0}, 'prac-8'), ({0}, 'prac-9')",
        sync.doctor
    )).await;
    let outcome = sync.sweep().await;
    assert_eq!(
        (totals(&outcome)[..2].to_vec(), outcome.count("unknown_practitioners")),
        (vec![0, 2], 0),
        "{outcome:?}"
    );
    assert_eq!(sync.stored("a2").await["doctor_id"], sync.doctor);
    let log = sync.clinic.json(last).await;
    assert_eq!((&log["status"], &log["n"]), (&json!("completed"), &json!(0)), "{log}");
}

#[tokio::test]
async fn the_guests_link_is_stored_and_the_hosts_never() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    // Nobody's, a group's, and one that cannot be stored: they are kept elsewhere.
    sync.upstream.put(appointment("b1", &ANN, LATER));
    let mut group = appointment("c1", &PAT, LATER);
    group["AdditionalClients"] = json!([{"ClientId": 5}]);
    sync.upstream.put(group);
    let mut bad = appointment("d1", &PAT, LATER);
    (bad["StartDate"], bad["StartDateIso"]) = (json!("soon"), Value::Null);
    sync.upstream.put(bad);
    for lane in [&[][..], &["--incremental"]] {
        sync.ends(3, lane).await;
    }
    assert_eq!(sync.stored("a1").await["meeting_url"], "https://meet.example/join/a1");
    for text in ["host-canary", "zak=canary", "StartUrl"] {
        assert_eq!(sync.tables_with(text).await, [""; 0], "{text}");
    }
    assert!(!sync.tables_with("meet.example/join").await.is_empty(), "the search finds what there is");
}

#[tokio::test]
async fn a_link_that_is_none_is_left_out() {
    let (sync, _) = imported().await;
    for (number, telehealth) in [
        Value::Null,
        json!({}),
        json!({"StartUrl": "https://meet.example/host-canary/x"}),
        json!({"JoinUrl": null}),
        json!({"JoinUrl": ""}),
        json!({"JoinUrl": "javascript:alert(1)"}),
        json!({"JoinUrl": "meet.example/join"}),
        json!({"JoinUrl": "ftp://meet.example/join"}),
        json!({"JoinUrl": "the host calls you"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut row = appointment(&format!("b{number}"), &PAT, LATER);
        row["TelehealthInfo"] = telehealth;
        sync.upstream.put(row);
    }
    let mut row = appointment("c1", &PAT, LATER);
    row.as_object_mut().expect("an object").remove("TelehealthInfo");
    sync.upstream.put(row);
    sync.upstream.edit("a1", |row| row["TelehealthInfo"] = Value::Null);
    assert_eq!(totals(&sync.sweep().await)[..2], [10, 1]);
    for visit in sync.visits().await {
        assert_eq!(visit["meeting_url"], Value::Null, "{visit}");
    }
    assert_eq!(sync.tables_with("host-canary").await, [""; 0]);
}

#[tokio::test]
async fn what_is_not_known_is_ignored_and_what_is_missing_is_tolerated() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(json!({
        "Id": "a1",
        "ClientId": PAT.id,
        "ClientName": PAT.name,
        "ClientEmail": PAT.email,
        "ClientDateOfBirth": PAT.date_of_birth,
        "Status": "Confirmed",
        "StartDate": millis(LATER),
    }));
    let mut row = appointment("a2", &PAT, LATER);
    for (field, value) in [
        ("Mood", json!("good")),
        ("Custom", json!({"deep": [{"er": null}, 1.5e300], "StartDate": 0})),
        ("startdate", json!("soon")),
        ("\u{1F600}", json!([])),
        ("LocationId", json!(17)),
        ("Price", json!("free")),
        ("Duration", json!("long")),
        ("DateCreated", json!({})),
    ] {
        row[field] = value;
    }
    sync.upstream.put(row);
    let mut row = appointment("a3", &PAT, LATER);
    for field in ["EndDate", "ServiceName", "LocationName", "PractitionerId", "PractitionerEmail", "LastModified"] {
        row[field] = Value::Null;
    }
    sync.upstream.put(row);
    assert_eq!(totals(&sync.sweep().await), [3, 0, 0, 0]);
    assert_eq!(sync.whose().await, json!({"a1": pat, "a2": pat, "a3": pat}));
    let before = sync.written().await;
    assert_eq!(totals(&sync.sweep().await)[..2], [0, 0]);
    assert_eq!(sync.written().await, before);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_error_of_its_own() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    for (number, (field, value)) in [
        ("StartDate", Value::Null),
        ("StartDate", json!("soon")),
        ("StartDate", json!(true)),
        ("StartDate", json!([1])),
        ("StartDate", json!(1e300)),
        ("StartDate", json!(i64::MAX)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut row = appointment(&format!("bad-{number}"), &PAT, LATER);
        row["StartDateIso"] = Value::Null;
        row[field] = value;
        sync.upstream.put(row);
    }
    for id in [Value::Null, json!(""), json!({"Zebedee": "Canaryman"})] {
        let mut row = appointment("x", &PAT, LATER);
        row["Id"] = id;
        sync.upstream.put(row);
    }
    sync.upstream.put(appointment("z1", &PAT, LATER));
    let outcome = sync.ends(3, &[]).await;
    let report = outcome.report();
    assert_eq!(totals(&outcome), [2, 0, 0, 9], "{report}");
    assert_eq!((outcome.count("failed"), outcome.count("patients_failed")), (9, 0), "{report}");
    let errors = report["errors"].as_array().expect("a list");
    assert!(!errors.is_empty() && errors.iter().all(|error| error["code"] == "ROW_UNREADABLE"), "{report}");
    assert_eq!(sync.whose().await, json!({"a1": pat, "z1": pat}), "the others go on");
    let log = sync.clinic.json("SELECT status, appointments_errors AS n, metadata->'errors' AS e FROM sync_logs").await;
    assert_eq!((&log["status"], &log["n"]), (&json!("partial_success"), &json!(9)), "{log}");
    let listed = log["e"].as_array().expect("a list");
    assert_eq!(listed.len(), 9, "{log}");
    assert!(listed.iter().all(|error| error["message"] == "Appointment could not be read"), "{log}");
}

#[tokio::test]
async fn a_text_that_the_database_cannot_hold_stops_nobody() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    for (number, field) in ["ServiceName", "LocationName", "ClientName", "PractitionerId", "Status"].iter().enumerate()
    {
        let mut row = appointment(&format!("b{number}"), &PAT, LATER);
        row[*field] = json!("a\u{0}b");
        sync.upstream.put(row);
    }
    // Nobody's, so that all of it is kept for a person.
    let mut row = appointment("n1", &ANN, LATER);
    (row["ClientName"], row["ServiceName"]) = (json!("Ann\u{0}Roe"), json!("\u{1F600}\u{feff}\u{202e}"));
    sync.upstream.put(row);
    sync.upstream.put(appointment("z1", &PAT, LATER));
    let outcome = sync.run(&[]).await;
    assert!([0, 3].contains(&outcome.code), "{outcome:?}");
    let whose = sync.whose().await;
    assert_eq!((&whose["a1"], &whose["z1"]), (&json!(pat), &json!(pat)), "{outcome:?}");
    assert!(whose.as_object().is_some_and(|whose| whose.values().all(|patient| *patient == pat)), "{whose}");
}

#[tokio::test]
async fn a_visit_that_ends_before_it_begins_is_an_error_once_a_run() {
    let (sync, _) = imported().await;
    sync.upstream.edit("a1", |row| row["EndDate"] = json!(millis("2026-03-10T17:59:59Z")));
    for _ in 0..2 {
        let outcome = sync.ends(3, &[]).await;
        let report = outcome.report();
        assert_eq!(report["errors"], json!([{"entity": "appointment", "id": "a1", "code": "ROW_UNREADABLE"}]));
        assert_eq!((totals(&outcome), outcome.count("failed")), ([0, 0, 0, 1], 1), "{report}");
    }
    assert_eq!(sync.stored("a1").await["ends_at"], "2026-03-10T18:30:00+00:00");
    let recorded = "SELECT count(*) FROM cron_job_run_errors";
    assert_eq!(sync.clinic.count(recorded).await, 1, "it fails in each run, and is recorded when its time has come");
}

#[tokio::test]
async fn what_has_not_changed_is_not_written() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for number in 0..30 {
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
    }
    assert_eq!(totals(&sync.sweep().await), [30, 0, 0, 0]);
    let before = sync.written().await;
    assert_eq!(totals(&sync.sweep().await), [0, 0, 30, 0], "each counts once, however often it was read");
    assert_eq!(totals(&sync.ends(0, &["--incremental"]).await)[..2], [0, 0]);
    // What is not asked of a visit may change as it likes.
    for (number, (field, value)) in [
        ("Price", json!(0)),
        ("Duration", json!(31)),
        ("ClientPhone", json!("(555) 010-0100")),
        ("PractitionerName", json!("Q. Canaryquill")),
        ("IntakeId", json!("i1")),
        ("DateCreated", json!(0)),
        ("BookedByClient", json!(true)),
        ("Mood", json!("good")),
        ("StartDateIso", json!("soon")),
    ]
    .into_iter()
    .enumerate()
    {
        sync.upstream.edit(&format!("a{number}"), |row| row[field] = value);
    }
    sync.upstream.edit("a20", |row| row["TelehealthInfo"]["StartUrl"] = json!("https://meet.example/host-canary/new"));
    assert_eq!(totals(&sync.sweep().await)[..2], [0, 0]);
    assert_eq!(sync.written().await, before);
    // What the client looks like is noted beside the visit, once.
    sync.upstream.edit("a21", |row| row["ClientName"] = json!("Patricia Doe"));
    assert_eq!(totals(&sync.sweep().await)[..2], [0, 0]);
    let (noted, before) = (sync.written().await, before);
    assert_eq!(noted[0], before[0], "no visit is written");
    assert_ne!(noted[1], before[1]);
    sync.sweep().await;
    assert_eq!(sync.written().await, noted);
}

#[tokio::test]
async fn each_change_that_matters_is_an_update() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let changes = [
        ("/Status", json!("WaitingConfirmation"), "status", json!("SCHEDULED")),
        ("/StartDate", json!(millis("2026-03-10T17:59:00Z")), "starts_at", json!("2026-03-10T17:59:00+00:00")),
        ("/EndDate", json!(millis("2026-03-10T19:00:00Z")), "ends_at", json!("2026-03-10T19:00:00+00:00")),
        ("/PractitionerId", json!("prac-9"), "practitioner", json!("prac-9")),
        ("/ServiceName", json!("Intake"), "service_name", json!("Intake")),
        ("/ServiceName", Value::Null, "service_name", Value::Null),
        ("/LocationName", json!("Elsewhere"), "location_name", json!("Elsewhere")),
        ("/TelehealthInfo/JoinUrl", json!("https://meet.example/x"), "meeting_url", json!("https://meet.example/x")),
    ];
    let visit = |number: usize| format!("a{number}");
    for number in 0..changes.len() {
        sync.upstream.put(appointment(&visit(number), &PAT, LATER));
    }
    sync.upstream.put(appointment("b1", &PAT, LATER));
    sync.sweep().await;
    let (before, visits) = (sync.written().await, sync.visits().await);
    for (number, (field, value, ..)) in changes.iter().enumerate() {
        sync.upstream.edit(&visit(number), |row| *row.pointer_mut(field).expect("a field") = value.clone());
    }
    let outcome = sync.sweep().await;
    assert_eq!(
        (totals(&outcome)[..2].to_vec(), totals(&outcome)[3]),
        (vec![0, changes.len() as u64], 0),
        "{outcome:?}"
    );
    let after = sync.written().await;
    for (number, (field, _, column, value)) in changes.iter().enumerate() {
        let (stored, before_it) = (sync.stored(&visit(number)).await, &visits[number]);
        assert_eq!(&stored[column], value, "{field}");
        assert_ne!(stored["content_hash"], before_it["content_hash"], "{field}");
        assert_eq!(
            columns(&stored, ["id", "created_at", "patient_id"]),
            columns(before_it, ["id", "created_at", "patient_id"])
        );
    }
    let other = sync.stored("b1").await["id"].to_string();
    assert_eq!(after[&other], before[&other], "nothing else was written");
}

#[tokio::test]
async fn an_older_page_does_not_overwrite_a_newer_one() {
    let (sync, _) = imported().await;
    let at = |modified: Value, service: &str| {
        let mut row = appointment("a1", &PAT, LATER);
        (row["LastModified"], row["ServiceName"]) = (modified, json!(service));
        row
    };
    let noon = millis("2026-02-28T12:00:00Z");
    for (modified, service, kept, updated) in [
        (json!(noon), "Second", "Second", 1),
        // A millisecond older.
        (json!(noon - 1), "Older", "Second", 0),
        // At the same instant: what was read later counts.
        (json!(noon as f64), "Third", "Third", 1),
        (json!(noon.to_string()), "Fourth", "Fourth", 1),
        (json!(noon + 1), "Fifth", "Fifth", 1),
        (json!(noon), "Fourth", "Fifth", 0),
    ] {
        sync.upstream.put(at(modified.clone(), service));
        let outcome = sync.sweep().await;
        assert_eq!(totals(&outcome)[1], updated, "{service}: {outcome:?}");
        assert_eq!(skipped(&outcome, "older"), 1 - updated, "{service}: {outcome:?}");
        assert_eq!(sync.stored("a1").await["service_name"], kept, "{service}");
    }
    // Older, and the same: that is no news.
    sync.upstream.put(at(json!(noon), "Fifth"));
    let before = sync.written().await;
    assert_eq!(totals(&sync.sweep().await)[1], 0);
    assert_eq!(sync.written().await, before);
}

#[tokio::test]
async fn of_rows_that_do_not_say_when_they_changed_the_one_read_last_counts() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for service in ["First", "Second", "Third"] {
        let mut row = appointment("a1", &PAT, LATER);
        row["ServiceName"] = json!(service);
        row.as_object_mut().expect("an object").remove("LastModified");
        sync.upstream.put(row);
        sync.sweep().await;
        assert_eq!(sync.stored("a1").await["service_name"], service);
    }
}

#[tokio::test]
async fn a_facility_whose_zone_was_wrong_gets_its_wall_clock_right() {
    let (sync, _) = imported().await;
    sync.clinic.sql(&format!("UPDATE facilities SET time_zone = 'Asia/Kathmandu' WHERE id = {}", sync.facility)).await;
    assert_eq!(totals(&sync.sweep().await), [0, 1, 0, 0]);
    let names = ["appointment_date", "start_time", "starts_at"];
    assert_eq!(sync.stored_as("a1", names).await, ["2026-03-10", "23:45:00", "2026-03-10T18:00:00+00:00"]);
}

#[tokio::test]
async fn the_clinics_own_visits_are_left_alone() {
    let (sync, _) = imported().await;
    let local = sync.clinic.scheduled(sync.facility, sync.doctor, "2026-03-10", "12:00").await;
    let before = sync.written().await[0][local.to_string()].clone();
    sync.upstream.edit("a1", |row| row["Status"] = json!("Canceled"));
    sync.sweep().await;
    sync.upstream.vanish("a1");
    for _ in 0..2 {
        sync.sweep().await;
    }
    assert_eq!(sync.written().await[0][local.to_string()], before);
}
