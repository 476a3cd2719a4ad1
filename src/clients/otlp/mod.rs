//! OpenTelemetry by OTLP over HTTP, where its own variables name an endpoint: the trace of a run, and the figures that
//! the files of Prometheus have.
//!
//! Rule: nothing is sent unless `OTEL_EXPORTER_OTLP_ENDPOINT`, or that of traces or of metrics, is set. What is sent holds
//! no value of a row. The spans leave while a run goes on, on a thread of the library; what is left at its end, and the
//! figures, leave within the common bound.

mod environment;
mod sender;

use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tracing::warn;

use crate::output::metrics::{METRICS, Told, published};
use crate::output::telling::{BOUND, Telling};
use crate::trace;
use environment::Signal;
use sender::Sender;

/// The figures leave once.
const NEVER: Duration = Duration::from_secs(86_400);

/// How the spans of this process leave.
static SPANS: OnceLock<Sender> = OnceLock::new();

/// Whether it is wanted; the log says if it cannot be.
fn is_wanted(signal: Signal) -> bool {
    signal.is_wanted().unwrap_or_else(|why| {
        not_told(&why);
        false
    })
}

/// Whether the figures of lanes are wanted.
pub fn wants_metrics() -> bool {
    Signal::Metrics.is_wanted() == Ok(true)
}

/// Begins the trace of a run, if somebody wants it.
pub fn begin_trace(job: &'static str) {
    if !is_wanted(Signal::Traces) {
        return;
    }
    let sender = Sender::default();
    let exporter = SpanExporter::builder().with_http().with_http_client(sender.clone());
    match exporter.with_retry_policy(RetryPolicy::disabled()).with_timeout(BOUND).build() {
        Ok(exporter) => {
            let _ = SPANS.set(sender);
            trace::begin(job, exporter, resource());
        }
        Err(error) => not_told(&unusable(&error)),
    }
}

/// The tellings of the end: the rest of the trace, and the figures of these lanes.
pub fn tellings(told: &[Told]) -> Vec<Telling> {
    let trace = SPANS.get().filter(|_| trace::is_on()).map(|sender| {
        Telling::new("the trace by OTLP", move || {
            trace::flush(BOUND);
            sender.outcome()
        })
    });
    let of_lanes: Vec<Told> = told.iter().filter(|one| one.lane.is_some()).cloned().collect();
    let metrics = (!of_lanes.is_empty() && is_wanted(Signal::Metrics)).then(|| {
        let (told, now) = (of_lanes, published());
        Telling::new("metrics by OTLP", move || tell_metrics(&told, now))
    });
    trace.into_iter().chain(metrics).collect()
}

/// Sends the figures of lanes, each as a gauge.
fn tell_metrics(told: &[Told], now: DateTime<Utc>) -> Result<(), String> {
    let sender = Sender::default();
    let exporter = MetricExporter::builder().with_http().with_http_client(sender.clone());
    let exporter = exporter
        .with_retry_policy(RetryPolicy::disabled())
        .with_timeout(BOUND)
        .build()
        .map_err(|error| unusable(&error))?;
    let reader = PeriodicReader::builder(exporter).with_interval(NEVER).build();
    let provider = SdkMeterProvider::builder().with_resource(resource()).with_reader(reader).build();
    let meter = provider.meter("rounds");
    for metric in &METRICS {
        let gauge = meter.f64_gauge(metric.otel).with_unit(metric.unit).with_description(metric.help).build();
        for one in told {
            if let (Some((job, lane)), Some(value)) = (&one.lane, metric.value(one, now)) {
                let labels = [KeyValue::new("rounds.job", job.clone()), KeyValue::new("rounds.lane", lane.clone())];
                gauge.record(value, &labels);
            }
        }
    }
    let ended = provider.shutdown_with_timeout(BOUND);
    sender.outcome().and_then(|()| ended.map_err(|_| "not done".to_owned()))
}

/// Who says it: what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name, else `rounds`.
fn resource() -> Resource {
    let name = Resource::builder().build().get(&Key::new("service.name"));
    let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let builder = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_named { builder.build() } else { builder.with_service_name("rounds").build() }
}

/// Why no exporter can be made, without a value of the environment.
fn unusable(_: &ExporterBuildError) -> String {
    "an OTEL_EXPORTER_OTLP_ variable has a value that cannot be used".to_owned()
}

fn not_told(why: &str) {
    warn!(error_code = "NOT_TOLD", "OpenTelemetry: {why}; nothing is told there, and the outcome is as it was");
}
