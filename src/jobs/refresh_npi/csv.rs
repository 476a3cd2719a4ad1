//! Splits a file into lines, and lines into fields.
//!
//! A line is a row. The CMS quotes every field, and no field holds a quote; the fields of such a line are found by the
//! quotes alone. The `csv` crate splits any other line.

use std::io::{self, Read};

/// No line is longer than this. A file without line ends would otherwise be read into memory.
const LINE_MAX: usize = 1 << 20;
const CHUNK: usize = 256 << 10;

/// Lines without their ends, LF or CRLF; the last may have none.
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The positions in the buffer of the next line, and of the end of the bytes that were read.
    next: usize,
    end: usize,
    at_end: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; CHUNK], next: 0, end: 0, at_end: false }
    }

    /// The next line, and its bytes in the file, its end included.
    pub fn line(&mut self) -> io::Result<Option<(&[u8], usize)>> {
        let mut looked = 0;
        loop {
            let rest = &self.buffer[self.next + looked..self.end];
            if let Some(length) = memchr::memchr(b'\n', rest).map(|at| looked + at) {
                let start = self.next;
                self.next += length + 1;
                let line = &self.buffer[start..start + length];
                return Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), length + 1)));
            }
            looked = self.end - self.next;
            if self.at_end {
                let start = std::mem::replace(&mut self.next, self.end);
                let line = &self.buffer[start..self.end];
                return Ok((looked > 0).then(|| (line.strip_suffix(b"\r").unwrap_or(line), looked)));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.next..self.end, 0);
        (self.next, self.end) = (0, self.end - self.next);
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
