//! The site from which the registry is fetched, on a loopback port: it can be told to serve badly. It is a store of
//! objects, too, where the archive can be kept.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A fault in the place of one proper answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Ends the connection after so many bytes of the body.
    Drop(usize),
    /// The same, and then there is another file.
    Replace(usize, Vec<u8>),
    /// Answers with the whole file, whatever was asked for.
    IgnoreRange,
    /// Announces so many bytes more, or fewer, than it sends.
    Longer(usize),
    Shorter(usize),
    Status(u16),
    /// This status, and a time in seconds after which to come again.
    RetryAfter(u16, u64),
    Redirect(String),
    /// A page for people, with status 200.
    Html,
    /// Waits so long after so many bytes of the body.
    Pause(usize, Duration),
}

impl Fault {
    /// Sends nothing more after so many bytes.
    pub fn stall(after: usize) -> Self {
        Self::Pause(after, Duration::from_secs(3600))
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    headers: HashMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn range(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    /// The names that the page lists, in its order.
    listed: Vec<String>,
    faults: HashMap<String, VecDeque<Fault>>,
    requests: Vec<Request>,
    objects: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<(String, u32), Vec<u8>>,
}

/// A listener on a port that the system chose.
pub struct Site {
    port: u16,
    state: Arc<Mutex<State>>,
}

const DIRECTORY: &str = "/nppes/";
pub const PAGE: &str = "NPI_Files.html";

impl Site {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { port, state }
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn base(&self) -> String {
        format!("{}{DIRECTORY}", self.origin())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no one panics with it")
    }

    /// Puts a file beside the page, and its name on it.
    pub fn publish(&self, name: &str, bytes: Vec<u8>) {
        self.put(name, bytes);
        self.state().listed.push(name.to_owned());
    }

    /// Takes a name off the page, and its file away.
    pub fn withdraw(&self, name: &str) {
        let mut state = self.state();
        state.listed.retain(|listed| listed != name);
        state.files.remove(&format!("{DIRECTORY}{name}"));
    }

    /// Puts a file there that the page does not list.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        self.state().files.insert(format!("{DIRECTORY}{name}"), bytes);
    }

    /// The next requests for a file meet these, one each.
    pub fn queue(&self, name: &str, faults: &[Fault]) {
        self.queue_at(&format!("{DIRECTORY}{name}"), faults);
    }

    pub fn queue_at(&self, path: &str, faults: &[Fault]) {
        self.state().faults.entry(path.to_owned()).or_default().extend(faults.iter().cloned());
    }

    /// The requests for a file so far.
    pub fn requests(&self, name: &str) -> Vec<Request> {
        let path = format!("{DIRECTORY}{name}");
        self.state().requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    pub fn all_requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The object that was stored under a path; the path begins with the bucket.
    pub fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.state().objects.get(path).cloned()
    }

    /// Waits until a path was asked for.
    pub async fn asked(&self, path: &str) {
        let began = std::time::Instant::now();
        while !self.state().requests.iter().any(|request| request.path == path) {
            assert!(began.elapsed() < Duration::from_secs(30), "nobody asked for {path}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The path of a file.
    pub fn path(name: &str) -> String {
        format!("{DIRECTORY}{name}")
    }
}

/// One request a connection.
async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    if let Ok((request, body)) = read(&mut stream).await {
        let (fault, file) = {
            let mut state = state.lock().expect("no one panics with it");
            state.requests.push(request.clone());
            let fault = state.faults.get_mut(&request.path).and_then(VecDeque::pop_front);
            (fault, state.file(&request.path))
        };
        let answered = match (request.method.as_str(), &fault) {
            ("GET" | "HEAD", _) => answer(&mut stream, &request, fault, file, &state).await,
            (_, Some(Fault::Status(status))) => head(&mut stream, *status, "", 0).await,
            (_, Some(Fault::Pause(_, time))) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            _ => {
                let (more, body) = state.lock().expect("no one panics with it").store(&request, body);
                send(&mut stream, 200, &more, body.as_bytes()).await
            }
        };
        // A client that listens no more is no concern of this test.
        let _ = answered;
        let _ = stream.shutdown().await;
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<(Request, Vec<u8>)> {
    let mut bytes = vec![];
    let end = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let mut body = bytes.split_off(end + 4);
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default().to_owned();
    let (path, query) = first.next().map(|target| target.split_once('?').unwrap_or((target, ""))).unwrap_or_default();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: HashMap<_, _> = headers.map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((Request { method, path: path.to_owned(), query: query.to_owned(), headers }, body))
}

async fn head(stream: &mut TcpStream, status: u16, more: &str, length: usize) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await
}

async fn send(stream: &mut TcpStream, status: u16, more: &str, body: &[u8]) -> io::Result<()> {
    head(stream, status, more, body.len()).await?;
    stream.write_all(body).await
}

/// Serves a file, with whatever is wrong with that.
async fn answer(
    stream: &mut TcpStream,
    request: &Request,
    fault: Option<Fault>,
    file: Option<Vec<u8>>,
    state: &Mutex<State>,
) -> io::Result<()> {
    match &fault {
        Some(Fault::Status(status)) => return send(stream, *status, "", b"<html>no</html>").await,
        Some(Fault::RetryAfter(status, seconds)) => {
            return send(stream, *status, &format!("Retry-After: {seconds}\r\n"), b"").await;
        }
        Some(Fault::Redirect(to)) => return send(stream, 302, &format!("Location: {to}\r\n"), b"").await,
        Some(Fault::Html) => {
            let page = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>";
            return send(stream, 200, "Content-Type: text/html\r\n", page).await;
        }
        _ => {}
    }
    let Some(file) = file else { return send(stream, 404, "", b"<html>no</html>").await };
    let etag = etag(&file);
    let unchanged = request.header("if-range").is_none_or(|known| known == etag);
    let from = request.range().filter(|_| unchanged && !matches!(fault, Some(Fault::IgnoreRange))).unwrap_or(0);
    if from > 0 && from >= file.len() {
        return send(stream, 416, "", b"").await;
    }
    let mut more = format!("ETag: {etag}\r\nAccept-Ranges: bytes\r\n");
    if from > 0 {
        more += &format!("Content-Range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len());
    }
    let body = &file[from..];
    let length = match fault {
        Some(Fault::Longer(by)) => body.len() + by,
        Some(Fault::Shorter(by)) => body.len() - by,
        _ => body.len(),
    };
    head(stream, if from > 0 { 206 } else { 200 }, &more, length).await?;
    match fault {
        _ if request.method == "HEAD" => Ok(()),
        Some(Fault::Drop(after)) => stream.write_all(&body[..after.min(body.len())]).await,
        Some(Fault::Replace(after, new)) => {
            state.lock().expect("no one panics with it").files.insert(request.path.clone(), new);
            stream.write_all(&body[..after.min(body.len())]).await
        }
        Some(Fault::Pause(after, time)) => {
            stream.write_all(&body[..after.min(body.len())]).await?;
            tokio::time::sleep(time).await;
            stream.write_all(&body[after.min(body.len())..]).await
        }
        _ => stream.write_all(body).await,
    }
}

/// Unlike for unlike files, as far as a test needs it.
fn etag(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    format!("\"{sum:x}\"")
}

impl State {
    fn file(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.files.get(path).or_else(|| self.objects.get(path)).cloned();
        file.or_else(|| (path == format!("{DIRECTORY}{PAGE}")).then(|| self.page()))
    }

    /// As the real one: relative links in single quotes, and a report that is not to be read.
    fn page(&self) -> Vec<u8> {
        let mut page = "<!DOCTYPE html><html><body><ul>\n".to_owned();
        page += "<li><a href='./NPPES_Deactivated_NPI_Report_071326_V2.zip'>Deactivated</a></li>\n";
        for name in &self.listed {
            page += &format!("<li><a class=\"x\" href='./{name}'>NPPES Data Dissemination</a> (ZIP)</li>\n");
        }
        (page + "</ul></body></html>\n").into_bytes()
    }

    /// Stores an object, in one piece or in parts, as S3 does: headers and body of the answer.
    fn store(&mut self, request: &Request, body: Vec<u8>) -> (String, String) {
        let path = request.path.clone();
        let value = |key: &str| {
            let mut pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
        };
        let tag = format!("ETag: {}\r\n", etag(&body));
        if request.method == "POST" && request.query.starts_with("uploads") {
            let answer = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            return (String::new(), answer.into());
        }
        if request.method == "POST" {
            let parts = self.parts.range((path.clone(), 0)..=(path.clone(), u32::MAX));
            let whole = parts.flat_map(|(_, part)| part.iter().copied()).collect();
            self.objects.insert(path, whole);
            let answer = "<CompleteMultipartUploadResult><ETag>\"u\"</ETag></CompleteMultipartUploadResult>";
            return (String::new(), answer.into());
        }
        if request.method == "PUT" {
            match value("partNumber").and_then(|number| number.parse().ok()) {
                Some(number) => self.parts.insert((path, number), body),
                None => self.objects.insert(path, body),
            };
        }
        (tag, String::new())
    }
}
