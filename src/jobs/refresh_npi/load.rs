//! File after file: fetched, looked into, loaded, kept.

use std::fs::File;
use std::path::Path;

use chrono::{DateTime, Utc};
use ring::digest::{Context, SHA256};
use serde::Serialize;
use tokio_postgres::{Row, Transaction};
use tracing::{info, warn};
use uuid::Uuid;

use super::archive::Archive;
use super::file::AtHand;
use super::names::{Kind, Name};
use super::plan::{Ledger, Loaded, Source};
use super::show::{Bar, patiently};
use super::stage::StagingTable;
use super::zips::{self, Pfile};
use super::{Outcome, RefreshNpi, Report};
use crate::db::{CLOCK, statements};
use crate::clients::nppes::{Content, disk, hex};
use crate::error::{ErrorKind, Error};
use crate::run::{Halt, Job, Run, WriteOptions};

statements! {
    ARCHIVED(TEXT, TEXT) = "UPDATE npi_files SET archived_to = $2 WHERE name = $1";
    RUNNING(TEXT) = "SELECT id FROM cron_job_runs WHERE job_name = $1 AND status = 'RUNNING'";
}

/// A period of more days than this is a whole registry's.
const WEEKLY_DAYS_MAX: i64 = 62;

pub struct Loader<'a> {
    pub job: &'a RefreshNpi,
    pub run: &'a Run,
    pub archive: Option<Archive>,
    pub ledger: Ledger,
    /// Names whose content was loaded before under another.
    known: Vec<Loaded>,
    /// Why a file could not be archived: no reason not to load the others.
    not_archived: Option<Error>,
}

/// A file that was loaded.
#[derive(Debug, Serialize)]
pub struct Counts {
    name: String,
    kind: &'static str,
    period_end: chrono::NaiveDate,
    rows: u64,
    inserted: u64,
    updated: u64,
    unchanged: u64,
    older: u64,
    duplicates: u64,
    deactivated: u64,
    rejected: u64,
    seconds: f64,
    archived_to: Option<String>,
}

/// A file that was fetched.
struct Fetched {
    file: File,
    content: Content,
    began: DateTime<Utc>,
}

/// Drops what runs that died have left: this run has the lane, so nobody needs it.
async fn drop_leftovers(run: &Run) -> Result<(), Halt> {
    let find = async |tx: &Transaction<'_>| StagingTable::all(tx).await;
    for table in run.read("looking for what dead runs have left", find).await? {
        let dropped = run
            .write("dropping what a dead run has left", WriteOptions::default(), async |tx| table.drop(tx).await)
            .await;
        match dropped {
            // A session that is not gone yet; the next run tries again.
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Locked => {
                warn!(error_code = %error.code, "{table} is in use; the next run drops it");
            }
            dropped => dropped?,
        }
    }
    Ok(())
}

impl<'a> Loader<'a> {
    pub async fn new(job: &'a RefreshNpi, run: &'a Run, archive: Option<Archive>) -> Result<Self, Halt> {
        if run.dry_run() {
            stand_aside(run).await?;
        } else {
            drop_leftovers(run).await?;
        }
        Ok(Self { job, run, archive, ledger: job.ledger(run).await?, known: vec![], not_archived: None })
    }

    /// Loads a file that the page has.
    pub async fn download(&mut self, source: &Source, name: &Name, report: &mut Report) -> Result<(), Halt> {
        let fetched = self.fetch(source, &name.text).await?;
        self.load(&name.text, fetched, Some(name), report).await
    }

    async fn fetch(&self, source: &Source, name: &str) -> Result<Fetched, Halt> {
        self.run.checkpoint()?;
        let began = self.clock().await?;
        // Without a name: whatever dies, it is gone.
        let mut file = tempfile::tempfile().map_err(|error| disk(&error))?;
        let bar = Bar::new(&format!("downloading {name}"));
        let progress = |bytes, total| bar.bytes(bytes, total);
        let content = source.server.download(name, &mut file, self.run.retry(), progress).await?;
        info!(file = name, bytes = content.bytes, "downloaded");
        Ok(Fetched { file, content, began })
    }

