//! Merges a staged file into the registry: one transaction a file, so that search finds the old rows until it commits.

use std::time::Instant;

use chrono::NaiveDate;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::{debug, warn};

use super::fetch::DataFile;
use super::first::{self, Registry};
use super::isolate::{Refused, refused_rows};
use super::merge_names::{self, Renamed, StagedNames};
use super::pfile::Pfile;
use super::stage::{Counts, Staged, StagingTable};
use super::todo::Todo;
use super::tuple::STAGED;
use super::watch::{self, Changed};
use crate::clinic::npi::raw;
use crate::db::{Row, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{Run, count};

statements! {
    of first, merge_names, watch;
    COUNT_STAGED[stage: StagingTable = StagingTable::examples()]() =
        format!("SELECT count(*) AS rows, count(reject) AS rejected FROM {stage}");
    REFUSED[stage: StagingTable = StagingTable::examples()](INT8_ARRAY) =
        format!(include_str!("refused.sql"), stage = stage);
    REJECT[stage: StagingTable = StagingTable::examples()](TEXT, TEXT, BYTEA) =
        format!("UPDATE {stage} SET reject = $2, raw = $3 WHERE ctid = $1::text::tid");
    INSERT_FILE(TEXT, TEXT, TEXT, INT8, DATE, DATE, TEXT, TIMESTAMPTZ, UUID, TEXT) = include_str!("insert_file.sql");
    CLASSIFY[file: StagedFile = StagedFile::examples()]() =
        format!(include_str!("classify.sql"), stage = file.table, end = file.period_end);
    DELETE_SEARCH[search: SearchTable = SearchTable::ALL.into()]() =
        format!(include_str!("delete_search.sql"), table = search.name(), type = search.entity_type());
    INSERT_KEYS[todo: Todo = Todo::examples()]() = format!(include_str!("insert_keys.sql"), todo = todo.alone());
    UPDATE_KEYS() = include_str!("update_keys.sql");
    UPDATE_ROWS[stage: StagingTable = StagingTable::examples()](INT8) =
        format!(include_str!("update_rows.sql"), stage = stage, assignments = assignments());
    UPDATE_DEACTIVATED[stage: StagingTable = StagingTable::examples()](INT8) =
        format!(include_str!("update_deactivated.sql"), stage = stage);
    INSERT_ROWS[todo: Todo = Todo::examples()](INT8) =
        format!(include_str!("insert_rows.sql"), rows = todo.rows(), columns = columns().join(", "));
    INSERT_SURGEONS[todo: Todo = Todo::examples()]() =
        format!(include_str!("insert_surgeons.sql"), rows = todo.rows());
    INSERT_FACILITIES[todo: Todo = Todo::examples()]() =
        format!(include_str!("insert_facilities.sql"), rows = todo.rows());
    INSERT_REJECTS[stage: StagingTable = StagingTable::examples()](INT8) =
        format!(include_str!("insert_rejects.sql"), stage = stage);
    UPDATE_COUNTS[todo: Todo = Todo::examples()]
        (INT8, INT8, INT8, INT8, INT8, INT8, TIMESTAMPTZ, INT8, INT8, INT8, INT8) =
        format!(include_str!("update_counts.sql"), todo = todo.alone());
}

/// The planner's settings for the merge. With this memory all of a weekly file fits, and less of a monthly one goes to
/// disk; the default cost of a random page is that of a disk with a head, and would forbid the look-ups.
const SETTINGS: &str = "SET LOCAL work_mem = '128MB'; SET LOCAL random_page_cost = 1.1";
/// The planner does not know that a look-up skips the partitions of the other letters; it would read all of them
/// instead.
const LOOK_UPS_ONLY: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
const ALL_JOINS: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";

/// So many rows of a file at most are found that the database refuses; more have one cause, and are no rows to be put
/// aside.
const REFUSED_MAX: usize = 1000;
/// So many lines at most are named.
const LINES_NAMED: usize = 5;

/// The merge of one staged file.
pub struct Merge<'a> {
    pub run: &'a Run,
    pub table: &'a StagingTable,
    pub file: &'a DataFile,
    pub pfile: &'a Pfile,
    pub staged: &'a Staged,
    /// So many rows that the database refuses are put aside.
    pub refused_max: usize,
}

