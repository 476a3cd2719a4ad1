//! `rounds prune`: what goes, what stays, and that nothing is deleted before it is archived.

mod account;
mod archive;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::owed::{self, Owed, Subject};
use crate::support::keys::Kind;
use crate::support::{Clinic, gate, program};

/// What is deleted is gone: nothing lets another instant than now decide on it.
const PRUNE: [&str; 1] = ["prune"];
/// An instant of a dry run.
const NOW: &str = "2026-03-02T12:00:00Z";

/// A run that ended so long ago; returns its id.
async fn run(clinic: &Clinic, job: &str, lane: &str, status: &str, age: &str) -> String {
    let insert = format!(
        "INSERT INTO cron_job_runs (id, job_name, lane, status, started_at, heartbeat_at, deadline_at, completed_at, host,
                                    version, error_code)
         SELECT gen_random_uuid(), $1, $2, $3, t, t, t, CASE WHEN $3 <> 'RUNNING' THEN t END, 'h', 'v',
                CASE WHEN $3 = 'FAILED' THEN 'X' END
         FROM (SELECT clock_timestamp() - interval '{age}' AS t) c RETURNING id::text"
    );
    clinic.row(&insert, &[&job, &lane, &status]).await.get(0)
}

async fn error(clinic: &Clinic, run: &str, age: &str) {
    clinic
        .sql(&format!(
            "INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message, created_at)
             VALUES ('{run}', 'appointment', gen_random_uuid()::text, 'X', 'm', clock_timestamp() - interval '{age}')"
        ))
        .await;
}

async fn notice(clinic: &Clinic, status: &str, age: &str) {
    let insert = format!(
        "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id, dedupe_key,
                                    status, sent_at, created_at)
         SELECT 'PATIENT', 1, 'SMS', 'T', 't', 'b', 'appointment', '1', gen_random_uuid()::text, $1,
                CASE WHEN $1 = 'SENT' THEN t END, t
         FROM (SELECT clock_timestamp() - interval '{age}' AS t) c"
    );
    clinic.client.execute(&insert, &[&status]).await.expect("can be inserted");
}

/// Notifications that were sent long ago; of each that goes a row of `gone` is left.
struct NoticeFixture;

