//! How users are told, in every job that tells any: on the channels that they want, at an address that is one, in one
//! line, with dates in one form.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::messages::read_as_staged;
use crate::sql::{files, statements};
use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::program::Outcome;
use crate::support::tickets::{TICKET, Ticket};

const NOON: &str = "2026-03-02T12:00:00-05:00";
/// In-app and e-mail, or no row.
const PREFERENCES: [Option<(bool, bool)>; 5] =
    [None, Some((true, true)), Some((true, false)), Some((false, true)), Some((false, false))];
/// The first is one.
const ADDRESSES: [Option<&str>; 8] = [
    Some("u@example.org"),
    None,
    Some(""),
    Some("  "),
    Some("\t\r\n"),
    Some("\u{a0}"),
    Some(" \u{3000}\u{200b}"),
    Some("\u{feff}"),
];

/// A message of a job, and whether it is HIGH.
const MESSAGES: [(&str, &str, bool); 10] = [
    ("monitor-ticket-sla", "TICKET_SLA_BREACHED", true),
    ("monitor-ticket-sla", "TICKET_SLA_AT_RISK", false),
    ("escalate-tickets", "TICKET_ESCALATED", false),
    ("escalate-sla", "PX_CASE_ESCALATED", true),
    ("stage-alerts", "STAGE_ALERT_NO_VITALS", true),
    ("stage-alerts", "STAGE_ALERT_WAITING_TOO_LONG", true),
    ("notify-cancellations", "VISIT_CANCELLED", true),
    ("notify-cancellations", "VISIT_CANCELLED", false),
    ("apply-absences", "DOCTOR_UNAVAILABLE_CHECKED_IN", true),
    ("apply-absences", "ABSENCE_VISITS_KEPT", false),
];

/// A user for each way to be told: (user, preferences, whether there is an address).
async fn people(clinic: &Clinic, facility: i64, role: &str) -> People {
    let mut people = vec![];
    for preferences in PREFERENCES {
        for address in ADDRESSES {
            let user = clinic.user(facility, role).await;
            clinic.row("UPDATE users SET email = $2 WHERE id = k($1) RETURNING id::text", &[&user, &address]).await;
            if let Some((in_app, email)) = preferences {
                let insert = format!("INSERT INTO notification_preferences VALUES (k({user}), {in_app}, {email})");
                clinic.sql(&insert).await;
            }
            people.push((user, preferences, address == ADDRESSES[0]));
        }
    }
    people
}

/// The channels on which somebody is told.
fn channels(high: bool, preferences: Option<(bool, bool)>, has_address: bool) -> Vec<&'static str> {
    let (in_app, email) = preferences.unwrap_or((true, false));
    let mut channels = vec![];
    if email && has_address {
        channels.push("EMAIL");
    }
    if in_app || high {
        channels.push("IN_APP");
    }
    channels
}

type People = Vec<(i64, Option<(bool, bool)>, bool)>;

/// A cancelled visit of a doctor who is not active.
async fn cancelled(clinic: &Clinic, facility: i64, high: bool) -> People {
    let doctor = clinic.doctor(facility, Some(15)).await;
    clinic.sql("UPDATE users SET active = false").await;
    let visit = clinic.scheduled(facility, doctor, if high { "2026-03-03" } else { "2026-03-05" }, "09:00").await;
    clinic
        .sql(&format!(
            "UPDATE appointments SET status = 'CANCELLED', cancelled_at = timestamptz '{NOON}' WHERE id = k({visit});
             INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
             VALUES ('2026-03-01Z', '2026-03-01Z', 'BEGAN')"
        ))
        .await;
    people(clinic, facility, "RECEPTIONIST").await
}

/// A checked-in visit of a doctor who is on leave.
async fn on_leave(clinic: &Clinic, facility: i64, kind: &str, role: &str) -> People {
    let doctor = clinic.doctor(facility, Some(15)).await;
    let (date, time, status, checked_in) = ("2026-03-02", "14:00", "CHECKED_IN", Some("2026-03-02T11:55-05"));
    clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
    clinic
        .sql(&format!(
            "INSERT INTO doctor_absences (doctor_id, type, first_day, last_day)
             VALUES (k({doctor}), '{kind}', '{date}', '{date}')"
        ))
        .await;
    people(clinic, facility, role).await
}

