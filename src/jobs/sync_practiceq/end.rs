//! The reasons for which a run stops reading before it has read everything.

use crate::error::{Error, ErrorKind};
use crate::run::Halt;

pub enum End {
    /// The next run continues where this one stopped.
    Stop(Stop),
    /// The run fails, and the next one starts at the first page.
    StartOver(Error),
    Halt(Halt),
}

pub struct Stop {
    pub reason: StopReason,
    /// Ids, counts and codes only.
    pub message: String,
}

#[derive(Clone, Copy)]
pub enum StopReason {
    /// The server failed at each attempt.
    Unanswered,
    /// The account answers 429.
    RateLimited,
    /// The limit of requests leaves none in time.
    NoRequestLeft,
    TimeOver,
}

impl StopReason {
    pub fn code(self) -> &'static str {
        match self {
            Self::Unanswered => "PRACTICEQ_HTTP",
            Self::RateLimited => "RATE_LIMITED",
            Self::NoRequestLeft => "BUDGET",
            Self::TimeOver => "TIME",
        }
    }
}

impl Stop {
    pub fn error(&self) -> Error {
        Error::new(self.reason.code(), ErrorKind::Other, self.message.clone())
    }
}

impl End {
    pub fn stop(reason: StopReason, message: impl Into<String>) -> Self {
        Self::Stop(Stop { reason, message: message.into() })
    }
}

impl From<Halt> for End {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Halt(error.into())
    }
}
