//! The main file (pfile): an entry of a zip, or a file of its own; and beside it in the zip the file of other names.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use chrono::NaiveDate;
use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

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
    /// The file of other names of organizations, of the same period.
    pub other_names: Option<OtherNames>,
}

/// Where the file of other names is in the zip.
#[derive(Clone, Debug)]
pub struct OtherNames {
    entry: usize,
    pub bytes: u64,
}

/// Finds the main file in a file of this name.
pub fn inspect(file: &mut File, name: &str) -> Result<Pfile, Error> {
    let bytes = file.metadata().map_err(|error| bad(format!("it cannot be read: {}", file_error(&error))))?.len();
    if let Some((start, end)) = names::pfile_period(name) {
        return Ok(Pfile { entry: None, kind: Kind::of_period(start, end), start, end, bytes, other_names: None });
    }
    let mut magic = [0; 4];
    file.rewind().and_then(|()| file.read_exact(&mut magic)).map_err(|_| not_a_zip())?;
    if &magic != b"PK\x03\x04" {
        return Err(not_a_zip());
    }
    let mut archive = open(file)?;
    let mut found: Option<Pfile> = None;
    let mut others = vec![];
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| unreadable(&error))?;
        let name = entry.name().map_err(|error| unreadable(&error))?.into_owned();
        if name.contains(['/', '\\', ':']) || name.starts_with('.') {
            return Err(bad("an entry of it has a path in its name".into()));
        }
        if let Some(period) = names::other_names_period(&name) {
            others.push((period, OtherNames { entry: index, bytes: size_of("file of other names", &entry)? }));
        }
        let Some((start, end)) = names::pfile_period(&name) else { continue };
        if found.is_some() {
            return Err(bad("there are two main files (npidata_pfile_) in it".into()));
        }
        let bytes = size_of("main file", &entry)?;
        found =
            Some(Pfile { entry: Some(index), kind: Kind::of_period(start, end), start, end, bytes, other_names: None });
    }
    let mut pfile = found.ok_or_else(|| bad("there is no main file (npidata_pfile_) in it".into()))?;
    let mut of_period = others.into_iter().filter(|(period, _)| *period == (pfile.start, pfile.end));
    pfile.other_names = of_period.next().map(|(_, names)| names);
    if of_period.next().is_some() {
        return Err(bad("there are two files of other names (othername_pfile_) of the same period in it".into()));
    }
    Ok(pfile)
}

/// The size of an entry that can be read.
fn size_of(what: &str, entry: &ZipFile<'_, impl Read>) -> Result<u64, Error> {
    if entry.encrypted() {
        return Err(bad(format!("its {what} is encrypted: unpack it, and load the .csv with --file")));
    }
    readable(what, entry.compression())?;
    let (bytes, compressed) = (entry.size(), entry.compressed_size());
    if bytes > compressed.saturating_mul(RATIO_MAX) + (1 << 20) {
        return Err(bad(format!("its {what} claims {bytes} bytes in {compressed}: a zip bomb")));
    }
    Ok(bytes)
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

    /// Reads the file of other names to its end, in the same way.
    pub fn read_other_names<T>(
        &self,
        file: &mut File,
        names: &OtherNames,
        body: impl FnOnce(&mut dyn Read) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut archive = open(file)?;
        let entry = archive.by_index(names.entry).map_err(|error| unreadable(&error))?;
        read_ahead(&mut entry.take(names.bytes + 1), body)
    }
}

fn open(file: &mut File) -> Result<ZipArchive<BufReader<&mut File>>, Error> {
    ZipArchive::new(BufReader::with_capacity(64 << 10, file)).map_err(|error| unreadable(&error))
}

/// Refuses a way of compression that is not read here, by its name and its number in the zip format.
#[allow(deprecated, reason = "the crate has no other name for a method that it does not know")]
fn readable(what: &str, method: CompressionMethod) -> Result<(), Error> {
    let (name, number) = match method {
        CompressionMethod::Stored | CompressionMethod::Deflated => return Ok(()),
        CompressionMethod::Unsupported(9) => ("Deflate64, as Windows zips more than 2 GB", 9),
        CompressionMethod::Unsupported(12) => ("bzip2", 12),
        CompressionMethod::Unsupported(14) => ("LZMA", 14),
        CompressionMethod::Unsupported(20 | 93) => ("Zstandard", 93),
        CompressionMethod::Unsupported(95) => ("XZ", 95),
        CompressionMethod::Unsupported(number) => ("a method that is not known here", number),
        _ => ("a method that is not known here", u16::MAX),
    };
    Err(bad(format!(
        "its {what} is compressed with {name} (method {number}), which is not read here; the file may be whole. \
         Unpack it and load the .csv with --file, or zip it again with Deflate"
    )))
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
