//! Values at the ends of their types, in each column that a job reads: they stop no other row, and no operator command.
//!
//! The columns are those of the list of needed columns, so a new one is tried without a word here.

use crate::support::Clinic;
use crate::support::clinic::Visit;

const NEEDS: &str = include_str!("../../src/clinic/needs.txt");
const NOON: &str = "2026-03-02T17:00:00Z";

/// The ends of a type, and what is none of its sensible values.
fn ends(data_type: &str) -> &'static [&'static str] {
    match data_type {
        "timestamp with time zone" | "timestamp without time zone" => {
            &["infinity", "-infinity", "4713-01-01 BC", "294276-12-31 23:59:59.999999", "0001-01-01"]
        }
        "date" => &["infinity", "-infinity", "4713-01-01 BC", "300000-01-01", "5874897-12-31"],
        "time without time zone" => &["24:00", "00:00"],
        "integer" | "bigint" => &["2147483647", "-2147483648", "0"],
        "numeric" => &["NaN", "Infinity", "-Infinity", "1e15", "-1e15"],
        "double precision" | "real" => &["NaN", "Infinity", "-Infinity", "1e30"],
        "interval" => &["178000000 years", "-178000000 years", "2147483647 days"],
        _ => &[],
    }
}

/// What a job does: its arguments, its count of what is done, and what operators look at beside it.
struct Work {
    job: &'static str,
    args: &'static [&'static str],
    done: &'static str,
    beside: &'static [&'static [&'static str]],
}

const WORK: [Work; 9] = [
    Work {
        job: "mark-no-shows",
        args: &[],
        done: "marked",
        beside: &[&["no-show", "stats"], &["no-show", "logs"], &["mark-no-shows", "--explain", "2"]],
    },
    Work {
        job: "stage-alerts",
        args: &["--waiting-minutes", "30"],
        done: "raised",
        beside: &[&["alerts", "list"], &["stage-alerts", "--explain", "2"]],
    },
    Work {
        job: "notify-cancellations",
        args: &[],
        done: "handled",
        beside: &[&["notify-cancellations", "--explain", "3"], &["notify-cancellations", "--explain", "8"]],
    },
    Work {
        job: "flag-schedule-conflicts",
        args: &[],
        done: "flagged",
        beside: &[&["flag-schedule-conflicts", "--explain", "10"]],
    },
    Work {
        job: "apply-absences",
        args: &[],
        done: "applied",
        beside: &[&["absences", "show", "4"], &["absences", "preview", "4"], &["apply-absences", "--explain", "9"]],
    },
    Work {
        job: "escalate-sla",
        args: &["--re-escalate-after", "1h"],
        done: "escalated",
        beside: &[&["escalate-sla", "--explain", "2", "--re-escalate-after", "1h"]],
    },
    Work {
        job: "monitor-ticket-sla",
        args: &[],
        done: "recorded",
        beside: &[&["monitor-ticket-sla", "--explain", "2"]],
    },
    Work {
        job: "escalate-tickets",
        args: &[],
        done: "executed",
        beside: &[&["escalation-rules", "check"], &["escalate-tickets", "--explain", "2"]],
    },
    Work {
        job: "advance-billing",
        args: &["--stage", "pending-payment"],
        done: "advanced",
        beside: &[&["advance-billing", "--explain", "2", "--min-dwell", "1h"]],
    },
];

/// Two facilities with the same in each: what is due for each job. The rows of the second get the far values.
async fn clinic() -> Clinic {
    let clinic = Clinic::new().await;
    let checks = "DO $$ DECLARE c record; BEGIN
                      FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint
                               WHERE contype = 'c' AND connamespace = 'rounds'::regnamespace
                      LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP;
                  END $$;
                  ALTER TABLE surgical_cases ALTER pay_amount TYPE numeric";
    clinic.sql(checks).await;
    for priority in ["MEDIUM", "LOW"] {
        let (facility, doctor) = clinic.new_york(15).await;
        // A doctor has one slot at a time.
        for (date, time, status, checked_in) in [
            ("2026-03-02", "09:00", "SCHEDULED", None),
            ("2026-03-02", "09:20", "CHECKED_IN", Some("2026-03-02T14:05Z")),
            ("2026-03-02", "15:00", "SCHEDULED", None),
            ("2026-03-05", "09:00", "SCHEDULED", None),
        ] {
            let slot = Some(15);
            clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot }).await;
        }
        clinic
            .sql(&format!(
                "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '2026-03-02T16:00Z'
                 WHERE start_time = '15:00' AND facility_id = {facility};
                 UPDATE facilities SET no_show_after_minutes = 20, waiting_alert_minutes = 20 WHERE id = {facility};
                 INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time)
                 VALUES ({doctor}, '2026-03-02', '2026-03-02', '09:01', '10:00');
                 INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, break_start, break_end,
                                               created_at, updated_at)
                 VALUES ({doctor}, 1, '09:00', '12:00', '10:00', '10:30', '2026-02-20', '2026-02-20');
                 INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, created_at)
                 VALUES ({facility}, {doctor}, 1, '2026-03-02', '15:00', '2026-02-01');
                 INSERT INTO doctor_absences (doctor_id, type, first_day, last_day, start_time, end_time)
                 VALUES ({doctor}, 'EMERGENCY', '2026-03-05', '2026-03-06', '08:00', '18:00');
                 INSERT INTO px_cases (facility_id, status, due_at, escalation_level, escalated_at)
                 VALUES ({facility}, 'ESCALATED', '2026-03-01', 1, '2026-03-01');
                 INSERT INTO sla_policies (priority, resolution_minutes, created_at)
                 VALUES ('{priority}', 60, '2026-01-01');
                 INSERT INTO tickets (number, title, facility_id, priority, status_changed_at, created_at, sla_due_at,
                                      custom_sla_due_at, customer_rating)
                 VALUES ('{facility}', 't', {facility}, '{priority}', '2026-03-01', '2026-03-01', '2026-03-02',
                         '2026-03-02', 2);
                 INSERT INTO users (name, role) VALUES ('A', 'AGENT');
                 INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
                 VALUES ({facility}, (SELECT max(id) FROM users), 'b', true, '2026-03-01');
                 INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
                 VALUES ({facility}, 1, 10, 100)"
            ))
            .await;
    }
    let began = "INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
                 VALUES ('2026-03-01', '2026-03-01', 'BEGAN')";
    clinic.sql(began).await;
    let nothing = ("increase_priority", serde_json::json!({}));
    for condition in [
        ("sla_breach", serde_json::json!({"thresholdHours": 1})),
        ("time_in_status", serde_json::json!({"status": "OPEN", "hours": 1})),
        ("no_response", serde_json::json!({"hours": 1})),
        ("customer_rating", serde_json::json!({"rating": 3, "operator": "<"})),
        ("sla_breach", serde_json::json!({"thresholdHours": 2})),
    ] {
        clinic.rule(condition, nothing.clone()).await;
    }
    clinic
}

