//! Loads one file: stages it outside the fence, checks it, merges it behind the fence.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use tokio_postgres::Transaction;
use tracing::{info, warn};

use super::args::RefreshNpi;
use super::fetch::{DataFile, joined};
use super::merge::{Merge, Merged};
use super::pfile::Pfile;
use super::progress::{Progress, watch, with_spinner};
use super::stage::{self, Counts, Staged, StagingTable};
use super::watch::Changed;
use crate::clients::nppes::disk;
use crate::db::Row;
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, Run, WriteOptions, count};

/// With so many new rows the planner's statistics are out of date, and autovacuum does not analyze partitioned tables.
const ANALYZE_ROWS_MIN: u64 = 500_000;
/// On two connections. The rows of providers are found by their number alone.
const ANALYZE: [&str; 2] = [
    "ANALYZE search_surgeon; ANALYZE npi_key",
    "ANALYZE search_facility; ANALYZE npi_other_names; ANALYZE npi_data (npi, entity_type, file_id)",
];
/// The counts of a file, and what it has changed of watched providers.
type Loaded = (Row, Vec<Changed>);

/// For a transaction that treats a whole file.
const AT_LENGTH: WriteOptions = WriteOptions { lock_wait: None, at_length: true, after_stop: false, items: None };

pub struct FileLoad<'a> {
    pub job: &'a RefreshNpi,
    pub run: &'a Run,
    /// A file with fewer rows is refused, and one with fewer rows in its file of other names.
    pub rows_min: Option<i64>,
    pub other_names_min: Option<i64>,
    pub file: &'a DataFile,
    pub pfile: &'a Pfile,
}

