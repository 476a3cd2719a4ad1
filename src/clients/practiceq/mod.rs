//! The REST API of an IntakeQ/PracticeQ account: a page of appointments, or one.
//!
//! Each call sends one request, which the caller has counted before: no redirect is followed, since it would carry the
//! key elsewhere; nothing is tried again; no connection is kept, since a request on one that was closed would be lost.

mod appointment;
mod meeting;
mod none;
mod repair;
mod status;
mod unreadable;

use std::time::Duration;

use crate::time_zone::Tz;
use reqwest::header::HeaderValue;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

use super::{RetryAfter, body, retry_after, send};
use crate::error::{Error, ErrorKind};
use crate::json::too_deep;
pub use appointment::{Appointment, client_id, client_term, id, modified_at};
pub use unreadable::{NO_ID, Unreadable};

/// The code of a request that failed.
const HTTP: &str = "PRACTICEQ_HTTP";
/// The longest answer that is read. A page of 100 rows has some hundred kilobytes.
const BODY_MAX: usize = 8 << 20;
/// The time limit of an answer, also of one that comes byte by byte.
const ANSWER: Duration = Duration::from_secs(60);
/// The number of rows of each page except the last.
pub const PAGE_ROWS: usize = 100;
/// The account's days are those of this zone.
pub const ACCOUNT_ZONE: Tz = Tz::DENVER;
const KEY: &str = "X-Auth-Key";

pub struct PracticeQ {
    client: Client,
    base: Url,
    key: HeaderValue,
}

/// The parameters of a list.
pub type Filter = Vec<(&'static str, String)>;

pub enum Reply<T> {
    Content(T),
    /// The account asks for a pause, and may say for how long.
    TooManyRequests(Option<RetryAfter>),
}

impl PracticeQ {
    /// `base` ends with a slash.
    pub fn new(base: &Url, key: &str) -> Result<Self, Error> {
        let client = super::once()?.pool_max_idle_per_host(0);
        let unusable = |_| Error::new("CONFIGURATION", ErrorKind::Refused, "the key of the account cannot be sent");
        let mut key = HeaderValue::from_str(key).map_err(unusable)?;
        key.set_sensitive(true);
        Ok(Self { client: super::build(client)?, base: base.clone(), key })
    }

    /// A page of a list, from 1.
    pub async fn page(&self, filter: &[(&'static str, String)], page: u32) -> Result<Reply<Vec<Value>>, Error> {
        let mut url = self.url()?;
        url.query_pairs_mut().extend_pairs(filter).append_pair("page", &page.to_string());
        let read = async |response: Response| match json(response).await? {
            Value::Array(rows) => Ok(rows),
            _ => Err(no_json()),
        };
        self.get(url, read).await
    }

    /// One appointment by its id; None where the account does not know it.
    pub async fn appointment(&self, id: &str) -> Result<Reply<Option<Value>>, Error> {
        let mut url = self.url()?;
        url.path_segments_mut().map_err(|()| unusable_base())?.push(id);
        let read = async |response: Response| {
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            match json(response).await? {
                row @ Value::Object(_) => Ok(Some(row)),
                _ => Err(no_json()),
            }
        };
        self.get(url, read).await
    }

    async fn get<T>(&self, url: Url, read: impl AsyncFnOnce(Response) -> Result<T, Error>) -> Result<Reply<T>, Error> {
        let answer = async {
            let response = send(self.client.get(url).header(KEY, self.key.clone())).await.map_err(cut)?;
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                return Ok(Reply::TooManyRequests(retry_after(&response)));
            }
            read(response).await.map(Reply::Content)
        };
        let slow = |_| failed(ErrorKind::Transient, "the answer took too long".into());
        tokio::time::timeout(ANSWER, answer).await.map_err(slow)?
    }

    fn url(&self) -> Result<Url, Error> {
        self.base.join("appointments").map_err(|_| unusable_base())
    }
}

/// The JSON of a successful answer.
async fn json(response: Response) -> Result<Value, Error> {
    match response.status() {
        StatusCode::OK => {}
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            let message = format!("the account refuses the key ({status}): look at ROUNDS_PRACTICEQ_KEY");
            return Err(Error::new("PRACTICEQ_KEY", ErrorKind::Refused, message));
        }
        status => {
            let kind = if status.is_server_error() { ErrorKind::Transient } else { ErrorKind::Other };
            return Err(failed(kind, format!("the server answered {status}")));
        }
    }
    let body = body(response, BODY_MAX).await.map_err(cut)?;
    let body = body.ok_or_else(|| failed(ErrorKind::Other, "the answer is longer than any page".into()))?;
    if too_deep(&body) {
        return Err(failed(ErrorKind::Other, "the answer is nested deeper than any page".into()));
    }
    let read = serde_json::from_slice(&body).ok().or_else(|| repair::read(&body));
    read.ok_or_else(|| if repair::may_pass(&body) { no_json() } else { broken() })
}

/// It would be as broken at each attempt.
fn broken() -> Error {
    failed(ErrorKind::Other, "the answer is whole, and no JSON".into())
}

/// A page for people, or a body that was cut: the next attempt may get the JSON.
fn no_json() -> Error {
    failed(ErrorKind::Transient, "the answer is not the JSON that it should be".into())
}

fn cut(error: reqwest::Error) -> Error {
    Error { code: HTTP.into(), ..error.into() }
}

fn failed(kind: ErrorKind, message: String) -> Error {
    Error::new(HTTP, kind, message)
}

fn unusable_base() -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, "--base-url cannot have paths below it")
}
