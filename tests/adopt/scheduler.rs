//! adopt/scheduler-supabase.sql: the sync on the tables of a scheduler on Supabase.

mod around;
mod day;
mod handed_over;
pub mod tables;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::tables::Side;
use crate::support::keys::Kind;
use crate::support::practiceq::{Client, appointment};
use crate::support::program::{Outcome, finish};
use crate::support::{connect, server};

const PAT: Client = Client { id: 100, name: "Pat Doe", email: "pat@home.example", date_of_birth: "1980-04-02" };
const ANN: Client = Client { id: 200, name: "Ann Roe", email: "ann@home.example", date_of_birth: "1975-12-31" };
/// In the window of every run: noon in Denver.
const LATER: &str = "2026-03-10T18:00:00Z";
/// Soon enough that the case managers are told of a change.
const TODAY: &str = "2026-03-02T20:00:00Z";

/// The application with Pat, who has so many visits in the account: a1, a2, ...
async fn with_visits(visits: usize) -> Side {
    let side = Side::kit().await;
    side.patient_of(&PAT).await;
    for number in 1..=visits {
        side.sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
    }
    side
}

/// New, updated, unchanged, errors.
fn totals(outcome: &Outcome) -> [Value; 4] {
    let report = outcome.report();
    ["new", "updated", "unchanged", "errors"].map(|key| report["total_appointments"][key].clone())
}

fn skipped(outcome: &Outcome) -> Value {
    outcome.report()["skipped_by_reason"].clone()
}

#[tokio::test]
async fn a_visit_has_what_the_application_requires() {
    let side = with_visits(1).await;
    side.sync.run(&[]).await.expect(0);
    let theirs = side.theirs("a1", "to_jsonb(a) - 'id' - 'created_at' - 'updated_at'").await;
    let expected = json!({
        "pq_appointment_id": "a1", "patient_id": Kind::Uuid.text(1), "provider_id": Kind::Uuid.text(1),
        "rendering_provider_id": Kind::Uuid.text(1), "service_instance_id": Kind::Uuid.text(1),
        "start_time": "2026-03-10T18:00:00+00:00", "end_time": "2026-03-10T18:30:00+00:00",
        "timezone": "America/Denver", "status": "confirmed", "appointment_type": "telehealth",
        "meeting_url": "https://meet.example/join/a1", "booking_source": "practiceq", "is_test": false,
        "patient_info": {"first_name": "Pat", "last_name": "Doe", "email": "pat@home.example", "phone": "+1555",
                         "date_of_birth": "1980-04-02"},
        "insurance_info": {"primary": {"plan": "A"}},
    });
    for (column, value) in theirs.as_object().expect("columns") {
        assert_eq!(value, expected.get(column).unwrap_or(&Value::Null), "{column}");
    }
}

#[tokio::test]
async fn what_is_known_of_nobody_is_an_empty_object_and_a_new_patients_own_replaces_the_former() {
    let side = with_visits(1).await;
    let ann = side.patient_of(&ANN).await;
    side.sync.clinic.sql(&format!("UPDATE public.patients SET insurance_primary = NULL WHERE id = k({ann})")).await;
    side.sync.run(&[]).await.expect(0);
    let former = "UPDATE public.appointments SET notes = 'kept', payer_snapshot = '{}', roi_contacts = '[]',
                  practiceq_generated_google_meet = 'https://meet.google.example/edited'";
    side.sync.clinic.sql(former).await;
    side.sync.upstream.edit("a1", |row| {
        (row["ClientId"], row["ClientName"]) = (json!(ANN.id), json!(ANN.name));
        (row["ClientEmail"], row["ClientDateOfBirth"]) = (json!(ANN.email), json!(ANN.date_of_birth));
        row["TelehealthInfo"]["JoinUrl"] = json!("https://meet.example/other");
    });
    side.sync.run(&["--incremental"]).await.expect(0);
    let columns = "jsonb_build_array(a.patient_info ->> 'email', a.insurance_info, a.payer_snapshot, a.roi_contacts,
                                     a.notes, a.practiceq_generated_google_meet, a.meeting_url)";
    let expected =
        json!([ANN.email, {}, null, null, "kept", "https://meet.google.example/edited", "https://meet.example/other"]);
    assert_eq!(side.theirs("a1", columns).await, expected);
}

