//! HTTP clients. Each one knows one server, and only it knows that server's protocol.

pub mod nppes;
pub mod otlp;
pub mod ping;
pub mod practiceq;
pub mod provider;
pub mod smtp;
mod traced;
pub mod twilio;
pub mod webhook;
pub mod word;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderName, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{ClientBuilder, Response, Url};
use rustls::ClientConfig;

use crate::error::{Error, ErrorKind};
pub use traced::Traced;
use traced::send;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent in the middle of a response.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 3;

/// A builder with the settings of every client: trust in the authorities that are compiled in, and timeouts.
fn builder() -> Result<ClientBuilder, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::new("CONFIGURATION", ErrorKind::Refused, "no TLS version is available"))?
        .with_root_certificates(rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("rounds/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .no_proxy())
}

/// A client that follows redirects within one host.
pub fn http() -> Result<reqwest::Client, Error> {
    build(builder()?.redirect(Policy::custom(within_the_host)))
}

/// Parses the address of an option. It may hold no secret, because it is shown and recorded.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is no URL".to_owned())?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if plain { Ok(url) } else { Err("must have no user, password, query or fragment".to_owned()) }
}

/// A client whose requests leave once: it follows no redirect, and tries nothing again.
fn once() -> Result<ClientBuilder, Error> {
    Ok(builder()?.redirect(Policy::none()).retry(reqwest::retry::never()))
}

fn build(client: ClientBuilder) -> Result<reqwest::Client, Error> {
    client.build().map_err(|_| Error::new("CONFIGURATION", ErrorKind::Refused, "no HTTP client can be made"))
}

/// Why a request got no answer, without its address.
fn failure(error: &reqwest::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "no answer in time",
        () if error.is_connect() => "cannot be reached",
        () => "no answer",
    }
}

/// The body of a response; nothing where it is longer than `max`.
async fn body(mut response: Response, max: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > max {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// How long a server asks a client to wait before its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    For(Duration),
    /// By the server's clock, whose present time the response does not give.
    Until(DateTime<Utc>),
}

impl RetryAfter {
    /// The wait, for a request that left at an instant of our own clock.
    fn wait(self, asked_at: DateTime<Utc>) -> Duration {
        match self {
            Self::For(wait) => wait,
            Self::Until(until) => (until - asked_at).to_std().unwrap_or_default(),
        }
    }
}

/// Reads Retry-After. It holds seconds or a date; a date is compared with the server's own clock (Date) where the
/// response has it.
fn retry_after(response: &Response) -> Option<RetryAfter> {
    let text = |name: HeaderName| response.headers().get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER)?;
    let date = |text: &str| httpdate::parse_http_date(text).ok().map(DateTime::<Utc>::from);
    if let Ok(seconds) = after.parse() {
        return Some(RetryAfter::For(Duration::from_secs(seconds)));
    }
    let until = date(after)?;
    Some(match text(DATE).and_then(date) {
        Some(now) => RetryAfter::For((until - now).to_std().unwrap_or_default()),
        None => RetryAfter::Until(until),
    })
}

fn within_the_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    match (same, attempt.previous().len() <= REDIRECTS_MAX) {
        (true, true) => attempt.follow(),
        (false, _) => attempt.error("a redirect to another host"),
        (true, false) => attempt.error("too many redirects"),
    }
}

/// The base of an API, which ends with a slash. It must be HTTPS, so that no key is sent in clear; except to this host.
pub fn base(text: &str) -> Result<Url, String> {
    let url = address(&format!("{}/", text.trim_end_matches('/')))?;
    secure(url)
}

/// A URL that is HTTPS, or of this host.
pub fn secure(url: Url) -> Result<Url, String> {
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        _ => Err("must begin with https://".to_owned()),
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
