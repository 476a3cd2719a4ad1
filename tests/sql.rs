//! Every statement that the program sends, prepared against the migrated schema; the plans of those that run every five
//! minutes; and what the schema refuses.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Clinic;
use crate::support::keys::Kind;

/// All files below a directory whose names end so.
pub fn files(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the project's sources").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            files(&entry, extension, found);
        } else if entry.extension().is_some_and(|other| other == extension) {
            found.push(entry);
        }
    }
}

/// A statement as the program sends it.
pub struct Statement {
    pub name: String,
    pub types: Vec<String>,
    /// The jobs that send it; none where every run does, or a command.
    pub jobs: Vec<String>,
    /// The jobs and groups of commands whose roles send it.
    pub roles: Vec<String>,
    pub text: String,
}

/// Every statement of the program; a template is there once for each of its choices.
pub async fn statements(clinic: &Clinic) -> Vec<Statement> {
    let outcome = clinic.run(&["statements"]).await.expect(0);
    let list: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("a list");
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let words = |value: &Value| value.as_array().expect("a list").iter().map(word).collect();
    let read = |one: &Value| Statement {
        name: word(&one["name"]),
        types: words(&one["types"]),
        jobs: words(&one["jobs"]),
        roles: words(&one["roles"]),
        text: word(&one["text"]),
    };
    list.iter().map(read).collect()
}

