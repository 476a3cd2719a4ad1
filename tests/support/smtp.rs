//! An SMTP server on a loopback port: it says at each stage what it is told, and keeps what it took.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A stage of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Greeting,
    Hello,
    StartTls,
    Login,
    From,
    To,
    Data,
    /// In the middle of the text.
    Text,
    End,
    Reset,
}

/// What it does at a stage.
#[derive(Clone, Debug)]
pub enum Act {
    Say(&'static str),
    /// Ends the connection.
    Close,
    /// Says nothing, and reads no more.
    Hold,
    /// Says this many bytes of a reply that does not come to its end.
    Flood(usize),
}

/// A message that it took, or that was at its end.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
    pub is_encrypted: bool,
    /// What the client logged in with.
    pub login: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    Tls,
    StartTls,
    Clear,
}

#[derive(Default)]
struct State {
    usual: Mutex<HashMap<Stage, Act>>,
    next: Mutex<HashMap<Stage, VecDeque<Act>>>,
    taken: Mutex<Vec<Taken>>,
    connections: Mutex<usize>,
    came: Notify,
}

/// The server; it ends with the test.
pub struct SmtpServer {
    pub port: u16,
    security: Security,
    /// The authority behind its certificate.
    pub authority: TempPath,
    state: Arc<State>,
}

/// An authority and a certificate of it for a name, both in PEM, and the key of the certificate.
pub fn certificate(name: &str) -> (String, String, KeyPair) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "authority of the mail server");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    (ca.pem(), params.signed_by(&key, &ca).expect("a certificate").pem(), key)
}

/// A server's side of TLS with that certificate.
pub fn acceptor(certificate: &str, key: &KeyPair) -> TlsAcceptor {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).expect("they fit")))
}

impl SmtpServer {
    pub async fn start(security: Security) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (ca, certificate, key) = certificate("localhost");
        let authority = NamedTempFile::new().expect("a place for files").into_temp_path();
        fs::write(&authority, ca).expect("can be written");
        let acceptor = acceptor(&certificate, &key);
        let state = Arc::new(State::default());
        let server = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *server.connections.lock().expect("whole") += 1;
                tokio::spawn(serve(stream, security, acceptor.clone(), server.clone()));
            }
        });
        Self { port, security, authority, state }
    }

    pub fn url(&self) -> String {
        let scheme = match self.security {
            Security::Tls => "smtps",
            Security::StartTls => "smtp",
            Security::Clear => "smtp+clear",
        };
        format!("{scheme}://localhost:{}", self.port)
    }

    /// What it does at this stage, from now on.
    pub fn always(&self, stage: Stage, act: Act) {
        self.state.usual.lock().expect("whole").insert(stage, act);
    }

    /// From now on it does at this stage what a server does.
    pub fn as_usual(&self, stage: Stage) {
        self.state.usual.lock().expect("whole").remove(&stage);
    }

    /// What it does the next times that it is at this stage, once each.
    pub fn next(&self, stage: Stage, acts: impl IntoIterator<Item = Act>) {
        self.state.next.lock().expect("whole").entry(stage).or_default().extend(acts);
    }

    /// All that it took, also what it then refused or left without an answer.
    pub fn taken(&self) -> Vec<Taken> {
        self.state.taken.lock().expect("whole").clone()
    }

    pub fn connections(&self) -> usize {
        *self.state.connections.lock().expect("whole")
    }

    /// Waits until it took so many.
    pub async fn took(&self, messages: usize) {
        loop {
            let came = self.state.came.notified();
            if self.taken().len() >= messages {
                return;
            }
            came.await;
        }
    }
}

/// What the conversation does next.
enum Next {
    GoOn,
    StartTls,
    End,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn serve(stream: TcpStream, security: Security, acceptor: TlsAcceptor, state: Arc<State>) {
    let mut stream: Box<dyn Stream> = match security {
        Security::Tls => match acceptor.accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        },
        _ => Box::new(stream),
    };
    let mut talk = Talk { state, taken: Taken { is_encrypted: security == Security::Tls, ..Taken::default() } };
    if !talk.act(&mut stream, Stage::Greeting, "220 mail.example ESMTP").await {
        return;
    }
    loop {
        match talk.run(&mut stream, security).await {
            Some(Next::StartTls) => match Box::pin(acceptor.accept(stream)).await {
                Ok(tls) => (stream, talk.taken.is_encrypted) = (Box::new(tls), true),
                Err(_) => return,
            },
            _ => return,
        }
    }
}

