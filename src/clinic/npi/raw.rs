//! The raw form of a row: compact, and without loss, so that the line comes back byte for byte.
//!
//! A row of the CMS quotes every field, and no field holds a quote. Its raw form is the byte `1`, the number of fields,
//! a bitmap of the fields that are not empty, and these fields, each after its length; numbers are LEB128. The raw form
//! of any other line is the byte `0` and the line.

const VERBATIM: u8 = 0;
const FIELDS: u8 = 1;

/// Appends the raw form of a line; `fields` are its fields where it is a row as the CMS writes it.
pub fn encode<'a>(line: &[u8], fields: Option<impl ExactSizeIterator<Item = &'a [u8]> + Clone>, out: &mut Vec<u8>) {
    let Some(fields) = fields else {
        out.push(VERBATIM);
        out.extend_from_slice(line);
        return;
    };
    out.push(FIELDS);
    number(fields.len(), out);
    let bitmap = out.len();
    out.resize(bitmap + fields.len().div_ceil(8), 0);
    for (index, field) in fields.enumerate() {
        if !field.is_empty() {
            out[bitmap + index / 8] |= 1 << (index % 8);
            number(field.len(), out);
            out.extend_from_slice(field);
        }
    }
}

/// The line, without its end; nothing where `raw` is no raw form.
pub fn decode(raw: &[u8]) -> Option<Vec<u8>> {
    let (kind, mut rest) = raw.split_first()?;
    match *kind {
        VERBATIM => return Some(rest.to_vec()),
        FIELDS => {}
        _ => return None,
    }
    let fields = take_number(&mut rest)?;
    let (bitmap, mut rest) = rest.split_at_checked(fields.div_ceil(8))?;
    let mut line = Vec::with_capacity(rest.len() + 3 * fields);
    for index in 0..fields {
        line.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        if bitmap[index / 8] & (1 << (index % 8)) != 0 {
            let length = take_number(&mut rest)?;
            let (field, after) = rest.split_at_checked(length)?;
            line.extend_from_slice(field);
            rest = after;
        }
        line.push(b'"');
    }
    rest.is_empty().then_some(line)
}

fn number(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_byte_for_byte() {
        let long = "x".repeat(300);
        let lines: &[&[&str]] =
            &[&["1", "", "", "b c", ""], &[""], &["a", &long, "é"], &["", "", "", "", "", "", "", "", "9"]];
        for fields in lines {
            let line = format!("\"{}\"", fields.join("\",\""));
            let mut raw = vec![];
            encode(line.as_bytes(), Some(fields.iter().map(|field| field.as_bytes())), &mut raw);
            assert_eq!(decode(&raw).as_deref(), Some(line.as_bytes()));
            assert!(raw.len() < line.len() + 3, "{} of {}", raw.len(), line.len());
            assert_eq!(decode(&raw[..raw.len() - 1]).filter(|short| short == line.as_bytes()), None, "cut off");
        }
        let mut raw = vec![];
        encode(b"1,\"say \"\"hi\"\"\"", None::<std::iter::Empty<&[u8]>>, &mut raw);
        assert_eq!(decode(&raw).as_deref(), Some(&b"1,\"say \"\"hi\"\"\""[..]));
        assert_eq!((decode(b""), decode(b"\x07abc"), decode(b"\x01")), (None, None, None));
    }
}
