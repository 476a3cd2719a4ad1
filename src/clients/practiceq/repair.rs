//! JSON that is almost right: an answer of the account with characters or numbers that JSON does not have.
//!
//! Rule: a character that is none (half of a surrogate pair, a byte that is no UTF-8) becomes U+FFFD; a control
//! character within a text and a backslash before any other character are kept as they were meant; a number that is
//! none becomes null. An element of a list that cannot be read all the same becomes null, and so fails alone; but only
//! if the list is whole, since what is missing of one that was cut may come with the next attempt.

use serde_json::Value;

/// What stands for a character that is none.
pub const REPLACEMENT: char = '\u{fffd}';
/// As it is written in JSON.
const ESCAPED: &str = "\\ufffd";

/// Reads JSON with the repairs; None where it is no JSON with them either.
pub fn read(body: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(body);
    let text = repaired(text.trim_start_matches('\u{feff}'));
    if let Ok(value) = serde_json::from_str(&text) {
        return Some(value);
    }
    let elements = elements(&text)?;
    Some(elements.into_iter().map(|element| serde_json::from_str(element).unwrap_or(Value::Null)).collect())
}

/// Whether the body is cut, or is no JSON at all, such as a page for people: the next attempt may get the whole.
pub fn may_pass(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let is_whole = (text.starts_with('[') && text.ends_with(']')) || (text.starts_with('{') && text.ends_with('}'));
    !is_whole
}

/// The text of JSON with its characters and numbers repaired.
fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = match first {
            '"' => string(rest),
            '-' | '+' | '.' | '0'..='9' | 'N' | 'I' => scalar(rest),
            other => (other.to_string(), other.len_utf8()),
        };
        out.push_str(&piece);
        rest = &rest[length..];
    }
    out
}

/// A string from its first quote on, repaired, and how many bytes of the text it is.
fn string(text: &str) -> (String, usize) {
    let mut out = String::from('"');
    let mut at = 1;
    while let Some(c) = text[at..].chars().next() {
        at += c.len_utf8();
        match c {
            '"' => {
                out.push('"');
                break;
            }
            '\\' => {
                let (escape, length) = escape(&text[at..]);
                out.push_str(&escape);
                at += length;
            }
            control if u32::from(control) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    (out, at)
}

/// An escape, of which this is what follows the backslash; and how many bytes of that belong to it.
fn escape(rest: &str) -> (String, usize) {
    let Some(c) = rest.chars().next() else { return (String::new(), 0) };
    match c {
        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => (format!("\\{c}"), 1),
        'u' => match unit(&rest[1..]) {
            None => ("\\\\u".to_owned(), 1),
            Some(0xDC00..=0xDFFF) => (ESCAPED.to_owned(), 5),
            Some(0xD800..=0xDBFF) => {
                let low = rest[5..].strip_prefix("\\u").and_then(unit);
                match low {
                    Some(0xDC00..=0xDFFF) => (format!("\\{}", &rest[..11]), 11),
                    _ => (ESCAPED.to_owned(), 5),
                }
            }
            Some(_) => (format!("\\{}", &rest[..5]), 5),
        },
        other => {
            (format!("\\\\{}", if u32::from(other) < 0x20 { "" } else { &rest[..other.len_utf8()] }), other.len_utf8())
        }
    }
}

/// The four hexadecimal digits with which the text begins.
fn unit(text: &str) -> Option<u32> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

/// A number or one of the words that are none in JSON, and its length.
fn scalar(text: &str) -> (String, usize) {
    let length = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(text.len());
    let word = &text[..length];
    let is_number = serde_json::from_str::<serde_json::Number>(word).is_ok();
    (if is_number { word.to_owned() } else { "null".to_owned() }, length)
}

/// The elements of a list that is whole; None for anything else.
fn elements(text: &str) -> Option<Vec<&str>> {
    let list = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (mut found, mut from, mut depth, mut in_string, mut is_escaped) = (vec![], 0, 0_i64, false, false);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth -= 1,
            b',' if !in_string && depth == 0 => {
                found.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    found.push(&list[from..]);
    (depth == 0 && !in_string).then_some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_text(text: &str) -> Option<Value> {
        read(text.as_bytes())
    }

    #[test]
    fn half_a_pair_is_a_replacement_and_a_whole_one_stays() {
        for (written, expected) in [
            (r#"["a\ud83d"]"#, "a\u{fffd}"),
            (r#"["\uDE00a"]"#, "\u{fffd}a"),
            (r#"["\ud83dx\ude00"]"#, "\u{fffd}x\u{fffd}"),
            (r#"["\ud83d\ud83d\ude00"]"#, "\u{fffd}😀"),
            (r#"["\ud83d\ude00"]"#, "😀"),
            (r#"["\\ud83d"]"#, "\\ud83d"),
            (r#"["\ud83d\n"]"#, "\u{fffd}\n"),
            (r#"["\ud83d\"]"]"#, "\u{fffd}\"]"),
            (r#"["\u12"]"#, "\\u12"),
            (r#"["\x41\'"]"#, "\\x41\\'"),
            ("[\"a\nb\tc\"]", "a\nb\tc"),
        ] {
            assert_eq!(read_text(written), Some(json!([expected])), "{written}");
        }
        let latin_1 = b"[\"Jos\xe9\"]";
        assert_eq!(read(latin_1), Some(json!(["Jos\u{fffd}"])));
        assert_eq!(read(b"\xef\xbb\xbf[1]"), Some(json!([1])));
    }

    #[test]
    fn a_number_that_is_none_is_null_and_others_stay() {
        let written = r#"[1e999, NaN, -Infinity, 007, 1.5, -2, 1e3, 12345678901234567890, "NaN -1e999 007"]"#;
        let expected = json!([null, null, null, null, 1.5, -2, 1e3, 12_345_678_901_234_567_890_u64, "NaN -1e999 007"]);
        assert_eq!(read_text(written), Some(expected));
    }

    #[test]
    fn a_row_that_cannot_be_read_is_null_and_the_others_are_read() {
        let written = r#"[{"Id": "a"}, {"Id": }, {"Id" "b"}, {"Id": "c, ] }"}]"#;
        assert_eq!(read_text(written), Some(json!([{"Id": "a"}, null, null, {"Id": "c, ] }"}])));
        for cut in [r#"[{"Id": "a"}, {"Id": "#, r#"[{"Id": "a"}, {"Id": "b]"#, r#"[{"Id": "a"]"#, "<html></html>", ""] {
            assert_eq!(read_text(cut), None, "{cut}");
        }
    }

    #[test]
    fn what_was_cut_or_is_no_json_may_pass_and_the_rest_does_not() {
        for passing in ["", "<html>[]</html>", "[{\"Id\": ", "[1, 2", "{\"a\": 1"] {
            assert!(may_pass(passing.as_bytes()), "{passing}");
        }
        for lasting in ["[{\"Id\" 1}]", " {\"a\" 1}\n", "\u{feff}[1 2]"] {
            assert!(!may_pass(lasting.as_bytes()), "{lasting}");
        }
    }
}
