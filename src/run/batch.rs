//! One loop over the ids that are due: batches, isolation of a poison row, dry run.
//!
//! Each batch is one fenced transaction. When the database refuses a row, the batch is halved until that row is alone;
//! it is recorded, and the other rows are applied. Every id is tried once in each pass, so the loop ends.
//!
//! An item that was refused is not tried again before its next try: see `refusals`.
//!
//! An id that is locked by another session is left to the next run. A job that runs weekly uses a second pass, which
//! waits for the locks.

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;
use tokio_postgres::Transaction;
use tracing::{debug, warn};

use super::halt::Halt;
use super::job::Run;
use super::refusals::Due;
use super::report::NotDone;
use super::undeliverable;
use super::write_options::WriteOptions;
use crate::db::{Key, Row};
use crate::error::{Error, ErrorKind};
use crate::output::counted;

/// The number of locked batches in a row, with no applied batch between them, from which more than a single row must be
/// locked. Halving the largest batch down to one row takes 13.
const LOCKED_IN_A_ROW: u32 = 16;
/// The wait of the second pass for each row.
const SECOND_PASS_WAIT: Duration = Duration::from_secs(5);
/// The number of rows that the second pass finds locked before it gives up.
const SECOND_PASS_LOCKED_MAX: usize = 16;

/// The reason for which an item is skipped that was refused, or whose batch was and could not be halved any more.
const WAITING: &str = "waiting";

/// The id of an item.
pub trait Id: Clone + PartialEq + Display + Serialize + Sync {
    /// The ids of a batch that are in a column of the statement's row.
    fn named(batch: &[Self], row: &Row, column: &str) -> Vec<Self>;
}

impl Id for Key {
    fn named(_: &[Self], row: &Row, column: &str) -> Vec<Self> {
        row.get(column)
    }
}

/// The ids to apply, and the kind of item that they identify.
pub struct Batch<'a, I> {
    pub entity: &'static str,
    /// What is to be done with them, where a job does several things with one item: each is refused, and tried again,
    /// by itself. Else empty.
    pub part: &'a str,
    pub ids: &'a [I],
}

/// The columns `locked` and `changed` of a statement's row, in SQL. `ids` is the parameter with the batch, `locked` the
/// CTE of the rows that could be locked, `done` the CTE of the rows that were changed, `table` the table of both.
pub fn skipped_columns(ids: &str, locked: &str, done: &str, table: &str) -> String {
    format!(include_str!("skipped_columns.part.sql"), ids = ids, locked = locked, done = done, table = table)
}

/// The behaviour of a statement at rows that another session has locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    Skip,
    Wait,
}

impl LockMode {
    pub const ALL: [Self; 2] = [Self::Skip, Self::Wait];

    /// The words that follow FOR NO KEY UPDATE.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Skip => "SKIP LOCKED",
            Self::Wait => "",
        }
    }
}

/// The ids that a statement did not skip.
pub fn applied_ids<I: Id>(ids: &[I], row: &Row) -> Vec<I> {
    let [locked, changed] = ["locked", "changed"].map(|column| I::named(ids, row, column));
    ids.iter().filter(|id| !locked.contains(id) && !changed.contains(id)).cloned().collect()
}

/// Applies `statement` to all ids, each batch in a fenced transaction of its own. The statement returns one row: the
/// ids that it skipped, in the arrays `locked` and `changed`, and counts, which `count` adds up after the commit.
pub async fn apply<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    not_done: &mut NotDone,
    statement: impl AsyncFn(&Transaction<'_>, &[I]) -> Result<Row, Error>,
    mut count: impl FnMut(&Row),
) -> Result<(), Halt> {
    let fenced = async |what: &str, ids: &[I]| {
        run.write(what, WriteOptions::BATCH.of_items(ids.len()), async |tx| statement(tx, ids).await).await
    };
    let mut skipped = Skipped { not_done, locked: vec![] };
    let outcome = for_each_batch(run, batch, &mut skipped, fenced, |_, row| count(row)).await;
    skipped.count_locked();
    outcome
}

