//! Splits a file into lines, and lines into fields.
//!
//! A line is a row, unless a quoted field is still open at its end: then the field holds the line end (RFC 4180), and the
//! row goes on in the next line. The CMS quotes every field, and no field holds a quote; the fields of such a row are
//! found by the quotes alone. The `csv` crate splits any other row.

use std::io::{self, Read};

/// No line is longer than this. A file without line ends would otherwise be read into memory.
const LINE_MAX: usize = 1 << 20;
const CHUNK: usize = 256 << 10;

/// Lines without their ends, LF or CRLF; the last may have none.
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The positions in the buffer of the last line, of the next one, and of the end of the bytes that were read.
    start: usize,
    next: usize,
    end: usize,
    at_end: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; CHUNK], start: 0, next: 0, end: 0, at_end: false }
    }

    /// The next line, and its bytes in the file, its end included.
    pub fn line(&mut self) -> io::Result<Option<(&[u8], usize)>> {
        self.start = self.next;
        self.extend()
    }

    /// The last line and the next one, as one text with the line end between them, and the bytes of both. Nothing where
    /// there is no next one.
    pub fn extend(&mut self) -> io::Result<Option<(&[u8], usize)>> {
        let mut looked = self.next - self.start;
        loop {
            let rest = &self.buffer[self.start + looked..self.end];
            if let Some(length) = memchr::memchr(b'\n', rest).map(|at| looked + at) {
                self.next = self.start + length + 1;
                let line = &self.buffer[self.start..self.start + length];
                return Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), length + 1)));
            }
            looked = self.end - self.start;
            if self.at_end {
                let is_more = self.next < self.end;
                self.next = self.end;
                let line = &self.buffer[self.start..self.end];
                return Ok(is_more.then(|| (line.strip_suffix(b"\r").unwrap_or(line), looked)));
            }
            self.fill()?;
        }
    }

    /// Gives back all but the first bytes of what was read last, and returns the line in these bytes.
    pub fn back(&mut self, bytes: usize) -> &[u8] {
        self.next = self.start + bytes;
        let line = &self.buffer[self.start..self.next];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.next, self.end) = (self.next - self.start, self.end - self.start);
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end >= LINE_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of more than a megabyte"));
            }
            self.buffer.resize(self.end * 2, 0);
        }
        let read = self.reader.read(&mut self.buffer[self.end..])?;
        self.end += read;
        self.at_end = read == 0;
        Ok(())
    }
}

/// Whether a quoted field is open at the end of a text, as the `csv` crate reads it: a quote opens a field only where it
/// is the first byte, and two quotes in a field are one.
pub fn is_open(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        let after = match rest.split_first() {
            Some((b'"', quoted)) => {
                let mut quoted = quoted;
                loop {
                    let Some(at) = memchr::memchr(b'"', quoted) else { return true };
                    quoted = &quoted[at + 1..];
                    match quoted.split_first() {
                        Some((b'"', more)) => quoted = more,
                        _ => break quoted,
                    }
                }
            }
            _ => rest,
        };
        match memchr::memchr(b',', after) {
            Some(at) => rest = &after[at + 1..],
            None => return false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A row of this entity type; 0 is none or unknown.
    Row(u8),
    Rejected,
    /// A field goes on in the next line. Nothing was encoded.
    Open,
}

/// Where a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At a line end, which may be inside a field.
    OfLine,
    /// Where the row ends, whether or not a field is open.
    OfRow,
}

/// Encodes the rows of a kind of file as tuples.
pub trait RowEncoder {
    /// Whether a text is a whole row by itself, as the CMS writes them. Inside a field of another row it could not be,
    /// since a field has its quotes twice.
    fn is_whole(&mut self, text: &[u8]) -> bool;

    /// Whether a text has as many fields as a row.
    fn has_its_columns(&mut self, text: &[u8]) -> bool;

    /// Appends the tuple of a row, which begins in this line.
    fn row(&mut self, number: u64, row: &[u8], end: End, out: &mut Vec<u8>) -> LineKind;
}

/// Parses a number of up to ten digits.
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = (1..=10).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Splits one line after another.
#[derive(Default)]
pub struct Splitter {
    spans: Vec<(u32, u32)>,
    record: csv::ByteRecord,
    plain: bool,
}

/// The fields of a line.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    line: &'a [u8],
    splitter: &'a Splitter,
}

impl Splitter {
    pub fn split<'a>(&'a mut self, line: &'a [u8]) -> Fields<'a> {
        self.plain = self.by_quotes(line);
        if !self.plain {
            self.record.clear();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
            // Reading a slice cannot fail, and with these options every text is a record.
            let _ = reader.read_byte_record(&mut self.record);
        }
        Fields { line, splitter: self }
    }

    /// Whether the line consists of quoted fields and commas alone. Most fields are empty, so looking at the next byte
    /// first is faster than a search for the next quote.
    fn by_quotes(&mut self, line: &[u8]) -> bool {
        self.spans.clear();
        let mut at = 0;
        while line.get(at) == Some(&b'"') {
            let start = at + 1;
            let length = match line.get(start) {
                Some(b'"') => 0,
                _ => match memchr::memchr(b'"', &line[start..]) {
                    Some(length) => length,
                    None => return false,
                },
            };
            let end = start + length;
            self.spans.push((start as u32, end as u32));
            match line.get(end + 1) {
                None => return true,
                Some(b',') => at = end + 2,
                Some(_) => return false,
            }
        }
        false
    }
}

