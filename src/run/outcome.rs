//! The outcome of a run, and its record in the run's row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracing::warn;
use uuid::Uuid;

use super::args::RunArgs;
use super::claim::Claimed;
use super::close::Closing;
use super::code::ALREADY_RUNNING;
use super::failure_notice::RunResult;
use super::halt::Halt;
use super::limits::limits;
use super::records::Item;
use crate::db::Db;
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;

/// The time limit for closing the row, retries included.
const CLOSING: Duration = Duration::from_secs(6);

/// The pause between two attempts.
const CLOSING_PAUSE: Duration = Duration::from_millis(400);

/// The end of a run, or the reason for which there was none.
pub struct Outcome {
    pub run_id: Option<Uuid>,
    /// The lane, once it is known who starts the run.
    pub lane: Option<String>,
    pub now: Option<DateTime<Utc>>,
    pub status: &'static str,
    pub exit: Exit,
    pub error: Option<(String, String)>,
    /// The duration in the run's row.
    pub duration_ms: Option<u64>,
    /// What the row of a run means for the next start, where it could not be closed.
    pub left_open: Option<String>,
    pub work: ReportedWork,
}

/// The work of the job, according to its report.
#[derive(Default)]
pub struct ReportedWork {
    pub report: Value,
    pub processed: u64,
    pub failed: u64,
    pub notifications: Option<u64>,
    pub sentence: Option<String>,
    pub changed: Vec<Item>,
    /// In a dry run: why a run would have been stopped before it changed anything.
    pub would_brake: Option<String>,
}

/// The row of this run, which has to be closed.
#[derive(Clone, Copy)]
pub struct RunRow<'a> {
    pub db: &'a Db,
    pub args: &'a RunArgs,
    pub id: Uuid,
}

