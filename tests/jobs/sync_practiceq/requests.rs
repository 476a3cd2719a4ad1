//! What the account is asked for, and how often.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, millis, totals};
use crate::support::practiceq::{Client, Fault, KEY, Sync, appointment};

const WINDOW: &str = "endDate=2026-05-31&page=1&startDate=2025-12-02";

impl Sync {
    /// The lists that a run asks for that succeeds: the first page of each.
    async fn asks(&self, args: &[&str]) -> Vec<String> {
        self.upstream.clear_requests();
        self.ends(0, args).await;
        for request in self.upstream.requests() {
            assert_eq!(request.header("x-auth-key"), Some(KEY), "{request:?}");
        }
        self.asked_for().into_iter().filter(|asked| !asked.contains("page=") || asked.contains("page=1")).collect()
    }

    /// Patients of no visit, with an address each.
    async fn crowd(&self, patients: i64) {
        let insert = format!(
            "WITH crowd AS (
                 INSERT INTO patients (mrn, first_name, last_name, email)
                 SELECT 'C' || n, 'First' || n, 'Last' || n, 'c' || n || '@home.example'
                 FROM generate_series(1, {patients}) n
                 RETURNING id)
             INSERT INTO patient_organization_affiliations (patient_id, organization_id) SELECT id, {} FROM crowd",
            self.organization
        );
        self.clinic.sql(&insert).await;
    }
}

/// A visit that was modified at this instant.
fn modified(visit: &str, client: &Client<'_>, instant: &str) -> Value {
    let mut row = appointment(visit, client, LATER);
    row["LastModified"] = json!(millis(instant));
    row
}

#[tokio::test]
async fn a_sweep_asks_for_the_window_then_for_what_changed_then_for_what_was_deleted() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let (window, deleted) = (format!("appointments?{WINDOW}"), "appointments?deletedOnly=true&page=1");
    assert_eq!(sync.asks(&[]).await, [&window, deleted], "where nothing was read yet nothing can have changed since");
    sync.upstream.put(modified("a1", &PAT, "2026-02-27T18:00:00Z"));
    sync.asks(&[]).await;
    let changed = "appointments?page=1&updatedSince=2026-02-26";
    assert_eq!(sync.asks(&[]).await, [&window, changed, deleted]);
    // The highest of all counts, and it goes nowhere but up.
    sync.upstream.put(modified("a2", &PAT, "2026-03-01T18:00:00Z"));
    sync.upstream.put(modified("a3", &PAT, "2026-02-20T18:00:00Z"));
    sync.asks(&[]).await;
    sync.upstream.vanish("a2");
    let changed = "appointments?page=1&updatedSince=2026-02-28";
    assert_eq!(sync.asks(&[]).await, [&window, changed, deleted]);
    let watermark = "SELECT watermark FROM practiceq_state";
    assert_eq!(sync.one(watermark).await, "2026-03-01T18:00:00+00:00");
}

#[tokio::test]
async fn an_incremental_run_asks_for_what_changed_and_for_what_was_deleted() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let deleted = "appointments?deletedOnly=true&page=1";
    sync.upstream.put(modified("a1", &PAT, "2026-02-27T18:00:00Z"));
    let lane = ["--incremental"];
    assert_eq!(sync.asks(&lane).await, ["appointments?page=1&updatedSince=2025-12-02", deleted], "a window's worth");
    assert_eq!(sync.asks(&lane).await, ["appointments?page=1&updatedSince=2026-02-26", deleted]);
    sync.upstream.edit("a1", |_| {});
    for since in ["2026-02-26", "2026-02-28"] {
        assert_eq!(sync.asks(&lane).await, [&format!("appointments?page=1&updatedSince={since}"), deleted]);
    }
}

#[tokio::test]
async fn the_window_is_in_days_of_denver_on_the_nights_of_both_clock_changes_too() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for (now, from, to) in [
        ("2026-03-08T06:59:59Z", "2026-03-05", "2026-03-11"),
        ("2026-03-08T07:00:00Z", "2026-03-06", "2026-03-12"),
        ("2026-03-09T05:59:59Z", "2026-03-06", "2026-03-12"),
        ("2026-03-09T06:00:00Z", "2026-03-07", "2026-03-13"),
        ("2026-11-01T05:59:59Z", "2026-10-29", "2026-11-04"),
        ("2026-11-01T06:00:00Z", "2026-10-30", "2026-11-05"),
        ("2026-11-02T06:59:59Z", "2026-10-30", "2026-11-05"),
        ("2026-11-02T07:00:00Z", "2026-10-31", "2026-11-06"),
    ] {
        let asked = sync.asks(&["--as-of", now, "--back-days", "2", "--ahead-days", "4"]).await;
        assert_eq!(asked[0], format!("appointments?endDate={to}&page=1&startDate={from}"), "{now}");
        let asked = sync.asks(&["--as-of", now, "--back-days", "2", "--ahead-days", "4", "--incremental"]).await;
        assert_eq!(asked[0], format!("appointments?page=1&updatedSince={from}"), "{now}");
    }
    let asked = sync.asks(&["--back-days", "0", "--ahead-days", "0"]).await;
    assert_eq!(asked[0], "appointments?endDate=2026-03-02&page=1&startDate=2026-03-02");
    let asked = sync.asks(&["--back-days", "3650", "--ahead-days", "3650"]).await;
    assert_eq!(asked[0], "appointments?endDate=2036-02-28&page=1&startDate=2016-03-04");
}

