//! The variables of OpenTelemetry's specification, and the signals for which they ask.

use std::env;

use reqwest::Url;

use crate::clients::secure;

/// A kind of telemetry, which has an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// Its name in the variables.
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }

    /// Whether the environment of this process asks for it. The error says why it cannot be told, without an address.
    pub fn is_wanted(self) -> Result<bool, String> {
        self.is_wanted_by(|name| env::var(name).ok())
    }

    fn is_wanted_by(self, variable: impl Fn(&str) -> Option<String>) -> Result<bool, String> {
        // An empty variable is as if it were not set.
        let variable =
            |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let of_otlp = |what: &str| {
            let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name());
            let common = format!("OTEL_EXPORTER_OTLP_{what}");
            [own, common].into_iter().find_map(|name| Some((variable(&name)?, name)))
        };
        let is_disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exporters = variable(&format!("OTEL_{}_EXPORTER", self.name()));
        let is_elsewhere = exporters.is_some_and(|names| names.split(',').all(|name| name.trim() != "otlp"));
        let Some((endpoint, name)) = of_otlp("ENDPOINT").filter(|_| !is_disabled && !is_elsewhere) else {
            return Ok(false);
        };
        if let Some((_, name)) = of_otlp("PROTOCOL").filter(|(protocol, _)| protocol != "http/protobuf") {
            return Err(format!("{name}: http/protobuf alone is spoken"));
        }
        let url = Url::parse(&endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url.filter(Url::has_host) else {
            return Err(format!("{name} must be a URL that begins with https:// or http://"));
        };
        let has_secret = of_otlp("HEADERS").is_some() || url.password().is_some();
        if has_secret && secure(url).is_err() {
            return Err(format!("{name} must begin with https://, because what is set of headers may be a key"));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(signal: Signal, variables: &[(&str, &str)]) -> Result<bool, String> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        signal.is_wanted_by(|name| value(name).map(|(_, value)| (*value).to_owned()))
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn an_endpoint_asks_for_what_it_is_of() {
        for (variables, traces, metrics) in [
            (&[][..], false, false),
            (&[ENDPOINT], true, true),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], false, false),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")], true, false),
            (&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://otlp.example/v1/metrics")], false, true),
            (&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")], false, false),
            (&[ENDPOINT, ("OTEL_SDK_DISABLED", "no")], true, true),
            (&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], false, true),
            (&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "console, otlp")], true, true),
            (&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], true, true),
        ] {
            assert_eq!(of(Signal::Traces, variables), Ok(traces), "{variables:?}");
            assert_eq!(of(Signal::Metrics, variables), Ok(metrics), "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said_without_the_value() {
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=CANARY");
        for variables in [
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "CANARY:4318")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "file:///CANARY")],
            &[ENDPOINT, headers],
        ] {
            let why = of(Signal::Traces, variables).expect_err("it is refused");
            assert!(why.contains("OTEL_EXPORTER_OTLP_") && !why.contains("CANARY"), "{why}");
        }
        assert_eq!(of(Signal::Traces, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"), headers]), Ok(true));
    }
}
