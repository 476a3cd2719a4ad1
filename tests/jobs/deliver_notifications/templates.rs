//! The texts of messages as a run takes them, what shows that somebody was told, and who tells an endpoint.

use std::fs;

use serde_json::json;

use super::{Fixture, WEBHOOKS};
use crate::support::provider::Reply;
use crate::support::tickets::TICKET;

const AT_0915: &str = "2026-03-02T09:15:00-05:00";
const NOON: &str = "2026-03-02T12:00:00-05:00";

/// All that waits for another channel goes to the pager: what shows that somebody was told is the same on each.
const TO_THE_PAGER: &str = "UPDATE notifications SET channel = 'WEBHOOK', recipient_kind = 'ADDRESS',
                                                     recipient_id = NULL, address = 'pager' WHERE status = 'PENDING'";

#[tokio::test]
async fn a_text_that_cannot_be_right_stops_the_run_before_anything_is_sent() {
    let fixture = Fixture::new().await;
    fixture.staged(1).await;
    let folder = tempfile::tempdir().expect("a place for files");
    let path = folder.path().to_str().expect("a path");
    for (name, text, why) in [
        ("missed_appointment.sms.txt", "Dr. {doctor}", "{doctor} names a person"),
        ("job_failing.email.txt", "Subject: s\n\n{host}", "no placeholder {host}"),
        ("other.sms.txt", "x", "no message has such a file"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("can be written");
        for more in [&["--templates", path][..], &["--templates", path, "--dry-run"]] {
            let outcome = fixture.run(more).await.expect(2);
            let said = outcome.report()["error_message"].to_string();
            assert!(said.contains(name) && said.contains(why), "{said}");
        }
        fs::remove_file(file).expect("it is there");
    }
    fixture.run(&["--templates", "/nowhere"]).await.expect(2);
    assert_eq!(fixture.server.requests().len(), 0);
    fs::write(folder.path().join("job_failing.email.txt"), "Subject: {job}\n\n{error}").expect("can be written");
    let program = fixture.program.clone().env("ROUNDS_TEMPLATES", path);
    assert_eq!(program.run(&WEBHOOKS).await.expect(0).count("sent"), 1);
}

#[tokio::test]
async fn a_patient_was_told_when_a_provider_has_accepted_it() {
    let fixture = Fixture::new().await;
    let (facility, doctor) = fixture.clinic.new_york(15).await;
    fixture.clinic.many(facility, doctor, 3).await;
    fixture.clinic.mark(AT_0915).await.expect(0);
    fixture.clinic.sql(TO_THE_PAGER).await;
    let told = async || {
        let query = "SELECT jsonb_agg(notification_sent ORDER BY appointment_id) AS told FROM no_show_logs";
        fixture.clinic.json(query).await["told"].clone()
    };
    assert_eq!(told().await, json!([false, false, false]), "in the application alone");
    fixture.server.replies([
        Reply::Status(400, String::new()),
        Reply::Status(503, String::new()),
        Reply::Status(200, String::new()),
    ]);
    let at = ["--as-of", "2026-03-02T09:16:00-05:00", "--concurrency", "1"];
    fixture.run(&at).await.expect(3);
    assert_eq!(told().await, json!([false, false, true]));
    fixture.again().await;
    fixture.run(&at).await.expect(0);
    assert_eq!(told().await, json!([false, true, true]));
}

#[tokio::test]
async fn a_log_that_is_held_is_written_by_the_next_run() {
    let fixture = Fixture::new().await;
    let (facility, doctor) = fixture.clinic.new_york(15).await;
    fixture.clinic.many(facility, doctor, 2).await;
    fixture.clinic.mark(AT_0915).await.expect(0);
    fixture.clinic.sql(TO_THE_PAGER).await;
    let told = "SELECT count(*) FROM no_show_logs WHERE notification_sent";
    let untold = "SELECT count(*) FROM notifications WHERE is_untold";
    let at = ["--as-of", "2026-03-02T09:16:00-05:00", "--concurrency", "1"];
    let hold = "BEGIN; SELECT FROM no_show_logs WHERE id = (SELECT min(id) FROM no_show_logs) FOR NO KEY UPDATE";
    fixture.clinic.sql(hold).await;
    let report = fixture.run(&at).await.expect(0).report();
    assert_eq!((&report["sent"], fixture.clinic.count(told).await), (&json!(2), 1), "nothing waits for it: {report}");
    fixture.run(&at).await.expect(0);
    assert_eq!((fixture.clinic.count(untold).await, fixture.clinic.count(told).await), (1, 1), "it is still held");
    fixture.clinic.sql("COMMIT").await;
    fixture.run(&at).await.expect(0);
    assert_eq!((fixture.clinic.count(untold).await, fixture.clinic.count(told).await), (0, 2));
}

#[tokio::test]
async fn of_alerts_tickets_and_cases_the_first_who_was_told_counts() {
    let fixture = Fixture::new().await;
    let clinic = &fixture.clinic;
    let (facility, _) = clinic.new_york(15).await;
    let rule = || ("priority_level", json!({"priorities": ["MEDIUM"]}));
    let email = |subject| json!({"recipients": ["a@x.example"], "subject": subject, "message": "m"});
    for subject in ["one", "two"] {
        clinic.rule(rule(), ("send_email", email(subject))).await;
    }
    clinic.ticket(TICKET).await;
    clinic.run(&["escalate-tickets", "--as-of", NOON]).await.expect(0);
    // As of jobs whose people want no notice in the application.
    clinic
        .sql(&format!(
            "INSERT INTO stage_alerts (appointment_id, alert_type, visit_start, message, triggered_at)
             SELECT '7', t, '2026-03-02 09:00', 'm', '{NOON}' FROM unnest(ARRAY['NO_VITALS', 'NO_DOCTOR']) t;
             INSERT INTO px_case_audits (case_id, actor, action, before, after, created_at, run_id)
             SELECT k, 'system', 'ESCALATED', '{{}}', '{{}}', '{NOON}', gen_random_uuid()
             FROM unnest(ARRAY['1', '2']) k;
             INSERT INTO px_cases (facility_id, status, due_at, escalation_level, description)
             SELECT k({facility}), 'OPEN', '2026-03-02 10:00Z', 0, 'd' FROM generate_series(1, 2);
             INSERT INTO notifications (recipient_kind, address, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, created_at, run_id)
             SELECT 'ADDRESS', 'pager', 'WEBHOOK', type, 't', 'b', entity, entity_id, type, 'PENDING', '{NOON}', run
             FROM (VALUES ('STAGE_ALERT_NO_VITALS', 'appointment', '7', NULL),
                          ('PX_CASE_ESCALATED', 'px_case', '1', (SELECT run_id FROM px_case_audits WHERE case_id = '1')))
                  AS n (type, entity, entity_id, run)"
        ))
        .await;
    clinic.sql("UPDATE notifications SET status = 'EXPIRED' WHERE title LIKE 'two%'").await;
    clinic.sql(TO_THE_PAGER).await;
    let report = fixture.run(&["--as-of", "2026-03-02T12:01:00-05:00"]).await.expect(0).report();
    assert_eq!(report["sent"], 3, "{report}");
    let query = "SELECT jsonb_agg(t ORDER BY t) AS t FROM (
                     SELECT concat_ws(' ', alert_type, told_at > triggered_at) AS t FROM stage_alerts
                     UNION ALL SELECT concat_ws(' ', 'case', case_id, told_at > created_at) FROM px_case_audits
                     UNION ALL SELECT concat_ws(' ', 'rule', details ->> 'ruleId', told_at > created_at)
                               FROM ticket_history) x";
    let expected = json!(["NO_DOCTOR", "NO_VITALS t", "case 1 t", "case 2", "rule 1 t", "rule 2"]);
    assert_eq!(clinic.json(query).await["t"], expected);
}

