use std::fmt::Write as _;
use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::clinic::messages::Cause;

/// A value of each class that shows what it is.
fn example(name: &str, class: Class) -> Value {
    match (name, class) {
        (_, Class::Id) => json!("4711"),
        (_, Class::Code) => json!("CODE"),
        ("start" | "checked_in_at", _) => json!("14:30"),
        (_, Class::Moment) => json!("Monday 2026-03-02, 14:30"),
        (_, Class::Count) => json!(3),
        (_, Class::Words) => json!("Words of the rule."),
        (_, Class::Name) => json!("CANARY"),
    }
}

fn placeholders(message: &MessageType) -> Value {
    let mut values: serde_json::Map<String, Value> =
        message.placeholders.iter().map(|(name, class)| ((*name).to_owned(), example(name, *class))).collect();
    if let Some(form) = message.form {
        values.insert("form".to_owned(), json!(form));
    }
    Value::Object(values)
}

/// A folder with a file.
fn folder(name: &str, text: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("a place for files");
    fs::write(folder.path().join(name), text).expect("can be written");
    folder
}

fn why_not(name: &str, text: &[u8]) -> String {
    Templates::read(Some(folder(name, text).path()))
        .err()
        .map_or_else(|| "it is taken".to_owned(), |error| error.message)
}

#[test]
fn every_message_reads_as_it_did() {
    let templates = Templates::read(None).expect("our own are right");
    let mut all = String::new();
    for message in MESSAGES {
        for channel in CHANNELS {
            let Some((name, _)) = message.text(channel) else { continue };
            let text = templates.render(message.kind, channel, &placeholders(message)).expect("it has all it needs");
            let title = text.title.map_or_else(String::new, |title| format!("[{title}]\n"));
            let _ = write!(all, "{name}\n{title}{}\n\n", text.body);
        }
    }
    assert!(!all.contains("CANARY") && !all.contains(['{', '}']), "{all}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("messages", all));
}

#[test]
fn each_file_of_the_folder_is_the_text_of_a_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clinic/templates");
    let mut files: Vec<String> = names(&folder).expect("it is there");
    files.retain(|name| name.ends_with(".txt"));
    let mut known: Vec<String> =
        MESSAGES.iter().flat_map(|message| CHANNELS.iter().filter_map(|of| Some(message.text(of)?.0))).collect();
    known.sort();
    assert_eq!(files, known);
    for name in &known {
        let of = message_of(name).and_then(|message| CHANNELS.iter().find_map(|channel| message.text(channel)));
        let text = fs::read_to_string(folder.join(name)).expect("it is text");
        assert!(of.is_some_and(|(own, built_in)| own == *name && built_in == text), "{name}: another message's text");
    }
}

#[test]
fn a_file_that_cannot_be_right_is_refused_with_its_name_and_the_placeholder() {
    let sms = "missed_appointment.sms.txt";
    let email = "ticket_escalated.email.txt";
    for (name, text, why) in [
        (sms, "Dr. {doctor} waited.", "{doctor} names a person"),
        (email, "Subject: {assignee}\n\n{message}", "no placeholder {assignee}"),
        (sms, "Your {service} at {start}", "no placeholder {service}; it has {appointment_id}, {start}, {day}"),
        (sms, "At {start", "begins no placeholder"),
        (sms, "At { start }", "begins no placeholder"),
        (sms, "At {}", "begins no placeholder"),
        (sms, " \n", "has no text"),
        (email, "Hello\n\n{message}", "first line must begin with `Subject: `"),
        (email, "Subject: \n\n{message}", "first line must begin with `Subject: `"),
        (email, "Subject: s\n", "has no text"),
        (sms, "\u{1b}[31mred", "control characters"),
        ("missed_appointment.email.txt", "Subject: s\n\nx", "its type has missed_appointment.sms.txt"),
        ("missed_appointment.sms.html", "x", "its type has missed_appointment.sms.txt"),
        ("README.md", "x", "no message has such a file; there are missed_appointment.sms.txt, "),
        ("stage_alert_no_vitals.email.html", "<p>{patient}</p>", "{patient} names a person"),
    ] {
        let message = why_not(name, text.as_bytes());
        assert!(message.contains(name) && message.contains(why), "{name} {text:?}: {message}");
    }
    assert!(why_not(sms, b"\xff\xfe").contains(sms));
    assert!(why_not(sms, &vec![b'x'; FILE_MAX as usize + 1]).contains("larger than 16 KiB"));
    assert_eq!(why_not(sms, &vec![b'x'; FILE_MAX as usize]), "it is taken");
    assert!(Templates::read(Some(Path::new("/nowhere"))).err().is_some_and(|error| error.message.contains("/nowhere")));
}

