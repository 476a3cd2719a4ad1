//! The outcome of a run, and the writing of it to the run's row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracing::warn;
use uuid::Uuid;

use super::args::RunArgs;
use super::close::Closing;
use super::failure_notice::Ending;
use super::halt::Halt;
use super::limits::limits;
use crate::db::Db;
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;

/// Closing the row may take this long in all.
const CLOSING: Duration = Duration::from_secs(6);

/// How a run ended, or why there was none.
pub struct Outcome {
    pub run_id: Option<Uuid>,
    pub now: Option<DateTime<Utc>>,
    pub status: &'static str,
    pub exit: Exit,
    pub error: Option<(String, String)>,
    /// As the run's row says.
    pub duration_ms: Option<u64>,
    pub work: Work,
}

/// What the job did, as its report says.
#[derive(Default)]
pub struct Work {
    pub report: Value,
    pub processed: u64,
    pub failed: u64,
    pub sentence: Option<String>,
}

/// The row of this run, to be closed.
#[derive(Clone, Copy)]
pub struct RunRow<'a> {
    pub db: &'a Db,
    pub args: &'a RunArgs,
    pub id: Uuid,
}

impl RunRow<'_> {
    /// An outcome with nothing in it yet.
    pub fn blank(self) -> Outcome {
        let run_id = (!self.args.common.dry_run).then_some(self.id);
        Outcome {
            run_id,
            now: None,
            status: "FAILED",
            exit: Exit::Failed,
            error: None,
            duration_ms: None,
            work: Work::default(),
        }
    }

    /// Closes the row, and returns how the run ended.
    pub async fn close(self, worked: Result<(), &Halt>, work: Work) -> Outcome {
        let exit = match worked {
            // What the caller has to correct, as long as nothing is done.
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Refused && work.processed == 0 => Exit::Usage,
            Err(halt) => halt.exit(),
            Ok(()) if work.failed > 0 && !self.args.partial_ok => Exit::Partial,
            Ok(()) => Exit::Done,
        };
        let error = worked.err().map(|halt| (halt.code().to_owned(), halt.message()));
        let status = if error.is_none() { "COMPLETED" } else { "FAILED" };
        let ended = Outcome { status, exit, error, work, ..self.blank() };
        if self.args.common.dry_run {
            return ended;
        }
        match tokio::time::timeout(CLOSING, self.write(&ended, worked)).await {
            Ok(Ok(Some(duration_ms))) => Outcome { duration_ms: Some(duration_ms), ..ended },
            Ok(Ok(None)) => {
                let error = Some((Halt::Fenced.code().to_owned(), Halt::Fenced.message()));
                Outcome { status: "FAILED", exit: Exit::Fenced, error, ..ended }
            }
            Ok(Err(error)) => ended.not_closed(&error.message),
            Err(_) => ended.not_closed("no answer in time"),
        }
    }

    async fn write(self, ended: &Outcome, worked: Result<(), &Halt>) -> Result<Option<u64>, Error> {
        let report = json!({ "report": ended.work.report });
        let closing = Closing {
            id: self.id,
            status: ended.status,
            error: ended.error.as_ref().map(|(code, message)| (code.as_str(), message.as_str())),
            processed: ended.work.processed,
            failed: ended.work.failed,
            report: Some(&report),
            taken_over_by: None,
            ending: match worked {
                Ok(()) => Ending::Succeeded,
                Err(Halt::Brake { news: true, .. }) => Ending::Braked,
                Err(Halt::Interrupted | Halt::Terminated) => Ending::Neither,
                Err(_) => Ending::Failed,
            },
        };
        let mut retry = self.args.retry();
        retry.delay = retry.delay.min(Duration::from_millis(500));
        retry.run("closing the run", async || closing.commit(self.db, limits(self.args.lease)).await).await
    }
}

impl Outcome {
    /// The outcome of a run that never began.
    pub fn not_begun(error: Error) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
        let error = Some((error.code.into_owned(), format!("{}; nothing was done", error.message)));
        Self { run_id: None, now: None, status: "FAILED", exit, error, duration_ms: None, work: Work::default() }
    }

    /// The same where the end could not be written.
    fn not_closed(self, why: &str) -> Self {
        let message = format!("the run's row could not be closed ({why}); the next run takes it over after the lease");
        if !matches!(self.exit, Exit::Done | Exit::Partial) {
            warn!(error_code = "NOT_CLOSED", "{message}");
            return self;
        }
        let error = Some(("NOT_CLOSED".into(), format!("the work is done and committed, but {message}")));
        Self { exit: Exit::Failed, status: "FAILED", error, ..self }
    }
}
