//! Files that a person names, which are read or replaced whole.
//!
//! Rule: of a file no more is read than its limit and one byte, whatever the path names: `/dev/zero` has no end, and
//! the memory of a job is small. A file that is longer is refused.

use std::fs::{File, Permissions};
use std::io::{Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::file_error;

/// The limit of a file that holds one value: a key, an address, a setting.
pub const VALUE_MAX: u64 = 64 << 10;
/// The limit of a file that holds a list: ids, certificates.
pub const LIST_MAX: u64 = 4 << 20;

/// The bytes of a file of at most so many, or why they cannot be had.
pub fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = vec![];
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    read.map_err(|error| file_error(&error))?;
    if bytes.len() as u64 > most {
        return Err(format!("it is larger than {} KiB: it is another file", most >> 10));
    }
    Ok(bytes)
}

/// Replaces a file in one step. A process that dies before leaves a hidden file beside it, which no collector reads.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".rounds-").suffix(".new").tempfile_in(directory)?;
    let opened: &mut File = file.as_file_mut();
    opened.write_all(bytes)?;
    opened.set_permissions(Permissions::from_mode(mode))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The text of a file of at most so many bytes, or why it cannot be had.
pub fn text(path: &Path, most: u64) -> Result<String, String> {
    String::from_utf8(bytes(path, most)?).map_err(|_| file_error(&std::io::ErrorKind::InvalidData.into()))
}

/// A secret that a variable holds, or a file that an option names; or why it cannot be had.
pub fn secret(
    (variable, value): (&str, Option<&String>),
    (option, path): (&str, Option<&Path>),
) -> Result<Option<String>, String> {
    match (value, path) {
        (Some(_), Some(_)) => Err(format!("{variable} and {option} are both set; keep one of them")),
        (Some(value), None) => Ok(Some(value.clone())),
        (None, Some(path)) => {
            text(path, VALUE_MAX).map(Some).map_err(|why| format!("{option} {}: {why}", path.display()))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        for most in [VALUE_MAX, LIST_MAX] {
            let why = text(Path::new("/dev/zero"), most).unwrap_err();
            assert_eq!(why, format!("it is larger than {} KiB: it is another file", most >> 10));
        }
        assert_eq!(text(Path::new("/dev/null"), 0), Ok(String::new()));
        assert_eq!(text(Path::new("/"), 1), Err("it is a directory".to_owned()));
    }
}
