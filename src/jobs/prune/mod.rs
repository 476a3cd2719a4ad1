//! `rounds prune`: deletes old history, in batches.
//!
//! Rule: a run is deleted if and only if it ended longer ago than `--keep` (a SKIPPED one, `--keep-skipped`), and it is
//! not the last success of its lane; a failed item if and only if it is older than `--keep-errors` or its run is
//! deleted; a notification if and only if it was SENT longer ago than `--keep-notifications`; a refused item if and only
//! if its next try came longer ago than `--keep-skipped`, so that no run tries it any more; a cancellation of the ledger
//! if and only if it was seen, and has ended or its visit began, longer ago than `--keep`; the hours of a doctor if they
//! ended longer ago than that, and a flag of a visit that does not fit them if it was cleared and its visit began before;
//! a slot that was blocked for a leave if it ended longer ago than that; the log of a sync if and only if it ended longer
//! ago than that, and is neither the last success of its type nor the last sweep. Of a client of the PracticeQ account
//! whose patient nobody knows nothing is kept longer than `--keep-unmatched` after the visit, or after a person has
//! decided whose it is; nor a note that a client is nobody's longer than `--keep` after the client was seen; nor what was
//! asked of the account, and the events that it sent, longer than `--keep-skipped`. That is archived nowhere.
//!
//! Safe to run again: a deleted row is not found. With `--archive` nothing is deleted before all rows to be deleted are
//! written and flushed to the disk (a file has no name before it is complete); after a run that died, rows that it wrote
//! but did not delete are written again. A row with a text that cannot be decoded is written with its bytes, so that it
//! holds up no other.
//!
//! Of runs that are deleted their numbers and durations are kept, added up for each lane: `rounds runs stats` counts
//! since ever.
//!
//! Leaves alone: RUNNING runs, so also its own row; notifications that are not sent; and the evidence: no-show logs,
//! alerts, phi_access_log.

mod archive;
mod forgotten;
mod history;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::warn;

use crate::arg::positive_duration;
use crate::clinic::local_time::{self, before};
use crate::db::{Key, Keys, is_undecodable, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{Batch, Counts, Halt, Job, NotDone, Run, RunArgs, apply, as_text, count, skipped_columns};
use archive::{Archive, Recipient};
use forgotten::Before;
use history::{History, Pruned};

statements! {
    of forgotten;

    SCAN[table: History = History::ALL.to_vec()](TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, INT8) =
        format!("SELECT x.id::text AS id FROM {} x\n{}\nORDER BY x.id LIMIT $5", table.name(), table.rule());
    /// What the archive gets.
    ROWS[table: History = History::ALL.to_vec()](KEYS) =
        format!("SELECT to_jsonb(x)::text FROM {} x WHERE x.id = ANY ($1) ORDER BY x.id", table.name());
    /// The same of rows that cannot be sent as text.
    BYTES[table: History = History::ALL.to_vec()](KEYS) = format!(
        "SELECT x.id::text AS id, convert_to(to_jsonb(x)::text, getdatabaseencoding()) AS bytes,
                getdatabaseencoding()::text AS encoding
         FROM {} x WHERE x.id = ANY ($1) ORDER BY x.id",
        table.name()
    );
    DELETE[table: History = History::ALL.to_vec()](TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, KEYS) = format!(
        include_str!("apply.sql"),
        table = table.name(),
        due = table.rule(),
        returned = table.returned(),
        kept = table.kept(),
        skipped_columns = skipped_columns("$5", "locked", "deleted", table.name()),
    );
}

/// Delete old history: runs, their failed items, sent notifications
#[derive(Args, Debug, Serialize)]
pub struct Prune {
    /// How long runs are kept, and what has no flag of its own; at least 1d
    #[arg(long, env = "ROUNDS_KEEP", value_name = "DURATION", default_value = "400d", value_parser = keep)]
    #[serde(serialize_with = "as_text")]
    pub keep: Duration,
    /// How long runs that were skipped are kept, refused items that no run tries any more, and requests to the PracticeQ
    /// account and events of it
    #[arg(long, env = "ROUNDS_KEEP_SKIPPED", value_name = "DURATION", default_value = "14d", value_parser = keep)]
    #[serde(serialize_with = "as_text")]
    pub keep_skipped: Duration,
    /// How long failed items are kept, at most as long as their run [default: --keep]
    #[arg(long, env = "ROUNDS_KEEP_ERRORS", value_name = "DURATION", value_parser = keep)]
    #[serde(serialize_with = "as_text")]
    pub keep_errors: Option<Duration>,
    /// How long notifications are kept after they were sent [default: --keep]
    #[arg(long, env = "ROUNDS_KEEP_NOTIFICATIONS", value_name = "DURATION", value_parser = keep)]
    #[serde(serialize_with = "as_text")]
    pub keep_notifications: Option<Duration>,
    /// How long clients of the PracticeQ account who matched no patient are kept after their visit, and what was read of
    /// them after a person's decision
    #[arg(long, env = "ROUNDS_KEEP_UNMATCHED", value_name = "DURATION", default_value = "30d")]
    #[arg(value_parser = positive_duration)]
    #[serde(serialize_with = "as_text")]
    pub keep_unmatched: Duration,
    /// A directory: what goes is written there first, as gzip-compressed JSON lines, a file a table. The files hold
    /// what patients were told; only their owner may read them, and each has a name only when it is complete
    #[arg(long, env = "ROUNDS_ARCHIVE", value_name = "DIR", value_parser = directory)]
    pub archive: Option<PathBuf>,
    /// Encrypt the archive for the holder of this age key (age1...; age-keygen prints it): only `age --decrypt` with
    /// the secret key can read it. May be given several times; in the variable, separated by commas
    #[arg(long, env = "ROUNDS_ARCHIVE_RECIPIENTS", value_name = "AGE_RECIPIENT", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    #[serde(skip)]
    pub archive_recipient: Vec<String>,
}

/// scanned = all of `pruned` + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The rows that were old enough.
    scanned: u64,
    #[serde(flatten)]
    pruned: Pruned,
    /// The files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    archived: Vec<PathBuf>,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.pruned.all(), not_done: &self.not_done }
    }
}

