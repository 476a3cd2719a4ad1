//! `--ping-url`: a dead man's switch is told of each run, and cannot change or hold up any.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::provider::{ProviderServer, Reply, Request};
use crate::support::{Clinic, Program};

const RUN: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
/// The part of the address that nobody may see.
const SECRET: &str = "8a7bd1e0";

/// The program with a switch at that address.
fn pinging(clinic: &Clinic, url: &str) -> Program {
    clinic.program.clone().env("ROUNDS_PING_URL", &format!("{url}/{SECRET}/{{name}}"))
}

/// The words that came: the last part of each address, with what is asked.
fn words(server: &ProviderServer) -> Vec<String> {
    let word = |request: Request| {
        assert_eq!(request.method, "POST");
        request.path.strip_prefix(&format!("/{SECRET}/")).expect("the address").to_owned()
    };
    server.requests().into_iter().map(word).collect()
}

async fn run_id(clinic: &Clinic) -> String {
    let rows = clinic.rows("SELECT id::text FROM cron_job_runs ORDER BY started_at DESC LIMIT 1").await;
    rows[0].get(0)
}

#[tokio::test]
async fn a_run_says_its_start_and_its_end_with_its_id() {
    let (clinic, server) = (Clinic::with_visits(3).await, ProviderServer::start().await);
    let program = pinging(&clinic, &server.url());
    program.run(&RUN).await.expect(0);
    let id = run_id(&clinic).await;
    assert_eq!(words(&server), [format!("mark-no-shows/start?rid={id}"), format!("mark-no-shows?rid={id}")]);
    let body = &server.requests()[1].body;
    assert!(body.starts_with("mark-no-shows COMPLETED, exit 0, in "), "{body}");
    assert!(body.contains("processed 3, failed 0\n") && body.contains("marked 3\n"), "{body}");
    // Where nothing is recorded, nothing is said.
    program.run(&[&RUN[..], &["--dry-run"]].concat()).await.expect(0);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn each_way_to_end_has_its_word() {
    let (clinic, server) = (Clinic::with_visits(3).await, ProviderServer::start().await);
    let program = pinging(&clinic, &server.url());
    program.run(&[&RUN[..], &["--max-items", "1"]].concat()).await.expect(5);
    let id = run_id(&clinic).await;
    assert_eq!(words(&server)[1], format!("mark-no-shows/5?rid={id}"));
    assert!(server.requests()[1].body.contains("[BRAKE]"), "{:?}", server.requests()[1]);
    // What was done lately, or must wait for a person, has said its last word.
    program.run(&[&RUN[..], &["--unless-succeeded-within", "1h"]].concat()).await.expect(0);
    assert!(words(&server)[2].starts_with("mark-no-shows/log?rid="), "{:?}", words(&server));
    // A run that cannot begin.
    let nowhere = program.env("DATABASE_URL", "postgresql://rounds@localhost:1/none?connect_timeout=1");
    nowhere.run(&["advance-billing", "--stage", "paid", "--attempts", "1"]).await.expect(1);
    nowhere.run(&["health", "prune"]).await.expect(1);
    assert_eq!(words(&server)[3..], ["advance-billing-paid/1", "health/1"]);
    assert_eq!(server.requests()[4].body, "unhealthy: prune");
}

#[tokio::test]
async fn a_run_of_one_facility_has_no_word_for_the_lane_of_all() {
    let (clinic, server) = (Clinic::with_visits(3).await, ProviderServer::start().await);
    let facility = clinic.rows("SELECT min(id)::text FROM facilities").await[0].get::<_, String>(0);
    pinging(&clinic, &server.url()).run(&[&RUN[..], &["--facility", &facility]].concat()).await.expect(0);
    assert_eq!(words(&server), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_is_down_slow_or_silent_changes_nothing_and_holds_up_nobody() {
    let server = ProviderServer::start().await;
    let down = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    // Nobody takes its connections.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_url = format!("http://{}", silent.local_addr().expect("bound"));
    let alone = Clinic::with_visits(3).await;
    let began = Instant::now();
    let usual = alone.run(&RUN).await.expect(0);
    let without = began.elapsed();
    let late = Reply::After(Duration::from_secs(60), 200, String::new());
    for (url, reply) in [
        (format!("http://{down}"), None),
        (silent_url, None),
        (server.url(), Some(Reply::Status(500, String::new()))),
        (server.url(), Some(Reply::Status(404, String::new()))),
        (server.url(), Some(Reply::With(302, "location: https://example.com/".into()))),
        (server.url(), Some(Reply::Drop)),
        (server.url(), Some(Reply::Reset)),
        (server.url(), Some(late)),
    ] {
        let what = format!("{url} {reply:?}");
        reply.into_iter().for_each(|reply| server.always(reply));
        let clinic = Clinic::with_visits(3).await;
        let began = Instant::now();
        let outcome = pinging(&clinic, &url).run(&RUN).await.expect(0);
        // The bound of two seconds, and what a busy machine adds.
        assert!(began.elapsed() < without * 3 + Duration::from_secs(12), "{what}: {:?}", began.elapsed());
        assert_eq!(outcome.count("marked"), usual.count("marked"), "{what}");
        assert!(outcome.stderr.contains("NOT_TOLD"), "{what}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains(SECRET), "{what}: {outcome:?}");
        let run = clinic.json("SELECT status, error_code FROM cron_job_runs").await;
        assert_eq!(run, serde_json::json!({ "status": "COMPLETED", "error_code": null }), "{what}");
    }
}

#[tokio::test]
async fn an_address_is_a_secret_and_must_be_safe() {
    let clinic = Clinic::new().await;
    for bad in ["http://hc.example/", "https://{name}.example/", "hc.example/"] {
        let url = format!("{bad}{SECRET}");
        let by_option = clinic.run(&["prune", "--dry-run", "--ping-url", &url]).await.expect(2);
        let by_variable =
            clinic.program.clone().env("ROUNDS_PING_URL", &url).run(&["prune", "--dry-run"]).await.expect(2);
        for outcome in [by_option, by_variable] {
            assert!(!format!("{outcome:?}").contains(SECRET), "{outcome:?}");
            assert!(outcome.stderr.to_lowercase().replace('_', "-").contains("ping-url"), "{outcome:?}");
        }
    }
    let shown = clinic.program.clone().env("ROUNDS_PING_URL", &format!("https://hc.example/{SECRET}"));
    assert!(!format!("{:?}", shown.run(&["prune", "--help"]).await.expect(0)).contains(SECRET));
}
