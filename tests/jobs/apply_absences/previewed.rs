//! `rounds absences show` and `preview`.

use serde_json::{Value, json};

use super::{AT_0700, DAY, booked, leave, run, slot};
use crate::jobs::owed::state;
use crate::support::Clinic;
use crate::support::keys::Kind;

fn counts(shown: &Value) -> [u64; 3] {
    ["slotsBlocked", "cancelledAppointments", "patientNotifications"].map(|key| shown[key].as_u64().expect("a count"))
}

/// Three visits at 09:00, 10:00 and 11:00, and two days of twelve slots; one patient has no phone.
async fn example(kind: Kind) -> (Clinic, i64) {
    let clinic = Clinic::of(kind).await;
    let (facility, doctor) = clinic.new_york(15).await;
    for hour in 0..12 {
        let time = format!("{:02}:00", 8 + hour);
        match hour {
            1..=3 => drop(booked(&clinic, facility, doctor, &time).await),
            _ => drop(slot(&clinic, doctor, DAY, &time).await),
        }
        slot(&clinic, doctor, "2026-03-03", &time).await;
    }
    clinic.sql("UPDATE patients SET phone = NULL WHERE id = k(2)").await;
    (clinic, doctor)
}

#[tokio::test]
async fn a_page_can_ask_before_it_saves() {
    for kind in Kind::ALL {
        let (clinic, doctor) = example(kind).await;
        let ask = async |args: &[&str]| {
            let args = [&["absences"], args, &["--as-of", AT_0700, "--output", "json"]].concat();
            clinic.run(&args).await.expect(0).report()
        };
        let (key, before) = (kind.text(doctor), state(&clinic).await);
        let unsaved =
            ["preview", "--doctor", &key, "--type", "EMERGENCY", "--from", "2026-03-02", "--to", "2026-03-03"];
        let asked = ask(&unsaved).await;
        assert_eq!(counts(&asked), [24, 3, 3], "{kind:?} {asked}");
        let part = [&unsaved[..], &["--from-time", "10:00", "--to-time", "08:00"]].concat();
        assert_eq!(counts(&ask(&part).await), [10, 2, 2], "{kind:?}");
        let other = unsaved.map(|word| if word == "EMERGENCY" { "TRAINING" } else { word });
        let asked = ask(&other).await;
        assert_eq!(counts(&asked), [24, 0, 0], "{kind:?}");
        assert_eq!(asked["warnings"][0]["code"], "VISITS_KEPT");
        assert_eq!(asked["warnings"][0]["appointments"][2], json!({"id": kind.text(3), "date": DAY, "time": "11:00"}));
        assert_eq!(state(&clinic).await, before, "nothing was changed");
        let id = kind.text(leave(&clinic, doctor, "EMERGENCY", "'2026-03-02', '2026-03-03', NULL, NULL").await);
        let asked = ask(&["preview", &id]).await;
        assert_eq!(counts(&asked), [24, 3, 3], "{kind:?} {asked}");
        let keys: Vec<&String> = asked.as_object().expect("an object").keys().collect();
        let expected = ["absence", "cancelledAppointments", "patientNotifications", "slotsBlocked", "warnings"];
        let mut keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, expected);
        let shown = ask(&["show", &id]).await;
        assert_eq!((counts(&shown), &shown["warnings"][0]["code"]), ([0, 0, 0], &json!("NOT_APPLIED")));
        run(&clinic).await.expect(0);
        let shown = ask(&["show", &id]).await;
        assert_eq!((counts(&shown), &shown["warnings"]), ([24, 3, 3], &json!([])), "{kind:?} {shown}");
        assert_eq!(shown["absence"]["firstDay"], "2026-03-02");
        assert_eq!(counts(&ask(&["preview", &id]).await), [0, 0, 0], "it is done");
        let bookable =
            "SELECT count(*) FROM doctor_slots WHERE is_booked OR NOT is_blocked OR appointment_id IS NOT NULL";
        assert_eq!(clinic.count(bookable).await, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let clinic = Clinic::new().await;
    clinic.new_york(15).await;
    for (args, code) in [
        (&["show", "7"][..], Some("UNKNOWN_ABSENCE")),
        (&["show", "x"], Some("UNKNOWN_ABSENCE")),
        (&["preview", "x"], Some("UNKNOWN_ABSENCE")),
        (&["preview", "--doctor", "9", "--type", "OTHER", "--from", DAY, "--to", DAY], Some("UNKNOWN_DOCTOR")),
        (&["preview", "--doctor", "1"], None),
        (&["preview", "--doctor", "1", "--type", "FUN", "--from", DAY, "--to", DAY], None),
        (&["preview"], None),
    ] {
        let outcome = clinic.run(&[&["absences"], args, &["--output", "json"]].concat()).await;
        assert_eq!(outcome.code, 2, "{outcome:?}");
        if let Some(code) = code {
            assert_eq!(outcome.report()["error_code"], code, "{args:?}");
        }
    }
}

#[tokio::test]
async fn what_needs_a_persons_word_says_so() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 51).await;
    let id = leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await.to_string();
    let text = clinic.run(&["absences", "preview", &id, "--as-of", AT_0700, "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("51 visits would be cancelled\n") && text.contains("NEEDS_CONFIRMATION"), "{text}");
}