/// The statement of this name, with its parameters as literals, as the planner sees those of an unnamed statement.
async fn with_values(clinic: &Clinic, name: &str, values: &[&str]) -> String {
    let all = statements(clinic).await;
    let found = all.into_iter().find(|statement| statement.name == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(found.types.len(), values.len(), "{name}");
    (1..=values.len()).rev().fold(found.text, |sql, n| sql.replace(&format!("${n}"), values[n - 1]))
}

#[tokio::test]
async fn every_statement_is_valid_as_it_is_sent() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let statements = statements(&clinic).await;
        prepare_temporary_tables(&clinic, &statements).await;
        // As the program sees the database.
        clinic.sql("SET search_path = pg_catalog, rounds, pg_temp").await;
        assert!(statements.len() > 150, "{}", statements.len());
        let mut faults = vec![];
        for Statement { name, types, text, .. } in
            statements.iter().filter(|one| !one.text.contains("rounds_clinic_migrations"))
        {
            let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
            let prepare = format!("PREPARE p {types} AS {text}");
            match clinic.client.batch_execute(&prepare).await {
                Ok(()) => clinic.sql("DEALLOCATE p").await,
                Err(error) => faults.push(format!("{kind:?} {name}: {}", error.as_db_error().expect("an answer"))),
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

/// Makes the three tables that a run of refresh-npi makes for itself.
pub async fn prepare_temporary_tables(clinic: &Clinic, statements: &[Statement]) {
    let staged = "CREATE TEMPORARY TABLE npi_stage AS
                  SELECT 1::bigint AS line, NULL::text AS reject, true AS bare, NULL::text AS folded,
                         NULL::text AS other_full, NULL::text AS other_kind, NULL::\"char\" AS other_letter,
                         NULL::text AS other_folded, d.*
                  FROM npi_data d";
    clinic.sql(staged).await;
    let classify = statements.iter().find(|statement| statement.name.ends_with("::CLASSIFY")).expect("a statement");
    clinic.sql(&format!("CREATE TEMPORARY TABLE npi_todo AS {}", classify.text)).await;
    let names = statements.iter().find(|statement| statement.name.ends_with("::OTHER_NAMES")).expect("a statement");
    clinic.sql(&format!("CREATE TEMPORARY TABLE npi_names AS {}", names.text)).await;
}

/// One file sends statements. So what is declared is all that is sent, and what is prepared here is what runs.
#[test]
fn statements_are_sent_as_they_are_declared() {
    let mut found = vec![];
    files(Path::new("src"), "rs", &mut found);
    assert!(found.len() > 100, "{found:?}");
    // The demo looks at its own server, behind no pooler; what is in `clients` talks to other servers.
    let others = ["src/db/statement.rs", "src/demo", "src/clients"];
    for path in found.iter().filter(|path| !others.iter().any(|other| path.starts_with(other))) {
        let text = fs::read_to_string(path).expect("UTF-8");
        for sends in
            ["query_typed", "execute_typed", "tx.query", "client.query", "tx.execute", "client.execute", "prepare("]
        {
            assert!(!text.contains(sends), "{path:?}: {sends}; declare it with statements!");
        }
    }
}

/// Without a target it swallows each conflict: also that of a key which an identity gives twice after a restore.
#[tokio::test]
async fn a_conflict_that_is_ignored_is_one_that_was_meant() {
    let swallows = |text: &str| {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
        words.contains("ON CONFLICT DO NOTHING")
    };
    assert!(swallows("INSERT INTO t VALUES (1)\n  on conflict\n  do nothing"), "it is found across lines");
    let statements = statements(&Clinic::new().await).await;
    let mut faults: Vec<String> =
        statements.into_iter().filter(|one| swallows(&one.text)).map(|one| one.name).collect();
    // What is no statement: texts that other code builds, migrations, and the kits.
    let mut found = vec![];
    for (dir, extension) in [("src", "rs"), ("src", "sql"), ("migrations", "sql"), ("adopt", "sql")] {
        files(Path::new(dir), extension, &mut found);
    }
    assert!(found.len() > 250, "{}", found.len());
    let swallowing = |path: &PathBuf| swallows(&fs::read_to_string(path).expect("UTF-8").replace("\\n", " "));
    faults.extend(found.iter().filter(|path| swallowing(path)).map(|path| path.display().to_string()));
    assert!(faults.is_empty(), "ON CONFLICT DO NOTHING without a target: {faults:?}");
}

#[test]
fn every_file_says_what_it_is_and_asks_no_clock() {
    let mut found = vec![];
    files(Path::new("src"), "sql", &mut found);
    assert!(found.len() > 100, "{found:?}");
    for path in found {
        let text = fs::read_to_string(&path).expect("UTF-8");
        assert!(text.starts_with("-- "), "{path:?}: no header comment");
        let clock = text.to_lowercase().replace("clock_timestamp()", "").replace("clock.now", "");
        assert!(!clock.contains("now()") && !clock.contains("current_timestamp"), "{path:?}: a clock");
    }
}

/// A table large enough that reading all of it would show: 300 visits a day until now, 200 of today.
async fn long_history(days: i64) -> Clinic {
    let last = 300 * (days + 1);
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let patient = clinic.patient().await;
    clinic
        .sql(&format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                       checked_in_at)
             SELECT {facility}, {doctor}, {patient}, date '2026-03-02' - (n / 300), '09:00',
                    CASE WHEN n % 3 = 0 THEN 'NO_SHOW' WHEN n % 50 = 1 THEN 'SCHEDULED' ELSE 'COMPLETED' END, NULL
             FROM generate_series(300, {last}) n;
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

#[tokio::test]
async fn the_scans_touch_only_candidates() {
    let clinic = long_history(200).await;
    let now = "'2026-03-02 12:00-05'::timestamptz";
    let values = [now, "date '2026-02-23'", "date '2026-03-03'", "7", "'{}'::bigint[]", "100001", "NULL"];
    let scan = with_values(&clinic, "rounds::jobs::mark_no_shows::SCAN", &values).await;
    let read = rows_read(&clinic, "appointments", &scan).await;
    assert!((200.0..500.0).contains(&read), "read {read} rows for 200 visits of today and 42 of last week");
    let values =
        [now, "'{}'::bigint[]", "'slot-end'", "5", "10", "NULL::int", "date '2026-03-01'", "1", "100001", "NULL"];
    let scan = with_values(&clinic, "rounds::jobs::stage_alerts::SCAN", &values).await;
    let read = rows_read(&clinic, "appointments", &scan).await;
    assert!(read < 1.0, "read {read} rows where nobody is checked in");
    // In ten weeks the doctor comes an hour later on one day of seven.
    let weeks = "INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time)
                 SELECT 1, n, CASE n WHEN 3 THEN time '10:00' ELSE '08:00' END, '17:00' FROM generate_series(1, 7) n;
                 ANALYZE doctor_schedules";
    clinic.sql(weeks).await;
    let values = [
        "'2026-03-09 12:00-05'::timestamptz",
        "date '2026-03-09'",
        "'{}'::bigint[]",
        "'{}'::bigint[]",
        "NULL",
        "true",
        "100001",
    ];
    let scan = with_values(&clinic, "rounds::jobs::flag_schedule_conflicts::scan::SCAN", &values).await;
    let read = rows_read(&clinic, "appointments", &scan).await;
    assert!((2_000.0..=20_000.0).contains(&read), "read {read} rows for 20000 visits to come");
}

#[tokio::test]
async fn visits_of_open_flags_are_found_by_their_keys() {
    let clinic = long_history(1000).await;
    clinic
        .sql(
            "INSERT INTO schedule_flags (appointment_id, facility_id, doctor_id, weekday, version, changed_at, visit_start,
                                         flagged_at)
             SELECT id, 1, 1, 1, 'v', now(), '2026-03-02 09:00', now() FROM appointments WHERE id <= 10000;
             ANALYZE schedule_flags",
        )
        .await;
    let keys = |last: i64| format!("'{{{}}}'", (1..=last).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
    for page in [10, 1000, 10_000] {
        let (keys, none) = (keys(page), "'{}'::bigint[]");
        let values = ["'2026-03-02 12:00-05'::timestamptz", "date '2026-03-01'", none, none, "NULL", &keys, &keys];
        let ended = with_values(&clinic, "rounds::jobs::flag_schedule_conflicts::flags::ENDED", &values).await;
        let read = rows_read(&clinic, "appointments", &ended).await;
        assert!(read <= page as f64, "read {read} visits of {page} flags");
    }
}

#[tokio::test]
async fn the_scan_of_cancellations_reads_those_of_the_window() {
    let clinic = long_history(200).await;
    // Two thousand of the past, and of the next weeks three hundred; most of them are in the ledger, and have no slot.
    let cancel = "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '2026-02-01'
                  WHERE id % 30 = 2 AND appointment_date < '2026-02-20' OR id % 66 = 0 AND appointment_date > '2026-03-02';
                  INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome)
                  SELECT id::text, appointment_date + start_time, cancelled_at, '2026-02-02', 'TOLD' FROM appointments
                  WHERE status = 'CANCELLED' AND id % 7 > 0;
                  INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, appointment_id, is_booked)
                  SELECT doctor_id, appointment_date, time '00:00' + row_number() OVER () * interval '1 second', '24:00', id, true
                  FROM (SELECT * FROM appointments LIMIT 50000) a;
                  VACUUM ANALYZE";
    for statement in cancel.split(';') {
        clinic.sql(statement).await;
    }
    let values = ["'2026-03-02 12:00-05'::timestamptz", "date '2026-02-23'", "7", "'{}'::bigint[]", "100001", "NULL"];
    let scan = with_values(&clinic, "rounds::jobs::notify_cancellations::SCAN", &values).await;
    let read = rows_read(&clinic, "appointments", &scan).await;
    assert!((250.0..400.0).contains(&read), "read {read} rows for 300 visits");
    let read = rows_read(&clinic, "doctor_slots", &scan).await;
    assert!(read < 400.0, "read {read} slots for 300 visits");
    let values = ["0", "date '2026-02-23'", "10000"];
    let open = with_values(&clinic, "rounds::jobs::notify_cancellations::ended::OPEN", &values).await;
    let read = rows_read(&clinic, "visit_cancellations", &open).await;
    assert!(read < 400.0, "read {read} rows of the ledger for 260 visits that lie ahead");
}

#[tokio::test]
async fn a_run_about_leave_reads_its_own_days_and_slots() {
    let clinic = long_history(200).await;
    let colleague = clinic.doctor(1, Some(15)).await;
    // Of 60,000 slots 500 are inside the leave, of which all but one are done.
    clinic
        .sql(&format!(
            "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time)
             SELECT 1 + k % 2, date '2026-01-01' + n, time '08:00' + k * interval '10 minutes',
                    time '08:10' + k * interval '10 minutes'
             FROM generate_series(0, 599) n, generate_series(0, 99) k WHERE k < 90;
             INSERT INTO doctor_absences (doctor_id, type, first_day, last_day)
             SELECT {colleague}, 'OTHER', date '2020-01-01' + n, date '2020-01-01' + n FROM generate_series(1, 2000) n;
             INSERT INTO doctor_absences (doctor_id, type, first_day, last_day)
             VALUES (1, 'EMERGENCY', '2026-03-10', '2026-03-20');
             UPDATE doctor_slots SET is_blocked = true WHERE slot_date BETWEEN '2026-03-10' AND '2026-03-20' 
               AND NOT (slot_date = '2026-03-15' AND start_time = '10:00');
             ANALYZE"
        ))
        .await;
    let now = "'2026-03-02 12:00Z'::timestamptz";
    let rule = [now, "'{}'::bigint[]", "date '2026-02-28'", "'{}'::bigint[]", "NULL", "NULL"];
    let with = async |name: &str, more: &[&str]| {
        with_values(&clinic, &format!("rounds::jobs::apply_absences::scan::{name}"), &[&rule[..], more].concat()).await
    };
    let read = rows_read(&clinic, "doctor_slots", &with("SLOTS", &["100000"]).await).await;
    assert!(read <= 200.0, "read {read} slots where one is left to be blocked");
    // 20,000 visits are to come, of which 11 days' worth is inside the leave.
    for (name, more) in [("HELD", &["50"][..]), ("VISITS", &["100001"]), ("UNLISTED", &[])] {
        let read = rows_read(&clinic, "appointments", &with(name, more).await).await;
        assert!(read <= 5000.0, "{name} read {read} visits");
    }
}

#[tokio::test]
async fn the_visits_of_a_ledger_are_found_by_their_keys() {
    let clinic = long_history(1000).await;
    let raise = "INSERT INTO stage_alerts (appointment_id, alert_type, message, triggered_at)
                 SELECT id, 'NO_VITALS', 'm', now() FROM appointments WHERE id <= 10000; ANALYZE stage_alerts";
    clinic.sql(raise).await;
    let keys = |last: i64| format!("'{{{}}}'", (1..=last).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
    for page in [10, 1000, 10_000] {
        let keys = keys(page);
        let ended = with_values(&clinic, "rounds::jobs::stage_alerts::ENDED", &[&keys, &keys, "NULL"]).await;
        let read = rows_read(&clinic, "appointments", &ended).await;
        assert!(read <= page as f64, "read {read} visits of {page} alerts");
        let values = [&*keys, "NULL", "NULL", "NULL::date", "NULL::date"];
        let visits = with_values(&clinic, "rounds::ops::visits::VISITS", &values).await;
        let read = rows_read(&clinic, "appointments", &visits).await;
        assert!(read <= page as f64, "read {read} visits of {page} rows");
    }
}

#[tokio::test]
async fn billing_looks_at_what_waits_and_not_at_what_is_done() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (facility, patient) = (clinic.facility("America/Denver", None).await, clinic.patient().await);
        clinic
            .sql(&format!(
                "INSERT INTO surgical_cases (facility_id, patient_id, case_status)
                 SELECT k({facility}), k({patient}), CASE WHEN n % 300 = 0 THEN 15 ELSE 20 END
                 FROM generate_series(1, 30000) n;
                 INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, run_id, created_at)
                 SELECT id::text, 10, 15, 'system', gen_random_uuid(), '2026-01-01' FROM surgical_cases;
                 ANALYZE"
            ))
            .await;
        let values = ["'2026-03-05 08:00Z'::timestamptz", "15", "86400::double precision", "NULL", "50"];
        let scan = with_values(&clinic, "rounds::jobs::advance_billing::outlook::SCAN", &values).await;
        let read = rows_read(&clinic, "surgical_cases", &scan).await;
        assert!((50.0..=100.0).contains(&read), "{kind:?}: read {read} rows for 100 cases that wait");
        rows_read(&clinic, "surgical_case_status_history", &scan).await;
        // By hand: the cases that are named, and their history.
        let ids = ["5000", "7000", "9001"].map(|id| format!("\"{}\"", kind.text(id.parse().expect("a number"))));
        let ids = format!("'{{{}}}'", ids.join(","));
        let now = "'2026-03-05 08:00Z'::timestamptz";
        let named = ("by_hand::REQUESTED_CASES", &[now, &ids, "NULL::double precision", "20"][..]);
        let run = "gen_random_uuid()";
        let advance = (
            "step::ADVANCE",
            &[now, "15", "86400::double precision", &ids, "20", "false", run, "NULL", "true", "NULL"][..],
        );
        for (name, values) in [named, advance] {
            let sql = with_values(&clinic, &format!("rounds::jobs::advance_billing::{name}"), values).await;
            // A literal has no type of its own before it meets a key.
            let key = "unnest(ARRAY(SELECT id FROM surgical_cases WHERE false) || ";
            let sql = sql.replace("unnest(", key);
            for (table, rows) in [("surgical_cases", 15.0), ("surgical_case_status_history", 3.0)] {
                let read = rows_read(&clinic, table, &sql).await;
                assert!(read <= rows, "{kind:?}: {name} read {read} rows of {table} for 3 cases");
            }
        }
    }
}

