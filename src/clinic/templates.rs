//! The texts of the messages that leave: a file a type and channel, which a clinic can replace by one of its own.
//!
//! A file is plain text with `{placeholder}`; `{{` and `}}` are braces. That of an e-mail begins with `Subject: `. Beside
//! it there may be one of HTML, in which what is filled in is escaped.
//!
//! Rule: a file is refused if it is none of a type and channel, is empty, no UTF-8 or too long, has a character that
//! would be acted upon where it is shown, or a placeholder that its type does not have, or that names a person, a doctor
//! or a service. All are checked at the start of each run, so that none is found out with half the messages sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde_json::Value;

use super::messages::{Class, MESSAGES, MessageType, file_name};
use super::outbox::{BODY_MAX, TITLE_MAX};
use crate::error::{Error, ErrorKind, file_error};
use crate::file;
use crate::output::visible::is_active;

/// The longest file, in bytes.
const FILE_MAX: u64 = 16 << 10;
/// The channels whose messages have a text.
const CHANNELS: [&str; 2] = ["SMS", "EMAIL"];
const SUBJECT: &str = "Subject: ";

/// A text in pieces.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(String),
}

/// A text that was checked.
#[derive(Debug)]
struct Template {
    subject: Vec<Piece>,
    body: Vec<Piece>,
}

/// The texts of all types: those of the clinic, and for the others our own.
pub struct Templates(BTreeMap<String, Template>);

/// A message as it is read. It holds what a patient is told, so it has no Debug.
pub struct Text {
    /// None where the channel has none.
    pub title: Option<String>,
    pub body: String,
    pub html: Option<String>,
}

impl Templates {
    /// Reads and checks all texts.
    pub fn read(folder: Option<&Path>) -> Result<Self, Error> {
        let mut texts = BTreeMap::new();
        for message in MESSAGES {
            for (name, text) in CHANNELS.iter().filter_map(|channel| message.text(channel)) {
                let template = Template::of(message, &name, text).map_err(|why| refused(&name, &why))?;
                texts.insert(name, template);
            }
        }
        if let Some(folder) = folder {
            let names = names(folder).map_err(|error| {
                let message = format!("--templates {}: {}", folder.display(), file_error(&error));
                Error::new("TEMPLATE", ErrorKind::Refused, message)
            })?;
            for name in names {
                let read = || {
                    let message = message_of(&name).ok_or_else(|| unknown(&name))?;
                    Template::of(message, &name, &file::text(&folder.join(&name), FILE_MAX)?)
                };
                let template = read().map_err(|why| refused(&name, &why))?;
                texts.insert(name, template);
            }
        }
        Ok(Self(texts))
    }

    /// The text of a message. None of a type that is none of ours, and where its placeholders lack one that the text
    /// names: its row then has a text of its own.
    pub fn render(&self, kind: &str, channel: &str, placeholders: &Value) -> Option<Text> {
        let form = placeholders.get("form").and_then(Value::as_str);
        let message = MESSAGES.iter().find(|message| message.kind == kind && message.form == form)?;
        let stem = message.stem();
        let plain = self.0.get(&file_name(&stem, channel, "txt"))?;
        let filled = |pieces: &[Piece], kept: fn(char) -> bool, write: fn(&mut String, char)| {
            fill(pieces, placeholders, kept, write)
        };
        let as_it_is = |out: &mut String, c: char| out.push(c);
        let title = filled(&plain.subject, |_| false, as_it_is)?;
        let html = match self.0.get(&file_name(&stem, channel, "html")) {
            Some(html) => Some(filled(&html.body, is_line_break, escape)?),
            None => None,
        };
        Some(Text {
            title: (channel == "EMAIL").then(|| title.chars().take(TITLE_MAX).collect()),
            body: filled(&plain.body, is_line_break, as_it_is)?.chars().take(BODY_MAX).collect(),
            html,
        })
    }
}

/// The names of the files of a folder. A mounted ConfigMap has hidden ones beside them.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = vec![];
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The type of which a file is a text.
fn message_of(name: &str) -> Option<&'static MessageType> {
    MESSAGES.iter().find(|message| {
        let own = CHANNELS.iter().filter(|channel| message.text(channel).is_some());
        own.into_iter().any(|channel| {
            let formats: &[&str] = if *channel == "EMAIL" { &["txt", "html"] } else { &["txt"] };
            formats.iter().any(|format| file_name(&message.stem(), channel, format) == name)
        })
    })
}