/// Applies `statement` to all ids like `apply`, for a job whose next run is days away: a locked id is tried a second
/// time, alone, in a statement that waits for the lock. Returns the ids that are still locked.
pub async fn apply_twice<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    not_done: &mut NotDone,
    statement: impl AsyncFn(&Transaction<'_>, &[I], LockMode) -> Result<Row, Error>,
    mut count: impl FnMut(&[I], &Row),
) -> Result<Vec<I>, Halt> {
    let (entity, part) = (batch.entity, batch.part);
    let first = async |what: &str, ids: &[I]| {
        let options = WriteOptions::BATCH.of_items(ids.len());
        run.write(what, options, async |tx| statement(tx, ids, LockMode::Skip).await).await
    };
    let mut skipped = Skipped { not_done, locked: vec![] };
    let mut outcome = for_each_batch(run, batch, &mut skipped, first, &mut count).await;
    if outcome.is_ok() {
        let ids = std::mem::take(&mut skipped.locked);
        outcome = second_pass(run, Batch { entity, part, ids: &ids }, &mut skipped, statement, count).await;
    }
    skipped.count_locked();
    for id in &skipped.locked {
        warn!(run_id = %run.id, entity, %id, "{entity} {id}: somebody else holds it; not done");
    }
    outcome.map(|()| skipped.locked)
}

/// The second pass, one id at a time. It gives up on the remaining ids when many rows are locked.
async fn second_pass<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    skipped: &mut Skipped<'_, I>,
    statement: impl AsyncFn(&Transaction<'_>, &[I], LockMode) -> Result<Row, Error>,
    mut count: impl FnMut(&[I], &Row),
) -> Result<(), Halt> {
    let (entity, part) = (batch.entity, batch.part);
    let options = WriteOptions { lock_wait: Some(SECOND_PASS_WAIT), ..WriteOptions::default() };
    let waiting = async |what: &str, ids: &[I]| {
        run.write(what, options.of_items(ids.len()), async |tx| statement(tx, ids, LockMode::Wait).await).await
    };
    for (index, ids) in batch.ids.chunks(1).enumerate() {
        if skipped.locked.len() >= SECOND_PASS_LOCKED_MAX {
            skipped.locked.extend_from_slice(&batch.ids[index..]);
            break;
        }
        for_each_batch(run, Batch { entity, part, ids }, skipped, &waiting, &mut count).await?;
    }
    Ok(())
}

/// One transaction for all steps of a dry run that must see each other's changes.
#[derive(Clone, Copy)]
pub struct Rehearsal<'a> {
    pub tx: &'a Transaction<'a>,
    /// Whether a later step has to see the changes. Otherwise they are undone at once, so that nobody waits for their
    /// locks.
    pub keep: bool,
}

/// Applies `statement` inside one transaction, each batch in a savepoint.
pub async fn apply_in_savepoints<I: Id>(
    run: &Run,
    Rehearsal { tx, keep }: Rehearsal<'_>,
    batch: Batch<'_, I>,
    not_done: &mut NotDone,
    statement: impl AsyncFn(&Transaction<'_>, &[I]) -> Result<Row, Error>,
    mut count: impl FnMut(&Row),
) -> Result<(), Halt> {
    let saved = async |what: &str, ids: &[I]| {
        run.checkpoint()?;
        tx.batch_execute("SAVEPOINT batch").await.map_err(Error::from)?;
        let outcome = statement(tx, ids).await.map_err(|error| error.context(what));
        let undo = if keep && outcome.is_ok() { "" } else { "ROLLBACK TO SAVEPOINT batch; " };
        tx.batch_execute(&format!("{undo}RELEASE SAVEPOINT batch")).await.map_err(Error::from)?;
        Ok(outcome?)
    };
    let mut skipped = Skipped { not_done, locked: vec![] };
    let outcome = for_each_batch(run, batch, &mut skipped, saved, |_, row| count(row)).await;
    skipped.count_locked();
    outcome
}

/// The items that were not done: the report's counts, and the ids that another session has locked.
struct Skipped<'a, I> {
    not_done: &'a mut NotDone,
    locked: Vec<I>,
}

