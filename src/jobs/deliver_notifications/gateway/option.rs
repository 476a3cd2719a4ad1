//! Words for options that a channel needs, and others do not.

use std::path::Path;

use crate::error::{Error, ErrorKind};
use crate::file;

pub fn given<'a, T: ?Sized>(value: Option<&'a T>, option: &str) -> Result<&'a T, Error> {
    value.ok_or_else(|| refused(format!("this channel needs {option}")))
}

pub fn read(path: &Path, option: &str) -> Result<String, Error> {
    file::text(path, file::VALUE_MAX).map_err(|why| refused(format!("{option} {}: {why}", path.display())))
}

pub fn refused(message: String) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, message)
}
