//! What the rows of the outbox have for the texts of messages: the placeholders that the templates name, no name of
//! anybody but in the application, and the contacts that nobody may write to.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::tickets::{TICKET, Ticket};

const AT_0915: &str = "2026-03-02T09:15:00-05:00";
const NOON: &str = "2026-03-02T12:00:00-05:00";
/// The placeholders that name somebody.
const NAMES: [&str; 2] = ["doctor", "patient"];

/// Every SMS and e-mail that was staged reads by its template as the row has it, names nobody, and says of which
/// facility it is where its thing has one. Returns how many there are.
pub async fn read_as_staged(clinic: &Clinic) -> usize {
    let query =
        "SELECT jsonb_agg(to_jsonb(n) ORDER BY id) AS rows FROM notifications n WHERE channel IN ('SMS', 'EMAIL')";
    let rows = clinic.json(query).await["rows"].as_array().cloned().unwrap_or_default();
    for row in &rows {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let placeholders = row["placeholders"].as_object().expect("an object");
        let form = placeholders.get("form").and_then(Value::as_str).map_or_else(String::new, |form| format!("_{form}"));
        let file = format!("{}{form}.{}.txt", word("type"), word("channel")).to_lowercase();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clinic/templates");
        let mut text = fs::read_to_string(folder.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        for (name, value) in placeholders {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("{{{name}}}"), &value);
        }
        let own = match word("channel").as_str() {
            "SMS" => format!("{}\n", word("body")),
            _ => format!("Subject: {}\n\n{}\n", word("title"), word("body")),
        };
        assert_eq!(text, own, "{file}");
        assert!(NAMES.iter().all(|name| !placeholders.contains_key(*name)), "{row}");
    }
    rows.len()
}

/// A clinic with canaries for names, and so many visits of patients with a phone at 09:00.
async fn with_canaries(visits: i64) -> Clinic {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    for _ in 0..visits {
        clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
    }
    clinic
        .sql(
            "UPDATE patients SET first_name = 'CANARY1', last_name = 'CANARY2', mrn = 'CANARY3-' || id,
                                 phone = '+1212555010' || id;
             UPDATE doctors SET last_name = 'CANARY4'",
        )
        .await;
    clinic
}

#[tokio::test]
async fn only_the_application_is_told_names() {
    let clinic = with_canaries(2).await;
    clinic.mark(AT_0915).await.expect(0);
    assert_eq!(read_as_staged(&clinic).await, 2);
    let of = async |channel: &str| {
        let query = format!("SELECT jsonb_agg(to_jsonb(n)) AS n FROM notifications n WHERE channel = '{channel}'");
        clinic.json(&query).await["n"].clone()
    };
    let sms = of("SMS").await;
    assert!(!sms.to_string().contains("CANARY"), "{sms}");
    let expected = json!({"appointment_id": sms[0]["entity_id"], "start": "09:00", "day": "Monday 2026-03-02, 09:00"});
    assert_eq!((&sms[0]["placeholders"], &sms[0]["facility_id"]), (&expected, &json!("1")));
    assert_eq!(of("IN_APP").await[0]["placeholders"]["doctor"], "CANARY4");
}

#[tokio::test]
async fn a_mark_ahead_has_other_words() {
    let clinic = with_canaries(1).await;
    let nurse = clinic.user(1, "NURSE").await.to_string();
    let mark = ["no-show", "mark", "1", "--reason", "MANUAL_STAFF", "--actor", &nurse];
    clinic.run(&[&mark[..], &["--as-of", "2026-03-02T08:00:00-05:00"]].concat()).await.expect(0);
    assert_eq!(read_as_staged(&clinic).await, 1);
    let form = clinic.json("SELECT placeholders ->> 'form' AS f FROM notifications WHERE channel = 'SMS'").await;
    assert_eq!(form["f"], "AHEAD");
}

