//! The outcome of a run: its status in the log, whether the next run continues, and the result for the runner.

use super::end::End;
use super::report::Report;
use crate::error::{Error, ErrorKind};
use crate::run::Halt;

pub struct Outcome {
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

impl Outcome {
    /// `is_answered`: the account has answered a request. `is_resumed`: an earlier run began the plan.
    pub fn of(read: Result<(), End>, is_answered: bool, is_resumed: bool, report: &Report) -> Self {
        let end = match read {
            Ok(()) if report.is_all_failed() => return Self::all_failed(),
            Ok(()) => {
                // A visit without its doctor is stored, so the run has done what it is for; whoever reads the log is told.
                let is_all = report.not_done.failed == 0 && report.unknown_practitioners == 0;
                let status = if is_all { Status::Completed } else { Status::PartialSuccess };
                return Self { status, error: None, continues: false, result: Ok(()) };
            }
            Err(end) => end,
        };
        // The pages that were read are stored, and the next run reads the rest.
        let is_enough = is_answered && matches!(end, End::Stop(_));
        let starts_over = matches!(end, End::StartOver(_) | End::Halt(Halt::Brake { .. }));
        let halt = match end {
            End::Stop(stop) => Halt::Failed(stop.error()),
            End::StartOver(error) => Halt::Failed(error),
            End::Halt(halt) => halt,
        };
        // Nothing was done of what the run is for.
        let is_undone = matches!(halt, Halt::Brake { .. }) || halt.refusal().is_some();
        Self {
            status: Status::of_failure(is_answered && !is_undone),
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

#[cfg(test)]
mod tests {
    use super::super::end::StopReason;
    use super::*;

    fn stop() -> End {
        End::stop(StopReason::NoRequestLeft, "none left")
    }

    #[test]
    fn a_run_that_stops_is_continued_and_has_failed_only_where_nothing_was_answered() {
        let answered = Outcome::of(Err(stop()), true, false, &Report::default());
        assert_eq!((answered.status, answered.continues), (Status::PartialSuccess, true));
        assert!(answered.result.is_ok());
        let unanswered = Outcome::of(Err(stop()), false, false, &Report::default());
        assert_eq!((unanswered.status, unanswered.continues), (Status::Failed, false));
        assert_eq!(unanswered.error.as_deref(), Some("none left [BUDGET]"));
        assert!(unanswered.result.is_err());
        assert!(Outcome::of(Err(stop()), false, true, &Report::default()).continues, "an earlier run began it");
    }

    #[test]
    fn after_the_brake_the_next_run_starts_over() {
        let brake = End::Halt(Halt::brake("too many".to_owned()));
        let braked = Outcome::of(Err(brake), true, true, &Report::default());
        assert_eq!((braked.status, braked.continues), (Status::Failed, false));
        let endless = End::StartOver(Error::new("PRACTICEQ_PAGES", ErrorKind::Other, "page 2 again"));
        assert!(!Outcome::of(Err(endless), true, true, &Report::default()).continues);
    }

    #[test]
    fn a_run_of_which_all_failed_has_failed() {
        let mut report = Report::default();
        assert_eq!(Outcome::of(Ok(()), true, false, &report).status, Status::Completed);
        report.unknown_practitioners = 1;
        let partly = Outcome::of(Ok(()), true, false, &report);
        assert_eq!((partly.status, partly.result.is_ok()), (Status::PartialSuccess, true));
        report.not_done.fail("patient", 1, "NO_EMAIL");
        let failed = Outcome::of(Ok(()), true, false, &report);
        assert_eq!((failed.status, failed.result.is_err()), (Status::Failed, true));
        report.patients_processed = 1;
        assert_eq!(Outcome::of(Ok(()), true, false, &report).status, Status::PartialSuccess);
    }
}