#[tokio::test]
async fn what_changed_is_asked_for_from_the_day_before_on_clock_change_days_too() {
    for (watermark, since) in [
        ("2026-03-08T18:00:00Z", "2026-03-07"),
        ("2026-03-09T18:00:00Z", "2026-03-08"),
        ("2026-11-01T18:00:00Z", "2026-10-31"),
        ("2026-11-02T18:00:00Z", "2026-11-01"),
        ("2026-03-01T18:00:00Z", "2026-02-28"),
    ] {
        let sync = Sync::new().await;
        sync.patient_of(&PAT).await;
        sync.upstream.put(modified("a1", &PAT, watermark));
        let args = ["--incremental", "--as-of", "2026-11-03T15:00:00Z", "--back-days", "300"];
        sync.asks(&args).await;
        assert_eq!(sync.asks(&args).await[0], format!("appointments?page=1&updatedSince={since}"), "{watermark}");
    }
}

#[tokio::test]
async fn a_page_is_the_last_when_it_is_empty_or_shorter_than_another() {
    for (rows, pages) in [(0, 1), (1, 2), (99, 2), (100, 2), (101, 2), (200, 3)] {
        let sync = Sync::new().await;
        sync.patient_of(&PAT).await;
        for number in 0..rows {
            sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
        }
        let outcome = sync.sweep().await;
        assert_eq!(totals(&outcome)[0], rows, "{rows}");
        // And one for what was deleted.
        assert_eq!((outcome.count("pages"), outcome.count("requests")), (pages + 1, pages + 1), "{rows}");
        let asked = sync.upstream.requests().len() as u64;
        assert_eq!(
            (asked, sync.clinic.count("SELECT count(*) FROM api_requests").await as u64),
            (pages + 1, pages + 1)
        );
    }
}

#[tokio::test]
async fn two_hundred_patients_cost_a_few_requests_and_not_two_hundred() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.crowd(199).await;
    for number in 0..450 {
        let (name, email) =
            (format!("First{0} Last{0}", number % 199 + 1), format!("c{}@home.example", number % 199 + 1));
        let client = Client { id: 1000 + number % 199, name: &name, email: &email, date_of_birth: "1980-01-01" };
        sync.upstream.put(modified(&format!("a{number}"), &client, "2026-02-10T12:00:00Z"));
    }
    sync.upstream.put(modified("b1", &PAT, "2026-03-01T18:00:00Z"));
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("total_patients"), totals(&outcome)[0]), (200, 451), "{outcome:?}");
    assert_eq!(sync.upstream.requests().len(), 6);
    assert_eq!(sync.asks(&["--incremental"]).await.len(), 2);
    assert_eq!((sync.asks(&[]).await.len(), sync.upstream.requests().len()), (3, 7));
    // More patients than the account has pages are found in its window.
    let organization = sync.organization.to_string();
    let asked = sync.asks(&["--organization", &organization]).await;
    assert!(asked.len() <= 6 && asked[0] == format!("appointments?{WINDOW}"), "{asked:?}");
}

#[tokio::test]
async fn a_patient_is_asked_for_by_address_else_by_name() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    let nobody = sync.patient("Zoë", "O'Hara & Co", None, None).await;
    sync.clinic.sql(&format!("INSERT INTO practiceq_clients VALUES ('300', {nobody}, NULL, now(), NULL)")).await;
    // The account may call the client 300 something else.
    for (patient, client, code) in [(pat, PAT.email, 0), (nobody, "Zoë O'Hara & Co", 3)] {
        sync.upstream.clear_requests();
        sync.ends(code, &["--patient", &patient.to_string()]).await;
        assert_eq!(sync.asked_for(), [format!("appointments?client={client}&{WINDOW}")]);
    }
    // What is known of the client finds his visits, whatever the account calls him.
    let odd = Client { id: 300, name: "Zoë O'Hara & Co", email: "zoe@home.example", date_of_birth: "" };
    sync.upstream.put(appointment("a1", &odd, LATER));
    sync.asks(&["--patient", &nobody.to_string()]).await;
    assert_eq!(sync.whose().await, json!({"a1": nobody}));
}

