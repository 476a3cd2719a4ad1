//! Which file is next.

use std::path::Path;

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use reqwest::Url;
use tokio_postgres::Transaction;

use super::names::{self, Kind, Name};
use crate::clinic::actor::refused;
use crate::clients::nppes::Nppes;
use crate::db::statements;
use crate::error::{ErrorKind, Error};
use crate::retry::Retry;

statements! {
    LEDGER() =
        "SELECT name, kind, sha256, period_start, period_end, rows, archived_to IS NOT NULL AS archived, processed_at
         FROM npi_files ORDER BY period_end, id";
}

/// The page, read once a run.
pub struct Source {
    pub server: Nppes,
    pub names: Vec<Name>,
}

/// What was loaded, the oldest period first.
#[derive(Debug, Default)]
pub struct Ledger {
    pub files: Vec<Loaded>,
}

#[derive(Clone, Debug)]
pub struct Loaded {
    pub name: String,
    pub kind: String,
    pub sha256: String,
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub rows: i64,
    pub archived: bool,
    pub processed_at: DateTime<Utc>,
}

impl Source {
    pub async fn new(base: &Url, retry: Retry) -> Result<Self, Error> {
        let server = Nppes::new(base)?;
        let names = names::of_page(&server.page(retry).await?);
        if names.is_empty() {
            let message = "the page NPI_Files.html names no file that is known here; nothing was loaded";
            return Err(Error::new("NPPES_PAGE", ErrorKind::Other, message));
        }
        Ok(Self { server, names })
    }
}

impl Ledger {
    pub async fn read(tx: &Transaction<'_>) -> Result<Self, Error> {
        let rows = LEDGER.all(tx, &[]).await?;
        let loaded = rows.iter().map(|row| Loaded {
            name: row.get("name"),
            kind: row.get("kind"),
            sha256: row.get("sha256"),
            start: row.get("period_start"),
            end: row.get("period_end"),
            rows: row.get("rows"),
            archived: row.get("archived"),
            processed_at: row.get("processed_at"),
        });
        Ok(Self { files: loaded.collect() })
    }

    /// A file by its name, whatever case it is in.
    pub fn named(&self, name: &str) -> Option<&Loaded> {
        self.files.iter().find(|file| file.name.eq_ignore_ascii_case(name))
    }

    pub fn with_content(&self, sha256: &str) -> Option<&Loaded> {
        self.files.iter().find(|file| file.sha256 == sha256)
    }

    /// As if this file had been loaded. A monthly one ends about the second Sunday of its month, which its name does not say.
    pub fn expect(&mut self, name: &Name) {
        let second_sunday =
            NaiveDate::from_weekday_of_month_opt(name.start.year(), name.start.month(), Weekday::Sun, 2);
        let end = if name.kind == Kind::Monthly { second_sunday.unwrap_or(name.end) } else { name.end };
        self.files.push(Loaded {
            name: name.text.clone(),
            kind: name.kind.as_str().to_owned(),
            sha256: String::new(),
            start: name.start,
            end,
            rows: 0,
            archived: true,
            processed_at: DateTime::UNIX_EPOCH,
        });
    }

    /// The last day of those that are covered without a gap, from the newest file that has everything on.
    fn end(&self) -> Option<NaiveDate> {
        let monthly = self.files.iter().rposition(|file| file.kind == Kind::Monthly.as_str());
        let (first, after) = self.files[monthly.unwrap_or(0)..].split_first()?;
        let joins = |end: NaiveDate, file: &Loaded| end.succ_opt().is_some_and(|next| file.start <= next);
        Some(after.iter().fold(first.end, |end, file| if joins(end, file) { end.max(file.end) } else { end }))
    }

    /// Half of the median of the rows of the last eight files of a kind; nothing where there is none.
    pub fn rows_min(&self, kind: Kind) -> Option<i64> {
        let mut rows: Vec<i64> =
            self.files.iter().rev().filter(|file| file.kind == kind.as_str()).take(8).map(|file| file.rows).collect();
        rows.sort_unstable();
        rows.get(rows.len() / 2).map(|median| median / 2)
    }
}

