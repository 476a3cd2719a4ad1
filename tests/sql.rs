//! Every SQL file against the migrated schema, and the plans of the statements that run every five minutes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Clinic, connect, database, server};

/// All SQL files below a directory.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the project's sources").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "sql") {
            found.push(entry);
        }
    }
}

/// A file as the program puts it together: `{due}` is the sibling FILE.due.sql, `{outbox}` is the outbox's.
fn statement(path: &Path) -> String {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let job = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split('.').next()).expect("a name");
    let mut text = read(path);
    for rule in ["due", "over"] {
        let braces = format!("{{{rule}}}");
        if text.contains(&braces) {
            text = text.replace(&braces, &read(&path.with_file_name(format!("{job}.{rule}.sql"))));
        }
    }
    let (ids, mine, done, table) = match path.file_name().and_then(|name| name.to_str()) {
        Some("mark_no_shows.sql") => ("$6", "pairs", "marked", "appointments"),
        Some("stage_alerts.resolve.sql") => ("$2", "locked", "resolved", "stage_alerts"),
        _ => ("$8", "locked", "due", "appointments"),
    };
    text.replace("{outbox}", &read(Path::new("src/outbox.sql")))
        .replace("{left_alone}", &read(Path::new("src/run/left_alone.sql")))
        .replace("{ids}", ids)
        .replace("{mine}", mine)
        .replace("{done}", done)
        .replace("{table}", table)
}

/// A rule is no statement of its own: its scan is.
fn scan(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (select, from) = match name.strip_suffix(".sql")?.split_once('.')? {
        (_, "due") => ("a.id", "appointments a"),
        (_, "over") => ("x.id", "stage_alerts x"),
        _ => return None,
    };
    Some(format!(
        "WITH due AS MATERIALIZED (SELECT {select} FROM {from}\n{}) SELECT id FROM due ORDER BY id LIMIT 100001",
        statement(path)
    ))
}

#[tokio::test]
async fn every_file_is_valid_and_says_what_it_is() {
    let clinic = Clinic::new().await;
    let mut found = vec![];
    // The demo's own are run by the demo, in its test.
    for dir in ["src/jobs", "src/run"] {
        files(Path::new(dir), &mut found);
    }
    assert!(found.len() > 12, "{found:?}");
    for path in found {
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("-- "), "{}: no header comment", path.display());
        let clock = text.to_lowercase().replace("clock_timestamp()", "").replace("clock.now", "");
        assert!(!clock.contains("now()") && !clock.contains("current_timestamp"), "{}: a clock", path.display());
        if path.ends_with("left_alone.sql") {
            // A part of other files, which is prepared with them; so is src/outbox.sql.
            continue;
        }
        let sql = scan(&path).unwrap_or_else(|| statement(&path));
        let types = types(&path);
        let prepare = format!("PREPARE p {types} AS {sql}");
        clinic.client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        clinic.sql("DEALLOCATE p").await;
    }
}

/// The types of a job's parameters, which its rule's header names.
fn types(path: &Path) -> &'static str {
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    match name {
        "mark_no_shows.due.sql" => "(timestamptz, date, date, int, bigint[])",
        "mark_no_shows.sql" => "(timestamptz, date, date, int, bigint[], bigint[], uuid)",
        "mark_no_shows.unjudged.sql" => "(date, date)",
        "stage_alerts.due.sql" => "(timestamptz, bigint[], text, int, int, int, int)",
        "stage_alerts.sql" => "(timestamptz, bigint[], text, int, int, int, int, bigint[], text, uuid)",
        "stage_alerts.resolve.sql" => "(timestamptz, bigint[], uuid)",
        "run_row.sql" => "(uuid, text, text, text, text, timestamptz, bigint, text, text, jsonb, text, text, bigint)",
        "holder.sql" => "(text, text, bigint, uuid)",
        "close.sql" => "(uuid, text, text, text, bigint, bigint, jsonb)",
        "item_errors.sql" => "(uuid, text, bigint[], text, text)",
        "fence.sql" | "heartbeat.sql" | "settled.sql" => "(uuid)",
        "stage_alerts.unjudged.sql" => "(date)",
        "stage_alerts.over.sql" => "",
        other => panic!("{other}: name the types of its parameters here"),
    }
}

/// A table large enough that reading all of it would show: 300,000 visits over years, 200 of today.
async fn long_history() -> Clinic {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let patient = clinic.patient().await;
    clinic
        .sql(&format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                       checked_in_at)
             SELECT {facility}, {doctor}, {patient}, date '2026-03-02' - (n / 300), '09:00',
                    CASE WHEN n % 3 = 0 THEN 'NO_SHOW' WHEN n % 50 = 1 THEN 'SCHEDULED' ELSE 'COMPLETED' END, NULL
             FROM generate_series(300, 300300) n;
             INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
             SELECT {facility}, {doctor}, {patient}, '2026-03-02', '09:00' FROM generate_series(1, 200);
             INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
             SELECT {facility}, {doctor}, {patient}, date '2026-03-10' + n % 90, '09:00' FROM generate_series(1, 20000) n;
             ANALYZE"
        ))
        .await;
    clinic
}

/// Every node of a plan.
fn nodes<'a>(plan: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(plan);
    for child in plan["Plans"].as_array().into_iter().flatten() {
        nodes(child, found);
    }
}

