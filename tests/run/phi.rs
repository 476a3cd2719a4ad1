//! No patient's data comes out: canaries in every text field, and a look at everything that was printed or recorded.

use crate::support::{Clinic, Program};

const CANARY: &str = "CANARY";

async fn planted() -> Clinic {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    for time in ["08:00", "08:30", "09:00"] {
        clinic.scheduled(facility, doctor, "2026-03-02", time).await;
    }
    clinic.user(facility, "NURSE").await;
    let cancelled = clinic.scheduled(facility, doctor, "2026-03-02", "15:00").await;
    clinic
        .sql(&format!(
            "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '2026-03-02T17:00Z', cancelled_reason = 'CANARY-R'
             WHERE id = {cancelled};
             INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
             VALUES ('2026-03-01Z', '2026-03-01Z', 'BEGAN')"
        ))
        .await;
    clinic
        .sql(
            "UPDATE facilities SET name = 'CANARY-F', waiting_alert_minutes = 1;
             UPDATE users SET name = 'CANARY-U', email = 'CANARY@example.org';
             UPDATE doctors SET first_name = 'CANARY-D', last_name = 'CANARY-D';
             UPDATE patients SET mrn = 'CANARY-' || id, first_name = 'CANARY-P', last_name = 'CANARY-P',
                                 email = 'CANARY@example.org', phone = 'CANARY-555';
             UPDATE appointments SET notes = 'CANARY-N';
             INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, reason)
             SELECT id, '2026-03-02', '2026-03-02', '09:01', 'CANARY-A' FROM doctors;
             UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '2026-03-02T08:05-05'
             WHERE start_time = '08:00'",
        )
        .await;
    clinic
}

/// Runs the jobs and the operator's commands at the noisiest level, and returns everything that came out.
async fn everything(clinic: &Clinic) -> String {
    let mut out = String::new();
    for job in ["mark-no-shows", "stage-alerts", "notify-cancellations"] {
        for more in [&["--dry-run", "--output", "text"][..], &["--log-format", "json"], &[]] {
            let args = [&[job, "--as-of", "2026-03-02T12:00:00-05:00", "--log-level", "debug"], more].concat();
            out += &format!("{:?}", clinic.program.clone().env("RUST_LOG", "trace").run(&args).await);
        }
    }
    let commands = [
        &["alerts", "list"][..],
        &["no-show", "logs"],
        &["no-show", "stats", "--from", "2026-01-01"],
        &["runs", "list"],
        &["health"],
        &["prune"],
        &["alerts", "acknowledge", "1", "--actor", "1"],
        &["no-show", "mark", "1", "--actor", "2", "--reason", "MANUAL_STAFF", "--notes", "CANARY"],
    ];
    for command in commands {
        for output in ["text", "json"] {
            let args = [command, &["--output", output, "--log-level", "debug"]].concat();
            let outcome = clinic.program.clone().env("RUST_LOG", "trace").run(&args).await;
            out += &format!("{:?}", outcome.without_places(command));
        }
    }
    let recorded = clinic
        .json(
            "SELECT (SELECT jsonb_agg(r) FROM cron_job_runs r) AS runs,
                    (SELECT jsonb_agg(e) FROM cron_job_run_errors e) AS errors,
                    (SELECT jsonb_agg(n.metadata || jsonb_build_object('key', n.dedupe_key, 'title', n.title))
                     FROM notifications n) AS notices",
        )
        .await;
    out + &recorded.to_string()
}

#[tokio::test]
async fn not_when_all_goes_well() {
    let clinic = planted().await;
    let out = everything(&clinic).await;
    assert!(
        ["marked\\\":2", "raised\\\":2", "told\\\":1"].iter().all(|done| out.contains(done)),
        "the jobs did something: {out}"
    );
    assert!(!out.contains(CANARY), "{out}");
}

#[tokio::test]
async fn not_when_the_database_quotes_rows_in_its_errors() {
    let clinic = planted().await;
    // A trigger that tells all it knows; a constraint whose DETAIL is the failing row; a unique index likewise.
    clinic
        .sql(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'CANARY %', NEW USING DETAIL = 'CANARY', HINT = 'CANARY', ERRCODE = '22000';
             END $$;
             CREATE TRIGGER tell BEFORE UPDATE ON appointments FOR EACH ROW WHEN (NEW.start_time = '09:00')
             EXECUTE FUNCTION tell();
             ALTER TABLE notifications ADD CONSTRAINT no_sms CHECK (channel <> 'SMS');
             ALTER TABLE stage_alerts ADD CONSTRAINT no_text CHECK (message NOT LIKE '%vitals%')",
        )
        .await;
    let out = everything(&clinic).await;
    for code in ["22000", "23514", "no_sms", "no_text"] {
        assert!(out.contains(code), "{code}: {out}");
    }
    assert!(!out.contains(CANARY), "{out}");
}

