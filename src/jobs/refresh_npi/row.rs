//! Encodes a row of a file as a row of the staging table, in COPY's binary format.
//!
//! Rule: a row is rejected if and only if it is not UTF-8, holds a NUL, has another number of columns than the header,
//! repeats the header, or has no well-formed NPI, an entity type other than 1, 2 or none, or a date that does not
//! exist.

use chrono::NaiveDate;

use super::columns::{Address, Columns};
use super::csv::{End, Fields, LineKind, RowEncoder, Splitter, is_open, number};
use super::other_names;
use super::tuple::{MASKED, Tuple};
use crate::clinic::npi::names::{Folder, letter};
use crate::clinic::npi::{is_valid, raw};

/// Encodes lines as tuples. Its buffers serve one line after another.
pub struct Encoder {
    columns: Columns,
    header: Vec<u8>,
    splitter: Splitter,
    folder: Folder,
    folded: String,
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
        let (splitter, folder) = (Splitter::default(), Folder::default());
        Self { columns, header, splitter, folder, folded: String::new(), raw: vec![], licences: vec![] }
    }
}

impl RowEncoder for Encoder {
    fn is_whole(&mut self, text: &[u8]) -> bool {
        let fields = self.splitter.split(text);
        fields.is_plain() && fields.len() == self.columns.count
    }

    fn has_its_columns(&mut self, text: &[u8]) -> bool {
        self.splitter.split(text).len() == self.columns.count
    }

    fn row(&mut self, number: u64, line: &[u8], end: End, out: &mut Vec<u8>) -> LineKind {
        let Self { columns, header, splitter, folder, folded, raw, licences } = self;
        if line == header.as_slice() {
            return reject(number, "header", line, out);
        }
        let fields = splitter.split(line);
        if end == End::OfLine && !fields.is_plain() && is_open(line) {
            return LineKind::Open;
        }
        if std::str::from_utf8(line).is_err() {
            return reject(number, "utf-8", line, out);
        }
        if memchr::memchr(0, line).is_some() {
            return reject(number, "nul", line, out);
        }
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
        search_key(&mut tuple, columns, fields, &checked, (folder, folded));
        other_names::of_row(&mut tuple, columns, fields, checked.entity_type, (folder, folded));
        raw.clear();
        raw::encode(line, fields.plain(), raw);
        if bare {
            tuple.null();
        } else {
            let digest = ring::digest::digest(&ring::digest::SHA256, raw);
            tuple.bytes(&digest.as_ref()[..16]);
        }
        tuple.bytes(raw);
        LineKind::Row(checked.entity_type)
    }
}

fn reject(number: u64, reason: &str, line: &[u8], out: &mut Vec<u8>) -> LineKind {
    Tuple::reject(number.cast_signed(), reason, line, out);
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
    (folder, folded): (&mut Folder, &mut String),
) {
    folded.clear();
    let name = |column: usize| other_names::shown(fields, column);
    let active = checked.deactivated.is_none_or(|off| checked.reactivated.is_some_and(|on| on >= off));
    match checked.entity_type {
        1 if active => folder.person(name(columns.last), name(columns.first), name(columns.middle), folded),
        2 if active => folder.organization(name(columns.organization), folded),
        _ => {}
    }
    // A middle name alone is no name.
    let is_named = checked.entity_type != 1 || !(name(columns.last).is_empty() && name(columns.first).is_empty());
    if folded.is_empty() || !is_named {
        tuple.nulls(2);
    } else {
        tuple.bytes(&[letter(folded)]);
        tuple.bytes(folded.as_bytes());
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
            assert_eq!(encoder.row(2, line.as_bytes(), End::OfLine, &mut out), LineKind::Row(1));
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
            assert_eq!(encoder.row(9, bad.as_bytes(), End::OfLine, &mut out), LineKind::Rejected);
            let expected = format!("\0\0\0{}{reason}", char::from(reason.len() as u8));
            assert!(out[14..].starts_with(expected.as_bytes()), "{reason}");
            assert!(out.ends_with(bad.as_bytes()));
        }
    }
}
