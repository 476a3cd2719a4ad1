//! The receivers as processes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// A receiver must be there, or say something, within this.
const PATIENCE: Duration = Duration::from_secs(20);
/// The user whose the mailbox is: one that each Debian has.
const OWNER: (&str, u32) = ("mail", 8);

fn python() -> Command {
    let mut command = Command::new("target/tools/mail/bin/python");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).kill_on_drop(true);
    command
}

/// A script of this folder that receives, and prints its port and then lines of JSON.
pub struct Script {
    pub port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Script {
    pub async fn start(name: &str, args: &[&str]) -> Self {
        let mut command = python();
        let script = format!("tests/prove_mail/{name}");
        let command = command.arg(script).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("scripts/mail-tools has installed Python's packages");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let port = timeout(PATIENCE, lines.next_line()).await.expect("it starts in time");
        let port = port.expect("it can be read").and_then(|line| line.parse().ok()).expect("a port");
        Self { port, lines, _process: process }
    }

    pub async fn line(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        let line = line.expect("it can be read").expect("it is still at work");
        serde_json::from_str(&line).expect("JSON")
    }
}

/// OpenSMTPD with one Maildir for all of `home.example`.
pub struct Mailbox {
    pub port: u16,
    path: PathBuf,
    _process: Child,
}

impl Mailbox {
    pub async fn start(place: &Path) -> Self {
        let port = free_port().await;
        let path = place.join("mailbox");
        fs::create_dir(&path).expect("can be made");
        chown(&path, Some(OWNER.1), Some(OWNER.1)).expect("root can give it away");
        // It delivers as that user, who has to pass.
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("can be set");
        let (file, owner) = (place.join("smtpd.conf"), OWNER.0);
        let text = format!(
            "table boxes {{ \"@\" = \"{owner}\" }}\n\
             listen on 127.0.0.1 port {port} hostname localhost\n\
             action \"box\" maildir \"{}\" virtual <boxes>\n\
             match from any for domain \"home.example\" action \"box\"\n",
            path.display()
        );
        fs::write(&file, text).expect("can be written");
        let log = fs::File::create(place.join("smtpd.log")).expect("can be made");
        let mut command = Command::new("/usr/sbin/smtpd");
        let command = command.arg("-d").arg("-f").arg(&file).stdin(Stdio::null()).stderr(log).kill_on_drop(true);
        let mut process = command.spawn().expect("scripts/mail-tools has installed OpenSMTPD");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let log = || fs::read_to_string(place.join("smtpd.log")).unwrap_or_default();
            let ended = process.try_wait().expect("it can be asked");
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "OpenSMTPD does not start: {}", log());
            sleep(Duration::from_millis(50)).await;
        }
        Self { port, path, _process: process }
    }

    /// The mails in it, when there are so many.
    pub async fn mails(&self, mails: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let output = python().arg("tests/prove_mail/read_maildir.py").arg(&self.path).output().await;
            let output = output.expect("Python is there");
            let error = String::from_utf8_lossy(&output.stderr);
            let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if found.len() >= mails {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{} of {mails} mails have arrived; {error}", found.len());
            sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A port at which TLS ends, before that of a server.
pub async fn gate(acceptor: TlsAcceptor, server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await?;
                let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}
