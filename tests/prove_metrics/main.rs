//! `make prove-metrics`: the files of `--metrics textfile` through Prometheus's own programs: promtool, node_exporter and a
//! server, with the rules of docs/prometheus/ and the queries of docs/grafana/; and what leaves by OTLP through
//! OpenTelemetry's own library.
//!
//! `scripts/metrics-tools` installs them, so this is a test target of its own. A proof that cannot be done fails.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it is shared with `it`, which uses all of it")]
mod support;

mod otlp;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use support::Clinic;
use support::grafana::{PROMETHEUS, promql, queries};

const RULES: &str = "docs/prometheus/rounds.rules.yml";
const RULES_TEST: &str = "docs/prometheus/rounds.rules.test.yml";
/// How long a program may take to start, and to have seen what it is to see.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    rules().await;
    println!("promtool: the rules are rules, and go off when they should and not before");
    let place = tempfile::tempdir().expect("a place");
    let clinic = Clinic::with_visits(3).await;
    tell(&clinic, place.path()).await;
    format(place.path()).await;
    println!("promtool: the files of all lanes are metrics");
    scraped(place.path()).await;
    println!(
        "node_exporter and Prometheus: each lane is there under its own names, an alarm goes off, and each panel shows"
    );
    otlp::decoded().await;
    println!("opentelemetry-proto: a run is a trace and its figures");
    println!("4 passed, 0 failed");
}

/// A run, a failed one, and the verdict on all.
async fn tell(clinic: &Clinic, place: &Path) {
    let place = place.to_str().expect("UTF-8");
    let run = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--metrics-dir", place];
    clinic.run(&run).await.expect(0);
    clinic.run(&["health", "--metrics-dir", place]).await;
}

async fn promtool(args: &[&str], input: &[u8]) {
    let mut command = Command::new("promtool");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("scripts/metrics-tools has installed it");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).await.expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {args:?}: {said}");
}

async fn rules() {
    promtool(&["check", "rules", RULES], b"").await;
    promtool(&["test", "rules", RULES_TEST], b"").await;
}

/// promtool reads one text, in which each metric is described once: so one file after the other.
async fn format(place: &Path) {
    let mut files = 0;
    for entry in place.read_dir().expect("is there") {
        let path = entry.expect("can be read").path();
        promtool(&["check", "metrics"], &fs::read(&path).expect("can be read")).await;
        files += 1;
    }
    assert!(files > 10, "{files} files are not those of all lanes");
}

/// node_exporter reads the files, Prometheus reads node_exporter and the rules.
async fn scraped(place: &Path) {
    let [exporter_port, server_port] = [free_port(), free_port()];
    let _exporter = start(
        "prometheus-node-exporter",
        &[
            "--collector.disable-defaults",
            "--collector.textfile",
            &format!("--collector.textfile.directory={}", place.display()),
            &format!("--web.listen-address=127.0.0.1:{exporter_port}"),
        ],
    );
    let scraped = asked(exporter_port, "/metrics", |text| text.contains("rounds_healthy")).await;
    assert!(scraped.contains("node_textfile_scrape_error 0"), "{scraped}");
    let home = tempfile::tempdir().expect("a place");
    let config = home.path().join("prometheus.yml");
    let rules = fs::canonicalize(RULES).expect("is there");
    let text = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: ['{}']\nscrape_configs:\n- job_name: \
         node\n  honor_labels: true\n  static_configs: [{{ targets: ['127.0.0.1:{exporter_port}'] }}]\n",
        rules.display()
    );
    fs::write(&config, text).expect("can be written");
    let _server = start(
        "prometheus",
        &[
            &format!("--config.file={}", config.display()),
            &format!("--storage.tsdb.path={}", home.path().join("data").display()),
            &format!("--web.listen-address=127.0.0.1:{server_port}"),
        ],
    );
    let query = "/api/v1/query?query=rounds_healthy";
    let answer = asked(server_port, query, |text| text.contains("mark-no-shows")).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let results = answer["data"]["result"].as_array().expect("results");
    let of = |job: &str, lane: &str| {
        let is_of = |one: &&Value| one["metric"]["job"] == job && one["metric"]["lane"].as_str().unwrap_or("") == lane;
        results.iter().filter(is_of).count()
    };
    assert_eq!((of("mark-no-shows", ""), of("advance-billing", "paid"), of("sync-practiceq", "full")), (1, 1, 1));
    panels(server_port).await;
    // The file of a lane that is not healthy, for longer than the rule waits, cannot be waited for here: that is the test
    // of the rules. An old file goes off at once.
    let old = place.join("rounds_prune.prom");
    let written = fs::metadata(&old).and_then(|file| file.modified()).expect("it is there");
    let hours_ago = written - Duration::from_secs(7_200);
    fs::File::options().append(true).open(&old).and_then(|file| file.set_modified(hours_ago)).expect("can be set");
    let alerts = asked(server_port, "/api/v1/alerts", |text| text.contains("RoundsSilent")).await;
    assert!(alerts.contains("rounds_prune.prom") && !alerts.contains("rounds_stage-alerts.prom"), "{alerts}");
}

/// What each panel of the dashboard asks has an answer.
async fn panels(server_port: u16) {
    for query in queries(PROMETHEUS, "expr") {
        let escaped: String = promql(&query.text).bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer =
            asked(server_port, &format!("/api/v1/query?query={escaped}"), |text| text.contains("status")).await;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let results = answer["data"]["result"].as_array();
        assert!(results.is_some_and(|results| !results.is_empty()), "{}: {answer}", query.title);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port()
}

fn start(program: &str, args: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().unwrap_or_else(|_| panic!("scripts/metrics-tools has installed {program}"))
}

/// Asks again until the answer is the right one.
async fn asked(port: u16, path: &str, is_right: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let answer = get(port, path).await.unwrap_or_default();
        if is_right(&answer) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{path}: {answer}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}
