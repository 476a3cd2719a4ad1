//! Fills an empty registry without its indexes and keys, and builds these afterwards.
//!
//! To keep 54 tables of search sorted row by row takes most of the time of a monthly file, and to look up what is not there
//! much of the rest. All is in the transaction of the merge, so whoever dies leaves the registry empty, and with its
//! indexes.

use tokio_postgres::Transaction;

use super::stage::StagingTable;
use crate::db::statements;
use crate::error::Error;

statements! {
    IS_EMPTY() = "SELECT NOT EXISTS (SELECT FROM npi_key) AS is_empty";
    IS_ONE_TWICE() = "SELECT EXISTS (SELECT FROM npi_key k GROUP BY k.npi HAVING count(*) > 1) AS is_one_twice";
    DELETE_SUPERSEDED[stage: StagingTable = StagingTable::examples()]() =
        format!(include_str!("delete_superseded.sql"), stage = stage);
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
    /// It is filled without its indexes, from all rows of the file.
    Empty,
    Loaded,
}

impl Registry {
    pub const ALL: [Self; 2] = [Self::Empty, Self::Loaded];

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

/// Inserts the keys of all rows. Of an NPI that has more than one line the last one is left; the keys show whether there is
/// such an NPI, since they are not unique meanwhile.
pub async fn insert_keys(
    tx: &Transaction<'_>,
    table: &StagingTable,
    insert: impl AsyncFn() -> Result<(), Error>,
) -> Result<(), Error> {
    tx.batch_execute("SAVEPOINT keys").await?;
    insert().await?;
    if IS_ONE_TWICE.one(tx, &[]).await?.get("is_one_twice") {
        tx.batch_execute("ROLLBACK TO SAVEPOINT keys").await?;
        DELETE_SUPERSEDED.with(table).execute(tx, &[]).await?;
        insert().await?;
    }
    Ok(tx.batch_execute("RELEASE SAVEPOINT keys").await?)
}