    /// Loads a file of one's own.
    pub async fn local(&mut self, path: &Path, name: &str, report: &mut Report) -> Result<(), Halt> {
        let began = self.clock().await?;
        let mut file = File::open(path).map_err(|error| disk(&error))?;
        let read = tokio::task::spawn_blocking(move || digest(&mut file).map(|content| (file, content)));
        let (file, content) = joined(read.await)?.map_err(|error| disk(&error))?;
        match self.ledger.named(name).cloned() {
            Some(known) => self.skip(name, known, report),
            None => self.load(name, Fetched { file, content, began }, None, report).await?,
        }
        Ok(())
    }

    /// Passes over a file whose content is loaded, and does not ask for it again in this run.
    fn skip(&mut self, name: &str, known: Loaded, report: &mut Report) {
        let skipped = format!("already loaded as {}", known.name);
        info!(file = name, "{skipped}");
        report.files.push(Outcome::Known { name: name.to_owned(), skipped });
        let known = Loaded { name: name.to_owned(), sha256: String::new(), archived: true, ..known };
        self.known.push(known.clone());
        self.ledger.files.push(known);
    }

    async fn clock(&self) -> Result<DateTime<Utc>, Halt> {
        let read = async |tx: &Transaction<'_>| Ok(CLOCK.one(tx, &[]).await?.get(0));
        self.run.read("reading the clock", read).await
    }

    async fn load(
        &mut self,
        name: &str,
        fetched: Fetched,
        page: Option<&Name>,
        report: &mut Report,
    ) -> Result<(), Halt> {
        let Fetched { mut file, content, began } = fetched;
        if let Some(known) = self.ledger.with_content(&content.sha256).cloned() {
            self.skip(name, known, report);
            return Ok(());
        }
        let named = |error: Error| error.context(format_args!("{name} was not loaded"));
        let pfile = zips::inspect(&mut file, name).map_err(named)?;
        let kind = kind(&pfile, page).map_err(named)?;
        let Self { job, run, ref ledger, .. } = *self;
        let at_hand = AtHand { job, run, ledger, name, kind, file: &file, content: &content, pfile: &pfile, began };
        let (rows, counts) = at_hand.load().await?;
        let mut counts = Counts::of(name, kind, &pfile, &counts);
        if run.dry_run() {
            self.ledger.files.push(Loaded::rehearsed(name, kind, &content.sha256, &pfile, rows));
            report.take(counts);
            return Ok(());
        }
        counts.archived_to = self.keep(name, &mut file).await?;
        report.take(counts);
        self.ledger = job.ledger(run).await?;
        self.ledger.files.extend_from_slice(&self.known);
        Ok(())
    }