impl NoticeFixture {
    /// With so many of them, as what every job owes sees it.
    async fn owed(_kind: Kind, things: i64) -> Owed {
        let clinic = Clinic::new().await;
        clinic
            .sql(&format!(
                "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                            dedupe_key, status, sent_at, created_at)
                 SELECT 'PATIENT', 1, 'SMS', 'T', 't', 'b', 'appointment', n, n, 'SENT', long_ago, long_ago
                 FROM generate_series(1, {things}) n, (SELECT clock_timestamp() - interval '401 days' AS long_ago) c;
                 CREATE TABLE gone (notice bigint);
                 CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO gone VALUES (OLD.id); RETURN NULL; END $$;
                 CREATE TRIGGER note AFTER DELETE ON notifications FOR EACH ROW EXECUTE FUNCTION note()"
            ))
            .await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: &PRUNE,
    table: "notifications",
    written: ("gone", "notice"),
    evidence: &[
        ("gone", "notice", 1),
        ("(SELECT * FROM gone WHERE notice NOT IN (SELECT id FROM notifications))", "notice", 1),
    ],
    entity: "notification",
    done: "/notifications",
    ..owed::SUBJECT
};

// A row that another refers to is held: what is to go is locked more strongly than what is changed. Once: only rows of
// rounds itself go, whose ids are the same in every clinic.
owed::owed_by_the_job! {
    NoticeFixture, Bigint:
    a_second_run_changes_nothing,
    ten_at_once_do_each_once,
    what_the_application_holds_is_left_to_the_next_run,
    one_poison_row_stops_nobody,
    a_dry_run_says_what_a_run_does_and_changes_nothing,
    one_more_than_a_batch_takes_two,
    a_killed_run_is_completed_by_the_next,
    the_brake_holds_before_anything_is_changed,
}

/// The ids of runs that are there, but for prune's own.
async fn left(clinic: &Clinic) -> Vec<String> {
    let rows = clinic.rows("SELECT id::text FROM cron_job_runs WHERE job_name <> 'prune' ORDER BY 1").await;
    rows.iter().map(|row| row.get(0)).collect()
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn runs_go_once_they_are_older_than_they_are_kept() {
    let clinic = Clinic::new().await;
    let newest = run(&clinic, "a", "", "COMPLETED", "1 day").await;
    let kept = run(&clinic, "a", "", "COMPLETED", "399 days 23:50").await;
    run(&clinic, "a", "", "COMPLETED", "400 days 1 second").await;
    let failed = run(&clinic, "a", "", "FAILED", "399 days 23:50").await;
    run(&clinic, "a", "", "FAILED", "400 days 1 second").await;
    let skipped = run(&clinic, "a", "", "SKIPPED", "13 days 23:50").await;
    run(&clinic, "a", "", "SKIPPED", "14 days 1 second").await;
    let at_work = run(&clinic, "b", "", "RUNNING", "900 days").await;
    let report = clinic.run(&PRUNE).await.expect(0).report();
    assert_eq!([&report["scanned"], &report["runs"], &report["skipped"]], [3, 3, 0]);
    assert_eq!(left(&clinic).await, sorted(&[&newest, &kept, &failed, &skipped, &at_work]));
    let own = clinic.json("SELECT status, items_processed FROM cron_job_runs WHERE job_name = 'prune'").await;
    assert_eq!(own, json!({"status": "COMPLETED", "items_processed": 3}), "it is a run itself");
    assert_eq!(clinic.run(&PRUNE).await.expect(0).count("scanned"), 0);
}

#[tokio::test]
async fn cleared_flags_and_ended_hours_go_and_open_ones_stay() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO schedule_flags (appointment_id, facility_id, doctor_id, weekday, version, changed_at, visit_start,
                                         flagged_at, cleared_at, cleared_by)
             SELECT n, 1, 1, 1, 'v', t, CASE n WHEN 2 THEN timestamp '2126-03-02 09:00' ELSE '2020-01-01' END, t,
                    CASE WHEN n = 3 THEN t + interval '2 days' WHEN n < 4 THEN t END, CASE WHEN n < 4 THEN 'FITS' END
             FROM generate_series(1, 4) n, (SELECT clock_timestamp() - interval '401 days' AS t) c;
             INSERT INTO schedule_versions (doctor_id, weekday, version, seen_at, ended_at)
             SELECT 1, n, 'v', t, CASE n WHEN 1 THEN t WHEN 2 THEN t + interval '2 days' END
             FROM generate_series(1, 3) n, (SELECT clock_timestamp() - interval '401 days' AS t) c",
        )
        .await;
    let report = clinic.run(&PRUNE).await.expect(0).report();
    let counts = ["scanned", "schedule_flags", "schedule_versions"].map(|key| report[key].clone());
    assert_eq!(counts, [2, 1, 1].map(Value::from), "{report}");
    let left = "SELECT (SELECT jsonb_agg(appointment_id ORDER BY id) FROM schedule_flags) AS flags,
                       (SELECT jsonb_agg(weekday ORDER BY id) FROM schedule_versions) AS versions";
    assert_eq!(clinic.json(left).await, json!({"flags": ["2", "3", "4"], "versions": [2, 3]}));
}

