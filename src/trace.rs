//! The spans of a run, where somebody wants them: one for the run, one for each batch and each request.
//!
//! Rule: a span holds no value of a row and no address of one: ids of runs, job, lane, counts, codes, and the host of a
//! server. Where no trace is on, a span is nothing: no memory is taken for it.
//!
//! Who starts the run may have a trace of their own, and says so by the W3C's variables TRACEPARENT and TRACESTATE.

use std::collections::HashMap;
use std::env;
use std::sync::OnceLock;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, TraceId, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan, SpanExporter};
use tracing::warn;

/// The trace of this process: it does one run at most.
static TRACE: OnceLock<Trace> = OnceLock::new();

struct Trace {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// With the span of the run.
    run: Context,
    id: String,
}

/// Begins the trace of a run. Its spans are given to `exporter` while it runs, and what is left at its end by `flush`.
pub fn begin(job: &'static str, exporter: impl SpanExporter + 'static, resource: Resource) {
    let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
    let tracer = provider.tracer("rounds");
    let parent = parent();
    let span = tracer.span_builder(job).with_kind(SpanKind::Internal).start_with_context(&tracer, &parent);
    let run = parent.with_span(span);
    let id = run.span().span_context().trace_id();
    if id != TraceId::INVALID {
        let _ = TRACE.set(Trace { provider, tracer, run, id: id.to_string() });
    }
}

/// The span of who started this process.
fn parent() -> Context {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let Some(traceparent) = variable("TRACEPARENT") else { return Context::new() };
    if !is_traceparent(&traceparent) {
        warn!(error_code = "TRACEPARENT", "TRACEPARENT is not of the W3C's form; the run begins a trace of its own");
        return Context::new();
    }
    let mut carrier = HashMap::from([("traceparent".to_owned(), traceparent)]);
    carrier.extend(variable("TRACESTATE").map(|state| ("tracestate".to_owned(), state)));
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

/// Whether a text is `version-trace-parent-flags` in hexadecimal digits. A later version may have more after that.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let [version, trace, span, flags, rest @ ..] = &parts[..] else { return false };
    [version, trace, span, flags].into_iter().all(is_hex)
        && [version.len(), trace.len(), span.len(), flags.len()] == [2, 32, 16, 2]
        && !is_zero(trace)
        && !is_zero(span)
        && *version != "ff"
        && (rest.is_empty() || *version != "00")
}

/// The id of the trace that is on, for the log.
pub fn id() -> Option<&'static str> {
    TRACE.get().map(|trace| trace.id.as_str())
}

/// A batch: one fenced transaction, with all tries of it.
pub fn batch(items: Option<usize>) -> Span {
    let mut span = Span::begin("batch", SpanKind::Internal);
    if let Some(items) = items {
        span.set("rounds.batch.items", items as i64);
    }
    span
}

/// A request to a server, from what is sent until what is answered begins.
pub fn request(name: &str, host: Option<&str>, port: Option<u16>) -> Span {
    let mut span = Span::begin(name, SpanKind::Client);
    if let Some(host) = host {
        span.set("server.address", host.to_owned());
    }
    if let Some(port) = port {
        span.set("server.port", i64::from(port));
    }
    span
}

/// Whether a trace is on.
pub fn is_on() -> bool {
    TRACE.get().is_some()
}

/// A span that ends when it is dropped; nothing where no trace is on.
pub struct Span(Option<SdkSpan>);

impl Span {
    fn begin(name: &str, kind: SpanKind) -> Self {
        let begun = |trace: &Trace| {
            let builder = trace.tracer.span_builder(name.to_owned()).with_kind(kind);
            builder.start_with_context(&trace.tracer, &trace.run)
        };
        Self(TRACE.get().map(begun))
    }

    /// Sets an attribute, which holds no value of a row.
    pub fn set<V: Into<Value>>(&mut self, key: &'static str, value: V) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Says by a code that it failed.
    pub fn fail(&mut self, code: &str) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new("error.type", code.to_owned()));
            span.set_status(Status::error(""));
        }
    }
}

/// Ends the span of the run, with what `attributes` says of it, and the code of its failure if it is one.
pub fn end(attributes: impl FnOnce() -> Vec<KeyValue>, failure: Option<&str>) {
    let Some(trace) = TRACE.get() else { return };
    let span = trace.run.span();
    span.set_attributes(attributes());
    if let Some(code) = failure {
        span.set_attribute(KeyValue::new("error.type", code.to_owned()));
        span.set_status(Status::error(""));
    }
    span.end();
}

/// Gives the spans that are left to the exporter, and waits until it is done.
pub fn flush(bound: std::time::Duration) {
    if let Some(trace) = TRACE.get() {
        let _ = trace.provider.shutdown_with_timeout(bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_of_the_form_or_none() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for good in
            [format!("00-{trace}-{span}-01"), format!("00-{trace}-{span}-00"), format!("01-{trace}-{span}-01-x")]
        {
            assert!(is_traceparent(&good), "{good}");
        }
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            format!("ff-{trace}-{span}-01"),
            format!("00-{zeros}-{span}-01"),
            format!("00-{trace}-{}-01", &zeros[..16]),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{}-{span}-01", &trace[1..]),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-x"),
            format!("00-{trace}-{span}-1"),
        ] {
            assert!(!is_traceparent(&bad), "{bad}");
        }
    }

    #[test]
    fn where_no_trace_is_on_a_span_is_nothing() {
        let mut span = request("GET", Some("host.example"), None);
        span.set("rounds.batch.items", 1);
        span.fail("X");
        assert!(span.0.is_none() && id().is_none() && batch(Some(7)).0.is_none());
        end(|| panic!("nobody asks"), Some("X"));
    }
}
