//! The dead man's switch: a server that misses what it should have been told, by the protocol of healthchecks.io.
//!
//! Rule: a run that begins says `/start`, and at its end the plain address if it is healthy, else `/` and its exit code,
//! each with its id. A run that did not begin and failed says so; one that was skipped says `/log`, which changes nothing:
//! the run at work, or the one before, has the word. Whoever knows the address can say all is well, so it is a secret,
//! and in no log and no error.
//!
//! All is said on a thread with a runtime of its own: a name that is not resolved cannot hold up the exit, and a panic is
//! that thread's.

use std::fmt;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Url};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::warn;
use uuid::Uuid;

use super::{failure, secure};
use crate::output::telling::{BOUND, Telling};

/// The placeholder in an address for the name of the lane.
const NAME: &str = "{name}";
/// The time for the word of the start, beside the run.
const START: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct PingArgs {
    /// A dead man's switch by the protocol of healthchecks.io, which is told when a run starts and how it ends; {name}
    /// in it stands for the job, or job-lane. A secret: other users of the machine see arguments (ps), but not the
    /// variable
    #[arg(long, global = true, env = "ROUNDS_PING_URL", hide_env_values = true, value_name = "URL")]
    ping_url: Option<PingUrl>,
}

/// The address of a switch.
#[derive(Clone)]
pub struct PingUrl(String);

impl fmt::Debug for PingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PingUrl(...)")
    }
}

impl FromStr for PingUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Self(text.to_owned());
        let [one, other] = ["a", "b"].map(|name| url.of(name, None, None));
        if one?.origin() == other?.origin() { Ok(url) } else { Err("may have {name} in its path only".to_owned()) }
    }
}

impl PingUrl {
    /// The address of one word about a lane.
    fn of(&self, name: &str, tail: Option<&str>, run: Option<Uuid>) -> Result<Url, String> {
        let url = Url::parse(&self.0.replace(NAME, name)).map_err(|_| "is no URL".to_owned())?;
        let mut url = secure(url)?;
        if let Some(tail) = tail {
            let mut segments = url.path_segments_mut().map_err(|()| "is no URL".to_owned())?;
            segments.pop_if_empty().push(tail);
        }
        if let Some(run) = run {
            url.query_pairs_mut().append_pair("rid", &run.to_string());
        }
        Ok(url)
    }
}

/// The end of a run, or the reason for which there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Well,
    /// With this exit code.
    Badly(u8),
    /// Nothing was done, and that is no failure.
    Skipped,
}

impl End {
    fn tail(self) -> Option<String> {
        match self {
            Self::Well => None,
            // An exit code of 0 would say that all is well.
            Self::Badly(0) => Some("fail".to_owned()),
            Self::Badly(code) => Some(code.to_string()),
            Self::Skipped => Some("log".to_owned()),
        }
    }
}

enum Word {
    Start(Uuid),
    End { end: End, run: Option<Uuid>, body: String },
}

/// The switch of one lane.
pub struct Switch {
    words: UnboundedSender<Word>,
    done: Receiver<Result<(), String>>,
}

impl PingArgs {
    /// The switch of a lane, if there is one.
    pub fn switch(&self, name: &str) -> Option<Switch> {
        let (url, name) = (self.ping_url.clone()?, name.to_owned());
        let ((words, heard), (said, done)) = (unbounded_channel(), mpsc::channel());
        let talking = thread::Builder::new().name("ping".to_owned()).spawn(move || {
            let _ = said.send(talk_to(&url, &name, heard));
        });
        match talking {
            Ok(_) => Some(Switch { words, done }),
            Err(_) => {
                not_told("no thread can be started");
                None
            }
        }
    }
}

impl Switch {
    /// Says that a run starts, and does not wait.
    pub fn start(&self, run: Uuid) {
        let _ = self.words.send(Word::Start(run));
    }

    /// Says the last word, with a text that holds ids of no row.
    pub fn end(self, end: End, run: Option<Uuid>, body: String) -> Telling {
        let _ = self.words.send(Word::End { end, run, body });
        let done = self.done;
        Telling::new("the dead man's switch", move || {
            done.recv().unwrap_or_else(|_| Err("a defect of rounds".to_owned()))
        })
    }
}

/// Says what is heard to the server, until the last word.
fn talk_to(url: &PingUrl, name: &str, heard: UnboundedReceiver<Word>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| "no timers and sockets".to_owned())?;
    let outcome = runtime.block_on(talk(url, name, heard));
    // A name that is being looked up is left behind.
    runtime.shutdown_background();
    outcome
}

async fn talk(url: &PingUrl, name: &str, mut heard: UnboundedReceiver<Word>) -> Result<(), String> {
    let client = super::once().and_then(super::build).map_err(|error| error.message)?;
    let mut word = heard.recv().await;
    if let Some(Word::Start(run)) = word {
        let start = post(&client, url.of(name, Some("start"), Some(run)), String::new(), START);
        let mut start = std::pin::pin!(start);
        word = tokio::select! {
            told = &mut start => {
                told.unwrap_or_else(|why| not_told(&why));
                heard.recv().await
            }
            word = heard.recv() => {
                // A short run has ended meanwhile. The words are in order, unless the server is too slow for that; it
                // knows by the id which belong together.
                let _ = tokio::time::timeout(BOUND / 2, start).await;
                word
            }
        };
    }
    let Some(Word::End { end, run, body }) = word else { return Ok(()) };
    post(&client, url.of(name, end.tail().as_deref(), run), body, BOUND).await
}

/// Posts one word. The error names no address.
async fn post(client: &Client, url: Result<Url, String>, body: String, limit: Duration) -> Result<(), String> {
    let sent = client.post(url?).body(body).timeout(limit).send().await;
    let response = sent.map_err(|error| failure(&error).to_owned())?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("HTTP {}", status.as_u16())),
    }
}

fn not_told(why: &str) {
    warn!(error_code = "NOT_TOLD", "the dead man's switch, at the start: {why}; the run goes on");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_if_it_is_safe_and_shown_to_nobody() {
        for good in [
            "https://hc.example/8a7b/{name}",
            "https://hc.example/8a7b?create=1",
            "http://127.0.0.1:8000/x",
            "http://localhost/{name}",
        ] {
            let url: PingUrl = good.parse().expect(good);
            assert!(!format!("{url:?}").contains("8a7b"));
        }
        for bad in ["http://hc.example/8a7b", "8a7b", "https://{name}.example/8a7b", "ftp://127.0.0.1/8a7b", ""] {
            let error = bad.parse::<PingUrl>().expect_err(bad);
            assert!(!error.contains("8a7b"), "{error}");
        }
    }

    #[test]
    fn each_word_has_its_address() {
        let url: PingUrl = "https://hc.example/8a7b/{name}/?create=1".parse().expect("an address");
        let of = |end: End, run| url.of("prune", end.tail().as_deref(), run).expect("an address").to_string();
        let run = Uuid::nil();
        assert_eq!(of(End::Well, None), "https://hc.example/8a7b/prune/?create=1");
        assert_eq!(of(End::Badly(5), Some(run)), format!("https://hc.example/8a7b/prune/5?create=1&rid={run}"));
        assert_eq!(of(End::Badly(0), None), "https://hc.example/8a7b/prune/fail?create=1");
        assert_eq!(of(End::Skipped, None), "https://hc.example/8a7b/prune/log?create=1");
    }
}
