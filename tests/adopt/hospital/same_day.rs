//! The same day on the reference tables and on the application's: the same decisions.

use serde_json::{Value, json};

use super::Hospital;
use crate::adopt::support::errors;
use crate::support::Clinic;

/// A world on the reference tables. `pick` draws a number below `below`, the same in each run.
const WORLD: &str = "
    CREATE FUNCTION pick(g bigint, what text, below int) RETURNS int LANGUAGE sql IMMUTABLE AS
        $$ SELECT ('x' || substr(md5(g || what), 1, 6))::bit(24)::int % below $$;
    INSERT INTO facilities (name, time_zone, no_show_after_minutes, waiting_alert_minutes)
    VALUES ('H', 'America/New_York', NULL, NULL), ('H', 'Asia/Dubai', 20, 30);
    INSERT INTO users (facility_id, name, role, active)
    SELECT f, 'Ada Stone', role, active
    FROM (VALUES (1, 'DOCTOR', true), (2, 'DOCTOR', true), (1, 'DOCTOR', true), (2, 'DOCTOR', true), (1, 'NURSE', true),
                 (2, 'NURSE', true), (1, 'RECEPTIONIST', true), (2, 'RECEPTIONIST', true), (1, 'HOSPITAL_ADMIN', true),
                 (1, 'NURSE', false), (2, 'BILLING', true)) AS u (f, role, active);
    INSERT INTO doctors (facility_id, user_id, first_name, last_name, slot_duration_minutes)
    SELECT facility_id, id, 'Ada', 'Stone', (ARRAY[15, 30, NULL, 20])[id] FROM users WHERE id <= 4 ORDER BY id;
    INSERT INTO patients (mrn, first_name, last_name, date_of_birth, phone, sms_opt_out)
    SELECT 'M' || g, 'Pat', 'Doe', '1980-01-01', CASE WHEN g % 10 > 0 THEN '+1555' || g END, g % 2 = 0
    FROM generate_series(1, 40) g ORDER BY g;
    INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status, checked_in_at,
                              vitals_recorded_at, cancelled_at)
    SELECT f.id, d.id, 1 + pick(g, 'patient', 40), v.day, v.time, v.status, came.at,
           CASE WHEN pick(g, 'vitals', 2) = 0 THEN came.at + interval '10 minutes' END,
           CASE WHEN v.status = 'CANCELLED' THEN timestamptz '2026-03-01' END
    FROM (SELECT g, 1 + pick(g, 'doctor', 4) AS doctor,
                 date '2026-03-02' + (ARRAY[0, 0, 0, 0, 1, -1, -2, -7, -8])[1 + pick(g, 'day', 9)] AS day,
                 time '00:00' + pick(g, 'time', 94) * interval '15 minutes' AS time,
                 (ARRAY['SCHEDULED', 'SCHEDULED', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_IN', 'IN_PROGRESS', 'COMPLETED',
                        'CANCELLED', 'NO_SHOW'])[1 + pick(g, 'status', 9)] AS status
          FROM generate_series(1, 900) g) v
    JOIN doctors d ON d.id = v.doctor JOIN facilities f ON f.id = d.facility_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN v.status IN ('CHECKED_IN', 'IN_PROGRESS', 'COMPLETED')
                    THEN (v.day + v.time) AT TIME ZONE f.time_zone + pick(g, 'arrival', 60) * interval '1 minute'
                         - interval '30 minutes' END AS at
    ) came
    ORDER BY g;
    INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, is_blocked, appointment_id)
    SELECT doctor_id, appointment_date, start_time, start_time + interval '35 minutes', true,
           pick(id, 'blocked', 3) = 0, id
    FROM appointments WHERE pick(id, 'slot', 4) > 0 ORDER BY id
    ON CONFLICT (doctor_id, slot_date, start_time) DO NOTHING;
    INSERT INTO doctor_absences (doctor_id, type, first_day, last_day, start_time, end_time, status)
    VALUES (1, 'TRAINING', '2026-03-02', '2026-03-02', '08:10', '09:30', 'ACTIVE'),
           (1, 'ANNUAL_LEAVE', '2026-02-28', '2026-03-01', NULL, NULL, 'ACTIVE'),
           (2, 'SICK_LEAVE', '2026-03-02', '2026-03-02', '17:05', '18:30', 'ACTIVE'),
           (4, 'EMERGENCY', '2026-03-02', '2026-03-02', NULL, NULL, 'CANCELLED'),
           (4, 'OTHER', '2026-03-02', '2026-03-02', '20:20', '23:00', 'ACTIVE');";

