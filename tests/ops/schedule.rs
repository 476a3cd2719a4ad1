//! The schedule of a clinic: a file that is refused, and what goes by one that is not. What is wrong in a file is
//! tested where it is read.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Australia::Adelaide;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Clinic, Program};

/// A file of a schedule, in a directory of its own.
struct File {
    _dir: TempDir,
    path: PathBuf,
}

impl File {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.toml");
        fs::write(&path, text).expect("a file");
        Self { _dir: dir, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }
}

/// Two jobs in a zone of half an hour, at odd hours.
const TWO: &str = r#"zone = "Australia/Adelaide"

[[job]]
name = "mark-no-shows"
cadence = "every 20 minutes"
hours = "06:10-21:30"
deadline = "3m"

[[job]]
name = "prune"
cadence = "25 5 * * 1,4"
deadline = "20s"
"#;

fn nowhere() -> Program {
    Program::new("").without("DATABASE_URL")
}

#[tokio::test]
async fn a_file_that_cannot_be_a_schedule_is_refused_at_the_start_of_any_command() {
    let empty = File::new("");
    let large = File::new(&"# schedule\n".repeat(1_000_000));
    let unknown = File::new(&TWO.replace("prune", "tidy"));
    let key = File::new(&TWO.replace("hours", "times"));
    let args = File::new(&TWO.replace("\"prune\"\n", "\"prune\"\nargs = [\"--sweep\"]\n"));
    let lane = File::new(
        "zone = \"UTC\"\n[[job]]\nname = \"advance-billing\"\nlane = \"paid\"\nargs = [\"--stage\", \
         \"pending-payment\"]\ncadence = \"Mon 08:00\"\n",
    );
    let dir = empty.path.parent().and_then(|dir| dir.to_str()).expect("a directory");
    let cases = [
        (empty.path(), "s.toml:1: it has no job"),
        (dir, "is a directory"),
        ("/dev/null", "is no plain file"),
        ("/nowhere/s.toml", "cannot be read"),
        (large.path(), "is larger than 64 KiB"),
        (unknown.path(), "s.toml:10: there is no job `tidy`"),
        (key.path(), "s.toml:6: unknown field `times`"),
        (args.path(), "s.toml:10: prune does not take these args"),
        (
            lane.path(),
            "s.toml:3: with these args a run of advance-billing has the lane \"pending-payment\"; it says \"paid\"",
        ),
    ];
    for (path, why) in cases {
        let refused = nowhere().run(&["schedule", "--schedule", path]).await.expect(2);
        let report = refused.report();
        let message = report["error_message"].as_str().expect("a message");
        assert!(message.contains(why) && report["error_code"] == "SCHEDULE", "{path}: {message}");
        assert!(refused.stderr.contains(path), "{}", refused.stderr);
    }
    for command in [&["health"][..], &["mark-no-shows"], &["check"], &["pause", "prune", "--reason", "r"]] {
        nowhere().env("ROUNDS_SCHEDULE", empty.path()).run(command).await.expect(2);
    }
}

/// A clinic, and an admin of the group.
async fn supervised() -> (Clinic, String) {
    let clinic = Clinic::new().await;
    let user = clinic.of_the_group().await.to_string();
    (clinic, user)
}

#[tokio::test]
async fn a_broken_file_keeps_nobody_from_stopping_everything() {
    let broken = File::new("");
    let (clinic, user) = supervised().await;
    let program = clinic.program.clone().env("ROUNDS_SCHEDULE", broken.path());
    let stop = ["pause", "--all", "--reason", "r", "--actor", &user];
    let go_on = ["resume", "--all", "--actor", &user];
    for command in [&stop[..], &go_on, &["runs", "list"], &["migrate", "--check"]] {
        let outcome = program.run(command).await.expect(0);
        assert!(outcome.stderr.contains("; this command goes on without it"), "{}", outcome.stderr);
    }
    let restored = program.run(&["resume", "--restored", "--actor", &user]).await.expect(1).report();
    assert_eq!(restored["error_code"], "NOT_RESTORED", "{restored}");
    for command in [&["pause", "prune", "--reason", "r", "--actor", &user][..], &["resume", "prune", "--actor", &user]]
    {
        let refused = program.run(command).await.expect(2).report();
        assert_eq!(refused["error_code"], "SCHEDULE", "a name is one of the schedule: {refused}");
    }
    assert_eq!(clinic.count("SELECT count(*) FROM pauses WHERE resumed_at IS NOT NULL").await, 1);
}

