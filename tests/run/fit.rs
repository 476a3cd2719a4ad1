//! Tables of the clinic that do not fit a job: it ends before the claim, and says what is wrong where.

use crate::support::Clinic;
use crate::support::keys::Kind;

/// Puts a table out of the way, and a view with these columns in its place.
async fn view(clinic: &Clinic, table: &str, columns: &str) {
    let replace =
        format!("ALTER TABLE {table} RENAME TO app_{table}; CREATE VIEW {table} AS SELECT {columns} FROM app_{table}");
    clinic.sql(&replace).await;
}

const VISIT: &str = "facility_id, doctor_id, patient_id, source, appointment_date, start_time, updated_at";

#[tokio::test]
async fn a_column_that_does_not_fit_is_named_before_the_claim() {
    let cases: [(Kind, &str, String, &[&str]); 7] = [
        (
            Kind::Bigint,
            "appointments",
            format!("id, {VISIT}"),
            &["appointments.status is not there", "text or an enum"],
        ),
        (
            Kind::Bigint,
            "appointments",
            format!("point(id, 1) AS id, status, {VISIT}"),
            &["appointments.id is point", "a key (integer, uuid or text)"],
        ),
        (
            Kind::Bigint,
            "appointments",
            "id, status, facility_id, doctor_id, patient_id, source, appointment_date::text, start_time, updated_at"
                .into(),
            &["appointments.appointment_date is text, needed is date"],
        ),
        (
            Kind::Bigint,
            "appointments",
            "id, status, facility_id, doctor_id::text, patient_id, source, appointment_date, start_time, updated_at"
                .into(),
            &["appointments.doctor_id is text and doctors.id is bigint"],
        ),
        (
            Kind::Bigint,
            "appointments",
            format!("id, status, {VISIT}").replace("updated_at", "updated_at::text"),
            &["appointments.updated_at is text, needed is timestamptz"],
        ),
        (
            Kind::Uuid,
            "patients",
            "id::text, phone, sms_opt_out".into(),
            &["appointments.patient_id is uuid and patients.id is text"],
        ),
        (
            Kind::TextViews,
            "doctors",
            "id, last_name, slot_duration_minutes::text AS slot_duration_minutes".into(),
            &["doctors.slot_duration_minutes is text, needed is a number"],
        ),
    ];
    for (kind, table, columns, words) in cases {
        let clinic = Clinic::of(kind).await;
        if kind == Kind::TextViews {
            clinic.sql(&format!("DROP VIEW {table}; CREATE VIEW {table} AS SELECT {columns} FROM app.{table}")).await;
        } else {
            view(&clinic, table, &columns).await;
        }
        let outcome = clinic.run(&["mark-no-shows"]).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "TABLES_DO_NOT_FIT", "{outcome:?}");
        let message = outcome.report()["error_message"].as_str().expect("a text").to_owned();
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_enum_that_lacks_a_label_is_named() {
    let clinic = Clinic::of(Kind::TextViews).await;
    clinic
        .sql(
            "CREATE TYPE app.few AS ENUM ('SCHEDULED', 'CONFIRMED');
             DROP VIEW appointments;
             CREATE VIEW appointments AS SELECT id, facility_id, doctor_id, patient_id, source, appointment_date, start_time,
                 status::text::app.few AS status, updated_at FROM app.appointments",
        )
        .await;
    let outcome = clinic.run(&["mark-no-shows"]).await.expect(2);
    let message = outcome.report()["error_message"].as_str().expect("a text").to_owned();
    assert!(message.contains("appointments.status is app.few, which lacks NO_SHOW"), "{message}");
}

#[tokio::test]
async fn a_row_without_a_key_stops_nobody() {
    let clinic = Clinic::with_visits(3).await;
    clinic
        .sql(
            "ALTER TABLE facilities RENAME TO app_facilities;
             CREATE VIEW facilities AS SELECT id, time_zone, no_show_after_minutes, waiting_alert_minutes FROM app_facilities
                                       UNION ALL SELECT NULL, NULL, NULL, NULL;
             ALTER TABLE surgical_cases ALTER id DROP IDENTITY, DROP CONSTRAINT surgical_cases_pkey, ALTER id DROP NOT NULL;
             ALTER TABLE px_cases ALTER id DROP IDENTITY, DROP CONSTRAINT px_cases_pkey, ALTER id DROP NOT NULL;
             INSERT INTO surgical_cases (facility_id, patient_id, case_status) VALUES (1, 1, 10);
             INSERT INTO px_cases (facility_id, due_at) VALUES (1, '2026-01-01')",
        )
        .await;
    assert_eq!(clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0).count("marked"), 3);
    for job in [&["stage-alerts"][..], &["escalate-sla"], &["advance-billing", "--stage", "pending-payment"]] {
        assert_eq!(clinic.run(job).await.expect(0).count("scanned"), 0, "{job:?}");
    }
}

#[tokio::test]
async fn columns_that_refer_to_a_key_which_the_job_does_not_need_fit_each_other() {
    let clinic = Clinic::new().await;
    view(&clinic, "users", "id, role, active, email, facility_id::text AS facility_id").await;
    let outcome = clinic.run(&["monitor-ticket-sla"]).await.expect(2);
    let message = outcome.report()["error_message"].as_str().expect("a text").to_owned();
    assert!(message.contains("users.facility_id is text and tickets.facility_id is bigint"), "{message}");
}

#[tokio::test]
async fn only_what_the_job_needs_has_to_be_there() {
    let clinic = Clinic::with_visits(3).await;
    clinic
        .sql(
            "DROP TABLE px_cases, ticket_followers, ticket_comments, tickets, surgical_cases, organization_users, users CASCADE;
             ALTER TABLE facilities DROP waiting_alert_minutes, DROP country;
             ALTER TABLE patients DROP email, DROP date_of_birth, DROP mrn",
        )
        .await;
    assert_eq!(clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0).count("marked"), 3);
    let outcome = clinic.run(&["escalate-sla"]).await.expect(2);
    let message = outcome.report()["error_message"].as_str().expect("a text").to_owned();
    assert!(message.contains("rounds.px_cases: there is no such table or view"), "{message}");
}
