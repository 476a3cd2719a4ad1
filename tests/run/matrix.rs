//! Each way to fail, and what each kind of telling says of it; and each way in which a telling itself can fail, which
//! changes no outcome and delays no exit by more than two seconds.

use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::Child;

use crate::support::practiceq::{NOW, Sync};
use crate::support::program::{self, Outcome, signal};
use crate::support::provider::{ProviderServer, Reply};
use crate::support::proxy::{Act, Proxy, Trigger};
use crate::support::watched::{Traces, Watched};
use crate::support::{Clinic, gate, server};

const RUN: [&str; 5] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "10"];

/// A way, and what is told of it: the run's row, exit, log, EMF, textfile, OTLP, span, switch. Figures are health, items
/// processed, items failed; a failed run of 15 visits in batches of 10 with a gate before the 15th has processed 10.
type Line = (&'static str, [&'static str; 8]);

const MATRIX: [Line; 19] = [
    ("done", ["COMPLETED", "0", "INFO", "1 15 0", "1 15 0", "1 15 0", "well", "/start /"]),
    ("usage", ["-", "2", "-", "-", "-", "-", "-", "-"]),
    ("configuration", ["-", "2", "ERROR CONFIGURATION", "0 0 0", "0 0 0", "0 0 0", "failed CONFIGURATION", "/2"]),
    ("connection refused", ["-", "1", "ERROR CONNECTION", "0 0 0", "0 0 0", "0 0 0", "failed CONNECTION", "/1"]),
    ("login refused", ["-", "2", "ERROR 28000", "0 0 0", "0 0 0", "0 0 0", "failed 28000", "/2"]),
    ("table missing", ["FAILED 42P01", "1", "ERROR 42P01", "0 0 0", "0 0 0", "0 0 0", "failed 42P01", "/start /1"]),
    (
        "clinic's table missing",
        ["-", "2", "ERROR TABLES_DO_NOT_FIT", "0 0 0", "0 0 0", "0 0 0", "failed TABLES_DO_NOT_FIT", "/2"],
    ),
    ("brake", ["FAILED BRAKE", "5", "ERROR BRAKE", "0 0 0", "0 0 0", "0 0 0", "failed BRAKE", "/start /5"]),
    ("table locked", ["FAILED 55P03", "1", "ERROR 55P03", "0 0 0", "0 0 0", "0 0 0", "failed 55P03", "/start /1"]),
    ("already running", ["SKIPPED ALREADY_RUNNING", "0", "INFO ALREADY_RUNNING", "1 0 0", "-", "-", "well", "/log"]),
    ("busy", ["SKIPPED ALREADY_RUNNING", "75", "INFO ALREADY_RUNNING", "1 0 0", "-", "-", "well", "/log"]),
    ("item refused", ["COMPLETED", "3", "INFO", "1 14 1", "1 14 1", "1 14 1", "well", "/start /"]),
    (
        "deadline",
        [
            "FAILED DEADLINE_EXCEEDED",
            "124",
            "ERROR DEADLINE_EXCEEDED",
            "0 10 0",
            "0 10 0",
            "0 10 0",
            "failed DEADLINE_EXCEEDED",
            "/start /124",
        ],
    ),
    (
        "SIGTERM",
        [
            "FAILED INTERRUPTED",
            "143",
            "ERROR INTERRUPTED",
            "0 10 0",
            "0 10 0",
            "0 10 0",
            "failed INTERRUPTED",
            "/start /143",
        ],
    ),
    ("panic", ["FAILED PANIC", "1", "ERROR PANIC", "0 0 0", "0 0 0", "0 0 0", "failed PANIC", "/start /1"]),
    ("taken over", ["FAILED X", "4", "ERROR FENCED", "0 10 0", "0 10 0", "0 10 0", "failed FENCED", "/start /4"]),
    (
        "commit unknown",
        ["RUNNING", "1", "ERROR CONNECTION", "0 10 0", "0 10 0", "0 10 0", "failed CONNECTION", "/start /1"],
    ),
    ("paused", ["SKIPPED PAUSED", "0", "INFO PAUSED", "1 0 0", "-", "-", "well", "/log"]),
    ("report lost", ["COMPLETED", "1", "ERROR OUTPUT_NOT_WRITTEN", "-", "1 15 0", "1 15 0", "well", "/start /"]),
];

