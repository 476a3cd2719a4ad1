//! One file: fetched, looked into, staged beside the fence, merged behind it, kept.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use ring::digest::{Context, SHA256};
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};
use tracing::{info, warn};

use super::archive::Archive;
use super::merge::{Entry, merge};
use super::names::{Kind, Name};
use super::plan::{Ledger, Loaded, Source};
use super::show::{Bar, watch};
use super::stage::{self, Progress, Staged};
use super::zips::{self, Pfile};
use super::{Outcome, RefreshNpi, Report};
use crate::clients::nppes::{Content, hex};
use crate::redact::{Class, Failure};
use crate::run::{Halt, Run};

/// So many new rows change what the planner should know, and nothing else tells it of partitioned tables.
const MANY: u64 = 500_000;
/// A period of more days than this is a whole registry's.
const WEEKLY_DAYS_MAX: i64 = 62;

pub struct Loader<'a> {
    pub job: &'a RefreshNpi,
    pub run: &'a Run,
    pub archive: Option<Archive>,
    pub ledger: Ledger,
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

/// A file at hand.
struct AtHand<'a> {
    name: &'a str,
    file: File,
    content: Content,
    began: DateTime<Utc>,
}

/// Drops what runs that died have left: this run has the lane, so nobody needs it.
pub async fn drop_leftovers(run: &Run) -> Result<(), Halt> {
    let query = "SELECT c.oid::regclass::text FROM pg_class c
                 WHERE c.relkind = 'r' AND c.relname LIKE 'npi\\_stage\\_%' AND pg_table_is_visible(c.oid)";
    let find = async |tx: &Transaction<'_>| Ok(tx.query_typed(query, &[]).await?);
    for row in run.read("looking for what dead runs have left", find).await? {
        let table: String = row.get(0);
        let dropped = run
            .effect("dropping what a dead run has left", async |tx| {
                Ok(tx.batch_execute(&format!("DROP TABLE IF EXISTS {table}")).await?)
            })
            .await;
        match dropped {
            // A session that is not gone yet; the next run tries again.
            Err(Halt::Failed(failure)) if failure.class == Class::Locked => {
                warn!(error_code = %failure.code, "{table} is in use; the next run drops it");
            }
            dropped => dropped?,
        }
    }
    Ok(())
}

