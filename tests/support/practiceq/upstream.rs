//! The account's API on a loopback port: it can be told to answer badly, and its rows to change while they are read.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The key that opens the account.
pub const KEY: &str = "canary-key-5e1f0c3a97";
/// How many rows a full page has.
pub const PAGE_ROWS: usize = 100;

/// 2026-03-01T12:00:00Z, in milliseconds; a second later the first edit is made.
const EPOCH: i64 = 1_772_366_400_000;
/// Longer than any bound on a body.
const HUGE: u64 = 256 << 20;

/// A text that [`State::write_for_mark`] replaces.
pub const MARK: &str = "CANARYMARK";

/// A fault in the place of one proper answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: a request that passes.
    None,
    Status(u16),
    /// A page for people, with this status.
    Html(u16),
    /// This status, and when to come again. More header lines may follow the value.
    RetryAfter(u16, String),
    /// Announces the whole body and ends in the middle of it.
    TruncatedBody,
    /// Waits so long in the middle of the body.
    SlowBody(Duration),
    /// Waits in the middle of the body until it is let go.
    HeldBody,
    NotJson,
    /// This body.
    Body(&'static str),
    /// JSON of another shape.
    NotAList,
    Redirect(String),
    /// A list that does not come to its end.
    Huge,
    /// Ends the connection without an answer.
    Drop,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub query: HashMap<String, String>,
    pub at: Instant,
    headers: HashMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The page that was asked for; 1 where none was named.
    pub fn page(&self) -> usize {
        self.query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Presence {
    Here,
    /// Here, and listed among the deleted: it was restored.
    Restored,
    /// Listed among the deleted.
    Deleted,
    Vanished,
}

impl Presence {
    fn is_here(self) -> bool {
        matches!(self, Self::Here | Self::Restored)
    }

    fn is_listed_as_deleted(self) -> bool {
        matches!(self, Self::Deleted | Self::Restored)
    }
}

struct Row {
    id: String,
    content: Value,
    presence: Presence,
}

#[derive(Default)]
struct Account {
    rows: Vec<Row>,
    ticks: i64,
    /// How many rows a full page has; 0: [`PAGE_ROWS`].
    page_rows: usize,
    /// Whether each page is the first one.
    ignores_page: bool,
}

type Change = Box<dyn FnMut(&State, usize) + Send>;

/// The contents of the account, and the requests that it got.
#[derive(Default)]
pub struct State {
    account: Mutex<Account>,
    faults: Mutex<VecDeque<Fault>>,
    requests: Mutex<Vec<Request>>,
    between: Mutex<Option<(Change, usize)>>,
    huge: AtomicU64,
    held: Notify,
    /// What stands in each body in the place of [`MARK`].
    marked: Mutex<Option<&'static [u8]>>,
}

/// The server.
pub struct Upstream {
    port: u16,
    state: Arc<State>,
}

impl Deref for Upstream {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State::default());
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self { port, state }
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1/", self.port)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no one panics with it")
}

