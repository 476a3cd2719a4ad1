//! Encodes a line as a row of the staging table, in COPY's binary format.
//!
//! Rule: a line is rejected if and only if it is not UTF-8, holds a NUL, has another number of columns than the header,
//! repeats the header, or has no well-formed NPI, an entity type other than 1, 2 or none, or a date that does not
//! exist.

use chrono::NaiveDate;

use super::columns::{Address, Columns};
use super::csv::{Fields, Splitter};
use crate::clinic::npi::{is_valid, letter, normalize_name, raw};

/// The CMS writes this in place of a value that it does not publish.
const MASKED: &[u8] = b"<UNAVAIL>";

/// The columns of the staging table, in the order of a tuple's values.
pub const STAGED: [(&str, &str); 37] = [
    ("line", "bigint"),
    ("reject", "text"),
    ("npi", "bigint"),
    ("entity_type", "smallint"),
    ("bare", "boolean"),
    ("replacement_npi", "bigint"),
    ("organization_name", "text"),
    ("last_name", "text"),
    ("first_name", "text"),
    ("middle_name", "text"),
    ("credential", "text"),
    ("other_name", "text"),
    ("mailing_address", "text"),
    ("mailing_city", "text"),
    ("mailing_state", "text"),
    ("mailing_zip", "text"),
    ("mailing_phone", "text"),
    ("practice_address", "text"),
    ("practice_city", "text"),
    ("practice_state", "text"),
    ("practice_zip", "text"),
    ("practice_country", "text"),
    ("practice_phone", "text"),
    ("practice_fax", "text"),
    ("enumerated_on", "date"),
    ("updated_on", "date"),
    ("deactivated_on", "date"),
    ("reactivated_on", "date"),
    ("deactivation_code", "text"),
    ("sex", "text"),
    ("primary_taxonomy", "text"),
    ("taxonomies", "text[]"),
    ("licences", "text[]"),
    ("letter", "\"char\""),
    ("folded", "text"),
    ("hash", "uuid"),
    ("raw", "bytea"),
];

/// Writes the values of a tuple, each behind its length.
struct Tuple<'a>(&'a mut Vec<u8>);