#[tokio::test]
async fn an_address_that_was_typed_carelessly_finds_its_visits() {
    let sync = Sync::new().await;
    let pat = sync.patient("Pat", "Doe", Some("  PAT@Home.example "), Some(PAT.date_of_birth)).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.asks(&["--patient", &pat.to_string()]).await;
    assert_eq!(sync.whose().await, json!({"a1": pat}));
}

#[tokio::test]
async fn a_small_organization_is_asked_for_by_its_patients_and_a_large_one_by_the_window() {
    let sync = Sync::new().await;
    sync.crowd(10).await;
    let organization = sync.organization.to_string();
    let lane = ["--organization", &*organization];
    let mut asked = sync.asks(&lane).await;
    asked.sort();
    let mut expected: Vec<_> = (1..=10).map(|n| format!("appointments?client=c{n}@home.example&{WINDOW}")).collect();
    expected.sort();
    assert_eq!(asked, expected);
    sync.patient_of(&PAT).await;
    assert_eq!(sync.asks(&lane).await, [format!("appointments?{WINDOW}")]);
    // Where a sweep costs more pages than it has patients, it asks for the patients.
    sync.clinic.sql("UPDATE practiceq_state SET sweep = 1, sweep_pages = 11").await;
    assert_eq!(sync.asks(&lane).await.len(), 11);
}

#[tokio::test]
async fn a_visit_is_asked_for_by_its_id() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("A-1_b", &PAT, "2031-01-01T18:00:00Z"));
    sync.upstream.put(appointment("b1", &ANN, LATER));
    assert_eq!(sync.asks(&["--appointment", "A-1_b"]).await, ["appointments/A-1_b"]);
    assert_eq!(sync.whose().await, json!({"A-1_b": pat}), "whatever its day");
    let outcome = sync.ends(0, &["--appointment", "b1"]).await;
    assert_eq!((outcome.count("unmatched"), sync.open().await), (1, json!({"b1": "NOBODY"})), "{outcome:?}");
    let watermark = "SELECT count(*) FROM practiceq_state WHERE watermark IS NOT NULL";
    assert_eq!(sync.clinic.count(watermark).await, 0, "of what else there is it has seen nothing");
}

#[tokio::test]
async fn only_what_was_read_completely_moves_the_watermark() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    let watermark = async || sync.one("SELECT watermark FROM practiceq_state").await;
    for number in 0..150 {
        sync.upstream.put(modified(&format!("a{number}"), &PAT, "2026-02-27T18:00:00Z"));
    }
    for lane in [["--patient", &pat], ["--organization", "1"], ["--appointment", "a1"]] {
        sync.ends(0, &lane).await;
        assert_eq!(watermark().await, Value::Null, "{lane:?}");
    }
    sync.ends(0, &["--dry-run"]).await;
    sync.upstream.fault(&[Fault::None, Fault::Status(400)]);
    sync.ends(3, &["--incremental"]).await;
    assert_eq!(watermark().await, Value::Null);
    sync.ends(0, &["--incremental"]).await;
    assert_eq!(watermark().await, "2026-02-27T18:00:00+00:00", "the rest of it was read");
}

#[tokio::test]
async fn each_request_is_on_record_with_who_waits_for_it() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    sync.upstream.put(appointment("a1", &PAT, LATER));
    for (lane, manual) in [
        (vec![], false),
        (vec!["--incremental"], false),
        (vec!["--patient", &pat], true),
        (vec!["--appointment", "a1"], true),
    ] {
        sync.clinic.sql("TRUNCATE api_requests").await;
        sync.upstream.clear_requests();
        let report = sync.ends(0, &lane).await.report();
        let rows = "SELECT count(*) AS n, count(DISTINCT run_id::text || manual || account) AS kinds,
                           min(run_id::text) AS run_id, bool_and(manual) AS manual, min(account) AS account,
                           bool_and(requested_at BETWEEN clock_timestamp() - interval '1 minute'
                                                     AND clock_timestamp()) AS lately
                    FROM api_requests";
        let expected = json!({
            "n": sync.upstream.requests().len(),
            "kinds": 1,
            "run_id": report["run_id"],
            "manual": manual,
            "account": "practiceq",
            "lately": true,
        });
        assert_eq!(sync.clinic.json(rows).await, expected, "{lane:?}");
        assert_eq!(report["requests"], expected["n"], "{lane:?}");
    }
}