impl FileLoad<'_> {
    /// Loads the file. After an error of the connection or the server it is staged again. In a dry
    /// run all is one transaction, which is rolled back.
    pub async fn execute(&self) -> Result<Loaded, Halt> {
        let (run, name, table) = (self.run, &self.file.name, StagingTable::of(self.run.schema(), self.run.id));
        if run.dry_run() {
            return run.write(&format!("loading {name}"), AT_LENGTH, async |tx| self.simulate(tx, &table).await).await;
        }
        let load = async || match self.stage_and_merge(&table).await {
            // The merge has made its own attempts; from here on the file is staged again.
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Transient => Err(error),
            Ok(Merged::StagingLost) => Err(staging_lost().context(format_args!("merging {name}"))),
            Ok(Merged::Done(counts, changed)) => Ok(Ok((counts, changed))),
            Err(halt) => Ok(Err(halt)),
        };
        let loaded = run.retry().run(&format!("staging {name} again"), load).await;
        let loaded = loaded.unwrap_or_else(|error| Err(error.into()));
        // The table of a monthly file is large, and the next run may be a week away.
        let drop = run.write("dropping the staging table", WriteOptions::default(), async |tx| table.drop(tx).await);
        if let Err(Halt::Failed(error)) = drop.await {
            warn!(error_code = %error.code, "{}; the next run drops it", error.message);
        }
        loaded
    }

    async fn simulate(&self, tx: &Transaction<'_>, table: &StagingTable) -> Result<Loaded, Error> {
        table.create(tx).await?;
        let copy = async |chunks: Vec<stage::Chunks>| {
            for chunks in chunks {
                table.copy(tx, chunks).await?;
            }
            Ok::<(), Error>(())
        };
        let staged = self.stage(1, copy).await?;
        table.analyze(tx).await?;
        self.check(&staged)?;
        match self.merge(table, &staged).execute(tx).await? {
            Merged::Done(counts, changed) => Ok((counts, changed)),
            Merged::StagingLost => Err(staging_lost()),
        }
    }

    async fn stage_and_merge(&self, table: &StagingTable) -> Result<Merged, Halt> {
        let (run, name) = (self.run, &self.file.name);
        run.write("making the staging table", WriteOptions::default(), async |tx| {
            table.drop(tx).await?;
            table.create(tx).await
        })
        .await?;
        let what = format!("staging {name}");
        let copy = async |chunks: Vec<_>| {
            let copy = |chunks| run.write_unfenced_once(&what, async move |tx| table.copy(tx, chunks).await);
            try_join_all(chunks.into_iter().map(copy)).await.map(drop)
        };
        let staged = self.stage(self.job.connections as usize, copy).await?;
        self.check(&staged)?;
        run.write_unfenced_once("counting what was staged", async |tx| table.analyze(tx).await).await?;
        let what = format!("merging {name}");
        let merge = self.merge(table, &staged);
        let merged = with_spinner(&what, run.write(&what, AT_LENGTH, async |tx| merge.execute(tx).await)).await?;
        if let Merged::Done(counts, _) = &merged
            && count(counts, "inserted") > ANALYZE_ROWS_MIN
        {
            let analyze = ANALYZE.map(|text| {
                let analyze = async move |tx: &Transaction<'_>| Ok(tx.batch_execute(text).await?);
                run.write_unfenced_once("counting what was loaded", analyze)
            });
            if let Err(Halt::Failed(error)) = try_join_all(analyze).await {
                warn!(error_code = %error.code, "{name} is loaded; but {}", error.message);
            }
        }
        Ok(merged)
    }

    /// Reads the file on a thread while `copy` copies its rows.
    async fn stage<E: From<Error>>(
        &self,
        connections: usize,
        copy: impl AsyncFnOnce(Vec<stage::Chunks>) -> Result<(), E>,
    ) -> Result<Staged, E> {
        let name = &self.file.name;
        let file = self.file.file.try_clone().map_err(|error| disk(&error))?;
        let progress = Arc::new(Progress::default());
        let began = Instant::now();
        let (reading, chunks) = stage::parse(file, self.pfile.clone(), connections, progress.clone());
        let copied = watch(&format!("loading {name}"), &progress, copy(chunks)).await;
        // An error of the copy comes first: the reader then says only that nobody takes its rows.
        let read = joined(reading.await)?;
        match (copied, read) {
            (Err(error), _) => Err(error),
            (Ok(()), Err(error)) => Err(error.context(format_args!("{name} was not loaded")).into()),
            (Ok(()), Ok(staged)) => {
                let seconds = began.elapsed().as_secs_f64();
                info!(file = name, rows = staged.main.rows, bytes = staged.main.bytes, seconds, "staged");
                for column in &staged.unknown {
                    warn!(file = name, column, "a column that is not known here is kept, and not looked at");
                }
                Ok(staged)
            }
        }
    }

    /// Refuses a file with too many rejected rows, or too few rows.
    fn check(&self, staged: &Staged) -> Result<(), Error> {
        self.check_part("", &staged.main, self.rows_min)?;
        staged
            .other_names
            .as_ref()
            .map_or(Ok(()), |names| self.check_part("the file of other names in it, ", names, self.other_names_min))
    }

    fn check_part(&self, part: &str, counts: &Counts, rows_min: Option<i64>) -> Result<(), Error> {
        let name = &self.file.name;
        let share = counts.rejected as f64 / (counts.rows.max(1)) as f64;
        if share > self.job.max_reject_share {
            let message = format!(
                "{name} was not loaded: {part}{} of its {} lines cannot be read, more than --max-reject-share {}",
                counts.rejected, counts.rows, self.job.max_reject_share
            );
            return Err(Error::new("NPPES_REJECTS", ErrorKind::Other, message));
        }
        match rows_min {
            Some(fewest) if counts.rows.cast_signed() < fewest => {
                let message = format!(
                    "{name} was not loaded: {part}it has {} lines, and less than half of what is usual is fewer than \
                     {fewest}. If it is complete, run once with --accept-fewer-rows",
                    counts.rows
                );
                Err(Error::new("NPPES_TOO_FEW_ROWS", ErrorKind::Other, message))
            }
            _ => Ok(()),
        }
    }

    fn merge<'a>(&'a self, table: &'a StagingTable, staged: &'a Staged) -> Merge<'a> {
        let (rows, rejected) = staged.in_table();
        let allowed = (rows as f64 * self.job.max_reject_share).floor() as usize;
        let refused_max = allowed.saturating_sub(rejected as usize);
        Merge { run: self.run, table, file: self.file, pfile: self.pfile, staged, refused_max }
    }
}

/// The error is transient, because the file can be merged after it was staged again.
fn staging_lost() -> Error {
    Error::new("STAGING_LOST", ErrorKind::Transient, "the server has lost what was staged")
}