#[tokio::test]
async fn a_second_run_and_a_dry_run_change_nothing() {
    let side = with_visits(3).await;
    let before = side.written().await;
    assert_eq!(totals(&side.sync.run(&["--dry-run"]).await.expect(0))[0], 3);
    assert_eq!(side.written().await, before);
    side.sync.run(&[]).await.expect(0);
    let visits = "SELECT jsonb_agg(jsonb_build_array(a.id, a.xmin::text, v.xmin::text) ORDER BY a.id)
                  FROM public.appointments a JOIN practiceq_visits v ON v.external_id = a.pq_appointment_id";
    let written = side.one(visits).await;
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [0, 0, 3, 0]);
    assert_eq!(side.one(visits).await, written);
    // A dry run of changes, too.
    side.sync.upstream.edit("a1", |row| row["Status"] = json!("Canceled"));
    side.sync.upstream.delete("a2");
    let before = side.written().await;
    let report = side.sync.run(&["--dry-run"]).await.expect(0);
    assert_eq!((totals(&report)[1].clone(), report.count("deleted")), (json!(1), 1));
    assert_eq!(side.written().await, before);
}

#[tokio::test]
async fn a_service_that_is_not_mapped_fails_its_appointment_alone() {
    let side = with_visits(4).await;
    let mut missing = appointment("a5", &PAT, LATER);
    missing["ServiceId"] = Value::Null;
    side.sync.upstream.put(missing);
    // It is mapped for another system.
    side.sync.upstream.edit("a2", |row| row["ServiceId"] = json!("unmapped"));
    let outcome = side.sync.run(&[]).await.expect(3);
    assert_eq!(totals(&outcome), [3, 0, 0, 2]);
    let errors = "SELECT jsonb_agg(jsonb_build_array(entity_id, error_code, message) ORDER BY entity_id)
                  FROM cron_job_run_errors";
    let errors = side.one(errors).await;
    assert_eq!((&errors[0][0], &errors[1][0]), (&json!("a2"), &json!("a5")), "{errors}");
    for error in errors.as_array().expect("errors") {
        assert_eq!(error[1], "UNMAPPED_SERVICE", "{error}");
        let message = error[2].as_str().expect("a text");
        assert!(message.contains("table service_instance_mappings, column service_id"), "{message}");
        assert!(!message.contains("unmapped'") && !outcome.stderr.contains("8a7c2e5d"), "no value of a row");
    }
    // The account gives a stored visit another service.
    let map = "INSERT INTO public.service_instance_mappings VALUES ('unmapped', 'practiceq', k(2))";
    let other = |row: &mut Value| (row["ServiceId"], row["ServiceName"]) = (json!("intake"), json!("Intake"));
    side.sync.clinic.sql(map).await;
    side.sync.upstream.edit("a1", other);
    assert_eq!(totals(&side.sync.run(&[]).await.expect(3)), [1, 0, 2, 2]);
    assert_eq!(side.theirs("a2", "n(a.service_instance_id)").await, 2);
    assert_eq!(side.theirs("a1", "n(a.service_instance_id)").await, 1, "it stays until the service is mapped");
    let map = "INSERT INTO public.service_instance_mappings VALUES ('intake', 'practiceq', k(2))";
    side.sync.clinic.sql(map).await;
    assert_eq!(totals(&side.sync.run(&[]).await.expect(3)), [0, 1, 3, 1]);
    assert_eq!(side.theirs("a1", "n(a.service_instance_id)").await, 2);
}

#[tokio::test]
async fn an_unknown_practitioners_visit_is_the_patients_own_providers() {
    let side = with_visits(1).await;
    side.patient_of(&ANN).await;
    side.sync.clinic.sql("UPDATE public.patients SET primary_provider_id = NULL WHERE email LIKE 'ann%'").await;
    for (id, client) in [("a2", PAT), ("b1", ANN)] {
        let mut row = appointment(id, &client, LATER);
        row["PractitionerId"] = json!("prac-9");
        side.sync.upstream.put(row);
    }
    let outcome = side.sync.run(&[]).await.expect(3);
    assert_eq!((totals(&outcome), outcome.count("unknown_practitioners")), ([2, 0, 0, 1].map(|n| json!(n)), 1));
    let failed = side.one("SELECT jsonb_agg(jsonb_build_array(entity_id, error_code)) FROM cron_job_run_errors").await;
    assert_eq!(failed, json!([["b1", "NO_PROVIDER"]]));
    let providers = "jsonb_build_array(n(a.provider_id), n(a.rendering_provider_id))";
    assert_eq!(side.theirs("a2", providers).await, json!([1, null]));
    // As soon as the practitioner is known, the visit is the practitioner's; so far it is left alone.
    assert_eq!(totals(&side.sync.run(&[]).await.expect(3)), [0, 0, 2, 1]);
    side.sync.clinic.sql("UPDATE public.providers SET intakeq_practitioner_id = 'prac-9' WHERE id = k(102)").await;
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [1, 1, 1, 0]);
    assert_eq!(side.theirs("a2", "n(a.provider_id)").await, 102);
}

