//! `--explain` and `--list` of the jobs that judge rows, against what a dry run does.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::Clinic;
use crate::support::keys::Kind;

/// The rows of a world that are explained one by one. Each takes some processes.
const SAMPLE: usize = 6;
/// Of how many of them it is looked at when they are due.
const LATER: usize = 2;

/// A job, in the words of these tests.
pub struct Explained<'a> {
    pub clinic: &'a Clinic,
    /// Its name and its options.
    pub args: &'a [&'a str],
    /// The ids of all rows that it could judge.
    pub rows: Vec<i64>,
}

/// What a dry run would change: the ids, and what it would do with each if it does several things.
type Changed = BTreeSet<(String, String)>;

fn name(line: &Value) -> String {
    line["name"].as_str().unwrap_or_default().to_owned()
}

impl Explained<'_> {
    async fn changed(&self, now: DateTime<Utc>) -> Changed {
        let as_of = now.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let args = [self.args, &["--as-of", &as_of, "--dry-run", "--list", "1000", "--output", "json"]].concat();
        let outcome = self.clinic.run(&args).await;
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let list = outcome.report()["list"].as_array().expect("a list").clone();
        assert!(list.len() < 1000, "the list has an end");
        list.iter().map(|line| (line["id"].as_str().expect("an id").to_owned(), name(line))).collect()
    }

    async fn verdicts(&self, id: &str, now: DateTime<Utc>) -> Vec<Value> {
        let as_of = now.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let args = [self.args, &["--as-of", &as_of, "--explain", id, "--output", "json"]].concat();
        let report = self.clinic.run(&args).await.expect(0).report();
        let verdicts = report["verdicts"].as_array().expect("verdicts").clone();
        let any = verdicts.iter().any(|verdict| verdict["due"] == true);
        assert_eq!(report["due"], any, "{report}");
        verdicts
    }

    /// Fails unless what is said of a sample of rows is what a dry run does, now and when it is said to be due.
    pub async fn agree(&self, rng: &mut Rng, now: DateTime<Utc>, world: &str) {
        let kind = self.clinic.kind;
        let changed = self.changed(now).await;
        let mut rows = self.rows.clone();
        rng.shuffle(&mut rows);
        let ids: Vec<String> = rows.iter().map(|row| kind.text(*row)).collect();
        let is_changed = |id: &&String| changed.iter().any(|(changed, _)| changed == *id);
        let sample = ids.iter().filter(is_changed).take(SAMPLE / 2);
        let sample = sample.chain(ids.iter().filter(|id| !is_changed(id)).take(SAMPLE));
        let mut later = 0;
        for id in sample {
            let verdicts = self.verdicts(id, now).await;
            let due: BTreeSet<_> = verdicts.iter().filter(|verdict| verdict["due"] == true).map(name).collect();
            let done = changed.iter().filter(|(changed, _)| changed == id).map(|(_, name)| name.clone());
            assert_eq!(due, done.collect(), "{world}: {id} at {now}: {verdicts:?}");
            for verdict in verdicts {
                let what = format!("{world}: {id} at {now}: {verdict}");
                let is_due = changed.contains(&(id.clone(), name(&verdict)));
                assert_eq!(verdict["due"], is_due, "{what}");
                let reasons = verdict["reasons"].as_array().expect("reasons");
                assert_eq!(reasons.is_empty(), is_due, "{what}");
                if let Some(due_at) = verdict["due_at"].as_str() {
                    assert!(!is_due, "{what}");
                    later += 1;
                    if later > LATER {
                        continue;
                    }
                    self.becomes_due(id, &name(&verdict), due_at.parse().expect("an instant"), &what).await;
                }
            }
        }
    }

    async fn becomes_due(&self, id: &str, name: &str, due_at: DateTime<Utc>, what: &str) {
        for (then, is_due) in [(due_at, true), (due_at - TimeDelta::microseconds(1), false)] {
            let changed = self.changed(then).await;
            assert_eq!(changed.contains(&(id.to_owned(), name.to_owned())), is_due, "{what}: at {then}");
        }
    }
}

/// The jobs that judge rows, the error of an id that none has, in the order of the table.
const JUDGES: [(&str, &str); 9] = [
    ("mark-no-shows", "UNKNOWN_APPOINTMENT"),
    ("stage-alerts", "UNKNOWN_APPOINTMENT"),
    ("notify-cancellations", "UNKNOWN_APPOINTMENT"),
    ("apply-absences", "UNKNOWN_APPOINTMENT"),
    ("flag-schedule-conflicts", "UNKNOWN_APPOINTMENT"),
    ("escalate-sla", "UNKNOWN_CASE"),
    ("monitor-ticket-sla", "UNKNOWN_TICKET"),
    ("escalate-tickets", "UNKNOWN_TICKET"),
    ("advance-billing", "UNKNOWN_CASE"),
];

#[tokio::test]
async fn an_id_that_no_row_has_is_refused_by_each_job() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        for (job, code) in JUDGES {
            for id in ["4711", "no key"] {
                let report = clinic.run(&[job, "--explain", id]).await.expect(2).report();
                assert_eq!((&report["ok"], &report["error_code"]), (&json!(false), &json!(code)), "{job}");
                assert!(report["error_message"].as_str().expect("a text").contains(id), "{report}");
            }
        }
        assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    }
}

#[tokio::test]
async fn a_list_is_only_of_a_dry_run() {
    let clinic = Clinic::with_visits(3).await;
    for (job, _) in JUDGES {
        let stage: &[&str] = if job == "advance-billing" { &["--stage", "paid"] } else { &[] };
        let report = clinic.run(&[&[job, "--list"], stage].concat()).await.expect(2).report();
        assert_eq!(report["error_code"], "USAGE", "{job}");
        let report = clinic.run(&[&[job, "--list", "--dry-run"], stage].concat()).await.expect(0).report();
        assert!(report["list"].is_array(), "{job}: {report}");
        clinic.run(&[&[job, "--dry-run", "--list", "1001"], stage].concat()).await.expect(2);
    }
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
}

