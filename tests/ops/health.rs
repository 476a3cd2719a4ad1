//! `rounds health`, on histories that real runs wrote, those included that were killed. What makes a verdict is tested
//! at its boundaries where it is made.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Clinic, Program, gate};

/// A clinic, and a zone in which it is noon: all of its working hours are far away.
async fn at_noon() -> (Clinic, String) {
    let clinic = Clinic::new().await;
    let hour = clinic.count("SELECT EXTRACT(hour FROM clock_timestamp() AT TIME ZONE 'UTC')::bigint").await;
    // The signs of these names are the other way round.
    (clinic, format!("Etc/GMT{:+}", hour - 12))
}

/// Moves all runs together, so that the first began ten seconds into the slot of five minutes before this one. The
/// others then began in the same slot, whatever the time is now. And the schema is as new as the runs: it is a copy,
/// and as old as the first test.
async fn move_into_one_slot(clinic: &Clinic) {
    clinic
        .sql(
            "UPDATE cron_job_runs r
             SET started_at = r.started_at + m.by, heartbeat_at = r.heartbeat_at + m.by,
                 deadline_at = r.deadline_at + m.by, completed_at = r.completed_at + m.by
             FROM (SELECT date_bin('5 minutes', min(started_at), timestamptz '2026-01-01T00:00:00Z')
                          - interval '4 minutes 50 seconds' - min(started_at) AS by
                   FROM cron_job_runs) m;
             UPDATE rounds_migrations SET applied_on = to_char(clock_timestamp() AT TIME ZONE 'UTC',
                                                               'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
        )
        .await;
}

/// `rounds health` as if so many seconds had passed since an instant that a query gives.
async fn health_at(
    clinic: &Clinic,
    zone: &str,
    from: &str,
    seconds: i64,
    more: &[&str],
) -> crate::support::program::Outcome {
    let at = format!(
        "SELECT to_char((({from}) + interval '{seconds} s') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
    );
    let at: String = clinic.row(&at, &[]).await.get(0);
    clinic.run(&[&["health", "--schedule-zone", zone, "--as-of", &at], more].concat()).await
}

const LAST_START: &str = "SELECT max(started_at) FROM cron_job_runs WHERE job_name = 'mark-no-shows'";
const MIGRATED: &str = "SELECT date_trunc('milliseconds', max(applied_on::timestamptz)) FROM rounds_migrations";

#[tokio::test]
async fn a_database_without_runs_is_well_until_a_run_is_overdue() {
    let (clinic, zone) = at_noon().await;
    let schedule = clinic.run(&["schedule", "--output", "json"]).await.expect(0).report();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    // The name of each lane in the table, and its cadence.
    let lanes = schedule["schedule"].as_array().expect("rows").iter();
    let lanes = lanes.filter(|row| row["only"].is_null() && row["name"] != "health");
    let lanes: Vec<_> = lanes.map(|row| (text(&row["name"]), text(&row["cadence"]))).collect();
    // Each lane, and whether it has one of these cadences.
    let often = |cadences: &[&str]| -> Vec<_> {
        let is_one = |cadence: &String| cadences.iter().any(|one| cadence.starts_with(one));
        lanes.iter().map(|(name, cadence)| (name.clone(), is_one(cadence))).collect()
    };
    let cadences = ["every 2 minutes", "every minute", "every 5 minutes"];
    let [first, early, frequent] = [1, 2, 3].map(|some| often(&cadences[..some]));
    assert!(frequent.contains(&("mark-no-shows".into(), true)) && frequent.contains(&("prune".into(), false)));
    assert!(early.contains(&("deliver-notifications-sms".into(), true)), "{schedule}");
    assert!(first.contains(&("apply-absences".into(), true)), "{schedule}");
    // The name of each lane in a report, and whether it is late.
    let judged = |report: &Value| -> Vec<_> {
        let name = |job: &Value| format!("{}-{}", text(&job["jobName"]), text(&job["lane"]));
        let jobs = report["jobs"].as_array().expect("jobs").iter();
        jobs.map(|job| (name(job).trim_end_matches('-').to_owned(), job["isHealthy"] == false)).collect()
    };
    let report = health_at(&clinic, &zone, MIGRATED, 5 * 60 + 29, &[]).await.expect(0).report();
    assert_eq!(report["isHealthy"], true, "{report}");
    // Two intervals and the deadline: 5.5 minutes, 6 minutes.
    for (seconds, late) in [(331, &first), (359, &first), (361, &early), (13 * 60 + 59, &early)] {
        let report = health_at(&clinic, &zone, MIGRATED, seconds, &[]).await.expect(1).report();
        assert_eq!(&judged(&report), late, "{seconds} s: {report}");
    }
    let report = health_at(&clinic, &zone, MIGRATED, 14 * 60 + 1, &[]).await.expect(1).report();
    assert_eq!(judged(&report), frequent, "every lane, and the others are slower: {report}");
    assert_eq!(report["jobs"][0]["lastRunTime"], Value::Null);
    health_at(&clinic, &zone, MIGRATED, 14 * 60 + 1, &["prune"]).await.expect(0);
    health_at(&clinic, &zone, MIGRATED, 3 * 86_400, &["prune"]).await.expect(1);
}

#[tokio::test]
async fn one_success_makes_it_well_for_two_intervals_and_a_deadline() {
    let (mut clinic, zone) = at_noon().await;
    clinic.run(&["mark-no-shows"]).await.expect(0);
    health_at(&clinic, &zone, LAST_START, 839, &["mark-no-shows"]).await.expect(0);
    let late = health_at(&clinic, &zone, LAST_START, 841, &["mark-no-shows"]).await.expect(1).report();
    assert_eq!(late["jobs"][0]["healthMessage"], "no success for 14 min of working hours (limit 14 min)");
    // In a zone where it is night a run is expected, too: clinics in other zones have their evening then.
    let hour: i64 = zone.trim_start_matches("Etc/GMT").parse().expect("a number");
    let night = format!("Etc/GMT{:+}", if hour >= 3 { hour - 12 } else { hour + 10 });
    let report = health_at(&clinic, &night, LAST_START, 841, &["mark-no-shows"]).await.expect(1).report();
    assert_eq!(report["jobs"][0]["isWorkingHours"], true, "{report}");
    // Where a clinic's own schedule has hours, nobody expects a run in a zone where it is night.
    let by_day = |zone: &str| {
        let job = "[[job]]\nname = \"mark-no-shows\"\ncadence = \"every 5 minutes, 07:00-22:55\"\n";
        format!("zone = \"{zone}\"\n{job}")
    };
    clinic.program = clinic.program.env("ROUNDS_SCHEDULE", &by_day(&night));
    let report = health_at(&clinic, &night, LAST_START, 841, &["mark-no-shows"]).await.expect(0).report();
    assert_eq!(report["jobs"][0]["isWorkingHours"], false, "{report}");
    clinic.program = clinic.program.env("ROUNDS_SCHEDULE", &by_day(&zone));
    health_at(&clinic, &zone, LAST_START, 841, &["mark-no-shows"]).await.expect(1);
}

/// A success, a run that met its brake, one that was interrupted, one that was skipped, one that was killed.
async fn eventful() -> (Clinic, String) {
    let (clinic, zone) = at_noon().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 3).await;
    gate::build(&clinic).await;
    let run = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--source", "cron"];
    clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00", "--source", "cron"]).await.expect(0);
    clinic.run(&[&run[..], &["--max-items", "1"]].concat()).await.expect(5);
    gate::close(&clinic, 2).await;
    let stopped = clinic.program.start(&run);
    gate::reached(&clinic).await;
    crate::support::program::signal(&stopped, libc::SIGTERM);
    crate::support::program::finish(stopped).await.expect(143);
    let mut killed = clinic.program.start(&run);
    gate::reached(&clinic).await;
    clinic.run(&run).await.expect(0);
    killed.kill().await.expect("it lives");
    gate::open(&clinic).await;
    (clinic, zone)
}

