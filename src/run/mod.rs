//! What every job gets: the claim, a fence around each effect, batches, retries, a deadline, a report, an exit code.
//!
//! `job` is what a job sees, `runner` carries one from claim to exit, `lease` is the run's row as a lock, `batch`
//! applies ids, `report` is what comes back.

mod args;
mod batch;
mod halt;
mod job;
mod lease;
mod report;
mod retry;
mod runner;

pub use args::RunArgs;
pub use batch::{Batch, apply, count, left_alone};
pub use halt::Halt;
pub use job::{Job, Run};
#[cfg(feature = "demo")]
pub use report::Summary;
pub use report::{NotDone, Report};
pub use runner::execute;