/// What the reference tables have, and how the application's have it: times without the leading zero, days with an hour
/// in them, no phone as blanks, no slot length as 0.
const COPIES: [(&str, &str); 7] = [
    (
        "SELECT id, time_zone, no_show_after_minutes, waiting_alert_minutes FROM facilities",
        "INSERT INTO hospital_settings (hospital_id, time_zone, no_show_after_minutes, waiting_alert_minutes, sms)
         SELECT k(id), time_zone, no_show_after_minutes, waiting_alert_minutes, id = 1
         FROM jsonb_to_recordset($1::text::jsonb) AS r (id bigint, time_zone text, no_show_after_minutes int,
                                                        waiting_alert_minutes int)",
    ),
    (
        "SELECT id, facility_id, role, active FROM users",
        "INSERT INTO public.users (id, \"hospitalId\", email, password, \"firstName\", \"lastName\", role, \"isActive\",
                                   \"updatedAt\")
         SELECT k(id), k(facility_id), 'u' || id, 'x', 'Ada', 'Stone',
                (CASE role WHEN 'BILLING' THEN 'ACCOUNTANT' ELSE role END)::public.\"UserRole\", active, now()
         FROM jsonb_to_recordset($1::text::jsonb) AS r (id bigint, facility_id bigint, role text, active boolean)",
    ),
    (
        "SELECT id, facility_id, user_id, slot_duration_minutes FROM doctors",
        "INSERT INTO public.doctors (id, \"userId\", \"departmentId\", specialization, qualification, \"licenseNumber\",
                                     \"consultationFee\", \"availableDays\", \"slotDuration\", \"updatedAt\")
         SELECT k(id), k(user_id), k(facility_id), 's', 'q', 'l', 100, '{}', COALESCE(slot_duration_minutes, 0), now()
         FROM jsonb_to_recordset($1::text::jsonb) AS r (id bigint, facility_id bigint, user_id bigint,
                                                        slot_duration_minutes int)",
    ),
    (
        "SELECT id, mrn, first_name, last_name, date_of_birth, phone FROM patients",
        "INSERT INTO public.patients (id, \"hospitalId\", mrn, \"firstName\", \"lastName\", \"dateOfBirth\", gender,
                                      phone, address, city, state, \"zipCode\", \"updatedAt\")
         SELECT k(id), k(2 - id % 2), mrn, first_name, last_name, date_of_birth, 'OTHER',
                COALESCE(phone, repeat(' ', id::int)), 'a', 'c', 's', 'z', now()
         FROM jsonb_to_recordset($1::text::jsonb) AS r (id bigint, mrn text, first_name text, last_name text,
                                                        date_of_birth date, phone text)",
    ),
    (
        "SELECT * FROM appointments",
        "INSERT INTO public.appointments (id, \"hospitalId\", \"patientId\", \"doctorId\", \"appointmentDate\",
                                          \"startTime\", \"endTime\", type, status, \"checkedInAt\",
                                          \"vitalsRecordedAt\", \"updatedAt\")
         SELECT k(id), k(facility_id), k(patient_id), k(doctor_id),
                appointment_date + (ARRAY['00:00', '09:30', '23:59:59.999'])[1 + id % 3]::interval,
                CASE WHEN id % 2 = 0 THEN to_char(start_time, 'HH24:MI') ELSE to_char(start_time, 'FMHH24:MI') END,
                '', 'CONSULTATION', status::public.\"AppointmentStatus\", checked_in_at AT TIME ZONE 'UTC',
                vitals_recorded_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
         FROM jsonb_to_recordset($1::text::jsonb) AS r (
             id bigint, facility_id bigint, patient_id bigint, doctor_id bigint, appointment_date date, start_time time,
             status text, checked_in_at timestamptz, vitals_recorded_at timestamptz, updated_at timestamptz)",
    ),
    (
        "SELECT s.*, d.facility_id FROM doctor_slots s JOIN doctors d ON d.id = s.doctor_id",
        "INSERT INTO public.doctor_slots (id, \"doctorId\", \"hospitalId\", \"slotDate\", \"startTime\", \"endTime\",
                                          \"isAvailable\", \"isBlocked\", \"appointmentId\", \"updatedAt\")
         SELECT k(id), k(doctor_id), k(facility_id), slot_date, to_char(start_time, 'FMHH24:MI'),
                to_char(end_time, 'FMHH24:MI'), NOT is_booked, is_blocked, k(appointment_id), now()
         FROM jsonb_to_recordset($1::text::jsonb) AS r (
             id bigint, doctor_id bigint, facility_id bigint, slot_date date, start_time time, end_time time,
             is_booked boolean, is_blocked boolean, appointment_id bigint)",
    ),
    (
        "SELECT x.*, d.facility_id FROM doctor_absences x JOIN doctors d ON d.id = x.doctor_id",
        "INSERT INTO public.doctor_absences (id, \"doctorId\", \"hospitalId\", \"startDate\", \"endDate\",
                                             \"absenceType\", \"isFullDay\", \"startTime\", \"endTime\", status,
                                             \"createdBy\", \"updatedAt\")
         SELECT k(id), k(doctor_id), k(facility_id), first_day, last_day, type::public.\"AbsenceType\",
                start_time IS NULL, COALESCE(to_char(start_time, 'FMHH24:MI'), '00:00'),
                COALESCE(to_char(end_time, 'FMHH24:MI'), '00:00'), status::public.\"AbsenceStatus\", 'k1', now()
         FROM jsonb_to_recordset($1::text::jsonb) AS r (
             id bigint, doctor_id bigint, facility_id bigint, type text, first_day date, last_day date, start_time time,
             end_time time, status text)",
    ),
];