struct Talk {
    state: Arc<State>,
    taken: Taken,
}

impl Talk {
    /// Does what it is told at a stage, or says that; whether the conversation goes on.
    async fn act(&self, stream: &mut Box<dyn Stream>, stage: Stage, otherwise: &str) -> bool {
        let next = self.state.next.lock().expect("whole").get_mut(&stage).and_then(VecDeque::pop_front);
        let act = next.or_else(|| self.state.usual.lock().expect("whole").get(&stage).cloned());
        let line = match act {
            None => otherwise,
            Some(Act::Say(line)) => line,
            Some(Act::Close) => return false,
            Some(Act::Hold) => return std::future::pending().await,
            Some(Act::Flood(bytes)) => {
                let _ = stream.write_all(&vec![b'2'; bytes]).await;
                return false;
            }
        };
        stream.write_all(format!("{line}\r\n").as_bytes()).await.is_ok() && stream.flush().await.is_ok()
    }

    /// Answers commands until the end, or until TLS begins.
    async fn run(&mut self, stream: &mut Box<dyn Stream>, security: Security) -> Option<Next> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match self.answer(&mut reader, line.trim_end(), security).await? {
                Next::GoOn => {}
                next => return Some(next),
            }
        }
    }

    async fn answer(
        &mut self,
        reader: &mut BufReader<&mut Box<dyn Stream>>,
        line: &str,
        security: Security,
    ) -> Option<Next> {
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let starttls = if security == Security::StartTls && !self.taken.is_encrypted { "250-STARTTLS\r\n" } else { "" };
        let hello = format!("250-mail.example\r\n{starttls}250-AUTH PLAIN LOGIN\r\n250 8BITMIME");
        let (stage, otherwise) = match word.as_str() {
            "EHLO" => (Stage::Hello, hello.as_str()),
            "STARTTLS" => (Stage::StartTls, "220 go"),
            "AUTH" => {
                self.taken.login = Some(line.to_owned());
                (Stage::Login, "235 2.7.0 welcome")
            }
            "MAIL" => {
                (self.taken.from, self.taken.to) = (line.to_owned(), vec![]);
                (Stage::From, "250 2.1.0 ok")
            }
            "RCPT" => {
                self.taken.to.push(line.to_owned());
                (Stage::To, "250 2.1.5 ok")
            }
            "RSET" => (Stage::Reset, "250 2.0.0 ok"),
            "DATA" => return self.data(reader).await,
            "QUIT" => return Some(Next::End),
            _ => (Stage::Reset, "502 5.5.1 what?"),
        };
        if !self.act(reader.get_mut(), stage, otherwise).await {
            return None;
        }
        Some(if word == "STARTTLS" { Next::StartTls } else { Next::GoOn })
    }

    async fn data(&mut self, reader: &mut BufReader<&mut Box<dyn Stream>>) -> Option<Next> {
        let is_cut = self.state.next.lock().expect("whole").get_mut(&Stage::Text).and_then(VecDeque::pop_front);
        let told = self.state.next.lock().expect("whole").get(&Stage::Data).and_then(|acts| acts.front().cloned());
        let told = told.or_else(|| self.state.usual.lock().expect("whole").get(&Stage::Data).cloned());
        if !self.act(reader.get_mut(), Stage::Data, "354 go on").await {
            return None;
        }
        if told.is_some() {
            return Some(Next::GoOn);
        }
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).await.ok()? == 0 || is_cut.is_some() {
                return None;
            }
            if line == ".\r\n" {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        let taken = Taken { text, ..self.taken.clone() };
        self.state.taken.lock().expect("whole").push(taken);
        self.state.came.notify_waiters();
        self.act(reader.get_mut(), Stage::End, "250 2.0.0 Ok: queued as 4Q").await.then_some(Next::GoOn)
    }
}
