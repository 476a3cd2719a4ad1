//! Fills an empty registry without its indexes and keys, and builds these afterwards.
//!
//! To keep 54 tables of search sorted row by row takes most of the time of a monthly file. All is in the transaction of
//! the merge, so whoever dies leaves the registry empty, and with its indexes.

use tokio_postgres::Transaction;

use crate::db::statements;
use crate::error::Error;

statements! {
    IS_EMPTY() = "SELECT NOT EXISTS (SELECT FROM npi_key) AS is_empty";
    INDEXES_OFF() = "SELECT npi_indexes_off()";
    INDEXES_ON() = "SELECT npi_indexes_on()";
}

/// A smaller file is merged before as many empty indexes are built.
const ROWS_MIN: u64 = 10_000;
/// For sorting, unless the server gives more anyway. The workers of an index that is built in parallel share it.
const MEMORY: &str = "SELECT set_config('maintenance_work_mem', '256MB', true) FROM pg_settings s
                      WHERE s.name = 'maintenance_work_mem' AND s.setting::bigint < 262144";

/// What a file is merged into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// It is filled without its indexes.
    Empty,
    Loaded,
}

impl Registry {
    /// A file with few rows is merged, whatever is there.
    pub async fn of(tx: &Transaction<'_>, rows: u64) -> Result<Self, Error> {
        let is_filled = rows >= ROWS_MIN && IS_EMPTY.one(tx, &[]).await?.get("is_empty");
        Ok(if is_filled { Self::Empty } else { Self::Loaded })
    }
}

pub async fn indexes_off(tx: &Transaction<'_>) -> Result<(), Error> {
    INDEXES_OFF.execute(tx, &[]).await.map(drop)
}

pub async fn indexes_on(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.batch_execute(MEMORY).await?;
    INDEXES_ON.execute(tx, &[]).await.map(drop)
}
