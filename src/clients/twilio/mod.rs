//! Twilio's Messages API: sends an SMS, looks one up in the account's list, and asks what became of it.
//!
//! Each call sends one request. No redirect is followed, since it would carry the secret and the number elsewhere, and
//! nothing is tried again. An error, a log line or a Debug says nothing of a message: its URL may hold a number.

mod answer;

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::Value;

use super::provider::{Answer, Found, Message, Progress, Provider};
use super::{body, retry_after, send};
use crate::error::{Error, ErrorKind};
use crate::json::too_deep;

/// The time limit of an answer, also of one that comes byte by byte.
const ANSWER: Duration = Duration::from_secs(15);
/// The longest answer about one message that is read. It has some kilobytes.
const MESSAGE_MAX: usize = 64 << 10;
/// The longest page of a list that is read.
const LIST_MAX: usize = 1 << 20;
/// The most messages of a page. One number gets far fewer in some minutes.
const PAGE_SIZE: &str = "100";
/// A connection that was idle for longer is not used again: a request on one that the server has just closed would have
/// no answer, and the message would be uncertain.
const IDLE_MAX: Duration = Duration::from_secs(3);
/// The bounds of ValidityPeriod, in seconds.
const VALIDITY: [u64; 2] = [1, 36_000];

/// Who sends.
pub enum Sender {
    /// A number, or a name.
    From(String),
    /// The SID of a messaging service, which chooses a number.
    Service(String),
}

/// Who pays.
pub struct Account {
    /// Its SID: AC and 32 digits.
    pub sid: String,
    /// The SID of an API key; None: the account itself, with its token.
    pub key: Option<String>,
    /// The token, or the secret of the key.
    pub secret: String,
}

pub struct Twilio {
    client: Client,
    /// The list of the account's messages.
    list: Url,
    user: String,
    secret: String,
    sender: Sender,
    callback: Option<Url>,
}

impl Twilio {
    /// `base` ends with a slash.
    pub fn new(base: &Url, account: Account, sender: Sender, callback: Option<Url>) -> Result<Self, Error> {
        let refused = |what: &str| Error::new("CONFIGURATION", ErrorKind::Refused, what.to_owned());
        if !answer::is_sid(&account.sid) || !account.sid.starts_with("AC") {
            return Err(refused("--twilio-account must be the SID of an account: AC and 32 hexadecimal digits"));
        }
        if account.key.as_deref().is_some_and(|key| !answer::is_sid(key) || !key.starts_with("SK")) {
            return Err(refused("--twilio-key must be the SID of an API key: SK and 32 hexadecimal digits"));
        }
        if let Sender::Service(sid) = &sender
            && !(answer::is_sid(sid) && sid.starts_with("MG"))
        {
            return Err(refused("--sms-service must be the SID of a messaging service: MG and 32 hexadecimal digits"));
        }
        let list = base.join(&format!("2010-04-01/Accounts/{}/Messages.json", account.sid));
        let list = list.map_err(|_| refused("--twilio-url cannot have paths below it"))?;
        let client = super::once()?.pool_idle_timeout(IDLE_MAX).timeout(ANSWER);
        let client = super::build(client)?;
        let user = account.key.unwrap_or(account.sid);
        Ok(Self { client, list, user, secret: account.secret, sender, callback })
    }

    fn form(&self, message: &Message) -> String {
        let mut fields = vec![("To", message.to.clone()), ("Body", message.body.clone())];
        fields.push(match &self.sender {
            Sender::From(from) => ("From", from.clone()),
            Sender::Service(sid) => ("MessagingServiceSid", sid.clone()),
        });
        if let Some(valid_for) = message.valid_for {
            fields.push(("ValidityPeriod", valid_for.as_secs().clamp(VALIDITY[0], VALIDITY[1]).to_string()));
        }
        fields.extend(self.callback.iter().map(|url| ("StatusCallback", url.to_string())));
        // The query of a URL has the format of a form.
        let mut form = self.list.clone();
        form.query_pairs_mut().clear().extend_pairs(fields);
        form.query().unwrap_or_default().to_owned()
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.user, Some(&self.secret))
    }

    /// The JSON of a successful GET; None where there is none.
    async fn get(&self, url: Url, max: usize) -> Option<Value> {
        let response = send(self.authorized(self.client.get(url))).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        json(response, max).await
    }

    /// The messages to the number of a message since just before it was sent.
    fn search(&self, message: &Message) -> Url {
        let since = (message.sent_at + answer::WINDOW[0]).format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut url = self.list.clone();
        url.query_pairs_mut()
            .append_pair("To", &message.to)
            .append_pair("DateSent>", &since)
            .append_pair("PageSize", PAGE_SIZE);
        if let Sender::From(from) = &self.sender {
            url.query_pairs_mut().append_pair("From", from);
        }
        url
    }
}

/// The JSON of an answer; None where it is none, too long, or does not come to its end.
async fn json(response: Response, max: usize) -> Option<Value> {
    let body = body(response, max).await.ok()??;
    if too_deep(&body) { None } else { serde_json::from_slice(&body).ok() }
}

impl Provider for Twilio {
    fn reports(&self) -> bool {
        true
    }

    async fn send(&self, message: &Message) -> Answer {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = self.client.post(self.list.clone()).header(CONTENT_TYPE, form).body(self.form(message));
        let response = match send(self.authorized(request)).await {
            Ok(response) => response,
            // There was no connection, or no TLS on it: no byte of the request has left.
            Err(error) if error.is_connect() => return Answer::Unreachable("TWILIO_UNREACHABLE".into()),
            // The request may have arrived whole: a timeout, a reset and a connection that was closed look the same
            // before and after Twilio has read it.
            Err(_) => return Answer::Unknown("TWILIO_NO_ANSWER".into()),
        };
        let status = response.status().as_u16();
        let after = retry_after(&response).map(|after| after.wait(message.sent_at));
        let said = json(response, MESSAGE_MAX).await;
        answer::of_post(status, said.as_ref(), after)
    }

    async fn find(&self, message: &Message) -> Found {
        match self.get(self.search(message), LIST_MAX).await {
            Some(said) => answer::of_list(&said, message),
            None => Found::Unclear,
        }
    }

    async fn ask(&self, id: &str) -> Progress {
        if !answer::is_sid(id) {
            return Progress::Underway(None);
        }
        let Ok(url) = self.list.join(&format!("Messages/{id}.json")) else { return Progress::Underway(None) };
        self.get(url, MESSAGE_MAX).await.map_or(Progress::Underway(None), |said| answer::of_message(&said))
    }
}
