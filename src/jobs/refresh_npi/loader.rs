//! Loads file after file: fetches it, inspects it, loads it, archives it.

use std::fs::File;
use std::path::Path;

use serde_json::json;
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
use crate::clients::nppes::Published;
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{AdminNotice, Halt, Job, Run, WriteOptions};

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
    /// Whether a file may have too few lines. The first such file uses it up: a person has looked at one.
    may_be_small: bool,
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
        let may_be_small = job.accept_fewer_rows;
        Ok(Self { job, run, archive, ledger, skipped: vec![], may_be_small, not_archived: None })
    }

    /// Looks which files of the page are others by now than were loaded under their names. They are told, and loaded
    /// where a person says so.
    pub async fn look_for_changes(&mut self, source: &Source, report: &mut Report) -> Result<(), Halt> {
        for name in &source.names {
            self.run.checkpoint()?;
            let Some(loaded) = self.ledger.named(&name.text).cloned() else { continue };
            let published = source.published(&name.text).await.unwrap_or_default();
            let Some(how) = loaded.differs_from(&published) else { continue };
            if self.job.again {
                self.download(source, name, report).await?;
                continue;
            }
            let told = format!("published again {how} since it was loaded; --again loads it");
            warn!(file = name.text, error_code = "NPPES_PUBLISHED_AGAIN", "{told}");
            report.skipped(name.text.clone(), told);
            self.tell_admins(&name.text, &published).await?;
        }
        Ok(())
    }

    /// Tells the admins of the group, once a file and content.
    async fn tell_admins(&self, name: &str, published: &Published) -> Result<(), Halt> {
        let run = self.run;
        if run.dry_run() {
            return Ok(());
        }
        let notice = AdminNotice {
            facility: None,
            kind: "NPI_FILE_AGAIN",
            title: "A file of the provider registry was published again".to_owned(),
            body: format!("{name} is another file by now than was loaded. `rounds refresh-npi --again` loads it."),
            placeholders: json!({ "file": name }),
            entity: "npi_file",
            entity_id: name.to_owned(),
            episode: format!("npi_file_again:{name}:{:?}:{:?}", published.bytes, published.etag),
        };
        let what = "telling the admins of a file that was published again";
        run.write(what, WriteOptions::default(), async |tx| notice.stage(tx, run.now, run.id).await.map(drop)).await
    }

    /// Loads a file that the page has.
    pub async fn download(&mut self, source: &Source, name: &Name, report: &mut Report) -> Result<(), Halt> {
        let file = source.download(self.run, &name.text).await?;
        self.keep_etag(&file).await?;
        self.load(file, Some(name), report).await
    }

    /// Keeps the ETag of a file whose content is loaded already, so that it is not taken for another one again.
    async fn keep_etag(&mut self, file: &DataFile) -> Result<(), Halt> {
        let sha256 = &file.content.sha256;
        let Some(loaded) = self.ledger.with_content(sha256) else { return Ok(()) };
        let Some(etag) = file.etag.as_ref().filter(|etag| loaded.etag.as_ref() != Some(*etag)) else { return Ok(()) };
        if self.run.dry_run() || !loaded.name.eq_ignore_ascii_case(&file.name) {
            return Ok(());
        }
        let what = "keeping the ETag of a file";
        self.run.write(what, WriteOptions::default(), async |tx| Ledger::set_etag(tx, sha256, etag).await).await
    }

    /// Loads a file of the operator.
    pub async fn local(&mut self, path: &Path, name: &str, report: &mut Report) -> Result<(), Halt> {
        let file = DataFile::open(self.run, path, name).await?;
        match self.ledger.named(name).cloned() {
            Some(loaded) if loaded.sha256 != file.content.sha256 && !self.job.again => {
                let told = "another file of this name was loaded; --again loads this one";
                warn!(file = name, error_code = "NPPES_PUBLISHED_AGAIN", "{told}");
                report.skipped(name.to_owned(), told.to_owned());
            }
            _ => self.load(file, None, report).await?,
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
        let usual = [self.ledger.rows_min(pfile.kind), self.ledger.other_names_min(pfile.kind)];
        let [rows_min, other_names_min] = usual.map(|fewest| fewest.filter(|_| !self.may_be_small));
        let load = FileLoad { job: self.job, run: self.run, rows_min, other_names_min, file: &file, pfile: &pfile };
        let (row, changed) = load.execute().await?;
        let rows = ["rows", "other_rows"].map(|column| row.get::<_, Option<i64>>(column));
        if rows.iter().zip(usual).any(|(rows, fewest)| rows.is_some() && *rows < fewest) {
            self.may_be_small = false;
        }
        let mut counts = FileCounts::of(&file.name, &pfile, &row, changed);
        if self.run.dry_run() {
            let rows = crate::run::count(&row, "rows");
            self.ledger.files.push(LoadedFile::simulated(&file, &pfile, rows));
            report.loaded(counts);
        } else {
            counts.archived_to = self.archive(&file.name, &file.content.sha256, &mut file.file).await?;
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
    async fn archive(&mut self, name: &str, sha256: &str, file: &mut File) -> Result<Option<String>, Halt> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let same_name = |other: &LoadedFile| other.name.eq_ignore_ascii_case(name) && other.sha256 != sha256;
        let stored_as = match self.ledger.files.iter().any(same_name) {
            // The copy of what was published before stays.
            true => format!("{}.{name}", &sha256[..12]),
            false => name.to_owned(),
        };
        let url = match with_spinner(&format!("archiving {name}"), archive.store(&stored_as, file)).await {
            Ok(url) => url,
            Err(error) => {
                warn!(error_code = %error.code, "{}", error.message);
                self.not_archived.get_or_insert(error);
                return Ok(None);
            }
        };
        let what = "saying where a file is archived";
        self.run.write(what, WriteOptions::default(), async |tx| Ledger::set_archived(tx, sha256, &url).await).await?;
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
            let sha256 = file.content.sha256.clone();
            match self.ledger.with_content(&sha256).map(|loaded| loaded.name.clone()) {
                Some(loaded) => drop(self.archive(&loaded, &sha256, &mut file.file).await?),
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
