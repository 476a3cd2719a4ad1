//! Texts and files without a limit: what goes into a message or a list is cut, and a file that has no end is refused.

use serde_json::json;

use crate::support::clinic::Visit;
use crate::support::{Clinic, Program};

/// A megabyte of words, in SQL.
const LONG: &str = "repeat('Ärztin ', 150000)";
const VISIT: Visit<'_> = Visit {
    facility: 1,
    doctor: 1,
    date: "2026-03-02",
    time: "09:00",
    status: "SCHEDULED",
    checked_in: None,
    vitals: None,
    slot: None,
};

/// A clinic with ten nurses, in which every name is a megabyte.
async fn clinic() -> Clinic {
    let clinic = Clinic::new().await;
    clinic.new_york(15).await;
    clinic.visit(VISIT).await;
    clinic.visit(Visit { time: "15:00", ..VISIT }).await;
    clinic.visit(Visit { status: "CHECKED_IN", checked_in: Some("2026-03-02T14:00Z"), ..VISIT }).await;
    clinic
        .sql(&format!(
            "ALTER TABLE patients DROP CONSTRAINT patients_mrn_key;
             ALTER TABLE tickets DROP CONSTRAINT tickets_number_key;
             UPDATE appointments SET status = 'CANCELLED', cancelled_at = '2026-03-02T14:00Z' WHERE start_time = '15:00';
             INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome) VALUES ('2026-03-01', '2026-03-01', 'BEGAN');
             INSERT INTO users (facility_id, name, role) SELECT 1, 'N', 'NURSE' FROM generate_series(1, 10);
             INSERT INTO users (name, role) VALUES ('A', 'HOSPITAL_ADMIN');
             UPDATE patients SET first_name = {LONG}, last_name = {LONG}, mrn = {LONG} || id;
             UPDATE doctors SET last_name = {LONG};
             INSERT INTO sla_policies (priority, resolution_minutes, created_at) VALUES ('LOW', 60, '2026-01-01');
             INSERT INTO tickets (number, title, facility_id, priority, created_at, created_by)
             VALUES (repeat('7', 5000000), 't', 1, 'LOW', '2026-03-01', 2)"
        ))
        .await;
    clinic
}

#[tokio::test]
async fn what_goes_into_a_message_is_cut_at_a_word() {
    let clinic = clinic().await;
    let message = format!("({LONG})");
    clinic
        .sql(&format!(
            "INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action)
             VALUES ('r', 1, 'sla_breach', '{{\"thresholdHours\": 1}}', 'notify_manager',
                     jsonb_build_object('message', left({message}, 9000)))"
        ))
        .await;
    let as_of = ["--as-of", "2026-03-02T14:20:00Z"];
    for (job, done) in [
        ("stage-alerts", "raised"),
        ("mark-no-shows", "marked"),
        ("notify-cancellations", "told"),
        ("monitor-ticket-sla", "recorded"),
        ("escalate-tickets", "executed"),
    ] {
        let outcome = clinic.run(&[&[job], &as_of[..]].concat()).await.expect(0);
        assert!(outcome.count(done) > 0, "{job}: {outcome:?}");
    }
    let longest =
        "SELECT type, max(length(title)) <= 200 AND max(length(body)) <= 2000 AS cut, bool_or(body LIKE '%...%'
                          OR title LIKE '%...%') AS dots, bool_and(body NOT LIKE '%Är...%') AS whole
                   FROM notifications GROUP BY type";
    let query = format!("SELECT jsonb_object_agg(type, ARRAY[cut, dots, whole]) AS by_type FROM ({longest}) t");
    let found = clinic.json(&query).await;
    let cut = json!([true, true, true]);
    let expected = json!({"STAGE_ALERT_NO_VITALS": cut, "MISSED_APPOINTMENT": cut, "TICKET_SLA_BREACHED": cut,
                          "VISIT_CANCELLED": cut,
                          "TICKET_ESCALATED": cut});
    assert_eq!(found["by_type"], expected);
    // The news follows the names, which leave it room.
    let body = "SELECT body FROM notifications WHERE type = 'STAGE_ALERT_NO_VITALS' AND channel = 'IN_APP' LIMIT 1";
    let body: String = clinic.row(body, &[]).await.get(0);
    assert!(body.starts_with("Patient Ärztin Ärztin") && body.ends_with("vitals not recorded."), "{body}");
    clinic.sql(&format!("UPDATE stage_alerts SET message = {LONG}")).await;
    let admin = clinic.count("SELECT id FROM users WHERE role = 'HOSPITAL_ADMIN'").await.to_string();
    let outcome = clinic.run(&["alerts", "list", "--reveal", "--actor", &admin]).await.expect(0);
    assert!(outcome.stdout.len() < 10_000, "{} bytes of one alert", outcome.stdout.len());
    assert_eq!(outcome.report()["alerts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_rule_of_any_length_or_depth_is_malformed_and_stops_no_other() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action)
             SELECT 'r', 1, 'sla_breach', '{\"thresholdHours\": 1}', 'notify_manager', action
             FROM (VALUES (jsonb_build_object('message', repeat('x', 70000))),
                          (jsonb_build_object('message', (repeat('[', 65) || repeat(']', 65))::jsonb)),
                          (jsonb_build_object('message', 'look'))) a (action)",
        )
        .await;
    let report = clinic.run(&["escalation-rules", "check"]).await.expect(3).report();
    let wrong: Vec<&str> =
        report["rules"].as_array().expect("rules").iter().filter_map(|rule| rule["wrong"].as_str()).collect();
    let expected =
        ["action: longer than 64 KiB; the rule was skipped", "action: nested too deep; the rule was skipped"];
    assert_eq!(wrong, expected);
}

#[tokio::test]
async fn a_file_without_an_end_is_refused() {
    let nowhere = || Program::new("postgresql://u@h/d?sslmode=verify-full");
    let zero = "/dev/zero";
    for args in [
        &["mark-no-shows", "--ssl-root-cert", zero][..],
        &["sync-practiceq", "--api-key-file", zero],
        &["advance-billing", "--stage", "paid", "--cases-file", zero],
        &["schedule", "check", "--crontab", zero],
    ] {
        let outcome = nowhere().run(args).await.expect(2);
        assert!(format!("{outcome:?}").contains("larger than"), "{args:?}: {outcome:?}");
    }
    let program = nowhere().without("DATABASE_URL");
    let outcome = program.run(&["mark-no-shows", "--database-url-file", zero]).await.expect(2);
    assert!(outcome.stderr.contains("/dev/zero: it is larger than 64 KiB"), "{outcome:?}");
}
