//! One provider, and its line in a pfile. All that is said of it is drawn from a few seeds, so nothing has to be kept of
//! nine million of them, and another seed is a change.

use std::fmt::Write as _;

use chrono::{Datelike, Days, NaiveDate};
use fastrand::Rng;

use super::draw::{mix, percent, weighted, within};
use super::names::{City, first_name, organization, street, surname};
use super::tables::{CREDENTIALS, ORG_TAXONOMIES, TAXONOMIES};

pub const COLUMNS: usize = 330;
const FIRST_TAXONOMY: usize = 47;
const FIRST_OTHER_IDENTIFIER: usize = 107;
const FIRST_TAXONOMY_GROUP: usize = 314;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Individual,
    Organization,
    /// All that a file says of it is when it was deactivated.
    Deactivated,
}

#[derive(Clone)]
pub struct Provider {
    pub npi: u64,
    pub kind: Kind,
    pub last_name: u64,
    pub first_name: u64,
    pub practice: u64,
    pub mailing: u64,
    pub phones: u64,
    pub taxonomies: u64,
    /// Credentials, licences and whatever else.
    pub rest: u64,
    /// None: a day between its enumeration and the end of the base.
    pub updated: Option<NaiveDate>,
    pub deactivated: Option<NaiveDate>,
    pub reactivated: Option<NaiveDate>,
}

impl Provider {
    /// `seed` is unlike any other's.
    pub fn draw(npi: u64, kind: Kind, seed: u64) -> Self {
        let part = |number: u64| mix(seed.wrapping_mul(8).wrapping_add(number));
        Self {
            npi,
            kind,
            last_name: part(0),
            first_name: part(1),
            practice: part(2),
            mailing: part(3),
            phones: part(4),
            taxonomies: part(5),
            rest: part(6),
            updated: None,
            deactivated: None,
            reactivated: None,
        }
    }

    /// Surname, or the organization's name.
    pub fn name(&self) -> String {
        let rng = &mut Rng::with_seed(self.last_name);
        if self.kind == Kind::Organization { organization(rng) } else { surname(rng) }
    }