    /// Archives a file that was loaded, and says so in the ledger. Where it cannot be done, the run goes on, and fails at its
    /// end.
    async fn keep(&mut self, name: &str, file: &mut File) -> Result<Option<String>, Halt> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let to = match patiently(&format!("archiving {name}"), archive.keep(name, file)).await {
            Ok(to) => to,
            Err(error) => {
                warn!(error_code = %error.code, "{}", error.message);
                self.not_archived.get_or_insert(error);
                return Ok(None);
            }
        };
        self.run
            .write("saying where a file is archived", WriteOptions::default(), async |tx| {
                ARCHIVED.execute(tx, &[&name, &to]).await
            })
            .await?;
        Ok(Some(to))
    }

    /// Archives what earlier runs have loaded and not archived, as long as the page has it.
    pub async fn archive_what_is_not(&mut self, source: &Source) -> Result<(), Halt> {
        if self.archive.is_none() || self.run.dry_run() || self.not_archived.is_some() {
            return Ok(());
        }
        let left = source.names.iter().filter(|name| self.ledger.named(&name.text).is_some_and(|file| !file.archived));
        for name in left.cloned().collect::<Vec<_>>() {
            let mut fetched = self.fetch(source, &name.text).await?;
            match self.ledger.with_content(&fetched.content.sha256).map(|loaded| loaded.name.clone()) {
                Some(loaded) => drop(self.keep(&loaded, &mut fetched.file).await?),
                None => warn!(file = name.text, "is another file by now than was loaded; not archived"),
            }
        }
        Ok(())
    }

    /// What is to be told at the end.
    pub fn end(self) -> Result<(), Halt> {
        self.not_archived.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// A dry run has no lane, but it would hold up a run that has: it locks what that one changes.
async fn stand_aside(run: &Run) -> Result<(), Halt> {
    let find = async |tx: &Transaction<'_>| RUNNING.opt(tx, &[&RefreshNpi::NAME]).await;
    let Some(row) = run.read("looking whether a run is at work", find).await? else { return Ok(()) };
    let message = format!("run {} is at work, and a dry run would hold it up; try again later", row.get::<_, Uuid>(0));
    Err(Error::new("ALREADY_RUNNING", ErrorKind::Other, message).into())
}

/// Whether a file has a week or everything: by the period of its main file, which the name that the page has for it must fit.
fn kind(pfile: &Pfile, page: Option<&Name>) -> Result<Kind, Error> {
    let kind = if (pfile.end - pfile.start).num_days() > WEEKLY_DAYS_MAX { Kind::Monthly } else { Kind::Weekly };
    let fits =
        page.is_none_or(|name| name.kind == kind && (kind == Kind::Monthly || (name.end - pfile.end).num_days() == 0));
    if fits {
        return Ok(kind);
    }
    let message =
        format!("the main file in it is of {} to {}, which is not what its name says", pfile.start, pfile.end);
    Err(Error::new("NPPES_BAD_ZIP", ErrorKind::Other, message))
}

impl Counts {
    fn of(name: &str, kind: Kind, pfile: &Pfile, row: &Row) -> Self {
        let count = |column| crate::run::count(row, column);
        Self {
            name: name.to_owned(),
            kind: kind.as_str(),
            period_end: pfile.end,
            rows: count("rows"),
            inserted: count("inserted"),
            updated: count("updated"),
            unchanged: count("unchanged"),
            older: count("older"),
            duplicates: count("duplicates"),
            deactivated: count("deactivated"),
            rejected: count("rejected"),
            seconds: (row.get::<_, f64>("seconds") * 1000.0).round() / 1000.0,
            archived_to: None,
        }
    }
}

impl Report {
    fn take(&mut self, counts: Counts) {
        self.scanned += counts.rows;
        self.loaded += counts.inserted + counts.updated;
        self.not_done.skip("unchanged", counts.unchanged);
        self.not_done.skip("older", counts.older);
        self.not_done.skip("duplicate", counts.duplicates);
        self.not_done.failed += counts.rejected;
        self.files.push(Outcome::Loaded(counts));
    }
}

impl Loaded {
    /// As the ledger would have it.
    fn rehearsed(name: &str, kind: Kind, sha256: &str, pfile: &Pfile, rows: u64) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.as_str().to_owned(),
            sha256: sha256.to_owned(),
            start: pfile.start,
            end: pfile.end,
            rows: rows.cast_signed(),
            archived: true,
            processed_at: DateTime::UNIX_EPOCH,
        }
    }
}

fn digest(file: &mut File) -> std::io::Result<Content> {
    use std::io::Read;
    let (mut context, mut piece, mut bytes) = (Context::new(&SHA256), vec![0; 1 << 20], 0);
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(Content { bytes, sha256: hex(context.finish().as_ref()) });
        }
        context.update(&piece[..count]);
        bytes += count as u64;
    }
}

pub fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, Error> {
    outcome.map_err(|_| {
        Error::new("THREAD", ErrorKind::Other, "the thread that reads the file ended badly: a defect of rounds")
    })
}
