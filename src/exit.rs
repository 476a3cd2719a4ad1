//! The exit codes, by which a scheduler, a shell or a person learns the outcome of a run.

use std::process::ExitCode;

/// The exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, nothing to do, or skipped because another run is running.
    Done = 0,
    /// Failed; committed work stays.
    Failed = 1,
    /// The arguments, the configuration or the database's schema do not allow it; nothing was done.
    Usage = 2,
    /// Done, but some items failed.
    Partial = 3,
    /// Fenced: another run has taken over; this one wrote nothing more.
    Fenced = 4,
    /// Brake: more was due than `--max-items`; nothing was changed.
    Brake = 5,
    /// Skipped, with `--fail-if-running`.
    Busy = 75,
    /// The deadline passed; committed work stays.
    Deadline = 124,
    /// Stopped by SIGHUP.
    HungUp = 129,
    /// Stopped by SIGINT.
    Interrupted = 130,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_are_the_documented_ones() {
        let codes = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Partial, 3),
            (Exit::Fenced, 4),
            (Exit::Brake, 5),
            (Exit::Busy, 75),
            (Exit::Deadline, 124),
            (Exit::HungUp, 129),
            (Exit::Interrupted, 130),
            (Exit::Terminated, 143),
        ];
        for (exit, code) in codes {
            assert_eq!(exit as u8, code, "{exit:?}");
        }
    }
}
