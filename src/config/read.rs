//! The reader of the files: where they are, whether they can be trusted, and their text.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{File, Setting, Settings};
use crate::error::{Error, ErrorKind};
use crate::file::{VALUE_MAX, text};

/// The file of the machine.
const SYSTEM: &str = "/etc/rounds/config.toml";
/// The word of `--config` for no file at all.
const NONE: &str = "none";

pub fn refused(message: impl std::fmt::Display) -> Error {
    Error::new("CONFIG_FILE", ErrorKind::Refused, format!("{message}; --config none goes without files of settings"))
}

/// Reads the file that was chosen, else those of the user and of the machine where they are.
pub fn read(choice: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Settings, Error> {
    let files = match choice {
        Some(path) if path == Path::new(NONE) => vec![],
        Some(path) => vec![one(path)?.ok_or_else(|| refused(format!("{}: there is no such file", path.display())))?],
        None => {
            let mut files = vec![];
            for path in user(variable).into_iter().chain([PathBuf::from(SYSTEM)]) {
                files.extend(one(&path)?);
            }
            files
        }
    };
    Ok(Settings { files })
}

/// The file of the user. A folder that is not absolute is not meant, as the XDG specification has it.
fn user(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(folder.join("rounds/config.toml"))
}

/// One file; None where there is none, and where the user may not look, as in the home of another.
fn one(path: &Path) -> Result<Option<File>, Error> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
    let wrong = |why: &str| refused(format!("{}: {why}", path.display()));
    // Before it is opened: a pipe might never open.
    if !metadata.is_file() {
        return Err(wrong("it is no plain file"));
    }
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok()).map_or(0, |folder| folder.mode());
    untrusted(metadata.uid(), metadata.mode(), folder).map_or(Ok(()), |why| Err(wrong(&why)))?;
    let text = text(path, VALUE_MAX).map_err(|why| wrong(&why))?;
    let table = DeTable::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line(&text, span.start));
        // The message of a parser may repeat what it could not read; its first line names the kind of the mistake.
        refused(format!("{}:{line}: {}", path.display(), error.message()))
    })?;
    let mut file =
        File { path: path.to_owned(), is_public: metadata.mode() & 0o004 != 0, tables: vec![], settings: vec![] };
    collect(&text, table.get_ref(), &[], &mut file).map_err(|(line, why)| wrong(&format!("line {line}: {why}")))?;
    file.settings.sort_by_key(|setting| setting.line);
    Ok(Some(file))
}

/// Why a file is not trusted: somebody else may have written it.
fn untrusted(owner: u32, mode: u32, folder: u32) -> Option<String> {
    let (others_write, sticky) = (0o022, 0o1000);
    match () {
        () if owner != 0 && owner != Uid::effective().as_raw() => Some("it belongs to another user".to_owned()),
        () if mode & others_write != 0 => Some("other users may write to it: chmod go-w".to_owned()),
        () if folder & 0o002 != 0 && folder & sticky == 0 => {
            Some("everybody may write to its folder: chmod o-w".to_owned())
        }
        () => None,
    }
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Adds the settings of a table and of those in it.
fn collect(text: &str, table: &DeTable<'_>, path: &[String], to: &mut File) -> Result<(), (usize, String)> {
    for (key, value) in table {
        let (line, name) = (line(text, key.span().start), key.get_ref().to_string());
        if let DeValue::Table(below) = value.get_ref() {
            let path = [path, &[name]].concat();
            to.tables.push((line, path.clone()));
            collect(text, below, &path, to)?;
            continue;
        }
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().map(scalar).collect(),
            _ => scalar(value).map(|value| vec![value]),
        };
        let values: Vec<String> =
            values.ok_or_else(|| (line, format!("`{name}` is no text, number, yes or no, nor a list of them")))?;
        if values.is_empty() {
            return Err((line, format!("`{name}` is an empty list: leave the line out")));
        }
        let values = values.into_iter().map(|value| &*String::leak(value)).collect();
        to.settings.push(Setting { line, table: path.to_vec(), key: name, values });
    }
    Ok(())
}

/// A value as a variable would have it.
fn scalar(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(instant) => Some(instant.to_string()),
        DeValue::Integer(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_users_file_is_where_the_xdg_specification_says() {
        let at = |variables: &[(&str, &str)]| {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(*value))
            };
            user(variable).map(|path| path.display().to_string())
        };
        assert_eq!(at(&[("HOME", "/h")]).as_deref(), Some("/h/.config/rounds/config.toml"));
        assert_eq!(at(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]).as_deref(), Some("/c/rounds/config.toml"));
        assert_eq!(at(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "c")]).as_deref(), Some("/h/.config/rounds/config.toml"));
        assert_eq!((at(&[]), at(&[("HOME", "")])), (None, None));
    }

    #[test]
    fn what_somebody_else_may_write_is_not_trusted() {
        let me = Uid::effective().as_raw();
        assert_eq!(untrusted(me, 0o100_644, 0o40_755), None);
        assert_eq!(untrusted(0, 0o100_640, 0o41_777), None, "a mounted ConfigMap");
        for (owner, mode, folder) in [
            (me + 1, 0o100_600, 0o40_700),
            (me, 0o100_664, 0o40_700),
            (me, 0o100_602, 0o40_700),
            (0, 0o100_600, 0o40_777),
        ] {
            assert!(untrusted(owner, mode, folder).is_some(), "{owner} {mode:o} {folder:o}");
        }
    }

    #[test]
    fn values_are_as_variables_would_have_them() {
        let place = tempfile::tempdir().expect("a place for files");
        let path = place.path().join("config.toml");
        let read_text = |text: &str| {
            fs::write(&path, text).expect("can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("can be set");
            one(&path).map(|file| file.expect("it is there"))
        };
        let file = read_text(
            "a = \"x\"\nb = 1_000\nc = 0.01\nd = true\n\n[no-show.mark]\ne = [\"x\", 2]\nf = 2026-03-02T09:15:00Z\n",
        );
        let file = file.unwrap_or_else(|error| panic!("{error}"));
        let said: Vec<String> = file
            .settings
            .iter()
            .map(|one| format!("{} {} {} {:?}", one.line, one.table.join("."), one.key, one.values))
            .collect();
        let expected = [
            "1  a [\"x\"]",
            "2  b [\"1000\"]",
            "3  c [\"0.01\"]",
            "4  d [\"true\"]",
            "7 no-show.mark e [\"x\", \"2\"]",
            "8 no-show.mark f [\"2026-03-02T09:15:00Z\"]",
        ];
        assert_eq!(said, expected);
        for (text, sentence) in [
            ("a = [[1]]", "line 1: `a` is no text"),
            ("\na = []", "line 2: `a` is an empty list"),
            ("a = 1\na = 2", ":2: "),
        ] {
            let error = read_text(text).err().expect(text);
            assert!(error.message.contains(sentence) && error.code == "CONFIG_FILE", "{error}");
        }
        let variable = |_: &str| None;
        assert!(read(Some(Path::new("none")), variable).is_ok_and(|settings| settings.is_empty()));
        assert!(read(Some(Path::new("/nowhere")), variable).is_err());
    }
}
