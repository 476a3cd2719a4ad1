//! A provider of the demo's own: an endpoint on the loopback interface that takes messages and keeps what arrived.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest request that is read.
const REQUEST_MAX: usize = 64 << 10;

/// A message as it arrived.
pub struct Arrived {
    pub id: String,
    pub body: Value,
}

#[derive(Clone)]
pub struct Endpoint {
    pub url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Endpoint {
    /// Listens until the process ends.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the demo's provider")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let endpoint = Self { url, arrived: Arc::default() };
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

    async fn serve(self, mut stream: TcpStream) {
        let mut buffer = vec![];
        while let Some(arrived) = read(&mut stream, &mut buffer).await {
            self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                return;
            }
        }
    }
}

/// Reads one request; None at the end, or where it is none.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Arrived> {
    loop {
        if let Some((arrived, end)) = parsed(buffer) {
            buffer.drain(..end);
            return Some(arrived);
        }
        if buffer.len() > REQUEST_MAX || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// The first request of the bytes, and where it ends; None as long as it is not whole.
fn parsed(bytes: &[u8]) -> Option<(Arrived, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let header = |name: &str| {
        let named = |line: &str| {
            line.split_once(": ").filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
        };
        text.lines().find_map(named)
    };
    let end = head + 4 + header("content-length")?.parse::<usize>().ok()?;
    let body = serde_json::from_slice(bytes.get(head + 4..end)?).ok()?;
    Some((Arrived { id: header("webhook-id").unwrap_or_default(), body }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        let whole = b"POST / HTTP/1.1\r\nWebhook-Id: rounds_7\r\ncontent-length: 10\r\n\r\n{\"type\":1}POST";
        assert!(parsed(&whole[..whole.len() - 5]).is_none());
        let (arrived, end) = parsed(whole).expect("it is whole");
        assert_eq!((arrived.id.as_str(), &arrived.body["type"]), ("rounds_7", &serde_json::json!(1)));
        assert_eq!(&whole[end..], b"POST");
    }
}