#[test]
fn no_placeholder_that_names_anybody_is_in_a_text_of_any_type() {
    for message in MESSAGES {
        for (name, class) in message.placeholders {
            for (channel, _) in message.files {
                let file = file_name(&message.stem(), channel, "txt");
                let text = format!("{}x {{{name}}}", if *channel == "EMAIL" { "Subject: s\n" } else { "" });
                assert_eq!(why_not(&file, text.as_bytes()) == "it is taken", *class != Class::Name, "{file} {name}");
            }
        }
    }
}

#[test]
fn a_file_of_the_clinic_takes_the_place_of_ours_and_the_others_stay() {
    let own =
        folder("ticket_escalated.email.txt", b"\xef\xbb\xbfSubject: {{{ticket}}}\r\n\r\nLook:\r\n{message} }\r\n");
    fs::write(own.path().join("ticket_escalated.email.html"), "<p class=\"x\">{message}</p>").expect("writable");
    fs::create_dir(own.path().join("..data")).expect("as Kubernetes mounts it");
    let templates = Templates::read(Some(own.path())).expect("it is right");
    let values = json!({"ticket": "7\r\nBcc: x", "message": "a<b> & \"c\"\nd\u{202e}e"});
    let text = templates.render("TICKET_ESCALATED", "EMAIL", &values).expect("it has all it needs");
    assert_eq!(text.title.as_deref(), Some("{7  Bcc: x}"));
    assert_eq!(text.body, "Look:\na<b> & \"c\"\nd e }");
    assert_eq!(text.html.as_deref(), Some("<p class=\"x\">a&lt;b&gt; &amp; &quot;c&quot;<br>\nd e</p>"));
    let other = templates.render("PX_CASE_ESCALATED", "EMAIL", &json!({"level": 2})).expect("it is there");
    assert!(other.body.contains("(Level 2)") && other.html.is_none());
}

#[test]
fn a_row_that_a_text_does_not_fit_keeps_its_own() {
    let templates = Templates::read(None).expect("our own are right");
    for (kind, channel, values) in [
        ("RECALL", "SMS", json!({})),
        ("MISSED_APPOINTMENT", "SMS", json!({})),
        ("MISSED_APPOINTMENT", "SMS", json!({"form": "OTHER", "start": "14:30"})),
        ("MISSED_APPOINTMENT", "EMAIL", json!({"start": "14:30"})),
        ("MISSED_APPOINTMENT", "SMS", json!({"start": ["14:30"]})),
        ("JOB_FAILING", "WEBHOOK", json!({"job": "x"})),
    ] {
        assert!(templates.render(kind, channel, &values).is_none(), "{kind} {channel} {values}");
    }
    let null = templates.render("MISSED_APPOINTMENT", "SMS", &json!({"start": null})).expect("NULL is nothing");
    assert!(null.title.is_none() && null.body.starts_with("You missed your  appointment"), "{}", null.body);
}

/// The table of docs/templates.md.
fn table() -> String {
    let class = |class: Class| match class {
        Class::Id => "id",
        Class::Code => "code",
        Class::Moment => "date or time",
        Class::Count => "count",
        Class::Words => "text",
        Class::Name => "name",
    };
    let ends = |cause: Cause| match cause {
        Cause::MissedVisit => "the visit is no longer NO_SHOW",
        Cause::CancelledVisit => "the visit is no longer CANCELLED",
        Cause::Alert(_) => "the alert is resolved",
        Cause::Ticket => "the ticket is RESOLVED or CLOSED",
        Cause::Case => "the case is RESOLVED or CLOSED",
        Cause::Event => "never",
    };
    let mut table = String::from("| type | file | placeholders | moot when |\n|---|---|---|---|\n");
    for message in MESSAGES {
        let form = message.form.map_or_else(String::new, |form| format!(", {form}"));
        let files: Vec<String> =
            CHANNELS.iter().filter_map(|channel| Some(format!("`{}`", message.text(channel)?.0))).collect();
        let names = message.placeholders.iter().filter(|(_, class)| *class != Class::Name);
        let names: Vec<String> = names.map(|(name, of)| format!("`{name}` {}", class(*of))).collect();
        let ends = ends(message.cause);
        let _ = writeln!(table, "| {}{form} | {} | {} | {ends} |", message.kind, files.join(", "), names.join(", "));
    }
    table
}

#[test]
fn the_documentation_has_every_message() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md")).expect("it is there");
    let table = table();
    assert!(page.contains(&table), "docs/templates.md needs this table:\n{table}");
}
