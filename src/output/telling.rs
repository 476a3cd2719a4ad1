//! What is told at the end of a process, to files and servers that may hang.
//!
//! Rule: nothing that is told here changes an outcome, and all of it together delays the exit by at most `BOUND`. Each is
//! done on a thread of its own, which is left behind when the time is over: a file system that does not answer, a pipe
//! that nobody reads or a name that is not resolved ends with the process. A panic ends its thread alone.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

/// The time that all of it may take.
pub const BOUND: Duration = Duration::from_secs(2);

/// One thing to be told.
pub struct Telling {
    what: &'static str,
    work: Box<dyn FnOnce() -> Result<(), String> + Send>,
}

impl Telling {
    /// `work` says what went wrong, without what may be a secret.
    pub fn new(what: &'static str, work: impl FnOnce() -> Result<(), String> + Send + 'static) -> Self {
        Self { what, work: Box::new(work) }
    }
}

/// Tells all at the same time.
pub fn tell(tellings: Vec<Telling>) {
    tell_within(BOUND, tellings);
}

/// Tells all at the same time, and waits at most so long. The log says what could not be told.
pub fn tell_within(bound: Duration, tellings: Vec<Telling>) {
    let until = Instant::now() + bound;
    let started = tellings.into_iter().map(|Telling { what, work }| {
        let (done, outcome) = channel();
        let thread = thread::Builder::new().name(what.to_owned()).spawn(move || {
            let _ = done.send(work());
        });
        (what, thread.map(|_| outcome))
    });
    // All are started before the first is waited for.
    for (what, started) in started.collect::<Vec<_>>() {
        let told = match started {
            Ok(outcome) => outcome.recv_timeout(until.saturating_duration_since(Instant::now())),
            Err(_) => Ok(Err("no thread can be started".to_owned())),
        };
        let why = match told {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why,
            Err(RecvTimeoutError::Timeout) => format!("not done within {}", humantime::format_duration(BOUND)),
            Err(RecvTimeoutError::Disconnected) => "a defect of rounds".to_owned(),
        };
        warn!(error_code = "NOT_TOLD", "{what}: {why}; the outcome is as it was");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender};

    use super::*;

    #[test]
    fn what_hangs_or_panics_holds_up_nobody() {
        let (told, heard): (Sender<()>, Receiver<()>) = channel();
        let (_kept, hangs): (Sender<()>, Receiver<()>) = channel();
        let began = Instant::now();
        tell_within(
            Duration::from_millis(200),
            vec![
                Telling::new("hangs", move || hangs.recv().map_err(|_| "over".to_owned())),
                Telling::new("panics", || panic!("CANARY")),
                Telling::new("fails", || Err("no space".to_owned())),
                Telling::new("works", move || told.send(()).map_err(|_| "nobody hears".to_owned())),
            ],
        );
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        assert_eq!(heard.recv(), Ok(()));
    }
}
