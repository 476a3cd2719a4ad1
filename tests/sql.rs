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
    let job = |file: &str| read(&format!("src/jobs/{file}.sql"));
    match name {
        "mark_no_shows" => job("mark_no_shows.visit") + &job("mark_no_shows.due"),
        "mark_no_shows.by_hand" => job("mark_no_shows.visit") + &job("mark_no_shows.by_hand"),
        "prune.errors" => job("prune.errors.due").replace("{runs}", &job("prune.runs.due")),
        "escalate_sla" | "explain" => job("escalate_sla.overdue") + &job("escalate_sla.due"),
        "advance_billing" => job("advance_billing.candidates") + "  AND NOT\n" + &job("advance_billing.dwell"),
        "monitor_ticket_sla" => job("monitor_ticket_sla.judged") + &job("monitor_ticket_sla.due"),
        "escalate_tickets" => read("src/tickets.due_at.sql") + &job("escalate_tickets.due"),
        "escalate_tickets.over" => read("src/tickets.due_at.sql") + &job("escalate_tickets.over"),
        other => job(&format!("{other}.due")),
    }
}

/// A file as the program puts it together.
fn statement(path: &str) -> String {
    let name = Path::new(path).file_stem().and_then(|stem| stem.to_str()).expect("a name");
    let (ids, mine, done, table) = match name {
        "mark_no_shows" => ("$6", "pairs", "marked", "appointments"),
        "stage_alerts.resolve" => ("$2", "locked", "resolved", "stage_alerts"),
        "prune" => ("$5", "locked", "deleted", "cron_job_runs"),
        "escalate_sla" => ("$4", "locked", "escalated", "px_cases"),
        "monitor_ticket_sla" => ("$2", "locked", "due", "tickets"),
        "advance_billing" => ("$4", "locked", "advanced", "surgical_cases"),
        "escalate_tickets" => ("$10", "locked", "acted", "tickets"),
        "escalate_tickets.end" => ("$10", "locked", "ended", "tickets"),
        "refresh_npi.left" => ("", "", "", "search_surgeon"),
        "sync_practiceq.deleted" => ("$1", "locked", "due", "appointments"),
        _ => ("$8", "locked", "due", "appointments"),
    };
    let mut text = read(path);
    if text.contains("{due}") {
        text = text.replace("{due}", &rule(if name == "prune" { "prune.runs" } else { name }));
    }
    let over = if name == "escalate_tickets.end" {
        rule("escalate_tickets.over")
    } else {
        read("src/jobs/stage_alerts.over.sql")
    };
    text.replace("{over}", &over)
        .replace("{judged}", &read("src/jobs/monitor_ticket_sla.judged.sql"))
        .replace("{action}", &action("notify_manager"))
        .replace("{department}", &read("src/jobs/escalate_sla.department.sql"))
        .replace("{fallback}", if name == "explain" { "$5" } else { "$7" })
        .replace("{due_at}", &read("src/tickets.due_at.sql"))
        .replace("{stage}", "npi_stage")
        .replace("{end}", "2026-08-02")
        .replace("{columns}", "raw")
        .replace("{assignments}", "raw = s.raw")
        .replace("{type}", "1")
        .replace("{held_back}", &read("src/jobs/advance_billing.dwell.sql"))
        .replace("{least}", "$3")
        .replace("{timestamp}", "paid_to_provider_ts")
        .replace("{holds}", &read(HOLDS))
        .replace("{folded_name}", &folded("r.client_name"))
        .replace("{folded_patient}", &folded("concat_ws(' ', p.first_name, p.last_name)"))
        .replace("{told}", &read("src/jobs/sync_practiceq.told.sql"))
        .replace("{outbox}", &read("src/outbox.sql"))
        .replace("{streak}", &read("src/run/streak.sql"))
        .replace("{but}", if name == "lanes" { "NULL" } else { "$1" })
        .replace("{left_alone}", &read("src/run/left_alone.sql"))
        .replace("{ids}", ids)
        .replace("{mine}", mine)
        .replace("{done}", done)
        .replace("{table}", table)
}

/// A name without what makes no difference.
fn folded(text: &str) -> String {
    read("src/jobs/sync_practiceq.folded.sql").replace("{text}", text)
}

/// One condition of the escalation rules, for the statements that take any.
const HOLDS: &str = "src/jobs/escalate_tickets/conditions/no_response.sql";

/// The CTEs of an action.
fn action(name: &str) -> String {
    let read = |name: &str| read(&format!("src/jobs/escalate_tickets/actions/{name}.sql"));
    match name {
        "notify_manager" | "send_email" => read(name),
        quiet => format!("{},\n{}", read(quiet).trim_end(), read("nobody_told")),
    }
}