/// Makes these the people whom a message concerns, and the message due.
async fn concern(clinic: &Clinic, facility: i64, message: &str, high: bool) -> People {
    let ticket = async |due: Option<&str>| {
        let ticket = clinic.ticket(Ticket { due, ..TICKET }).await;
        let people = people(clinic, facility, "AGENT").await;
        for (user, ..) in &people {
            clinic.sql(&format!("INSERT INTO ticket_followers VALUES (k({ticket}), k({user}))")).await;
        }
        people
    };
    match message {
        "TICKET_SLA_BREACHED" => ticket(Some("2026-03-02T16:00:00Z")).await,
        // Of 21 hours 4 are left.
        "TICKET_SLA_AT_RISK" => ticket(Some("2026-03-02T21:00:00Z")).await,
        "TICKET_ESCALATED" => {
            let (team, leader, _) = clinic.team().await;
            clinic.sql(&format!("UPDATE users SET active = false WHERE id = k({leader})")).await;
            let rule = ("priority_level", json!({"priorities": ["MEDIUM"]}));
            clinic.rule(rule, ("notify_manager", json!({"message": "look"}))).await;
            clinic.ticket(Ticket { team: Some(team), ..TICKET }).await;
            let people = people(clinic, facility, "AGENT").await;
            for (user, ..) in &people {
                clinic.sql(&format!("INSERT INTO team_members VALUES (k({team}), k({user}), true)")).await;
            }
            people
        }
        "PX_CASE_ESCALATED" => {
            clinic
                .sql(&format!(
                    "INSERT INTO px_cases (facility_id, status, due_at, escalation_level, description)
                     VALUES (k({facility}), 'OPEN', '2026-03-02 10:00Z', 0, 'd')"
                ))
                .await;
            people(clinic, facility, "MANAGER").await
        }
        "VISIT_CANCELLED" => cancelled(clinic, facility, high).await,
        "DOCTOR_UNAVAILABLE_CHECKED_IN" => on_leave(clinic, facility, "EMERGENCY", "RECEPTIONIST").await,
        "ABSENCE_VISITS_KEPT" => on_leave(clinic, facility, "OTHER", "HOSPITAL_ADMIN").await,
        _ => {
            let doctor = clinic.doctor(facility, Some(15)).await;
            clinic.sql("UPDATE users SET active = false").await;
            if message == "STAGE_ALERT_WAITING_TOO_LONG" {
                clinic.sql("UPDATE facilities SET waiting_alert_minutes = 30").await;
            }
            let (date, time, status) = ("2026-03-02", "09:00", "CHECKED_IN");
            let checked_in = Some("2026-03-02T09:05-05");
            clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
            people(clinic, facility, "NURSE").await
        }
    }
}

async fn run(clinic: &Clinic, job: &str) -> Outcome {
    clinic.run(&[job, "--as-of", NOON]).await.expect(0)
}

#[tokio::test]
async fn each_is_told_as_they_prefer_by_every_job() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        for (job, message, high) in MESSAGES {
            let clinic = Clinic::of(kind).await;
            let facility = clinic.facility("America/New_York", None).await;
            let people = concern(&clinic, facility, message, high).await;
            run(&clinic, job).await;
            let query = format!(
                "SELECT n(recipient_id), array_agg(channel ORDER BY channel), bool_and(priority = '{}') FROM notifications
                 WHERE type = '{message}' AND recipient_kind = 'USER' GROUP BY 1 ORDER BY 1",
                if high { "HIGH" } else { "NORMAL" }
            );
            let told: Vec<(i64, Vec<String>, bool)> =
                clinic.rows(&query).await.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
            let mut expected = vec![];
            for (user, preferences, has_address) in people {
                let channels = channels(high, preferences, has_address);
                if !channels.is_empty() {
                    expected.push((user, channels.into_iter().map(str::to_owned).collect::<Vec<_>>(), true));
                }
            }
            assert_eq!(told, expected, "{kind:?} {job} {message}");
            assert!(read_as_staged(&clinic).await > 0, "{kind:?} {job} {message}");
        }
    }
}

/// Who refuses all that is not HIGH is not there: others are told, and where there is nobody else it is undeliverable.
#[tokio::test]
async fn who_refuses_everything_is_stood_in_for() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", None).await;
    let (team, leader, _) = clinic.team().await;
    let rule = ("priority_level", json!({"priorities": ["MEDIUM"]}));
    clinic.rule(rule, ("notify_manager", json!({"message": "look"}))).await;
    clinic.sql(&format!("INSERT INTO notification_preferences VALUES ({leader}, false, false)")).await;
    clinic.ticket(Ticket { team: Some(team), ..TICKET }).await;
    let manager = clinic.user(facility, "MANAGER").await;
    let told = async || {
        let query = "SELECT n(recipient_id) FROM notifications ORDER BY 1";
        clinic.rows(query).await.iter().map(|row| row.get(0)).collect::<Vec<i64>>()
    };
    let outcome = run(&clinic, "escalate-tickets").await;
    assert_eq!((told().await, outcome.count("undeliverable")), (vec![manager], 0));
    clinic.sql(&format!("INSERT INTO notification_preferences VALUES ({manager}, false, true)")).await;
    clinic.ticket(Ticket { team: Some(team), ..TICKET }).await;
    let outcome = clinic.run(&["escalate-tickets", "--as-of", NOON]).await.expect(3);
    assert_eq!((told().await, outcome.count("undeliverable")), (vec![manager], 1), "an e-mail, but no address");
    assert_eq!(clinic.count("SELECT count(*) FROM notifications WHERE status = 'SUPPRESSED'").await, 0);
}

