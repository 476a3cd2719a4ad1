//! A server that does not know a time zone which the program knows: its facilities are named, and the others go on.

use serde_json::json;

use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;

const NOON: &str = "2026-03-02T17:00:00Z";

/// Three facilities, each with a missed visit at nine and one that waits: of the second and the third the zone is one
/// that the server has never heard of, or that nobody has.
async fn clinic(kind: Kind) -> Clinic {
    let clinic = Clinic::of(kind).await;
    let table = if kind == Kind::TextViews { "app.facilities" } else { "facilities" };
    clinic.sql(&format!("ALTER TABLE {table} DROP CONSTRAINT facilities_time_zone_known")).await;
    clinic.forget_zone("US/Eastern").await;
    for zone in ["America/Denver", "US/Eastern", "Nowhere/At All", "America/Denver"] {
        let facility = clinic.facility(zone, None).await;
        let doctor = clinic.doctor(facility, Some(15)).await;
        clinic.user(facility, "NURSE").await;
        clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
        let cancelled = clinic.scheduled(facility, doctor, "2026-03-02", "15:00").await;
        let cancel = "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '2026-03-02Z' WHERE id";
        clinic.sql(&format!("{cancel} = k({cancelled})")).await;
        let (date, time, status, checked_in) = ("2026-03-02", "09:00", "CHECKED_IN", Some("2026-03-02T15:50Z"));
        clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
    }
    clinic
}

#[tokio::test]
async fn its_facilities_are_named_and_the_others_go_on() {
    for kind in Kind::ALL {
        for (job, done) in
            [("mark-no-shows", "marked"), ("stage-alerts", "raised"), ("notify-cancellations", "handled")]
        {
            let clinic = clinic(kind).await;
            let outcome = clinic.run(&[job, "--as-of", NOON]).await.expect(3);
            let errors = [2, 3]
                .map(|facility| json!({"entity": "facility", "id": kind.text(facility), "code": "UNKNOWN_TIME_ZONE"}));
            assert_eq!(outcome.report()["errors"], json!(errors), "{job} {kind:?}");
            assert_eq!((outcome.count(done), outcome.count("failed")), (2, 2), "{job} {kind:?}");
            let said = "SELECT count(*) FROM cron_job_run_errors WHERE message LIKE '%server does not know%'";
            assert_eq!(clinic.count(said).await, 2, "{job} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_visit_there_cannot_be_marked_by_hand_and_one_elsewhere_can() {
    let clinic = clinic(Kind::Bigint).await;
    let nurses = clinic.rows("SELECT id::text FROM users WHERE role = 'NURSE' ORDER BY id").await;
    let visits = clinic.rows("SELECT a.id::text FROM appointments a WHERE a.status = 'SCHEDULED' ORDER BY a.id").await;
    for (facility, code) in [(0, 0), (1, 1), (2, 1), (3, 0)] {
        let (visit, nurse): (String, String) = (visits[facility].get(0), nurses[facility].get(0));
        let args = ["no-show", "mark", &visit, "--reason", "PATIENT_CALLED", "--actor", &nurse, "--as-of", NOON];
        let outcome = clinic.run(&args).await;
        assert_eq!(outcome.code, code, "{facility}: {outcome:?}");
        let is_named = outcome.stdout.contains("UNKNOWN_TIME_ZONE");
        assert_eq!(is_named, code == 1, "{outcome:?}");
    }
}

/// The names that the program takes and this server refuses, if any, are treated in the same way; what both know is
/// judged. So every name is tried.
#[tokio::test]
async fn each_name_that_the_server_refuses_is_unreadable_and_no_other() {
    let clinic = Clinic::new().await;
    clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    clinic.forget_zone("US/Eastern").await;
    let mut refused = 0;
    for zone in chrono_tz::TZ_VARIANTS {
        let name = zone.name();
        let known = clinic.client.query_one("SELECT timestamp '2000-01-01' AT TIME ZONE $1::text", &[&name]).await;
        refused += u64::from(known.is_err());
        clinic.facility(name, None).await;
    }
    let outcome = clinic.run(&["mark-no-shows", "--as-of", NOON]).await.expect(3);
    assert!(refused >= 1, "one is forgotten");
    assert_eq!(outcome.count("failed"), refused, "{outcome:?}");
}
