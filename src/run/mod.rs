//! The runner of every job: the claim, fenced transactions, batches, retries, a deadline, a report, an exit code.
//!
//! `job` is the interface of a job, `runner` takes one from the claim to the exit code. The run's row is a lock in
//! `claim`, `fence`, `heartbeat` and `close`; `outcome` is the end of a run, `batch` applies ids, `report` is the
//! result on stdout, `failure_notice` notifies the admins when a job keeps failing.

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
mod signals;

pub use args::{CommonArgs, JobArgs, RunArgs, Source, as_text, positive_duration};
pub use batch::{
    Batch, Id, LockMode, Rehearsal, applied_ids, apply, apply_in_savepoints, apply_twice, count, skipped_columns,
};
pub use claim::loss_reason;
pub use code::{ALREADY_RUNNING, INTERRUPTED};
pub use failure_notice::failures;
pub use halt::Halt;
pub use job::{Job, Run, WriteOptions};
pub use limits::BATCH_LOCK;
pub use report::{Counts, NotDone, Report, Summary};
pub use runner::{execute, oldest_due};

use crate::db::statements;

statements! {
    of claim, close, failure_notice, fence, heartbeat, job;
}
