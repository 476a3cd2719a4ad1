//! One connection to an SMTP server, and at which stage of a message it is.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::word::Word;
use super::compose::Mail;
use super::server::{Security, Server};

const CONNECT: Duration = Duration::from_secs(10);
/// The longest word that the server has for a message it has queued.
const QUEUED_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Until the server has said hello, over TLS.
    Hello,
    Login,
    From,
    To,
    /// Until the end of the text was about to leave.
    Text,
    End,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Login => "LOGIN",
            Self::From => "FROM",
            Self::To => "TO",
            Self::Text => "TEXT",
            Self::End => "END",
        }
    }
}

/// Why a stage did not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// A reply, with its enhanced status code.
    Said(u16, Option<String>),
    /// The server does not have what is needed: STARTTLS, or a way to log in.
    NotOffered,
    /// The server is not who it should be: its certificate is not trusted, or is for another name.
    Untrusted,
    /// The connection ended, or what came was no reply.
    Lost,
    /// Nothing came in time.
    Silent,
    /// The text had no word to leave.
    Held,
}

impl Fault {
    /// Whether the connection can be used for the next message.
    pub fn leaves_it_open(&self) -> bool {
        matches!(self, Self::Said(code, _) if *code != 421)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(code, Some(detail)) => write!(f, "_{code}_{detail}"),
            Self::Said(code, None) => write!(f, "_{code}"),
            Self::NotOffered => f.write_str("_NOT_OFFERED"),
            Self::Untrusted => f.write_str("_UNTRUSTED"),
            Self::Lost => f.write_str("_LOST"),
            Self::Silent => f.write_str("_TIMEOUT"),
            Self::Held => f.write_str("_HELD"),
        }
    }
}

impl From<smtp::Error> for Fault {
    fn from(error: smtp::Error) -> Self {
        let Some(code) = error.status() else {
            return if is_untrusted(&error) { Self::Untrusted } else { Self::Lost };
        };
        let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        Self::Said(code.into(), enhanced(&text))
    }
}

/// Whether it is about the server's certificate.
fn is_untrusted(error: &smtp::Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let within = |cause: &(dyn std::error::Error + 'static)| {
        let inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
        inner.downcast_ref::<rustls::Error>().map(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
    };
    causes.into_iter().any(|cause| within(cause).unwrap_or(false))
}

/// The enhanced status code at the beginning of a reply, such as `5.1.1`.
fn enhanced(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| word.to_owned())
}

pub struct Connection(AsyncSmtpConnection);

impl Connection {
    /// Connects, with TLS where the server is to have it, and says hello.
    pub async fn open(server: &Server, tls: Option<&TlsParameters>, hello: &str) -> Result<Self, (Stage, Fault)> {
        let at_hello = |fault| (Stage::Hello, fault);
        let hello = ClientId::Domain(hello.to_owned());
        let place = (server.host.as_str(), server.port);
        if let (Security::Tls, Some(tls)) = (server.security, tls) {
            let open = AsyncSmtpConnection::connect_tokio1(place, Some(CONNECT), &hello, Some(tls.clone()), None);
            return open.await.map(Self).map_err(|error| at_hello(error.into()));
        }
        let stream = timeout(CONNECT, TcpStream::connect(place)).await.map_err(|_| at_hello(Fault::Silent))?;
        let stream = stream.map_err(|_| at_hello(Fault::Lost))?;
        let is_secure = Arc::new(AtomicBool::new(tls.is_none()));
        let stream = Box::new(Narrow { stream, is_wide: is_secure.clone() });
        let open = AsyncSmtpConnection::connect_with_transport(stream, &hello).await;
        let mut connection = open.map_err(|error| at_hello(error.into()))?;
        if let Some(tls) = tls {
            if !connection.can_starttls() {
                return Err(at_hello(Fault::NotOffered));
            }
            connection.starttls(tls.clone(), &hello).await.map_err(|error| at_hello(error.into()))?;
            is_secure.store(true, Ordering::Relaxed);
        }
        Ok(Self(connection))
    }