impl<I> Skipped<'_, I> {
    fn count_locked(&mut self) {
        self.not_done.skip("locked", self.locked.len() as u64);
    }
}

async fn for_each_batch<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    skipped: &mut Skipped<'_, I>,
    execute: impl AsyncFn(&str, &[I]) -> Result<Row, Halt>,
    mut count: impl FnMut(&[I], &Row),
) -> Result<(), Halt> {
    let (entity, part) = (batch.entity, batch.part);
    let Due { ids, waiting } = run.refusals.due(entity, part, batch.ids);
    skipped.not_done.skip(WAITING, waiting);
    let mut locked_in_a_row = 0;
    let mut pending: Vec<&[I]> = ids.chunks(run.batch_rows()).rev().collect();
    while let Some(ids) = pending.pop() {
        let what = format!("changing {} from id {}", counted(ids.len(), entity), ids[0]);
        match execute(&what, ids).await {
            Ok(row) => {
                locked_in_a_row = 0;
                count(ids, &row);
                undeliverable::list(run, entity, &row, skipped.not_done);
                record_skipped(run, Batch { entity, part, ids }, &row, skipped);
            }
            // More than a row is locked: a table, or all rows.
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Locked && locked_in_a_row >= LOCKED_IN_A_ROW => {
                return Err(error.context("nothing could be locked any more; the next run does the rest").into());
            }
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Data && !run.refusals.isolates(ids.len()) => {
                skipped.not_done.skip(WAITING, ids.len() as u64);
            }
            Err(Halt::Failed(error)) if matches!(error.kind, ErrorKind::Data | ErrorKind::Locked) => match ids {
                [id] if error.kind == ErrorKind::Locked => {
                    locked_in_a_row += 1;
                    debug!(run_id = %run.id, entity, %id, "skipped: locked: {}", error.message);
                    skipped.locked.push(id.clone());
                }
                [id] => run.item_refused(skipped.not_done, (entity, part), id, &error).await?,
                _ => {
                    locked_in_a_row += u32::from(error.kind == ErrorKind::Locked);
                    let (first, second) = ids.split_at(ids.len() / 2);
                    pending.extend([second, first]);
                }
            },
            Err(halt) => return Err(halt),
        }
    }
    Ok(())
}

/// Counts the ids of a batch that were no longer due, keeps the locked ids, and logs the outcome of each id at debug
/// level.
fn record_skipped<I: Id>(run: &Run, batch: Batch<'_, I>, row: &Row, skipped: &mut Skipped<'_, I>) {
    let Batch { entity, part, ids } = batch;
    let [locked, changed] = ["locked", "changed"].map(|column| I::named(ids, row, column));
    skipped.not_done.skip("changed", changed.len() as u64);
    let free = ids.iter().filter(|id| !locked.contains(id));
    run.refusals.accepted(entity, part, free, locked.len() + changed.len() < ids.len());
    let refused = refused_ids(row);
    let done = ids.iter().filter(|id| !locked.contains(id) && !changed.contains(id));
    run.note_changed(entity, part, done.filter(|id| !refused.contains(&id.to_string())));
    if tracing::enabled!(tracing::Level::DEBUG) {
        for id in ids {
            let what = match () {
                () if locked.contains(id) => "skipped: locked",
                () if changed.contains(id) => "skipped: no longer due",
                () => "changed",
            };
            debug!(run_id = %run.id, entity, %id, "{what}");
        }
    }
    skipped.locked.extend(locked);
}

/// The ids for which a statement did not do what it was asked for, and wrote down why.
fn refused_ids(row: &Row) -> Vec<String> {
    let names = ["refused", "still_refused"];
    let columns = names.into_iter().filter(|name| row.names().any(|column| column == *name));
    columns.flat_map(|column| row.get::<_, Vec<String>>(column)).collect()
}

/// A count from a statement's row.
pub fn count(row: &Row, column: &str) -> u64 {
    row.get::<_, i64>(column).unsigned_abs()
}
