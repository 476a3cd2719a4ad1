//! The plan: which file is next.

use std::path::Path;

use super::ledger::Ledger;
use super::names::{self, Kind, Name};
use crate::clinic::actor::refused;
use crate::error::{Error, ErrorKind};

/// The next file to be loaded; nothing where all are loaded.
pub fn next(page: &[Name], ledger: &Ledger, full: bool) -> Result<Option<Name>, Error> {
    let monthly = page.iter().rev().find(|name| name.kind == Kind::Monthly);
    if full || ledger.files.is_empty() {
        match monthly {
            Some(monthly) if ledger.named(&monthly.text).is_none() => return Ok(Some(monthly.clone())),
            Some(_) => {}
            None => {
                let message = "the page has no monthly file, and without one the registry is not whole; nothing was \
                               loaded. --file loads a file that you have";
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
                "the registry ends before {after}, and the next file begins {begins}: {after} to {missing} is missing; \
                 nothing was loaded. Run once with --full, which loads the monthly file, or --file with the missing one"
            );
            Err(Error::new("NPPES_GAP", ErrorKind::Other, message))
        }
        (weekly, _) => Ok(weekly.cloned()),
    }
}

/// The name of the file that `--file` gives, which must be one that can be loaded.
pub fn file_name(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file());
    let name = name.ok_or_else(|| refused("NPPES_FILE", "--file: there is no such file".into()))?;
    let known = names::pfile_period(name).is_some() || name.to_ascii_lowercase().ends_with(".zip");
    if known {
        return Ok(name.to_owned());
    }
    Err(refused("NPPES_FILE", "--file: neither a .zip nor called npidata_pfile_YYYYMMDD-YYYYMMDD.csv".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::refresh_npi::ledger::LoadedFile;

    fn page(names: &[&str]) -> Vec<Name> {
        let links: String =
            names.iter().map(|name| format!("<a href='./NPPES_Data_Dissemination_{name}.zip'>")).collect();
        names::of_page(&links)
    }

    fn ledger(files: &[(&str, &str, Kind)]) -> Ledger {
        let loaded = |(name, end, kind): &(&str, &str, Kind)| {
            let end = end.parse().unwrap();
            LoadedFile::not_stored(&format!("NPPES_Data_Dissemination_{name}.zip"), *kind, end, end)
        };
        Ledger { files: files.iter().map(loaded).collect() }
    }

    fn planned(page: &[Name], ledger: &Ledger, full: bool) -> String {
        match next(page, ledger, full) {
            Ok(Some(name)) => name.text.replace("NPPES_Data_Dissemination_", "").replace(".zip", ""),
            Ok(None) => "nothing".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_empty_ledger_begins_with_the_newest_month_and_goes_on_by_week() {
        let page = page(&["June_2026_V2", "July_2026_V2", "072026_072626_Weekly_V2", "072726_080226_Weekly_V2"]);
        assert_eq!(planned(&page, &ledger(&[]), false), "July_2026_V2");
        let month = ledger(&[("July_2026_V2", "2026-07-12", Kind::Monthly)]);
        assert!(
            planned(&page, &month, false).contains("2026-07-13 to 2026-07-19 is missing"),
            "{}",
            planned(&page, &month, false)
        );
        let month = ledger(&[("July_2026_V2", "2026-07-19", Kind::Monthly)]);
        assert_eq!(planned(&page, &month, false), "072026_072626_Weekly_V2");
        let month = ledger(&[("July_2026_V2", "2026-07-26", Kind::Monthly)]);
        assert_eq!(planned(&page, &month, true), "072726_080226_Weekly_V2");
        let all = ledger(&[("072726_080226_weekly_v2", "2026-08-02", Kind::Weekly)]);
        assert_eq!(planned(&page, &all, false), "nothing");
        assert_eq!(planned(&page, &all, true), "July_2026_V2");
    }

    #[test]
    fn the_end_of_a_year_is_in_order_and_a_missing_week_is_named() {
        let page = page(&["010526_011126_Weekly_V2", "122925_010426_Weekly_V2"]);
        let december = ledger(&[("122225_122825_Weekly_V2", "2025-12-28", Kind::Weekly)]);
        assert_eq!(planned(&page, &december, false), "122925_010426_Weekly_V2");
        let before = ledger(&[("x", "2025-12-21", Kind::Weekly)]);
        let gap = planned(&page, &before, false);
        assert!(gap.contains("2025-12-22 to 2025-12-28 is missing") && gap.contains("--full"), "{gap}");
        assert!(planned(&page, &ledger(&[]), false).contains("no monthly file"));
    }
}