#[tokio::test]
async fn a_visit_that_the_application_refuses_fails_alone() {
    let side = with_visits(6).await;
    let poison = "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      IF NEW.pq_appointment_id IN ('a2', 'a5') THEN RAISE EXCEPTION 'Pat Doe may not'; END IF;
                      RETURN NEW;
                  END $$;
                  CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON public.appointments
                      FOR EACH ROW EXECUTE FUNCTION public.refuse()";
    side.sync.clinic.sql(poison).await;
    let outcome = side.sync.run(&[]).await.expect(3);
    assert_eq!(totals(&outcome), [4, 0, 0, 2]);
    let failed =
        "SELECT jsonb_agg(jsonb_build_array(entity_id, error_code) ORDER BY entity_id) FROM cron_job_run_errors";
    assert_eq!(side.one(failed).await, json!([["a2", "P0001"], ["a5", "P0001"]]));
    assert!(!outcome.stderr.contains("Pat Doe"), "{}", outcome.stderr);
    // What only the ledger has follows into the application's row, and its refusal is the visit's alone, too.
    side.sync.clinic.sql("ALTER TABLE public.appointments DISABLE TRIGGER refuse").await;
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0))[0], 2);
    side.sync.clinic.sql("ALTER TABLE public.appointments ENABLE TRIGGER refuse").await;
    for id in ["a1", "a2", "a3"] {
        side.sync.upstream.edit(id, |row| row["TelehealthInfo"]["JoinUrl"] = json!("https://meet.example/new"));
    }
    assert_eq!(totals(&side.sync.run(&["--incremental"]).await.expect(3))[1..], [json!(2), json!(3), json!(1)]);
    assert_eq!(side.theirs("a1", "a.meeting_url").await, "https://meet.example/new");
}

#[tokio::test]
async fn a_visit_that_the_application_holds_is_left_to_the_next_run() {
    let side = with_visits(3).await;
    side.sync.run(&[]).await.expect(0);
    side.sync.upstream.edit("a1", |row| row["Status"] = json!("Canceled"));
    side.sync.upstream.edit("a2", |row| row["Status"] = json!("Canceled"));
    side.sync.upstream.delete("a3");
    let hold = "BEGIN; SELECT FROM public.appointments WHERE pq_appointment_id IN ('a2', 'a3') FOR NO KEY UPDATE";
    side.sync.clinic.sql(hold).await;
    let outcome = side.sync.run(&["--incremental"]).await.expect(0);
    assert_eq!((totals(&outcome)[1].clone(), outcome.count("deleted")), (json!(1), 0), "{outcome:?}");
    assert_eq!(skipped(&outcome)["locked"], 2, "{outcome:?}");
    side.sync.clinic.sql("COMMIT").await;
    let outcome = side.sync.run(&["--incremental"]).await.expect(0);
    assert_eq!((totals(&outcome)[1].clone(), outcome.count("deleted")), (json!(1), 1), "{outcome:?}");
    assert_eq!(side.theirs("a2", "a.status").await, "cancelled");
}

#[tokio::test]
async fn a_deleted_visit_is_cancelled_in_the_application_and_comes_back_as_it_was() {
    let side = with_visits(2).await;
    side.sync.run(&[]).await.expect(0);
    side.set_status("a2", "COMPLETED").await;
    side.sync.upstream.delete("a1");
    side.sync.upstream.delete("a2");
    assert_eq!(side.sync.run(&["--incremental"]).await.expect(0).count("deleted"), 2);
    let status = "jsonb_build_array(a.status, a.cancellation_reason)";
    assert_eq!(side.theirs("a1", status).await, json!(["cancelled", "deleted in PracticeQ, was confirmed"]));
    assert_eq!(side.theirs("a2", status).await, json!(["completed", null]), "what took place, took place");
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0))[1], 0);
    side.sync.upstream.restore("a1");
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0))[1], 1);
    assert_eq!(side.theirs("a1", status).await, json!(["confirmed", null]));
}