#[tokio::test]
async fn escalation_looks_at_what_is_overdue_whatever_its_dates_and_keys_are() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let facility = clinic.facility("America/Denver", None).await;
        clinic
            .sql(&format!(
                "INSERT INTO px_cases (facility_id, status, due_at, escalation_level, escalated_at)
                 SELECT k({facility}), 'ESCALATED', '2026-01-01', CASE WHEN n % 333 = 0 THEN 1 ELSE 3 END, '2026-01-02'
                 FROM generate_series(1, 10000) n;
                 INSERT INTO px_cases (facility_id, status, due_at)
                 SELECT k({facility}), 'RESOLVED', '2026-01-01' FROM generate_series(1, 10000);
                 INSERT INTO px_cases (facility_id, due_at)
                 SELECT k({facility}), timestamptz '2026-03-02Z' + n * interval '1 minute'
                 FROM generate_series(-99, 10000) n;
                 ANALYZE"
            ))
            .await;
        let now = "'2026-03-02 00:00:01Z'::timestamptz";
        for (after, due) in [("NULL::double precision", 100.0), ("3600::double precision", 130.0)] {
            for statement in ["SCAN", "COUNT_LEFT_ALONE"] {
                let values = &[now, "NULL", after, "NULL", "100001"][..if statement == "SCAN" { 5 } else { 4 }];
                let name = format!("rounds::jobs::escalate_sla::{statement}");
                let scan = with_values(&clinic, &name, values).await;
                let read = rows_read(&clinic, "px_cases", &scan).await;
                assert!(read <= 2.0 * due, "{kind:?}: {statement} read {read} rows where {due} cases are overdue");
            }
        }
    }
}

