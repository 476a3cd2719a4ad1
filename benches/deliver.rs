//! The pace of `rounds deliver-notifications`, and what a claim costs as the outbox grows. See docs/performance.md;
//! ROUNDS_BENCH_ROWS=1000000 is a quick run.

#[allow(dead_code, reason = "not every use needs all of it")]
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
#[path = "../tests/support/provider.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod provider;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;
#[path = "deliver/server_time.rs"]
mod server_time;

use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use harness::{Harness, Verdict, median};
use process::{output, psql, rounds, run};
use provider::{ProviderServer, Reply};
use server_time::ServerTime;

const CONCURRENCY: u32 = 8;
const ANSWERS_AFTER: Duration = Duration::from_millis(50);
/// Messages a second, of the 160 that eight requests of 50 ms each allow.
const LEAST: f64 = 140.0;
/// Half a minute: a run also starts and ends, and may take four minutes.
const MESSAGES: usize = 4800;
/// Of the smallest outbox; the others are ten and a hundred times as large.
const SMALLEST: usize = 100_000;
/// Five pages.
const CLAIMED: usize = 320;
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let largest: usize =
        std::env::var("ROUNDS_BENCH_ROWS").map_or(100 * SMALLEST, |rows| rows.parse().expect("a number of rows"));
    let harness = Harness::empty();
    let mut verdict = Verdict::begin();
    let outboxes: Vec<Outbox> = [SMALLEST, 10 * SMALLEST, 100 * SMALLEST]
        .into_iter()
        .filter(|rows| *rows <= largest)
        .map(|rows| Outbox::fill(&harness, rows))
        .collect();
    pace(&harness, &outboxes[0], &mut verdict);
    growth(&harness, &outboxes, &mut verdict);
    if verdict.met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A database whose outbox has so many messages that were sent.
struct Outbox {
    rows: usize,
    url: String,
}

impl Outbox {
    fn fill(harness: &Harness, rows: usize) -> Self {
        eprintln!("filling in {rows} messages ...");
        let url = harness.another(&format!("outbox_{rows}"));
        let fill = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/deliver/outbox.sql");
        run(psql(&url).args(["-v", &format!("rows={rows}"), "-f", fill]));
        Self { rows, url }
    }

    /// Stages messages, one to a patient.
    fn stage(&self, messages: usize) {
        let stage = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/deliver/stage.sql");
        run(psql(&self.url).args(["-v", &format!("messages={messages}"), "-f", stage]));
    }

    /// Delivers all that is staged; how long the process took.
    fn deliver(&self, provider: &ProviderServer, concurrency: u32) -> Duration {
        let mut command = rounds(&self.url, "deliver-notifications");
        command.args(["--channel", "sms", "--quiet-hours", "off", "--per-second", "10000", "--max-items", "1000000"]);
        command.args(["--patient-cap", "1000", "--concurrency", &concurrency.to_string()]);
        command.env("ROUNDS_TWILIO_URL", provider.url()).env("ROUNDS_TWILIO_ACCOUNT", format!("AC{}", "0".repeat(32)));
        command.env("ROUNDS_TWILIO_TOKEN", "token").env("ROUNDS_SMS_FROM", "+12125550100");
        run(&mut command).wall
    }

    /// Stages messages and delivers them, with `work` around the delivery; all must have been sent.
    fn sent<T>(&self, messages: usize, provider: &ProviderServer, work: impl FnOnce() -> T) -> T {
        self.stage(messages);
        let before = provider.requests().len();
        let done = work();
        let sent = format!(
            "SELECT count(*) FROM notifications
             WHERE id > (SELECT max(id) - {messages} FROM notifications) AND status = 'SENT'"
        );
        let (sent, came) = (output(psql(&self.url).args(["-c", &sent])), provider.requests().len() - before);
        assert!(sent.trim() == messages.to_string() && came == messages, "{} are SENT, and {came} came", sent.trim());
        done
    }
}

/// A provider that answers after so long, on a thread of its own, as long as this process lives.
fn provider(answers_after: Duration) -> ProviderServer {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        runtime.block_on(async {
            let server = ProviderServer::start().await;
            // All have the same id: of that which is looked for after a kill alone it must be one's own.
            server.always(Reply::After(
                answers_after,
                201,
                r#"{"sid": "SM00000000000000000000000000000000", "status": "queued"}"#.to_owned(),
            ));
            let _ = send.send(server);
            std::future::pending::<()>().await;
        });
    });
    receive.recv().expect("it starts")
}

/// Messages a second, of a process from start to exit.
fn pace(harness: &Harness, outbox: &Outbox, verdict: &mut Verdict) {
    harness.admin("CHECKPOINT");
    let slow = provider(ANSWERS_AFTER);
    let paces: Vec<f64> = (0..3)
        .map(|_| MESSAGES as f64 / outbox.sent(MESSAGES, &slow, || outbox.deliver(&slow, CONCURRENCY)).as_secs_f64())
        .collect();
    let limit = f64::from(CONCURRENCY) / ANSWERS_AFTER.as_secs_f64();
    println!(
        "{CONCURRENCY} requests at once, answers after {} ms: at most {limit:.0} messages a second",
        ANSWERS_AFTER.as_millis()
    );
    println!("  {}", paces.iter().map(|pace| format!("{pace:.1}")).collect::<Vec<_>>().join(", "));
    let pace = median(paces);
    verdict.row("messages a second", format!("{pace:.0}/s"), &format!(">= {LEAST:.0}/s"), pace >= LEAST);
}

/// What the server does for a message, by the size of the outbox.
fn growth(harness: &Harness, outboxes: &[Outbox], verdict: &mut Verdict) {
    let quick = provider(Duration::ZERO);
    // The first time of each reads its indexes from disk.
    for outbox in outboxes {
        outbox.sent(CLAIMED, &quick, || outbox.deliver(&quick, 1));
    }
    let rounds: Vec<Vec<ServerTime>> = (0..ROUNDS)
        .map(|_| {
            let time = |outbox: &Outbox| {
                let log = outbox.sent(CLAIMED, &quick, || harness.timed(&outbox.url, || _ = outbox.deliver(&quick, 1)));
                ServerTime::of(&log, CLAIMED)
            };
            outboxes.iter().map(time).collect()
        })
        .collect();
    println!("the server's time for a message, in us: claim / all statements of the run");
    for (place, outbox) in outboxes.iter().enumerate() {
        let times = rounds.iter().map(|round| &round[place]);
        println!(
            "  {:>10} SENT {:8.0} / {:.0}",
            outbox.rows,
            median(times.clone().map(|time| time.claim)),
            median(times.map(|time| time.all))
        );
    }
    for (place, outbox) in outboxes.iter().enumerate().skip(1) {
        let ratio = |of: fn(&ServerTime) -> f64| median(rounds.iter().map(|round| of(&round[place]) / of(&round[0])));
        let name = |what: &str| format!("{what}: {} SENT against {SMALLEST}", outbox.rows);
        verdict.at_most(&name("claim"), ratio(|time| time.claim), 1.2);
        verdict.at_most(&name("all"), ratio(|time| time.all), 1.2);
    }
}