    pub async fn login(&mut self, login: &Credentials) -> Result<(), Fault> {
        let ways = [Mechanism::Plain, Mechanism::Login];
        match self.0.auth(&ways, login).await {
            Ok(response) => positive(&response).map(drop),
            Err(error) if error.is_client() => Err(Fault::NotOffered),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the server still answers. It forgets what it had of a message.
    pub async fn reset(&mut self) -> bool {
        self.0.command(Rset).await.is_ok_and(|response| positive(&response).is_ok())
    }

    /// Sends a message, and returns what the server calls it. `stage` is where it is. Its text leaves on the word alone:
    /// what is lost before that was not accepted, also where this process is lost.
    pub async fn transfer(&mut self, mail: &Mail, word: &Word, stage: &Mutex<Stage>) -> Result<Option<String>, Fault> {
        let reach = |next| {
            if let Ok(mut stage) = stage.lock() {
                *stage = next;
            }
        };
        reach(Stage::From);
        positive(&self.0.command(MailFrom::new(Some(mail.from.clone()), vec![])).await?)?;
        reach(Stage::To);
        positive(&self.0.command(Rcpt::new(mail.to.clone(), vec![])).await?)?;
        reach(Stage::Text);
        let go_on = self.0.command(Data).await?;
        if !go_on.has_code(354) {
            return Err(said(&go_on));
        }
        if !word.given().await {
            return Err(Fault::Held);
        }
        // The iterator is asked for more when all of the text was written, just before its end is.
        let mut text = Some(mail.text.as_slice());
        let text = std::iter::from_fn(|| text.take().or_else(|| (reach(Stage::End), None).1));
        let reply = self.0.message_iter(text).await?;
        positive(&reply)?;
        Ok(queued(&reply))
    }
}

/// A reply of 2xx. lettre takes 3xx for good, too.
fn positive(reply: &Response) -> Result<&Response, Fault> {
    if (200..300).contains(&u16::from(reply.code())) { Ok(reply) } else { Err(said(reply)) }
}

fn said(reply: &Response) -> Fault {
    Fault::Said(reply.code().into(), enhanced(reply.first_line().unwrap_or_default()))
}

/// The name under which a server has queued a message, as far as it says one in the usual form. The rest of a reply may
/// repeat an address.
fn queued(reply: &Response) -> Option<String> {
    let line = reply.first_line()?;
    let word = line.split_once("queued as ")?.1.split_whitespace().next()?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (word.len() <= QUEUED_MAX && word.bytes().all(is_name)).then(|| format!("queued as {word}"))
}

/// A stream of which one byte at a time is read until it is encrypted. So no byte that came in clear is left in a buffer
/// to be taken for an encrypted reply: who sends more in clear spoils the TLS handshake.
#[derive(Debug)]
struct Narrow {
    stream: TcpStream,
    is_wide: Arc<AtomicBool>,
}

impl AsyncTokioStream for Narrow {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Narrow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_wide.load(Ordering::Relaxed) || buffer.remaining() == 0 {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_reply_only_codes_and_the_name_of_the_queue_are_kept() {
        let reply = |text: &str| text.parse::<Response>().expect("a reply");
        assert_eq!(queued(&reply("250 2.0.0 Ok: queued as 4Xk2-a\r\n")).as_deref(), Some("queued as 4Xk2-a"));
        assert_eq!(queued(&reply("250 2.0.0 for jane@example.org\r\n")), None);
        assert_eq!(queued(&reply("250 queued as jane@example.org\r\n")), None);
        assert_eq!(positive(&reply("354 go on\r\n")).err(), Some(Fault::Said(354, None)));
        assert_eq!(said(&reply("550 5.1.1 <jane@example.org> unknown\r\n")), Fault::Said(550, Some("5.1.1".into())));
        for text in ["no such user", "5.1", "5.1.1234 x", "5.jane.1 x", ""] {
            assert_eq!(enhanced(text), None, "{text}");
        }
    }
}