#[tokio::test]
async fn no_other_instant_than_now_decides_on_what_is_deleted() {
    let clinic = Clinic::new().await;
    for age in ["0 seconds", "400 days", "400 days 1 second"] {
        let id = run(&clinic, "a", "", "FAILED", age).await;
        clinic
            .sql(&format!(
                "UPDATE cron_job_runs SET completed_at = timestamptz '{NOW}' - interval '{age}' WHERE id = '{id}'"
            ))
            .await;
    }
    let before = owed::state(&clinic).await;
    for instant in [NOW, "2999-01-01T00:00:00Z"] {
        for program in [clinic.program.clone(), clinic.program.clone().env("ROUNDS_ALLOW_AS_OF", "1")] {
            let outcome = program.run(&["prune", "--as-of", instant]).await.expect(2);
            assert_eq!(outcome.report()["error_code"], "AS_OF_NOT_ALLOWED", "{outcome:?}");
            let set = program.env("ROUNDS_AS_OF", instant).run(&PRUNE).await.expect(2);
            assert_eq!(set.report()["error_code"], "AS_OF_NOT_ALLOWED", "{set:?}");
        }
    }
    assert_eq!(owed::state(&clinic).await, before);
    // What it would do then can be asked, to the second.
    for (instant, runs) in [(NOW, 1), ("2026-03-02T12:00:01Z", 2), ("2999-01-01T00:00:00Z", 3)] {
        let dry = clinic.run(&["prune", "--as-of", instant, "--dry-run"]).await.expect(0);
        assert_eq!(dry.count("runs"), runs, "{instant}");
    }
    assert_eq!(owed::state(&clinic).await, before);
}

#[tokio::test]
async fn of_clients_who_are_nobodys_nothing_is_kept_that_nobody_needs() {
    let clinic = Clinic::new().await;
    let unmatched = async |id: &str, status: &str, visit: &str, decided: &str| {
        let (by, patient) =
            (if status == "open" { "NULL" } else { "'1'" }, if status == "linked" { "'7'" } else { "NULL" });
        let decided = if status == "open" { "NULL".to_owned() } else { format!("t - interval '{decided}'") };
        clinic
            .sql(&format!(
                r#"INSERT INTO practiceq_unmatched (external_id, client_id, reason, status, patient_id, starts_at, content,
                                                    first_seen, decided_by, decided_at)
                   SELECT '{id}', '900', 'NOBODY', '{status}', {patient}, t - interval '{visit}',
                          '{{"client_name": "Newt", "service_name": "s"}}', t, {by}, {decided}
                   FROM (SELECT clock_timestamp() AS t) now"#
            ))
            .await;
    };
    unmatched("open to come", "open", "-5 days", "").await;
    unmatched("open at the limit", "open", "29 days 23:59", "").await;
    unmatched("open over", "open", "30 days 1 second", "").await;
    unmatched("ignored lately", "ignored", "90 days", "29 days 23:59").await;
    unmatched("ignored before", "ignored", "-5 days", "30 days 1 second").await;
    unmatched("ignored and over", "ignored", "31 days", "30 days 1 second").await;
    unmatched("linked lately", "linked", "90 days", "29 days 23:59").await;
    unmatched("linked before", "linked", "90 days", "30 days 1 second").await;
    let left = async || {
        let rows = "SELECT external_id || CASE WHEN content = '{}' THEN ': the decision' ELSE '' END
                    FROM practiceq_unmatched ORDER BY id";
        clinic.rows(rows).await.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    let all = left().await;
    assert_eq!(clinic.run(&[&PRUNE[..], &["--dry-run"]].concat()).await.expect(0).count("unmatched"), 4);
    assert_eq!((all.len(), left().await), (8, all), "a dry run changes nothing");
    assert_eq!(clinic.run(&[&PRUNE[..], &["--keep-unmatched", "100d"]].concat()).await.expect(0).count("scanned"), 0);
    let report = clinic.run(&PRUNE).await.expect(0).report();
    assert_eq!([&report["scanned"], &report["unmatched"]], [4, 4]);
    let expected = [
        "open to come",
        "open at the limit",
        "ignored lately",
        "ignored before: the decision",
        "linked lately",
        "linked before: the decision",
    ];
    assert_eq!(left().await, expected);
    assert_eq!(clinic.run(&PRUNE).await.expect(0).count("scanned"), 0);
}

