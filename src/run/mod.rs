//! What every job gets: the claim, a fence around each effect, batches, retries, a deadline, a report, an exit code.
//!
//! `job` is what a job sees, `runner` carries one from claim to exit, `lease` is the run's row as a lock, `batch`
//! applies ids, `report` is what comes back, `streak` tells the admins when a job keeps failing.

mod args;
mod batch;
mod halt;
mod job;
mod lease;
mod report;
mod runner;
mod streak;

pub use args::{RunArgs, Source, as_text, positive_duration};
pub use batch::{Batch, Held, Id, Key, apply, apply_twice, count, done, left_alone, rehearse};
pub use halt::Halt;
pub use job::{Job, Run};
pub use lease::committed;
#[cfg(feature = "demo")]
pub use report::Summary;
pub use report::{Counts, NotDone, Report};
pub use runner::execute;
pub use streak::failures;
