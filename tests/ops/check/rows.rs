//! Rows that no job can judge.

use super::{Checked, drop_role, role};
use crate::support::Clinic;
use crate::support::keys::Kind;

#[tokio::test]
async fn rows_that_no_job_can_judge_are_counted_and_their_keys_are_named() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        let schema = if kind == Kind::TextViews { "app" } else { "rounds" };
        clinic
            .sql(&format!(
                "ALTER TABLE {schema}.facilities DROP CONSTRAINT facilities_time_zone_known;
                 ALTER TABLE {schema}.appointments DROP CONSTRAINT appointments_appointment_date_check;"
            ))
            .await;
        let facility = clinic.facility("America/Denver", None).await;
        clinic.facility("CANARY/Zone", None).await;
        let doctor = clinic.doctor(facility, Some(15)).await;
        for _ in 0..4 {
            clinic.doctor(facility, None).await;
        }
        let visit = clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
        clinic.sql(&format!("UPDATE appointments SET appointment_date = 'infinity' WHERE id = k({visit})")).await;
        if kind == Kind::TextViews {
            clinic.sql(&format!("UPDATE appointments SET start_time = 'CANARY' WHERE id = k({visit})")).await;
            clinic.sql("ALTER TYPE app.tickets_priority ADD VALUE 'CANARY'").await;
        } else {
            clinic.sql("ALTER TABLE tickets DROP CONSTRAINT tickets_priority_check").await;
        }
        clinic.sql("INSERT INTO tickets (number, title, priority) VALUES ('1', 't', 'CANARY')").await;
        let checked = Checked::of(&clinic, &["--as-of", "2026-03-02T14:30:00Z"]).await;
        assert_eq!(checked.code, 0, "they are warnings: {:#?}", checked.faults());
        let marks = Some("mark-no-shows");
        let key = |n: i64| kind.text(n);
        let zone = format!("facilities.time_zone of 1 row ({})", key(2));
        checked.fault(marks, "rows", "warning", &[&zone]);
        let doctors = format!("slot_duration_minutes of 4 rows ({}, {}, {}, ...)", key(2), key(3), key(4));
        checked.fault(marks, "rows", "warning", &[&doctors]);
        checked.fault(Some("stage-alerts"), "rows", "warning", &[&doctors]);
        checked.fault(marks, "rows", "warning", &["appointments.appointment_date of 1 row", "beyond the calendar"]);
        checked.fault(Some("monitor-ticket-sla"), "rows", "warning", &["tickets.priority of 1 row", "no rule knows"]);
        if kind == Kind::TextViews {
            checked.fault(marks, "rows", "warning", &["appointments.start_time of 1 row", "no time such as"]);
        }
        assert!(!checked.report.to_string().contains("CANARY"), "{:#}", checked.report);
    }
}

/// What one job may not read hides no rows from another, and is never said to be well.
#[tokio::test]
async fn what_cannot_be_looked_at_is_told_with_the_servers_code() {
    let clinic = Clinic::new().await;
    let (role, program) = role(&clinic).await;
    let facility = clinic.facility("America/Denver", None).await;
    clinic.doctor(facility, None).await;
    clinic.sql("ALTER TABLE appointments DROP CONSTRAINT appointments_appointment_date_check").await;
    let booked = clinic.doctor(facility, Some(15)).await;
    let visit = clinic.scheduled(facility, booked, "2026-03-02", "09:00").await;
    clinic
        .sql(&format!(
            "UPDATE appointments SET appointment_date = 'infinity';
             GRANT USAGE ON SCHEMA rounds TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA rounds TO {role};
             REVOKE ALL ON appointments, facilities FROM {role};
             GRANT SELECT (id, appointment_date) ON appointments TO {role}"
        ))
        .await;
    let checked = Checked::by(&program, &["mark-no-shows", "--read-only"]).await;
    let marks = Some("mark-no-shows");
    let day = format!("appointments.appointment_date of 1 row ({visit})");
    checked.fault(marks, "rows", "warning", &[&day]);
    let refused = "the rows of appointments (source, status) were not looked at (SQLSTATE 42501)";
    checked.fault(marks, "rows", "warning", &[refused]);
    checked.fault(marks, "rows", "warning", &["facilities (time_zone) were not looked at (SQLSTATE 42501)"]);
    checked.fault(marks, "rows", "warning", &["slot_duration_minutes of 1 row"]);
    assert!(!checked.findings().any(|one| one["topic"] == "rows" && one["level"] == "ok"), "{:#}", checked.report);
    drop_role(&clinic, &role).await;
}

#[tokio::test]
async fn a_table_that_takes_too_long_is_said_to_be_not_looked_at() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO facilities (name, time_zone) VALUES ('F', 'UTC');
             CREATE FUNCTION slowly(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN
                 PERFORM pg_catalog.pg_sleep(5); RETURN $1;
             END $$;
             ALTER TABLE sla_policies RENAME TO policies;
             INSERT INTO policies (priority, resolution_minutes) VALUES ('LOW', 60);
             CREATE VIEW sla_policies AS SELECT p.* FROM policies p WHERE rounds.slowly(p.id) > 0",
        )
        .await;
    let checked = Checked::of(&clinic, &["monitor-ticket-sla", "--read-only"]).await;
    checked.fault(Some("monitor-ticket-sla"), "rows", "warning", &["sla_policies", "not looked at", "more than 3 s"]);
}

#[tokio::test]
async fn a_zone_that_only_the_server_does_not_know_is_counted() {
    let clinic = Clinic::new().await;
    clinic.facility("America/Denver", None).await;
    clinic.facility("US/Eastern", None).await;
    clinic.forget_zone("US/Eastern").await;
    let checked = Checked::of(&clinic, &["--as-of", "2026-03-02T14:30:00Z"]).await;
    checked.fault(Some("mark-no-shows"), "rows", "warning", &["facilities.time_zone of 1 row (2)"]);
}
