//! The slots that jobs block for a leave: each is in the ledger of `apply-absences`, which alone unblocks them.

/// The CTEs that record the CTE `own_blocks` of a statement, in SQL. `now` and `run` are the parameters with the instant
/// and the run.
pub fn own_blocks_recorded(now: &str, run: &str) -> String {
    format!(include_str!("own_blocks.part.sql"), now = now, run = run).trim_end().to_owned()
}
