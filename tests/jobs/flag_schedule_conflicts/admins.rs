//! The list for the admins.

use serde_json::json;

use super::{AS_OF, MADE, flag, hours, made, told};
use crate::jobs::owed;
use crate::support::Clinic;
use crate::support::keys::Kind;

/// Facilities with a visit each that does not fit.
async fn facilities(kind: Kind, number: usize) -> (Clinic, Vec<i64>) {
    let clinic = Clinic::of(kind).await;
    let mut facilities = vec![];
    for _ in 0..number {
        let (facility, doctor) = clinic.new_york(15).await;
        hours(&clinic, doctor, 1, "10:00", "17:00").await;
        clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
        facilities.push(facility);
    }
    made(&clinic, MADE).await;
    (clinic, facilities)
}

/// Who was told of what: (user, facility, channel).
async fn lists(clinic: &Clinic) -> Vec<(i64, i64, String)> {
    let query = "SELECT n(recipient_id), n(entity_id), channel FROM notifications WHERE type = 'SCHEDULE_CONFLICTS'
                 ORDER BY 1, 2, 3";
    clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn each_facility_has_a_list_for_its_own_admins_and_else_for_those_of_the_group() {
    for kind in Kind::ALL {
        let (clinic, facilities) = facilities(kind, 2).await;
        let [first, second] = facilities[..] else { panic!("two") };
        let own = clinic.user(first, "HOSPITAL_ADMIN").await;
        let group = clinic.of_the_group().await;
        let gone = clinic.user(second, "HOSPITAL_ADMIN").await;
        clinic.user(second, "MANAGER").await;
        clinic.sql(&format!("UPDATE users SET active = false WHERE id = k({gone})")).await;
        let report = flag(&clinic, AS_OF).await.expect(0).report();
        assert_eq!(report["admin_notices"], 2);
        let expected = [(own, first, "IN_APP".to_owned()), (group, second, "IN_APP".to_owned())];
        assert_eq!(lists(&clinic).await, expected, "{kind:?}");
        let ids = "SELECT metadata -> 'warning' -> 'affectedAppointments' -> 0 ->> 'id' AS id FROM notifications
                   WHERE type = 'SCHEDULE_CONFLICTS' AND n(entity_id) = 2";
        assert_eq!(clinic.json(ids).await["id"], kind.text(2));
    }
}

#[tokio::test]
async fn where_nobody_can_be_told_the_facility_is_named() {
    let (clinic, facilities) = facilities(Kind::Bigint, 1).await;
    let before = owed::state(&clinic).await;
    let dry = clinic.run(&["flag-schedule-conflicts", "--as-of", AS_OF, "--dry-run"]).await.expect(3);
    assert_eq!(owed::state(&clinic).await, before);
    let outcome = flag(&clinic, AS_OF).await.expect(3);
    for outcome in [&dry, &outcome] {
        owed::balanced(outcome, "flagged");
        let error = json!([{"entity": "facility", "id": facilities[0].to_string(), "code": "UNDELIVERABLE"}]);
        assert_eq!((outcome.count("undeliverable"), &outcome.report()["errors"]), (1, &error));
    }
    assert_eq!(told(&clinic).await, [1], "its patient is told all the same");
    let message: String = clinic.row("SELECT message FROM cron_job_run_errors", &[]).await.get(0);
    assert!(message.contains("1 existing appointment affected") && message.contains("HOSPITAL_ADMIN"), "{message}");
    flag(&clinic, AS_OF).await.expect(0);
}

#[tokio::test]
async fn flags_of_which_no_list_was_made_are_in_the_next_one() {
    let (clinic, facilities) = facilities(Kind::Bigint, 2).await;
    for facility in &facilities {
        clinic.user(*facility, "HOSPITAL_ADMIN").await;
    }
    owed::fail_before(&clinic, "INSERT", "notifications", "NEW.entity = 'facility' AND NEW.entity_id = '1'").await;
    let outcome = flag(&clinic, AS_OF).await.expect(3);
    owed::balanced(&outcome, "flagged");
    let error = json!([{"entity": "facility", "id": "1", "code": "22000"}]);
    assert_eq!((outcome.count("flagged"), &outcome.report()["errors"]), (2, &error));
    assert!(!format!("{outcome:?}").contains("CANARY"));
    assert_eq!(lists(&clinic).await.len(), 1);
    clinic.sql("DROP TRIGGER tell ON notifications").await;
    let report = flag(&clinic, AS_OF).await.expect(0).report();
    assert_eq!([&report["flagged"], &report["admin_notices"]], [&json!(0), &json!(1)], "{report}");
    assert_eq!(lists(&clinic).await.iter().map(|list| list.1).collect::<Vec<_>>().len(), 2);
    assert_eq!(flag(&clinic, AS_OF).await.expect(0).count("admin_notices"), 0);
    assert_eq!(told(&clinic).await, [1, 2]);
}

#[tokio::test]
async fn a_run_of_a_facility_leaves_the_visits_and_flags_of_others_alone() {
    let (clinic, facilities) = facilities(Kind::Bigint, 2).await;
    for facility in &facilities {
        clinic.user(*facility, "HOSPITAL_ADMIN").await;
    }
    let run = async |facility: &str| {
        clinic.run(&["flag-schedule-conflicts", "--as-of", AS_OF, "--facility", facility]).await.expect(0)
    };
    run("2").await;
    assert_eq!(told(&clinic).await, [2]);
    clinic.sql("UPDATE appointments SET status = 'CANCELLED', cancelled_at = now() WHERE id = 2").await;
    assert_eq!(run("1").await.count("cleared"), 0);
    assert_eq!(run("2").await.count("cleared"), 1);
    assert_eq!(told(&clinic).await, [1, 2]);
    // A visit that is moved to another facility is no longer of this one.
    clinic.sql("UPDATE appointments SET facility_id = 2 WHERE id = 1").await;
    assert_eq!(run("1").await.count("cleared"), 1);
}