#[tokio::test]
async fn a_pause_outlasts_its_lane_in_the_schedule_and_can_be_resumed() {
    let two = File::new(TWO);
    let (clinic, user) = supervised().await;
    let with = |file: &File| clinic.program.clone().env("ROUNDS_SCHEDULE", file.path());
    let lanes = ["advance-billing-paid", "prune"];
    for lane in lanes {
        clinic.run(&["pause", lane, "--reason", "r", "--actor", &user]).await.expect(0);
    }
    // A lane that neither schedule has.
    clinic
        .sql(&format!(
            "INSERT INTO pauses (job_name, lane, reason, paused_by, paused_at)
             VALUES ('advance-billing', 'of old', 'r', '{user}', clock_timestamp())"
        ))
        .await;
    let report = with(&two).run(&["health"]).await.report();
    let told: Vec<_> = report["notScheduledPauses"].as_array().expect("a list").iter().map(|one| &one["of"]).collect();
    assert_eq!(told, ["advance-billing-paid", "advance-billing-of old"], "prune has a row: {report}");
    let text = with(&two).run(&["health", "--output", "text"]).await.stdout;
    let sentence = format!("advance-billing-paid: not scheduled, and paused by user {user} since ");
    assert!(text.contains(&sentence), "{text}");
    for lane in ["advance-billing-paid", "advance-billing-of old", "prune"] {
        let report = with(&two).run(&["resume", lane, "--actor", &user]).await.expect(0).report();
        assert_eq!(report["lane"].is_null(), lane == "prune", "{report}");
    }
    assert_eq!(clinic.count("SELECT count(*) FROM pauses WHERE resumed_at IS NULL").await, 0);
    let report = with(&two).run(&["health"]).await.report();
    assert_eq!(report["notScheduledPauses"], json!([]), "{report}");
    // A lane of the default schedule may be paused by the name that it has there.
    with(&two).run(&["pause", "advance-billing-paid", "--reason", "r", "--actor", &user]).await.expect(0);
    let unknown = with(&two).run(&["resume", "advance-billing-of old", "--actor", &user]).await.expect(2).report();
    assert_eq!(unknown["error_code"], "UNKNOWN_JOB", "{unknown}");
}

#[tokio::test]
async fn a_pause_excuses_the_slots_in_it_however_far_back_the_numbers_go() {
    let cadence = "cadence = \"0 8 24,25 * *\"";
    let month_end = File::new(&TWO.replace("cadence = \"25 5 * * 1,4\"", cadence));
    let clinic = Clinic::new().await;
    let program = clinic.program.clone().env("ROUNDS_SCHEDULE", month_end.path());
    let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
    ran(&clinic, "prune", "cron", at("2025-10-24T21:30:03Z")).await;
    let health = async |more: &[&str], code| {
        let args = [&["health", "prune", "--as-of", "2025-11-29T12:00:00Z"], more].concat();
        program.run(&args).await.expect(code);
    };
    health(&[], 1).await;
    clinic
        .sql(
            "INSERT INTO pauses (job_name, reason, paused_by, paused_at, resumed_at, resumed_by)
             VALUES ('prune', 'r', '1', '2025-11-23T00:00:00Z', '2025-11-26T00:00:00Z', '1')",
        )
        .await;
    for more in [&[][..], &["--since", "1h"], &["--since", "24h"], &["--since", "60d"]] {
        health(more, 0).await;
    }
}

#[tokio::test]
async fn a_job_of_two_slots_a_day_that_is_silent_for_days_is_unhealthy() {
    let morning = File::new(&TWO.replace("cadence = \"25 5 * * 1,4\"", "cadence = \"0,30 8 * * *\""));
    let clinic = Clinic::new().await;
    let program = clinic.program.clone().env("ROUNDS_SCHEDULE", morning.path());
    // 08:30 of November 24 in Adelaide.
    ran(&clinic, "prune", "cron", "2025-11-23T22:00:03Z".parse().expect("an instant")).await;
    for (now, code) in [("2025-11-24T12:00:00Z", 0), ("2025-11-24T23:30:00Z", 1), ("2025-11-29T12:00:00Z", 1)] {
        program.run(&["health", "prune", "--as-of", now]).await.expect(code);
    }
}