impl Work {
    /// Tries each column of numbers and instants that the job needs with each end of its type. Returns what stopped it,
    /// and how many values were tried.
    async fn tried(&self) -> (Vec<String>, u32) {
        let clinic = clinic().await;
        let (mut stopped, mut tried) = (vec![], 0);
        for line in NEEDS.lines().filter_map(|line| line.strip_prefix(self.job)?.strip_prefix(' ')) {
            let name = line.split(' ').next().expect("a column");
            let Some((table, column)) = name.split_once('.').filter(|_| !line.contains(" key")) else { continue };
            let described = "SELECT data_type, EXISTS (SELECT FROM information_schema.columns i
                                      WHERE i.table_schema = 'rounds' AND i.table_name = $1 AND i.column_name = 'id')
                             FROM information_schema.columns
                             WHERE table_schema = 'rounds' AND table_name = $1 AND column_name = $2";
            let described = clinic.row(described, &[&table, &column]).await;
            let (data_type, has_id): (String, bool) = (described.get(0), described.get(1));
            // The rows of the second facility are the later ones; a table of settings has no such row.
            let poison =
                if has_id { format!("WHERE id > (SELECT (max(id) + 1) / 2 FROM {table})") } else { String::new() };
            for value in ends(&data_type) {
                clinic.sql(&format!("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM {table}")).await;
                let update = format!("UPDATE {table} SET {column} = '{value}' {poison}");
                if clinic.client.batch_execute(&update).await.is_err() {
                    // A key of it refuses that.
                    continue;
                }
                tried += 1;
                let what = format!("{name} = {value}");
                let args = [&[self.job, "--as-of", NOON, "--dry-run"], self.args].concat();
                let outcome = clinic.run(&args).await;
                let is_good = match has_id {
                    true => [0, 3].contains(&outcome.code) && outcome.count(self.done) > 0,
                    false => [0, 2, 3].contains(&outcome.code),
                };
                if !is_good {
                    stopped.push(format!("{what}: {outcome:?}"));
                }
                for command in self.beside {
                    let outcome = clinic.run(command).await;
                    if ![0, 3].contains(&outcome.code) {
                        stopped.push(format!("{what}: {command:?} {outcome:?}"));
                    }
                }
                let join = if has_id { "WHERE t.id = k.id" } else { "WHERE t.stage = k.stage" };
                let restore = format!("UPDATE {table} t SET {column} = k.{column} FROM kept k {join}");
                if clinic.client.batch_execute(&restore).await.is_err() {
                    panic!("{restore}");
                }
            }
        }
        (stopped, tried)
    }
}

#[tokio::test]
async fn the_ends_of_the_types_stop_nobody() {
    for work in WORK {
        let (stopped, tried) = work.tried().await;
        assert!(stopped.is_empty(), "{}: {} of {tried}: {stopped:#?}", work.job, stopped.len());
        assert!(tried > 5, "{}: {tried} values are no test", work.job);
    }
}

#[tokio::test]
async fn history_of_such_dates_stops_no_prune() {
    let clinic = Clinic::new().await;
    let old = "2024-01-01T00:00:00Z";
    let mut number = 0;
    for date in [old, "infinity", "-infinity", "4713-01-01 BC", "294276-12-31", old] {
        number += 1;
        clinic
            .sql(&format!(
                "INSERT INTO cron_job_runs (id, job_name, lane, status, started_at, heartbeat_at, deadline_at,
                                            completed_at, host, version)
                 SELECT gen_random_uuid(), 'x', '{number}', 'SKIPPED', d, d, d, d, 'h', 'v'
                 FROM (SELECT timestamptz '{date}' AS d) far;
                 INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message, created_at)
                 SELECT id, 'e', '{number}', 'X', 'm', '{date}' FROM cron_job_runs WHERE lane = '{number}';
                 INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                            dedupe_key, status, sent_at, created_at)
                 VALUES ('USER', 3, 'IN_APP', 'X', 't', 'b', 'e', '1', 'k{number}', 'SENT', '{date}', '{date}')"
            ))
            .await;
    }
    let dir = tempfile::TempDir::new().expect("a directory");
    let outcome = clinic.run(&["prune", "--archive", dir.path().to_str().expect("UTF-8")]).await.expect(0);
    let counts = ["runs", "run_errors", "notifications", "failed"].map(|key| outcome.count(key));
    assert_eq!(counts, [4, 4, 4, 0], "those before the beginning, and not those to come: {outcome:?}");
}