#[tokio::test]
async fn not_when_the_run_itself_fails() {
    let clinic = planted().await;
    clinic.sql("ALTER TABLE no_show_logs RENAME TO \"CANARY_not\"; DROP TABLE stage_alerts CASCADE").await;
    let out = everything(&clinic).await;
    assert!(out.contains("42P01"), "{out}");
    assert!(!out.contains(CANARY), "{out}");
}

/// A trigger that raises with the given options when a visit of `planted` is marked.
fn raising(options: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {options}; END $$;
         CREATE OR REPLACE TRIGGER tell BEFORE UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION tell()"
    )
}

#[tokio::test]
async fn not_when_a_trigger_puts_a_name_into_a_field_of_its_error() {
    let clinic = planted().await;
    let known = ", table appointments, column status";
    let attacks = [
        ("RAISE 'x' USING ERRCODE = '23514', TABLE = 'CANARY', COLUMN = 'CANARY', CONSTRAINT = 'CANARY'", "left out"),
        ("RAISE 'x' USING SCHEMA = 'CANARY', DATATYPE = 'CANARY', ERRCODE = '22012'", "22012"),
        ("RAISE 'x' USING ERRCODE = '22000', TABLE = 'appointments', COLUMN = 'status'", known),
        // A name of five characters is an SQLSTATE.
        ("RAISE 'x' USING ERRCODE = 'CANAR'", "OWN_SQLSTATE"),
        ("RAISE SQLSTATE '22CAN'", "OWN_SQLSTATE"),
        ("RAISE 'relation \"CANARY\" does not exist' USING ERRCODE = '42P01', TABLE = 'CANARY'", "42P01"),
        ("RAISE 'permission denied for table users' USING ERRCODE = '42501', COLUMN = 'CANARY'", "42501"),
        // The server's own message, about a name that a trigger made of a row.
        ("EXECUTE format('SELECT FROM %I', 'CANARY users ' || NEW.id)", "42P01"),
        ("EXECUTE format('SELECT %I FROM users', 'CANARY ' || NEW.id)", "42703"),
        ("EXECUTE format('SELECT 1 FROM users WHERE %I.id = 1', 'CANARY')", "42P01"),
    ];
    for (options, expected) in attacks {
        clinic.sql("DELETE FROM item_refusals; DELETE FROM notifications; DELETE FROM cron_job_run_errors").await;
        clinic.sql(&raising(options)).await;
        let outcome = clinic.mark("2026-03-02T12:00:00-05:00").await;
        let recorded = clinic
            .json(
                "SELECT (SELECT jsonb_agg(r) FROM cron_job_runs r) AS runs,
                        (SELECT jsonb_agg(e) FROM cron_job_run_errors e) AS errors,
                        (SELECT jsonb_agg(i) FROM item_refusals i) AS refusals",
            )
            .await;
        let out = format!("{outcome:?}{recorded}");
        assert!(out.contains(expected), "{options}: {expected}: {out}");
        assert!(!out.contains("CANA") && !out.contains("22CAN"), "{options}: {out}");
        assert!(!out.contains("for table users"), "a RAISE is not the server's own check: {out}");
    }
}

#[tokio::test]
async fn but_what_is_missing_is_named() {
    let faults = [
        ("ALTER TABLE no_show_logs RENAME TO other", "42P01", ", table no_show_logs"),
        ("ALTER TABLE no_show_logs RENAME COLUMN reason TO other", "42703", ", table no_show_logs, column reason"),
        (
            "ALTER TABLE no_show_logs RENAME TO other; CREATE VIEW no_show_logs AS SELECT DISTINCT * FROM other",
            "55000",
            "write to a view that is no plain one, table no_show_logs",
        ),
        ("ALTER TABLE no_show_logs ADD CONSTRAINT of_the_clinic CHECK (id < 0)", "23514", ", constraint of_the_clinic"),
        ("ALTER TABLE no_show_logs ADD theirs text NOT NULL", "23502", ", table no_show_logs, column theirs"),
    ];
    for (fault, code, expected) in faults {
        let clinic = planted().await;
        clinic.sql(fault).await;
        let outcome = clinic.mark("2026-03-02T12:00:00-05:00").await;
        let recorded = clinic.json("SELECT jsonb_agg(e.message) AS errors FROM cron_job_run_errors e").await;
        let out = format!("{outcome:?}{recorded}");
        assert!(out.contains(code) && out.contains(expected), "{fault}: {out}");
        assert!(!out.contains(CANARY), "{out}");
    }
}

#[tokio::test]
async fn not_the_password() {
    let url = "postgresql://rounds:CANARY@127.0.0.1:1/CLINIC";
    for args in [&["mark-no-shows", "--help"][..], &["mark-no-shows"], &["migrate"], &["--help"], &["bogus"]] {
        let outcome = Program::new(url).run(&[args, &["--log-level", "debug"]].concat()).await;
        assert!(!format!("{outcome:?}").contains(CANARY), "{outcome:?}");
    }
}
