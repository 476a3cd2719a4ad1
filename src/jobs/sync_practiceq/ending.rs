//! The ending of a run: how it is recorded, whether the next run continues, and what the runner is told.

use super::end::End;
use super::report::Report;
use crate::error::{Error, ErrorKind};
use crate::run::Halt;

pub struct Ending {
    pub status: Status,
    /// The message of what ended or failed the run, with its code.
    pub error: Option<String>,
    /// Whether the next run continues where this one stopped.
    pub continues: bool,
    pub result: Result<(), Halt>,
}

/// `sync_logs.status` of a run that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Completed,
    PartialSuccess,
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::PartialSuccess => "partial_success",
            Self::Failed => "failed",
        }
    }

    /// The status of a run that failed, by whether the account has answered it.
    pub fn of_failure(is_answered: bool) -> Self {
        if is_answered { Self::PartialSuccess } else { Self::Failed }
    }
}

impl Ending {
    /// `is_answered`: the account has answered a request. `is_resumed`: an earlier run began the plan.
    pub fn of(outcome: Result<(), End>, is_answered: bool, is_resumed: bool, report: &Report) -> Self {
        let end = match outcome {
            Ok(()) if report.is_all_failed() => return Self::all_failed(),
            Ok(()) => {
                let status = if report.not_done.failed == 0 { Status::Completed } else { Status::PartialSuccess };
                return Self { status, error: None, continues: false, result: Ok(()) };
            }
            Err(end) => end,
        };
        // What was read is stored, and the next run reads the rest.
        let is_enough = is_answered && matches!(end, End::Stop(_));
        let starts_over = matches!(end, End::StartOver(_) | End::Halt(Halt::Brake { .. }));
        let halt = match end {
            End::Stop(stop) => Halt::Failed(stop.error()),
            End::StartOver(error) => Halt::Failed(error),
            End::Halt(halt) => halt,
        };
        Self {
            status: Status::of_failure(is_answered),
            error: Some(text(&halt)),
            continues: !starts_over && (is_answered || is_resumed),
            result: if is_enough { Ok(()) } else { Err(halt) },
        }
    }

    fn all_failed() -> Self {
        let message = "everything that was to be synced failed; rounds runs show lists it";
        let halt = Halt::Failed(Error::new("ALL_FAILED", ErrorKind::Other, message));
        Self { status: Status::Failed, error: Some(text(&halt)), continues: false, result: Err(halt) }
    }
}

fn text(halt: &Halt) -> String {
    format!("{} [{}]", halt.message(), halt.code())
}
