//! No setting of a server, a database or a role bends what is decided, written or told.

use serde_json::Value;

use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::tickets::{TICKET, Ticket};

/// What a hostile, or only a foreign, administrator may have set.
const SETTINGS: [&str; 11] = [
    "TimeZone = 'Asia/Kolkata'",
    "DateStyle = 'SQL, DMY'",
    "IntervalStyle = 'sql_standard'",
    "search_path = evil, public, rounds",
    "default_transaction_isolation = 'serializable'",
    "standard_conforming_strings = off",
    "array_nulls = off",
    "transform_null_equals = on",
    "extra_float_digits = -15",
    "statement_timeout = '5s'",
    "row_security = on",
];
/// Functions and tables that would be taken instead of the server's and of ours.
const EVIL: &str = "
    CREATE SCHEMA evil;
    CREATE FUNCTION evil.concat_ws(text, text, text, uuid) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
    CREATE FUNCTION evil.concat_ws(text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
    CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
    CREATE FUNCTION evil.to_char(time, text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
    CREATE FUNCTION evil.md5(text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
    CREATE TABLE evil.appointments (id bigint); CREATE TABLE evil.cron_job_runs (id uuid);
    CREATE TABLE evil.notifications (id bigint); CREATE TABLE evil.users (id bigint);";

const NOON: &str = "2026-03-02T17:00:00Z";
const JOBS: [&[&str]; 6] = [
    &["mark-no-shows", "--as-of", NOON],
    &["stage-alerts", "--as-of", NOON, "--waiting-minutes", "30"],
    &["notify-cancellations", "--as-of", NOON],
    &["escalate-sla", "--as-of", NOON],
    &["monitor-ticket-sla", "--as-of", NOON],
    &["escalate-tickets", "--as-of", NOON],
];

/// A day with something to do for each job.
async fn day() -> Clinic {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "NURSE").await;
    clinic.scheduled(facility, doctor, "2026-03-02", "11:40").await;
    clinic.scheduled(facility, doctor, "2026-03-01", "09:00").await;
    let (date, time, status) = ("2026-03-02", "10:00", "CHECKED_IN");
    let checked_in = Some("2026-03-02T10:05-05");
    clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: Some(15) }).await;
    clinic.scheduled(facility, doctor, "2026-03-02", "15:00").await;
    clinic
        .sql(&format!(
            "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '{NOON}' WHERE start_time = '15:00';
             INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
             VALUES ('2026-03-01Z', '2026-03-01Z', 'BEGAN');
             INSERT INTO departments (facility_id, name) VALUES ({facility}, 'Care');
             INSERT INTO px_cases (facility_id, assigned_department_id, due_at, created_at)
             VALUES ({facility}, 1, '2026-03-02 08:00-05', '2026-03-01')"
        ))
        .await;
    clinic.sql("UPDATE patients SET mrn = 'M' || id").await;
    let (team, leader, _) = clinic.team().await;
    let due = Some("2026-03-02T16:00:00Z");
    clinic.ticket(Ticket { due, team: Some(team), assignee: Some(leader), ..TICKET }).await;
    let priorities = serde_json::json!({"priorities": ["MEDIUM"]});
    clinic.rule(("priority_level", priorities), ("notify_manager", serde_json::json!({"message": "late"}))).await;
    clinic
}

/// Everything that was written and said, without what differs from run to run.
async fn written(clinic: &Clinic) -> String {
    let mut all = String::new();
    for job in JOBS {
        let mut report = clinic.run(job).await.expect(0).report();
        let fields = report.as_object_mut().expect("an object");
        fields.retain(|name, _| name != "run_id" && name != "duration_ms");
        all += &format!("{}\n", Value::Object(fields.clone()));
    }
    for table in [
        "notifications",
        "no_show_logs",
        "stage_alerts",
        "visit_cancellations",
        "px_case_audits",
        "ticket_history",
        "escalation_episodes",
    ] {
        let rows = format!(
            "SELECT jsonb_agg(to_jsonb(t) - '{{run_id,resolved_run_id}}'::text[] ORDER BY t::text) AS rows FROM {table} t"
        );
        all += &format!("{table} {}\n", clinic.json(&rows).await);
    }
    // Of the instants that the application wrote none is known; of the program's, each.
    let columns = "SELECT jsonb_agg(to_jsonb(a) - 'created_at' - 'updated_at'
                                    || jsonb_build_object('changed', a.updated_at = '2026-03-02T17:00:00Z')) AS rows
                   FROM appointments a";
    all += &clinic.json(columns).await.to_string();
    // The runs' ids are in the keys of notices.
    let mut plain = String::new();
    for word in all.split_inclusive([':', '"', ' ']) {
        let uuid = word.len() == 37 && word.matches('-').count() == 4;
        plain += if uuid { "RUN" } else { word };
    }
    plain
}

#[tokio::test]
async fn no_setting_changes_what_is_decided_written_or_told() {
    let plain = written(&day().await).await;
    for job in ["marked", "raised", "handled", "escalated", "recorded", "executed"] {
        assert!(plain.contains(&format!("\"{job}\":1")) || plain.contains(&format!("\"{job}\":2")), "{job}: {plain}");
    }
    let clinic = day().await;
    clinic.sql(EVIL).await;
    for setting in SETTINGS {
        clinic.sql(&format!("ALTER DATABASE {} SET {setting}", clinic.database)).await;
    }
    assert_eq!(written(&clinic).await, plain);
}

#[tokio::test]
async fn a_policy_that_would_hide_rows_is_an_error_and_not_less_work() {
    let clinic = Clinic::with_visits(3).await;
    let role = format!("app_{}", &*clinic.database);
    clinic
        .sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA rounds TO {role};
             GRANT ALL ON ALL TABLES IN SCHEMA rounds TO {role};
             ALTER TABLE appointments ENABLE ROW LEVEL SECURITY;
             CREATE POLICY one ON appointments USING (id = 1)"
        ))
        .await;
    let url = crate::support::server().url(&clinic.database);
    let url = url.replacen(crate::support::scratch::USER, &role, 1);
    let program = crate::support::Program::new(&url);
    let outcome = program.run(&["mark-no-shows", "--as-of", NOON]).await;
    assert!(matches!(outcome.code, 1 | 2), "{outcome:?}");
    assert_eq!(outcome.report()["error_code"], "42501", "{outcome:?}");
    assert_eq!(clinic.effects().await, (0, 0, 0));
    clinic.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
