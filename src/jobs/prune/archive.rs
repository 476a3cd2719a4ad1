//! An archive file of gzip-compressed JSON lines. It exists complete or not at all: it is written under another name,
//! flushed to the disk and renamed, and its directory is flushed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::error::file_error;
use crate::error::{Error, ErrorKind};

pub struct Archive {
    dir: PathBuf,
    path: PathBuf,
    unfinished: PathBuf,
    gzip: GzEncoder<File>,
}

impl Archive {
    /// Creates a file that only its owner may read.
    pub fn create(dir: &Path, stem: &str) -> Result<Self, Error> {
        let path = dir.join(format!("{stem}.jsonl.gz"));
        let unfinished = dir.join(format!("{stem}.jsonl.gz.unfinished"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
        let file = file.map_err(|error| failed(&unfinished, &error))?;
        Ok(Self { dir: dir.to_owned(), path, unfinished, gzip: GzEncoder::new(file, Compression::default()) })
    }

    pub fn line(&mut self, json: &str) -> Result<(), Error> {
        let written = self.gzip.write_all(json.as_bytes()).and_then(|()| self.gzip.write_all(b"\n"));
        written.map_err(|error| failed(&self.unfinished, &error))
    }

    /// Completes the file so that it survives a power failure, and returns its path.
    pub fn finish(self) -> Result<PathBuf, Error> {
        let Self { dir, path, unfinished, gzip } = self;
        let file = gzip.finish().map_err(|error| failed(&unfinished, &error))?;
        let renamed = file.sync_all().and_then(|()| std::fs::rename(&unfinished, &path));
        let flushed = renamed.and_then(|()| File::open(&dir)?.sync_all());
        flushed.map_err(|error| failed(&path, &error))?;
        Ok(path)
    }
}

/// The line of a row with a text that cannot be decoded, from the bytes of its JSON: what can be read of it, with
/// U+FFFD for what cannot, behind `undecodable`, which has the encoding of the database and all bytes in hexadecimal.
pub fn undecodable(bytes: &[u8], encoding: &str) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let marked = json!({ "encoding": encoding, "row": digits });
    let text = String::from_utf8_lossy(bytes);
    // All bytes beyond ASCII are in strings, so what is left is JSON.
    format!("{{\"undecodable\": {marked}, {}", text.strip_prefix('{').unwrap_or("}"))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let message =
        format!("--archive: {} cannot be written ({}); nothing was deleted", path.display(), file_error(error));
    Error::new("ARCHIVE", ErrorKind::Other, message)
}
