//! Characters that a terminal acts upon are written as text. A name, a ticket or a file can hold them, and raw they
//! would write the clipboard (OSC 52), move the cursor, or turn the direction in which the rest of a line is read.
//!
//! They are all control characters, the marks of direction, the two separators of Unicode, and the invisible tags. In
//! text they are written as `\u{1b}`, in JSON as `\u001b`, which a program reads as the same text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// The attributes that our own tables and log lines have: bold, faint, italic, and colours of the text. None of them
/// hides anything.
const ATTRIBUTES: [&str; 11] = ["0", "1", "2", "3", "31", "32", "33", "34", "35", "36", "39"];

/// Whether a terminal acts upon a character, or shows nothing of it.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// A value, as a cell of a table: its line breaks are kept.
pub fn value(text: &str) -> Cow<'_, str> {
    escaped(text, |c, _| c == '\n', in_text)
}

/// A report. Its line breaks and tabs are kept and, where it is `coloured`, the attributes of our own.
pub fn report(text: &str, coloured: bool) -> Cow<'_, str> {
    escaped(text, |c, rest| matches!(c, '\n' | '\t') || (coloured && c == '\u{1b}' && is_attribute(rest)), in_text)
}

/// JSON that was written in one line.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, |_, _| false, in_json)
}

/// Whether the text after an ESC makes an attribute of our own of it.
fn is_attribute(rest: &str) -> bool {
    let attribute = rest.strip_prefix('[').and_then(|rest| rest.split_once('m')).map_or("", |(attribute, _)| attribute);
    // The colours of a table are those of the palette.
    let of_palette = attribute.strip_prefix("38;5;");
    ATTRIBUTES.contains(&attribute)
        || of_palette.is_some_and(|colour| colour.len() <= 3 && colour.bytes().all(|byte| byte.is_ascii_digit()))
}

fn in_text(out: &mut String, c: char) {
    out.extend(c.escape_unicode());
}

fn in_json(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing into a string cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

fn escaped(text: &str, is_kept: impl Fn(char, &str) -> bool, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match !is_active(c) || is_kept(c, &text[at + c.len_utf8()..]) {
            true => out.push(c),
            false => write(&mut out, c),
        }
    }
    out.into()
}

/// A writer of log lines, each of which comes whole.
pub struct LogLines<W> {
    pub to: W,
    pub as_json: bool,
    pub coloured: bool,
}

impl<W: io::Write> io::Write for LogLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let line = match self.as_json {
            true => json(line),
            // A line break within it would begin what looks like another event.
            false => escaped(line, |c, rest| self.coloured && c == '\u{1b}' && is_attribute(rest), in_text),
        };
        self.to.write_all(format!("{line}{end}").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACK: &str = "a\u{1b}]52;c;x\u{7}\r\u{202e}b\u{2066}\u{200f}\u{9b}\u{2028}\u{e0041}é\u{200d}";

    #[test]
    fn what_a_terminal_acts_upon_is_written_as_text() {
        let shown = "a\\u{1b}]52;c;x\\u{7}\\u{d}\\u{202e}b\\u{2066}\\u{200f}\\u{9b}\\u{2028}\\u{e0041}é\u{200d}";
        assert_eq!((value(ATTACK), report(ATTACK, true)), (shown.into(), shown.into()));
        assert_eq!((value("a\tb\nc"), report("a\tb\nc", false)), ("a\\u{9}b\nc".into(), "a\tb\nc".into()));
        assert!(matches!(value("plain é"), Cow::Borrowed("plain é")));
    }

    #[test]
    fn json_stays_the_same_value() {
        let written = serde_json::json!({ "name": ATTACK }).to_string();
        let safe = json(&written);
        assert!(!safe.contains(is_active), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap()["name"], ATTACK);
    }

    #[test]
    fn colours_are_kept_and_nothing_that_hides() {
        let coloured = "\u{1b}[1mbold\u{1b}[0m \u{1b}[38;5;9mred\u{1b}[39m";
        assert_eq!(report(coloured, true), coloured);
        assert!(!report(coloured, false).contains('\u{1b}'));
        for attack in ["\u{1b}[8m", "\u{1b}[31;8m", "\u{1b}[2J", "\u{1b}[38;5;9;8m", "\u{1b}", "\u{1b}c", "\u{1b}[m"] {
            assert!(!report(attack, true).contains('\u{1b}'), "{attack:?}");
        }
    }

    #[test]
    fn an_event_is_one_line_of_the_log() {
        let mut lines = LogLines { to: vec![], as_json: false, coloured: false };
        io::Write::write_all(&mut lines, b"WARN id 7\nERROR forged\x1b[2J\n").unwrap();
        assert_eq!(String::from_utf8(lines.to).unwrap(), "WARN id 7\\u{a}ERROR forged\\u{1b}[2J\n");
    }
}
