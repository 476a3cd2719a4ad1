//! An archive file of gzip-compressed JSON lines, encrypted where somebody is named who may read it. It exists complete
//! or not at all: it has no name until it is complete (`nameless`), is flushed to the disk before, and its directory
//! after.

mod nameless;
mod recipient;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::error::{Error, ErrorKind, file_error};
use nameless::Nameless;
pub use nameless::{PREFIX, remove_dead};
pub use recipient::Recipient;

pub struct Archive {
    path: PathBuf,
    file: Nameless,
    gzip: GzEncoder<Sink>,
}

/// What the compressed bytes go into.
enum Sink {
    Plain(File),
    Encrypted(Box<StreamWriter<File>>),
}

impl Archive {
    /// Creates a file that only its owner may read, and that only the recipients can decrypt, if there are any.
    pub fn create(dir: &Path, stem: &str, recipients: &[Recipient]) -> Result<Self, Error> {
        let ending = if recipients.is_empty() { "jsonl.gz" } else { "jsonl.gz.age" };
        let path = dir.join(format!("{stem}.{ending}"));
        let opened = Nameless::create(&path).and_then(|file| Ok((file.handle()?, file)));
        let (handle, file) = opened.map_err(|error| failed(&path, &error))?;
        let sink = Sink::open(handle, recipients).map_err(|error| failed(&path, &error))?;
        Ok(Self { path, file, gzip: GzEncoder::new(sink, Compression::default()) })
    }

    pub fn line(&mut self, json: &str) -> Result<(), Error> {
        let written = self.gzip.write_all(json.as_bytes()).and_then(|()| self.gzip.write_all(b"\n"));
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Completes the file so that it survives a power failure, and returns its path.
    pub fn finish(self) -> Result<PathBuf, Error> {
        let Self { path, file, gzip } = self;
        let written = gzip.finish().and_then(Sink::finish).and_then(|handle| handle.sync_all());
        written.and_then(|()| file.publish()).map_err(|error| failed(&path, &error))?;
        Ok(path)
    }
}

impl Sink {
    fn open(file: File, recipients: &[Recipient]) -> io::Result<Self> {
        if recipients.is_empty() {
            return Ok(Self::Plain(file));
        }
        let encryptor = age::Encryptor::with_recipients(recipients.iter().map(Recipient::key));
        let encryptor = encryptor.map_err(|_| io::Error::other("age takes none of the recipients"))?;
        Ok(Self::Encrypted(Box::new(encryptor.wrap_output(file)?)))
    }

    /// Writes the end, without which nobody takes an encrypted file for whole.
    fn finish(self) -> io::Result<File> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Encrypted(writer) => writer.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Encrypted(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Encrypted(writer) => writer.flush(),
        }
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
