//! The application goes first: what it holds is skipped, and what its triggers refuse is one failed item.

use serde_json::json;

use super::Hospital;
use crate::adopt::support::errors;

/// Runs the job while the application holds what `statement` locks, and once more.
async fn one_of_three_is_left(statement: &str) {
    let hospital = Hospital::new().await;
    hospital.visits(1, 3, "SCHEDULED").await;
    hospital.sql(&format!("BEGIN; {statement}")).await;
    let outcome = hospital.run("mark-no-shows", "09:10:00", &["--batch-rows", "100"]).await;
    assert_eq!(outcome.expect(0).count("scanned"), 0, "nobody is due yet");
    let outcome = hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
    assert_eq!((outcome.count("marked"), outcome.count("skipped")), (2, 1), "{statement}");
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}), "{statement}");
    let seen = "SELECT count(*) FROM public.no_show_logs WHERE \"appointmentId\" = k(2)";
    assert_eq!(hospital.clinic.count(seen).await, 0, "{statement}");
    hospital.sql("COMMIT").await;
    assert_eq!(hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0).count("marked"), 1, "{statement}");
    assert_eq!(hospital.text("SELECT sum(\"noShowCount\") FROM public.patients").await, "3", "{statement}");
    assert_eq!(hospital.clinic.count(seen).await, 1, "{statement}");
}

#[tokio::test]
async fn a_visit_that_the_application_holds_is_left_to_the_next_run() {
    one_of_three_is_left("UPDATE public.appointments SET notes = 'calls' WHERE id = k(2)").await;
}

#[tokio::test]
async fn a_visit_whose_slot_the_application_holds_is_left_to_the_next_run() {
    one_of_three_is_left("UPDATE public.doctor_slots SET \"updatedAt\" = now() WHERE id = k(2)").await;
}

/// What tells of a visit is done with the visit, or not at all.
#[tokio::test]
async fn a_table_that_the_application_alters_leaves_its_visits_to_the_next_run() {
    for (job, status, table, done) in [
        ("mark-no-shows", "SCHEDULED", "no_show_logs", "marked"),
        ("stage-alerts", "CHECKED_IN", "stage_alerts", "raised"),
        ("stage-alerts", "CHECKED_IN", "notifications", "raised"),
    ] {
        let hospital = Hospital::new().await;
        hospital.visits(1, 3, status).await;
        hospital.sql(&format!("BEGIN; LOCK TABLE public.{table}")).await;
        let outcome = hospital.run(job, "09:20:00", &[]).await.expect(0);
        assert_eq!((outcome.count(done), outcome.count("failed")), (0, 0), "{table}");
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 3}), "{table}");
        hospital.sql("COMMIT").await;
        // Nor is a visit done without what its table does not take.
        hospital.sql(&format!("ALTER TABLE public.{table} ADD x int NOT NULL")).await;
        let outcome = hospital.run(job, "09:20:00", &[]).await.expect(3);
        assert_eq!((outcome.count(done), errors(&outcome).len()), (0, 3), "{table}: {outcome:?}");
        hospital.sql(&format!("ALTER TABLE public.{table} ALTER x SET DEFAULT 0")).await;
        assert_eq!(hospital.run(job, "09:20:00", &["--retry-refused"]).await.expect(0).count(done), 3, "{table}");
        assert_eq!(hospital.clinic.count(&format!("SELECT count(*) FROM public.{table}")).await, 3, "{table}");
    }
}

const COUNTED: &str = "SELECT string_agg(\"noShowCount\"::text, ' ' ORDER BY id) FROM public.patients";

#[tokio::test]
async fn a_patient_whom_the_application_holds_is_counted_with_the_next_visit() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 40, "SCHEDULED").await;
    hospital.sql("BEGIN; UPDATE public.patients SET occupation = 'cook' WHERE id <= k(30)").await;
    let outcome = hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
    assert_eq!((outcome.count("marked"), outcome.count("skipped")), (40, 0));
    assert_eq!(hospital.clinic.count("SELECT count(*) FROM public.no_show_logs").await, 40);
    assert_eq!(hospital.text("SELECT sum(\"noShowCount\") FROM public.patients").await, "10");
    hospital.sql("COMMIT").await;
    // One of them misses another visit.
    hospital.visits(41, 41, "SCHEDULED").await;
    hospital.sql("UPDATE public.appointments SET \"patientId\" = k(1) WHERE id = k(41)").await;
    hospital.run("mark-no-shows", "09:20:00", &[]).await.expect(0);
    let expected = format!("2{} 0", " 1".repeat(39));
    assert_eq!(hospital.text(COUNTED).await, expected, "the last one has missed nothing");
    let last = "SELECT string_agg(DISTINCT \"lastNoShowAt\"::text, ', ') FROM public.patients";
    assert_eq!(hospital.text(last).await, "2026-03-02 14:15:00, 2026-03-02 14:20:00");
    assert_eq!(hospital.clinic.count("SELECT count(*) FROM hospital_counts_due").await, 0);
}

