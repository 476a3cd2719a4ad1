//! OpenTelemetry: a trace of each run and the figures of its lane by OTLP, where the variables of OpenTelemetry ask for
//! it, and no word of a patient.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::collector::{Attributes, Collector};
use crate::support::exposition;
use crate::support::practiceq::Sync;
use crate::support::provider::ProviderServer;
use crate::support::smtp::{Security, SmtpServer};
use crate::support::{Clinic, Program};

const RUN: [&str; 5] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "10"];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// All attributes that a span may have: ids of runs, job, lane, counts, codes, the host of a server.
const ATTRIBUTES: [&str; 17] = [
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "process.exit.code",
    "rounds.batch.items",
    "rounds.dry_run",
    "rounds.error_code",
    "rounds.items.failed",
    "rounds.items.processed",
    "rounds.job",
    "rounds.lane",
    "rounds.run.id",
    "rounds.run.status",
    "rounds.source",
    "server.address",
    "server.port",
    "url.scheme",
];

/// The lines of the log, which are JSON.
fn log(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[track_caller]
fn assert_known_attributes(collector: &Collector) {
    for span in collector.spans() {
        for name in span.attributes.keys() {
            assert!(ATTRIBUTES.contains(&name.as_str()), "{name} of {span:?}");
        }
    }
}

#[tokio::test]
async fn a_run_is_a_child_of_who_started_it_and_its_batches_are_of_the_run() {
    let (clinic, collector) = (Clinic::with_visits(25).await, Collector::start().await);
    let program = collector.told_by(&clinic.program).env("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-01"));
    let program = program.env("TRACESTATE", "vendor=1").env("ROUNDS_LOG_FORMAT", "json");
    let outcome = program.run(&RUN).await.expect(0);
    let run = collector.span("mark-no-shows");
    assert_eq!((&*run.trace, &*run.parent, &*run.state, run.status), (TRACE, PARENT, "vendor=1", 0));
    let id: String = clinic.rows("SELECT id::text FROM cron_job_runs").await[0].get(0);
    let said: BTreeMap<&str, &str> = run.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("process.exit.code", "0"),
        ("rounds.dry_run", "false"),
        ("rounds.items.failed", "0"),
        ("rounds.items.processed", "25"),
        ("rounds.job", "mark-no-shows"),
        ("rounds.lane", ""),
        ("rounds.run.id", &id),
        ("rounds.run.status", "COMPLETED"),
        ("rounds.source", "manual"),
    ];
    assert_eq!(said, expected.into());
    let batches: Vec<_> = collector.spans().into_iter().filter(|span| span.name == "batch").collect();
    let items: Vec<_> = batches.iter().filter_map(|batch| batch.attributes.get("rounds.batch.items")).collect();
    assert_eq!(items, ["10", "10", "5"]);
    for batch in &batches {
        assert_eq!((&batch.trace, &batch.parent), (&run.trace, &run.id));
        assert!(batch.took_ns > 0 && batch.took_ns < run.took_ns, "{batch:?} in {run:?}");
    }
    assert_known_attributes(&collector);
    let lines = log(&outcome.stderr);
    assert!(lines.len() >= 2 && lines.iter().all(|line| line["trace_id"] == TRACE), "{lines:?}");
    let text = program.env("ROUNDS_LOG_FORMAT", "text").run(&RUN).await.expect(0);
    assert!(text.stderr.lines().all(|line| line.ends_with(&format!(" trace_id={TRACE}"))), "{}", text.stderr);
}

#[tokio::test]
async fn a_bad_traceparent_is_ignored_with_a_line_in_the_log() {
    for bad in ["nonsense", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4BF9-1-01"] {
        let (clinic, collector) = (Clinic::with_visits(1).await, Collector::start().await);
        let outcome = collector.told_by(&clinic.program).env("TRACEPARENT", bad).run(&RUN).await.expect(0);
        assert!(outcome.stderr.contains("TRACEPARENT") && !outcome.stderr.contains(bad), "{}", outcome.stderr);
        let run = collector.span("mark-no-shows");
        assert_eq!((run.trace.len(), &*run.parent), (32, ""), "a trace of its own");
    }
}

/// Who starts the run may say that nobody keeps this trace.
#[tokio::test]
async fn a_trace_that_is_not_sampled_is_not_sent() {
    let (clinic, collector) = (Clinic::with_visits(1).await, Collector::start().await);
    let program = collector.told_by(&clinic.program).env("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-00"));
    let outcome = program.run(&RUN).await.expect(0);
    assert!(outcome.stderr.contains(TRACE), "the log has its id all the same: {}", outcome.stderr);
    assert!(collector.spans().is_empty() && collector.value("rounds.healthy") == Some(1.0));
}

