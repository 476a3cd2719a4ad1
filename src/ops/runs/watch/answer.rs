//! Whether the database answers.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// Whether the database answers.
#[derive(Clone, Debug)]
pub enum Answer {
    Up,
    Lost {
        since: Instant,
        error: Error,
    },
    /// It answers again, after so long.
    Back(Duration),
}

impl Answer {
    pub fn lost(self, error: Error) -> Self {
        match self {
            Self::Lost { since, .. } => Self::Lost { since, error },
            Self::Up | Self::Back(_) => Self::Lost { since: Instant::now(), error },
        }
    }

    /// A return is told once in lines; a table shows it until the next look.
    pub fn up(self) -> Self {
        match self {
            Self::Lost { since, .. } => Self::Back(elapsed(since)),
            Self::Up | Self::Back(_) => Self::Up,
        }
    }
}

/// The time since then, in whole milliseconds.
pub fn elapsed(since: Instant) -> Duration {
    Duration::from_millis(since.elapsed().as_millis().try_into().unwrap_or(u64::MAX))
}