/// What the application's own sync stored, in whatever state, is the same visit.
#[tokio::test]
async fn the_visits_of_the_former_sync_are_taken_over() {
    let side = with_visits(2).await;
    let former = "INSERT INTO public.appointments (pq_appointment_id, patient_id, provider_id, service_instance_id,
                      start_time, end_time, status, patient_info, insurance_info, notes)
                  SELECT id, k(1), k(1), k(2), '2026-03-10 17:00Z', '2026-03-10 17:30Z', 'confirmed', '{}', '{}', 'kept'
                  FROM unnest(ARRAY['a1', 'a2', NULL]) AS t (id)";
    side.sync.clinic.sql(former).await;
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [0, 2, 0, 0]);
    let taken = "jsonb_build_array(a.start_time, a.end_time, a.notes, n(a.service_instance_id), a.meeting_url)";
    let expected =
        json!(["2026-03-10T18:00:00+00:00", "2026-03-10T18:30:00+00:00", "kept", 2, "https://meet.example/join/a1"]);
    assert_eq!(side.theirs("a1", taken).await, expected);
    assert_eq!(side.sync.clinic.count("SELECT count(*) FROM public.appointments").await, 3);
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [0, 0, 2, 0]);
    assert_eq!(side.sync.clinic.count("SELECT count(*) FROM notifications").await, 0);
}

/// The application's insertion is not committed when the sync looks, and is when the sync inserts.
#[tokio::test]
async fn a_visit_that_the_application_inserts_meanwhile_is_left_alone() {
    let side = with_visits(3).await;
    let observer = connect(&server().url(&side.sync.clinic.database)).await;
    // The statement is kept at its first visit until the application's transaction is over.
    let gate = "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    FOR i IN 1..500 LOOP
                        EXIT WHEN (SELECT bool_or(state = 'idle' AND query LIKE 'COMMIT%') FROM pg_stat_activity
                                   WHERE datname = current_database() AND application_name = 'the application');
                        PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
                    END LOOP;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER wait BEFORE INSERT ON public.appointments FOR EACH ROW
                    WHEN (NEW.pq_appointment_id = 'a1') EXECUTE FUNCTION public.wait()";
    observer.batch_execute(gate).await.expect("a gate");
    let insert = "BEGIN;
        INSERT INTO public.appointments (pq_appointment_id, patient_id, provider_id, service_instance_id, start_time,
                                         end_time, patient_info, insurance_info, notes)
        VALUES ('a2', k(1), k(1), k(1), '2026-03-10 18:00Z', '2026-03-10 18:30Z', '{}', '{}', 'theirs')";
    side.sync.clinic.sql(insert).await;
    side.sync.clinic.sql("SET application_name = 'the application'").await;
    let run = side.sync.start(&[]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let began = Instant::now();
    while observer.query_one(waiting, &[]).await.expect("a count").get::<_, i64>(0) == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    side.sync.clinic.sql("COMMIT").await;
    let outcome = finish(run).await.expect(0);
    assert_eq!((totals(&outcome), skipped(&outcome)), ([2, 0, 0, 0].map(|n| json!(n)), json!({"changed": 1})));
    assert_eq!(side.theirs("a2", "a.notes").await, "theirs");
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [0, 1, 2, 0], "the next run takes it over");
    assert_eq!(side.sync.clinic.count("SELECT count(*) FROM public.appointments").await, 3);
}

#[tokio::test]
async fn syncs_at_once_store_each_visit_once() {
    let side = with_visits(60).await;
    side.sync.run(&["--appointment", "a1"]).await.expect(0);
    let patient = Kind::Uuid.text(1);
    let lanes: [&[&str]; 3] = [&[], &["--incremental"], &["--patient", &patient]];
    for run in lanes.map(|args| side.sync.start(args)) {
        finish(run).await.expect(0);
    }
    let visits = "SELECT jsonb_build_array(count(*), count(DISTINCT pq_appointment_id)) FROM public.appointments";
    assert_eq!(side.one(visits).await, json!([60, 60]));
    assert_eq!(side.sync.clinic.count("SELECT count(*) FROM cron_job_run_errors").await, 0);
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [0, 0, 60, 0]);
}
