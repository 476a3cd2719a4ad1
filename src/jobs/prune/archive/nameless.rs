//! A file that gets its name when it is complete. Until then nobody can open it by a name, and a process that is killed
//! leaves nothing of it behind.
//!
//! Rule: on Linux the file is made without a name (O_TMPFILE) and linked into its place. Where the file system or the
//! operating system cannot do that, it has a name that ends with `.unfinished`, is open to its owner alone, and is
//! locked by its writer; `remove_dead`, at the beginning of every archive, removes those that nobody holds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tracing::warn;

/// The ending of a file that is being written under a name, and of one that an interrupted run left.
const UNFINISHED: &str = "unfinished";
/// The beginning of the name of every archive.
pub const PREFIX: &str = "rounds-prune-";

pub struct Nameless {
    /// Its name when it is complete.
    path: PathBuf,
    file: File,
    /// Its name until then, where it has to have one.
    named: Option<PathBuf>,
}

impl Nameless {
    pub fn create(path: &Path) -> io::Result<Self> {
        let dir = path.parent().unwrap_or(Path::new("."));
        match without_name(dir)? {
            Some(file) => Ok(Self { path: path.to_owned(), file, named: None }),
            None => {
                warn!(
                    "--archive: the file system of {} has no files without a name; an unfinished one is readable \
                       for its owner until the run ends, or after a kill until the next",
                    dir.display()
                );
                Self::create_named(path)
            }
        }
    }

    fn create_named(path: &Path) -> io::Result<Self> {
        let mut name = path.to_owned().into_os_string();
        name.push(format!(".{UNFINISHED}"));
        let name = PathBuf::from(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name)?;
        let unfinished = Self { path: path.to_owned(), file, named: Some(name) };
        unfinished.file.lock()?;
        // Another run may have looked at it between the two calls, and removed it.
        if unfinished.file.metadata()?.nlink() == 0 {
            return Err(io::Error::other("another run removed it"));
        }
        Ok(unfinished)
    }

    /// The file, for its writer.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Gives the file its name, for good. It replaces none.
    pub fn publish(mut self) -> io::Result<()> {
        match &self.named {
            None => link(&self.file, &self.path)?,
            Some(_) if self.path.exists() => return Err(io::ErrorKind::AlreadyExists.into()),
            Some(name) => fs::rename(name, &self.path)?,
        }
        self.named = None;
        let dir = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        File::open(dir)?.sync_all()
    }
}

impl Drop for Nameless {
    fn drop(&mut self) {
        if let Some(name) = &self.named {
            let _ = fs::remove_file(name);
        }
    }
}

/// A new file without a name in a directory; None where that cannot be had, or could not be named later.
#[cfg(target_os = "linux")]
fn without_name(dir: &Path) -> io::Result<Option<File>> {
    use rustix::io::Errno;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR) {
        Ok(file) => {
            let file = File::from(file);
            let has_place = place(&file).exists();
            Ok(has_place.then_some(file))
        }
        // The last two are of kernels and file systems that do not know the flag.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The path by which the kernel knows an open file.
#[cfg(target_os = "linux")]
fn place(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, place(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn without_name(_dir: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes the unfinished files of runs that were killed: those of our names that nobody holds.
pub fn remove_dead(dir: &Path) {
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| is_ours(path))
    {
        match remove_if_dead(&path) {
            Ok(true) => warn!("--archive: removed {}, which a run that was killed left", path.display()),
            Ok(false) => {}
            Err(error) => warn!("--archive: {} is unfinished, and cannot be removed ({error})", path.display()),
        }
    }
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(PREFIX) && name.ends_with(&format!(".{UNFINISHED}"))
}

fn remove_if_dead(path: &Path) -> io::Result<bool> {
    // A link of such a name could lead anywhere, and a pipe would be waited for.
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    match file.try_lock() {
        Ok(()) => fs::remove_file(path).map(|()| true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("is there").map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let place = tempfile::tempdir().expect("a place for files");
        let path = place.path().join("rounds-prune-1-t.jsonl.gz");
        for create in [Nameless::create, Nameless::create_named] {
            let abandoned = create(&path).expect("can be made");
            drop(abandoned);
            assert_eq!(names(place.path()), [""; 0], "a run that failed leaves none");
            let file = create(&path).expect("can be made");
            file.handle().expect("is open").write_all(b"all").expect("can be written");
            assert!(!path.exists());
            file.publish().expect("can be named");
            assert_eq!(names(place.path()), ["rounds-prune-1-t.jsonl.gz"]);
            assert_eq!(fs::read(&path).expect("is there"), b"all");
            assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
            fs::remove_file(&path).expect("is ours");
        }
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().expect("a place for files");
        let at = |name: &str| place.path().join(name);
        let other = at("rounds-prune-1-a.jsonl.gz");
        // The lock goes with the process; the name stays.
        fs::write(at("rounds-prune-1-a.jsonl.gz.unfinished"), "PHI").expect("can be written");
        let victim = at("victim");
        for kept in [&other, &victim, &at("notes.unfinished")] {
            fs::write(kept, "kept").expect("can be written");
        }
        symlink(&victim, at("rounds-prune-2-a.jsonl.gz.unfinished")).expect("can be made");
        let at_work = Nameless::create_named(&at("rounds-prune-3-a.jsonl.gz")).expect("can be made");
        remove_dead(place.path());
        let left = [
            "notes.unfinished",
            "rounds-prune-1-a.jsonl.gz",
            "rounds-prune-2-a.jsonl.gz.unfinished",
            "rounds-prune-3-a.jsonl.gz.unfinished",
            "victim",
        ];
        assert_eq!(names(place.path()), left);
        at_work.publish().expect("it was left to its writer");
    }
}
