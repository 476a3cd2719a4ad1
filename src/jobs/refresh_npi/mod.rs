//! `rounds refresh-npi`: the national provider registry (NPPES), every weekly file of it, and what is searched in it.
//!
//! Rule: a file is loaded if and only if it is in the ledger neither by its name nor by its content, and it ends after the
//! newest that was loaded; the oldest first, and none where a week is missing before it. A row is stored if and only if it
//! is the last of its NPI in the file, differs from what is stored, and is not older.
//!
//! Safe to run again: each file is one transaction with its row of the ledger; what was staged before it is seen by nobody, and
//! the next run drops it.
//!
//! Leaves alone: rows that are older than what is stored, lines that cannot be read (`npi_rejects`); and everything, where too
//! many cannot, or the file has too few. That is its brake: `--max-items` does not count here.

mod list;
mod ahead;
mod archive;
mod columns;
mod csv;
mod file;
mod load;
mod merge;
mod names;
mod plan;
mod row;
mod show;
mod stage;
mod zips;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Url;
use serde::Serialize;
use tokio_postgres::Transaction;

pub use self::list::List;
use crate::clients::address;
use crate::db::statements;
use crate::error::Error;
use crate::run::{Counts, Halt, Job, NotDone, Run};
use archive::Archive;
pub use names::Name;
pub use plan::{Ledger, Loaded, Source, next};

statements! {
    of load, merge, plan, stage;
}

/// No weekly file is as large as this.
const LARGE: u64 = 256 << 20;
/// Of a run that loads the whole registry.
const WHOLE: Duration = Duration::from_secs(4 * 3600);

/// Load the new files of the national provider registry (NPPES)
#[derive(Args, Debug, Serialize)]
pub struct RefreshNpi {
    /// Where the page of the files is, NPI_Files.html
    #[arg(long, env = "ROUNDS_NPPES_URL", hide_env_values = true, value_name = "URL", default_value = "https://download.cms.gov/nppes/", value_parser = base)]
    #[serde(skip)]
    pub base_url: Url,
    /// Load the newest monthly file, which has everything, and then the weekly ones after it
    #[arg(long)]
    pub full: bool,
    /// Load this file instead of what the page has: a zip, or the main file in it (npidata_pfile_...csv)
    #[arg(long, value_name = "PATH", conflicts_with = "full")]
    pub file: Option<PathBuf>,
    /// Change nothing: say what the page has, what was loaded, and what would be
    #[arg(long)]
    #[serde(skip)]
    pub list: bool,
    /// Keep a copy of each loaded file there: file:///dir or s3://bucket/prefix, with the AWS_ variables
    #[arg(long, env = "ROUNDS_NPPES_ARCHIVE", hide_env_values = true, value_name = "URL", value_parser = address)]
    #[serde(skip)]
    pub archive: Option<Url>,
    /// Do not load a file of which more than this share of the lines cannot be read
    #[arg(long, env = "ROUNDS_MAX_REJECT_SHARE", value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    pub max_reject_share: f64,
    /// How many connections copy a file into the database
    #[arg(long, env = "ROUNDS_NPPES_CONNECTIONS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=2))]
    pub connections: u32,
}

/// scanned = loaded + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Lines of all files.
    scanned: u64,
    /// Inserted or updated.
    loaded: u64,
    files: Vec<Outcome>,
    /// `unchanged`, `older` than what is stored, `duplicate` of a later line; `failed` are lines that cannot be read.
    #[serde(flatten)]
    not_done: NotDone,
}

/// What became of a file.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Loaded(load::Counts),
    Known { name: String, skipped: String },
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.loaded, not_done: &self.not_done }
    }
}

impl Job for RefreshNpi {
    const NAME: &'static str = "refresh-npi";
    type Report = Report;

    async fn time_limit(&self, tx: &Transaction<'_>) -> Result<Option<Duration>, Error> {
        let first = Ledger::read(tx).await?.files.is_empty();
        let large = self.file.as_ref().and_then(|path| path.metadata().ok()).is_some_and(|file| file.len() > LARGE);
        Ok((self.full || first || large).then_some(WHOLE))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let archive = self.archive.as_ref().map(Archive::open).transpose()?;
        let mut loader = load::Loader::new(self, run, archive).await?;
        if let Some(path) = &self.file {
            let name = plan::file_name(path)?;
            loader.local(path, &name, report).await?;
            return loader.end();
        }
        let source = Source::new(&self.base_url, run.retry()).await?;
        while let Some(name) = next(&source.names, &loader.ledger, self.full)? {
            loader.download(&source, &name, report).await?;
        }
        loader.archive_what_is_not(&source).await?;
        loader.end()
    }
}

impl RefreshNpi {
    async fn ledger(&self, run: &Run) -> Result<Ledger, Halt> {
        run.read("reading the ledger of NPPES files", async |tx| Ledger::read(tx).await).await
    }
}

/// A URL with a slash at its end.
fn base(text: &str) -> Result<Url, String> {
    let url = address(&format!("{}/", text.trim_end_matches('/')))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err("must begin with https:// or http://".into()) }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a share is a number from 0 to 1, such as 0.01".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("must be from 0 to 1".to_owned()) }
}