#[tokio::test]
async fn a_rule_tells_an_endpoint_ids_and_no_word() {
    let fixture = Fixture::new().await;
    let rule = ("priority_level", json!({"priorities": ["MEDIUM"]}));
    let webhook = json!({"endpoint": "pager", "message": "CANARY"});
    fixture.clinic.rule(rule.clone(), ("send_webhook", webhook)).await;
    let id = fixture.clinic.rule(rule, ("send_webhook", json!({"endpoint": "https://pager.example/x"}))).await;
    let ticket = fixture.clinic.ticket(TICKET).await;
    let outcome = fixture.clinic.run(&["escalate-tickets", "--as-of", NOON]).await.expect(3);
    assert_eq!((outcome.count("executed"), outcome.count("notifications")), (1, 1), "{outcome:?}");
    let check = fixture.clinic.run(&["escalation-rules", "check"]).await.expect(3);
    assert!(format!("{check:?}").contains("no URL") && id == 2, "{check:?}");
    let report = fixture.run(&["--as-of", "2026-03-02T12:01:00-05:00"]).await.expect(0).report();
    assert_eq!(report["sent"], 1, "{report}");
    let body = fixture.server.requests()[0].body.clone();
    let said: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let metadata = json!({"ticket_id": ticket.to_string(), "rule_id": "1"});
    assert_eq!((&said["type"], &said["data"]["metadata"]), (&json!("TICKET_ESCALATED"), &metadata));
    assert!(!body.contains("CANARY"), "{body}");
}