#[tokio::test]
async fn a_history_with_every_kind_of_run_is_told_in_full() {
    let (clinic, zone) = eventful().await;
    let outcome = health_at(&clinic, &zone, LAST_START, 300, &["mark-no-shows"]).await.expect(1);
    let mut report = outcome.report();
    assert_eq!(report["jobs"][0]["stats"]["successRate"], "50.0%", "interrupted, skipped and killed are in no total");
    let ids =
        clinic.json("SELECT jsonb_object_agg(status || coalesce(error_code, ''), id) AS i FROM cron_job_runs").await;
    assert_eq!(report["jobs"][0]["lastSuccessfulRun"]["id"], ids["i"]["COMPLETED"]);
    assert_eq!(report["jobs"][0]["runPastDeadline"]["id"], ids["i"]["RUNNING"]);
    steady(&mut report);
    // A slot may have passed while all this was made.
    report["jobs"][0].as_object_mut().and_then(|job| job.remove("missedSlots")).expect("they are told");
    insta::assert_snapshot!("health", serde_json::to_string_pretty(&report).expect("JSON"));
    let text =
        health_at(&clinic, &zone, LAST_START, 300, &["mark-no-shows", "--output", "text"]).await.expect(1).stdout;
    for words in
        ["mark-no-shows", "UNHEALTHY", "BRAKED", "is RUNNING past its deadline", "1 run skipped: ALREADY_RUNNING"]
    {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
}

#[tokio::test]
async fn an_old_dashboard_reads_the_health_of_one_job_in_its_own_shape() {
    let (clinic, zone) = at_noon().await;
    clinic.run(&["mark-no-shows", "--source", "cron"]).await.expect(0);
    let shape = ["--shape", "cron-health", "--job-name", "NO_SHOW_CHECK=mark-no-shows,CLEAN_UP=prune"];
    let of = async |job: &str, age: i64, more: &[&str]| {
        health_at(&clinic, &zone, LAST_START, age, &[&[job][..], &shape, more].concat()).await
    };
    let full = health_at(&clinic, &zone, LAST_START, 60, &["mark-no-shows"]).await.expect(0).report();
    let full = &full["jobs"][0];
    let ended = clinic.json("SELECT completed_at AS c FROM cron_job_runs").await["c"].clone();
    let ended: chrono::DateTime<chrono::Utc> = ended.as_str().expect("an instant").parse().expect("an instant");
    for (job, output) in [("NO_SHOW_CHECK", "json"), ("mark-no-shows", "text")] {
        let report = of(job, 60, &["--output", output]).await.expect(0).report();
        let expected = json!({
            "success": true,
            "data": {
                "jobName": "NO_SHOW_CHECK",
                "isHealthy": true,
                "healthMessage": "OK",
                "isWorkingHours": full["isWorkingHours"],
                "lastRunTime": ended.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                "lastRunStatus": "success",
                "consecutiveFailures": 0,
                "lastSuccessfulRun": full["lastSuccessfulRun"],
                "recentRuns": full["recentRuns"],
                "stats": full["stats"],
            },
        });
        assert_eq!(report, expected, "{job}");
    }
    let late = of("NO_SHOW_CHECK", 841, &[]).await.expect(1).report();
    assert_eq!((&late["success"], &late["data"]["isHealthy"]), (&json!(true), &json!(false)));
    assert_eq!(late["data"]["healthMessage"], "no success for 14 min of working hours (limit 14 min)");
    let named =
        clinic.run(&["health", "prune", "stage-alerts", "--job-name", "CLEAN_UP=prune"]).await.expect(0).report();
    let names: Vec<_> = named["jobs"].as_array().expect("jobs").iter().map(|job| &job["jobName"]).collect();
    assert_eq!(names, ["stage-alerts", "CLEAN_UP"]);
    for wrong in [
        &["health", "--shape", "cron-health"][..],
        &["health", "advance-billing", "--shape", "cron-health"],
        &["health", "prune", "--job-name", "CLEAN_UP=cleaning"],
        &["health", "CLEAN_UP"],
    ] {
        clinic.run(wrong).await.expect(2);
    }
}

/// Replaces what differs from run to run.
fn steady(value: &mut Value) {
    const VOLATILE: [&str; 10] = [
        "id",
        "startedAt",
        "deadlineAt",
        "lastRunTime",
        "lastFailureTime",
        "checkedAt",
        "durationMs",
        "averageDurationMs",
        "host",
        "scheduleZone",
    ];
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match key.as_str() {
                    "healthMessage" => *value = json!(value.as_str().map(|text| text.replace(char::is_numeric, "N"))),
                    key if VOLATILE.contains(&key) && !value.is_null() => *value = json!(format!("[{key}]")),
                    _ => steady(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        _ => {}
    }
}

#[tokio::test]
async fn the_failures_in_a_row_and_the_last_error_are_told() {
    let (clinic, zone) = at_noon().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 2).await;
    let brake = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--max-items", "1"];
    let well = health_at(&clinic, &zone, MIGRATED, 60, &["--failing"]).await.expect(0);
    assert_eq!(well.report()["jobs"], json!([]));
    for _ in 0..2 {
        clinic.run(&brake).await.expect(5);
    }
    let report = health_at(&clinic, &zone, LAST_START, 841, &["--failing"]).await.expect(1).report();
    assert_eq!(report["jobs"].as_array().map(Vec::len), Some(1), "the others have not failed: {report}");
    let job = &report["jobs"][0];
    assert_eq!(
        (&job["jobName"], &job["consecutiveFailures"], &job["lastRunStatus"]),
        (&json!("mark-no-shows"), &json!(2), &json!("failure"))
    );
    assert!(
        job["healthMessage"].as_str().is_some_and(|why| why.contains("never succeeded") && why.ends_with("[BRAKE]")),
        "{job}"
    );
    clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    let report = health_at(&clinic, &zone, LAST_START, 0, &["--failing"]).await.expect(0).report();
    assert_eq!(report["jobs"], json!([]), "a success is newer");
    let text =
        clinic.run(&["health", "--failing", "--output", "text", "--schedule-zone", &zone]).await.expect(0).stdout;
    assert_eq!(text, "No job is failing.\n");
}

#[tokio::test]
async fn a_run_with_failed_items_is_well_but_degraded() {
    let (clinic, zone) = at_noon().await;
    clinic.new_york(15).await;
    clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    clinic.facility("Mars/Olympus_Mons", None).await;
    clinic.run(&["mark-no-shows"]).await.expect(3);
    let report = health_at(&clinic, &zone, LAST_START, 1, &["mark-no-shows"]).await.expect(0).report();
    let job = &report["jobs"][0];
    assert_eq!(
        (&job["isHealthy"], &job["isDegraded"], &job["lastRunStatus"]),
        (&json!(true), &json!(true), &json!("success"))
    );
}

#[tokio::test]
async fn slots_without_a_run_and_two_schedulers_are_noticed() {
    let (clinic, zone) = at_noon().await;
    for _ in 0..2 {
        clinic.run(&["mark-no-shows", "--source", "cron"]).await.expect(0);
    }
    move_into_one_slot(&clinic).await;
    // A copy of both, five minutes ago: in two slots it was started twice.
    clinic
        .sql(
            "INSERT INTO cron_job_runs (id, job_name, status, source, started_at, heartbeat_at, deadline_at, completed_at, host,
                                        version)
             SELECT gen_random_uuid(), job_name, status, source, started_at - m, heartbeat_at - m, deadline_at - m,
                    completed_at - m, 'elsewhere', version
             FROM cron_job_runs, (SELECT interval '5 minutes' AS m) minutes",
        )
        .await;
    let report = health_at(&clinic, &zone, LAST_START, 3600, &["mark-no-shows"]).await.expect(1).report();
    let job = &report["jobs"][0];
    assert_eq!(job["startedTwice"]["slots"], 2, "{job}");
    assert!(job["startedTwice"]["hosts"].as_array().is_some_and(|hosts| hosts.contains(&json!("elsewhere"))), "{job}");
    let missed = job["missedSlots"]["count"].as_u64().expect("a count");
    assert!(
        (10..=11).contains(&missed),
        "an hour has twelve slots, and one or two of them have a run or are not over: {job}"
    );
    assert_eq!(job["missedSlots"]["latest"].as_array().map(Vec::len), Some(10));
}

