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

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rules of a job as its statements take them in: the files of each, one after the other.
fn rule(name: &str) -> String {
    let job = |file: &str| read(&format!("src/jobs/{file}.part.sql"));
    let due_at = || read("src/clinic/due_at.part.sql");
    match name {
        "mark_no_shows" => job("mark_no_shows/visit") + &job("mark_no_shows/due"),
        "mark_no_shows/by_hand" => job("mark_no_shows/visit") + &job("mark_no_shows/by_hand"),
        "prune/errors" => job("prune/errors").replace("{runs}", &job("prune/runs")),
        "escalate_sla" => job("escalate_sla/overdue") + &job("escalate_sla/due"),
        "advance_billing" => job("advance_billing/candidates") + "  AND NOT\n" + &job("advance_billing/recently_moved"),
        "monitor_ticket_sla" => job("monitor_ticket_sla/risk") + &job("monitor_ticket_sla/due"),
        "escalate_tickets" => due_at() + &job("escalate_tickets/due"),
        "escalate_tickets/ended" => due_at() + &job("escalate_tickets/ended"),
        rule if rule.contains('/') => job(rule),
        other => job(&format!("{other}/due")),
    }
}

/// A file as the program puts it together.
fn statement(path: &str) -> String {
    let name = name(path);
    let folder = name.split('/').next().expect("a folder");
    let (ids, locked, done, table) = match name {
        "mark_no_shows/apply" => ("$6", "pairs", "marked", "appointments"),
        "stage_alerts/resolve" => ("$2", "locked", "resolved", "stage_alerts"),
        "prune/apply" => ("$5", "locked", "deleted", "cron_job_runs"),
        "escalate_sla/apply" => ("$4", "locked", "escalated", "px_cases"),
        "monitor_ticket_sla/apply" => ("$2", "locked", "due", "tickets"),
        "advance_billing/advance" => ("$4", "locked", "advanced", "surgical_cases"),
        "escalate_tickets/apply" => ("$10", "locked", "acted", "tickets"),
        "escalate_tickets/end_episodes" => ("$10", "locked", "ended", "tickets"),
        "refresh_npi/remove_left" => ("", "", "", "search_surgeon"),
        "sync_practiceq/delete" => ("$1", "locked", "due", "appointments"),
        _ => ("$8", "locked", "due", "appointments"),
    };
    let mut text = read(path);
    if text.contains("{due}") {
        text = text.replace("{due}", &rule(if folder == "prune" { "prune/runs" } else { folder }));
    }
    let over = rule(if folder == "escalate_tickets" { "escalate_tickets/ended" } else { "stage_alerts/resolved" });
    text.replace("{over}", &over)
        .replace("{judged}", &rule("monitor_ticket_sla/risk"))
        .replace("{action}", &action("notify_manager"))
        .replace("{department}", &rule("escalate_sla/department"))
        .replace("{fallback}", if name == "escalate_sla/explain" { "$5" } else { "$7" })
        .replace("{due_at}", &read("src/clinic/due_at.part.sql"))
        .replace("{stage}", "npi_stage")
        .replace("{end}", "2026-08-02")
        .replace("{columns}", "raw")
        .replace("{assignments}", "raw = s.raw")
        .replace("{type}", "1")
        .replace("{held_back}", &rule("advance_billing/recently_moved"))
        .replace("{least}", "$3")
        .replace("{timestamp}", "paid_to_provider_ts")
        .replace("{holds}", &read(HOLDS))
        .replace("{client_name}", &normalized_name("r.client_name"))
        .replace("{patient_name}", &normalized_name("concat_ws(' ', p.first_name, p.last_name)"))
        .replace("{change_notices}", &rule("sync_practiceq/change_notices"))
        .replace("{outbox}", &read("src/clinic/outbox.part.sql"))
        .replace("{zone}", "America/Denver")
        .replace("({lost})", "NULL")
        .replace("{failures}", &read("src/run/failures.part.sql"))
        .replace("{but}", if name == "health/lanes" { "NULL" } else { "$1" })
        .replace("{skipped_columns}", &read("src/run/skipped_columns.part.sql"))
        .replace("{ids}", ids)
        .replace("{locked}", locked)
        .replace("{done}", done)
        .replace("{table}", table)
}

