//! What every job gets: the claim, a fence around each effect, batches, retries, a deadline, a report, an exit code.
//!
//! `job` is what a job sees, `runner` carries one from claim to exit. The run's row as a lock is in `claim`, `fence`,
//! `heartbeat` and `close`; `outcome` says how a run ended, `batch` applies ids, `report` is what comes back,
//! `failure_notice` tells the admins when a job keeps failing.

mod args;
mod batch;
mod claim;
mod close;
mod code;
mod failure_notice;
mod fence;
mod halt;
mod heartbeat;
mod job;
mod limits;
mod outcome;
mod report;
mod runner;

pub use args::{CommonArgs, JobArgs, RunArgs, Source, as_text, positive_duration};
pub use batch::{
    Batch, Id, Key, LockMode, Rehearsal, apply, apply_in_savepoints, apply_twice, count, done, skipped_columns,
};
pub use claim::lost;
pub use code::{ALREADY_RUNNING, INTERRUPTED};
pub use failure_notice::failures;
pub use fence::committed;
pub use halt::Halt;
pub use job::{Job, Run, WriteOptions};
#[cfg(feature = "demo")]
pub use report::Summary;
pub use report::{Counts, NotDone, Report};
pub use runner::execute;

use crate::db::statements;

statements! {
    of claim, close, failure_notice, fence, heartbeat, job;
}