impl<'a> Fields<'a> {
    /// Whether the row is as the CMS writes rows, and so is whole.
    pub fn is_plain(&self) -> bool {
        self.splitter.plain
    }

    pub fn len(&self) -> usize {
        if self.splitter.plain { self.splitter.spans.len() } else { self.splitter.record.len() }
    }

    /// Empty where the line has fewer fields.
    pub fn get(&self, index: usize) -> &'a [u8] {
        if !self.splitter.plain {
            return self.splitter.record.get(index).unwrap_or_default();
        }
        match self.splitter.spans.get(index) {
            Some((start, end)) => &self.line[*start as usize..*end as usize],
            None => &[],
        }
    }

    /// All fields, of a line that was split by its quotes.
    pub fn plain(&self) -> Option<impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a>> {
        let line = self.line;
        let spans = self.splitter.spans.iter();
        self.splitter.plain.then(|| spans.map(move |(start, end)| &line[*start as usize..*end as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> (Vec<String>, bool) {
        let mut splitter = Splitter::default();
        let fields = splitter.split(line.as_bytes());
        let all = (0..fields.len()).map(|index| String::from_utf8_lossy(fields.get(index)).into_owned()).collect();
        (all, fields.plain().is_some())
    }

    #[test]
    fn a_plain_line_is_split_as_the_csv_crate_does() {
        for line in ["\"a\",\"\",\"b, c\"", "\"\"", "\"1\",\"é\"", "\"a\",\"b\",\"\""] {
            let (ours, plain) = fields(line);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let theirs: Vec<String> = reader.records().next().unwrap().unwrap().iter().map(String::from).collect();
            assert_eq!((ours, plain), (theirs, true), "{line}");
        }
    }

    #[test]
    fn any_other_line_goes_through_the_csv_crate() {
        for (line, expected) in [
            ("a,b", vec!["a", "b"]),
            ("\"a\",b", vec!["a", "b"]),
            ("\"say \"\"hi\"\"\",\"b\"", vec!["say \"hi\"", "b"]),
            ("\"a\" ,\"b\"", vec!["a ", "b"]),
            ("\"a\",\"b", vec!["a", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(fields(line), (expected.iter().map(ToString::to_string).collect(), false), "{line}");
        }
    }

    #[test]
    fn a_field_is_open_as_the_csv_crate_has_it() {
        for (text, open) in [
            ("\"a\",\"b", true),
            ("\"a\",\"", true),
            ("\"say \"\"hi", true),
            ("\"a\"\"", true),
            ("a,\"b\nc", true),
            ("\"a\"x,\"b", true),
            ("\"a\",\"b\"", false),
            ("", false),
            ("a,b", false),
            ("5\" pipe,b", false),
            ("\"a\"x\"y,b", false),
            ("\"a\"\"\",b", false),
            ("\"a,\nb\",c", false),
        ] {
            assert_eq!(is_open(text.as_bytes()), open, "{text}");
            // What is open takes up what follows; what is not, does not.
            let (longer, mut record) = (format!("{text}\nX"), csv::ByteRecord::new());
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(longer.as_bytes());
            reader.read_byte_record(&mut record).unwrap();
            assert_eq!(record.iter().next_back().is_some_and(|field| field.ends_with(b"\nX")), open, "{text}");
        }
    }

    #[test]
    fn a_line_is_extended_and_given_back_however_it_is_read() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let count = 1.min(self.0.len()).min(out.len());
                out[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let mut lines = Lines::new(Drip(b"one\r\ntwo\nthree\n\nfive"));
        assert_eq!(lines.line().unwrap(), Some((&b"one"[..], 5)));
        assert_eq!(lines.extend().unwrap(), Some((&b"one\r\ntwo"[..], 9)));
        assert_eq!(lines.extend().unwrap(), Some((&b"one\r\ntwo\nthree"[..], 15)));
        assert_eq!(lines.back(5), b"one");
        assert_eq!(lines.line().unwrap(), Some((&b"two"[..], 4)));
        assert_eq!(lines.line().unwrap(), Some((&b"three"[..], 6)));
        assert_eq!(lines.extend().unwrap(), Some((&b"three\n"[..], 7)));
        assert_eq!(lines.extend().unwrap(), Some((&b"three\n\nfive"[..], 11)));
        assert_eq!(lines.extend().unwrap(), None);
        assert_eq!(lines.back(6), b"three");
        assert_eq!(lines.line().unwrap(), Some((&b""[..], 1)));
        assert_eq!(lines.line().unwrap(), Some((&b"five"[..], 4)));
        assert_eq!(lines.line().unwrap(), None);
    }

    #[test]
    fn lines_end_where_they_end_however_they_are_read() {
        struct Drip<'a>(&'a [u8], usize);
        impl Read for Drip<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let count = self.1.min(self.0.len()).min(out.len());
                out[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let text = b"one\r\n\ntwo\rx\nthree";
        for size in [1, 2, 3, 100] {
            let mut lines = Lines::new(Drip(text, size));
            let mut found = vec![];
            let mut bytes = 0;
            while let Some((line, took)) = lines.line().unwrap() {
                found.push(String::from_utf8_lossy(line).into_owned());
                bytes += took;
            }
            assert_eq!((found, bytes), (["one", "", "two\rx", "three"].map(String::from).to_vec(), text.len()));
        }
        let mut endless = Lines::new(io::repeat(b'x'));
        assert!(endless.line().is_err());
    }
}
