//! The application's pages go on seeing what its own scheduler used to write, and nothing of that can end a run.

use serde_json::json;

use super::{DAY, Hospital, NURSE};

#[tokio::test]
async fn a_missed_visit_is_in_its_log_its_counters_and_its_slots() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 1, "SCHEDULED").await;
    hospital.sql("UPDATE public.doctor_slots SET \"endTime\" = '9:30'").await;
    hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
    let log = hospital.clinic.json("SELECT * FROM public.no_show_logs").await;
    for (key, value) in [
        ("hospitalId", json!("k00000001")),
        ("appointmentId", json!("k00000001")),
        ("patientId", json!("k00000001")),
        ("doctorId", json!("k00000001")),
        ("reason", json!("AUTO_TIMEOUT")),
        ("slotTime", json!("9:00")),
        ("timeoutMinutes", json!(15)),
        ("triggeredAt", json!("2026-03-02T14:15:00")),
        ("slotReleased", json!(true)),
        ("slotReleasedAt", json!("2026-03-02T14:15:00")),
        ("notificationSent", json!(false)),
        ("notes", json!(null)),
        ("createdBy", json!(null)),
    ] {
        assert_eq!(log[key], value, "{key}");
    }
    let patient =
        hospital.clinic.json("SELECT \"noShowCount\" AS n, \"lastNoShowAt\" AS at, status FROM public.patients");
    assert_eq!(patient.await, json!({"n": 1, "at": "2026-03-02T14:15:00", "status": "ACTIVE"}));
    let slot = "SELECT \"isAvailable\" AS free, \"isBlocked\" AS blocked, \"appointmentId\" AS visit,
                       \"updatedAt\" > \"createdAt\" - interval '1 minute' AS touched FROM public.doctor_slots";
    let free = json!({"free": true, "blocked": false, "visit": null, "touched": true});
    assert_eq!(hospital.clinic.json(slot).await, free);
    let visit = hospital.clinic.json("SELECT status, \"updatedAt\" AS at FROM public.appointments");
    assert_eq!(visit.await, json!({"status": "NO_SHOW", "at": "2026-03-02T14:15:00"}));
    // Booked again and missed again, with another visit of the same patient in the same run.
    hospital.visits(2, 2, "SCHEDULED").await;
    hospital
        .sql(
            "UPDATE public.appointments SET status = 'CONFIRMED' WHERE id = k(1);
             UPDATE public.appointments SET \"patientId\" = k(1) WHERE id = k(2)",
        )
        .await;
    hospital.run("mark-no-shows", "09:40:00", &[]).await.expect(0);
    let counted = "SELECT \"noShowCount\" || ' ' || \"lastNoShowAt\" FROM public.patients WHERE id = k(1)";
    assert_eq!(hospital.text(counted).await, "3 2026-03-02 14:40:00");
}

#[tokio::test]
async fn a_person_marks_a_visit_with_a_name() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 1, "CHECKED_IN").await;
    let mark = ["no-show", "mark", "k00000001", "--reason", "PATIENT_CALLED", "--notes", "ill", "--actor", "k00000003"];
    hospital.clinic.run(&[&mark[..], &["--as-of", "2026-03-02T14:01:00Z"]].concat()).await.expect(0);
    let log = "SELECT concat_ws(' ', reason, \"timeoutMinutes\", \"createdBy\", notes) FROM public.no_show_logs";
    assert_eq!(hospital.text(log).await, "PATIENT_CALLED 15 k00000003 ill");
    // A patient with a login is no user of ours, and may do nothing.
    let patient = ["no-show", "mark", "k00000001", "--reason", "MANUAL_STAFF", "--actor", "k00000004"];
    assert_eq!(hospital.clinic.run(&patient).await.code, 2);
}