/// A rule is no statement of its own: its scan is.
fn scan(name: &str) -> Option<String> {
    let from = match name {
        "mark_no_shows.due" | "mark_no_shows.by_hand" | "stage_alerts.due" => "a.id FROM appointments a",
        "stage_alerts.over" => {
            return Some(format!("SELECT x.id FROM stage_alerts x\n{}", read("src/jobs/stage_alerts.over.sql")));
        }
        "escalate_sla.due" => "c.id FROM px_cases c",
        "monitor_ticket_sla.due" | "escalate_tickets.due" | "escalate_tickets.over" => "t.id FROM tickets t",
        "prune.runs.due" => "x.id FROM cron_job_runs x",
        "prune.errors.due" => "x.id FROM cron_job_run_errors x",
        "prune.notifications.due" => "x.id FROM notifications x",
        _ => return None,
    };
    let due = rule(name.strip_suffix(".due").unwrap_or(name)).replace("{due_at}", &read("src/tickets.due_at.sql"));
    let due = due.replace("{holds}", &read(HOLDS));
    Some(format!("WITH due AS MATERIALIZED (SELECT {from}\n{due}) SELECT id FROM due ORDER BY id LIMIT 100001"))
}

/// Parts of other files, which are prepared with them; so is src/outbox.sql.
const PARTS: [&str; 11] = [
    "sync_practiceq.folded.sql",
    "sync_practiceq.told.sql",
    "advance_billing.candidates.sql",
    "advance_billing.dwell.sql",
    "left_alone.sql",
    "streak.sql",
    "mark_no_shows.visit.sql",
    "escalate_sla.overdue.sql",
    "escalate_sla.department.sql",
    "monitor_ticket_sla.judged.sql",
    "nobody_told.sql",
];

#[tokio::test]
async fn every_file_is_valid_and_says_what_it_is() {
    let clinic = Clinic::new().await;
    // What a run of refresh-npi makes for itself.
    clinic
        .sql(&format!(
            "CREATE TEMPORARY TABLE npi_stage AS
             SELECT 1::bigint AS line, NULL::text AS reject, true AS bare, NULL::text AS folded, d.* FROM npi_data d;
             CREATE TEMPORARY TABLE npi_todo AS {}",
            statement("src/jobs/refresh_npi.sql")
        ))
        .await;
    let mut found = vec![];
    // The demo's own are run by the demo, in its test.
    for dir in ["src/jobs", "src/run", "src/ops"] {
        files(Path::new(dir), &mut found);
    }
    assert!(found.len() > 30, "{found:?}");
    for path in found {
        let path = path.to_str().expect("UTF-8");
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).expect("a name");
        let text = read(path);
        assert!(text.starts_with("-- "), "{path}: no header comment");
        let clock = text.to_lowercase().replace("clock_timestamp()", "").replace("clock.now", "");
        assert!(!clock.contains("now()") && !clock.contains("current_timestamp"), "{path}: a clock");
        if PARTS.contains(&name) {
            continue;
        }
        let stem = name.trim_end_matches(".sql");
        let fire = statement("src/jobs/escalate_tickets.sql");
        let sql = match path {
            // Conditions and actions are parts of the statement, and each makes it another.
            path if path.contains("/conditions/") => fire.replace(&read(HOLDS), &text),
            path if path.contains("/actions/") => fire.replace(&action("notify_manager"), &action(stem)),
            path => scan(stem).unwrap_or_else(|| statement(path)),
        };
        let prepare = format!("PREPARE p {} AS {sql}", types(path));
        clinic.client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        clinic.sql("DEALLOCATE p").await;
    }
}

