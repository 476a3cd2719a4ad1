//! The REST API of an IntakeQ/PracticeQ account: a page of appointments, or one.
//!
//! A request is one request: no redirect is followed (it would carry the key elsewhere), nothing is tried again, no connection
//! is kept from which one could be lost. Whoever asks has counted it before.

mod appointment;

use std::time::Duration;

use chrono_tz::Tz;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use super::{RetryAfter, body, retry_after};
use crate::error::{Error, ErrorKind};
pub use appointment::{Appointment, NO_ID, Unreadable, id};

/// A page of 100 has some hundred kilobytes.
const BODY_MAX: usize = 8 << 20;
/// An answer that drips in is none.
const ANSWER: Duration = Duration::from_secs(60);
/// How many rows a page has, but the last.
pub const PAGE_ROWS: usize = 100;
/// The account's days are those of this zone.
pub const ACCOUNT_ZONE: Tz = Tz::America__Denver;
const KEY: &str = "X-Auth-Key";

pub struct PracticeQ {
    client: Client,
    base: Url,
    key: HeaderValue,
}

/// What is asked for.
pub enum Ask<'a> {
    /// A page of a list, from 1.
    Page { filter: &'a [(&'static str, String)], page: u32 },
    /// One appointment, by its id.
    One(&'a str),
}

/// What came back.
pub enum Answer {
    Rows(Vec<Value>),
    /// There is no such appointment.
    Gone,
    /// Too many requests: come again after so long, where it says so.
    Later(Option<RetryAfter>),
}

impl PracticeQ {
    /// `base` has a slash at its end.
    pub fn new(base: &Url, key: &str) -> Result<Self, Error> {
        let client =
            super::builder()?.redirect(Policy::none()).retry(reqwest::retry::never()).pool_max_idle_per_host(0);
        let unusable = |_| Error::new("CONFIGURATION", ErrorKind::Refused, "the key of the account cannot be sent");
        let mut key = HeaderValue::from_str(key).map_err(unusable)?;
        key.set_sensitive(true);
        Ok(Self { client: super::build(client)?, base: base.clone(), key })
    }

    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let slow = |_| failed(ErrorKind::Transient, "the answer took too long".into());
        tokio::time::timeout(ANSWER, self.answer(ask)).await.map_err(slow)?.map_err(|error| Error {
            code: if error.code == "HTTP" { "PRACTICEQ_HTTP".into() } else { error.code.clone() },
            ..error
        })
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let response = self.client.get(self.url(ask)?).header(KEY, self.key.clone()).send().await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if matches!(ask, Ask::One(_)) => return Ok(Answer::Gone),
            StatusCode::TOO_MANY_REQUESTS => return Ok(Answer::Later(retry_after(&response))),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let message = format!("the account refuses the key ({status}): look at ROUNDS_PRACTICEQ_KEY");
                return Err(Error::new("PRACTICEQ_KEY", ErrorKind::Refused, message));
            }
            status => {
                let kind = if status.is_server_error() { ErrorKind::Transient } else { ErrorKind::Other };
                return Err(failed(kind, format!("the server answered {status}")));
            }
        }
        let body = body(response, BODY_MAX).await?;
        let body = body.ok_or_else(|| failed(ErrorKind::Other, "the answer is longer than any page".into()))?;
        match (serde_json::from_slice(&body), ask) {
            (Ok(Value::Array(rows)), Ask::Page { .. }) => Ok(Answer::Rows(rows)),
            (Ok(row @ Value::Object(_)), Ask::One(_)) => Ok(Answer::Rows(vec![row])),
            // A page for people, or a body that was cut.
            _ => Err(failed(ErrorKind::Transient, "the answer is not the JSON that it should be".into())),
        }
    }

    fn url(&self, ask: &Ask<'_>) -> Result<Url, Error> {
        let unusable = || Error::new("CONFIGURATION", ErrorKind::Refused, "--base-url cannot have paths below it");
        let mut url = self.base.join("appointments").map_err(|_| unusable())?;
        match ask {
            Ask::Page { filter, page } => {
                url.query_pairs_mut().extend_pairs(*filter).append_pair("page", &page.to_string());
            }
            Ask::One(id) => {
                url.path_segments_mut().map_err(|()| unusable())?.push(id);
            }
        }
        Ok(url)
    }
}

fn failed(kind: ErrorKind, message: String) -> Error {
    Error::new("PRACTICEQ_HTTP", kind, message)
}