#[tokio::test]
async fn an_alert_is_raised_acknowledged_and_resolved_in_its_table_too() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "CHECKED_IN").await;
    hospital.run("stage-alerts", "09:20:00", &[]).await.expect(0);
    let alerts = "SELECT string_agg(concat_ws(' ', n(\"appointmentId\"), \"alertType\", status, \"acknowledgedBy\",
                                              \"resolvedBy\", \"resolvedAt\"), ', ' ORDER BY \"appointmentId\")
                  FROM public.stage_alerts";
    assert_eq!(hospital.text(alerts).await, "1 NO_VITALS ACTIVE, 2 NO_VITALS ACTIVE");
    let message = "SELECT message || ' ' || \"triggeredAt\" FROM public.stage_alerts LIMIT 1";
    let said = "Patient Pat Doe (M1) checked in at 09:05 but vitals not recorded. 2026-03-02 14:20:00";
    assert_eq!(hospital.text(message).await, said);
    // A nurse acknowledges one here, and resolves the other in the application's page.
    let id = hospital.text("SELECT id FROM stage_alerts WHERE appointment_id = k(1)").await;
    hospital.clinic.run(&["alerts", "acknowledge", &id, "--actor", "k00000002"]).await.expect(0);
    hospital
        .sql(&format!(
            "UPDATE public.stage_alerts SET status = 'RESOLVED', \"resolvedBy\" = k({NURSE}),
                                            \"resolvedAt\" = '{DAY} 14:21'
             WHERE \"appointmentId\" = k(2)"
        ))
        .await;
    // To acknowledge it here then does not open it again there.
    let id = hospital.text("SELECT id FROM stage_alerts WHERE appointment_id = k(2)").await;
    hospital.clinic.run(&["alerts", "acknowledge", &id, "--actor", "k00000002"]).await.expect(0);
    let expected = "1 NO_VITALS ACKNOWLEDGED k00000002, 2 NO_VITALS RESOLVED k00000002 2026-03-02 14:21:00";
    assert_eq!(hospital.text(alerts).await, expected);
    hospital.sql(&format!("UPDATE public.appointments SET \"vitalsRecordedAt\" = '{DAY} 14:21'")).await;
    assert_eq!(hospital.run("stage-alerts", "09:22:00", &[]).await.expect(0).count("resolved"), 2);
    let expected = "1 NO_VITALS RESOLVED k00000002 2026-03-02 14:22:00, \
                    2 NO_VITALS RESOLVED k00000002 2026-03-02 14:21:00";
    assert_eq!(hospital.text(alerts).await, expected);
}

#[tokio::test]
async fn an_open_alert_of_the_old_scheduler_is_not_doubled_and_is_resolved() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 1, "CHECKED_IN").await;
    hospital
        .sql(
            "INSERT INTO public.stage_alerts (id, \"hospitalId\", \"appointmentId\", \"patientId\", \"doctorId\",
                                              \"alertType\", message)
             VALUES ('old', k(1), k(1), k(1), k(1), 'NO_VITALS', 'm')",
        )
        .await;
    assert_eq!(hospital.run("stage-alerts", "09:20:00", &[]).await.expect(0).count("raised"), 1);
    let alerts = "SELECT string_agg(id || ' ' || status, ', ') FROM public.stage_alerts";
    assert_eq!(hospital.text(alerts).await, "old ACTIVE");
    hospital.sql("UPDATE public.appointments SET status = 'IN_PROGRESS'").await;
    hospital.run("stage-alerts", "09:21:00", &[]).await.expect(0);
    assert_eq!(hospital.text(alerts).await, "old RESOLVED");
}

#[tokio::test]
async fn staff_is_told_in_its_own_pages_and_patients_and_housekeepers_are_not() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 1, "CHECKED_IN").await;
    hospital.run("stage-alerts", "09:20:00", &["--waiting-minutes", "15"]).await.expect(0);
    let told = "SELECT string_agg(concat_ws(' ', n(\"userId\"), type, title, data ->> 'appointmentId', \"isRead\",
                                            \"createdAt\"), ', ' ORDER BY title, \"userId\")
                FROM public.notifications";
    let notice = |user: i64, title: &str| format!("{user} ALERT {title} k00000001 f 2026-03-02 14:20:00");
    let mut expected = vec![notice(NURSE, "Vitals not recorded")];
    // The doctor, the nurse, the receptionist and the admin: neither 4, a patient, nor 5, a housekeeper.
    expected.extend([1, 2, 3, 6].map(|user| notice(user, "Patient waits too long")));
    expected.sort();
    let mut found: Vec<String> = hospital.text(told).await.split(", ").map(str::to_owned).collect();
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn runs_are_listed_in_its_table_and_its_admins_are_told_of_failures() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 3, "SCHEDULED").await;
    hospital.run("mark-no-shows", "09:15:00", &["--dry-run"]).await.expect(0);
    for _ in 0..3 {
        hospital.run("mark-no-shows", "09:15:00", &["--max-items", "2"]).await.expect(5);
    }
    hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
    hospital.run("mark-no-shows", "09:15:00", &["--unless-succeeded-within", "1h"]).await.expect(0);
    let runs = "SELECT string_agg(concat_ws(' ', status, \"itemsProcessed\", \"completedAt\" IS NOT NULL), ', '
                                  ORDER BY \"startedAt\")
                FROM public.cron_job_runs WHERE \"jobName\" = 'mark-no-shows'";
    let braked = "FAILED 0 t, FAILED 0 t, FAILED 0 t, COMPLETED 3 t";
    assert_eq!(hospital.text(runs).await, braked, "a skipped run is none there");
    assert_eq!(hospital.clinic.count("SELECT count(*) FROM cron_job_runs WHERE status = 'SKIPPED'").await, 1);
    let told = "SELECT string_agg(concat_ws(' ', n(\"userId\"), type, title), ', ' ORDER BY title)
                FROM public.notifications WHERE type = 'SYSTEM'";
    assert_eq!(hospital.text(told).await, "6 SYSTEM mark-no-shows keeps failing, 6 SYSTEM mark-no-shows runs again");
}