/// A field as text.
fn text(row: &Value, field: &str) -> String {
    match &row[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// An instant, in whatever way it is written, as its date in UTC.
fn date(row: &Value, field: &str) -> Option<NaiveDate> {
    let written = &row[field];
    let number = written.as_f64().or_else(|| written.as_str()?.parse().ok()).filter(|number| number.is_finite())?;
    Some(DateTime::from_timestamp_millis(number as i64)?.date_naive())
}

impl State {
    fn rows(&self) -> MutexGuard<'_, Account> {
        locked(&self.account)
    }

    /// Inserts a row behind the others, or puts it in the place of that with its id.
    pub fn put(&self, row: Value) {
        let (mut account, id) = (self.rows(), text(&row, "Id"));
        match account.place(&id) {
            Some(place) if !id.is_empty() => account.rows[place].content = row,
            _ => account.rows.push(Row { id, content: row, presence: Presence::Here }),
        }
    }

    /// Changes a row, which is modified a second later than what was modified before.
    pub fn edit(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut account = self.rows();
        account.ticks += 1;
        let modified = EPOCH + account.ticks * 1000;
        let row = account.row(id);
        change(&mut row.content);
        row.content["LastModified"] = json!(modified);
    }

    /// Takes a row away, and lists it among the deleted.
    pub fn delete(&self, id: &str) {
        self.rows().row(id).presence = Presence::Deleted;
    }

    /// Takes a row away without a trace.
    pub fn vanish(&self, id: &str) {
        self.rows().row(id).presence = Presence::Vanished;
    }

    pub fn restore(&self, id: &str) {
        self.rows().row(id).presence = Presence::Here;
    }

    /// It is there, and stays listed among the deleted.
    pub fn contradict(&self, id: &str) {
        self.rows().row(id).presence = Presence::Restored;
    }

    /// Moves a row to another place among all: 0 is the first.
    pub fn shift(&self, id: &str, to: usize) {
        let mut account = self.rows();
        let place = account.place(id).unwrap_or_else(|| panic!("no row {id}"));
        let row = account.rows.remove(place);
        let to = to.min(account.rows.len());
        account.rows.insert(to, row);
    }

    /// Whether there ever was such a row.
    pub fn has(&self, id: &str) -> bool {
        self.rows().place(id).is_some()
    }

    pub fn row(&self, id: &str) -> Value {
        self.rows().row(id).content.clone()
    }

    /// Pages have so many rows from now on.
    pub fn page_by(&self, rows: usize) {
        self.rows().page_rows = rows;
    }

    /// The page that is asked for does not matter any more.
    pub fn ignore_page(&self) {
        self.rows().ignores_page = true;
    }

    /// The next requests meet these, one each.
    pub fn fault(&self, faults: &[Fault]) {
        locked(&self.faults).extend(faults.iter().cloned());
    }

    /// The faults that nobody has met yet are none any more.
    pub fn heal(&self) {
        locked(&self.faults).clear();
    }

    /// In all bodies these bytes stand for [`MARK`]: what no JSON value can have.
    pub fn write_for_mark(&self, bytes: &'static [u8]) {
        *locked(&self.marked) = Some(bytes);
    }

    /// A body as it is sent.
    fn marked(&self, body: &str) -> Vec<u8> {
        let Some(bytes) = *locked(&self.marked) else { return body.into() };
        let pieces: Vec<&[u8]> = body.split(MARK).map(str::as_bytes).collect();
        pieces.join(bytes)
    }

    /// Before each list is answered this is called, with the number of lists that were answered since it was set.
    pub fn between_pages(&self, change: impl FnMut(&State, usize) + Send + 'static) {
        *locked(&self.between) = Some((Box::new(change), 0));
    }

    pub fn requests(&self) -> Vec<Request> {
        locked(&self.requests).clone()
    }

    pub fn clear_requests(&self) {
        locked(&self.requests).clear();
    }

    /// Lets the rest of a held body go, now or as soon as it is held.
    pub fn let_go(&self) {
        self.held.notify_one();
    }

    /// How many bytes of bodies without an end were taken.
    pub fn huge_bytes(&self) -> u64 {
        self.huge.load(Ordering::Relaxed)
    }

    /// Waits until so many requests have come.
    pub async fn asked(&self, requests: usize) {
        let began = Instant::now();
        while locked(&self.requests).len() < requests {
            assert!(began.elapsed() < Duration::from_secs(30), "nobody asked for the {requests}. time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The proper answer to a request: status and body.
    fn answer(&self, request: &Request) -> (u16, Value) {
        if request.header("x-auth-key") != Some(KEY) {
            return (401, json!({"Message": "Authorization has been denied for this request."}));
        }
        if let Some(id) = request.path.strip_prefix("/api/v1/appointments/") {
            let account = self.rows();
            let row = account.rows.iter().find(|row| row.presence.is_here() && row.id == id);
            return row.map_or((404, json!({"Message": "not found"})), |row| (200, row.content.clone()));
        }
        if request.path != "/api/v1/appointments" {
            return (404, json!({"Message": "no such resource"}));
        }
        if let Some((change, answered)) = locked(&self.between).as_mut() {
            change(self, *answered);
            *answered += 1;
        }
        match self.rows().list(request) {
            Ok(rows) => (200, Value::Array(rows)),
            Err(wrong) => (400, json!({"Message": format!("{wrong} is no date")})),
        }
    }
}

impl Account {
    fn place(&self, id: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.id == id)
    }

    fn row(&mut self, id: &str) -> &mut Row {
        let place = self.place(id).unwrap_or_else(|| panic!("no row {id}"));
        &mut self.rows[place]
    }

    /// A page of what was asked for, or the parameter that cannot be read. A row without such a date is of any.
    fn list(&self, request: &Request) -> Result<Vec<Value>, String> {
        let asked = |name: &str| request.query.get(name).map(String::as_str);
        let day = |name: &str| {
            asked(name).map(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").map_err(|_| name.to_owned())).transpose()
        };
        let (from, to, since) = (day("startDate")?, day("endDate")?, day("updatedSince")?);
        let deleted = asked("deletedOnly") == Some("true");
        let is_in = |row: &&Row| if deleted { row.presence.is_listed_as_deleted() } else { row.presence.is_here() };
        let client = asked("client").map(str::to_lowercase);
        let listed = |row: &&Row| {
            let row = &row.content;
            let named = |part: &String| {
                ["ClientName", "ClientEmail"].iter().any(|field| text(row, field).to_lowercase().contains(part))
            };
            client.as_ref().is_none_or(named)
                && from.is_none_or(|from| date(row, "StartDate").is_none_or(|date| date >= from))
                && to.is_none_or(|to| date(row, "StartDate").is_none_or(|date| date <= to))
                && since.is_none_or(|since| date(row, "LastModified").is_none_or(|date| date >= since))
                && asked("status").is_none_or(|status| text(row, "Status") == status)
                && asked("practitionerEmail").is_none_or(|email| text(row, "PractitionerEmail") == email)
        };
        let rows = self.rows.iter().filter(is_in).filter(listed);
        let page_rows = if self.page_rows == 0 { PAGE_ROWS } else { self.page_rows };
        let page = if self.ignores_page { 1 } else { request.page().max(1) };
        let page = rows.skip((page - 1) * page_rows).take(page_rows);
        Ok(page.map(|row| row.content.clone()).collect())
    }
}

/// One request a connection.
async fn serve(mut stream: TcpStream, state: Arc<State>) {
    if let Ok(request) = read(&mut stream).await {
        locked(&state.requests).push(request.clone());
        let fault = locked(&state.faults).pop_front().unwrap_or(Fault::None);
        // A client that listens no more is no concern of this test.
        let _ = answer(&mut stream, &request, fault, &state).await;
        let _ = stream.shutdown().await;
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut bytes = vec![];
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&bytes);
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(key, value)| (decoded(key), decoded(value))).collect();
    Ok(Request { path: decoded(path), query, at: Instant::now(), headers })
}

/// Without the escapes of an address.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let [first, after @ ..] = rest {
        let escaped = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        rest = after;
        match (first, after.get(..2).and_then(escaped)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn head(stream: &mut TcpStream, status: u16, more: &str) -> io::Result<()> {
    stream.write_all(format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{more}\r\n").as_bytes()).await
}

async fn send(stream: &mut TcpStream, status: u16, more: &str, body: &str) -> io::Result<()> {
    head(stream, status, &format!("{more}Content-Length: {}\r\n", body.len())).await?;
    stream.write_all(body.as_bytes()).await
}

const HTML: &str = "<!DOCTYPE html><html><body>Zebedee Canaryman cannot be shown</body></html>";
const AS_HTML: &str = "Content-Type: text/html\r\n";
const AS_JSON: &str = "Content-Type: application/json\r\n";

/// Answers, with whatever is wrong with that.
async fn answer(stream: &mut TcpStream, request: &Request, fault: Fault, state: &State) -> io::Result<()> {
    match fault {
        Fault::Status(status) => send(stream, status, AS_JSON, "{\"Message\":\"Zebedee Canaryman\"}").await,
        Fault::Html(status) => send(stream, status, AS_HTML, HTML).await,
        Fault::RetryAfter(status, when) => send(stream, status, &format!("Retry-After: {when}\r\n"), "").await,
        Fault::NotJson => send(stream, 200, AS_JSON, "[{\"ClientName\": \"Zebedee Canaryman\", \"Id\": ").await,
        Fault::Body(body) => send(stream, 200, AS_JSON, body).await,
        Fault::NotAList => send(stream, 200, AS_JSON, "{\"ClientName\": \"Zebedee Canaryman\"}").await,
        Fault::Redirect(to) => send(stream, 302, &format!("Location: {to}\r\n"), "").await,
        Fault::Drop => Ok(()),
        Fault::Huge => huge(stream, state).await,
        Fault::None | Fault::TruncatedBody | Fault::SlowBody(_) | Fault::HeldBody => {
            let (status, body) = state.answer(request);
            let body = state.marked(&body.to_string());
            let (first, rest) = body.split_at(body.len() / 2);
            head(stream, status, &format!("{AS_JSON}Content-Length: {}\r\n", body.len())).await?;
            stream.write_all(first).await?;
            match fault {
                Fault::TruncatedBody => return Ok(()),
                Fault::SlowBody(time) => tokio::time::sleep(time).await,
                Fault::HeldBody => state.held.notified().await,
                _ => {}
            }
            stream.write_all(rest).await
        }
    }
}

async fn huge(stream: &mut TcpStream, state: &State) -> io::Result<()> {
    head(stream, 200, AS_JSON).await?;
    stream.write_all(b"[").await?;
    let blank = vec![b' '; 64 << 10];
    for _ in 0..HUGE / blank.len() as u64 {
        stream.write_all(&blank).await?;
        state.huge.fetch_add(blank.len() as u64, Ordering::Relaxed);
    }
    stream.write_all(b"]").await
}

/// The client of a visit, as the account knows the client.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    pub id: i64,
    pub name: &'a str,
    pub email: &'a str,
    pub date_of_birth: &'a str,
}

/// A confirmed visit of half an hour, modified on 2026-02-20; it begins at this instant (RFC 3339).
pub fn appointment(id: &str, client: &Client<'_>, starts_at: &str) -> Value {
    let starts_at = DateTime::parse_from_rfc3339(starts_at).expect("an instant");
    let start = starts_at.timestamp_millis();
    json!({
        "Id": id,
        "ClientId": client.id,
        "ClientName": client.name,
        "ClientEmail": client.email,
        "ClientPhone": "(555) 010-0199",
        "ClientDateOfBirth": client.date_of_birth,
        "Status": "Confirmed",
        "StartDate": start,
        "EndDate": start + 30 * 60 * 1000,
        "StartDateIso": starts_at.to_rfc3339(),
        "Duration": 30,
        "ServiceName": "Canary follow-up",
        "ServiceId": "8a7c2e5d-1111-4c5b-9c3e-0123456789ab",
        "LocationName": "Canary Street",
        "LocationId": "1",
        "Price": 95.5,
        "PractitionerName": "Quincy Canaryquill",
        "PractitionerEmail": "doc@clinic.example",
        "PractitionerId": "prac-1",
        "DateCreated": 1_768_000_000_000_i64,
        "LastModified": 1_771_588_800_000_i64,
        "TelehealthInfo": {
            "Id": format!("room-{id}"),
            "StartUrl": format!("https://meet.example/host-canary/{id}?zak=canary"),
            "JoinUrl": format!("https://meet.example/join/{id}"),
            "Provider": "Zoom",
        },
        "AdditionalClients": [],
        "IntakeId": null,
        "BookedByClient": false,
    })
}
