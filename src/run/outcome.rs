//! The outcome of a run, and its record in the run's row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracing::warn;
use uuid::Uuid;

use super::args::RunArgs;
use super::close::Closing;
use super::failure_notice::RunResult;
use super::halt::Halt;
use super::limits::limits;
use crate::db::Db;
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;

/// The time limit for closing the row, retries included.
const CLOSING: Duration = Duration::from_secs(6);

/// The end of a run, or the reason for which there was none.
pub struct Outcome {
    pub run_id: Option<Uuid>,
    pub now: Option<DateTime<Utc>>,
    pub status: &'static str,
    pub exit: Exit,
    pub error: Option<(String, String)>,
    /// The duration in the run's row.
    pub duration_ms: Option<u64>,
    pub work: ReportedWork,
}

/// The work of the job, according to its report.
#[derive(Default)]
pub struct ReportedWork {
    pub report: Value,
    pub processed: u64,
    pub failed: u64,
    pub sentence: Option<String>,
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
            now: None,
            status: "FAILED",
            exit: Exit::Failed,
            error: None,
            duration_ms: None,
            work: ReportedWork::default(),
        }
    }

    /// Closes the row, and returns the outcome.
    pub async fn close(self, halted: Result<(), &Halt>, work: ReportedWork) -> Outcome {
        let exit = match halted {
            // A mistake of the caller is a usage error only if nothing was processed.
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Refused && work.processed == 0 => Exit::Usage,
            Err(halt) => halt.exit(),
            Ok(()) if work.failed > 0 && !self.args.partial_ok => Exit::Partial,
            Ok(()) => Exit::Done,
        };
        let error = halted.err().map(|halt| (halt.code().to_owned(), halt.message()));
        let status = match halted {
            Ok(()) => "COMPLETED",
            Err(Halt::StillRefused(_)) => "SKIPPED",
            Err(_) => "FAILED",
        };
        let ended = Outcome { status, exit, error, work, ..self.blank() };
        if self.args.common.dry_run {
            return ended;
        }
        match tokio::time::timeout(CLOSING, self.write(&ended, halted)).await {
            Ok(Ok(Some(duration_ms))) => Outcome { duration_ms: Some(duration_ms), ..ended },
            Ok(Ok(None)) => {
                let error = Some((Halt::Fenced.code().to_owned(), Halt::Fenced.message()));
                Outcome { status: "FAILED", exit: Exit::Fenced, error, ..ended }
            }
            Ok(Err(error)) => ended.not_closed(&error.message, self.args.lease),
            Err(_) => ended.not_closed("no answer in time", self.args.lease),
        }
    }

    async fn write(self, ended: &Outcome, halted: Result<(), &Halt>) -> Result<Option<u64>, Error> {
        let report = json!({ "report": ended.work.report });
        let closing = Closing {
            id: self.id,
            status: ended.status,
            error: ended.error.as_ref().map(|(code, message)| (code.as_str(), message.as_str())),
            processed: ended.work.processed,
            failed: ended.work.failed,
            report: Some(&report),
            taken_over_by: None,
            result: match halted {
                Ok(()) => RunResult::Succeeded,
                Err(Halt::Brake { notify_at_once: true, .. }) => RunResult::Braked,
                Err(Halt::Stopped(_) | Halt::StillRefused(_)) => RunResult::NotCounted,
                Err(_) => RunResult::Failed,
            },
        };
        let mut retry = self.args.retry(None);
        retry.delay = retry.delay.min(Duration::from_millis(500));
        retry.run("closing the run", async || closing.commit(self.db, limits(self.args.lease)).await).await
    }
}

impl Outcome {
    /// The outcome of a run that never began.
    pub fn not_begun(error: Error) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
        let error = Some((error.code.into_owned(), format!("{}; nothing was done", error.message)));
        let work = ReportedWork::default();
        Self { run_id: None, now: None, status: "FAILED", exit, error, duration_ms: None, work }
    }

    /// The outcome of a run whose row could not be closed.
    fn not_closed(self, cause: &str, lease: Duration) -> Self {
        let message = format!(
            "the run's row could not be closed ({cause}); a start within {} is SKIPPED, the first one after that takes \
             it over",
            humantime::format_duration(lease)
        );
        if !matches!(self.exit, Exit::Done | Exit::Partial) {
            warn!(error_code = "NOT_CLOSED", "{message}");
            return self;
        }
        let error = Some(("NOT_CLOSED".into(), format!("the work is done and committed, but {message}")));
        Self { exit: Exit::Failed, status: "FAILED", error, ..self }
    }
}