/// A statement that inserts into the outbox what users are sent asks for their preferences wherever it finds users to
/// be told.
#[tokio::test]
async fn every_statement_that_tells_users_asks_how_they_want_to_be_told() {
    // Where a statement looks at users for another reason.
    let not_told = ["(SELECT count(*) FROM users u WHERE u.active", "(SELECT u.id FROM users u WHERE u.id = ANY ($15)"];
    let mut tell = 0;
    for statement in statements(&Clinic::new().await).await {
        let lines = statement.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        if !words.contains("INSERT INTO notifications ") || !words.contains("'USER'") {
            continue;
        }
        tell += 1;
        let text = not_told.iter().fold(words, |text, other| text.replace(other, ""));
        let users = text.matches(" users u ").count();
        let asked = text.matches("ON preference.user_id = u.id").count();
        // The notices to admins, once more for a clinic without the table.
        let may_fall_back = ["::failure_notice::", "::admins::"].iter().any(|file| statement.name.contains(file));
        let is_fallback = may_fall_back && text.contains("(VALUES ('IN_APP', true))");
        assert!(users > 0 && (asked == users || is_fallback && users == 1), "{}: {asked} of {users}", statement.name);
    }
    assert!(tell > 10, "{tell}");
}

#[tokio::test]
async fn a_blank_phone_is_none() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        // The reference set refuses the shortest; the tables of an application need not.
        let table = if kind == Kind::TextViews { "app.patients" } else { "patients" };
        clinic.sql(&format!("ALTER TABLE {table} DROP CONSTRAINT patients_phone_check")).await;
        for phone in ADDRESSES {
            let visit = clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
            let update = "UPDATE patients SET phone = $2
                          WHERE id = (SELECT patient_id FROM appointments WHERE id = k($1)) RETURNING id::text";
            clinic.row(update, &[&visit, &phone]).await;
        }
        clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0);
        let sent =
            "SELECT array_agg(n(entity_id)) FILTER (WHERE channel = 'SMS') AS sms, count(*) AS all FROM notifications";
        assert_eq!(clinic.json(sent).await, json!({"sms": [1], "all": 9}), "{kind:?}");
    }
}

/// A line break in a subject begins another header of the mail.
#[tokio::test]
async fn a_title_is_one_line_whatever_a_ticket_or_a_rule_says() {
    let clinic = Clinic::new().await;
    clinic.new_york(15).await;
    clinic.user(1, "MANAGER").await;
    let rule = ("priority_level", json!({"priorities": ["MEDIUM"]}));
    clinic.rule(rule.clone(), ("notify_manager", json!({"message": "two\nlines"}))).await;
    let email = |subject| json!({"recipients": ["a@x.example"], "subject": subject, "message": "m\r\n\tn"});
    for subject in ["S\r\nBcc: all@x.example", "S\u{85}", "S\u{1b}]52;c;x\u{7}", "S\u{202e}", "S\u{200f}"] {
        clinic.rule(rule.clone(), ("send_email", email(subject))).await;
    }
    let outcome = clinic.run(&["escalation-rules", "check"]).await.expect(3);
    assert_eq!(outcome.report()["wrong"], 5, "{outcome:?}");
    clinic.sql("DELETE FROM escalation_rules WHERE action_type = 'send_email'").await;
    clinic.rule(rule, ("send_email", email("S é"))).await;
    clinic.ticket(TICKET).await;
    let number = "U&'7\\000A\\000D\\0009X\\2028\\007F\\0001\\202E\\2066\\200FÄ'";
    clinic.sql(&format!("UPDATE tickets SET number = {number}")).await;
    run(&clinic, "escalate-tickets").await;
    let titles = clinic.json("SELECT jsonb_agg(jsonb_build_array(title, body) ORDER BY id) AS n FROM notifications");
    let expected = json!([["Ticket #7 X Ä escalated", "two\nlines"], ["S é (ticket #7 X Ä)", "m\n n"]]);
    assert_eq!(titles.await["n"], expected);
}