#[tokio::test]
async fn the_zone_is_said_once() {
    let two = File::new(TWO);
    let schedule = nowhere().env("ROUNDS_SCHEDULE", two.path());
    let zone = |outcome: crate::support::program::Outcome| outcome.report()["schedule_zone"].clone();
    assert_eq!(zone(schedule.run(&["schedule"]).await.expect(0)), "Australia/Adelaide");
    schedule.run(&["schedule", "--schedule-zone", "Australia/Adelaide"]).await.expect(0);
    let twice = schedule.run(&["schedule", "--schedule-zone", "America/New_York"]).await.expect(2);
    assert!(twice.stderr.contains("its zone is Australia/Adelaide"), "{}", twice.stderr);
    assert_eq!(zone(nowhere().run(&["schedule"]).await.expect(0)), "UTC");
}

#[tokio::test]
async fn the_schedule_may_come_in_the_variable_itself() {
    let there = nowhere().env("ROUNDS_SCHEDULE", TWO);
    let report = there.run(&["schedule", "--next", "2", "--at", "2026-10-03T14:00:00Z"]).await.expect(0).report();
    let names: Vec<&Value> = report["schedule"].as_array().expect("rows").iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["mark-no-shows", "prune", "health"]);
    assert_eq!(report["schedule"][0]["next"], json!(["2026-10-03T19:40:00.000Z", "2026-10-03T20:00:00.000Z"]));
    assert_eq!(report["schedule"][1]["cadence"], "25 5 * * 1,4, the schedule zone");
    let as_of = there.run(&["schedule", "--next", "2", "--as-of", "2026-10-03T14:00:00Z"]).await.expect(0).report();
    assert_eq!(as_of, report);
    let wrong =
        nowhere().env("ROUNDS_SCHEDULE", "zone = \"UTC\"\n[[job]]\nname = \"tidy\"\ncadence = \"daily 08:00\"\n");
    let wrong = wrong.run(&["schedule"]).await.expect(2);
    assert!(wrong.stderr.contains("ROUNDS_SCHEDULE:3: there is no job"), "{}", wrong.stderr);
}

#[tokio::test]
async fn check_metrics_and_deadlines_go_by_the_file() {
    let two = File::new(TWO);
    let clinic = Clinic::new().await;
    let program = clinic.program.clone().env("ROUNDS_SCHEDULE", two.path());
    let report = program.run(&["check", "--read-only"]).await.report();
    assert_eq!(report["jobs"], json!(["mark-no-shows", "prune"]), "{report}");
    let refused = program.run(&["check", "escalate-sla"]).await.expect(2);
    assert!(refused.stderr.contains("there are mark-no-shows, prune"), "{}", refused.stderr);
    let metrics = program.run(&["health", "--metrics", "emf", "--output", "text"]).await.stdout;
    assert_eq!(metrics.matches("\"CronHealthStatus\":").count(), 2, "{metrics}");
    program.run(&["prune"]).await.expect(0);
    let limit = "SELECT round(extract(epoch FROM deadline_at - started_at))::bigint FROM cron_job_runs";
    assert_eq!(clinic.count(limit).await, 20, "the deadline of the file");
    clinic.sql("DELETE FROM cron_job_runs").await;
    // One that the file does not have keeps the deadline that it always has.
    program.run(&["escalate-sla"]).await.expect(0);
    assert_eq!(clinic.count(limit).await, 600);
}

/// The local times of TWO in a period, by another reckoning than the program's.
fn slots(from: DateTime<Utc>, until: DateTime<Utc>) -> [Vec<DateTime<Utc>>; 2] {
    let time = |minute: u32| NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).expect("a time");
    let mut found = [vec![], vec![]];
    let (first, last) = (from.with_timezone(&Adelaide).date_naive(), until.with_timezone(&Adelaide).date_naive());
    for day in first.iter_days().take_while(|day| *day <= last) {
        let at = |minute| Adelaide.from_local_datetime(&day.and_time(time(minute))).unwrap().to_utc();
        found[0].extend((6 * 60 + 10..=21 * 60 + 30).step_by(20).map(at));
        if matches!(day.weekday(), Weekday::Mon | Weekday::Thu) {
            found[1].push(at(5 * 60 + 25));
        }
    }
    found.map(|slots| slots.into_iter().filter(|slot| (from..until).contains(slot)).collect())
}

