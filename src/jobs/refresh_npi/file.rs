//! A file at hand: staged beside the fence, checked, merged behind it.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use tokio_postgres::{Row, Transaction};
use tracing::{info, warn};

use super::RefreshNpi;
use super::load::joined;
use super::merge::{Entry, Merge, merge};
use super::names::Kind;
use super::plan::Ledger;
use super::show::{patiently, watch};
use super::stage::{self, Progress, Staged, StagingTable};
use super::zips::Pfile;
use crate::clients::nppes::{Content, disk};
use crate::error::{ErrorKind, Error};
use crate::run::{Halt, Run, WriteOptions};

/// So many new rows change what the planner should know, and nothing else tells it of partitioned tables.
const MANY: u64 = 500_000;

/// A file, and what it is to be loaded with.
pub struct AtHand<'a> {
    pub job: &'a RefreshNpi,
    pub run: &'a Run,
    pub ledger: &'a Ledger,
    pub name: &'a str,
    pub kind: Kind,
    pub file: &'a File,
    pub content: &'a Content,
    pub pfile: &'a Pfile,
    pub began: DateTime<Utc>,
}

impl AtHand<'_> {
    /// Loads it; what the connection or the server has spoilt is staged again. Of a dry run all is one transaction that is
    /// rolled back.
    pub async fn load(&self) -> Result<(u64, Row), Halt> {
        let (run, table) = (self.run, StagingTable::of(self.run.id));
        if run.dry_run() {
            let options = WriteOptions { at_length: true, ..Default::default() };
            return run.write(&format!("loading {}", self.name), options, async |tx| self.rehearse(tx, &table).await).await;
        }
        let load = async || match self.stage_and_merge(&table).await {
            // The merge has made its own attempts; from here on the file is staged again.
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Transient => Err(error),
            Ok((_, Merge::StagingLost)) => Err(staging_lost().context(format_args!("merging {}", self.name))),
            Ok((rows, Merge::Done(counts))) => Ok(Ok((rows, counts))),
            Err(halt) => Ok(Err(halt)),
        };
        let loaded = run.retry().run(&format!("staging {} again", self.name), load).await;
        let outcome = loaded.unwrap_or_else(|error| Err(error.into()));
        // A monthly file's is large, and the next run is a week away. If it cannot be dropped, that run does it.
        let drop = run.write("dropping the staging table", WriteOptions::default(), async |tx| table.drop(tx).await);
        if let Err(Halt::Failed(error)) = drop.await {
            warn!(error_code = %error.code, "{}; the next run drops it", error.message);
        }
        outcome
    }

    async fn rehearse(&self, tx: &Transaction<'_>, table: &StagingTable) -> Result<(u64, Row), Error> {
        table.create(tx).await?;
        let copy = async |chunks: Vec<stage::Chunks>| {
            for chunks in chunks {
                stage::copy(tx, table, chunks).await?;
            }
            Ok::<(), Error>(())
        };
        let staged = self.copied(1, copy).await?;
        table.analyze(tx).await?;
        self.check(&staged)?;
        match merge(tx, table, &self.entry(&staged)).await? {
            Merge::Done(counts) => Ok((staged.rows, counts)),
            Merge::StagingLost => Err(staging_lost()),
        }
    }

    async fn stage_and_merge(&self, table: &StagingTable) -> Result<(u64, Merge), Halt> {
        let (run, name) = (self.run, self.name);
        run.write("making the staging table", WriteOptions::default(), async |tx| {
            table.drop(tx).await?;
            table.create(tx).await
        })
        .await?;
        let what = format!("staging {name}");
        let beside = async |chunks: Vec<_>| {
            let copy = |chunks| run.write_unfenced_once(&what, async move |tx| stage::copy(tx, table, chunks).await);
            try_join_all(chunks.into_iter().map(copy)).await.map(drop)
        };
        let staged = self.copied(self.job.connections as usize, beside).await?;
        self.check(&staged)?;
        run.write_unfenced_once("counting what was staged", async |tx| table.analyze(tx).await).await?;
        let entry = self.entry(&staged);
        let what = format!("merging {name}");
        let options = WriteOptions { at_length: true, ..Default::default() };
        let merged = run.write(&what, options, async |tx| merge(tx, table, &entry).await);
        let merged = patiently(&what, merged).await?;
        if let Merge::Done(counts) = &merged && crate::run::count(counts, "inserted") > MANY {
            let analyze = "ANALYZE npi_key; ANALYZE npi_data; ANALYZE search_surgeon; ANALYZE search_facility";
            let counted = run.write_unfenced_once("counting what was loaded", async |tx| Ok(tx.batch_execute(analyze).await?)).await;
            if let Err(Halt::Failed(error)) = counted {
                warn!(error_code = %error.code, "{name} is loaded; but {}", error.message);
            }
        }
        Ok((staged.rows, merged))
    }

    /// Reads the file while something copies it.
    async fn copied<E: From<Error>>(
        &self,
        connections: usize,
        copy: impl AsyncFnOnce(Vec<stage::Chunks>) -> Result<(), E>,
    ) -> Result<Staged, E> {
        let name = self.name;
        let file = self.file.try_clone().map_err(|error| disk(&error))?;
        let progress = Arc::new(Progress::default());
        let began = Instant::now();
        let (reading, chunks) = stage::parse(file, self.pfile.clone(), connections, progress.clone());
        let copied = watch(&format!("loading {name}"), &progress, copy(chunks)).await;
        // A reader that could not go on says why; that nobody took its rows is the copy's matter.
        let read = joined(reading.await)?;
        match (copied, read) {
            (Err(error), _) => Err(error),
            (Ok(()), Err(error)) => Err(error.context(format_args!("{name} was not loaded")).into()),
            (Ok(()), Ok(staged)) => {
                let seconds = began.elapsed().as_secs_f64();
                info!(file = name, rows = staged.rows, bytes = staged.bytes, seconds, "staged");
                for column in &staged.unknown {
                    warn!(file = name, column, "a column that is not known here is kept, and not looked at");
                }
                Ok(staged)
            }
        }
    }

    fn entry<'a>(&'a self, staged: &'a Staged) -> Entry<'a> {
        let Self { name, kind, content, pfile, began, .. } = *self;
        Entry { name, kind, content, pfile, staged, began, now: self.run.now, run: self.run.id }
    }

    /// Refuses a file that is not what it should be.
    fn check(&self, staged: &Staged) -> Result<(), Error> {
        let (name, kind) = (self.name, self.kind);
        let share = staged.rejected as f64 / (staged.rows.max(1)) as f64;
        if share > self.job.max_reject_share {
            let message = format!(
                "{name} was not loaded: {} of its {} lines cannot be read, more than --max-reject-share {}",
                staged.rejected, staged.rows, self.job.max_reject_share
            );
            return Err(Error::new("NPPES_REJECTS", ErrorKind::Other, message));
        }
        match self.ledger.rows_min(kind) {
            Some(fewest) if staged.rows.cast_signed() < fewest => {
                let message = format!(
                    "{name} was not loaded: it has {} lines, less than half of what is usual ({fewest})",
                    staged.rows
                );
                Err(Error::new("NPPES_TOO_FEW_ROWS", ErrorKind::Other, message))
            }
            _ => Ok(()),
        }
    }
}

/// The staging table is not logged: a server that crashed has emptied it. Staged again, the file can be merged.
fn staging_lost() -> Error {
    Error::new("STAGING_LOST", ErrorKind::Transient, "the server has lost what was staged")
}