#[tokio::test]
async fn the_last_success_of_a_lane_stays_however_old_it_is() {
    let clinic = Clinic::new().await;
    let mut last = vec![];
    for (job, lane) in [("a", ""), ("a", "x"), ("b", "")] {
        last.push(run(&clinic, job, lane, "COMPLETED", "900 days").await);
        run(&clinic, job, lane, "COMPLETED", "901 days").await;
        run(&clinic, job, lane, "FAILED", "890 days").await;
    }
    assert_eq!(clinic.run(&PRUNE).await.expect(0).count("runs"), 6);
    assert_eq!(left(&clinic).await, sorted(&last.iter().collect::<Vec<_>>()));
}

#[tokio::test]
async fn failed_items_go_with_their_run_or_before_it() {
    let clinic = Clinic::new().await;
    let (old, young) =
        (run(&clinic, "a", "", "FAILED", "401 days").await, run(&clinic, "a", "", "FAILED", "50 days").await);
    error(&clinic, &old, "401 days").await;
    error(&clinic, &young, "29 days 23:50").await;
    error(&clinic, &young, "30 days 1 second").await;
    let report = clinic.run(&[&PRUNE[..], &["--keep-errors", "30d"]].concat()).await.expect(0).report();
    assert_eq!([&report["runs"], &report["run_errors"], &report["scanned"]], [1, 2, 3]);
    let kept = format!("SELECT count(*) FROM cron_job_run_errors WHERE run_id = '{young}'");
    assert_eq!(clinic.count(&kept).await, 1);
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_run_errors").await, 1);
}

#[tokio::test]
async fn only_notifications_that_were_sent_go() {
    let clinic = Clinic::new().await;
    for status in ["PENDING", "SENDING", "UNCERTAIN", "FAILED", "EXPIRED", "SUPPRESSED", "SENT"] {
        notice(&clinic, status, "401 days").await;
    }
    notice(&clinic, "SENT", "29 days 23:50").await;
    notice(&clinic, "SENT", "30 days 1 second").await;
    // Staged long ago, and sent lately.
    clinic
        .sql(
            "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, sent_at, created_at)
             VALUES ('PATIENT', 1, 'SMS', 'T', 't', 'b', 'x', '1', 'k', 'SENT', clock_timestamp() - interval '1 day',
                     clock_timestamp() - interval '401 days')",
        )
        .await;
    assert_eq!(clinic.run(&PRUNE).await.expect(0).count("notifications"), 1);
    let report = clinic.run(&[&PRUNE[..], &["--keep-notifications", "30d"]].concat()).await.expect(0).report();
    assert_eq!(report["notifications"], 1);
    let sent = clinic.count("SELECT count(*) FROM notifications WHERE status = 'SENT'").await;
    assert_eq!((sent, clinic.count("SELECT count(*) FROM notifications").await), (2, 8));
}

/// A directory of this test alone, which goes with it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a place for files"))
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(self.0.path()).expect("is there").map(|file| file.expect("readable").path()).collect();
        files.sort();
        files
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let file = MultiGzDecoder::new(File::open(path).expect("is there"));
    BufReader::new(file).lines().map(|line| serde_json::from_str(&line.expect("text")).expect("JSON")).collect()
}

/// Rows of all three tables, more than a batch of each.
async fn old_history() -> Clinic {
    let clinic = Clinic::new().await;
    run(&clinic, "a", "", "COMPLETED", "1 day").await;
    for _ in 0..7 {
        let id = run(&clinic, "a", "", "COMPLETED", "401 days").await;
        error(&clinic, &id, "401 days").await;
        notice(&clinic, "SENT", "401 days").await;
    }
    clinic
}

