//! Files as CMS publishes them, of the true shape, and the same in every run: one monthly file with everybody, and weekly
//! files after it. header_v2.csv is the header of CMS's V2 pfiles, as it is in ../shared/data/nppes, byte for byte.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{Datelike, Days, NaiveDate};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::draw::mix;
use super::provider::{Kind, Provider, with_check_digit};

const HEADER: &[u8] = include_bytes!("header_v2.csv");
const OTHER_NAMES_HEADER: &[u8] =
    b"\"NPI\",\"Provider Other Organization Name\",\"Provider Other Organization Name Type Code\"\n";
/// As many as can be without two of them changing the same provider.
pub const WEEKS: u64 = 16;
const FIRST_PERIOD: NaiveDate = NaiveDate::from_ymd_opt(2005, 5, 23).expect("a date");
const BASE_END: NaiveDate = NaiveDate::from_ymd_opt(2026, 7, 12).expect("a date");
/// The numbers that are given: nine digits, before the check digit.
const NUMBERS: std::ops::Range<u64> = 100_000_000..199_000_000;
/// Greater than any number of rows, so it steps through all of them, and in no order that shows.
const STEP: u64 = 100_000_007;

/// Everybody in the monthly file, and what the weekly files change.
#[derive(Clone, Copy)]
pub struct Registry {
    pub rows: u64,
}

/// A weekly file, and what it must do to a database that holds the monthly.
pub struct Weekly {
    pub path: PathBuf,
    pub rows: u64,
    pub inserted: u64,
    pub updated: u64,
    /// Of those, not active any more.
    pub deactivated: u64,
    /// Rows of the file of other names.
    pub other_names: u64,
}

impl Weekly {
    pub fn name(&self) -> String {
        self.path.file_name().expect("it has one").to_string_lossy().into_owned()
    }
}

impl Registry {
    /// 34,000 of 9,500,000, and of fewer a share at which their number still is worth a measurement.
    pub fn weekly_rows(self) -> u64 {
        34_000.min(self.rows / 20)
    }

    pub fn monthly(self, dir: &Path) -> PathBuf {
        let path = dir.join("NPPES_Data_Dissemination_July_2026_V2.zip");
        write(&path, FIRST_PERIOD, BASE_END, (0..self.rows).map(|index| self.provider(index)));
        path
    }

    /// The provider in that place of the monthly file.
    pub fn provider(self, index: u64) -> Provider {
        let seed = mix(index);
        let kind = match seed % 100 {
            0..76 => Kind::Individual,
            76..98 => Kind::Organization,
            _ => Kind::Deactivated,
        };
        Provider::draw(self.npi(index, false), kind, seed)
    }

    /// NPIs ascend with the index; between two of the base there is room for a new one.
    fn npi(self, index: u64, new: bool) -> u64 {
        let room = (NUMBERS.end - NUMBERS.start) / self.rows;
        let within = mix(index ^ u64::from(new)) % (room / 2);
        with_check_digit(NUMBERS.start + index * room + u64::from(new) * (room / 2) + within)
    }

    /// The file of that week after the monthly. No two weeks have an NPI in common.
    pub fn weekly(self, week: u64, dir: &Path) -> Weekly {
        assert!(week < WEEKS, "there are no more");
        let (first, last) = (BASE_END + Days::new(1 + 7 * week), BASE_END + Days::new(7 + 7 * week));
        let name = format!("NPPES_Data_Dissemination_{}_{}_Weekly_V2.zip", mmddyy(first), mmddyy(last));
        let rows = self.weekly_rows();
        let mut weekly = Weekly { path: dir.join(name), rows, inserted: 0, updated: 0, deactivated: 0, other_names: 0 };
        let changes = (0..rows).map(|row| {
            let new = row % 5 >= 3;
            let provider = self.change(week, row, new, first + Days::new(row % 7));
            *(if new { &mut weekly.inserted } else { &mut weekly.updated }) += 1;
            weekly.deactivated += u64::from(provider.kind == Kind::Deactivated);
            provider
        });
        let other_names = write(&weekly.path.clone(), first, last, changes);
        weekly.other_names = other_names;
        weekly
    }

    fn change(self, week: u64, row: u64, new: bool, day: NaiveDate) -> Provider {
        let index = row * STEP % (self.rows / WEEKS) * WEEKS + week;
        let dice = mix(STEP * (week + 1) + row);
        if new {
            let kind = if dice % 100 < 78 { Kind::Individual } else { Kind::Organization };
            let provider = Provider::draw(self.npi(index, true), kind, mix(dice));
            return Provider { updated: Some(day), ..provider };
        }
        let before = self.provider(index);
        let mut after = Provider { updated: Some(day), ..before.clone() };
        if before.kind == Kind::Deactivated {
            after.kind = Kind::Individual;
            (after.deactivated, after.reactivated) = (Some(BASE_END - Days::new(100)), Some(day));
            return after;
        }
        let other = mix(dice);
        match dice % 200 {
            // Attested again: nothing but its dates.
            0..40 => {}
            40..100 => (after.practice, after.phones) = (other, mix(other)),
            100..130 => after.phones = other,
            130..155 => after.taxonomies = other,
            155..175 => after.mailing = other,
            175..187 => after.first_name = other,
            // Most of these leave their letter.
            187..196 => after.last_name = other,
            _ => (after.kind, after.deactivated) = (Kind::Deactivated, Some(day)),
        }
        after
    }
}

fn mmddyy(day: NaiveDate) -> String {
    format!("{:02}{:02}{:02}", day.month(), day.day(), day.year() % 100)
}

/// A zip with one pfile in it, streamed, and the file of other names. Returns the rows of that.
fn write(path: &Path, first: NaiveDate, last: NaiveDate, providers: impl Iterator<Item = Provider>) -> u64 {
    let show = |error: &dyn std::fmt::Display| -> ! { panic!("{}: {error}", path.display()) };
    let file = File::create(path).unwrap_or_else(|error| show(&error));
    let mut zip = ZipWriter::new(BufWriter::new(file));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        // More than 4 GiB, for the monthly.
        .large_file(true);
    let pfile = format!("npidata_pfile_{}-{}", first.format("%Y%m%d"), last.format("%Y%m%d"));
    zip.start_file(format!("{pfile}.csv"), options).unwrap_or_else(|error| show(&error));
    let mut lines = Vec::with_capacity(96 << 10);
    lines.extend_from_slice(HEADER);
    let mut others = OTHER_NAMES_HEADER.to_vec();
    let mut other_names = 0;
    for provider in providers {
        other_names += provider.write_other_names(&mut others);
        provider.write(BASE_END, &mut lines);
        if lines.len() > 64 << 10 {
            zip.write_all(&lines).unwrap_or_else(|error| show(&error));
            lines.clear();
        }
    }
    zip.write_all(&lines).unwrap_or_else(|error| show(&error));
    let others_name = pfile.replace("npidata", "othername");
    zip.start_file(format!("{others_name}.csv"), options).unwrap_or_else(|error| show(&error));
    zip.write_all(&others).unwrap_or_else(|error| show(&error));
    // Beside it, as in CMS's own: to be passed over.
    zip.start_file(format!("{pfile}_fileheader.csv"), options).unwrap_or_else(|error| show(&error));
    zip.write_all(HEADER).unwrap_or_else(|error| show(&error));
    zip.finish().and_then(|mut file| Ok(file.flush()?)).unwrap_or_else(|error| show(&error));
    other_names
}