#[tokio::test]
async fn a_list_has_the_first_items_with_local_time_and_reason_and_no_names() {
    let clinic = Clinic::with_visits(3).await;
    let args = ["mark-no-shows", "--as-of", "2026-03-02T09:20:00-05:00", "--dry-run", "--list", "2"];
    let report = clinic.run(&args).await.expect(0).report();
    let line = |id: &str| {
        json!({"entity": "appointment", "id": id, "facility_id": "1", "at": "2026-03-02T14:00:00.000Z",
               "local_time": "2026-03-02 09:00 EST", "name": null, "why": "nobody came for 20 min"})
    };
    assert_eq!((&report["marked"], &report["list"]), (&json!(3), &json!([line("1"), line("2")])));
    let text = clinic.run(&[&args[..], &["--output", "text"]].concat()).await.expect(0).stdout;
    assert!(text.contains("2026-03-02 09:00 EST") && text.contains("nobody came for 20 min"), "{text}");
    assert!(!text.contains("Pat") && !text.contains("Doe"), "{text}");
    let before = "2026-03-02T09:14:59.999999-05:00";
    let args = ["mark-no-shows", "--as-of", before, "--dry-run", "--list"];
    assert_eq!(clinic.run(&args).await.expect(0).report()["list"], json!([]));
    let text = clinic.run(&[&args[..], &["--output", "text"]].concat()).await.expect(0).stdout;
    assert!(text.contains("The run would change nothing."), "{text}");
}

#[tokio::test]
async fn visits_are_explained_with_all_reasons() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let other = clinic.facility("Asia/Kathmandu", None).await;
    let (untimed, away) = (clinic.doctor(other, None).await, clinic.doctor(facility, Some(15)).await);
    let at = "2026-03-02T09:15:00-05:00";
    let visits = [
        ("due", clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await),
        ("not yet", clinic.scheduled(facility, doctor, "2026-03-02", "09:10").await),
        ("late of yesterday", clinic.scheduled(facility, doctor, "2026-03-01", "09:10").await),
        ("too old", clinic.scheduled(facility, doctor, "2026-02-01", "09:10").await),
        ("without a timeout", clinic.scheduled(other, untimed, "2026-03-02", "09:10").await),
        ("cancelled, too old", clinic.scheduled(facility, doctor, "2026-02-01", "09:20").await),
        ("on leave", clinic.scheduled(facility, away, "2026-03-02", "09:00").await),
    ];
    clinic
        .sql(&format!(
            "INSERT INTO doctor_absences (doctor_id, first_day, last_day) VALUES ({away}, '2026-03-01', '2026-03-03')"
        ))
        .await;
    clinic.sql("UPDATE appointments SET status = 'CANCELLED', cancelled_at = now() WHERE id = 6").await;
    let mut said = String::new();
    for (what, id) in visits {
        let report =
            clinic.run(&["mark-no-shows", "--as-of", at, "--explain", &id.to_string()]).await.expect(0).report();
        assert_eq!(report["appointment_id"], id.to_string());
        said += &format!("{what}: {} {}\n", report["explanation"].as_str().expect("a text"), report["due_at"]);
    }
    clinic.mark(at).await.expect(3);
    let report = clinic.run(&["mark-no-shows", "--as-of", at, "--explain", "1"]).await.expect(0).report();
    assert_eq!(report["history"][0]["reason"], "AUTO_TIMEOUT");
    let run = report["history"][0]["run_id"].as_str().expect("an id");
    said += &format!("marked: {}\n", report["explanation"].as_str().expect("a text").replace(run, "RUN"));
    insta::assert_snapshot!("explained_visits", said);
}

#[tokio::test]
async fn a_refused_item_is_explained_and_not_listed_while_it_waits() {
    let clinic = Clinic::with_visits(2).await;
    clinic.sql("ALTER TABLE no_show_logs ADD CONSTRAINT refuses CHECK (appointment_id <> '1') NOT VALID").await;
    clinic.mark("2026-03-02T09:20:00-05:00").await.expect(3);
    let explained =
        async |at: &str| clinic.run(&["mark-no-shows", "--as-of", at, "--explain", "1"]).await.expect(0).report();
    let waits = explained("2026-03-02T09:34:00-05:00").await;
    assert_eq!((&waits["due"], &waits["verdicts"][0]["refused"]["error_code"]), (&json!(true), &json!("23514")));
    assert_eq!(waits["verdicts"][0]["refused"]["next_try_at"], "2026-03-02T14:35:00Z");
    let text = waits["explanation"].as_str().expect("a text");
    assert!(text.contains("until 2026-03-02 09:35 EST no run tries it"), "{text}");
    let failed = waits["history"][0]["failed"].as_str();
    assert_eq!(failed, Some("23514"), "the failed item of the run: {waits}");
    let list = async |at: &str| {
        clinic.run(&["mark-no-shows", "--as-of", at, "--dry-run", "--list"]).await.report()["list"].clone()
    };
    assert_eq!(list("2026-03-02T09:34:00-05:00").await, json!([]));
    let again = explained("2026-03-02T09:35:00-05:00").await;
    assert_eq!(again["verdicts"][0]["refused"]["next_try_at"], Value::Null);
    assert!(again["explanation"].as_str().expect("a text").contains("the next run tries it again"), "{again}");
    clinic.sql("ALTER TABLE no_show_logs DROP CONSTRAINT refuses").await;
    assert_eq!(list("2026-03-02T09:35:00-05:00").await[0]["id"], "1");
}
