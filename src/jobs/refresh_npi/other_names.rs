//! Other names of providers: those in the main file, one a row, and those of organizations in the file of other names
//! (othername_pfile), which is in the same zip.
//!
//! Rule: a row of that file is rejected if and only if it is not UTF-8, holds a NUL, has another number of columns than
//! the header, repeats the header, or has no well-formed NPI. A row without a name says nothing.

use super::columns::Columns;
use super::csv::{End, Fields, LineKind, RowEncoder, Splitter, is_open, number};
use super::tuple::{MASKED, STAGED, Tuple};
use crate::clinic::npi::names::{Folder, letter};
use crate::clinic::npi::{is_valid, raw};

/// A folded name that is longer is not searched: it would be too long for an index.
const FOLDED_MAX: usize = 1000;

/// The text of a field; empty where the CMS does not publish it. UTF-8 was checked for the whole row.
pub fn shown<'a>(fields: Fields<'a>, column: usize) -> &'a str {
    match fields.get(column) {
        MASKED => "",
        text => std::str::from_utf8(text).unwrap_or_default(),
    }
}

/// What a type code says.
fn kind(code: &str) -> Option<&'static str> {
    Some(match code {
        "" => return None,
        "1" | "4" => "FORMER",
        "2" => "PROFESSIONAL",
        "3" => "DBA",
        _ => "OTHER",
    })
}

/// The columns `other_full`, `other_kind`, `other_letter` and `other_folded` of a row of the main file.
pub fn of_row(
    tuple: &mut Tuple<'_>,
    columns: &Columns,
    fields: Fields<'_>,
    entity_type: u8,
    (folder, folded): (&mut Folder, &mut String),
) {
    folded.clear();
    let name = |column: usize| shown(fields, column);
    let optional = |column: Option<usize>| column.map_or("", name);
    let (full, code) = match entity_type {
        1 if !name(columns.other_last).is_empty() => {
            let other = [columns.other_first, columns.other_middle].map(optional);
            let [first, middle] = if other[0].is_empty() { [columns.first, columns.middle].map(name) } else { other };
            folder.person(name(columns.other_last), first, middle, folded);
            let given = other.join(" ");
            let last = name(columns.other_last);
            let full = if given.trim().is_empty() { last.to_owned() } else { format!("{last}, {}", given.trim()) };
            (full, optional(columns.other_last_kind))
        }
        2 => {
            folder.organization(name(columns.other_organization), folded);
            (name(columns.other_organization).to_owned(), optional(columns.other_organization_kind))
        }
        _ => (String::new(), ""),
    };
    other(tuple, &full, kind(code), folded);
}

fn other(tuple: &mut Tuple<'_>, full: &str, kind: Option<&str>, folded: &str) {
    if full.is_empty() {
        return tuple.nulls(4);
    }
    tuple.bytes(full.as_bytes());
    tuple.text(kind.unwrap_or_default().as_bytes());
    if folded.is_empty() || folded.len() > FOLDED_MAX {
        tuple.nulls(2);
    } else {
        tuple.bytes(&[letter(folded)]);
        tuple.bytes(folded.as_bytes());
    }
}

/// Encodes rows of the file of other names.
pub struct NameEncoder {
    header: Vec<u8>,
    count: usize,
    npi: usize,
    name: usize,
    kind: usize,
    splitter: Splitter,
    folder: Folder,
    folded: String,
    raw: Vec<u8>,
}

impl NameEncoder {
    /// Reads the header. Nothing where a column is missing that is needed.
    pub fn of(header: &[u8]) -> Option<Self> {
        let mut splitter = Splitter::default();
        let fields = splitter.split(header);
        let count = fields.len();
        let position = |name: &str| (0..count).find(|column| fields.get(*column) == name.as_bytes());
        let npi = position("NPI")?;
        let name = position("Provider Other Organization Name")?;
        let kind = position("Provider Other Organization Name Type Code")?;
        let (folder, folded, raw) = (Folder::default(), String::new(), vec![]);
        Some(Self { header: header.to_vec(), count, npi, name, kind, splitter, folder, folded, raw })
    }
}

impl RowEncoder for NameEncoder {
    fn is_whole(&mut self, text: &[u8]) -> bool {
        let fields = self.splitter.split(text);
        fields.is_plain() && fields.len() == self.count
    }

    fn has_its_columns(&mut self, text: &[u8]) -> bool {
        self.splitter.split(text).len() == self.count
    }

    /// The line of the tuple is negative.
    fn row(&mut self, first: u64, row: &[u8], end: End, out: &mut Vec<u8>) -> LineKind {
        let line = -first.cast_signed();
        let fields = self.splitter.split(row);
        if end == End::OfLine && !fields.is_plain() && is_open(row) {
            return LineKind::Open;
        }
        let npi = number(fields.get(self.npi)).filter(|npi| *npi >= 1_000_000_000);
        let reason = match npi {
            _ if row == self.header => "header",
            _ if std::str::from_utf8(row).is_err() => "utf-8",
            _ if memchr::memchr(0, row).is_some() => "nul",
            _ if fields.len() != self.count => "columns",
            None => "npi",
            Some(npi) if !is_valid(npi) => "check digit",
            Some(npi) => {
                let (name, code) = (shown(fields, self.name).trim(), shown(fields, self.kind));
                self.folded.clear();
                self.folder.organization(name, &mut self.folded);
                self.raw.clear();
                raw::encode(row, fields.plain(), &mut self.raw);
                let mut tuple = Tuple::begin(out);
                tuple.long(line.cast_unsigned());
                tuple.null();
                tuple.long(npi);
                tuple.bytes(&2_i16.to_be_bytes());
                tuple.bytes(&[0]);
                tuple.nulls(STAGED.len() - 11);
                other(&mut tuple, name, kind(code), &self.folded);
                tuple.null();
                tuple.bytes(&self.raw);
                return LineKind::Row(2);
            }
        };
        Tuple::reject(line, reason, row, out);
        LineKind::Rejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_npi_and_a_line_below_zero() {
        let header = b"\"NPI\",\"Provider Other Organization Name\",\"Provider Other Organization Name Type Code\"";
        let mut encoder = NameEncoder::of(header).unwrap();
        let mut row = |text: &str| {
            let mut out = vec![];
            let kind = encoder.row(7, text.as_bytes(), End::OfLine, &mut out);
            (kind, out)
        };
        let (kind, out) = row("\"1234567893\",\"BLUE MESA\",\"3\"");
        assert_eq!(kind, LineKind::Row(2));
        assert_eq!(out[..2], (STAGED.len() as i16).to_be_bytes());
        assert_eq!(out[6..14], (-7_i64).to_be_bytes());
        let has = |out: &[u8], text: &str| out.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has(&out, "BLUE MESA") && has(&out, "bluemesa") && has(&out, "DBA"));
        for (text, reason) in [
            ("\"1234567890\",\"X\",\"3\"", "check digit"),
            ("\"123\",\"X\",\"3\"", "npi"),
            ("\"1234567893\",\"X\"", "columns"),
            (std::str::from_utf8(header).unwrap(), "header"),
        ] {
            let (kind, out) = row(text);
            assert!(kind == LineKind::Rejected && has(&out, reason), "{text}");
        }
        assert_eq!(row("\"1234567893\",\"BLUE").0, LineKind::Open);
        assert!(NameEncoder::of(b"\"NPI\",\"Anything\"").is_none());
    }
}
