//! The record of failed items. What it does not hold is an error: a failure without evidence would be a success to all
//! who look later.

use std::collections::HashSet;

use tokio_postgres::Transaction;
use tracing::warn;
use uuid::Uuid;

use super::halt::Halt;
use super::job::Run;
use super::write_options::WriteOptions;
use crate::db::{dropped, statements};
use crate::error::{Error, ErrorKind};

statements! {
    INSERT_ITEM_ERRORS(UUID, TEXT, TEXT_ARRAY, TEXT, TEXT) = include_str!("insert_item_errors.sql");
    // $1 run id uuid · $2 entity text · $3 ids text[] · $4 error_code text
    COUNT_ITEM_ERRORS(UUID, TEXT, TEXT_ARRAY, TEXT) = "SELECT count(*) AS items FROM cron_job_run_errors
        WHERE run_id = $1 AND entity = $2 AND entity_id = ANY ($3) AND error_code = $4";
}

/// How often a refused record is tried. After a restore the identity of the table may give ids that are there already;
/// each attempt uses up one.
const ATTEMPTS: u32 = 8;

/// Writes a record of failed items, in a fenced transaction.
pub async fn write(run: &Run, body: impl AsyncFn(&Transaction<'_>) -> Result<(), Error>) -> Result<(), Halt> {
    for attempt in 1.. {
        match run.write("recording failed items", WriteOptions::default(), &body).await {
            Err(Halt::Failed(refused)) if refused.kind == ErrorKind::Data && attempt < ATTEMPTS => {
                warn!(run_id = %run.id, error_code = %refused.code, attempt, "{}; trying again", refused.message);
            }
            outcome => return outcome,
        }
    }
    unreachable!("the last attempt returns")
}

/// Records items that failed with this error, as a part of a transaction.
pub async fn insert(
    tx: &Transaction<'_>,
    run: Uuid,
    entity: &str,
    ids: &[String],
    (code, message): (&str, &str),
) -> Result<(), Error> {
    let meant = ids.iter().collect::<HashSet<_>>().len() as u64;
    if INSERT_ITEM_ERRORS.execute(tx, &[&run, &entity, &ids, &code, &message]).await? == meant {
        return Ok(());
    }
    let recorded =
        COUNT_ITEM_ERRORS.one(tx, &[&run, &entity, &ids, &code]).await?.get::<_, i64>("items").unsigned_abs();
    if recorded == meant { Ok(()) } else { Err(dropped("cron_job_run_errors", recorded, meant)) }
}