impl Loader<'_> {
    /// Loads a file that the page has.
    pub async fn download(&mut self, source: &Source, name: &Name, report: &mut Report) -> Result<(), Halt> {
        let (file, content, began) = self.fetch(source, &name.text).await?;
        self.load(AtHand { name: &name.text, file, content, began }, Some(name.kind), report).await
    }

    async fn fetch(&self, source: &Source, name: &str) -> Result<(File, Content, DateTime<Utc>), Halt> {
        self.run.checkpoint()?;
        let began = self.clock().await?;
        // Without a name: whatever dies, it is gone.
        let mut file = tempfile::tempfile().map_err(|error| disk(&error))?;
        let bar = Bar::new(&format!("downloading {name}"));
        let progress = |bytes, total| bar.bytes(bytes, total);
        let content = source.server.download(name, &mut file, self.run.retry(), progress).await?;
        bar.done();
        info!(file = name, bytes = content.bytes, "downloaded");
        Ok((file, content, began))
    }

    /// Loads a file of one's own.
    pub async fn local(&mut self, path: &Path, name: &str, report: &mut Report) -> Result<(), Halt> {
        let began = self.clock().await?;
        let mut file = File::open(path).map_err(|error| disk(&error))?;
        let read = tokio::task::spawn_blocking(move || digest(&mut file).map(|content| (file, content)));
        let (file, content) = joined(read.await)?.map_err(|error| disk(&error))?;
        if let Some(known) = self.ledger.named(name) {
            let skipped = format!("already loaded as {}", known.name);
            info!(file = name, "{skipped}");
            report.files.push(Outcome::Known { name: name.to_owned(), skipped });
            return Ok(());
        }
        self.load(AtHand { name, file, content, began }, None, report).await
    }

    async fn clock(&self) -> Result<DateTime<Utc>, Halt> {
        let read = async |tx: &Transaction<'_>| Ok(tx.query_typed_one("SELECT clock_timestamp()", &[]).await?.get(0));
        self.run.read("reading the clock", read).await
    }

    async fn load(&mut self, mut at_hand: AtHand<'_>, kind: Option<Kind>, report: &mut Report) -> Result<(), Halt> {
        let name = at_hand.name;
        if let Some(known) = self.ledger.with_content(&at_hand.content.sha256) {
            let skipped = format!("already loaded as {}", known.name);
            info!(file = name, "{skipped}");
            report.files.push(Outcome::Known { name: name.to_owned(), skipped });
            // So that it is not asked for again by this run.
            self.ledger.files.push(Loaded {
                name: name.to_owned(),
                sha256: String::new(),
                archived: true,
                ..known.again()
            });
            return Ok(());
        }
        let named = |failure: Failure| failure.context(format_args!("{name} was not loaded"));
        let pfile = zips::inspect(&mut at_hand.file, name).map_err(named)?;
        let days = (pfile.end - pfile.start).num_days();
        let kind = kind.unwrap_or(if days > WEEKLY_DAYS_MAX { Kind::Monthly } else { Kind::Weekly });
        let (staged, counts) = self.stage_and_merge(&at_hand, &pfile, kind).await?;
        let mut counts = Counts::of(name, kind, &pfile, &counts);
        if !self.run.dry_run() {
            self.ledger = self.job.ledger(self.run).await?;
            counts.archived_to = self.keep(name, &mut at_hand.file).await.inspect_err(|_| {
                warn!(file = name, "loaded, but not archived");
            })?;
        } else {
            self.ledger.files.push(Loaded::rehearsed(name, kind, &at_hand.content.sha256, &pfile, staged.rows));
        }
        report.take(counts);
        Ok(())
    }

    /// Stages the file beside the fence and merges it behind it; of a dry run all is one transaction that is rolled back.
    async fn stage_and_merge(&self, at_hand: &AtHand<'_>, pfile: &Pfile, kind: Kind) -> Result<(Staged, Row), Halt> {
        let (run, name) = (self.run, at_hand.name);
        let table = format!("npi_stage_{}", run.id.simple());
        let create = stage::create(&table);
        let what = format!("staging {name}");
        if run.dry_run() {
            let rehearse = async |tx: &Transaction<'_>| {
                tx.batch_execute(&create).await?;
                let staged = self.copied(at_hand, pfile, 1, async |chunks| {
                    for chunks in chunks {
                        stage::copy(tx, &table, chunks).await?;
                    }
                    Ok::<(), Failure>(())
                });
                let staged = staged.await?;
                tx.batch_execute(&format!("ANALYZE {table}")).await?;
                self.check(name, kind, &staged)?;
                let counts = merge(tx, &table, &self.entry(at_hand, pfile, kind, &staged)).await?;
                Ok((staged, counts))
            };
            return run.effect_at_length(&what, rehearse).await;
        }
        run.effect("making the staging table", async |tx| {
            Ok(tx.batch_execute(&format!("DROP TABLE IF EXISTS {table}; {create}")).await?)
        })
        .await?;
        let beside = async |chunks: Vec<_>| {
            let copies = chunks.into_iter().map(|chunks| {
                let table = &table;
                run.beside(&what, async move |tx| stage::copy(tx, table, chunks).await)
            });
            try_join_all(copies).await.map(drop)
        };
        let staged = self.copied(at_hand, pfile, self.job.connections as usize, beside).await?;
        self.check(name, kind, &staged)?;
        run.beside("counting what was staged", async |tx| Ok(tx.batch_execute(&format!("ANALYZE {table}")).await?))
            .await?;
        let entry = self.entry(at_hand, pfile, kind, &staged);
        let merged = async |tx: &Transaction<'_>| {
            let counts = merge(tx, &table, &entry).await?;
            tx.batch_execute(&format!("DROP TABLE {table}")).await?;
            Ok(counts)
        };
        let counts = run.effect_at_length(&format!("merging {name}"), merged).await?;
        if crate::run::count(&counts, "inserted") > MANY {
            let analyze = "ANALYZE npi_key; ANALYZE npi_data; ANALYZE search_surgeon; ANALYZE search_facility";
            run.beside("counting what was loaded", async |tx| Ok(tx.batch_execute(analyze).await?)).await?;
        }
        Ok((staged, counts))
    }

    /// Reads the file while something copies it.
    async fn copied<E: From<Failure>>(
        &self,
        at_hand: &AtHand<'_>,
        pfile: &Pfile,
        connections: usize,
        copy: impl AsyncFnOnce(Vec<tokio::sync::mpsc::Receiver<Vec<u8>>>) -> Result<(), E>,
    ) -> Result<Staged, E> {
        let name = at_hand.name;
        let file = at_hand.file.try_clone().map_err(|error| disk(&error))?;
        let progress = Arc::new(Progress::default());
        let began = Instant::now();
        let (reading, chunks) = stage::parse(file, pfile.clone(), connections, progress.clone());
        let copied = watch(&format!("loading {name}"), &progress, copy(chunks)).await;
        // A reader that could not go on says why; that nobody took its rows is the copy's matter.
        let read = joined(reading.await)?;
        match (copied, read) {
            (Err(error), _) => Err(error),
            (Ok(()), Err(failure)) => Err(failure.context(format_args!("{name} was not loaded")).into()),
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

    fn entry<'a>(&self, at_hand: &'a AtHand<'_>, pfile: &'a Pfile, kind: Kind, staged: &'a Staged) -> Entry<'a> {
        let (now, run) = (self.run.now, self.run.id);
        Entry { name: at_hand.name, kind, content: &at_hand.content, pfile, staged, began: at_hand.began, now, run }
    }

    /// Refuses a file that is not what it should be.
    fn check(&self, name: &str, kind: Kind, staged: &Staged) -> Result<(), Failure> {
        let share = staged.rejected as f64 / (staged.rows.max(1)) as f64;
        if share > self.job.max_reject_share {
            let message = format!(
                "{name} was not loaded: {} of its {} lines cannot be read, more than --max-reject-share {}",
                staged.rejected, staged.rows, self.job.max_reject_share
            );
            return Err(Failure::new("NPPES_REJECTS", Class::Other, message));
        }
        match self.ledger.rows_min(kind) {
            Some(fewest) if staged.rows.cast_signed() < fewest => {
                let message = format!(
                    "{name} was not loaded: it has {} lines, less than half of what is usual ({fewest})",
                    staged.rows
                );
                Err(Failure::new("NPPES_TOO_FEW_ROWS", Class::Other, message))
            }
            _ => Ok(()),
        }
    }

    /// Archives a file that was loaded, and says so in the ledger.
    async fn keep(&self, name: &str, file: &mut File) -> Result<Option<String>, Halt> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let to = archive.keep(name, file).await?;
        let update = "UPDATE npi_files SET archived_to = $2 WHERE name = $1";
        self.run
            .effect("saying where a file is archived", async |tx| {
                Ok(tx.execute_typed(update, &[(&name, Type::TEXT), (&to, Type::TEXT)]).await?)
            })
            .await?;
        Ok(Some(to))
    }

    /// Archives what earlier runs have loaded and not archived, as long as the page has it.
    pub async fn archive_what_is_not(&self, source: &Source) -> Result<(), Halt> {
        if self.archive.is_none() || self.run.dry_run() {
            return Ok(());
        }
        for name in &source.names {
            let Some(loaded) = self.ledger.named(&name.text).filter(|loaded| !loaded.archived) else { continue };
            let (mut file, content, _) = self.fetch(source, &name.text).await?;
            if content.sha256 == loaded.sha256 {
                self.keep(&loaded.name, &mut file).await?;
            } else {
                warn!(file = loaded.name, "is another file by now than was loaded; not archived");
            }
        }
        Ok(())
    }
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
    /// The same period under another name.
    fn again(&self) -> Self {
        let (name, kind, sha256) = (self.name.clone(), self.kind.clone(), self.sha256.clone());
        Self { name, kind, sha256, ..*self }
    }

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

fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, Failure> {
    outcome.map_err(|_| {
        Failure::new("THREAD", Class::Other, "the thread that reads the file ended badly: a defect of rounds")
    })
}

fn disk(error: &std::io::Error) -> Failure {
    Failure::new("NPPES_DISK", Class::Other, format!("a file cannot be read or written: {}", error.kind()))
}