/// The types of a file's parameters, which its header names.
fn types(path: &str) -> &'static str {
    match path.trim_start_matches("src/") {
        path if path.contains("practiceq") => types_of_the_sync(path),
        "jobs/mark_no_shows.due.sql" | "jobs/mark_no_shows.by_hand.sql" => "(timestamptz, date, date, int, bigint[])",
        "jobs/mark_no_shows.sql" => "(timestamptz, date, date, int, bigint[], bigint[], uuid, text, bigint, text)",
        "jobs/mark_no_shows.unjudged.sql" => "(date, date)",
        "jobs/stage_alerts.due.sql" => "(timestamptz, bigint[], text, int, int, int, int)",
        "jobs/stage_alerts.sql" => "(timestamptz, bigint[], text, int, int, int, int, bigint[], text, uuid)",
        "jobs/stage_alerts.resolve.sql" => "(timestamptz, bigint[], uuid)",
        "jobs/stage_alerts.unjudged.sql" => "(date)",
        "jobs/stage_alerts.over.sql" => "",
        "jobs/prune.sql" => "(timestamptz, timestamptz, timestamptz, timestamptz, uuid[])",
        "jobs/prune.runs.due.sql" | "jobs/prune.errors.due.sql" | "jobs/prune.notifications.due.sql" => {
            "(timestamptz, timestamptz, timestamptz, timestamptz)"
        }
        "jobs/escalate_sla.due.sql" => "(timestamptz, bigint, double precision)",
        "jobs/escalate_sla.sql" => "(timestamptz, bigint, double precision, bigint[], uuid, bigint, bigint[])",
        "ops/escalation_rules.targets.sql" => "(bigint[], bigint)",
        "ops/explain.sql" => "(timestamptz, bigint, double precision, bigint, bigint[])",
        "jobs/monitor_ticket_sla.due.sql" => "(timestamptz)",
        "jobs/monitor_ticket_sla.scan.sql" => "(timestamptz, bigint)",
        "jobs/monitor_ticket_sla.sql" => "(timestamptz, bigint[], uuid, bigint)",
        "jobs/escalate_tickets.rules.sql" => "(boolean)",
        "jobs/escalate_tickets.due.sql" | "jobs/escalate_tickets.over.sql" => {
            "(timestamptz, bigint, text, double precision, text[], int, text, double precision, text)"
        }
        "jobs/escalate_tickets.end.sql" => {
            "(timestamptz, bigint, text, double precision, text[], int, text, double precision, text, bigint[])"
        }
        path if path.starts_with("jobs/escalate_tickets") => {
            "(timestamptz, bigint, text, double precision, text[], int, text, double precision, text, bigint[], uuid, bigint,
              text, jsonb)"
        }
        "jobs/advance_billing.sql" => {
            "(timestamptz, int, double precision, bigint[], int, boolean, uuid, bigint)"
        }
        "jobs/refresh_npi.full.sql"
        | "jobs/refresh_npi.bare.sql"
        | "jobs/refresh_npi.inserted.sql"
        | "jobs/refresh_npi.rejects.sql" => "(bigint)",
        "jobs/refresh_npi.ledger.sql" => "(text, text, text, bigint, date, date, text, timestamptz, uuid)",
        "jobs/refresh_npi.counted.sql" => "(bigint, bigint, bigint, bigint, bigint, bigint, timestamptz)",
        path if path.starts_with("jobs/refresh_npi") => "",
        "jobs/advance_billing.asked.sql" => "(timestamptz, bigint[], double precision, int)",
        "jobs/advance_billing.brake.sql" => "(text, text)",
        "run/run_row.sql" => {
            "(uuid, text, text, text, text, timestamptz, bigint, text, text, jsonb, text, text, bigint, bigint)"
        }
        "run/holder.sql" => "(text, text, bigint, uuid)",
        "run/succeeded.sql" => "(text, text, bigint)",
        "run/close.sql" => "(uuid, text, text, text, bigint, bigint, jsonb)",
        "run/item_errors.sql" => "(uuid, text, text[], text, text)",
        "run/fence.sql" | "run/heartbeat.sql" | "run/settled.sql" => "(uuid)",
        "run/streak.failing.sql" => "(uuid, bigint)",
        "run/streak.recovered.sql" | "ops/runs.show.sql" => "(uuid)",
        "ops/runs.list.sql" => "(text, text, timestamptz, bigint)",
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
        "jobs/sync_practiceq.sql" => "(jsonb, timestamptz, uuid, bigint, bigint[])",
        "jobs/sync_practiceq.deleted.sql" => "(bigint[], timestamptz, uuid, timestamptz)",
        "jobs/sync_practiceq.listed.sql" | "jobs/sync_practiceq.forgotten.sql" => "(text[])",
        "jobs/sync_practiceq.unseen.sql" => "(timestamptz, timestamptz, text[], timestamptz)",
        "jobs/sync_practiceq.missed.sql" => "(bigint[], bigint)",
        "jobs/sync_practiceq.missing.sql" => "(timestamptz, timestamptz, text[], timestamptz, bigint)",
        "jobs/sync_practiceq.budget.sql" => "(bigint, bigint, bigint, bigint, boolean, text, uuid)",
        "jobs/sync_practiceq.open.sql" => "(text, bigint, bigint, bigint, uuid)",
        "jobs/sync_practiceq.close.sql" => {
            "(bigint, text, text, bigint, bigint, bigint, bigint, bigint, bigint, jsonb, bigint[], bigint[], timestamptz, text, boolean)"
        }
        "jobs/sync_practiceq.failed.sql" => "(bigint, timestamptz, uuid, bigint)",
        "jobs/sync_practiceq.scope.sql" => "(bigint, bigint)",
        "jobs/sync_practiceq.allowed.sql" => "(bigint, bigint, bigint)",
        "ops/practiceq/unmatched.sql" => "(boolean, bigint, timestamptz)",
        "ops/practiceq/reveal.sql" => "(bigint[], bigint)",
        "ops/practiceq/hold.sql" => "(bigint, boolean)",
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
    let read = rows_read(&clinic, "appointments", &with_values("mark_no_shows.due", &values)).await;
    assert!((200.0..500.0).contains(&read), "read {read} rows for 200 visits of today and 42 of last week");
    let values = [values[0], "'{}'::bigint[]", "'slot-end'", "5", "10", "NULL::int", "NULL::int"];
    let read = rows_read(&clinic, "appointments", &with_values("stage_alerts.due", &values)).await;
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
    let name = database(false).await;
    let url = server().url(&name);
    assert!(url.contains(scratch::USER));
    let program = Program::new(&url);
    let pending = program.run(&["migrate", "--check"]).await.expect(1).report();
    assert_eq!(pending["pending"].as_array().map(Vec::len), Some(10), "{pending}");
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
    assert_eq!(applied, 10);
    program.run(&["migrate", "--check"]).await.expect(0);
    let text = program.run(&["migrate", "--output", "text"]).await.expect(0).stdout;
    assert_eq!(text, "The schema is up to date (version 10).\n");
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
