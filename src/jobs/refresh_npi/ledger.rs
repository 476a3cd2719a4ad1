//! The ledger: the table `npi_files`, which says what was loaded.

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use tokio_postgres::Transaction;

use super::fetch::DataFile;
use super::names::{Kind, Name};
use super::pfile::Pfile;
use crate::clients::nppes::Published;
use crate::db::statements;
use crate::error::Error;

statements! {
    LEDGER() =
        "SELECT name, kind, sha256, bytes, etag, period_start, period_end, rows, other_rows,
                archived_to IS NOT NULL AS archived, processed_at
         FROM npi_files ORDER BY period_end, id";
    SET_ARCHIVED(TEXT, TEXT) = "UPDATE npi_files SET archived_to = $2 WHERE sha256 = $1";
    SET_ETAG(TEXT, TEXT) = "UPDATE npi_files SET etag = $2 WHERE sha256 = $1";
}

/// The files that were loaded, in the order of their periods' ends.
#[derive(Debug, Default)]
pub struct Ledger {
    pub files: Vec<LoadedFile>,
}

#[derive(Clone, Debug)]
pub struct LoadedFile {
    pub name: String,
    pub kind: Kind,
    pub sha256: String,
    pub bytes: i64,
    pub etag: Option<String>,
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub rows: i64,
    /// The rows of its file of other names; nothing where it had none.
    pub other_rows: Option<i64>,
    pub archived: bool,
    pub processed_at: DateTime<Utc>,
}

impl Ledger {
    pub async fn read(tx: &Transaction<'_>) -> Result<Self, Error> {
        let rows = LEDGER.all(tx, &[]).await?;
        let loaded = rows.iter().map(|row| LoadedFile {
            name: row.get("name"),
            kind: Kind::of_ledger(row.get("kind")),
            sha256: row.get("sha256"),
            bytes: row.get("bytes"),
            etag: row.get("etag"),
            start: row.get("period_start"),
            end: row.get("period_end"),
            rows: row.get("rows"),
            other_rows: row.get("other_rows"),
            archived: row.get("archived"),
            processed_at: row.get("processed_at"),
        });
        Ok(Self { files: loaded.collect() })
    }

    pub async fn set_archived(tx: &Transaction<'_>, sha256: &str, url: &str) -> Result<(), Error> {
        SET_ARCHIVED.execute(tx, &[&sha256, &url]).await.map(drop)
    }

    pub async fn set_etag(tx: &Transaction<'_>, sha256: &str, etag: &str) -> Result<(), Error> {
        SET_ETAG.execute(tx, &[&sha256, &etag]).await.map(drop)
    }

    /// The file of a name, in upper or lower case, that was loaded last.
    pub fn named(&self, name: &str) -> Option<&LoadedFile> {
        self.files.iter().rfind(|file| file.name.eq_ignore_ascii_case(name))
    }

    pub fn with_content(&self, sha256: &str) -> Option<&LoadedFile> {
        self.files.iter().find(|file| file.sha256 == sha256)
    }

    /// Adds a file of the page as if it had been loaded, for `--list`. A monthly file ends about the second Sunday of
    /// its month, which its name does not say.
    pub fn assume_loaded(&mut self, name: &Name) {
        let second_sunday =
            NaiveDate::from_weekday_of_month_opt(name.start.year(), name.start.month(), Weekday::Sun, 2);
        let end = if name.kind == Kind::Monthly { second_sunday.unwrap_or(name.end) } else { name.end };
        self.files.push(LoadedFile::not_stored(&name.text, name.kind, name.start, end));
    }

    /// The day up to which the registry is complete: the end of the newest monthly file, extended by the files that
    /// follow it without a gap.
    pub fn end(&self) -> Option<NaiveDate> {
        let monthly = self.files.iter().rposition(|file| file.kind == Kind::Monthly);
        let (first, after) = self.files[monthly.unwrap_or(0)..].split_first()?;
        let joins = |end: NaiveDate, file: &LoadedFile| end.succ_opt().is_some_and(|next| file.start <= next);
        Some(after.iter().fold(first.end, |end, file| if joins(end, file) { end.max(file.end) } else { end }))
    }

    /// The fewest rows that a file of this kind may have: half of the median of the last eight. Nothing where there is
    /// none.
    pub fn rows_min(&self, kind: Kind) -> Option<i64> {
        self.half_of_usual(kind, |file| Some(file.rows))
    }

    /// The fewest rows of the file of other names in a file of this kind, in the same way.
    pub fn other_names_min(&self, kind: Kind) -> Option<i64> {
        self.half_of_usual(kind, |file| file.other_rows)
    }

    fn half_of_usual(&self, kind: Kind, rows: impl Fn(&LoadedFile) -> Option<i64>) -> Option<i64> {
        let of_kind = self.files.iter().rev().filter(|file| file.kind == kind);
        let mut rows: Vec<i64> = of_kind.filter_map(rows).take(8).collect();
        rows.sort_unstable();
        rows.get(rows.len() / 2).map(|median| median / 2)
    }
}

impl LoadedFile {
    /// In which way the file that the server has now under its name is another; nothing where none shows.
    pub fn differs_from(&self, published: &Published) -> Option<&'static str> {
        let size = published.bytes.is_some_and(|bytes| bytes.cast_signed() != self.bytes);
        let etag = published.etag.is_some() && self.etag.is_some() && published.etag != self.etag;
        match (size, etag) {
            (true, _) => Some("with another size"),
            (_, true) => Some("with another ETag or date"),
            _ => None,
        }
    }

    /// A file that the table does not have. It counts as archived, because there is nothing to be archived.
    pub fn not_stored(name: &str, kind: Kind, start: NaiveDate, end: NaiveDate) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            sha256: String::new(),
            bytes: 0,
            etag: None,
            start,
            end,
            rows: 0,
            other_rows: None,
            archived: true,
            processed_at: DateTime::UNIX_EPOCH,
        }
    }

    /// The entry that a run would have made, for a dry run.
    pub fn simulated(file: &DataFile, pfile: &Pfile, rows: u64) -> Self {
        let (sha256, bytes) = (file.content.sha256.clone(), file.content.bytes.cast_signed());
        Self {
            sha256,
            bytes,
            etag: file.etag.clone(),
            rows: rows.cast_signed(),
            ..Self::not_stored(&file.name, pfile.kind, pfile.start, pfile.end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_usual_rows_are_the_fewest() {
        let file = |end: &str, rows| {
            let end = end.parse().unwrap();
            LoadedFile { rows, ..LoadedFile::not_stored("", Kind::Weekly, end, end) }
        };
        let ledger = Ledger { files: vec![file("2026-01-01", 100), file("2026-01-08", 200)] };
        assert_eq!((ledger.rows_min(Kind::Weekly), ledger.rows_min(Kind::Monthly)), (Some(100), None));
    }
}
