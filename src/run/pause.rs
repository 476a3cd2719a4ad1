//! The stop switch: what a person has paused in the table `pauses`, and what follows for a run.
//!
//! Rule: a lane is paused if and only if a row of it, of its job or of all jobs has no `resumed_at` and its `until`, if
//! any, lies in the future. A run that begins then is SKIPPED; one that is at work stops at its next batch, when its
//! heartbeat has seen the pause. A run with `--even-if-paused` sees none.

/// The code of a run that a pause has prevented or ended.
pub const PAUSED: &str = "PAUSED";
/// The code of a run that would tell people, in a database that is not the recorded one.
pub const RESTORED: &str = "RESTORED";

/// The message that a lane is paused, or NULL, in SQL. `job` and `lane` are expressions.
pub fn paused(job: &str, lane: &str) -> String {
    format!(include_str!("paused.part.sql"), job = job, lane = lane)
}
