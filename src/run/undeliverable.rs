//! Items that were done, but of which nobody could be told.
//!
//! Rule: such an item counts as processed, and its change stays; it is undeliverable too, which is a warning, a row in
//! `cron_job_run_errors` with the code UNDELIVERABLE, one more of the run's `items_failed`, and exit code 3. The row is
//! written by the statement of the change, so neither is committed without the other, and an item that is not due again
//! is not recorded again.

use tracing::warn;

use super::job::Run;
use super::report::NotDone;
use crate::db::{Key, Row};

pub const UNDELIVERABLE: &str = "UNDELIVERABLE";

/// The column `undeliverable` of a statement's row, in SQL. The statement has the CTE of that name.
pub const UNDELIVERABLE_COLUMN: &str = "ARRAY(SELECT u.id::text FROM undeliverable u ORDER BY u.id) AS undeliverable";

/// The CTE that records what the CTE `undeliverable` of a statement names, in SQL. `run` is the parameter with the
/// run's id.
pub fn undeliverable_recorded(run: &str, entity: &str) -> String {
    format!(include_str!("undeliverable.part.sql"), run = run, entity = entity, code = UNDELIVERABLE)
}

/// The items of a statement's row of which nobody could be told.
fn ids(row: &Row) -> Vec<Key> {
    match row.names().any(|name| name == "undeliverable") {
        true => row.get("undeliverable"),
        false => vec![],
    }
}

/// The number of those items.
pub fn undeliverable(row: &Row) -> u64 {
    ids(row).len() as u64
}

/// Lists those items in the report, the first of a run with a warning each.
pub(super) fn list(run: &Run, entity: &'static str, row: &Row, not_done: &mut NotDone) {
    let run_id = run.id;
    for id in ids(row) {
        if run.refusals.says() {
            warn!(%run_id, entity, %id, error_code = UNDELIVERABLE, "{entity} {id}: it is done, but nobody could be told");
        }
        not_done.list(entity, id, UNDELIVERABLE);
    }
}