#[tokio::test]
async fn what_goes_is_archived_first_row_by_row() {
    let clinic = old_history().await;
    let place = Place::new();
    let before = clinic
        .json(
            "SELECT (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM cron_job_runs r WHERE completed_at < clock_timestamp() - interval '400 days')
                        AS runs,
                    (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.id) FROM cron_job_run_errors e) AS errors,
                    (SELECT jsonb_agg(to_jsonb(n) ORDER BY n.id) FROM notifications n) AS notices",
        )
        .await;
    let args = [&PRUNE[..], &["--archive", place.path(), "--batch-rows", "3"]].concat();
    // A dry run writes nothing there.
    assert_eq!(clinic.run(&[&args[..], &["--dry-run"]].concat()).await.expect(0).count("runs"), 7);
    assert!(place.files().is_empty());
    let report = clinic.run(&args).await.expect(0).report();
    assert_eq!([&report["runs"], &report["run_errors"], &report["notifications"]], [7, 7, 7]);
    let files = place.files();
    let id = report["run_id"].as_str().expect("an id");
    for (file, (table, key)) in
        files.iter().zip([("cron_job_run_errors", "errors"), ("cron_job_runs", "runs"), ("notifications", "notices")])
    {
        assert_eq!(
            file.file_name().and_then(|name| name.to_str()),
            Some(format!("rounds-prune-{id}-{table}.jsonl.gz").as_str())
        );
        assert_eq!(fs::metadata(file).expect("is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(json!(lines(file)), before[key], "{table}");
    }
    assert_eq!(report["archived"], json!(files));
    assert_eq!(left(&clinic).await.len(), 1);
}

#[tokio::test]
async fn without_an_archive_nothing_is_deleted() {
    let clinic = old_history().await;
    let place = Place::new();
    fs::remove_dir(place.path()).expect("can be removed");
    let missing = clinic.run(&[&PRUNE[..], &["--archive", place.path()]].concat()).await.expect(2);
    assert!(missing.stderr.contains("is no directory"), "{}", missing.stderr);
    // A directory in which nobody can make a file.
    #[cfg(target_os = "linux")]
    {
        let outcome = clinic.run(&[&PRUNE[..], &["--archive", "/proc"]].concat()).await.expect(1);
        assert_eq!(outcome.report()["error_code"], "ARCHIVE");
        assert!(outcome.stderr.contains("nothing was deleted"), "{}", outcome.stderr);
    }
    assert_eq!((left(&clinic).await.len(), clinic.count("SELECT count(*) FROM notifications").await), (8, 7));
}

/// A gate before the notification that is deleted.
async fn build_gate(clinic: &Clinic) {
    clinic
        .sql(
            "CREATE TABLE gate (appointment_id bigint PRIMARY KEY);
             CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 WHILE EXISTS (SELECT FROM gate g WHERE g.appointment_id = OLD.id) LOOP PERFORM pg_sleep(0.01); END LOOP;
                 RETURN OLD;
             END $$;
             CREATE TRIGGER gate BEFORE DELETE ON notifications FOR EACH ROW EXECUTE FUNCTION pass_gate()",
        )
        .await;
}

#[tokio::test]
async fn a_prune_that_is_killed_is_completed_by_the_next() {
    let clinic = old_history().await;
    build_gate(&clinic).await;
    gate::close(&clinic, 5).await;
    let place = Place::new();
    let args = [&PRUNE[..], &["--archive", place.path(), "--batch-rows", "2"]].concat();
    let mut killed = clinic.program.start(&args);
    gate::reached(&clinic).await;
    killed.kill().await.expect("it lives");
    gate::open(&clinic).await;
    assert_eq!(clinic.bury().await, 1, "one run was killed");
    let report = clinic.run(&args).await.expect(0).report();
    assert_eq!(
        [&report["runs"], &report["run_errors"], &report["notifications"]],
        [0, 0, 3],
        "what was committed stays"
    );
    assert_eq!(left(&clinic).await.len(), 1);
    assert_eq!(clinic.count("SELECT count(*) FROM notifications").await, 0);
    assert_eq!(place.files().len(), 4, "three of the killed run, one of the next");
}

#[tokio::test]
async fn a_prune_that_runs_out_of_time_tells_what_it_did() {
    let clinic = old_history().await;
    build_gate(&clinic).await;
    gate::close(&clinic, 5).await;
    let report =
        clinic.run(&[&PRUNE[..], &["--batch-rows", "2", "--timeout", "2s"]].concat()).await.expect(124).report();
    assert_eq!([&report["runs"], &report["run_errors"], &report["notifications"]], [7, 7, 4]);
    assert_eq!(clinic.count("SELECT items_processed FROM cron_job_runs WHERE job_name = 'prune'").await, 18);
}

#[tokio::test]
async fn a_row_that_somebody_holds_and_one_that_is_refused_stop_nobody() {
    let clinic = old_history().await;
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             CREATE TRIGGER refuse BEFORE DELETE ON notifications FOR EACH ROW WHEN (OLD.id = 4) EXECUTE FUNCTION refuse();
             CREATE TRIGGER refuse BEFORE DELETE ON cron_job_runs FOR EACH ROW WHEN (OLD.job_name = 'z') EXECUTE FUNCTION refuse()",
        )
        .await;
    run(&clinic, "z", "", "COMPLETED", "1 day").await;
    let poison = run(&clinic, "z", "", "COMPLETED", "401 days").await;
    clinic.sql("BEGIN; SELECT FROM notifications WHERE id = 2 FOR KEY SHARE").await;
    let report = clinic.run(&PRUNE).await.expect(3).report();
    clinic.sql("COMMIT").await;
    assert_eq!([&report["scanned"], &report["runs"], &report["run_errors"], &report["notifications"]], [22, 7, 7, 5]);
    assert_eq!(report["skipped_by_reason"], json!({"locked": 1}));
    let errors = json!([
        {"entity": "run", "id": poison, "code": "P0001"},
        {"entity": "notification", "id": "4", "code": "P0001"},
    ]);
    assert_eq!(report["errors"], errors);
}