/// The messages of the jobs name people and places.
#[tokio::test]
async fn a_body_has_no_character_that_is_acted_upon_where_it_is_shown() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "NURSE").await;
    let visit = clinic.scheduled(facility, doctor, "2026-03-02", "08:00").await;
    let name = "U&'P\\001B]52;c;x\\0007\\000D\\009B\\202E\\2066\\200FQ'";
    let arrive = format!(
        "UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '2026-03-02T08:05-05' WHERE id = k({visit});
         UPDATE patients SET first_name = {name}, last_name = {name}, mrn = {name}; UPDATE facilities SET name = {name}"
    );
    clinic.sql(&arrive).await;
    clinic.run(&["stage-alerts", "--as-of", "2026-03-02T12:00:00-05:00"]).await.expect(0);
    let texts = clinic.json("SELECT string_agg(title || body, ' ') AS t FROM notifications").await["t"].to_string();
    assert!(texts.contains("P ]52;c;x Q"), "the name is in a body: {texts}");
    assert!(texts.is_ascii() && !texts.contains("\\u00"), "{texts}");
}

/// Settings of the database and of the role by which dates would be written in other ways.
async fn odd_settings(clinic: &Clinic) {
    let settings = "DO $$ DECLARE s text; BEGIN
                        FOREACH s IN ARRAY ARRAY['DateStyle = ''SQL, DMY''', 'lc_time = ''POSIX''', 'TimeZone = ''Asia/Tokyo''',
                                                 'IntervalStyle = ''sql_standard'''] LOOP
                            EXECUTE format('ALTER DATABASE %I SET %s', current_database(), s);
                            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET %s', current_user, current_database(),
                                           replace(s, 'SQL, DMY', 'German, DMY'));
                        END LOOP;
                    END $$";
    clinic.sql(settings).await;
}

#[tokio::test]
async fn dates_have_one_form_whatever_the_server_is_set_to() {
    for odd in [false, true] {
        let clinic = Clinic::new().await;
        if odd {
            odd_settings(&clinic).await;
        }
        let (facility, doctor) = clinic.new_york(15).await;
        let actor = clinic.user(facility, "RECEPTIONIST").await.to_string();
        let visit = clinic.scheduled(facility, doctor, "2026-03-04", "09:00").await.to_string();
        let by_hand = ["no-show", "mark", &visit, "--reason", "MANUAL_STAFF", "--actor", &actor, "--as-of", NOON];
        clinic.run(&by_hand).await.expect(0);
        let sms = "SELECT body FROM notifications WHERE channel = 'SMS'";
        let expected = "You were marked as a no-show for your appointment of Wednesday 2026-03-04, 09:00. Please call \
                        the clinic to book a new time.";
        assert_eq!(clinic.row(sms, &[]).await.get::<_, String>(0), expected, "odd settings: {odd}");
    }
}

#[tokio::test]
async fn no_other_text_has_a_date_where_settings_are_odd() {
    for (job, message, high) in MESSAGES {
        let mut texts = vec![];
        for odd in [false, true] {
            let clinic = Clinic::new().await;
            if odd {
                odd_settings(&clinic).await;
            }
            let facility = clinic.facility("America/New_York", None).await;
            concern(&clinic, facility, message, high).await;
            clinic.sql("UPDATE patients SET mrn = 'M7'").await;
            run(&clinic, job).await;
            let query = "SELECT string_agg(DISTINCT concat_ws('|', title, body), '/') AS t FROM notifications";
            texts.push(clinic.json(query).await["t"].as_str().expect("a text").to_owned());
        }
        assert_eq!(texts[0], texts[1], "{message}");
        assert!(!texts[0].contains("2026"), "{message}: {}", texts[0]);
    }
}

/// The form of dates and times is written in one file. What is no message says why it may have another.
#[test]
fn statements_write_dates_by_the_words_of_messages() {
    // The records of monitor-ticket-sla are JSON for programs, the key of an alert's notice is read by nobody, and what
    // has paused a run is in the run's record.
    let records =
        [r#"'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#, r#"'YYYY-MM-DD"T"HH24:MI:SS')"#, r#"'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#];
    let mut found: Vec<PathBuf> = vec![];
    for extension in ["sql", "rs"] {
        for floor in ["src/jobs", "src/run", "src/clinic"] {
            files(Path::new(floor), extension, &mut found);
        }
    }
    assert!(found.len() > 100);
    for path in found.iter().filter(|path| !path.ends_with("clinic/words.rs")) {
        let text = std::fs::read_to_string(path).expect("UTF-8");
        let text = records.iter().fold(text, |text, record| text.replace(record, ""));
        for (at, _) in text.match_indices("to_char(") {
            let call = text[at..].lines().next().expect("a line");
            assert!(!call.contains("HH24") && !call.contains("YYYY") && !call.contains("Mon"), "{path:?}: {call}");
        }
    }
}