#[tokio::test]
async fn alerts_and_rules_read_as_their_templates() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    for role in ["NURSE", "MANAGER"] {
        let user = clinic.user(facility, role).await;
        clinic.sql(&format!("INSERT INTO notification_preferences VALUES (k({user}), true, true)")).await;
    }
    clinic.sql("UPDATE users SET email = 'u@example.org', name = 'CANARY'").await;
    clinic.sql("UPDATE facilities SET waiting_alert_minutes = 30").await;
    let (date, time, status) = ("2026-03-02", "09:00", "CHECKED_IN");
    let checked_in = Some("2026-03-02T09:05-05");
    clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
    let rule = || ("priority_level", json!({"priorities": ["MEDIUM"]}));
    clinic.rule(rule(), ("notify_manager", json!({"message": "look"}))).await;
    let email = json!({"recipients": ["a@x.example"], "subject": "S", "message": "one\ntwo"});
    clinic.rule(rule(), ("send_email", email)).await;
    clinic.ticket(Ticket { due: Some("2026-03-02T16:00:00Z"), ..TICKET }).await;
    for job in ["stage-alerts", "escalate-tickets", "monitor-ticket-sla"] {
        clinic.run(&[job, "--as-of", NOON]).await.expect(0);
    }
    assert_eq!(read_as_staged(&clinic).await, 5, "two alerts, two rules, a breach");
    // Who is told in the application is told at once, and an address is not.
    let told = "SELECT jsonb_agg(t ORDER BY t) AS t FROM (
                    SELECT concat_ws(' ', 'alert', told_at = triggered_at) AS t FROM stage_alerts
                    UNION ALL
                    SELECT concat_ws(' ', details ->> 'action', told_at = created_at) FROM ticket_history) x";
    let expected = json!(["alert t", "alert t", "notify_manager t", "send_email", "t"]);
    assert_eq!(clinic.json(told).await["t"], expected, "the last is the check of the SLA");
}

#[tokio::test]
async fn who_has_opted_out_is_staged_as_suppressed() {
    let clinic = with_canaries(4).await;
    // The first has opted out, of the second the number is dead, the third has lifted it, the fourth refuses e-mail.
    clinic
        .sql(
            "INSERT INTO contact_suppressions (channel, address, reason, code, recipient_kind, recipient_id, created_at,
                                               lifted_at)
             SELECT CASE n WHEN 4 THEN 'EMAIL' ELSE 'SMS' END, 'c' || n,
                    CASE n WHEN 2 THEN 'UNREACHABLE' ELSE 'OPTED_OUT' END, 'TWILIO_21610', 'PATIENT',
                    (SELECT patient_id::text FROM appointments WHERE id = n), clock_timestamp(),
                    CASE n WHEN 3 THEN clock_timestamp() END
             FROM generate_series(1, 4) n
             UNION ALL SELECT 'EMAIL', 'dead@x.example', 'UNREACHABLE', 'SMTP_550', 'ADDRESS', NULL, clock_timestamp(), NULL",
        )
        .await;
    let report = clinic.mark(AT_0915).await.expect(0).report();
    assert_eq!([&report["notifications"], &report["notices_suppressed"]], [&json!(7), &json!(1)], "{report}");
    let sms = "SELECT jsonb_agg(concat_ws(' ', entity_id, status, reason) ORDER BY entity_id) AS n FROM notifications
               WHERE channel = 'SMS'";
    assert_eq!(clinic.json(sms).await["n"], json!(["1 SUPPRESSED OPTED_OUT", "2 PENDING", "3 PENDING", "4 PENDING"]));
    let email = json!({"recipients": ["Dead@X.example", "a@x.example"], "subject": "S", "message": "m"});
    clinic.rule(("priority_level", json!({"priorities": ["MEDIUM"]})), ("send_email", email)).await;
    clinic.ticket(TICKET).await;
    assert_eq!(clinic.run(&["escalate-tickets", "--as-of", NOON]).await.expect(0).count("notifications"), 1);
    let mail = "SELECT jsonb_agg(concat_ws(' ', address, status, reason) ORDER BY address DESC) AS n FROM notifications
                WHERE channel = 'EMAIL'";
    let expected = json!(["Dead@X.example SUPPRESSED UNREACHABLE", "a@x.example PENDING"]);
    let mut staged = clinic.json(mail).await["n"].clone();
    staged.as_array_mut().expect("a list").sort_by_key(Value::to_string);
    assert_eq!(staged, expected);
}
