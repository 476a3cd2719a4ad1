//! The job's report: lines, and each file.

use chrono::NaiveDate;
use serde::Serialize;

use super::pfile::Pfile;
use super::watch::Changed;
use crate::db::Row;
use crate::run::{self, Counts, NotDone};

/// scanned = loaded + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Rows of all files; of those of other names only what failed.
    scanned: u64,
    /// Inserted or updated.
    loaded: u64,
    /// The files of the run.
    files: Vec<FileReport>,
    /// `unchanged`, `older` than the stored row, `duplicate` of a later line; `failed` are the rejected lines.
    #[serde(flatten)]
    not_done: NotDone,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum FileReport {
    Loaded(FileCounts),
    /// Its content was loaded before, under the name that `skipped` gives.
    Skipped {
        /// The name of the file.
        name: String,
        /// Of a file that was loaded before: the name under which that was.
        skipped: String,
    },
}

/// The counts of a loaded file.
#[derive(Debug, Serialize)]
pub struct FileCounts {
    /// The name of the file.
    name: String,
    /// WEEKLY or MONTHLY.
    kind: &'static str,
    /// The last day of which the file tells.
    period_end: NaiveDate,
    /// The rows of the file.
    rows: u64,
    /// The providers that are new.
    inserted: u64,
    /// The providers that changed.
    updated: u64,
    /// The rows that are stored already.
    unchanged: u64,
    /// The rows that are older than what is stored.
    older: u64,
    /// The rows that a later row of the same NPI replaces.
    duplicates: u64,
    /// Those of the inserted or updated that are deactivated.
    deactivated: u64,
    /// The rows that cannot be read, or that the database refuses: `npi_rejects`.
    rejected: u64,
    /// How long the file took.
    seconds: f64,
    /// Where the copy of the file is.
    pub archived_to: Option<String>,
    /// The file of other names in the zip; null where it was not read.
    other_names: Option<OtherNames>,
    /// What has changed of the providers that are watched.
    watched: Vec<Changed>,
}

/// Rows of the file of other names, and the names that were written or taken away.
#[derive(Debug, Serialize)]
struct OtherNames {
    /// The rows of the file of other names.
    rows: u64,
    /// The names that are new.
    added: u64,
    /// The names that are gone.
    removed: u64,
    /// The rows that cannot be read.
    rejected: u64,
}

impl run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.loaded, not_done: &self.not_done }
    }
}

impl Report {
    pub fn loaded(&mut self, file: FileCounts) {
        let names_rejected = file.other_names.as_ref().map_or(0, |names| names.rejected);
        self.scanned += file.rows + names_rejected;
        self.loaded += file.inserted + file.updated;
        self.not_done.skip("unchanged", file.unchanged);
        self.not_done.skip("older", file.older);
        self.not_done.skip("duplicate", file.duplicates);
        self.not_done.failed += file.rejected + names_rejected;
        self.files.push(FileReport::Loaded(file));
    }

    pub fn skipped(&mut self, name: String, skipped: String) {
        self.files.push(FileReport::Skipped { name, skipped });
    }
}

impl FileCounts {
    /// `row` is that of the ledger after the merge.
    pub fn of(name: &str, pfile: &Pfile, row: &Row, watched: Vec<Changed>) -> Self {
        let count = |column| run::count(row, column);
        Self {
            name: name.to_owned(),
            kind: pfile.kind.as_str(),
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
            watched,
            other_names: row.get::<_, Option<i64>>("other_rows").map(|_| OtherNames {
                rows: count("other_rows"),
                added: count("other_added"),
                removed: count("other_removed"),
                rejected: count("other_rejected"),
            }),
        }
    }
}
