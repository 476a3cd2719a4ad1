//! A text that a person writes about a patient: given as an argument, or better in a file or on the standard input,
//! since other users of the machine see arguments (`ps`).
//!
//! Rule: a text is read only if it is at most `MAX` bytes of UTF-8 without a zero byte, from whatever the path names; of
//! an endless one no more is read than shows that it is too long.

use std::fs::File;
use std::io::{self, ErrorKind as Io, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::task::spawn_blocking;

use super::CommandContext;
use crate::clinic::actor::refused;
use crate::error::{Error, ErrorKind, file_error};

/// The longest text, in bytes: some pages.
const MAX: u64 = 64 << 10;
/// The longest reason, in characters.
const REASON_MAX: usize = 500;
/// The path that stands for the standard input.
const STDIN: &str = "-";

/// The notes that are kept with what a person does.
#[derive(Args)]
pub struct NotesArgs {
    /// Kept with the record, and shown by no command. Other users of the machine see arguments (ps): --notes-file is
    /// better
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "notes_file")]
    notes: Option<String>,
    /// File that holds the notes, of at most 64 KiB; - is the standard input
    #[arg(long, value_name = "PATH")]
    notes_file: Option<PathBuf>,
}

impl NotesArgs {
    /// The notes; None where there are none, or nothing but spaces.
    pub async fn read(&self, context: &CommandContext<'_>) -> Result<Option<String>, Error> {
        let (text, option) = match (&self.notes, &self.notes_file) {
            (_, Some(path)) => (Some(of_file("--notes-file", path, context).await?), "--notes-file"),
            (text, None) => (text.clone(), "--notes"),
        };
        let text = text.map(|text| checked(option, text.into_bytes())).transpose()?;
        Ok(text.filter(|text| !text.trim().is_empty()))
    }
}

/// The reason that a person has to give, from --reason or --reason-file.
pub async fn reason(given: Option<&str>, file: Option<&Path>, context: &CommandContext<'_>) -> Result<String, Error> {
    let text = match file {
        Some(path) => of_file("--reason-file", path, context).await?,
        None => given.unwrap_or_default().to_owned(),
    };
    let reason = text.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        return Err(refused("REASON_REQUIRED", format!("--reason: say why, in 1 to {REASON_MAX} characters")));
    }
    Ok(reason.to_owned())
}

/// The text of a file, or of the standard input. The reading blocks a thread of its own, so that signals are heard and
/// the time limit holds while nobody writes.
async fn of_file(option: &'static str, path: &Path, context: &CommandContext<'_>) -> Result<String, Error> {
    let place = path.to_owned();
    let reading = tokio::time::timeout(context.limit, spawn_blocking(move || bytes(&place))).await;
    let Ok(bytes) = reading else {
        return Err(refuse(option, format_args!("{}: no end of it in time", path.display())));
    };
    let bytes = bytes.map_err(io::Error::other).flatten();
    let bytes = bytes.map_err(|error| refuse(option, format_args!("{}: {}", path.display(), file_error(&error))))?;
    let text = checked(option, bytes)?;
    // An editor ends the last line.
    Ok(text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).to_owned()).unwrap_or(text))
}

/// The bytes of a file, but no more than one beyond the limit.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    let is_stdin = path.as_os_str() == STDIN;
    let source: Box<dyn Read> = if is_stdin { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
    source.take(MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn checked(option: &str, bytes: Vec<u8>) -> Result<String, Error> {
    if bytes.len() as u64 > MAX {
        return Err(refuse(option, format_args!("the text is longer than {} KiB", MAX >> 10)));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse(option, file_error(&Io::InvalidData.into())))?;
    if text.contains('\0') {
        return Err(refuse(option, "the text holds a zero byte, which the database cannot keep"));
    }
    Ok(text)
}

fn refuse(option: &str, why: impl std::fmt::Display) -> Error {
    Error::new("NOTES_UNREADABLE", ErrorKind::BadRequest, format!("{option}: {why}; nothing was changed"))
}