#[tokio::test]
async fn the_figures_are_those_of_the_file_for_prometheus() {
    let (clinic, collector) = (Clinic::with_visits(3).await, Collector::start().await);
    let place = tempfile::tempdir().expect("a place");
    let program = collector.told_by(&clinic.program).env("ROUNDS_METRICS_DIR", place.path().to_str().expect("UTF-8"));
    program.run(&RUN).await.expect(0);
    let text = fs::read_to_string(place.path().join("rounds_mark-no-shows.prom")).expect("is there");
    let (file, told) = (exposition::read(&text), collector.gauges());
    assert_eq!((file.len(), told.len()), (5, 5), "{told:?}");
    let of_lane: Attributes = [("rounds.job", "mark-no-shows"), ("rounds.lane", "")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    for (name, gauge) in &told {
        let unit = if gauge.unit == "s" { "_seconds" } else { "" };
        let metric = &file[&format!("{}{unit}", name.replace('.', "_"))];
        assert_eq!(metric.help, gauge.help, "{name}");
        let value = gauge.points[&of_lane];
        // The two instants of publication differ by a moment.
        assert!((value - metric.samples[0].1).abs() < 10.0, "{name}: {value} and {metric:?}");
    }
    assert_eq!(collector.value("rounds.items.processed"), Some(3.0));
    // The verdict on all lanes has no trace.
    let of_health = Collector::start().await;
    of_health.told_by(&clinic.program).run(&["health"]).await;
    assert!(of_health.spans().is_empty());
    let lanes = &of_health.gauges()["rounds.healthy"].points;
    assert!(lanes.len() > 10 && lanes.keys().any(|lane| lane["rounds.lane"] == "paid"), "{lanes:?}");
}

#[tokio::test]
async fn who_sends_it_is_what_the_variables_name() {
    let (clinic, collector) = (Clinic::with_visits(1).await, Collector::start().await);
    let named = |program: &Program| {
        let program = program.clone().env("OTEL_SERVICE_NAME", "clinic-jobs");
        program.env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=CANARY,x-team=on%20call")
    };
    named(&collector.told_by(&clinic.program)).run(&RUN).await.expect(0);
    assert_eq!(collector.resources().len(), 2);
    for resource in collector.resources() {
        assert_eq!(resource["service.name"], "clinic-jobs");
    }
    for request in collector.server.requests() {
        assert_eq!((&*request.headers["api-key"], &*request.headers["x-team"]), ("CANARY", "on call"));
    }
    let other = Collector::start().await;
    let attributes = other.told_by(&clinic.program).env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test");
    attributes.run(&RUN).await.expect(0);
    for resource in other.resources() {
        assert_eq!((&*resource["service.name"], &*resource["deployment.environment"]), ("rounds", "test"));
    }
    // A key leaves to no other machine in clear, and no text of it is said.
    let clear = named(&clinic.program).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318");
    let outcome = clear.run(&RUN).await.expect(0);
    assert!(outcome.stderr.contains("https://") && !format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
}

#[tokio::test]
async fn nothing_is_sent_unless_it_is_asked_for() {
    let (clinic, collector) = (Clinic::with_visits(1).await, Collector::start().await);
    let url = collector.server.url();
    for variables in [
        &[("OTEL_SERVICE_NAME", "rounds"), ("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
            [..],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_SDK_DISABLED", "true")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
    ] {
        let program = variables.iter().fold(clinic.program.clone(), |program, (name, value)| program.env(name, value));
        let outcome = program.run(&RUN).await.expect(0);
        assert!(
            !outcome.stderr.contains("trace_id") && !outcome.stderr.contains("NOT_TOLD"),
            "{variables:?}: {outcome:?}"
        );
    }
    assert!(collector.server.requests().is_empty());
    // Another protocol is refused in words.
    let other = collector.told_by(&clinic.program).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").run(&RUN).await.expect(0);
    assert!(other.stderr.contains("OTEL_EXPORTER_OTLP_PROTOCOL: http/protobuf alone"), "{}", other.stderr);
    // Only one of the two.
    let traces = clinic.program.clone().env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{url}/own/path"));
    traces.run(&RUN).await.expect(0);
    let paths: Vec<_> = collector.server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/own/path"]);
}

/// Who tells of a run has no span: the trace itself, and the switch.
#[test]
fn every_client_sends_within_a_span() {
    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("is there") {
            let path = entry.expect("can be read").path();
            if path.is_dir() { sources(&path, found) } else { found.push(path) }
        }
    }
    let mut found = vec![];
    sources(Path::new("src"), &mut found);
    let sends = |path: &&PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(".send().await"));
    let mut direct: Vec<&str> = found.iter().filter(sends).filter_map(|path| path.to_str()).collect();
    direct.sort_unstable();
    assert_eq!(direct, ["src/clients/ping.rs", "src/clients/traced.rs"]);
}

/// Nothing of what was sent may be read in what was told of it.
#[track_caller]
fn assert_silent(collector: &Collector, words: &[&str]) {
    for request in collector.server.requests() {
        for word in words {
            assert!(!request.body.contains(word), "{word}: {}", request.body);
        }
    }
}

#[tokio::test]
async fn a_request_by_http_has_a_span_without_its_path() {
    let (sync, collector) = (Sync::new().await, Collector::start().await);
    let program = collector.told_by(&sync.clinic.program);
    program.run(&["sync-practiceq", "--as-of", crate::support::practiceq::NOW]).await.expect(0);
    let run = collector.span("sync-practiceq");
    let requests: Vec<_> = collector.spans().into_iter().filter(|span| span.name == "GET").collect();
    assert!(!requests.is_empty(), "{:?}", collector.spans());
    for request in &requests {
        assert_eq!((&request.parent, request.kind, request.status), (&run.id, 3, 0));
        let attributes = &request.attributes;
        assert_eq!(&attributes["http.request.method"], "GET");
        assert_eq!((&*attributes["http.response.status_code"], &*attributes["server.address"]), ("200", "127.0.0.1"));
    }
    assert_known_attributes(&collector);
    assert_silent(&collector, &["appointments", "startDate", "page="]);
}

#[tokio::test]
async fn a_webhook_that_fails_has_a_span_with_its_code() {
    let (clinic, collector, server) = (Clinic::new().await, Collector::start().await, ProviderServer::start().await);
    server.always(crate::support::provider::Reply::Status(500, String::new()));
    let file = tempfile::NamedTempFile::new().expect("a file");
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let text = format!("[pager]\nurl = \"{}/CANARY?key=CANARY\"\nsecret = \"{secret}\"\n", server.url());
    fs::write(file.path(), text).expect("can be written");
    let staged = "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, metadata, entity, entity_id,
                                             dedupe_key, status, created_at)
                  VALUES ('ADDRESS', 'pager', 'WEBHOOK', 'JOB_FAILING', 'CANARY', 'CANARY', '{}', 'cron_job_run', '7', 'k',
                          'PENDING', clock_timestamp())";
    clinic.sql(staged).await;
    let endpoints = file.path().to_str().expect("UTF-8");
    let program = collector.told_by(&clinic.program).env("ROUNDS_WEBHOOK_ENDPOINTS", endpoints);
    program.run(&["deliver-notifications", "--channel", "webhook"]).await;
    let request = collector.span("POST");
    assert_eq!((request.kind, request.status), (3, 2));
    assert_eq!((&*request.attributes["error.type"], &*request.attributes["http.response.status_code"]), ("500", "500"));
    assert_known_attributes(&collector);
    assert_silent(&collector, &["CANARY", secret, "pager"]);
}

#[tokio::test]
async fn a_mail_has_a_span_without_its_recipient() {
    let (clinic, collector, server) =
        (Clinic::new().await, Collector::start().await, SmtpServer::start(Security::Clear).await);
    let staged =
        "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, metadata, entity, entity_id,
                                             dedupe_key, status, created_at)
                  VALUES ('ADDRESS', 'canary@clinic.example', 'EMAIL', 'JOB_FAILING', 'CANARY', 'CANARY', '{}',
                          'cron_job_run', '7', 'k', 'PENDING', clock_timestamp())";
    clinic.sql(staged).await;
    let program = collector.told_by(&clinic.program).env("ROUNDS_SMTP_URL", &server.url());
    let program = program.env("ROUNDS_EMAIL_FROM", "The Clinic <jobs@clinic.example>");
    let outcome = program.run(&["deliver-notifications", "--channel", "email"]).await.expect(0);
    let request = collector.span("SMTP");
    assert_eq!((request.kind, &*request.attributes["server.port"]), (3, &*server.port.to_string()), "{outcome:?}");
    assert_known_attributes(&collector);
    assert_silent(&collector, &["CANARY", "canary@", "jobs@"]);
}
