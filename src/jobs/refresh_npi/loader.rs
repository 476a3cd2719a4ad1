//! Loads file after file: fetches it, inspects it, loads it, archives it.

use std::fs::File;
use std::path::Path;

use tokio_postgres::Transaction;
use tracing::{info, warn};
use uuid::Uuid;

use super::archive::Archive;
use super::args::RefreshNpi;
use super::fetch::{DataFile, Source};
use super::ledger::{Ledger, LoadedFile};
use super::load::FileLoad;
use super::names::Name;
use super::pfile;
use super::progress::with_spinner;
use super::report::{FileCounts, Report};
use super::stage::{Leftover, StagingTable};
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, Job, Run, WriteOptions};

statements! {
    RUNNING(TEXT) = "SELECT id FROM cron_job_runs WHERE job_name = $1 AND status = 'RUNNING'";
}

pub struct Loader<'a> {
    job: &'a RefreshNpi,
    run: &'a Run,
    archive: Option<Archive>,
    pub ledger: Ledger,
    /// Files whose content was loaded before under another name, as the ledger would have them.
    skipped: Vec<LoadedFile>,
    /// The first error of the archive. It keeps no other file from being loaded, and fails the run at its end.
    not_archived: Option<Error>,
}

impl<'a> Loader<'a> {
    pub async fn new(job: &'a RefreshNpi, run: &'a Run, archive: Option<Archive>) -> Result<Self, Halt> {
        if run.dry_run() {
            refuse_during_a_run(run).await?;
        } else {
            drop_leftovers(run).await?;
        }
        let ledger = read_ledger(run).await?;
        Ok(Self { job, run, archive, ledger, skipped: vec![], not_archived: None })
    }

    /// Loads a file that the page has.
    pub async fn download(&mut self, source: &Source, name: &Name, report: &mut Report) -> Result<(), Halt> {
        let file = source.download(self.run, &name.text).await?;
        self.load(file, Some(name), report).await
    }

    /// Loads a file of the operator.
    pub async fn local(&mut self, path: &Path, name: &str, report: &mut Report) -> Result<(), Halt> {
        let file = DataFile::open(self.run, path, name).await?;
        match self.ledger.named(name).cloned() {
            Some(loaded) => self.skip(name, loaded, report),
            None => self.load(file, None, report).await?,
        }
        Ok(())
    }

    async fn load(&mut self, mut file: DataFile, page: Option<&Name>, report: &mut Report) -> Result<(), Halt> {
        if let Some(loaded) = self.ledger.with_content(&file.content.sha256).cloned() {
            self.skip(&file.name, loaded, report);
            return Ok(());
        }
        let pfile = pfile::inspect(&mut file.file, &file.name)
            .and_then(|pfile| pfile.fits(page).map(|()| pfile))
            .map_err(|error| error.context(format_args!("{} was not loaded", file.name)))?;
        let rows_min = self.ledger.rows_min(pfile.kind);
        let load = FileLoad { job: self.job, run: self.run, rows_min, file: &file, pfile: &pfile };
        let row = load.execute().await?;
        let mut counts = FileCounts::of(&file.name, &pfile, &row);
        if self.run.dry_run() {
            let rows = crate::run::count(&row, "rows");
            self.ledger.files.push(LoadedFile::simulated(&file, &pfile, rows));
            report.loaded(counts);
        } else {
            counts.archived_to = self.archive(&file.name, &mut file.file).await?;
            report.loaded(counts);
            self.ledger = read_ledger(self.run).await?;
            self.ledger.files.extend_from_slice(&self.skipped);
        }
        Ok(())
    }

    /// Skips a file whose content is loaded. The ledger of this run takes its name, so that it is not fetched again.
    fn skip(&mut self, name: &str, loaded: LoadedFile, report: &mut Report) {
        let skipped = format!("already loaded as {}", loaded.name);
        info!(file = name, "{skipped}");
        report.skipped(name.to_owned(), skipped);
        let file = LoadedFile { name: name.to_owned(), sha256: String::new(), archived: true, ..loaded };
        self.skipped.push(file.clone());
        self.ledger.files.push(file);
    }

    /// Archives a file that was loaded as `name`, and enters that into the ledger; returns where it is. Where the
    /// archive fails, the run goes on, and fails at its end.
    async fn archive(&mut self, name: &str, file: &mut File) -> Result<Option<String>, Halt> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let url = match with_spinner(&format!("archiving {name}"), archive.store(name, file)).await {
            Ok(url) => url,
            Err(error) => {
                warn!(error_code = %error.code, "{}", error.message);
                self.not_archived.get_or_insert(error);
                return Ok(None);
            }
        };
        let what = "saying where a file is archived";
        self.run.write(what, WriteOptions::default(), async |tx| Ledger::set_archived(tx, name, &url).await).await?;
        Ok(Some(url))
    }

    /// Archives the files that earlier runs have loaded and not archived, as long as the page has them.
    pub async fn archive_missing(&mut self, source: &Source) -> Result<(), Halt> {
        if self.archive.is_none() || self.run.dry_run() || self.not_archived.is_some() {
            return Ok(());
        }
        let is_missing = |name: &&Name| self.ledger.named(&name.text).is_some_and(|file| !file.archived);
        let missing: Vec<Name> = source.names.iter().filter(is_missing).cloned().collect();
        for name in missing {
            let mut file = source.download(self.run, &name.text).await?;
            match self.ledger.with_content(&file.content.sha256).map(|loaded| loaded.name.clone()) {
                Some(loaded) => drop(self.archive(&loaded, &mut file.file).await?),
                None => warn!(file = name.text, "is another file by now than was loaded; not archived"),
            }
        }
        Ok(())
    }

    /// Ends with the error of the archive, if there was one.
    pub fn end(self) -> Result<(), Halt> {
        self.not_archived.map_or(Ok(()), |error| Err(error.into()))
    }
}

async fn read_ledger(run: &Run) -> Result<Ledger, Halt> {
    run.read("reading the ledger of NPPES files", async |tx| Ledger::read(tx).await).await
}

/// Drops the staging tables of runs that died. They are of no use to anybody, since this run has the lane.
async fn drop_leftovers(run: &Run) -> Result<(), Halt> {
    let find = async |tx: &Transaction<'_>| StagingTable::all(tx, run.schema()).await;
    for Leftover { table, owner, is_ours } in run.read("looking for what dead runs have left", find).await? {
        if !is_ours {
            warn!(
                error_code = "LEFTOVER", %owner,
                "{table} was left by a dead run of role {owner}, and only that role may drop it: drop it by hand; this \
                 run goes on"
            );
            continue;
        }
        let what = "dropping what a dead run has left";
        let dropped = run.write(what, WriteOptions::default(), async |tx| table.drop(tx).await).await;
        match dropped {
            // The session of the dead run has not ended yet; the next run tries again.
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Locked => {
                warn!(error_code = %error.code, "{table} is in use; the next run drops it");
            }
            dropped => dropped?,
        }
    }
    Ok(())
}

/// Refuses a dry run while a run is at work. A dry run takes no lane, but locks the rows that it would change, and so
/// would hold up the other.
async fn refuse_during_a_run(run: &Run) -> Result<(), Halt> {
    let find = async |tx: &Transaction<'_>| RUNNING.opt(tx, &[&RefreshNpi::NAME]).await;
    let Some(row) = run.read("looking whether a run is at work", find).await? else { return Ok(()) };
    let message = format!("run {} is at work, and a dry run would hold it up; try again later", row.get::<_, Uuid>(0));
    Err(Error::new("ALREADY_RUNNING", ErrorKind::Other, message).into())
}