/// A run of a lane by a scheduler that began then.
async fn ran(clinic: &Clinic, job: &str, source: &str, at: DateTime<Utc>) {
    let at = at.to_rfc3339();
    clinic
        .sql(&format!(
            "INSERT INTO cron_job_runs (id, job_name, status, source, started_at, heartbeat_at, deadline_at,
                                        completed_at, host, version)
             SELECT gen_random_uuid(), '{job}', 'COMPLETED', '{source}', at, at, at + interval '1 minute',
                    at + interval '1 second', 'a', '1'
             FROM (SELECT timestamptz '{at}' AS at) a"
        ))
        .await;
}

/// The month in which the clocks of Adelaide are put back, and the one in which they are put forward.
#[tokio::test]
async fn health_over_a_month_misses_exactly_the_slots_of_the_file() {
    let two = File::new(TWO);
    let clinic = Clinic::new().await;
    let program = clinic.program.clone().env("ROUNDS_SCHEDULE", two.path());
    let long_ago = "2025-01-01T00:00:00Z".parse().expect("an instant");
    for job in ["mark-no-shows", "prune"] {
        ran(&clinic, job, "cron", long_ago).await;
    }
    for month in ["2025-04-30T14:30:00Z", "2025-10-31T14:30:00Z"] {
        let until: DateTime<Utc> = month.parse().expect("an instant");
        let from = until - TimeDelta::days(30);
        let [marks, prunes] = slots(from, until);
        // A slot is missed when it is over: after its interval, or a deadline and an hour.
        let marks: Vec<_> = marks.into_iter().filter(|slot| *slot <= until - TimeDelta::minutes(20)).collect();
        let missed = async || {
            let report = program.run(&["health", "--since", "30d", "--as-of", month]).await.expect(1).report();
            let jobs = report["jobs"].as_array().expect("jobs");
            let count = |job: &Value| job["missedSlots"]["count"].as_u64().expect("a count") as usize;
            (jobs.iter().map(count).collect::<Vec<_>>(), report)
        };
        let (counts, report) = missed().await;
        assert_eq!(counts, [marks.len(), prunes.len()], "{month}: the file's slots, and no other job: {report}");
        for slot in marks.iter().step_by(97) {
            ran(&clinic, "mark-no-shows", "cron", *slot + TimeDelta::seconds(3)).await;
        }
        ran(&clinic, "prune", "cron", prunes[1]).await;
        let (counts, _) = missed().await;
        assert_eq!(counts, [marks.len() - marks.iter().step_by(97).len(), prunes.len() - 1], "{month}");
    }
}

#[tokio::test]
async fn a_job_that_runs_although_it_is_not_in_the_file_is_shown_as_not_scheduled() {
    let two = File::new(TWO);
    let clinic = Clinic::new().await;
    let program = clinic.program.clone().env("ROUNDS_SCHEDULE", two.path());
    let now: DateTime<Utc> = clinic.row("SELECT clock_timestamp()", &[]).await.get(0);
    ran(&clinic, "mark-no-shows", "cron", now - TimeDelta::minutes(2)).await;
    ran(&clinic, "escalate-sla", "cron", now - TimeDelta::minutes(9)).await;
    ran(&clinic, "escalate-sla", "external", now - TimeDelta::minutes(4)).await;
    ran(&clinic, "escalate-tickets", "manual", now - TimeDelta::minutes(4)).await;
    ran(&clinic, "stage-alerts", "cron", now - TimeDelta::hours(25)).await;
    let outcome = program.run(&["health"]).await.expect(0);
    let report = outcome.report();
    let others = report["notScheduled"].as_array().expect("a list");
    let told: Vec<_> = others.iter().map(|other| (&other["jobName"], &other["lane"], &other["runs"])).collect();
    assert_eq!(told, [(&json!("escalate-sla"), &json!(""), &json!(2))], "by schedulers, in a day: {report}");
    let text = program.run(&["health", "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("escalate-sla: not scheduled, but 2 runs by a scheduler, the last 4 min ago"), "{text}");
    let all = clinic.run(&["health"]).await.report();
    assert_eq!(all["notScheduled"], json!([]), "the default schedule has every job");
}