/// Makes a run end in a way that is decided before it is at work.
async fn at_its_begin(way: &str, watched: &Watched) -> Outcome {
    let (clinic, program) = (&watched.clinic, watched.told_by(&watched.clinic.program));
    let nowhere = |url: &str| program.clone().env("DATABASE_URL", url).env("ROUNDS_ATTEMPTS", "1");
    match way {
        "usage" => return program.run(&[&RUN[..], &["--batch-rows", "many"]].concat()).await,
        "configuration" => return nowhere("postgresql://rounds@localhost/clinic?sslmode=maybe").run(&RUN).await,
        "connection refused" => return nowhere("postgresql://rounds@localhost:1/clinic").run(&RUN).await,
        "login refused" => {
            let url = server().url(&clinic.database).replace("rounds@", "nobody_of_that_name@");
            return nowhere(&url).run(&RUN).await;
        }
        "table missing" => clinic.sql("ALTER TABLE no_show_logs RENAME TO elsewhere").await,
        "clinic's table missing" => clinic.sql("ALTER TABLE facilities RENAME TO elsewhere").await,
        "already running" | "busy" => clinic.dead_run("1 s", "-1 hour").await,
        "table locked" => clinic.sql("BEGIN; LOCK TABLE appointments IN ACCESS EXCLUSIVE MODE").await,
        "paused" => {
            let user = clinic.of_the_group().await.to_string();
            clinic.run(&["pause", "mark-no-shows", "--reason", "r", "--actor", &user]).await.expect(0);
        }
        "item refused" => {
            let trigger = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
                           CREATE TRIGGER refuse BEFORE UPDATE ON appointments FOR EACH ROW WHEN (NEW.id = 7)
                           EXECUTE FUNCTION refuse()";
            clinic.sql(trigger).await;
        }
        "report lost" => {
            let full = ["/bin/sh", "-c", "exec \"$0\" \"$@\" > /dev/full"];
            return program::finish(program.without("ROUNDS_METRICS").start_by(&full, &RUN)).await;
        }
        _ => {}
    }
    let more: &[&str] = match way {
        "brake" => &["--max-items", "14"],
        "table locked" => &["--lease", "3s"],
        "busy" => &["--fail-if-running"],
        _ => &[],
    };
    let outcome = program.run(&[&RUN[..], more].concat()).await;
    if way == "table locked" {
        clinic.sql("COMMIT").await;
    }
    outcome
}

/// Makes a run end while it stands before a gate.
async fn at_work(way: &str, watched: &Watched) -> Outcome {
    let (clinic, program) = (&watched.clinic, watched.told_by(&watched.clinic.program));
    let started = async |more: &[&str]| -> Child {
        let run = program.start(&[&RUN[..], more].concat());
        gate::reached(clinic).await;
        run
    };
    gate::close(clinic, 15).await;
    match way {
        "deadline" => program::finish(started(&["--timeout", "5s"]).await).await,
        "SIGTERM" => {
            let run = started(&[]).await;
            signal(&run, libc::SIGTERM);
            program::finish(run).await
        }
        "taken over" => {
            let run = started(&["--lease", "6s"]).await;
            let over = "UPDATE cron_job_runs SET status = 'FAILED', error_code = 'X', completed_at = clock_timestamp()";
            clinic.sql(over).await;
            program::finish(run).await
        }
        "commit unknown" => {
            // From the COMMIT of the second batch on, nobody reaches the server. That of the claim is the first one.
            gate::open(clinic).await;
            let proxy = Proxy::start(Trigger { text: "COMMIT", skip: 2, act: Act::LoseAll }).await;
            program.env("DATABASE_URL", &proxy.url(&clinic.database)).run(&RUN).await
        }
        other => panic!("no way: {other}"),
    }
}