/// The statements of this name, one for each choice of a template, with their parameters as literals.
async fn each_with_values(clinic: &Clinic, name: &str, values: &[&str]) -> Vec<String> {
    let all = statements(clinic).await.into_iter().filter(|statement| statement.name == name);
    let literal = |sql: String, n: usize| sql.replace(&format!("${n}"), values[n - 1]);
    let found: Vec<String> = all.map(|found| (1..=values.len()).rev().fold(found.text, literal)).collect();
    assert!(!found.is_empty(), "no {name}");
    found
}

/// Fails unless the scans of the help desk's jobs read only the open tickets, 200, or those that they name, the 7th and
/// the 50,007th, which is open; each of them at most so many times.
pub async fn only_open_tickets_are_read(clinic: &Clinic, times: f64) {
    let kind = clinic.kind;
    let now = "'2026-03-02 12:00Z'::timestamptz";
    let none = "NULL::text";
    let keys = format!("'{{{},{}}}'", kind.text(7), kind.text(50_007));
    let rule = [now, "'1'", none, "1::float8", "'{OPEN}'::text[]", "3", "'<'", "NULL::float8", "'d'"];
    let scans = each_with_values(clinic, "rounds::jobs::monitor_ticket_sla::SCAN", &[now, "100001", "NULL"]).await;
    let open = "rounds::jobs::escalate_tickets::rule::COUNT_OPEN";
    let scans = [scans, each_with_values(clinic, open, &["NULL"]).await].concat();
    let scan = "rounds::jobs::escalate_tickets::pass::SCAN";
    for scan in [scans, each_with_values(clinic, scan, &[&rule[..], &["100001", "NULL"]].concat()).await].concat() {
        let read = rows_read(clinic, "tickets", &scan).await;
        assert!((200.0..=201.0 * times).contains(&read), "{kind:?}: read {read} rows for 200 open tickets: {scan}");
    }
    let named = "rounds::jobs::escalate_tickets::pass::SCAN_ENDED";
    let named = each_with_values(clinic, named, &[&rule[..], &[keys.as_str(), "NULL"]].concat()).await;
    let present = each_with_values(clinic, "rounds::jobs::escalate_tickets::gone::PRESENT", &[keys.as_str()]).await;
    for scan in [named, present].concat() {
        let read = rows_read(clinic, "tickets", &scan).await;
        assert!((1.0..=2.0 * times).contains(&read), "{kind:?}: read {read} rows for two tickets: {scan}");
    }
}