    pub fn practice_state(&self) -> &'static str {
        City::draw(&mut Rng::with_seed(self.practice)).state()
    }

    /// Its line, with a line feed.
    pub fn write(&self, base_end: NaiveDate, out: &mut Vec<u8>) {
        let mut line = Line { out, columns: 0 };
        line.put(0, &self.npi.to_string());
        if self.kind == Kind::Deactivated {
            let day = self.deactivated.unwrap_or_else(|| between(&mut Rng::with_seed(self.rest), FIRST_DAY, base_end));
            line.put(39, &us_date(day));
            return line.end();
        }
        let organization = self.kind == Kind::Organization;
        line.put(1, if organization { "2" } else { "1" });
        let mut rest = Rng::with_seed(self.rest);
        self.names(&mut line, &mut rest);
        self.addresses(&mut line);
        let enumerated = between(&mut rest, FIRST_DAY, base_end);
        let updated = self.updated.unwrap_or_else(|| between(&mut rest, enumerated, base_end));
        line.put(36, &us_date(enumerated));
        line.put(37, &us_date(updated));
        for (column, day) in [(39, self.deactivated), (40, self.reactivated)] {
            if let Some(day) = day {
                line.put(column, &us_date(day));
            }
        }
        if organization {
            self.official(&mut line);
        } else {
            line.put(41, if percent(&mut rest, 62) { "F" } else { "M" });
        }
        self.taxonomies(&mut line, &mut rest);
        if organization {
            line.put(308, weighted(&mut rest, &[("N", 80), ("Y", 20)]));
            if percent(&mut rest, 8) {
                line.put(FIRST_TAXONOMY_GROUP, "193400000X SINGLE SPECIALTY GROUP");
            }
        }
        if percent(&mut rest, 55) {
            line.put(329, &us_date(updated));
        }
        line.end();
    }

    /// Appends the rows of its other names, beside the one in the pfile, and returns how many they are: of an organization
    /// in three one or two, each with a letter of its own.
    pub fn write_other_names(&self, out: &mut Vec<u8>) -> u64 {
        let rng = &mut Rng::with_seed(self.last_name ^ self.rest);
        if self.kind != Kind::Organization || !percent(rng, 33) {
            return 0;
        }
        let count = rng.u64(1..=2);
        for number in 0..count {
            let (name, code) = (organization(rng), weighted(rng, &[("3", 70), ("4", 20), ("5", 10)]));
            let row = format!("\"{}\",\"{name} {number}\",\"{code}\"\n", self.npi);
            out.extend_from_slice(row.as_bytes());
        }
        count
    }

    fn names(&self, line: &mut Line<'_>, rest: &mut Rng) {
        if self.kind == Kind::Organization {
            line.put(3, "<UNAVAIL>");
            line.put(4, &self.name());
            if percent(rest, 25) {
                line.put(11, &organization(rest));
                line.put(12, "3");
            }
            return;
        }
        line.put(5, &self.name());
        let mut first = Rng::with_seed(self.first_name);
        line.put(6, &first_name(&mut first));
        match first.u32(..100) {
            0..35 => {}
            35..60 => line.put(7, &first_name(&mut first)),
            _ => line.put(7, char::from(first.u8(b'A'..=b'Z')).encode_utf8(&mut [0])),
        }
        line.put(8, weighted(rest, &[("", 60), ("DR.", 20), ("MS.", 10), ("MR.", 6), ("MRS.", 4)]));
        line.put(9, weighted(rest, &[("", 97), ("JR.", 2), ("III", 1)]));
        line.put(10, weighted(rest, &CREDENTIALS));
        if percent(rest, 12) {
            line.put(13, &surname(rest));
            line.put(14, &first_name(&mut Rng::with_seed(self.first_name)));
            line.put(19, "1");
        }
    }

    fn addresses(&self, line: &mut Line<'_>) {
        // Half of the mailing addresses are where the practice is.
        let seeds = [if self.mailing.is_multiple_of(2) { self.practice } else { self.mailing }, self.practice];
        let mut phones = Rng::with_seed(self.phones);
        for (first, seed) in [20, 28].into_iter().zip(seeds) {
            let rng = &mut Rng::with_seed(seed);
            let city = City::draw(rng);
            line.put(first, &street(rng));
            if percent(rng, 20) {
                line.put(first + 1, &format!("SUITE {}", rng.u32(1..999)));
            }
            line.put(first + 2, &city.name());
            line.put(first + 3, city.state());
            line.put(first + 4, &city.zip(rng));
            line.put(first + 5, "US");
            if percent(&mut phones, 90) {
                line.put(first + 6, &city.phone(&mut phones));
            }
            if percent(&mut phones, 45) {
                line.put(first + 7, &city.phone(&mut phones));
            }
        }
    }

    fn official(&self, line: &mut Line<'_>) {
        let rng = &mut Rng::with_seed(self.first_name);
        line.put(42, &surname(rng));
        line.put(43, &first_name(rng));
        line.put(45, weighted(rng, &[("OWNER", 40), ("PRESIDENT", 30), ("CEO", 20), ("OFFICE MANAGER", 10)]));
        line.put(46, &City::draw(rng).phone(rng));
    }

    fn taxonomies(&self, line: &mut Line<'_>, rest: &mut Rng) {
        let rng = &mut Rng::with_seed(self.taxonomies);
        let organization = self.kind == Kind::Organization;
        let count = weighted(rng, &[(1, 74), (2, 18), (3, 8)]);
        let primary = rng.usize(..count);
        let state = self.practice_state();
        for slot in 0..count {
            let first = FIRST_TAXONOMY + 4 * slot;
            line.put(first, if organization { weighted(rng, &ORG_TAXONOMIES) } else { weighted(rng, &TAXONOMIES) });
            if percent(rng, if organization { 25 } else { 80 }) {
                line.put(first + 1, &licence(rng));
                line.put(first + 2, state);
            }
            line.put(first + 3, if slot == primary { "Y" } else { "N" });
        }
        if percent(rest, 10) {
            for other in 0..rest.usize(1..3) {
                let first = FIRST_OTHER_IDENTIFIER + 4 * other;
                line.put(first, &rest.u32(100_000..999_999_999).to_string());
                line.put(first + 1, weighted(rest, &[("05", 60), ("01", 40)]));
                line.put(first + 2, state);
            }
        }
        if !organization {
            line.put(307, weighted(rest, &[("N", 60), ("Y", 25), ("X", 15)]));
        }
    }
}

/// The first that CMS numbered.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2005, 5, 23).expect("a date");

fn between(rng: &mut Rng, first: NaiveDate, last: NaiveDate) -> NaiveDate {
    first + Days::new(rng.u64(..=last.signed_duration_since(first).num_days().unsigned_abs()))
}

fn us_date(day: NaiveDate) -> String {
    format!("{:02}/{:02}/{}", day.month(), day.day(), day.year())
}

fn licence(rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..weighted(rng, &[(0, 60), (1, 20), (2, 14), (3, 6)]) {
        text.push(char::from(rng.u8(b'A'..=b'Z')));
    }
    write!(text, "{}", within(rng, 4..8)).expect("a string takes it");
    text
}

/// A line that is written from left to right; what is left out is empty.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    columns: usize,
}

impl Line<'_> {
    fn put(&mut self, column: usize, value: &str) {
        self.pad(column);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.extend_from_slice(b"\",");
        self.columns += 1;
    }

    fn pad(&mut self, to: usize) {
        assert!(self.columns <= to, "column {to} comes after {}", self.columns);
        for _ in self.columns..to {
            self.out.extend_from_slice(b"\"\",");
        }
        self.columns = to;
    }

    fn end(mut self) {
        self.pad(COLUMNS);
        self.out.pop();
        self.out.push(b'\n');
    }
}

/// A number of nine digits with the check digit of an NPI: Luhn's, as if 80840 stood before it, which adds 24.
pub fn with_check_digit(nine: u64) -> u64 {
    let mut sum = 24;
    let mut left = nine;
    for place in 0..9 {
        let digit = left % 10;
        sum += match digit * 2 {
            _ if place % 2 == 1 => digit,
            double if double > 9 => double - 9,
            double => double,
        };
        left /= 10;
    }
    nine * 10 + (10 - sum % 10) % 10
}