impl Tuple<'_> {
    fn begin(out: &mut Vec<u8>) -> Tuple<'_> {
        out.extend_from_slice(&(STAGED.len() as i16).to_be_bytes());
        Tuple(out)
    }

    fn null(&mut self) {
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(&(value.len() as i32).to_be_bytes());
        self.0.extend_from_slice(value);
    }

    fn text(&mut self, value: &[u8]) {
        if value.is_empty() || value == MASKED { self.null() } else { self.bytes(value) }
    }

    fn long(&mut self, value: u64) {
        self.bytes(&(value as i64).to_be_bytes());
    }

    fn date(&mut self, days: Option<i32>) {
        match days {
            Some(days) => self.bytes(&days.to_be_bytes()),
            None => self.null(),
        }
    }

    /// An array of text, without NULLs.
    fn texts<'a>(&mut self, values: impl ExactSizeIterator<Item = &'a [u8]>) {
        const TEXT: i32 = 25;
        let start = self.0.len();
        let count = values.len() as i32;
        let head: &[i32] = if count == 0 { &[0, 0, 0, TEXT] } else { &[0, 1, 0, TEXT, count, 1] };
        head.iter().for_each(|word| self.0.extend_from_slice(&word.to_be_bytes()));
        values.for_each(|value| self.bytes(value));
        let length = (self.0.len() - start - 4) as i32;
        self.0[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A row of this entity type; 0 is none or unknown.
    Row(u8),
    Rejected,
}

/// Encodes lines as tuples. Its buffers serve one line after another.
pub struct Encoder {
    columns: Columns,
    header: Vec<u8>,
    splitter: Splitter,
    normalized: String,
    raw: Vec<u8>,
    licences: Vec<u8>,
}

/// The values that a line must have right. They are checked before a tuple is begun.
struct Checked {
    npi: u64,
    entity_type: u8,
    enumerated: Option<i32>,
    updated: Option<i32>,
    deactivated: Option<i32>,
    reactivated: Option<i32>,
}

impl Encoder {
    pub fn new(columns: Columns, header: Vec<u8>) -> Self {
        let (splitter, normalized) = (Splitter::default(), String::new());
        Self { columns, header, splitter, normalized, raw: vec![], licences: vec![] }
    }

    /// Appends the tuple of a line.
    pub fn row(&mut self, number: u64, line: &[u8], out: &mut Vec<u8>) -> LineKind {
        let Self { columns, header, splitter, normalized, raw, licences } = self;
        if line == header.as_slice() {
            return reject(number, "header", line, out);
        }
        if std::str::from_utf8(line).is_err() {
            return reject(number, "utf-8", line, out);
        }
        if memchr::memchr(0, line).is_some() {
            return reject(number, "nul", line, out);
        }
        let fields = splitter.split(line);
        let checked = match check(columns, fields) {
            Ok(checked) => checked,
            Err(reason) => return reject(number, reason, line, out),
        };
        let mut tuple = Tuple::begin(out);
        tuple.long(number);
        tuple.null();
        tuple.long(checked.npi);
        tuple.bytes(&i16::from(checked.entity_type).to_be_bytes());
        let bare = is_bare(columns, fields);
        tuple.bytes(&[u8::from(bare)]);
        provider(&mut tuple, columns, fields, &checked);
        taxonomies(&mut tuple, columns, fields, licences);
        search_key(&mut tuple, columns, fields, &checked, normalized);
        if bare {
            tuple.null();
            tuple.null();
            return LineKind::Row(checked.entity_type);
        }
        raw.clear();
        raw::encode(line, fields.plain(), raw);
        let digest = ring::digest::digest(&ring::digest::SHA256, raw);
        tuple.bytes(&digest.as_ref()[..16]);
        tuple.bytes(raw);
        LineKind::Row(checked.entity_type)
    }
}

fn reject(number: u64, reason: &str, line: &[u8], out: &mut Vec<u8>) -> LineKind {
    let mut tuple = Tuple::begin(out);
    tuple.long(number);
    tuple.bytes(reason.as_bytes());
    (2..STAGED.len() - 1).for_each(|_| tuple.null());
    tuple.bytes(line);
    LineKind::Rejected
}

fn check(columns: &Columns, fields: Fields<'_>) -> Result<Checked, &'static str> {
    if fields.len() != columns.count {
        return Err("columns");
    }
    let npi = number(fields.get(columns.npi)).filter(|npi| *npi >= 1_000_000_000).ok_or("npi")?;
    if !is_valid(npi) {
        return Err("check digit");
    }
    let entity_type = match fields.get(columns.entity_type) {
        b"1" => 1,
        b"2" => 2,
        b"" => 0,
        _ => return Err("entity type"),
    };
    Ok(Checked {
        npi,
        entity_type,
        enumerated: date(fields.get(columns.enumerated))?,
        updated: date(fields.get(columns.updated))?,
        deactivated: date(fields.get(columns.deactivated))?,
        reactivated: date(fields.get(columns.reactivated))?,
    })
}

/// Parses a number of up to ten digits.
fn number(text: &[u8]) -> Option<u64> {
    let digits = (1..=10).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Parses MM/DD/YYYY to days since 2000-01-01; nothing where there is no date.
fn date(text: &[u8]) -> Result<Option<i32>, &'static str> {
    if text.is_empty() || text == MASKED {
        return Ok(None);
    }
    let [a, b, b'/', c, d, b'/', year @ ..] = text else { return Err("date") };
    if year.len() != 4 {
        return Err("date");
    }
    let part = |digits: &[u8]| number(digits).and_then(|number| u32::try_from(number).ok()).ok_or("date");
    let (month, day, year) = (part(&[*a, *b])?, part(&[*c, *d])?, part(year)?);
    let date = NaiveDate::from_ymd_opt(year.cast_signed(), month, day).ok_or("date")?;
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).ok_or("date")?;
    Ok(Some(date.signed_duration_since(epoch).num_days() as i32))
}

/// Whether a line says only that its NPI is deactivated: it has neither a name nor an address.
fn is_bare(columns: &Columns, fields: Fields<'_>) -> bool {
    let Columns { organization, last, first, mailing, practice, .. } = columns;
    let who = [*organization, *last, *first, mailing.lines[0], mailing.city, practice.lines[0], practice.city];
    !fields.get(columns.deactivated).is_empty() && who.iter().all(|column| fields.get(*column).is_empty())
}

/// The columns from `replacement_npi` to `sex`.
fn provider(tuple: &mut Tuple<'_>, columns: &Columns, fields: Fields<'_>, checked: &Checked) {
    match number(fields.get(columns.replacement)) {
        Some(npi) => tuple.long(npi),
        None => tuple.null(),
    }
    for column in [columns.organization, columns.last, columns.first, columns.middle, columns.credential] {
        tuple.text(fields.get(column));
    }
    let other = fields.get(columns.other_organization);
    tuple.text(if other.is_empty() { fields.get(columns.other_last) } else { other });
    let Address { lines, city, state, zip, phone, .. } = &columns.mailing;
    address(tuple, fields, lines);
    [city, state, zip, phone].iter().for_each(|column| tuple.text(fields.get(**column)));
    let Address { lines, city, state, zip, country, phone, fax } = &columns.practice;
    address(tuple, fields, lines);
    [city, state, zip, country, phone, fax].iter().for_each(|column| tuple.text(fields.get(**column)));
    for date in [checked.enumerated, checked.updated, checked.deactivated, checked.reactivated] {
        tuple.date(date);
    }
    tuple.text(fields.get(columns.deactivation_code));
    tuple.text(fields.get(columns.sex));
}

/// Both lines of an address, as one value.
fn address(tuple: &mut Tuple<'_>, fields: Fields<'_>, lines: &[usize; 2]) {
    match (fields.get(lines[0]), fields.get(lines[1])) {
        (line, b"") | (b"", line) => tuple.text(line),
        (first, second) => tuple.text(&[first, b", ", second].concat()),
    }
}

/// The columns `primary_taxonomy`, `taxonomies` and `licences`.
fn taxonomies(tuple: &mut Tuple<'_>, columns: &Columns, fields: Fields<'_>, licences: &mut Vec<u8>) {
    let all = || columns.taxonomies.iter().filter(|taxonomy| !fields.get(taxonomy.code).is_empty());
    let primary = all().find(|taxonomy| fields.get(taxonomy.primary) == b"Y").or_else(|| all().next());
    tuple.text(primary.map_or(b"", |taxonomy| fields.get(taxonomy.code)));
    let mut codes = [&b""[..]; 16];
    let mut ends = [0; 16];
    let mut count = 0;
    licences.clear();
    for taxonomy in all().take(codes.len()) {
        codes[count] = fields.get(taxonomy.code);
        let (state, licence) = (fields.get(taxonomy.state), fields.get(taxonomy.licence));
        if !licence.is_empty() {
            licences.extend_from_slice(state);
            licences.push(b':');
            licences.extend_from_slice(licence);
        }
        ends[count] = licences.len();
        count += 1;
    }
    tuple.texts(codes[..count].iter().copied());
    let starts = |index: usize| if index == 0 { 0 } else { ends[index - 1] };
    tuple.texts((0..count).map(|index| &licences[starts(index)..ends[index]]));
}

/// The columns `letter` and `folded`. They are NULL where search must not find the provider: no name, or not active.
fn search_key(
    tuple: &mut Tuple<'_>,
    columns: &Columns,
    fields: Fields<'_>,
    checked: &Checked,
    normalized: &mut String,
) {
    normalized.clear();
    let shown = |column: usize| Some(fields.get(column)).filter(|text| *text != MASKED);
    let names = match checked.entity_type {
        1 => [shown(columns.last), shown(columns.first)],
        2 => [shown(columns.organization), None],
        _ => [None, None],
    };
    let active = checked.deactivated.is_none_or(|off| checked.reactivated.is_some_and(|on| on >= off));
    for name in names.into_iter().flatten().filter(|_| active) {
        // UTF-8 was checked for the whole line.
        let name = std::str::from_utf8(name).unwrap_or_default();
        if !normalized.is_empty() && !name.is_empty() {
            normalized.push(' ');
        }
        normalize_name(name, normalized);
    }
    if normalized.is_empty() {
        tuple.null();
        tuple.null();
    } else {
        tuple.bytes(&[letter(normalized)]);
        tuple.bytes(normalized.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_one_of_the_calendar() {
        assert_eq!(date(b""), Ok(None));
        assert_eq!(date(b"<UNAVAIL>"), Ok(None));
        assert_eq!(date(b"01/01/2000"), Ok(Some(0)));
        assert_eq!(date(b"07/27/2026"), Ok(Some(9704)));
        for bad in ["1/1/2000", "02/30/2026", "13/01/2026", "2026-07-27", "07/27/26", "07/27/20266", "0a/27/2026"] {
            assert_eq!(date(bad.as_bytes()), Err("date"), "{bad}");
        }
    }

    #[test]
    fn the_real_rows_are_rows() {
        let text = include_str!("../../../tests/data/nppes/npidata_pfile_sample_v2.csv");
        let mut lines = text.lines();
        let header = lines.next().unwrap();
        let names: Vec<&str> = header.trim_matches('"').split("\",\"").collect();
        let mut encoder = Encoder::new(Columns::of(&names).unwrap().0, header.into());
        let mut out = vec![];
        let mut rows = 0;
        for line in lines {
            assert_eq!(encoder.row(2, line.as_bytes(), &mut out), LineKind::Row(1));
            rows += 1;
        }
        assert_eq!(rows, 3);
        for (bad, reason) in [
            (header.to_owned(), "header"),
            ("\"1851806699\",\"1\"".to_owned(), "columns"),
            (text.lines().nth(1).unwrap().replace("1851806699", "1851806698"), "check digit"),
            (text.lines().nth(1).unwrap().replace("07/27/2026", "27/07/2026"), "date"),
            (text.lines().nth(1).unwrap().replacen("\"1\"", "\"3\"", 1), "entity type"),
            (text.lines().nth(1).unwrap().replace("1851806699", "185180669"), "npi"),
        ] {
            let mut out = vec![];
            assert_eq!(encoder.row(9, bad.as_bytes(), &mut out), LineKind::Rejected);
            let expected = format!("\0\0\0{}{reason}", char::from(reason.len() as u8));
            assert!(out[14..].starts_with(expected.as_bytes()), "{reason}");
            assert!(out.ends_with(bad.as_bytes()));
        }
    }
}
