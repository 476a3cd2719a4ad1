//! A file of gzip-compressed JSON lines that is there whole or not at all: written under another name, flushed to the disk,
//! renamed, and its directory flushed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::{ErrorKind, Error};

pub struct Archive {
    dir: PathBuf,
    path: PathBuf,
    unfinished: PathBuf,
    gzip: GzEncoder<File>,
}

impl Archive {
    /// Begins a file that nobody but its owner may read.
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

    /// The file's path, once it will survive a power cut.
    pub fn finish(self) -> Result<PathBuf, Error> {
        let Self { dir, path, unfinished, gzip } = self;
        let file = gzip.finish().map_err(|error| failed(&unfinished, &error))?;
        let kept = file.sync_all().and_then(|()| std::fs::rename(&unfinished, &path));
        let kept = kept.and_then(|()| File::open(&dir)?.sync_all());
        kept.map_err(|error| failed(&path, &error))?;
        Ok(path)
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let message = format!("--archive: {} cannot be written ({}); nothing was deleted", path.display(), error.kind());
    Error::new("ARCHIVE", ErrorKind::Other, message)
}
