//! Webhooks: a signed JSON POST to an endpoint that the configuration names, by the Standard Webhooks convention.
//!
//! The body holds ids, codes and counts only, no title and no text. The id of a message is that of its row, and the
//! same each time it is sent: a receiver knows by it what it has already.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde::Deserialize;
use serde_json::json;

use super::provider::{Answer, Message, Provider, Receipt};
use super::{body, retry_after, secure, send};
use crate::error::{Error, ErrorKind};
use crate::output::stamp;

/// The time limit of an answer.
const ANSWER: Duration = Duration::from_secs(15);
/// What is read of an answer, which says nothing beyond its status.
const BODY_MAX: usize = 64 << 10;
/// The beginning of a secret; the rest is base64.
const SECRET: &str = "whsec_";
/// The shortest secret in bytes.
const SECRET_MIN: usize = 24;

pub struct Webhooks {
    client: Client,
    endpoints: BTreeMap<String, Endpoint>,
}

struct Endpoint {
    url: Url,
    key: Key,
}

/// An endpoint as a file of the configuration has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    secret: String,
}

impl Webhooks {
    /// Reads the endpoints from the text of a TOML file: a table each, with `url` and `secret`.
    pub fn new(text: &str) -> Result<Self, Error> {
        // The parser's message quotes the file, and so a secret.
        let written: BTreeMap<String, Written> = toml::from_str(text)
            .map_err(|_| refused("is no TOML with a table an endpoint, each with url and secret"))?;
        let read = |(name, written): (String, Written)| {
            let endpoint = Endpoint::of(&written).map_err(|why| refused(&format!("[{name}]: {why}")))?;
            Ok((name, endpoint))
        };
        let endpoints = written.into_iter().map(read).collect::<Result<_, Error>>()?;
        Ok(Self { client: super::build(super::once()?)?, endpoints })
    }
}

fn refused(what: &str) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, format!("the file of --webhook-endpoints {what}"))
}

impl Endpoint {
    fn of(Written { url, secret }: &Written) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|_| "url is no URL".to_owned())?;
        let url = secure(url).map_err(|why| format!("url {why}"))?;
        let bytes = secret.strip_prefix(SECRET).and_then(|rest| BASE64_STANDARD.decode(rest).ok());
        let bytes = bytes.filter(|bytes| bytes.len() >= SECRET_MIN);
        let bytes =
            bytes.ok_or_else(|| format!("secret must be {SECRET} and at least {SECRET_MIN} bytes as base64"))?;
        Ok(Self { url, key: Key::new(HMAC_SHA256, &bytes) })
    }

    /// The signature of a message by its id, its instant in seconds and its payload.
    fn signature(&self, id: &str, at: i64, payload: &str) -> String {
        let signature = sign(&self.key, format!("{id}.{at}.{payload}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(signature))
    }

    fn headers(&self, message: &Message, payload: &str) -> Option<HeaderMap> {
        let (id, at) = (id(message), message.sent_at.timestamp());
        let signature = self.signature(&id, at, payload);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", at.to_string()), ("webhook-signature", signature)]
        {
            headers.insert(name, value.parse().ok()?);
        }
        Some(headers)
    }
}

/// The id of a message, the same each time it is sent.
fn id(message: &Message) -> String {
    format!("rounds_{}", message.id)
}

fn payload(message: &Message) -> String {
    let [entity, entity_id] = &message.entity;
    json!({
        "type": message.kind,
        "timestamp": stamp(message.sent_at),
        "data": { "entity": entity, "entity_id": entity_id, "metadata": message.metadata },
    })
    .to_string()
}

impl Provider for Webhooks {
    fn knows_doubles(&self) -> bool {
        true
    }

    async fn send(&self, message: &Message) -> Answer {
        let Some(endpoint) = self.endpoints.get(&message.to) else {
            return Answer::Setup("WEBHOOK_UNKNOWN_ENDPOINT".into());
        };
        let payload = payload(message);
        let Some(headers) = endpoint.headers(message, &payload) else {
            return Answer::Setup("WEBHOOK_UNSENDABLE".into());
        };
        let request = self.client.post(endpoint.url.clone()).headers(headers).body(payload).timeout(ANSWER);
        let response = match send(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Answer::Unreachable("WEBHOOK_UNREACHABLE".into()),
            Err(_) => return Answer::Unknown("WEBHOOK_NO_ANSWER".into()),
        };
        let (status, after) = (response.status(), retry_after(&response).map(|after| after.wait(message.sent_at)));
        // The connection can be used again only when the answer is read.
        let _ = body(response, BODY_MAX).await;
        answer(status, after, message)
    }
}

fn answer(status: StatusCode, after: Option<Duration>, message: &Message) -> Answer {
    let code = || format!("HTTP_{}", status.as_u16()).into();
    match status.as_u16() {
        200..=299 => Answer::Accepted(Receipt { id: Some(id(message)), status: None }),
        408 | 425 | 429 | 500..=599 => Answer::Later { code: code(), after },
        // The endpoint is not there, wants another key, or has moved: no message will arrive.
        300..=399 | 401 | 403 | 404 | 405 | 410 => Answer::Setup(code()),
        _ => Answer::Refused { code: code(), flagged: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_endpoints_is_read_or_refused_without_a_word_of_its_secrets() {
        let secret = format!("{SECRET}{}", BASE64_STANDARD.encode([7; 32]));
        let file = |url: &str, secret: &str| format!("[pager]\nurl = \"{url}\"\nsecret = \"{secret}\"\n");
        assert!(Webhooks::new(&file("https://pager.example/x?y=1", &secret)).is_ok());
        assert!(Webhooks::new(&file("http://127.0.0.1:9/x", &secret)).is_ok());
        for (url, secret) in [
            ("http://pager.example/", secret.as_str()),
            ("https://pager.example/", "whsec_c2hvcnQ="),
            ("https://pager.example/", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="),
            ("nowhere", &secret),
        ] {
            let error = Webhooks::new(&file(url, secret)).err().expect("it is refused");
            assert!(!error.message.contains("c2"), "{}", error.message);
        }
        assert!(Webhooks::new("[pager]\nurl = 1").is_err() && Webhooks::new("x").is_err());
    }

    /// The vector of the libraries of the Standard Webhooks convention.
    #[test]
    fn the_signature_is_that_of_the_convention() {
        let (url, secret) = ("https://pager.example/".into(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let endpoint = Endpoint::of(&Written { url, secret }).expect("an endpoint");
        let signature = endpoint.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