/// What was decided and is to be seen of it, one query for both.
const DECISIONS: [&str; 6] = [
    "SELECT n(a.id) AS id, a.status::text FROM appointments a ORDER BY 1",
    "SELECT n(s.id) AS id, s.is_booked, s.is_blocked, n(s.appointment_id) AS visit FROM doctor_slots s ORDER BY 1",
    "SELECT n(l.appointment_id) AS visit, l.reason, l.slot_time, l.timeout_minutes, l.triggered_at, l.slot_released
     FROM no_show_logs l ORDER BY 1, 5",
    "SELECT n(x.appointment_id) AS visit, x.alert_type, x.status, x.message, x.triggered_at, x.resolved_at
     FROM stage_alerts x ORDER BY 1, 2",
    "SELECT m.recipient_kind, n(m.recipient_id) AS recipient, m.channel, m.type, m.title, m.body, m.status,
            n(m.entity_id) AS visit, m.expires_at, m.created_at
     FROM notifications m ORDER BY 1, 2, 3, 4, 8, m.body",
    "SELECT DISTINCT e.entity, n(e.entity_id) AS id, e.error_code FROM cron_job_run_errors e ORDER BY 1, 2, 3",
];

/// A database with the world, and the same world in the application's.
async fn two_worlds() -> (Clinic, Hospital) {
    let reference = Clinic::new().await;
    reference.sql(WORLD).await;
    let hospital = Hospital { clinic: super::HOSPITAL.clinic().await };
    hospital.hospital(1).await;
    hospital.hospital(2).await;
    for (query, insert) in COPIES {
        let rows = reference.row(&format!("SELECT jsonb_agg(to_jsonb(q))::text FROM ({query}) q"), &[]).await;
        let rows: String = rows.get(0);
        hospital.clinic.client.execute(insert, &[&rows]).await.unwrap_or_else(|error| panic!("{insert}: {error:?}"));
    }
    (reference, hospital)
}

async fn decisions(clinic: &Clinic, query: &str) -> Value {
    clinic.json(&format!("SELECT jsonb_agg(to_jsonb(d)) AS rows FROM ({query}) d")).await["rows"].take()
}

