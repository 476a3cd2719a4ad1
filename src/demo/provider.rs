//! A provider of the demo's own on the loopback interface: an endpoint of webhooks, a stand-in of Twilio's API, and one of
//! IntakeQ's. It takes messages and keeps what arrived, and lists the appointments of an account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest request that is read.
const REQUEST_MAX: usize = 64 << 10;
/// The end of the path of Twilio's API to which messages are posted.
const MESSAGES: &str = "/Messages.json";
/// The end of the path of IntakeQ's API of which lists are asked.
const APPOINTMENTS: &str = "/appointments";

/// A message as it arrived.
pub enum Arrived {
    Webhook { id: String, body: Value },
    Sms { sid: String, to: String, text: String },
}

#[derive(Clone)]
pub struct Endpoint {
    pub url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    /// The appointments of the account.
    appointments: Arc<Mutex<Vec<Value>>>,
}

impl Endpoint {
    /// Listens until the process ends.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the demo's provider")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let endpoint = Self { url, arrived: Arc::default(), appointments: Arc::default() };
        let server = endpoint.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        Ok(endpoint)
    }

    /// Takes what has arrived.
    pub fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.arrived.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The account has these appointments from now on.
    pub fn lists(&self, appointments: Vec<Value>) {
        *self.appointments.lock().unwrap_or_else(PoisonError::into_inner) = appointments;
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut buffer = vec![];
        while let Some(request) = read(&mut stream, &mut buffer).await {
            let answer = self.answer(&request);
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// Keeps a message, and says what its provider would.
    fn answer(&self, request: &Request) -> String {
        if let Some(of) = request.list() {
            let all = self.appointments.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return with_body("200 OK", &Value::Array(if of == List::Rows { all } else { vec![] }));
        }
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        match request.message(arrived.len()) {
            Some(message) => {
                let answer = message.answer();
                arrived.push(message);
                answer
            }
            None => "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned(),
        }
    }
}

impl Arrived {
    fn answer(&self) -> String {
        match self {
            Self::Webhook { .. } => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Self::Sms { sid, .. } => with_body("201 Created", &json!({ "sid": sid, "status": "queued" })),
        }
    }
}

fn with_body(status: &str, body: &Value) -> String {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
    format!("{head}\r\n\r\n{body}")
}

/// What a request for a list of the account gets.
#[derive(PartialEq, Eq)]
enum List {
    /// All rows, in one page.
    Rows,
    /// Nothing: a later page, or what was deleted.
    Nothing,
}

/// A request, with the names of its headers in small letters.
struct Request {
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

impl Request {
    /// Which list of the account is asked for; None where none is.
    fn list(&self) -> Option<List> {
        let (path, query) = self.path.split_once('?')?;
        let has = |pair: &str| query.split('&').any(|own| own == pair);
        let is_asked = path.ends_with(APPOINTMENTS) && self.headers.contains_key("x-auth-key");
        let of = if has("page=1") && !has("deletedOnly=true") { List::Rows } else { List::Nothing };
        is_asked.then_some(of)
    }

    /// The message in it; `number` tells it from the others. None where it is none.
    fn message(&self, number: usize) -> Option<Arrived> {
        if !self.path.ends_with(MESSAGES) {
            let id = self.headers.get("webhook-id")?.clone();
            return Some(Arrived::Webhook { id, body: serde_json::from_str(&self.body).ok()? });
        }
        self.headers.get("authorization").filter(|by| by.starts_with("Basic "))?;
        // A form has the format of the query of a URL.
        let form = Url::parse(&format!("form:?{}", self.body)).ok()?;
        let field = |name: &str| form.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
        Some(Arrived::Sms { sid: format!("SM{number:032x}"), to: field("To")?, text: field("Body")? })
    }
}

/// Reads one request; None at the end, or where it is none.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some((request, end)) = parsed(buffer) {
            buffer.drain(..end);
            return Some(request);
        }
        if buffer.len() > REQUEST_MAX || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// The first request of the bytes, and where it ends; None as long as it is not whole.
fn parsed(bytes: &[u8]) -> Option<(Request, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(bytes.get(..head)?).ok()?.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: HashMap<String, String> = lines.filter_map(header).collect();
    // A request for a list has no body.
    let length = headers.get("content-length").map_or(Some(0), |length| length.parse::<usize>().ok())?;
    let end = head + 4 + length;
    let body = std::str::from_utf8(bytes.get(head + 4..end)?).ok()?.to_owned();
    Some((Request { path, headers, body }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        let whole = b"POST / HTTP/1.1\r\nWebhook-Id: rounds_7\r\ncontent-length: 10\r\n\r\n{\"type\":1}POST";
        assert!(parsed(&whole[..whole.len() - 5]).is_none());
        let (request, end) = parsed(whole).expect("it is whole");
        let Some(Arrived::Webhook { id, body }) = request.message(0) else { panic!("it is a webhook") };
        assert_eq!((id.as_str(), &body["type"]), ("rounds_7", &json!(1)));
        assert_eq!(&whole[end..], b"POST");
    }

    #[test]
    fn a_list_is_for_who_has_a_key() {
        let request = |path: &str, headers: &str| {
            parsed(format!("GET {path} HTTP/1.1\r\n{headers}\r\n").as_bytes()).expect("it is whole").0.list()
        };
        let key = "X-Auth-Key: x\r\n";
        assert!(request("/api/v1/appointments?startDate=2026-03-02&page=1", "").is_none());
        assert!(request("/api/v1/appointments?startDate=2026-03-02&page=1", key) == Some(List::Rows));
        assert!(request("/api/v1/appointments?startDate=2026-03-02&page=2", key) == Some(List::Nothing));
        assert!(request("/api/v1/appointments?deletedOnly=true&page=1", key) == Some(List::Nothing));
    }

    #[test]
    fn an_sms_is_a_form_of_somebody_who_is_known() {
        let request = |headers: &str| {
            let text = format!(
                "POST /2010-04-01/Accounts/AC0/Messages.json HTTP/1.1\r\n{headers}content-length: 30\r\n\r\n\
                 To=%2B12125550101&Body=Call+us"
            );
            parsed(text.as_bytes()).expect("it is whole").0.message(255)
        };
        assert!(request("").is_none());
        let Some(Arrived::Sms { sid, to, text }) = request("Authorization: Basic x\r\n") else {
            panic!("it is an SMS");
        };
        assert_eq!((to.as_str(), text.as_str()), ("+12125550101", "Call us"));
        assert!(sid.starts_with("SM0000") && sid.ends_with("ff") && sid.len() == 34, "{sid}");
    }
}