/// The file to be loaded next; nothing where all are.
pub fn next(page: &[Name], ledger: &Ledger, full: bool) -> Result<Option<Name>, Error> {
    let monthly = page.iter().rev().find(|name| name.kind == Kind::Monthly);
    if full || ledger.files.is_empty() {
        match monthly {
            Some(monthly) if ledger.named(&monthly.text).is_none() => return Ok(Some(monthly.clone())),
            Some(_) => {}
            None => {
                let message = "the page has no monthly file, and without one the registry is not whole; nothing was loaded. \
                               --file loads a file that you have";
                return Err(Error::new("NPPES_PAGE", ErrorKind::Other, message));
            }
        }
    }
    let end = ledger.end();
    let weekly = page.iter().find(|name| {
        name.kind == Kind::Weekly && end.is_none_or(|end| name.end > end) && ledger.named(&name.text).is_none()
    });
    match (weekly, end.and_then(|end| end.succ_opt())) {
        (Some(weekly), Some(after)) if weekly.start > after => {
            let (missing, begins) = (weekly.start.pred_opt().unwrap_or(after), weekly.start);
            let message = format!(
                "the registry ends before {after}, and the next file begins {begins}: {after} to {missing} is missing; nothing \
                 was loaded. Run once with --full, which loads the monthly file, or --file with the missing one"
            );
            Err(Error::new("NPPES_GAP", ErrorKind::Other, message))
        }
        (weekly, _) => Ok(weekly.cloned()),
    }
}

/// What a file is called.
pub fn file_name(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file());
    let name = name.ok_or_else(|| refused("NPPES_FILE", "--file: there is no such file".into()))?;
    let known = names::pfile(name).is_some() || name.to_ascii_lowercase().ends_with(".zip");
    if known {
        return Ok(name.to_owned());
    }
    Err(refused("NPPES_FILE", "--file: neither a .zip nor called npidata_pfile_YYYYMMDD-YYYYMMDD.csv".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(names: &[&str]) -> Vec<Name> {
        let links: String =
            names.iter().map(|name| format!("<a href='./NPPES_Data_Dissemination_{name}.zip'>")).collect();
        names::of_page(&links)
    }

    fn ledger(files: &[(&str, &str, &str)]) -> Ledger {
        let loaded = |(name, end, kind): &(&str, &str, &str)| Loaded {
            name: format!("NPPES_Data_Dissemination_{name}.zip"),
            kind: (*kind).to_owned(),
            sha256: String::new(),
            start: end.parse().unwrap(),
            end: end.parse().unwrap(),
            rows: 100,
            archived: false,
            processed_at: DateTime::UNIX_EPOCH,
        };
        Ledger { files: files.iter().map(loaded).collect() }
    }

    fn told(page: &[Name], ledger: &Ledger, full: bool) -> String {
        match next(page, ledger, full) {
            Ok(Some(name)) => name.text.replace("NPPES_Data_Dissemination_", "").replace(".zip", ""),
            Ok(None) => "nothing".into(),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn an_empty_ledger_begins_with_the_newest_month_and_goes_on_by_week() {
        let page = page(&["June_2026_V2", "July_2026_V2", "072026_072626_Weekly_V2", "072726_080226_Weekly_V2"]);
        assert_eq!(told(&page, &ledger(&[]), false), "July_2026_V2");
        let month = ledger(&[("July_2026_V2", "2026-07-12", "MONTHLY")]);
        assert!(
            told(&page, &month, false).contains("2026-07-13 to 2026-07-19 is missing"),
            "{}",
            told(&page, &month, false)
        );
        let month = ledger(&[("July_2026_V2", "2026-07-19", "MONTHLY")]);
        assert_eq!(told(&page, &month, false), "072026_072626_Weekly_V2");
        let month = ledger(&[("July_2026_V2", "2026-07-26", "MONTHLY")]);
        assert_eq!(told(&page, &month, true), "072726_080226_Weekly_V2");
        let all = ledger(&[("072726_080226_weekly_v2", "2026-08-02", "WEEKLY")]);
        assert_eq!(told(&page, &all, false), "nothing");
        assert_eq!(told(&page, &all, true), "July_2026_V2");
    }

    #[test]
    fn the_end_of_a_year_is_in_order_and_a_missing_week_is_named() {
        let page = page(&["010526_011126_Weekly_V2", "122925_010426_Weekly_V2"]);
        let december = ledger(&[("122225_122825_Weekly_V2", "2025-12-28", "WEEKLY")]);
        assert_eq!(told(&page, &december, false), "122925_010426_Weekly_V2");
        let before = ledger(&[("x", "2025-12-21", "WEEKLY")]);
        let gap = told(&page, &before, false);
        assert!(gap.contains("2025-12-22 to 2025-12-28 is missing") && gap.contains("--full"), "{gap}");
        assert!(told(&page, &ledger(&[]), false).contains("no monthly file"));
    }

    #[test]
    fn half_of_the_usual_rows_are_the_fewest() {
        let mut files = ledger(&[("a", "2026-01-01", "WEEKLY"), ("b", "2026-01-08", "WEEKLY")]);
        files.files[1].rows = 200;
        assert_eq!((files.rows_min(Kind::Weekly), files.rows_min(Kind::Monthly)), (Some(100), None));
    }
}
