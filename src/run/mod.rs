//! The runner of every job: the claim, fenced transactions, batches, retries, a deadline, a report, an exit code.
//!
//! `job` is the interface of a job, `runner` takes one from the claim to the exit code. The run's row is a lock in
//! `claim`, `fence`, `heartbeat` and `close`; `outcome` is the end of a run, `batch` applies ids, `report` is the
//! result on stdout, `failure_notice` notifies the admins when a job keeps failing, `admins` of what it found.
//! `refusals` is what the database refused, `failed_items` its record, `undeliverable` is what nobody could be told of.
//! `totals` adds the runs of a lane up. `records` is all that was recorded of one item, `actor` is who started the run by hand.

mod actor;
mod admins;
mod args;
mod batch;
mod brake;
mod claim;
mod clock;
mod close;
mod code;
mod failed_items;
mod failure_notice;
mod fence;
mod flood;
mod halt;
mod heartbeat;
mod identity;
mod item_errors;
mod job;
mod limits;
mod outcome;
mod pause;
mod reach;
mod records;
mod refusals;
mod report;
mod runner;
mod signals;
mod totals;
mod undeliverable;
mod watched;
mod write_options;

pub use admins::AdminNotice;
pub use args::{CommonArgs, JobArgs, RunArgs, Source, as_text, instant};
pub use batch::{
    Batch, Id, LockMode, Rehearsal, applied_ids, apply, apply_in_savepoints, apply_twice, count, skipped_columns,
};
pub use claim::loss_reason;
pub use clock::has_passed;
pub use code::{ALREADY_RUNNING, INTERRUPTED};
pub use failure_notice::failures;
pub use halt::Halt;
pub use identity::message as restored_message;
pub use item_errors::insert as record_failed_items;
pub use job::{ByHand, Job, Run};
pub use limits::BATCH_LOCK;
pub use pause::{PAUSED, RESTORED};
pub use reach::{FacilityArgs, Reach, lane as lane_within};
pub use records::{Item, Records};
pub use refusals::Coverage;
pub use report::{Counts, NotDone, Report, Summary};
pub use runner::{execute, execute_watched, oldest_due};
pub use signals::ignores_hangup;
pub use totals::{durations_of, lane_durations, lane_totals, success_rate};
pub use undeliverable::{UNDELIVERABLE, UNDELIVERABLE_COLUMN, undeliverable, undeliverable_recorded};
pub use write_options::WriteOptions;

use crate::db::statements;

statements! {
    of admins, claim, close, failed_items, failure_notice, fence, flood, heartbeat, item_errors, records;
}