/// A name without what makes no difference.
fn normalized_name(text: &str) -> String {
    rule("sync_practiceq/normalized_name").replace("{text}", text)
}

/// One condition of the escalation rules, for the statements that take any.
const HOLDS: &str = "src/jobs/escalate_tickets/conditions/no_response.part.sql";

/// The CTEs of an action.
fn action(name: &str) -> String {
    let read = |name: &str| read(&format!("src/jobs/escalate_tickets/actions/{name}.part.sql"));
    match name {
        "notify_manager" | "send_email" => read(name),
        quiet => format!("{},\n{}", read(quiet).trim_end(), read("nobody_told")),
    }
}

/// A rule is no statement of its own: its scan is.
fn scan(name: &str) -> Option<String> {
    let (from, name) = match name {
        "mark_no_shows/due" => ("a.id FROM appointments a", "mark_no_shows"),
        "mark_no_shows/by_hand" => ("a.id FROM appointments a", name),
        "stage_alerts/due" => ("a.id FROM appointments a", "stage_alerts"),
        "stage_alerts/resolved" => return Some(format!("SELECT x.id FROM stage_alerts x\n{}", rule(name))),
        "escalate_sla/due" => ("c.id FROM px_cases c", "escalate_sla"),
        "monitor_ticket_sla/due" => ("t.id FROM tickets t", "monitor_ticket_sla"),
        "escalate_tickets/due" => ("t.id FROM tickets t", "escalate_tickets"),
        "escalate_tickets/ended" => ("t.id FROM tickets t", name),
        "prune/runs" => ("x.id FROM cron_job_runs x", name),
        "prune/errors" => ("x.id FROM cron_job_run_errors x", name),
        "prune/notifications" => ("x.id FROM notifications x", name),
        _ => return None,
    };
    let due = rule(name).replace("{due_at}", &read("src/clinic/due_at.part.sql")).replace("{holds}", &read(HOLDS));
    Some(format!("WITH due AS MATERIALIZED (SELECT {from}\n{due}) SELECT id FROM due ORDER BY id LIMIT 100001"))
}

/// A file by its folder and stem, such as `mark_no_shows/apply`.
fn name(path: &str) -> &str {
    let name = path.trim_end_matches(".sql").trim_end_matches(".part");
    let start = name.rmatch_indices('/').nth(1).map_or(0, |(index, _)| index + 1);
    &name[start..]
}

#[tokio::test]
async fn every_file_is_valid_and_says_what_it_is() {
    let clinic = Clinic::new().await;
    // What a run of refresh-npi makes for itself.
    clinic
        .sql(&format!(
            "CREATE TEMPORARY TABLE npi_stage AS
             SELECT 1::bigint AS line, NULL::text AS reject, true AS bare, NULL::text AS folded, d.* FROM npi_data d;
             CREATE TEMPORARY TABLE npi_todo AS {}",
            statement("src/jobs/refresh_npi/classify.sql")
        ))
        .await;
    let mut found = vec![];
    // The demo's own are run by the demo, in its test.
    for dir in ["src/jobs", "src/run", "src/ops", "src/clinic"] {
        files(Path::new(dir), &mut found);
    }
    assert!(found.len() > 30, "{found:?}");
    for path in found {
        let path = path.to_str().expect("UTF-8");
        let text = read(path);
        assert!(text.starts_with("-- "), "{path}: no header comment");
        let clock = text.to_lowercase().replace("clock_timestamp()", "").replace("clock.now", "");
        assert!(!clock.contains("now()") && !clock.contains("current_timestamp"), "{path}: a clock");
        // Their statements are declared, and prepared as they are sent.
        if path.starts_with("src/run/") || path.starts_with("src/clinic/") {
            continue;
        }
        let prepared_alone = scan(name(path)).is_some() || path.contains("/conditions/") || path.contains("/actions/");
        // Other parts are prepared with the statements that take them in.
        if path.ends_with(".part.sql") && (!prepared_alone || path.ends_with("nobody_told.part.sql")) {
            continue;
        }
        let stem = name(path).rsplit('/').next().expect("a stem");
        let fire = statement("src/jobs/escalate_tickets/apply.sql");
        let sql = match path {
            // Conditions and actions are parts of the statement, and each makes it another.
            path if path.contains("/conditions/") => fire.replace(&read(HOLDS), &text),
            path if path.contains("/actions/") => fire.replace(&action("notify_manager"), &action(stem)),
            path => scan(name(path)).unwrap_or_else(|| statement(path)),
        };
        let prepare = format!("PREPARE p {} AS {sql}", types(path));
        clinic.client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        clinic.sql("DEALLOCATE p").await;
    }
}

