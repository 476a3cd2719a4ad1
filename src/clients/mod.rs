//! Other people's servers, over HTTP; each client knows one.

pub mod nppes;

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use rustls::ClientConfig;

use crate::redact::{Class, Failure};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 3;

/// A client that follows redirects within a host only, and trusts the authorities that are compiled in.
pub fn http() -> Result<reqwest::Client, Failure> {
    let unusable = |_| Failure::new("CONFIGURATION", Class::Configuration, "no HTTP client can be made");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Failure::new("CONFIGURATION", Class::Configuration, "no TLS version is available"))?
        .with_root_certificates(rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("rounds/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(within_the_host))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .no_proxy()
        .build()
        .map_err(unusable)
}

fn within_the_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    match (same, attempt.previous().len() <= REDIRECTS_MAX) {
        (true, true) => attempt.follow(),
        (false, _) => attempt.error("a redirect to another host"),
        (true, false) => attempt.error("too many redirects"),
    }
}
