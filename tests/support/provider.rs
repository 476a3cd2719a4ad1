//! A provider of messages on a loopback port: it answers as it is told, and keeps what it got.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What it does with a request, in the order in which they come.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16, String),
    /// This status, with a header line.
    With(u16, String),
    After(Duration, u16, String),
    /// Takes the request, and ends the connection without an answer.
    Drop,
    /// Takes the request, and resets the connection.
    Reset,
    /// Takes the request, and ends its own half of the connection without an answer.
    HalfClose,
    /// Ends the connection in the middle of the answer.
    Cut,
    /// An answer that does not come to its end.
    Huge,
    /// Takes the request, and answers when it is let go.
    Hold(u16, String),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
    /// The same, where it is no text.
    pub bytes: Vec<u8>,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<Request>>,
    replies: Mutex<VecDeque<Reply>>,
    usual: Mutex<Option<Reply>>,
    came: Notify,
    let_go: Notify,
}

/// The server; it ends with the test.
pub struct ProviderServer {
    pub port: u16,
    state: Arc<State>,
}

impl ProviderServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        let server = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, server.clone()));
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next requests are answered so, one each; the others with 200.
    pub fn replies(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.replies.lock().expect("whole").extend(replies);
    }

    /// All requests for which there is no other reply are answered so.
    pub fn always(&self, reply: Reply) {
        *self.state.usual.lock().expect("whole") = Some(reply);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().expect("whole").clone()
    }

    /// Waits until so many requests came.
    pub async fn came(&self, requests: usize) {
        loop {
            let came = self.state.came.notified();
            if self.requests().len() >= requests {
                return;
            }
            came.await;
        }
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut buffer = vec![];
    while let Some(request) = read(&mut stream, &mut buffer).await {
        state.requests.lock().expect("whole").push(request);
        state.came.notify_waiters();
        let usual = || state.usual.lock().expect("whole").clone();
        let reply = state.replies.lock().expect("whole").pop_front().or_else(usual);
        let reply = reply.unwrap_or(Reply::Status(200, String::new()));
        let answer = |status: u16, header: &str, body: &str| {
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{header}\r\n{body}", body.len())
        };
        let text = match reply {
            Reply::Status(status, body) => answer(status, "", &body),
            Reply::With(status, header) => answer(status, &format!("{header}\r\n"), ""),
            Reply::After(wait, status, body) => {
                // The runtime's own clock has steps of a millisecond, and is late by one.
                let _ = tokio::task::spawn_blocking(move || std::thread::sleep(wait)).await;
                answer(status, "", &body)
            }
            Reply::Hold(status, body) => {
                state.let_go.notified().await;
                answer(status, "", &body)
            }
            Reply::Drop => return,
            Reply::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
            Reply::HalfClose => {
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut vec![]).await;
                return;
            }
            Reply::Cut => {
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{").await;
                return;
            }
            Reply::Huge => {
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 99999999999\r\n\r\n").await;
                while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
                return;
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        // A client that begins TLS: here is none.
        if buffer.first() == Some(&22) {
            let _ = stream.write_all(b"HTTP/1.1 400 X\r\n\r\n").await;
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while buffer.len() < end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let bytes = buffer[end + 4..end + 4 + length].to_vec();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    buffer.drain(..end + 4 + length);
    Some(Request { method, path, headers, body, bytes })
}