/// How a scan reads `appointments`: fails on a sequential scan, returns how many rows it looked at.
async fn rows_read(clinic: &Clinic, sql: &str) -> f64 {
    let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) {sql}");
    let plan: Value = clinic.row(&explain, &[]).await.get(0);
    let mut all = vec![];
    nodes(&plan[0]["Plan"], &mut all);
    let on_visits = |node: &&&Value| node["Relation Name"] == "appointments";
    all.iter()
        .filter(on_visits)
        .map(|node| {
            assert_ne!(node["Node Type"], "Seq Scan", "{plan:#}");
            let number = |key: &str| node[key].as_f64().unwrap_or(0.0);
            (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops")
        })
        .sum()
}

/// A scan with its parameters as literals, as the planner sees those of an unnamed statement.
fn with_values(file: &str, values: &[&str]) -> String {
    let sql = scan(Path::new(file)).expect("a rule");
    (1..=values.len()).rev().fold(sql, |sql, n| sql.replace(&format!("${n}"), values[n - 1]))
}

#[tokio::test]
async fn the_scans_touch_only_candidates() {
    let clinic = long_history().await;
    let values =
        ["'2026-03-02 12:00-05'::timestamptz", "date '2026-02-23'", "date '2026-03-03'", "7", "'{}'::bigint[]"];
    let read = rows_read(&clinic, &with_values("src/jobs/mark_no_shows.due.sql", &values)).await;
    assert!((200.0..500.0).contains(&read), "read {read} rows for 200 visits of today and 42 of last week");
    let values = [values[0], "'{}'::bigint[]", "'slot-end'", "5", "10", "NULL::int", "NULL::int"];
    let read = rows_read(&clinic, &with_values("src/jobs/stage_alerts.due.sql", &values)).await;
    assert!(read < 1.0, "read {read} rows where nobody is checked in");
}

#[tokio::test]
async fn migrations_come_once_in_order_and_can_be_asked_for() {
    use crate::support::{Program, scratch};
    let name = database(false).await;
    let url = server().url(&name);
    assert!(url.contains(scratch::USER));
    let program = Program::new(&url);
    let pending = program.run(&["migrate", "--check"]).await.expect(1).report();
    assert_eq!(pending["pending"].as_array().map(Vec::len), Some(5), "{pending}");
    let client = connect(&url).await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(tables, &[]).await.expect("a count").get::<_, i64>(0), 0, "--check changes nothing");
    // Five at once: one works, the others wait and find it done.
    let runs: Vec<_> = (0..5).map(|_| program.start(&["migrate"])).collect();
    let mut applied = 0;
    for run in runs {
        let report = crate::support::program::finish(run).await.expect(0).report();
        applied += report["applied"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(applied, 5);
    program.run(&["migrate", "--check"]).await.expect(0);
    let text = program.run(&["migrate", "--output", "text"]).await.expect(0).stdout;
    assert_eq!(text, "The schema is up to date (version 5).\n");
    program.run(&["migrate", "--dry-run"]).await.expect(2);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    use crate::support::Program;
    let url = server().url(&database(false).await);
    let client = connect(&url).await;
    client.batch_execute("CREATE TABLE patients (id int)").await.expect("somebody else's table");
    let outcome = Program::new(&url).run(&["migrate"]).await;
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.stderr.contains("exists already"), "{}", outcome.stderr);
    let count = "SELECT count(*) FROM pg_tables WHERE tablename IN ('cron_job_runs', 'facilities')";
    assert_eq!(client.query_one(count, &[]).await.expect("a count").get::<_, i64>(0), 0);
}

#[tokio::test]
async fn nonsense_is_refused_by_the_schema() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
    let refused = [
        "UPDATE facilities SET time_zone = 'Mars/Olympus_Mons'".to_owned(),
        "UPDATE facilities SET no_show_after_minutes = 0".to_owned(),
        "UPDATE doctors SET slot_duration_minutes = 0".to_owned(),
        "UPDATE appointments SET status = 'LOST'".to_owned(),
        "UPDATE appointments SET status = 'CHECKED_IN'".to_owned(),
        "UPDATE appointments SET status = 'CANCELLED'".to_owned(),
        "UPDATE appointments SET doctor_id = NULL".to_owned(),
        "UPDATE appointments SET source = 'PRACTICEQ'".to_owned(),
        "UPDATE appointments SET appointment_date = 'infinity'".to_owned(),
        "UPDATE appointments SET vitals_recorded_at = '2026-03-02'".to_owned(),
        format!(
            "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, appointment_id)
             VALUES ({doctor}, '2026-03-02', '09:00', '09:15', {visit})"
        ),
        format!(
            "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time)
             VALUES ({doctor}, '2026-03-02', '09:00', '09:00')"
        ),
        format!(
            "INSERT INTO no_show_logs (appointment_id, reason, slot_time, triggered_at, slot_released)
             VALUES ({visit}, 'MANUAL_STAFF', '2026-03-02', '2026-03-02', false)"
        ),
        format!(
            "INSERT INTO stage_alerts (appointment_id, alert_type, status, message, triggered_at)
             VALUES ({visit}, 'NO_VITALS', 'RESOLVED', 'm', '2026-03-02')"
        ),
        "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, host, version)
         VALUES (gen_random_uuid(), 'j', 'COMPLETED', '2026-03-02', '2026-03-02', '2026-03-02', 'h', 'v')"
            .to_owned(),
    ];
    for statement in refused {
        let error = clinic.client.batch_execute(&statement).await.expect_err(&statement);
        let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
        assert!(code.starts_with("23") || code == "22023", "{statement}: {code}");
    }
}