struct Table {
    history: History,
    ids: Vec<Key>,
}

impl Job for Prune {
    const NAME: &'static str = "prune";
    const TELLS: bool = false;
    type Report = Report;

    /// What is deleted is gone, so no other instant than now decides on it, whatever the environment allows.
    fn check(&self, run: &RunArgs) -> Result<(), Error> {
        // Not `requires`, which does not see what a file of settings gives.
        if self.archive.is_none() && !self.archive_recipient.is_empty() {
            let message = "--archive-recipient encrypts an archive: say --archive DIR, too";
            return Err(Error::new("USAGE", ErrorKind::BadRequest, message));
        }
        self.recipients()?;
        if run.common.as_of.is_none() || run.common.dry_run {
            return Ok(());
        }
        let message = "--as-of would delete what is no history yet: add --dry-run; nothing was deleted";
        Err(Error::new("AS_OF_NOT_ALLOWED", ErrorKind::Refused, message))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let before = self.before(run.now);
        let mut tables = vec![];
        for history in History::ALL {
            tables.push(Table::scan(history, run, &before).await?);
        }
        run.brake(tables.iter().map(|table| run.to_try(table.history.entity(), "", &table.ids)).sum()).await?;
        report.scanned = tables.iter().map(|table| table.ids.len() as u64).sum();
        if let (Some(dir), false) = (&self.archive, run.dry_run()) {
            archive::remove_dead(dir);
            let recipients = self.recipients()?;
            for table in &tables {
                report.archived.extend(table.archive(run, dir, &recipients).await?);
            }
        }
        for table in &tables {
            table.delete(run, &before, report).await?;
        }
        // It is not archived, and not subject to the brake: people of whom the clinic knows nothing are to be forgotten.
        let [runs, skipped, ..] = before;
        let unmatched = local_time::before(run.now, self.keep_unmatched);
        let before = Before { unmatched, request: skipped, client: runs };
        report.scanned += forgotten::forget(run, &before, &mut report.pruned).await?;
        Ok(())
    }
}

impl Prune {
    fn recipients(&self) -> Result<Vec<Recipient>, Error> {
        self.archive_recipient.iter().map(|text| Recipient::parse(text)).collect()
    }

