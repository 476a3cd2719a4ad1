//! A network that the test controls, between the program and the server: it passes bytes, and it can hold back or cut
//! what the server answers.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// When the proxy acts: a text in what the program sends, and how often it is let through before.
#[derive(Clone)]
pub struct Trigger {
    pub text: &'static str,
    pub skip: usize,
    pub act: Act,
}

/// The act of the proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Cuts the connection once the server has answered; the answer is lost.
    LoseReply,
    /// Cuts the connection before the server sees it.
    LoseRequest,
    /// Passes it on and cuts the connection at once: the server may be at work still.
    LoseLink,
    /// The same, and no connection gets through any more.
    LoseAll,
    /// Passes only so many bytes of the answer until `release`.
    Hold(usize),
}

/// A listener on a loopback port that the system chose.
pub struct Proxy {
    pub port: u16,
    fired: watch::Receiver<bool>,
    release: watch::Sender<bool>,
}

impl Proxy {
    /// In front of the server or the pooler. Acts once, on whichever connection fits first.
    pub async fn start(trigger: Trigger) -> Self {
        let socket = super::socket();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let port = listener.local_addr().expect("bound").port();
        let (fire, fired) = watch::channel(false);
        let (release, released) = watch::channel(false);
        let (fire, is_cut) = (Arc::new(fire), fired.clone());
        let seen = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((program, _)) = listener.accept().await {
                if trigger.act == Act::LoseAll && *is_cut.borrow() {
                    continue;
                }
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                let line = Line { trigger: trigger.clone(), fire: fire.clone(), seen: seen.clone() };
                tokio::spawn(line.pass(program, server, released.clone()));
            }
        });
        Self { port, fired, release }
    }

    /// Waits until the proxy has acted.
    pub async fn fired(&mut self) {
        let fired = self.fired.wait_for(|fired| *fired);
        tokio::time::timeout(std::time::Duration::from_secs(60), fired).await.expect("it comes").expect("it lives");
    }

    /// The address of a database through the proxy.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{}@127.0.0.1:{}/{database}?sslmode=disable", super::scratch::USER, self.port)
    }

    pub fn release(&self) {
        self.release.send_replace(true);
    }
}

struct Line {
    trigger: Trigger,
    fire: Arc<watch::Sender<bool>>,
    seen: Arc<std::sync::atomic::AtomicUsize>,
}

impl Line {
    fn fits(&self, bytes: &[u8]) -> bool {
        let text = self.trigger.text.as_bytes();
        bytes.windows(text.len()).any(|window| window == text)
            && self.seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == self.trigger.skip
    }

    async fn pass(self, mut program: TcpStream, mut server: UnixStream, mut released: watch::Receiver<bool>) {
        let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
        let mut budget = None;
        loop {
            tokio::select! {
                read = program.read(&mut asked) => {
                    let Ok(count @ 1..) = read else { return };
                    let fits = self.fits(&asked[..count]);
                    if fits && self.trigger.act == Act::LoseRequest {
                        self.fire.send_replace(true);
                        return;
                    }
                    if server.write_all(&asked[..count]).await.is_err() {
                        return;
                    }
                    if fits && matches!(self.trigger.act, Act::LoseLink | Act::LoseAll) {
                        self.fire.send_replace(true);
                        return;
                    }
                    if fits {
                        budget = Some(match self.trigger.act { Act::Hold(bytes) => bytes, _ => 0 });
                    }
                }
                read = server.read(&mut answered) => {
                    let Ok(count @ 1..) = read else { return };
                    let mut bytes = &answered[..count];
                    if let Some(left) = &mut budget {
                        if self.trigger.act == Act::LoseReply {
                            self.fire.send_replace(true);
                            return;
                        }
                        let now = (*left).min(bytes.len());
                        if program.write_all(&bytes[..now]).await.is_err() {
                            return;
                        }
                        *left -= now;
                        bytes = &bytes[now..];
                        if *left == 0 {
                            self.fire.send_replace(true);
                            let _ = released.wait_for(|released| *released).await;
                            budget = None;
                        }
                    }
                    if program.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
