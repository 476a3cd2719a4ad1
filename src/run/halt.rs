//! The reasons for which a run ends before its work is done.

use std::time::Duration;

use tokio::sync::watch;

use super::code::{INTERRUPTED, TOO_MANY_REFUSED};
use super::flood::Flood;
use super::pause::PAUSED;
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;

#[derive(Clone, Debug)]
pub enum Halt {
    /// Another run has taken over.
    Fenced,
    /// The run's own deadline passed.
    Deadline(Duration),
    /// No heartbeat succeeded for so long that other runs may consider this one dead.
    HeartbeatLost,
    /// A signal.
    Stopped(Signal),
    /// More was due than allowed. With `notify_at_once` the admins are notified at once, and not only when it keeps failing.
    Brake { message: String, notify_at_once: bool },
    /// More is due than a lane tells without a person's word. The runner makes a brake of it.
    Flood(Flood),
    /// Nothing was to be done but what waits after many refusals for one reason. It is neither a failure nor a success.
    StillRefused(String),
    /// A person has paused the lane. It is neither a failure nor a success.
    Paused(String),
    /// An error.
    Failed(Error),
}

/// A signal that stops a run in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: the terminal is gone.
    Hangup,
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    fn exit(self) -> Exit {
        match self {
            Self::Hangup => Exit::HungUp,
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
        }
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Halt {
    /// More was due than allowed. The message says what that means and what to do.
    pub fn brake(message: String) -> Self {
        Self::Brake { message, notify_at_once: false }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Fenced => Exit::Fenced,
            Self::Deadline(_) => Exit::Deadline,
            Self::Stopped(signal) => signal.exit(),
            Self::Brake { .. } | Self::Flood(_) => Exit::Brake,
            Self::StillRefused(_) | Self::Paused(_) => Exit::Done,
            Self::HeartbeatLost | Self::Failed(_) => Exit::Failed,
        }
    }

    /// The kind of an error with which the program itself refuses to work.
    pub fn refusal(&self) -> Option<ErrorKind> {
        match self {
            Self::Failed(Error { kind: kind @ (ErrorKind::Refused | ErrorKind::BadRequest), .. }) => Some(*kind),
            _ => None,
        }
    }

    /// The code in `cron_job_runs.error_code`.
    pub fn code(&self) -> &str {
        match self {
            Self::Fenced => "FENCED",
            Self::Deadline(_) => "DEADLINE_EXCEEDED",
            Self::HeartbeatLost => "HEARTBEAT_LOST",
            Self::Stopped(_) => INTERRUPTED,
            Self::Brake { .. } | Self::Flood(_) => "BRAKE",
            Self::StillRefused(_) => TOO_MANY_REFUSED,
            Self::Paused(_) => PAUSED,
            Self::Failed(error) => &error.code,
        }
    }

    /// The message in `cron_job_runs.error_message` and in the report.
    pub fn message(&self) -> String {
        match self {
            Self::Fenced => "another run has taken over; this one wrote nothing after that".into(),
            Self::Deadline(limit) => format!(
                "the deadline of {} passed; what was committed stays (the batch at work may be missing in the \
                 counts), the next run does the rest",
                humantime::format_duration(*limit)
            ),
            Self::HeartbeatLost => {
                "no heartbeat reached the database for two thirds of the lease; what was committed stays, the next \
                 run does the rest"
                    .into()
            }
            Self::Stopped(signal) => {
                format!("stopped by {}; what was committed stays, the next run does the rest", signal.name())
            }
            Self::Flood(flood) => flood.what(None),
            Self::Brake { message, .. } | Self::StillRefused(message) => message.clone(),
            Self::Paused(message) => {
                format!(
                    "{message}; the run was at work: what was committed stays, the first run after the pause does the rest"
                )
            }
            Self::Failed(error) => error.message.clone(),
        }
    }
}

/// Waits until a run has to stop.
pub async fn halted(mut stop: watch::Receiver<Option<Halt>>) -> Halt {
    match stop.wait_for(Option::is_some).await.map(|halt| halt.clone()) {
        Ok(Some(halt)) => halt,
        // The senders live as long as the run.
        _ => std::future::pending().await,
    }
}

/// Waits until the run has to stop, or its time is over before it has begun.
pub async fn halted_or_late(stop: watch::Receiver<Option<Halt>>, timeout: Duration) -> Halt {
    tokio::select! {
        halt = halted(stop) => halt,
        () = tokio::time::sleep(timeout) => Halt::Deadline(timeout),
    }
}