    /// The instants before which rows are deleted: runs, skipped runs, failed items, notifications.
    fn before(&self, now: DateTime<Utc>) -> [DateTime<Utc>; 4] {
        let kept = [
            self.keep,
            self.keep_skipped.min(self.keep),
            self.keep_errors.unwrap_or(self.keep),
            self.keep_notifications.unwrap_or(self.keep),
        ];
        kept.map(|keep| before(now, keep))
    }
}

impl Table {
    /// Finds the ids of the old rows.
    async fn scan(history: History, run: &Run, before: &[DateTime<Utc>; 4]) -> Result<Self, Halt> {
        let (limit, scan) = (run.scan_limit(), SCAN.with(&history));
        let look = async |tx: &Transaction<'_>| scan.all(tx, &parameters(before, &limit)).await;
        let rows = run.read(&format!("looking for old rows of {}", history.name()), look).await?;
        Ok(Self { history, ids: rows.iter().map(|row| row.get("id")).collect() })
    }

    /// Writes the rows to a file of their own, and returns its path, or None if there are no rows.
    async fn archive(&self, run: &Run, dir: &Path, recipients: &[Recipient]) -> Result<Option<PathBuf>, Halt> {
        if self.ids.is_empty() {
            return Ok(None);
        }
        let mut file =
            Archive::create(dir, &format!("{}{}-{}", archive::PREFIX, run.id, self.history.name()), recipients)?;
        for ids in self.ids.chunks(run.batch_rows()) {
            if !self.write(run, ids, &mut file).await? {
                for id in ids {
                    self.write_alone(run, id, &mut file).await?;
                }
            }
        }
        Ok(Some(file.finish()?))
    }

    /// Writes rows to the archive. Returns false, and has written nothing, if one cannot be sent as text.
    async fn write(&self, run: &Run, ids: &[Key], file: &mut Archive) -> Result<bool, Halt> {
        let rows = ROWS.with(&self.history);
        let read = async |tx: &Transaction<'_>| rows.all(tx, &[&Keys(ids)]).await;
        match run.read(&format!("archiving {}", self.history.name()), read).await {
            Ok(rows) => rows.iter().try_for_each(|row| file.line(row.get(0)))?,
            Err(Halt::Failed(error)) if is_undecodable(&error) => return Ok(false),
            Err(halt) => return Err(halt),
        }
        Ok(true)
    }

    /// Writes one row, and its bytes if it cannot be sent as text.
    async fn write_alone(&self, run: &Run, id: &Key, file: &mut Archive) -> Result<(), Halt> {
        if self.write(run, std::slice::from_ref(id), file).await? {
            return Ok(());
        }
        let (run_id, entity) = (run.id, self.history.entity());
        warn!(%run_id, entity, %id, "{entity} {id}: a text in it cannot be decoded; the archive has its bytes");
        let bytes = BYTES.with(&self.history);
        let read = async |tx: &Transaction<'_>| bytes.all(tx, &[&Keys(std::slice::from_ref(id))]).await;
        for row in run.read(&format!("archiving {}", self.history.name()), read).await? {
            file.line(&archive::undecodable(row.get("bytes"), row.get("encoding")))?;
        }
        Ok(())
    }

    /// Deletes the rows and counts them batch by batch, so that a run that is stopped reports its work.
    async fn delete(&self, run: &Run, before: &[DateTime<Utc>; 4], report: &mut Report) -> Result<(), Halt> {
        let delete = DELETE.with(&self.history);
        let statement = async |tx: &Transaction<'_>, ids: &[Key]| delete.one(tx, &parameters(before, &Keys(ids))).await;
        let batch = Batch { entity: self.history.entity(), part: "", ids: &self.ids };
        let pruned = self.history.count(&mut report.pruned);
        apply(run, batch, &mut report.not_done, statement, |row| *pruned += count(row, "pruned")).await
    }
}

/// The parameters of a rule, and one more.
fn parameters<'a>(before: &'a [DateTime<Utc>; 4], more: &'a (dyn ToSql + Sync)) -> [&'a (dyn ToSql + Sync); 5] {
    let [runs, skipped, errors, notifications] = before;
    [runs, skipped, errors, notifications, more]
}

fn keep(text: &str) -> Result<Duration, String> {
    let keep = positive_duration(text)?;
    if keep < Duration::from_secs(24 * 3600) { Err("must be at least 1d".to_owned()) } else { Ok(keep) }
}

fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("is no directory".to_owned()) }
}
