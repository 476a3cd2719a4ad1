//! Merges a staged file into the registry: one transaction a file, so that search finds the old rows until it commits.

use std::time::Instant;

use chrono::NaiveDate;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::debug;

use super::fetch::DataFile;
use super::pfile::Pfile;
use super::row::STAGED;
use super::stage::{Staged, StagingTable};
use crate::db::{Row, statements};
use crate::error::Error;
use crate::run::{Run, count};

statements! {
    COUNT_STAGED[stage: StagingTable = StagingTable::examples()]() =
        format!("SELECT count(*) AS rows, count(reject) AS rejected FROM {stage}");
    INSERT_FILE(TEXT, TEXT, TEXT, INT8, DATE, DATE, TEXT, TIMESTAMPTZ, UUID) = include_str!("insert_file.sql");
    CLASSIFY[file: StagedFile = StagedFile::examples()]() =
        format!(include_str!("classify.sql"), stage = file.table, end = file.period_end);
    DELETE_SEARCH[search: SearchTable = SearchTable::ALL.into()]() =
        format!(include_str!("delete_search.sql"), table = search.name(), type = search.entity_type());
    INSERT_KEYS() = include_str!("insert_keys.sql");
    UPDATE_KEYS() = include_str!("update_keys.sql");
    UPDATE_ROWS[stage: StagingTable = StagingTable::examples()](INT8) =
        format!(include_str!("update_rows.sql"), stage = stage, assignments = assignments());
    UPDATE_DEACTIVATED[stage: StagingTable = StagingTable::examples()](INT8) =
        format!(include_str!("update_deactivated.sql"), stage = stage);
    INSERT_ROWS[stage: StagingTable = StagingTable::examples()](INT8) =
        format!(include_str!("insert_rows.sql"), stage = stage, columns = columns().join(", "));
    INSERT_SURGEONS[stage: StagingTable = StagingTable::examples()]() =
        format!(include_str!("insert_surgeons.sql"), stage = stage);
    INSERT_FACILITIES[stage: StagingTable = StagingTable::examples()]() =
        format!(include_str!("insert_facilities.sql"), stage = stage);
    INSERT_REJECTS[stage: StagingTable = StagingTable::examples()](INT8) =
        format!(include_str!("insert_rejects.sql"), stage = stage);
    UPDATE_COUNTS(INT8, INT8, INT8, INT8, INT8, INT8, TIMESTAMPTZ) = include_str!("update_counts.sql");
}

/// The planner's settings for the merge. With this memory all of a weekly file fits, and less of a monthly one goes to
/// disk; the default cost of a random page is that of a disk with a head, and would forbid the look-ups.
const SETTINGS: &str = "SET LOCAL work_mem = '128MB'; SET LOCAL random_page_cost = 1.1";
/// The planner does not know that a look-up skips the partitions of the other letters; it would read all of them
/// instead.
const LOOK_UPS_ONLY: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
const ALL_JOINS: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";

/// The merge of one staged file.
pub struct Merge<'a> {
    pub run: &'a Run,
    pub table: &'a StagingTable,
    pub file: &'a DataFile,
    pub pfile: &'a Pfile,
    pub staged: &'a Staged,
}

/// The outcome of a merge.
pub enum Merged {
    /// The counts of the file, as the ledger has them.
    Done(Row),
    /// The staging table is not logged, and the server has crashed and emptied it. The file must be staged again.
    StagingLost,
}

/// A staging table, and the last day of the file in it.
struct StagedFile {
    table: StagingTable,
    period_end: NaiveDate,
}

impl StagedFile {
    fn examples() -> Vec<Self> {
        StagingTable::examples().into_iter().map(|table| Self { table, period_end: NaiveDate::default() }).collect()
    }
}

#[derive(Clone, Copy)]
enum SearchTable {
    Surgeons,
    Facilities,
}

impl SearchTable {
    const ALL: [Self; 2] = [Self::Surgeons, Self::Facilities];

    fn name(self) -> &'static str {
        match self {
            Self::Surgeons => "search_surgeon",
            Self::Facilities => "search_facility",
        }
    }

    fn entity_type(self) -> i16 {
        match self {
            Self::Surgeons => 1,
            Self::Facilities => 2,
        }
    }
}