async fn carried_out(way: &str) -> Traces {
    if way == "panic" {
        // The program reads a number of eight bytes there, and panics where the server gives one of four.
        let sync = Sync::new().await;
        sync.clinic.sql("DROP VIEW v_recent_sync_activity; ALTER TABLE sync_logs ALTER id TYPE integer").await;
        let watched = Watched::of(sync.clinic).await;
        let program = watched.told_by(&watched.clinic.program);
        let outcome = program.run(&["sync-practiceq", "--as-of", NOW]).await;
        return watched.traces("sync-practiceq", &outcome).await;
    }
    let watched = Watched::of(Clinic::with_visits(15).await).await;
    let outcome = match way {
        "deadline" | "SIGTERM" | "taken over" | "commit unknown" => at_work(way, &watched).await,
        _ => at_its_begin(way, &watched).await,
    };
    watched.traces("mark-no-shows", &outcome).await
}

#[tokio::test]
async fn each_way_to_end_is_told_alike_by_all() {
    let mut wrong = vec![];
    for (way, expected) in MATRIX {
        let told = carried_out(way).await;
        let Traces { row, exit, log, emf, textfile, otlp, span, ping } = told;
        let told = [row, exit.to_string(), log, emf, textfile, otlp, span, ping];
        if told != expected {
            wrong.push(format!("{way}: {told:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A port whose queue is full: what is sent to it gets no answer at all.
struct BlackHole {
    port: u16,
    _kept: (TcpListener, Vec<TcpStream>),
}

impl BlackHole {
    async fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(1).expect("it listens");
        let address = listener.local_addr().expect("bound");
        let mut kept = vec![];
        while let Ok(stream) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
            kept.push(stream.expect("loopback"));
            assert!(kept.len() < 100, "the queue has an end");
        }
        Self { port: address.port(), _kept: (listener, kept) }
    }
}

/// How long a run took that tells a target, and how it ended.
async fn told_to(target: &str, more: &[&str]) -> (Duration, Outcome, serde_json::Value) {
    let clinic = Clinic::with_visits(3).await;
    let program = clinic.program.clone().env("OTEL_EXPORTER_OTLP_ENDPOINT", target).env("ROUNDS_PING_URL", target);
    let began = Instant::now();
    let outcome = program.run(&[&RUN[..], more].concat()).await;
    let took = began.elapsed();
    (took, outcome, clinic.json("SELECT status, error_code, items_processed FROM cron_job_runs").await)
}

#[tokio::test]
async fn a_target_that_fails_changes_no_outcome_and_holds_up_nobody() {
    let good = ProviderServer::start().await;
    let down = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let [refuses, slow] = [ProviderServer::start().await, ProviderServer::start().await];
    refuses.always(Reply::Status(503, String::new()));
    slow.always(Reply::After(Duration::from_secs(60), 200, String::new()));
    // Nobody takes its connections.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent_url = format!("http://{}", silent.local_addr().expect("bound"));
    let hole = BlackHole::new().await;
    for more in [&[][..], &["--max-items", "1"]] {
        let (mut usual, told, row) = told_to(&good.url(), more).await;
        assert!(!told.stderr.contains("NOT_TOLD"), "{told:?}");
        for target in [
            format!("http://{down}"),
            refuses.url(),
            slow.url(),
            silent_url.clone(),
            format!("http://127.0.0.1:{}", hole.port),
        ] {
            // A busy machine may hold up a run now and then, but not each time.
            for tries in 1.. {
                let (took, outcome, recorded) = told_to(&target, more).await;
                assert_eq!((outcome.code, &recorded), (told.code, &row), "{target}: {outcome:?}");
                assert!(outcome.stderr.contains("NOT_TOLD"), "{target}: {outcome:?}");
                if took < usual + Duration::from_millis(2_500) {
                    break;
                }
                assert!(tries < 4, "{target}: {took:?}, and {usual:?} where all is heard");
                usual = usual.max(told_to(&good.url(), more).await.0);
            }
        }
    }
}