/// What the program declares as a statement is prepared as it sends it.
#[tokio::test]
async fn every_declared_statement_is_valid() {
    let clinic = Clinic::new().await;
    let outcome = clinic.run(&["statements"]).await.expect(0);
    let statements: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("a list");
    assert!(statements.len() > 15, "{statements:?}");
    for statement in statements {
        let word = |key: &str| statement[key].as_str().expect("a text").to_owned();
        let types: Vec<&str> =
            statement["types"].as_array().expect("a list").iter().map(|one| one.as_str().expect("a type")).collect();
        let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
        let prepare = format!("PREPARE p {types} AS {}", word("text"));
        clinic.client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{}: {error:?}", word("name")));
        clinic.sql("DEALLOCATE p").await;
    }
}

/// The types of a file's parameters, which its header names.
fn types(path: &str) -> &'static str {
    match path.trim_start_matches("src/") {
        path if path.contains("practiceq") => types_of_the_sync(path),
        "jobs/mark_no_shows/due.part.sql" | "jobs/mark_no_shows/by_hand.part.sql" => "(timestamptz, date, date, int, bigint[])",
        "jobs/mark_no_shows/apply.sql" => "(timestamptz, date, date, int, bigint[], bigint[], uuid, text, bigint, text)",
        "jobs/mark_no_shows/no_slot_length.sql" => "(date, date)",
        "jobs/stage_alerts/due.part.sql" => "(timestamptz, bigint[], text, int, int, int, int)",
        "jobs/stage_alerts/raise.sql" => "(timestamptz, bigint[], text, int, int, int, int, bigint[], text, uuid)",
        "jobs/stage_alerts/resolve.sql" => "(timestamptz, bigint[], uuid)",
        "jobs/stage_alerts/no_slot_length.sql" => "(date)",
        "jobs/stage_alerts/resolved.part.sql" => "",
        "jobs/prune/apply.sql" => "(timestamptz, timestamptz, timestamptz, timestamptz, uuid[])",
        "jobs/prune/runs.part.sql" | "jobs/prune/errors.part.sql" | "jobs/prune/notifications.part.sql" => {
            "(timestamptz, timestamptz, timestamptz, timestamptz)"
        }
        "jobs/escalate_sla/due.part.sql" => "(timestamptz, bigint, double precision)",
        "jobs/escalate_sla/apply.sql" => "(timestamptz, bigint, double precision, bigint[], uuid, bigint, bigint[])",
        "ops/escalation_rules/missing_targets.sql" => "(bigint[], bigint)",
        "jobs/escalate_sla/explain.sql" => "(timestamptz, bigint, double precision, bigint, bigint[])",
        "jobs/monitor_ticket_sla/due.part.sql" => "(timestamptz)",
        "jobs/monitor_ticket_sla/scan.sql" => "(timestamptz, bigint)",
        "jobs/monitor_ticket_sla/apply.sql" => "(timestamptz, bigint[], uuid, bigint)",
        "jobs/escalate_tickets/rules.sql" => "(boolean)",
        "jobs/escalate_tickets/due.part.sql" | "jobs/escalate_tickets/ended.part.sql" => {
            "(timestamptz, bigint, text, double precision, text[], int, text, double precision, text)"
        }
        "jobs/escalate_tickets/end_episodes.sql" => {
            "(timestamptz, bigint, text, double precision, text[], int, text, double precision, text, bigint[])"
        }
        path if path.starts_with("jobs/escalate_tickets") => {
            "(timestamptz, bigint, text, double precision, text[], int, text, double precision, text, bigint[], uuid, bigint,
              text, jsonb)"
        }
        "jobs/advance_billing/advance.sql" => {
            "(timestamptz, int, double precision, bigint[], int, boolean, uuid, bigint)"
        }
        "jobs/refresh_npi/full.sql"
        | "jobs/refresh_npi/bare.sql"
        | "jobs/refresh_npi/inserted.sql"
        | "jobs/refresh_npi/rejects.sql" => "(bigint)",
        "jobs/refresh_npi/ledger.sql" => "(text, text, text, bigint, date, date, text, timestamptz, uuid)",
        "jobs/refresh_npi/counted.sql" => "(bigint, bigint, bigint, bigint, bigint, bigint, timestamptz)",
        path if path.starts_with("jobs/refresh_npi") => "",
        "jobs/advance_billing/requested_cases.sql" => "(timestamptz, bigint[], double precision, int)",
        "jobs/advance_billing/usual_items.sql" => "(text, text)",
        "ops/runs/show.sql" => "(uuid)",
        "ops/runs/list.sql" => "(text, text, timestamptz, bigint)",
        "ops/health/lanes.sql" => "(text[], text[])",
        "ops/health/runs.sql" => "(text[], text[], timestamptz[])",
        "ops/no_show/visit.sql" | "ops/no_show/last_log.sql" | "ops/alerts/alert.sql" => "(bigint)",
        "ops/no_show/logs.sql" => "(bigint, bigint, date, date, text, bigint)",
        "ops/no_show/stats.sql" => "(bigint, bigint, date, date)",
        "ops/alerts/list.sql" => "(bigint, text, text, bigint)",
        "ops/alerts/reveal.sql" => "(bigint[], bigint)",
        "ops/alerts/acknowledge.sql" => "(bigint, bigint, timestamptz)",
        "ops/alerts/resolve.sql" => "(bigint, bigint, timestamptz, text)",
        other => panic!("{other}: name the types of its parameters here"),
    }
}