#[tokio::test]
async fn the_same_day_is_decided_the_same() {
    let (reference, hospital) = two_worlds().await;
    let instants = [
        "2026-03-02T09:59:59.999Z",
        "2026-03-02T10:00:00Z",
        "2026-03-02T13:20:00Z",
        "2026-03-02T14:59:59.999Z",
        "2026-03-02T15:00:00Z",
        "2026-03-02T16:35:00Z",
        "2026-03-02T17:50:00.001Z",
        "2026-03-02T20:05:00Z",
        "2026-03-03T05:00:00Z",
    ];
    for (index, instant) in instants.iter().enumerate() {
        let basis = if index % 2 == 0 { "slot-end" } else { "arrival" };
        let alerts = ["stage-alerts", "--as-of", instant, "--basis", basis, "--waiting-minutes", "45"];
        for job in [&["mark-no-shows", "--as-of", instant][..], &alerts] {
            let mut reports = vec![];
            for clinic in [&reference, &hospital.clinic] {
                let outcome = clinic.run(job).await;
                let mut report = outcome.report();
                report["exit"] = outcome.code.into();
                for key in ["run_id", "duration_ms", "errors"] {
                    report.as_object_mut().expect("a report").remove(key);
                }
                reports.push(report);
            }
            assert_eq!(reports[0], reports[1], "{job:?}");
        }
        for query in DECISIONS {
            assert_eq!(
                decisions(&reference, query).await,
                decisions(&hospital.clinic, query).await,
                "{instant}: {query}"
            );
        }
    }
    // The day had something of everything.
    for (what, least) in [
        ("no_show_logs", 100),
        ("no_show_logs WHERE slot_released", 5),
        ("doctor_slots WHERE is_blocked AND NOT is_booked", 1),
        ("stage_alerts WHERE alert_type = 'NO_VITALS'", 10),
        ("stage_alerts WHERE alert_type = 'NO_DOCTOR'", 10),
        ("stage_alerts WHERE alert_type = 'WAITING_TOO_LONG'", 10),
        ("notifications WHERE status = 'SUPPRESSED'", 1),
        ("notifications WHERE status = 'PENDING'", 1),
    ] {
        let found = hospital.clinic.count(&format!("SELECT count(*) FROM {what}")).await;
        assert!(found >= least, "{what}: {found}");
    }
}

#[tokio::test]
async fn a_text_that_is_no_time_is_a_failed_item_and_stops_nobody() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 8, "SCHEDULED").await;
    for (visit, time) in [(1, "nine"), (2, "25:00"), (3, ""), (4, "9:5"), (5, "09:00"), (6, "9:00:00")] {
        let update = "UPDATE public.appointments SET \"startTime\" =";
        hospital.sql(&format!("{update} '{time}' WHERE id = k({visit})")).await;
    }
    // An hour in the day does not make it another day; 8 is not awaited before the next.
    let day = "UPDATE public.appointments SET \"appointmentDate\" =";
    hospital.sql(&format!("{day} '2026-03-02 23:59:59.999' WHERE id = k(7); {day} '2026-03-03' WHERE id = k(8)")).await;
    let outcome = hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(3);
    let unreadable = |visit| format!("appointment k0000000{visit} UNREADABLE_TIME");
    assert_eq!(errors(&outcome), [1, 2, 3, 4].map(unreadable));
    let marked = "SELECT jsonb_agg(n(id) ORDER BY id) FROM public.appointments WHERE status = 'NO_SHOW'";
    assert_eq!(hospital.text(marked).await, "[5, 6, 7]");
    // A slot that cannot be read is none; the doctor's slot length decides.
    hospital.visits(11, 12, "CHECKED_IN").await;
    hospital.sql("UPDATE public.doctor_slots SET \"endTime\" = 'noon' WHERE id = k(11)").await;
    let outcome = hospital.run("stage-alerts", "09:20:00", &[]).await.expect(0);
    assert_eq!((outcome.count("raised"), outcome.report()["errors"].clone()), (2, json!(null)));
}

#[tokio::test]
async fn a_hospital_whose_zone_nobody_said_is_a_failed_item_and_stops_nobody() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    hospital.hospital(2).await;
    hospital.sql("UPDATE public.appointments SET \"hospitalId\" = k(2) WHERE id = k(2)").await;
    let outcome = hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(3);
    assert_eq!(errors(&outcome), ["facility k00000002 UNKNOWN_TIME_ZONE"]);
    assert_eq!(outcome.count("marked"), 1);
    hospital.sql("INSERT INTO hospital_settings VALUES (k(2), 'America/New_York')").await;
    assert_eq!(hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0).count("marked"), 1);
}