#[tokio::test]
async fn a_mark_that_is_undone_is_taken_out_of_the_applications_pages() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 3, "SCHEDULED").await;
    hospital.sql("UPDATE public.appointments SET \"patientId\" = k(1)").await;
    hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
    assert_eq!(hospital.text(COUNTED).await, "3 0 0");
    let admin = hospital.text("SELECT id FROM users WHERE role = 'HOSPITAL_ADMIN' LIMIT 1").await;
    let visit = hospital.text("SELECT k(2)").await;
    let undo = ["no-show", "undo", &visit, "--reason", "came", "--actor", &admin];
    let undone = hospital.clinic.run(&undo).await.expect(0).report();
    assert_eq!(undone["visits"][0]["status"], "SCHEDULED", "{undone}");
    assert_eq!(hospital.text(COUNTED).await, "2 0 0");
    let logs = "SELECT string_agg(\"appointmentId\", ' ' ORDER BY 1) FROM public.no_show_logs";
    let left = hospital.text("SELECT k(1) || ' ' || k(3)").await;
    assert_eq!(hospital.text(logs).await, left);
    assert_eq!(hospital.text("SELECT status::text FROM public.appointments WHERE id = k(2)").await, "SCHEDULED");
    let run = hospital.text("SELECT run_id::text FROM no_show_logs LIMIT 1").await;
    let all = ["no-show", "undo", "--run", &run, "--reason", "wrong clock", "--actor", &admin];
    let undone = hospital.clinic.run(&all).await.expect(3).report();
    assert_eq!((&undone["undone"], &undone["not_undone"][0]["code"]), (&2.into(), &"UNDONE".into()), "{undone}");
    assert_eq!(hospital.text(COUNTED).await, "0 0 0");
    let last = "SELECT count(*)::text FROM public.patients WHERE \"lastNoShowAt\" IS NOT NULL";
    assert_eq!(hospital.text(last).await, "0");
}

#[tokio::test]
async fn a_patient_who_cannot_be_counted_later_stops_nobody() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    hospital.sql("BEGIN; UPDATE public.patients SET occupation = 'cook' WHERE id = k(1)").await;
    hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
    hospital
        .sql(
            "COMMIT;
             CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON public.patients FOR EACH ROW WHEN (NEW.id = 'k00000001')
                 EXECUTE FUNCTION public.refuse()",
        )
        .await;
    hospital.visits(3, 3, "SCHEDULED").await;
    assert_eq!(hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0).count("marked"), 1);
    assert_eq!(hospital.text(COUNTED).await, "0 1 1");
    hospital.sql("DROP TRIGGER refuse ON public.patients").await;
    hospital.visits(4, 4, "SCHEDULED").await;
    hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
    assert_eq!(hospital.text(COUNTED).await, "1 1 1 1");
}

#[tokio::test]
async fn what_a_trigger_of_the_application_refuses_is_one_failed_item() {
    for (table, key) in
        [("appointments", "id"), ("doctor_slots", "id"), ("patients", "id"), ("no_show_logs", "\"appointmentId\"")]
    {
        let hospital = Hospital::new().await;
        hospital.visits(1, 20, "SCHEDULED").await;
        // The slots are open for longer than the job waits, so that they are released.
        hospital
            .sql(&format!(
                "UPDATE public.doctor_slots SET \"endTime\" = '10:00';
                 CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     RAISE EXCEPTION 'no' USING ERRCODE = '23514';
                 END $$;
                 CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON public.{table} FOR EACH ROW
                     WHEN (NEW.{key} = 'k00000007') EXECUTE FUNCTION public.refuse()"
            ))
            .await;
        let outcome = hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(3);
        assert_eq!(errors(&outcome), ["appointment k00000007 23514"], "{table}");
        let counts = ["marked", "slots_released", "failed"].map(|key| outcome.count(key));
        assert_eq!(counts, [19, 19, 1], "{table}");
        // All or nothing of the seventh.
        let rows = "SELECT concat_ws(' ',
            (SELECT count(*) FROM public.appointments WHERE status = 'NO_SHOW'),
            (SELECT count(*) FROM public.doctor_slots WHERE \"isAvailable\" AND \"appointmentId\" IS NULL),
            (SELECT count(*) FROM public.no_show_logs WHERE \"slotReleased\"),
            (SELECT sum(\"noShowCount\") FROM public.patients))";
        assert_eq!(hospital.text(rows).await, "19 19 19 19", "{table}");
    }
}

/// The trigger of the view says that it changed nothing.
#[tokio::test]
async fn a_slot_that_stayed_as_it_was_is_not_counted_as_written() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    // The application's own trigger keeps the slot as it is, without an error.
    hospital
        .sql(
            "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER keep BEFORE UPDATE ON public.doctor_slots FOR EACH ROW
                 WHEN (NEW.id = 'k00000001') EXECUTE FUNCTION public.keep()",
        )
        .await;
    let update = "UPDATE doctor_slots SET is_booked = false, appointment_id = NULL";
    assert_eq!(hospital.clinic.client.execute(update, &[]).await.expect("an update"), 1);
}
