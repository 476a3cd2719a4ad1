//! A file a command.

mod actors;
mod adopt;
mod alerts;
mod arguments;
mod check;
mod grants;
mod health;
mod intruders;
mod migrate;
mod no_show;
mod no_show_undo;
mod notifications;
mod npi;
mod npi_folded;
mod npi_names;
mod npi_trigrams;
mod pauses;
mod practiceq;
mod practiceq_corrections;
mod practiceq_visits;
mod report;
mod roles;
mod run_stats;
mod runs;
mod runs_watch;
mod schedule;
mod skipped_patients;

use serde_json::{Value, json};

use crate::support::program::{self, Outcome};
use crate::support::proxy::{Act, Proxy, Trigger};
use crate::support::{Clinic, Program, connect, server};

const ROLES: [&str; 9] =
    ["HOSPITAL_ADMIN", "SUPERVISOR", "RECEPTIONIST", "NURSE", "DOCTOR", "BILLING", "CASE_MANAGER", "AGENT", "MANAGER"];

/// Fails unless the command was refused with these codes; returns what it said.
#[track_caller]
fn refused(outcome: Outcome, code: i32, error_code: &str) -> String {
    let report = outcome.expect(code).report();
    assert_eq!((&report["ok"], &report["error_code"]), (&json!(false), &json!(error_code)), "{report}");
    report["error_message"].as_str().expect("it says why").to_owned()
}

/// All that a command could change: equal before and after, nothing was changed.
async fn state(clinic: &Clinic) -> Value {
    let tables = [
        "appointments",
        "doctor_slots",
        "no_show_logs",
        "notifications",
        "stage_alerts",
        "phi_access_log",
        "cron_job_runs",
        "users",
    ];
    let all = tables.map(|table| format!("(SELECT jsonb_agg(t ORDER BY t.id) FROM {table} t) AS {table}"));
    clinic.json(&format!("SELECT {}", all.join(", "))).await
}

/// A session of the application, in which a statement has been carried out and is not committed yet.
async fn application(clinic: &Clinic, statement: &str) -> tokio_postgres::Client {
    let client = connect(&server().url(&clinic.database)).await;
    client.batch_execute(&format!("BEGIN; {statement}")).await.expect("nobody holds it");
    client
}

/// Two people at the same instant: both come to a row that is held, and then it is let go.
async fn at_once(clinic: &Clinic, held: &str, first: &[&str], second: &[&str]) -> [Outcome; 2] {
    let application = application(clinic, held).await;
    let [first, second] = [clinic.program.start(first), clinic.program.start(second)];
    clinic.waiting(2).await;
    application.batch_execute("COMMIT").await.expect("it lives");
    [program::finish(first).await, program::finish(second).await]
}

/// Everything that the commands print at the noisiest level, in both formats.
async fn everything(clinic: &Clinic, commands: &[&[&str]]) -> String {
    let mut out = String::new();
    let program = clinic.program.clone().env("RUST_LOG", "trace");
    for command in commands {
        for more in [&["--output", "text"][..], &["--output", "json", "--log-format", "json"]] {
            let outcome = program.run(&[*command, &["--log-level", "debug"], more].concat()).await;
            out += &format!("{:?}\n", outcome.without_places(command));
        }
    }
    out
}

/// Runs a command through a network that fails at the COMMIT.
async fn through(act: Act, clinic: &Clinic, command: &[&str]) -> Outcome {
    let mut proxy = Proxy::start(Trigger { text: "COMMIT", skip: 0, act }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(command);
    proxy.fired().await;
    program::finish(run).await
}

/// A user of the whole group.
async fn group_user(clinic: &Clinic, role: &str) -> i64 {
    let insert = format!("INSERT INTO users (name, role) VALUES ('G', '{role}') RETURNING n(id)");
    clinic.row(&insert, &[]).await.get(0)
}

/// Puts a word that nobody may read into all that is said of anybody; a letter tells from where it came.
async fn plant(clinic: &Clinic) {
    let patients = "mrn = 'CANARY-' || id, first_name = 'CANARY-P', last_name = 'CANARY-P', phone = 'CANARY-555'";
    for (table, set) in [
        ("facilities", "name = 'CANARY-F'"),
        ("users", "name = 'CANARY-U', email = 'CANARY@example.org'"),
        ("doctors", "first_name = 'CANARY-D', last_name = 'CANARY-D'"),
        ("patients", &format!("{patients}, email = 'CANARY@example.org'")),
        ("appointments", "notes = 'CANARY-N'"),
        ("stage_alerts", "message = 'CANARY-A'"),
    ] {
        clinic.sql(&format!("UPDATE {table} SET {set}")).await;
    }
}