impl RunRow<'_> {
    /// An outcome without content.
    pub fn blank(self) -> Outcome {
        let run_id = (!self.args.common.dry_run).then_some(self.id);
        Outcome {
            run_id,
            lane: None,
            now: None,
            status: "FAILED",
            exit: Exit::Failed,
            error: None,
            duration_ms: None,
            left_open: None,
            work: ReportedWork::default(),
        }
    }

    /// The outcome of a run that did not get its lane.
    pub fn without_lane(self, claimed: &Claimed, job: &str) -> Outcome {
        let (status, exit, code, message) = match claimed {
            Claimed::Busy(holder) => {
                let exit = if self.args.fail_if_running { Exit::Busy } else { Exit::Done };
                ("SKIPPED", exit, ALREADY_RUNNING, format!("run {holder} is at work; nothing was done"))
            }
            Claimed::RecentlyDone(done) => {
                let (code, message) = done.code_and_message();
                ("SKIPPED", Exit::Done, code, format!("{message} (--unless-succeeded-within); nothing was done"))
            }
            Claimed::Blocked(holder) => {
                let message = format!(
                    "run {holder} is dead, but a session still locks its row; nothing was done. End that session \
                     (pg_stat_activity, application rounds/{job}); the next run takes over"
                );
                ("FAILED", Exit::Failed, "TAKEOVER_BLOCKED", message)
            }
            Claimed::Stopped(code, message) => ("SKIPPED", Exit::Done, *code, format!("{message}; nothing was done")),
            Claimed::Held(_) => unreachable!("a lane that is held is worked on"),
        };
        Outcome { status, exit, error: Some((code.to_owned(), message)), ..self.blank() }
    }

    /// Closes the row, and returns the outcome.
    pub async fn close(self, halted: Result<(), &Halt>, work: ReportedWork) -> Outcome {
        // A mistake of the caller is a usage error only if nothing was processed.
        let refused = halted.err().and_then(Halt::refusal).filter(|_| work.processed == 0);
        let exit = match halted {
            Err(_) if refused.is_some() => Exit::Usage,
            Err(halt) => halt.exit(),
            Ok(()) if work.failed > 0 && !self.args.partial_ok => Exit::Partial,
            Ok(()) => Exit::Done,
        };
        let error = halted.err().map(|halt| (halt.code().to_owned(), halt.message()));
        let status = match (halted, refused) {
            (Ok(()), _) => "COMPLETED",
            // The job has not failed: it was asked for what is not there or not allowed.
            (_, Some(ErrorKind::BadRequest)) | (Err(Halt::StillRefused(_) | Halt::Paused(_)), _) => "SKIPPED",
            _ => "FAILED",
        };
        let ended = Outcome { status, exit, error, work, ..self.blank() };
        if self.args.common.dry_run {
            return ended;
        }
        let mut cause = "no answer in time".to_owned();
        match tokio::time::timeout(CLOSING, self.write(&ended, halted, &mut cause)).await {
            Ok(Ok(Some(duration_ms))) => Outcome { duration_ms: Some(duration_ms), ..ended },
            Ok(Ok(None)) => {
                let error = Some((Halt::Fenced.code().to_owned(), Halt::Fenced.message()));
                Outcome { status: "FAILED", exit: Exit::Fenced, error, ..ended }
            }
            Ok(Err(error)) => ended.not_closed(&error.message, self.args.lease),
            Err(_) => ended.not_closed(&cause, self.args.lease),
        }
    }

    /// Closes the row, as often as the connection or the server fails. The cause of the last failure is kept.
    async fn write(self, ended: &Outcome, halted: Result<(), &Halt>, cause: &mut String) -> Result<Option<u64>, Error> {
        let report = json!({ "report": ended.work.report });
        let closing = Closing {
            id: self.id,
            status: ended.status,
            error: ended.error.as_ref().map(|(code, message)| (code.as_str(), message.as_str())),
            processed: ended.work.processed,
            failed: ended.work.failed,
            report: Some(&report),
            taken_over_by: None,
            failure_webhook: self.args.failure_webhook.as_deref(),
            result: match halted {
                Ok(()) => RunResult::Succeeded,
                Err(Halt::Brake { notify_at_once: true, .. }) => RunResult::Braked,
                Err(_) if ended.status == "SKIPPED" => RunResult::NotCounted,
                Err(Halt::Stopped(_)) => RunResult::NotCounted,
                Err(_) => RunResult::Failed,
            },
        };
        loop {
            match self.db.renew_after(closing.commit(self.db, limits(self.args.lease)).await) {
                Err(error) if error.kind == ErrorKind::Transient => {
                    warn!(error_code = %error.code, "closing the run: {}; trying again", error.message);
                    *cause = error.message;
                    tokio::time::sleep(CLOSING_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }
}

impl Outcome {
    /// The outcome of a run that never began.
    pub fn not_begun(error: Error) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
        let error = Some((error.code.into_owned(), format!("{}; nothing was done", error.message)));
        let work = ReportedWork::default();
        Self {
            run_id: None,
            lane: None,
            now: None,
            status: "FAILED",
            exit,
            error,
            duration_ms: None,
            left_open: None,
            work,
        }
    }

    /// The outcome with an error that says more than that of its close.
    pub fn with_error(self, code: &str, message: String) -> Self {
        let message = self.left_open.as_ref().map_or(message.clone(), |open| format!("{message}; and {open}"));
        Self { error: Some((code.to_owned(), message)), ..self }
    }

    /// The outcome of a run whose row could not be closed.
    fn not_closed(self, cause: &str, lease: Duration) -> Self {
        let message = format!(
            "the run's row could not be closed ({cause}); a start within {} is SKIPPED, the first one after that takes \
             it over",
            humantime::format_duration(lease)
        );
        if let Some((code, why)) = self.error.clone() {
            warn!(error_code = "NOT_CLOSED", "{message}");
            return Self { left_open: Some(message), ..self }.with_error(&code, why);
        }
        let error = Some(("NOT_CLOSED".into(), format!("the work is done and committed, but {message}")));
        Self { exit: Exit::Failed, status: "FAILED", error, ..self }
    }
}
