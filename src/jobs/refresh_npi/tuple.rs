//! A row of the staging table in COPY's binary format, and its columns.
//!
//! The table has the rows of the main file and those of the file of other names, whose `line` is negative.

/// The CMS writes this in place of a value that it does not publish.
pub const MASKED: &[u8] = b"<UNAVAIL>";

/// The columns of the staging table, in the order of a tuple's values.
pub const STAGED: [(&str, &str); 41] = [
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
    ("other_full", "text"),
    ("other_kind", "text"),
    ("other_letter", "\"char\""),
    ("other_folded", "text"),
    ("hash", "uuid"),
    ("raw", "bytea"),
];

/// Writes the values of a tuple, each behind its length.
pub struct Tuple<'a>(&'a mut Vec<u8>);

impl Tuple<'_> {
    pub fn begin(out: &mut Vec<u8>) -> Tuple<'_> {
        out.extend_from_slice(&(STAGED.len() as i16).to_be_bytes());
        Tuple(out)
    }

    /// As many values that are NULL.
    pub fn nulls(&mut self, count: usize) {
        (0..count).for_each(|_| self.null());
    }

    pub fn null(&mut self) {
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(&(value.len() as i32).to_be_bytes());
        self.0.extend_from_slice(value);
    }

    pub fn text(&mut self, value: &[u8]) {
        if value.is_empty() || value == MASKED { self.null() } else { self.bytes(value) }
    }

    pub fn long(&mut self, value: u64) {
        self.bytes(&(value as i64).to_be_bytes());
    }

    pub fn date(&mut self, days: Option<i32>) {
        match days {
            Some(days) => self.bytes(&days.to_be_bytes()),
            None => self.null(),
        }
    }

    /// An array of text, without NULLs.
    pub fn texts<'a>(&mut self, values: impl ExactSizeIterator<Item = &'a [u8]>) {
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

impl Tuple<'_> {
    /// A row that is put aside: its line, its reason and its bytes.
    pub fn reject(line: i64, reason: &str, row: &[u8], out: &mut Vec<u8>) {
        let mut tuple = Tuple::begin(out);
        tuple.long(line.cast_unsigned());
        tuple.bytes(reason.as_bytes());
        tuple.nulls(STAGED.len() - 3);
        tuple.bytes(row);
    }
}
