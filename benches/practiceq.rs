//! The cost of `rounds sync-practiceq`: requests, and time with the limits raised, against one request a patient. See
//! docs/performance.md.

#[allow(dead_code, reason = "not every use needs all of it")]
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;
#[path = "../tests/support/practiceq/upstream.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod upstream;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_postgres::{Client as Database, Error, NoTls};

use harness::{Harness, Verdict, median};
use process::{output, psql, rounds, run};
use upstream::{Client, KEY, Upstream, appointment};

const AS_OF: &str = "2026-03-02T15:00:00Z";
const PATIENTS: i64 = 1_000;
const APPOINTMENTS: i64 = 10_000;
/// 1 %.
const CHANGED: i64 = APPOINTMENTS / 100;
const ROUNDS: usize = 3;

/// The cost of a way of reading.
#[derive(Clone, Copy)]
struct Cost {
    requests: usize,
    wall: Duration,
}

/// One after the other on the same database: all is new, nothing is, 1 % is, nothing is.
struct Round {
    first: Cost,
    again: Cost,
    changed: Cost,
    idle: Cost,
    /// How many rows of visits a sweep wrote that changed nothing.
    written: String,
    /// The peer: all is new, nothing is.
    by_patient: [Cost; 2],
}

fn main() -> ExitCode {
    let harness = Harness::start("practiceq.sql", &[format!("patients={PATIENTS}")]);
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| round(&harness)).collect();
    if verdict(&rounds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// It answers on a thread of its own, as long as this process lives.
fn account() -> Upstream {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            send.send(Upstream::start().await).expect("it is waited for");
            std::future::pending::<()>().await;
        });
    });
    let account = receive.recv().expect("it starts");
    for number in 0..APPOINTMENTS {
        let patient = 1 + number % PATIENTS;
        let (name, email) = (format!("Pat Number{patient}"), format!("pat.number{patient}@example.com"));
        let client = Client { id: 5000 + patient, name: &name, email: &email, date_of_birth: "1980-01-01" };
        let starts_at = DateTime::from_timestamp(1_766_000_000 + number * 1200, 0).expect("an instant");
        let mut row = appointment(&format!("apt-{number}"), &client, &starts_at.to_rfc3339());
        // Over 100 days before the first change.
        row["LastModified"] = json!(1_763_600_000_000 + number * 864_000);
        account.put(row);
    }
    account
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

fn round(harness: &Harness) -> Round {
    let account = account();
    let (first, again, changed, idle, written) = harness.on_copy(|url| {
        let first = sync(url, &account, &[]);
        // Autovacuum would do this by the next day.
        run(psql(url).args(["-c", "VACUUM ANALYZE"]));
        let state = "SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables
                     WHERE relname IN ('appointments', 'practiceq_visits')";
        let writes = || output(psql(url).args(["-c", "SELECT pg_stat_force_next_flush()", "-c", state]));
        let before = writes();
        let again = sync(url, &account, &[]);
        let written = if writes() == before { "0".to_owned() } else { format!("{before} -> {}", writes()) };
        for number in 0..CHANGED {
            account.edit(&format!("apt-{}", number * 97), |row| row["ServiceName"] = json!("Another"));
        }
        (first, again, sync(url, &account, &["--incremental"]), sync(url, &account, &["--incremental"]), written)
    });
    let by_patient = harness.on_copy(|url| {
        let read = || runtime().block_on(one_by_one(url, &account)).expect("the loop works");
        [read(), read()]
    });
    Round { first, again, changed, idle, written, by_patient }
}

fn sync(url: &str, account: &Upstream, more: &[&str]) -> Cost {
    account.clear_requests();
    let mut command = rounds(url, "sync-practiceq");
    command.args(["--as-of", AS_OF, "--base-url", &account.base()]).args(more).env("ROUNDS_PRACTICEQ_KEY", KEY);
    command.args(["--requests-per-minute", "1000000", "--requests-per-day", "1000000"]);
    let wall = run(&mut command).wall;
    Cost { requests: account.requests().len(), wall }
}

