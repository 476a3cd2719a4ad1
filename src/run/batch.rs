//! One loop over the ids that are due: batches, isolation of a poison row, dry run.
//!
//! Each batch is one fenced transaction. When the database refuses a row, the batch is halved until that row is alone;
//! it is recorded, and the others go through. Every id is tried once a pass, so the loop ends.
//!
//! What somebody else holds is left to the next run. Where that is a week away, it gets a second pass, which waits for it.

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;
use tokio_postgres::types::{FromSqlOwned, ToSql, Type};
use tokio_postgres::{Row, Transaction};
use tracing::{debug, warn};
use uuid::Uuid;

use super::halt::Halt;
use super::job::Run;
use super::report::NotDone;
use crate::redact::{Class, Failure};

/// So many batches that met a lock, with none that went through between, mean that it is no single row. Halving the
/// largest batch down to one row takes 13.
const LOCKED_IN_A_ROW: u32 = 16;
/// How long a second pass waits for a row that somebody else holds, and for how many in vain.
const PATIENCE: Duration = Duration::from_secs(5);
const WAITED_FOR: usize = 16;

/// What an item is known by.
pub trait Id: Copy + PartialEq + Display + Serialize + Sync {
    /// Those of a batch that a column of its statement's row names.
    fn named(batch: &[Self], row: &Row, column: &str) -> Vec<Self>;
}

/// What a row is known by that is there already.
pub trait Key: Id + ToSql + FromSqlOwned {
    const ARRAY: Type;
}

impl Key for i64 {
    const ARRAY: Type = Type::INT8_ARRAY;
}

impl Key for Uuid {
    const ARRAY: Type = Type::UUID_ARRAY;
}

impl<K: Key> Id for K {
    fn named(_: &[Self], row: &Row, column: &str) -> Vec<Self> {
        row.get(column)
    }
}

/// The ids to apply, and what they are ids of.
pub struct Batch<'a, I> {
    pub entity: &'static str,
    pub ids: &'a [I],
}

/// The columns `locked` and `changed` of a statement's row, in SQL. `ids` is the parameter with the batch, `mine` the CTE
/// of the rows that could be had, `done` the CTE of those that were changed, `table` where they are.
pub fn left_alone(ids: &str, mine: &str, done: &str, table: &str) -> String {
    format!(include_str!("left_alone.sql"), ids = ids, mine = mine, done = done, table = table)
}

/// What a statement does about rows that somebody else holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Skip,
    Wait,
}

impl Held {
    /// Behind FOR NO KEY UPDATE.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Skip => "SKIP LOCKED",
            Self::Wait => "",
        }
    }
}

/// The ids that a statement did not leave alone.
pub fn done<I: Id>(ids: &[I], row: &Row) -> Vec<I> {
    let [locked, changed] = ["locked", "changed"].map(|column| I::named(ids, row, column));
    ids.iter().copied().filter(|id| !locked.contains(id) && !changed.contains(id)).collect()
}

/// Applies `statement` to all ids, each batch in a fenced transaction of its own. It returns one row: the ids that it left
/// alone in the arrays `locked` and `changed`, and counts, which `tally` adds up once they are committed.
pub async fn apply<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    not_done: &mut NotDone,
    statement: impl AsyncFn(&Transaction<'_>, &[I]) -> Result<Row, tokio_postgres::Error>,
    mut tally: impl FnMut(&Row),
) -> Result<(), Halt> {
    let fenced = async |what: &str, ids: &[I]| run.effect(what, async |tx| Ok(statement(tx, ids).await?)).await;
    let mut locked = vec![];
    let outcome = each(run, batch, (not_done, &mut locked), fenced, |_, row| tally(row)).await;
    not_done.skip("locked", locked.len() as u64);
    outcome
}

/// The same for a job whose next run is far: what was locked is tried once more, each id alone, and waited for. Returns what
/// is locked still.
pub async fn apply_twice<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    not_done: &mut NotDone,
    statement: impl AsyncFn(&Transaction<'_>, &[I], Held) -> Result<Row, Failure>,
    mut tally: impl FnMut(&[I], &Row),
) -> Result<Vec<I>, Halt> {
    let entity = batch.entity;
    let first = async |what: &str, ids: &[I]| run.effect(what, async |tx| statement(tx, ids, Held::Skip).await).await;
    let mut locked = vec![];
    let mut outcome = each(run, batch, (not_done, &mut locked), first, &mut tally).await;
    if outcome.is_ok() {
        let ids = std::mem::take(&mut locked);
        outcome = wait_for(run, Batch { entity, ids: &ids }, (not_done, &mut locked), statement, tally).await;
    }
    not_done.skip("locked", locked.len() as u64);
    for id in &locked {
        warn!(run_id = %run.id, entity, %id, "{entity} {id}: somebody else holds it; not done");
    }
    outcome.map(|()| locked)
}