#[tokio::test]
async fn two_at_once_delete_each_row_once_and_the_brake_holds() {
    let clinic = old_history().await;
    let outcome = clinic.run(&[&PRUNE[..], &["--max-items", "20"]].concat()).await.expect(5);
    assert_eq!((outcome.count("scanned"), left(&clinic).await.len()), (0, 8));
    let args = [&PRUNE[..], &["--batch-rows", "1"]].concat();
    let runs: Vec<_> = (0..2).map(|_| clinic.program.start(&args)).collect();
    let mut pruned = 0;
    for run in runs {
        pruned += program::finish(run).await.expect(0).report()["runs"].as_u64().unwrap_or(0);
    }
    assert_eq!((pruned, left(&clinic).await.len()), (7, 1));
}

#[tokio::test]
async fn less_than_a_day_is_not_history() {
    let clinic = Clinic::new().await;
    for flag in ["--keep", "--keep-skipped", "--keep-errors", "--keep-notifications"] {
        let outcome = clinic.run(&["prune", flag, "23h"]).await.expect(2);
        assert!(outcome.stderr.contains("must be at least 1d"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn what_is_kept_of_blocked_slots_goes_when_they_are_long_over() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO blocked_slots (slot_id, absence_id, doctor_id, starts_at, ends_at, was_blocked, blocked_at)
             SELECT n, 1, 1, t, t + n * interval '2 days', false, t
             FROM generate_series(0, 1) n, (SELECT clock_timestamp() - interval '401 days' AS t) c",
        )
        .await;
    let report = clinic.run(&PRUNE).await.expect(0).report();
    assert_eq!((&report["scanned"], &report["blocked_slots"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(clinic.json("SELECT jsonb_agg(slot_id) AS left FROM blocked_slots").await, json!({"left": ["1"]}));
}
