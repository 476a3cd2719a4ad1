//! The main file (pfile): an entry of a zip, or a file of its own.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use chrono::NaiveDate;
use zip::ZipArchive;

use super::names::{self, Kind, Name};
use super::read_ahead::read_ahead;
use crate::error::file_error;
use crate::error::{Error, ErrorKind};

/// No main file compresses better than this; a zip that claims so is a bomb.
const RATIO_MAX: u64 = 100;

/// A main file, and where it is.
#[derive(Clone, Debug)]
pub struct Pfile {
    /// Its entry in the zip; none where the file is not a zip, but the main file itself.
    entry: Option<usize>,
    pub kind: Kind,
    pub start: NaiveDate,
    pub end: NaiveDate,
    /// Uncompressed.
    pub bytes: u64,
}

/// Finds the main file in a file of this name.
pub fn inspect(file: &mut File, name: &str) -> Result<Pfile, Error> {
    let bytes = file.metadata().map_err(|error| bad(format!("it cannot be read: {}", file_error(&error))))?.len();
    if let Some((start, end)) = names::pfile_period(name) {
        return Ok(Pfile { entry: None, kind: Kind::of_period(start, end), start, end, bytes });
    }
    let mut magic = [0; 4];
    file.rewind().and_then(|()| file.read_exact(&mut magic)).map_err(|_| not_a_zip())?;
    if &magic != b"PK\x03\x04" {
        return Err(not_a_zip());
    }
    let mut archive = open(file)?;
    let mut found: Option<Pfile> = None;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| unreadable(&error))?;
        let name = entry.name().map_err(|error| unreadable(&error))?.into_owned();
        if name.contains(['/', '\\', ':']) || name.starts_with('.') {
            return Err(bad("an entry of it has a path in its name".into()));
        }
        let Some((start, end)) = names::pfile_period(&name) else { continue };
        if found.is_some() {
            return Err(bad("there are two main files (npidata_pfile_) in it".into()));
        }
        let (bytes, compressed) = (entry.size(), entry.compressed_size());
        if bytes > compressed.saturating_mul(RATIO_MAX) + (1 << 20) {
            return Err(bad(format!("its main file claims {bytes} bytes in {compressed}: a zip bomb")));
        }
        found = Some(Pfile { entry: Some(index), kind: Kind::of_period(start, end), start, end, bytes });
    }
    found.ok_or_else(|| bad("there is no main file (npidata_pfile_) in it".into()))
}

impl Pfile {
    /// Refuses a main file that is not of the kind or of the period that the page's name for its file says.
    pub fn fits(&self, page: Option<&Name>) -> Result<(), Error> {
        let is_of = |name: &Name| name.kind == self.kind && (self.kind == Kind::Monthly || name.end == self.end);
        if page.is_none_or(is_of) {
            return Ok(());
        }
        let (start, end) = (self.start, self.end);
        Err(bad(format!("the main file in it is of {start} to {end}, which is not what its name says")))
    }

    /// Reads it to its end, on a thread that reads ahead of `body`.
    pub fn read<T>(&self, file: &mut File, body: impl FnOnce(&mut dyn Read) -> Result<T, Error>) -> Result<T, Error> {
        file.rewind().map_err(|error| bad(format!("it cannot be read: {}", file_error(&error))))?;
        let Some(entry) = self.entry else { return read_ahead(file, body) };
        let mut archive = open(file)?;
        let entry = archive.by_index(entry).map_err(|error| unreadable(&error))?;
        // One byte more than the zip claims is enough to see that the claim is false.
        read_ahead(&mut entry.take(self.bytes + 1), body)
    }
}

fn open(file: &mut File) -> Result<ZipArchive<BufReader<&mut File>>, Error> {
    ZipArchive::new(BufReader::with_capacity(64 << 10, file)).map_err(|error| unreadable(&error))
}

/// The error for a file whose content cannot be read.
pub fn broken(error: &io::Error) -> Error {
    bad(format!("it is damaged, or it was cut off ({})", file_error(error)))
}

fn unreadable(error: &zip::result::ZipError) -> Error {
    match error {
        zip::result::ZipError::Io(error) => broken(error),
        zip::result::ZipError::UnsupportedArchive(_) => bad("it is compressed in a way that is not known here".into()),
        _ => bad("it is damaged, or it was cut off".into()),
    }
}

fn bad(message: String) -> Error {
    Error::new("NPPES_BAD_ZIP", ErrorKind::Other, message)
}

fn not_a_zip() -> Error {
    Error::new("NPPES_NOT_A_ZIP", ErrorKind::Other, "it is no zip")
}