/// The second pass, an id at a time. When it is no few rows that are held, it gives up on those that are left.
async fn wait_for<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    (not_done, left): (&mut NotDone, &mut Vec<I>),
    statement: impl AsyncFn(&Transaction<'_>, &[I], Held) -> Result<Row, Failure>,
    mut tally: impl FnMut(&[I], &Row),
) -> Result<(), Halt> {
    let entity = batch.entity;
    let waiting = async |what: &str, ids: &[I]| {
        run.effect_within(PATIENCE, what, async |tx| statement(tx, ids, Held::Wait).await).await
    };
    for (index, ids) in batch.ids.chunks(1).enumerate() {
        if left.len() >= WAITED_FOR {
            left.extend(&batch.ids[index..]);
            break;
        }
        each(run, Batch { entity, ids }, (not_done, left), &waiting, &mut tally).await?;
    }
    Ok(())
}

/// The same inside one transaction, a savepoint for each batch: for a dry run whose steps must see each other. What no later
/// step sees is not kept, so that nobody waits for its locks.
pub async fn rehearse<I: Id>(
    run: &Run,
    (tx, keep): (&Transaction<'_>, bool),
    batch: Batch<'_, I>,
    not_done: &mut NotDone,
    statement: impl AsyncFn(&Transaction<'_>, &[I]) -> Result<Row, tokio_postgres::Error>,
    mut tally: impl FnMut(&Row),
) -> Result<(), Halt> {
    let saved = async |what: &str, ids: &[I]| {
        run.checkpoint()?;
        tx.batch_execute("SAVEPOINT batch").await.map_err(Failure::from)?;
        let outcome = statement(tx, ids).await.map_err(|error| Failure::from(error).context(what));
        let undo = if keep && outcome.is_ok() { "" } else { "ROLLBACK TO SAVEPOINT batch; " };
        tx.batch_execute(&format!("{undo}RELEASE SAVEPOINT batch")).await.map_err(Failure::from)?;
        Ok(outcome?)
    };
    let mut locked = vec![];
    let outcome = each(run, batch, (not_done, &mut locked), saved, |_, row| tally(row)).await;
    not_done.skip("locked", locked.len() as u64);
    outcome
}

async fn each<I: Id>(
    run: &Run,
    batch: Batch<'_, I>,
    (not_done, locked): (&mut NotDone, &mut Vec<I>),
    execute: impl AsyncFn(&str, &[I]) -> Result<Row, Halt>,
    mut tally: impl FnMut(&[I], &Row),
) -> Result<(), Halt> {
    let entity = batch.entity;
    let mut locked_in_a_row = 0;
    let mut todo: Vec<&[I]> = batch.ids.chunks(run.batch_rows()).rev().collect();
    while let Some(ids) = todo.pop() {
        let what = format!("changing {} {entity}(s) from id {}", ids.len(), ids[0]);
        match execute(&what, ids).await {
            Ok(row) => {
                locked_in_a_row = 0;
                tally(ids, &row);
                locked.extend(leave(run, entity, ids, &row, not_done));
            }
            // Not a row: a table, or all there is.
            Err(Halt::Failed(failure)) if failure.class == Class::Locked && locked_in_a_row >= LOCKED_IN_A_ROW => {
                return Err(failure.context("nothing could be locked any more; the next run does the rest").into());
            }
            Err(Halt::Failed(failure)) if matches!(failure.class, Class::Data | Class::Locked) => match ids {
                [id] if failure.class == Class::Locked => {
                    locked_in_a_row += 1;
                    debug!(run_id = %run.id, entity, %id, "skipped: locked");
                    locked.push(*id);
                }
                [_] => run.items_failed(not_done, entity, ids, &failure).await?,
                _ => {
                    locked_in_a_row += u32::from(failure.class == Class::Locked);
                    let (first, second) = ids.split_at(ids.len() / 2);
                    todo.extend([second, first]);
                }
            },
            Err(halt) => return Err(halt),
        }
    }
    Ok(())
}

/// Counts the ids of a batch that were no longer due, says at debug level what became of each, and returns those that
/// somebody else holds.
fn leave<I: Id>(run: &Run, entity: &'static str, ids: &[I], row: &Row, not_done: &mut NotDone) -> Vec<I> {
    let [locked, changed] = ["locked", "changed"].map(|column| I::named(ids, row, column));
    not_done.skip("changed", changed.len() as u64);
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return locked;
    }
    for id in ids {
        let what = match () {
            () if locked.contains(id) => "skipped: locked",
            () if changed.contains(id) => "skipped: no longer due",
            () => "changed",
        };
        debug!(run_id = %run.id, entity, %id, "{what}");
    }
    locked
}

/// A count from a statement's row.
pub fn count(row: &Row, column: &str) -> u64 {
    row.get::<_, i64>(column).unsigned_abs()
}