const UPSERT: &str =
    "INSERT INTO appointments AS a (facility_id, doctor_id, patient_id, source, external_id, appointment_date,
                                                     start_time, status, updated_at)
                      SELECT 1, 1, $1, 'PRACTICEQ', $2, local::date, local::time, 'CONFIRMED', t
                      FROM (SELECT to_timestamp($3) AS t, to_timestamp($3) AT TIME ZONE 'America/Denver' AS local) x
                      ON CONFLICT (external_id) WHERE external_id IS NOT NULL DO UPDATE
                      SET updated_at = excluded.updated_at, start_time = excluded.start_time
                      WHERE a.updated_at <> excluded.updated_at";

/// A request a patient, and what came stored row by row: on one connection, the statement prepared.
async fn one_by_one(url: &str, account: &Upstream) -> Result<Cost, Error> {
    account.clear_requests();
    let began = Instant::now();
    let (database, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    database.batch_execute("SET search_path = rounds").await?;
    let patients = database.query("SELECT id, email FROM patients ORDER BY id", &[]).await?;
    let upsert = database.prepare(UPSERT).await?;
    for patient in &patients {
        let (id, email): (i64, String) = (patient.get(0), patient.get(1));
        let path = format!("appointments?client={email}&startDate=2025-12-02&endDate=2026-05-31&page=1");
        let rows = get(&account.base(), &path);
        store(&database, &upsert, (id, &email), &rows).await?;
    }
    Ok(Cost { requests: account.requests().len(), wall: began.elapsed() })
}

async fn store(
    database: &Database,
    upsert: &tokio_postgres::Statement,
    (patient, email): (i64, &str),
    rows: &Value,
) -> Result<(), Error> {
    for row in rows.as_array().expect("a list") {
        // The match is partial.
        if row["ClientEmail"] == email {
            let id = row["Id"].as_str();
            let start = row["StartDate"].as_f64().expect("an instant") / 1000.0;
            database.execute(upsert, &[&patient, &id, &start]).await?;
        }
    }
    Ok(())
}

/// One answer, as JSON.
fn get(base: &str, path: &str) -> Value {
    let (host, root) = base.trim_start_matches("http://").split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("the account answers");
    let request =
        format!("GET /{root}{path} HTTP/1.1\r\nHost: {host}\r\nX-Auth-Key: {KEY}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
}

fn verdict(rounds: &[Round]) -> bool {
    let requests = |cost: fn(&Round) -> Cost| median(rounds.iter().map(|round| cost(round).requests));
    let ratio = |peer: usize, cost: fn(&Round) -> Cost| {
        let ratios =
            rounds.iter().map(|round| round.by_patient[peer].wall.as_secs_f64() / cost(round).wall.as_secs_f64());
        median(ratios)
    };
    println!(
        "{PATIENTS} patients, {APPOINTMENTS} appointments; one request a patient: {} requests",
        requests(|r| r.by_patient[0])
    );
    let mut verdict = Verdict::begin();
    let mut count = |name: &str, cost: fn(&Round) -> Cost, most: usize| {
        let requests = requests(cost);
        verdict.row(name, requests.to_string(), &format!("<= {most}"), requests <= most);
    };
    count("requests: full sweep, all is new", |round| round.first, 105);
    count("requests: full sweep, nothing is new", |round| round.again, 105);
    count("requests: incremental, 1 % changed", |round| round.changed, 6);
    count("requests: incremental, nothing changed", |round| round.idle, 4);
    let mut faster = |name: &str, speed: f64, least: f64| {
        verdict.row(name, format!("{speed:.1}x"), &format!(">= {least}x"), speed >= least);
    };
    faster("speed: full sweep, all is new", ratio(0, |round| round.first), 4.0);
    faster("speed: full sweep, nothing is new", ratio(1, |round| round.again), 4.0);
    faster("speed: incremental, 1 % changed", ratio(1, |round| round.changed), 50.0);
    let written = &rounds[0].written;
    verdict.row(
        "visits written where nothing is new",
        written.clone(),
        "0",
        rounds.iter().all(|round| round.written == "0"),
    );
    for round in rounds {
        let walls = [round.first, round.again, round.changed, round.idle, round.by_patient[0], round.by_patient[1]];
        println!("  {}", walls.map(|cost| format!("{:.2} s", cost.wall.as_secs_f64())).join(", "));
    }
    verdict.met
}
