//! The end of a run: the status of its row changes, and the failure notices are staged in that transaction.

use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::clock::has_passed;
use super::failure_notice::{self, RunResult};
use super::limits::STATUS_LOCK;
use crate::db::{Db, Limits, statements};
use crate::error::Error;

statements! {
    CLOSE(UUID, TEXT, TEXT, TEXT, INT8, INT8, JSONB, UUID) =
        format!(include_str!("close.sql"), has_passed = has_passed("p.completed_at"));
    ALREADY_CLOSED(UUID, TEXT, TEXT) = include_str!("already_closed.sql");
}

/// The values of a run's row at its end.
pub struct Closing<'a> {
    pub id: Uuid,
    pub status: &'a str,
    /// Code and redacted message.
    pub error: Option<(&'a str, &'a str)>,
    pub processed: u64,
    pub failed: u64,
    /// Merged into the row's metadata.
    pub report: Option<&'a Value>,
    /// The run that takes this one over.
    pub taken_over_by: Option<Uuid>,
    pub result: RunResult,
    /// The endpoint that is told beside the admins.
    pub failure_webhook: Option<&'a str>,
}

impl<'a> Closing<'a> {
    /// The end of a run that processed nothing.
    pub fn without_work(id: Uuid, status: &'a str, error: (&'a str, &'a str), result: RunResult) -> Self {
        Self {
            id,
            status,
            error: Some(error),
            processed: 0,
            failed: 0,
            report: None,
            taken_over_by: None,
            result,
            failure_webhook: None,
        }
    }

    /// Changes the status and stages the notices. Returns the duration in milliseconds, or None if the run has been
    /// taken over.
    pub async fn close(&self, tx: &Transaction<'_>) -> Result<Option<u64>, Error> {
        let (code, message) = self.error.unzip();
        let (processed, failed) = (self.processed as i64, self.failed as i64);
        let parameters: [&(dyn ToSql + Sync); 8] =
            [&self.id, &self.status, &code, &message, &processed, &failed, &self.report, &self.taken_over_by];
        let Some(row) = CLOSE.opt(tx, &parameters).await? else { return Ok(None) };
        if self.result != RunResult::Succeeded || row.get("after_failure") {
            failure_notice::stage(tx, self.id, self.result, self.failure_webhook).await?;
        }
        Ok(Some(row.get::<_, i64>("duration_ms").unsigned_abs()))
    }

    /// Closes the run in a transaction of its own. A second call after a lost reply finds the result of the first.
    pub async fn commit(&self, db: &Db, limits: Limits) -> Result<Option<u64>, Error> {
        let mut client = db.client().await?;
        let tx = limits.with_lock(STATUS_LOCK).begin(&mut client).await?;
        if let Some(duration) = self.close(&tx).await? {
            tx.commit().await?;
            return Ok(Some(duration));
        }
        let code = self.error.map(|(code, _)| code);
        let row = ALREADY_CLOSED.opt(&tx, &[&self.id, &self.status, &code]).await?;
        Ok(row.map(|row| row.get::<_, i64>(0).unsigned_abs()))
    }
}