fn types_of_the_sync(path: &str) -> &'static str {
    match path {
        "jobs/sync_practiceq/store.sql" => "(jsonb, timestamptz, uuid, bigint, bigint[])",
        "jobs/sync_practiceq/delete.sql" => "(bigint[], timestamptz, uuid, timestamptz)",
        "jobs/sync_practiceq/live.sql" | "jobs/sync_practiceq/discard_deleted.sql" => "(text[])",
        "jobs/sync_practiceq/discard_unseen.sql" => "(timestamptz, timestamptz, text[], timestamptz)",
        "jobs/sync_practiceq/note_missed.sql" => "(bigint[], bigint)",
        "jobs/sync_practiceq/missing.sql" => "(timestamptz, timestamptz, text[], timestamptz, bigint)",
        "jobs/sync_practiceq/permit.sql" => "(bigint, bigint, bigint, bigint, boolean, text, uuid)",
        "jobs/sync_practiceq/open.sql" => "(text, bigint, bigint, bigint, uuid)",
        "jobs/sync_practiceq/close.sql" => {
            "(bigint, text, text, bigint, bigint, bigint, bigint, bigint, bigint, jsonb, bigint[], bigint[], timestamptz, text, boolean)"
        }
        "jobs/sync_practiceq/notify_patients_failed.sql" => "(bigint, timestamptz, uuid, bigint)",
        "jobs/sync_practiceq/scope.sql" => "(bigint, bigint)",
        "jobs/sync_practiceq/allowed.sql" => "(bigint, bigint, bigint)",
        "ops/practiceq/unmatched.sql" => "(boolean, bigint, timestamptz)",
        "ops/practiceq/reveal.sql" => "(bigint[], bigint)",
        "ops/practiceq/lock.sql" => "(bigint, boolean)",
        "ops/practiceq/linkable.sql" => "(bigint, text, bigint)",
        "ops/practiceq/link.sql" => "(bigint[], bigint, bigint, timestamptz, bigint)",
        "ops/practiceq/ignore.sql" => "(bigint[], bigint, timestamptz, boolean, bigint)",
        path if path.starts_with("ops/practiceq/") => "(timestamptz)",
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

/// How a scan reads a table: fails on a sequential scan, returns how many rows it looked at.
async fn rows_read(clinic: &Clinic, table: &str, sql: &str) -> f64 {
    let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) {sql}");
    let plan: Value = clinic.row(&explain, &[]).await.get(0);
    let mut all = vec![];
    nodes(&plan[0]["Plan"], &mut all);
    all.iter()
        .filter(|node| node["Relation Name"] == table)
        .map(|node| {
            assert_ne!(node["Node Type"], "Seq Scan", "{plan:#}");
            let number = |key: &str| node[key].as_f64().unwrap_or(0.0);
            (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops")
        })
        .sum()
}

/// A scan with its parameters as literals, as the planner sees those of an unnamed statement.
fn with_values(rule: &str, values: &[&str]) -> String {
    let sql = scan(rule).expect("a rule");
    (1..=values.len()).rev().fold(sql, |sql, n| sql.replace(&format!("${n}"), values[n - 1]))
}

#[tokio::test]
async fn the_scans_touch_only_candidates() {
    let clinic = long_history().await;
    let values =
        ["'2026-03-02 12:00-05'::timestamptz", "date '2026-02-23'", "date '2026-03-03'", "7", "'{}'::bigint[]"];
    let read = rows_read(&clinic, "appointments", &with_values("mark_no_shows/due", &values)).await;
    assert!((200.0..500.0).contains(&read), "read {read} rows for 200 visits of today and 42 of last week");
    let values = [values[0], "'{}'::bigint[]", "'slot-end'", "5", "10", "NULL::int", "NULL::int"];
    let read = rows_read(&clinic, "appointments", &with_values("stage_alerts/due", &values)).await;
    assert!(read < 1.0, "read {read} rows where nobody is checked in");
}

#[tokio::test]
async fn billing_looks_at_what_waits_and_not_at_what_is_done() {
    let clinic = Clinic::new().await;
    let (facility, patient) = (clinic.facility("America/Denver", None).await, clinic.patient().await);
    clinic
        .sql(&format!(
            "INSERT INTO surgical_cases (facility_id, patient_id, case_status)
             SELECT {facility}, {patient}, CASE WHEN n % 1000 = 0 THEN 15 ELSE 20 END FROM generate_series(1, 100000) n;
             INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, run_id, created_at)
             SELECT id, 10, 15, 'system', gen_random_uuid(), '2026-01-01' FROM surgical_cases;
             ANALYZE"
        ))
        .await;
    let rule = rule("advance_billing").replace("{least}", "$3");
    let scan = format!("SELECT c.id FROM surgical_cases c\n{rule}ORDER BY c.id LIMIT 50");
    let values = ["'2026-03-05 08:00Z'::timestamptz", "15", "86400::double precision"];
    let scan = (1..=3).rev().fold(scan, |sql, n| sql.replace(&format!("${n}"), values[n - 1]));
    let read = rows_read(&clinic, "surgical_cases", &scan).await;
    assert!((50.0..=100.0).contains(&read), "read {read} rows for 100 cases that wait");
    rows_read(&clinic, "surgical_case_status_history", &scan).await;
}

#[tokio::test]
async fn migrations_come_once_in_order_and_can_be_asked_for() {
    use crate::support::{Program, scratch};
    let migrations = fs::read_dir("migrations").expect("the project's migrations").count();
    let name = database(false).await;
    let url = server().url(&name);
    assert!(url.contains(scratch::USER));
    let program = Program::new(&url);
    let pending = program.run(&["migrate", "--check"]).await.expect(1).report();
    assert_eq!(pending["pending"].as_array().map(Vec::len), Some(migrations), "{pending}");
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
    assert_eq!(applied, migrations);
    program.run(&["migrate", "--check"]).await.expect(0);
    let text = program.run(&["migrate", "--output", "text"]).await.expect(0).stdout;
    assert_eq!(text, format!("The schema is up to date (version {migrations}).\n"));
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