#[tokio::test]
async fn a_name_that_is_in_no_schedule_and_a_zone_that_is_none_are_refused() {
    let clinic = Clinic::new().await;
    let outcome = clinic.run(&["health", "mark-noshows"]).await.expect(2);
    assert!(
        outcome.stderr.contains("there are mark-no-shows, stage-alerts, notify-cancellations,"),
        "{}",
        outcome.stderr
    );
    let outcome = clinic.run(&["health", "--schedule-zone", "Mars/Olympus_Mons"]).await.expect(2);
    assert!(outcome.stderr.contains("is no IANA time zone"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_user_who_may_only_read_can_ask() {
    let (clinic, zone) = at_noon().await;
    clinic.run(&["mark-no-shows"]).await.expect(0);
    let role = format!("reader_{}", clinic.database);
    clinic
        .sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA rounds TO {role};
                        GRANT SELECT ON ALL TABLES IN SCHEMA rounds TO {role}"
        ))
        .await;
    let url = crate::support::server().url(&clinic.database).replace("rounds@", &format!("{role}@"));
    for command in [&["health", "mark-no-shows", "--schedule-zone", &zone][..], &["runs", "list"], &["alerts", "list"]]
    {
        Program::new(&url).run(command).await.expect(0);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_said_so_within_ten_seconds() {
    // One that refuses, and one that accepts and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let port = silent.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let mut held = vec![];
        while let Ok((connection, _)) = silent.accept().await {
            held.push(connection);
        }
    });
    for port in [1, port] {
        let url = format!("postgresql://u:CANARY@127.0.0.1:{port}/clinic?sslmode=disable");
        let began = Instant::now();
        let outcome = Program::new(&url).run(&["health"]).await.expect(1);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(outcome.stderr.contains("cannot reach the database (clinic at 127.0.0.1:"), "{}", outcome.stderr);
        assert_eq!(outcome.report()["error_code"], "CONNECTION");
        assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_the_brake_stopped_is_unhealthy_at_once_until_a_success() {
    let (clinic, zone) = at_noon().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 2).await;
    let earlier = ["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"];
    let at = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
    clinic.run(&earlier).await.expect(0);
    clinic.run(&[&at[..], &["--max-items", "1"]].concat()).await.expect(5);
    let hour: i64 = zone.trim_start_matches("Etc/GMT").parse().expect("a number");
    let night = format!("Etc/GMT{:+}", if hour >= 3 { hour - 12 } else { hour + 10 });
    for zone in [&zone, &night] {
        let report = health_at(&clinic, zone, LAST_START, 1, &["mark-no-shows"]).await.expect(1).report();
        let job = &report["jobs"][0];
        assert_eq!((&job["isHealthy"], &job["healthCodes"]), (&json!(false), &json!(["BRAKED"])), "{job}");
        let why = job["healthMessage"].as_str().expect("a text");
        assert!(why.contains("waits for a person's word") && why.ends_with("[BRAKE]"), "{why}");
    }
    // Another failure after it does not hide it, nor does a skipped or an interrupted run.
    clinic.sql("ALTER TABLE no_show_logs RENAME TO elsewhere").await;
    clinic.run(&at).await.expect(1);
    clinic.sql("ALTER TABLE elsewhere RENAME TO no_show_logs").await;
    clinic.run(&[&at[..], &["--unless-succeeded-within", "1h"]].concat()).await.expect(0);
    let report = health_at(&clinic, &zone, LAST_START, 1, &["mark-no-shows"]).await.expect(1).report();
    assert_eq!(report["jobs"][0]["healthCodes"], json!(["BRAKED"]), "{report}");
    clinic.run(&[&at[..], &["--max-items", "2"]].concat()).await.expect(0);
    let report = health_at(&clinic, &zone, LAST_START, 1, &["mark-no-shows"]).await.expect(0).report();
    assert_eq!(report["jobs"][0]["healthCodes"], json!([]), "{report}");
}