/// The columns that `npi_data` and the staging table have in common, with the same content.
fn columns() -> Vec<&'static str> {
    let others = ["line", "reject", "npi", "entity_type", "bare", "letter", "folded"];
    STAGED.iter().map(|(name, _)| *name).filter(|name| !others.contains(name)).collect()
}

fn assignments() -> String {
    columns().iter().map(|name| format!("{name} = s.{name}")).collect::<Vec<_>>().join(", ")
}

impl Merge<'_> {
    /// Nothing is changed where the staging table was lost.
    pub async fn execute(&self, tx: &Transaction<'_>) -> Result<Merged, Error> {
        tx.batch_execute(SETTINGS).await?;
        let counted = COUNT_STAGED.with(self.table).one(tx, &[]).await?;
        if (count(&counted, "rows"), count(&counted, "rejected")) != (self.staged.rows, self.staged.rejected) {
            return Ok(Merged::StagingLost);
        }
        let id = self.insert_file(tx).await?;
        timed("classify", self.classify(tx)).await?;
        timed("delete search", delete_search(tx)).await?;
        timed("insert keys", INSERT_KEYS.execute(tx, &[])).await?;
        timed("update keys", UPDATE_KEYS.execute(tx, &[])).await?;
        timed("update rows", UPDATE_ROWS.with(self.table).execute(tx, &[&id])).await?;
        timed("update deactivated", UPDATE_DEACTIVATED.with(self.table).execute(tx, &[&id])).await?;
        timed("insert rows", INSERT_ROWS.with(self.table).execute(tx, &[&id])).await?;
        timed("insert surgeons", INSERT_SURGEONS.with(self.table).execute(tx, &[])).await?;
        timed("insert facilities", INSERT_FACILITIES.with(self.table).execute(tx, &[])).await?;
        timed("insert rejects", INSERT_REJECTS.with(self.table).execute(tx, &[&id])).await?;
        let counts = self.update_counts(tx, id).await?;
        tx.batch_execute("DROP TABLE npi_todo").await?;
        Ok(Merged::Done(counts))
    }

    /// Enters the file into the ledger; returns its id.
    async fn insert_file(&self, tx: &Transaction<'_>) -> Result<i64, Error> {
        let Self { run, file, pfile, staged, .. } = self;
        let parameters: [&(dyn ToSql + Sync); 9] = [
            &file.name,
            &pfile.kind.as_str(),
            &file.content.sha256,
            &file.content.bytes.cast_signed(),
            &pfile.start,
            &pfile.end,
            &staged.header,
            &run.now,
            &run.id,
        ];
        Ok(INSERT_FILE.one(tx, &parameters).await?.get(0))
    }

    async fn classify(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let select = CLASSIFY.with(&StagedFile { table: self.table.clone(), period_end: self.pfile.end });
        let create = format!("CREATE TEMPORARY TABLE npi_todo AS\n{}; ANALYZE npi_todo", select.text());
        Ok(tx.batch_execute(&create).await?)
    }

    async fn update_counts(&self, tx: &Transaction<'_>, id: i64) -> Result<Row, Error> {
        let Staged { rows, by_type: [none, individuals, organizations], rejected, .. } = self.staged;
        let [rows, none, individuals, organizations, rejected] =
            [rows, none, individuals, organizations, rejected].map(|count| count.cast_signed());
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&id, &rows, &none, &individuals, &organizations, &rejected, &self.file.began];
        UPDATE_COUNTS.one(tx, &parameters).await
    }
}

async fn delete_search(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.batch_execute(LOOK_UPS_ONLY).await?;
    for search in SearchTable::ALL {
        DELETE_SEARCH.with(&search).execute(tx, &[]).await?;
    }
    Ok(tx.batch_execute(ALL_JOINS).await?)
}

/// Logs how long a step took.
async fn timed<T>(step: &str, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let value = work.await;
    debug!(seconds = began.elapsed().as_secs_f64(), "merge: {step}");
    value
}