fn unknown(name: &str) -> String {
    let known: Vec<String> = MESSAGES
        .iter()
        .flat_map(|message| CHANNELS.iter().filter_map(|channel| Some(message.text(channel)?.0)))
        .collect();
    // A person may have made the name; it is shown as text.
    let example = known.iter().find(|known| known.split('.').next() == name.split('.').next());
    match example {
        Some(known) => format!("no message has such a file; its type has {known}"),
        None => format!("no message has such a file; there are {}", known.join(", ")),
    }
}

fn refused(name: &str, why: &str) -> Error {
    let name: String = name.chars().flat_map(|c| if is_active(c) { vec!['?'] } else { vec![c] }).collect();
    Error::new("TEMPLATE", ErrorKind::Refused, format!("the template {name} is refused: {why}"))
}

impl Template {
    fn of(message: &MessageType, name: &str, text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        if text.contains(|c| is_active(c) && c != '\n' && c != '\t') {
            return Err("it has control characters or marks of direction".to_owned());
        }
        let (subject, body) = if name.ends_with(".email.txt") {
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            let subject = first.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty());
            (
                subject
                    .ok_or_else(|| format!("its first line must begin with `{SUBJECT}`, and say what it is about"))?,
                rest,
            )
        } else {
            ("", text.as_str())
        };
        let body = body.trim();
        if body.is_empty() {
            return Err("it has no text".to_owned());
        }
        let template = Self { subject: pieces(subject)?, body: pieces(body)? };
        for piece in template.subject.iter().chain(&template.body) {
            if let Piece::Placeholder(placeholder) = piece {
                check(message, placeholder)?;
            }
        }
        Ok(template)
    }
}

/// Refuses a placeholder that may not stand in a text that leaves.
fn check(message: &MessageType, placeholder: &str) -> Result<(), String> {
    match message.placeholders.iter().find(|(name, _)| *name == placeholder) {
        Some((_, Class::Name)) => Err(format!(
            "{{{placeholder}}} names a person, a doctor or a service, which no SMS and no e-mail may: anyone may read it"
        )),
        Some(_) => Ok(()),
        None => {
            let known: Vec<String> = message
                .placeholders
                .iter()
                .filter(|(_, class)| *class != Class::Name)
                .map(|(name, _)| format!("{{{name}}}"))
                .collect();
            Err(format!("{} has no placeholder {{{placeholder}}}; it has {}", message.kind, known.join(", ")))
        }
    }
}

/// Cuts a text at its placeholders.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut plain, mut rest) = (vec![], String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        plain.push_str(before);
        if let Some(after) = brace.strip_prefix("{{") {
            plain.push('{');
            rest = after;
        } else if let Some(after) = brace.strip_prefix('}') {
            plain.push('}');
            rest = after.strip_prefix('}').unwrap_or(after);
        } else {
            let inner = brace.get(1..).and_then(|inner| inner.split_once('}'));
            let inner = inner.filter(|(name, _)| !name.is_empty() && name.chars().all(is_of_name));
            let (name, after) = inner.ok_or("a `{` begins no placeholder; a brace is written `{{`")?;
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(Piece::Placeholder(name.to_owned()));
            rest = after;
        }
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    Ok(pieces)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_line_break(c: char) -> bool {
    c == '\n'
}

fn escape(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        '\n' => out.push_str("<br>\n"),
        _ => out.push(c),
    }
}

/// Fills in the values. What would be acted upon where it is shown is a space, but for what is kept; a line break in a
/// subject would begin another header.
fn fill(pieces: &[Piece], values: &Value, kept: fn(char) -> bool, write: impl Fn(&mut String, char)) -> Option<String> {
    let mut out = String::new();
    for piece in pieces {
        let name = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Placeholder(name) => name,
        };
        let value = match values.get(name)? {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        for c in value.chars() {
            write(&mut out, if is_active(c) && !kept(c) { ' ' } else { c });
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