#[tokio::test]
async fn an_endpoint_is_told_of_failures_as_one_more_admin() {
    let fixture = Fixture::new().await;
    let (facility, doctor) = fixture.clinic.new_york(15).await;
    fixture.clinic.many(facility, doctor, 3).await;
    let told = async || {
        let query = "SELECT jsonb_agg(concat_ws(' ', type, address, priority) ORDER BY id) AS t FROM notifications";
        fixture.clinic.json(query).await["t"].clone()
    };
    let with = async |args: &[&str], code| {
        let args = [&["mark-no-shows", "--failure-webhook", "pager", "--as-of"], args].concat();
        fixture.clinic.run(&args).await.expect(code)
    };
    fixture.clinic.run(&["mark-no-shows", "--failure-webhook", "https://pager.example/"]).await.expect(2);
    for _ in 0..2 {
        with(&[AT_0915, "--max-items", "1"], 5).await;
    }
    assert_eq!(told().await, json!(null));
    // There is no admin, and somebody is told.
    for _ in 0..2 {
        let outcome = with(&[AT_0915, "--max-items", "1"], 5).await;
        assert!(!outcome.stderr.contains("NOBODY_TOLD"), "{outcome:?}");
        assert_eq!(told().await, json!(["JOB_FAILING pager HIGH"]), "once a day");
    }
    with(&["2026-03-01T09:15:00-05:00"], 0).await;
    assert_eq!(told().await, json!(["JOB_FAILING pager HIGH", "JOB_RECOVERED pager NORMAL"]));
    with(&["2026-03-01T09:15:00-05:00"], 0).await;
    assert_eq!(fixture.run(&[]).await.expect(0).count("sent"), 2);
}

#[tokio::test]
async fn of_a_cancelled_visit_that_was_booked_again_nobody_is_told() {
    let fixture = Fixture::new().await;
    let clinic = &fixture.clinic;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.sql("UPDATE users SET email = 'd@x.example'; INSERT INTO notification_preferences SELECT id, true, true FROM users").await;
    for _ in 0..2 {
        let visit = clinic.scheduled(facility, doctor, "2026-03-02", "15:00").await;
        clinic
            .sql(&format!(
                "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '{NOON}' WHERE id = {visit};
                 INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
                 VALUES ('2026-03-01Z', '2026-03-01Z', 'BEGAN') ON CONFLICT DO NOTHING"
            ))
            .await;
    }
    clinic.run(&["notify-cancellations", "--as-of", NOON]).await.expect(0);
    clinic.sql("UPDATE appointments SET status = 'SCHEDULED', cancelled_at = NULL WHERE id = 2").await;
    clinic.sql(TO_THE_PAGER).await;
    fixture.run(&["--as-of", "2026-03-02T12:01:00-05:00"]).await;
    let query = "SELECT jsonb_agg(concat_ws(' ', entity_id, status, reason) ORDER BY id) AS t FROM notifications
                 WHERE channel <> 'IN_APP'";
    assert_eq!(clinic.json(query).await["t"], json!(["1 SENT", "2 EXPIRED MOOT"]));
}
