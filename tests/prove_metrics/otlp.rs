//! What leaves by OTLP, as OpenTelemetry's own library for Python reads it.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::Clinic;
use crate::support::collector::Collector;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

pub async fn decoded() {
    let (clinic, collector) = (Clinic::with_visits(25).await, Collector::start().await);
    let program = collector.told_by(&clinic.program).env("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-01"));
    program.run(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "10"]).await.expect(0);
    let spans = read("traces", &body(&collector, "/v1/traces")).await;
    let runs: Vec<_> = spans.iter().filter(|span| span["name"] == "mark-no-shows").collect();
    let [run] = &runs[..] else { panic!("one span of the run: {spans:?}") };
    assert_eq!((&run["trace"], &run["parent"]), (&TRACE.into(), &PARENT.into()));
    assert_eq!(
        (&run["attributes"]["rounds.items.processed"], &run["resource"]["service.name"]),
        (&25.into(), &"rounds".into())
    );
    assert!(spans.iter().filter(|span| span["name"] == "batch").count() >= 3, "{spans:?}");
    let points = read("metrics", &body(&collector, "/v1/metrics")).await;
    let value = |name: &str| points.iter().find(|point| point["name"] == name).map(|point| point["value"].clone());
    assert_eq!((value("rounds.healthy"), value("rounds.items.processed")), (Some(1.0.into()), Some(25.0.into())));
    assert!(points.iter().all(|point| point["attributes"]["rounds.job"] == "mark-no-shows"), "{points:?}");
    assert_eq!(points.len(), 5, "{points:?}");
}

fn body(collector: &Collector, path: &str) -> Vec<u8> {
    let requests = collector.server.requests();
    requests.into_iter().find(|request| request.path == path).unwrap_or_else(|| panic!("nothing came to {path}")).bytes
}

async fn read(signal: &str, body: &[u8]) -> Vec<Value> {
    let mut command = Command::new("target/tools/metrics/bin/python");
    command.args(["tests/prove_metrics/decode_otlp.py", signal]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("scripts/metrics-tools has installed it");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(body).await.expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    assert!(output.status.success(), "{signal}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
