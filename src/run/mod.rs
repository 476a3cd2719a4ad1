//! The runner of every job: the claim, fenced transactions, batches, retries, a deadline, a report, an exit code.
//!
//! `job` is the interface of a job, `runner` takes one from the claim to the exit code. The run's row is a lock in
//! `claim`, `fence`, `heartbeat` and `close`; `outcome` is the end of a run, `batch` applies ids, `report` is the
//! result on stdout, `failure_notice` notifies the admins when a job keeps failing. `refusals` is what the database
//! refused, `failed_items` its record, `undeliverable` is what nobody could be told of.

mod args;
mod batch;
mod claim;
mod clock;
mod close;
mod code;
mod failed_items;
mod failure_notice;
mod fence;
mod halt;
mod heartbeat;
mod item_errors;
mod job;
mod limits;
mod outcome;
mod refusals;
mod report;
mod runner;
mod signals;
mod undeliverable;

pub use args::{CommonArgs, JobArgs, RunArgs, Source, as_text, instant, positive_duration};
pub use batch::{
    Batch, Id, LockMode, Rehearsal, applied_ids, apply, apply_in_savepoints, apply_twice, count, skipped_columns,
};
pub use claim::loss_reason;
pub use clock::has_passed;
pub use code::{ALREADY_RUNNING, INTERRUPTED};
pub use failure_notice::failures;
pub use halt::Halt;
pub use job::{Job, Run, WriteOptions};
pub use limits::BATCH_LOCK;
pub use refusals::Coverage;
pub use report::{Counts, NotDone, Report, Summary};
pub use runner::{execute, oldest_due};
pub use undeliverable::{UNDELIVERABLE, UNDELIVERABLE_COLUMN, undeliverable, undeliverable_recorded};

use crate::db::statements;

statements! {
    of claim, close, failed_items, failure_notice, fence, heartbeat, item_errors;
}
