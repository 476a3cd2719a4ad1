//! `rounds refresh-npi`: loads the files of the national provider registry (NPPES), and keeps its search tables.
//!
//! Rule: a file is loaded if and only if the ledger has neither its name nor its content, and it ends after the newest
//! loaded file. The oldest such file is first; none is loaded where a week is missing before it. A file whose size or ETag
//! is another than that of the loaded one of its name was published again: that is told, and it is loaded by `--again`.
//! A row is stored if and only if it is the last of its NPI in the file, differs from the stored row, and is not older.
//!
//! Safe to run again: the changes of a file and its entry in the ledger are one transaction. Rows that are staged
//! before it are in a table that nobody else reads, and that the next run drops.
//!
//! Leaves alone: rows that are older than the stored ones, and lines that cannot be read (`npi_rejects`). A file with
//! too many such lines, or with too few lines, is not loaded at all; that is the brake of this job, and `--max-items`
//! does not count here. `--max-reject-share` and `--accept-fewer-rows` release it.
//!
//! `plan` chooses the next file; `loader` takes it through `fetch`, `pfile`, `load` and `archive`. `load` stages it
//! (`stage`: `csv`, `columns`, `row`) and merges what is `todo` (`merge`, `merge_names`; `first` into an empty registry;
//! `isolate` where the database refuses a row).

mod archive;
mod args;
mod columns;
mod csv;
mod fetch;
mod first;
mod isolate;
mod ledger;
pub mod list;
mod load;
mod loader;
mod merge;
mod merge_names;
mod names;
mod other_names;
mod pfile;
mod plan;
mod progress;
mod read_ahead;
mod report;
mod row;
mod stage;
mod todo;
mod tuple;
mod watch;

use std::time::Duration;

use tokio_postgres::Transaction;

use crate::db::statements;
use crate::error::Error;
use crate::run::{ByHand, Halt, Job, Run};
use archive::Archive;
pub use args::RefreshNpi;
use fetch::Source;
use ledger::Ledger;
use loader::Loader;
use report::Report;

statements! {
    of isolate, ledger, loader, merge, stage;
}

/// No weekly file is as large as this.
const WEEKLY_BYTES_MAX: u64 = 256 << 20;
/// The time limit of a run that loads the whole registry.
const FULL_TIME_LIMIT: Duration = Duration::from_secs(4 * 3600);

impl Job for RefreshNpi {
    const NAME: &'static str = "refresh-npi";
    const TELLS: bool = false;
    type Report = Report;
    const ASKS: Option<&'static str> = Some("the provider registry");

    fn by_hand(&self) -> Option<ByHand> {
        let acts =
            [(self.file.is_some(), "--file"), (self.again, "--again"), (self.accept_fewer_rows, "--accept-fewer-rows")];
        acts.into_iter().find_map(|(given, option)| given.then_some(ByHand::Act(option)))
    }

    async fn time_limit(&self, tx: &Transaction<'_>) -> Result<Option<Duration>, Error> {
        let first = Ledger::read(tx).await?.files.is_empty();
        let large =
            self.file.as_ref().and_then(|path| path.metadata().ok()).is_some_and(|file| file.len() > WEEKLY_BYTES_MAX);
        Ok((self.full || self.again || first || large).then_some(FULL_TIME_LIMIT))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let archive = self.archive.as_ref().map(Archive::open).transpose()?;
        let mut loader = Loader::new(self, run, archive).await?;
        if let Some(path) = &self.file {
            let name = plan::file_name(path)?;
            loader.local(path, &name, report).await?;
            return loader.end();
        }
        let source = Source::new(&self.base_url, run.retry()).await?;
        loader.look_for_changes(&source, report).await?;
        while let Some(name) = plan::next(&source.names, &loader.ledger, self.full)? {
            loader.download(&source, &name, report).await?;
        }
        loader.archive_missing(&source).await?;
        loader.end()
    }
}
