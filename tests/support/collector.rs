//! An OpenTelemetry collector on a loopback port: it decodes what comes by OTLP over HTTP, and answers as it is told.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span as RawSpan;
use prost::Message;

use super::Program;
use super::provider::{ProviderServer, Request};

pub type Attributes = BTreeMap<String, String>;

/// A collector that answers 200 unless it is told otherwise.
pub struct Collector {
    pub server: ProviderServer,
}

#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    /// In hexadecimal digits.
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub state: String,
    /// 1: internal, 3: a client.
    pub kind: i32,
    /// 2: an error.
    pub status: i32,
    pub took_ns: u64,
    pub attributes: Attributes,
}

#[derive(Clone, Debug)]
pub struct Gauge {
    pub unit: String,
    pub help: String,
    /// By the attributes.
    pub points: BTreeMap<Attributes, f64>,
}

impl Collector {
    pub async fn start() -> Self {
        Self { server: ProviderServer::start().await }
    }

    /// The program that tells this collector.
    pub fn told_by(&self, program: &Program) -> Program {
        program.clone().env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.server.url())
    }

    /// The spans that came, in the order of their ends.
    pub fn spans(&self) -> Vec<Span> {
        let exports = decoded::<ExportTraceServiceRequest>(&self.server.requests(), "/v1/traces");
        let resources = exports.into_iter().flat_map(|export| export.resource_spans);
        resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans).map(span).collect()
    }

    /// The only span of that name.
    #[track_caller]
    pub fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let [span] = &spans.iter().filter(|span| span.name == name).collect::<Vec<_>>()[..] else {
            panic!("one span {name}: {spans:#?}")
        };
        (*span).clone()
    }

    /// The gauges that came last, by their names.
    pub fn gauges(&self) -> BTreeMap<String, Gauge> {
        let exports = decoded::<ExportMetricsServiceRequest>(&self.server.requests(), "/v1/metrics");
        let resources = exports.into_iter().flat_map(|export| export.resource_metrics);
        let metrics = resources.flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics);
        let gauge = |metric: opentelemetry_proto::tonic::metrics::v1::Metric| {
            let Some(Data::Gauge(gauge)) = metric.data else { panic!("no gauge: {metric:?}") };
            let points = gauge.data_points.into_iter().map(|point| {
                let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
                (attributes(point.attributes), value)
            });
            (metric.name, Gauge { unit: metric.unit, help: metric.description, points: points.collect() })
        };
        metrics.map(gauge).collect()
    }

    /// The value of a gauge that came for one lane.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.gauges().get(name).map(|gauge| *gauge.points.values().next().expect("a point"))
    }

    /// What the exports say of who sends them.
    pub fn resources(&self) -> Vec<Attributes> {
        let requests = self.server.requests();
        let traces = decoded::<ExportTraceServiceRequest>(&requests, "/v1/traces");
        let metrics = decoded::<ExportMetricsServiceRequest>(&requests, "/v1/metrics");
        let of_traces = traces.into_iter().flat_map(|export| export.resource_spans).map(|of| of.resource);
        let of_metrics = metrics.into_iter().flat_map(|export| export.resource_metrics).map(|of| of.resource);
        of_traces.chain(of_metrics).flatten().map(|resource| attributes(resource.attributes)).collect()
    }
}

fn decoded<M: Message + Default>(requests: &[Request], path: &str) -> Vec<M> {
    let of_path = requests.iter().filter(|request| request.path == path);
    of_path
        .map(|request| {
            assert_eq!(request.headers["content-type"], "application/x-protobuf", "{path}");
            M::decode(&request.bytes[..]).expect("protobuf")
        })
        .collect()
}

fn span(raw: RawSpan) -> Span {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((raw.trace_id.len(), raw.span_id.len()), (16, 8), "{raw:?}");
    Span {
        trace: hex(&raw.trace_id),
        id: hex(&raw.span_id),
        parent: hex(&raw.parent_span_id),
        state: raw.trace_state,
        kind: raw.kind,
        status: raw.status.map_or(0, |status| {
            assert_eq!(status.message, "", "a message may hold anything");
            status.code
        }),
        took_ns: raw.end_time_unix_nano.checked_sub(raw.start_time_unix_nano).expect("it ends after its begin"),
        attributes: attributes(raw.attributes),
        name: raw.name,
    }
}

fn attributes(raw: Vec<KeyValue>) -> Attributes {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => panic!("an attribute of another kind: {other:?}"),
    };
    raw.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}