/// The outcome of a merge.
pub enum Merged {
    /// The counts of the file, as the ledger has them, and what it has changed of watched providers.
    Done(Row, Vec<Changed>),
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
    let others = [
        "line",
        "reject",
        "npi",
        "entity_type",
        "bare",
        "letter",
        "folded",
        "raw",
        "other_full",
        "other_kind",
        "other_letter",
        "other_folded",
    ];
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
        if (count(&counted, "rows"), count(&counted, "rejected")) != self.staged.in_table() {
            return Ok(Merged::StagingLost);
        }
        let mut counts = self.staged.clone();
        loop {
            tx.batch_execute("SAVEPOINT merge").await?;
            match self.attempt(tx, &counts).await {
                Ok((counts, changed)) => return Ok(Merged::Done(counts, changed)),
                Err(error) if error.kind == ErrorKind::Data => {
                    tx.batch_execute("ROLLBACK TO SAVEPOINT merge").await?;
                    self.put_aside(tx, &mut counts, error).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&self, tx: &Transaction<'_>, staged: &Staged) -> Result<(Row, Vec<Changed>), Error> {
        let id = self.insert_file(tx).await?;
        let todo = self.todo(Registry::of(tx, staged.main.rows).await?);
        let renamed = match todo.registry {
            Registry::Empty => self.fill(tx, &todo, id).await?,
            Registry::Loaded => {
                timed("classify", self.classify(tx)).await?;
                self.carry_out(tx, id).await?
            }
        };
        timed("insert rejects", INSERT_REJECTS.with(self.table).execute(tx, &[&id])).await?;
        let counts = timed("counts", self.update_counts(tx, &todo, id, (staged, renamed))).await?;
        let changed = watch::changes(tx, id).await?;
        watch::tell(tx, self.run, &self.file.name, &self.file.content.sha256, &changed).await?;
        if todo.registry == Registry::Loaded {
            tx.batch_execute("DROP TABLE npi_todo, npi_names").await?;
        }
        tx.batch_execute("RELEASE SAVEPOINT merge").await?;
        Ok((counts, changed))
    }

    fn todo(&self, registry: Registry) -> Todo {
        Todo { table: self.table.clone(), registry }
    }

    /// Fills an empty registry with all rows.
    async fn fill(&self, tx: &Transaction<'_>, todo: &Todo, id: i64) -> Result<Renamed, Error> {
        timed("indexes off", first::indexes_off(tx)).await?;
        let keys = async || INSERT_KEYS.with(todo).execute(tx, &[]).await.map(drop);
        timed("insert keys", first::insert_keys(tx, self.table, keys)).await?;
        timed("changes", watch::record(tx, todo, id)).await?;
        self.insert_rows(tx, todo, id).await?;
        let added = timed("other names", merge_names::insert(tx, todo, id)).await?;
        timed("indexes on", first::indexes_on(tx)).await?;
        Ok(Renamed { added, removed: 0 })
    }

    /// Carries out the rows in `npi_todo` and `npi_names`.
    async fn carry_out(&self, tx: &Transaction<'_>, id: i64) -> Result<Renamed, Error> {
        let todo = &self.todo(Registry::Loaded);
        timed("changes", watch::record(tx, todo, id)).await?;
        timed("delete search", delete_search(tx)).await?;
        timed("insert keys", INSERT_KEYS.with(todo).execute(tx, &[])).await?;
        timed("update keys", UPDATE_KEYS.execute(tx, &[])).await?;
        timed("update rows", UPDATE_ROWS.with(self.table).execute(tx, &[&id])).await?;
        timed("update deactivated", UPDATE_DEACTIVATED.with(self.table).execute(tx, &[&id])).await?;
        self.insert_rows(tx, todo, id).await?;
        timed("other names", merge_names::replace(tx, todo, id)).await
    }

    async fn insert_rows(&self, tx: &Transaction<'_>, todo: &Todo, id: i64) -> Result<(), Error> {
        timed("insert rows", INSERT_ROWS.with(todo).execute(tx, &[&id])).await?;
        timed("insert surgeons", INSERT_SURGEONS.with(todo).execute(tx, &[])).await?;
        timed("insert facilities", INSERT_FACILITIES.with(todo).execute(tx, &[])).await.map(drop)
    }

    /// Makes rejects of the rows that the database has refused with this error, so that the next attempt goes without
    /// them. It is an error where it refused no row, or too many.
    async fn put_aside(&self, tx: &Transaction<'_>, counts: &mut Staged, error: Error) -> Result<(), Error> {
        let most = self.refused_max.saturating_sub((counts.in_table().1 - self.staged.in_table().1) as usize);
        let id = self.insert_file(tx).await?;
        self.classify(tx).await?;
        let refused = refused_rows(tx, most.min(REFUSED_MAX), async || self.carry_out(tx, id).await.map(drop)).await?;
        tx.batch_execute("ROLLBACK TO SAVEPOINT merge; RELEASE SAVEPOINT merge").await?;
        if refused.is_empty() {
            return Err(error);
        }
        let npis: Vec<i64> = refused.iter().map(|refused| refused.npi).collect();
        let rows = REFUSED.with(self.table).all(tx, &[&npis]).await?;
        if refused.len() > most {
            let lines: Vec<String> =
                rows.iter().take(LINES_NAMED).map(|row| row.get::<_, i64>("line").abs().to_string()).collect();
            let name = &self.file.name;
            return Err(error.context(format_args!(
                "the database refuses more rows of {name} than --max-reject-share allows, the first in line {}",
                lines.join(", ")
            )));
        }
        for row in rows {
            self.reject(tx, counts, &refused, &row).await?;
        }
        Ok(())
    }

    async fn reject(
        &self,
        tx: &Transaction<'_>,
        counts: &mut Staged,
        refused: &[Refused],
        row: &Row,
    ) -> Result<(), Error> {
        let (npi, line, entity_type): (i64, i64, i16) = (row.get("npi"), row.get("line"), row.get("entity_type"));
        let code = refused.iter().find(|refused| refused.npi == npi).map_or("", |refused| &refused.error.code);
        let text = row.get::<_, Option<&[u8]>>("raw").and_then(raw::decode).unwrap_or_default();
        let reason = format!("database: {code}");
        REJECT.with(self.table).execute(tx, &[&row.get::<_, String>("place"), &reason, &text]).await?;
        let (line, is_name) = (line.abs(), line < 0);
        let entry = if is_name { "the file of other names" } else { "the main file" };
        let name = &self.file.name;
        warn!(file = name, line, error_code = code, "the database refuses this row of {entry}; it is in npi_rejects");
        match &mut counts.other_names {
            Some(names) if is_name => names.rejected += 1,
            _ => {
                counts.main.rejected += 1;
                counts.main.by_type[entity_type as usize] -= 1;
            }
        }
        Ok(())
    }

    /// Enters the file into the ledger; returns its id.
    async fn insert_file(&self, tx: &Transaction<'_>) -> Result<i64, Error> {
        let Self { run, file, pfile, staged, .. } = self;
        let parameters: [&(dyn ToSql + Sync); 10] = [
            &file.name,
            &pfile.kind.as_str(),
            &file.content.sha256,
            &file.content.bytes.cast_signed(),
            &pfile.start,
            &pfile.end,
            &staged.header,
            &run.now,
            &run.id,
            &file.etag,
        ];
        Ok(INSERT_FILE.one(tx, &parameters).await?.get(0))
    }

    async fn classify(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let select = CLASSIFY.with(&StagedFile { table: self.table.clone(), period_end: self.pfile.end });
        let create = format!("CREATE TEMPORARY TABLE npi_todo AS\n{}; ANALYZE npi_todo", select.text());
        tx.batch_execute(&create).await?;
        let has_file = self.staged.other_names.is_some();
        StagedNames { todo: self.todo(Registry::Loaded), period_end: self.pfile.end, has_file }.compare(tx).await
    }

    async fn update_counts(
        &self,
        tx: &Transaction<'_>,
        todo: &Todo,
        id: i64,
        (staged, renamed): (&Staged, Renamed),
    ) -> Result<Row, Error> {
        let main = &staged.main;
        let [none, individuals, organizations] = main.by_type.map(|count| count.cast_signed());
        let [rows, rejected] = [main.rows, main.rejected].map(|count| count.cast_signed());
        let of_names = |count: fn(&Counts) -> u64| staged.other_names.as_ref().map(|names| count(names).cast_signed());
        let [added, removed] = [renamed.added, renamed.removed].map(|count| count.cast_signed());
        let parameters: [&(dyn ToSql + Sync); 11] = [
            &id,
            &rows,
            &none,
            &individuals,
            &organizations,
            &rejected,
            &self.file.began,
            &of_names(|names| names.rows),
            &of_names(|names| names.rejected),
            &added,
            &removed,
        ];
        UPDATE_COUNTS.with(todo).one(tx, &parameters).await
    }
}

async fn delete_search(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.batch_execute(LOOK_UPS_ONLY).await?;
    for search in SearchTable::ALL {
        DELETE_SEARCH.with(&search).execute(tx, &[]).await?;
    }
    merge_names::delete_search(tx).await?;
    Ok(tx.batch_execute(ALL_JOINS).await?)
}

/// Logs how long a step took.
async fn timed<T>(step: &str, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let value = work.await;
    debug!(seconds = began.elapsed().as_secs_f64(), "merge: {step}");
    value
}