#[tokio::test]
async fn tickets_are_looked_for_among_the_open() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        clinic
            .sql(
                "INSERT INTO tickets (number, title, status, created_at)
                 SELECT n, 't', 'CLOSED', '2026-03-01' FROM generate_series(1, 50000) n;
                 INSERT INTO tickets (number, title, created_at)
                 SELECT 50000 + n, 't', '2026-03-01' FROM generate_series(1, 200) n;
                 INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('MEDIUM', 60);
                 ANALYZE",
            )
            .await;
        only_open_tickets_are_read(&clinic, 1.0).await;
    }
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

#[tokio::test]
async fn a_follow_up_reads_what_may_be_asked_about_and_no_history() {
    let clinic = Clinic::new().await;
    // A message a minute, for months. One of ten has never been said to have arrived.
    clinic
        .sql(
            "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, sent_at, sending_at, created_at, provider_id,
                                        provider_asked_at, delivered_at)
             SELECT 'PATIENT', '1', 'SMS', 'T', 't', 'b', 'e', '1', 'k' || n, 'SENT', t, t, t, 'SM' || n,
                    CASE WHEN n > 30 THEN least(t + interval '10 minutes', '2026-03-02 12:00-05') END,
                    CASE WHEN n > 30 AND n % 10 <> 0 THEN t END
             FROM (SELECT n, '2026-03-02 12:00-05'::timestamptz - n * interval '1 minute' AS t
                   FROM generate_series(1, 50000) n) sent;
             ANALYZE notifications",
        )
        .await;
    let now = "'2026-03-02 12:00-05'::timestamptz";
    let of = |name: &str| format!("rounds::jobs::deliver_notifications::{name}");
    let asked = with_values(&clinic, &of("follow_up::UNCONFIRMED"), &["'SMS'", now, "50"]).await;
    let read = rows_read(&clinic, "notifications", &asked).await;
    assert!((50.0..=250.0).contains(&read), "read {read} rows for 50");
    let searched = with_values(&clinic, &of("follow_up::UNCERTAIN"), &["'SMS'", now, "50"]).await;
    assert!(rows_read(&clinic, "notifications", &searched).await < 1.0);
    let taken = with_values(&clinic, &of("sought::TAKEN"), &["'{SM7,SM8,x}'::text[]"]).await;
    assert!(rows_read(&clinic, "notifications", &taken).await <= 2.0);
}