/// Labels that it does not have, users and visits that are gone: the row is left out, and the run goes on.
#[tokio::test]
async fn what_the_application_cannot_take_is_left_out() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    hospital.visits(11, 12, "CHECKED_IN").await;
    hospital
        .sql(
            "ALTER TYPE public.\"NoShowReason\" RENAME VALUE 'AUTO_TIMEOUT' TO 'TIMED_OUT';
             ALTER TYPE public.\"StageAlertType\" RENAME VALUE 'NO_VITALS' TO 'VITALS';
             ALTER TYPE public.\"NotificationType\" RENAME VALUE 'ALERT' TO 'WARNING';
             ALTER TYPE public.\"CronJobStatus\" RENAME VALUE 'COMPLETED' TO 'DONE'",
        )
        .await;
    assert_eq!(hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0).count("marked"), 2);
    assert_eq!(hospital.run("stage-alerts", "09:20:00", &[]).await.expect(0).count("raised"), 2);
    let rows = "SELECT concat_ws(' ', (SELECT count(*) FROM public.no_show_logs),
                                      (SELECT count(*) FROM public.stage_alerts),
                                      (SELECT count(*) FROM public.notifications),
                                      (SELECT sum(\"noShowCount\") FROM public.patients))";
    assert_eq!(hospital.text(rows).await, "0 0 0 2");
    // What is ours is there.
    assert_eq!(hospital.clinic.effects().await, (2, 2, 6));
    // A nurse whose row is gone acknowledged an alert; the visit of another is gone.
    hospital
        .sql(
            "ALTER TYPE public.\"StageAlertType\" RENAME VALUE 'VITALS' TO 'NO_VITALS';
             INSERT INTO public.stage_alerts (id, \"hospitalId\", \"appointmentId\", \"patientId\", \"doctorId\",
                                              \"alertType\", message)
             VALUES ('a', k(1), k(11), k(11), k(1), 'NO_VITALS', 'm');
             UPDATE stage_alerts SET status = 'ACKNOWLEDGED', acknowledged_by = 'gone', acknowledged_at = triggered_at
             WHERE appointment_id = k(11);
             DELETE FROM public.appointments WHERE id = k(12)",
        )
        .await;
    let alert = "SELECT concat_ws(' ', status, \"acknowledgedBy\", \"acknowledgedAt\") FROM public.stage_alerts";
    assert_eq!(hospital.text(alert).await, "ACKNOWLEDGED 2026-03-02 14:20:00");
    assert_eq!(hospital.run("stage-alerts", "09:21:00", &[]).await.expect(0).count("resolved"), 1);
}

#[tokio::test]
async fn the_application_may_drop_the_tables_of_its_old_scheduler() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    hospital.visits(11, 12, "CHECKED_IN").await;
    hospital
        .sql(
            "DROP TABLE public.no_show_logs, public.stage_alerts, public.notifications, public.cron_job_runs;
             DROP TYPE public.\"NoShowReason\", public.\"StageAlertType\", public.\"StageAlertStatus\",
                       public.\"NotificationType\", public.\"CronJobStatus\"",
        )
        .await;
    assert_eq!(hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0).count("marked"), 2);
    assert_eq!(hospital.run("stage-alerts", "09:20:00", &[]).await.expect(0).count("raised"), 2);
    hospital.sql("UPDATE public.appointments SET status = 'COMPLETED' WHERE status = 'CHECKED_IN'").await;
    assert_eq!(hospital.run("stage-alerts", "09:21:00", &[]).await.expect(0).count("resolved"), 2);
}
