//! The lock file of a named cluster. Its holder may use the cluster and remove it.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::user::{User, own_uid};

pub struct Lock {
    pub path: PathBuf,
    /// Locked for as long as this file or a copy of it is open in any process.
    pub file: File,
}

impl Lock {
    /// Locks the file, and makes it where there is none; None: another process has locked it. The file belongs to the
    /// user of the server, since the guard, which is not root, removes it.
    pub fn try_take(path: &Path, user: Option<User>) -> io::Result<Option<Self>> {
        loop {
            let file = match Self::create(path, user) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => open(path, user),
                created => created,
            };
            let file = match file {
                // It was removed between the two calls.
                Err(error) if error.kind() == ErrorKind::NotFound && parent_exists(path) => continue,
                file => file?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The holder before us may have removed the file after we opened it: then the next one would make another.
            let (ours, there) = (file.metadata()?, fs::symlink_metadata(path));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Some(Self { path: path.to_owned(), file }));
            }
        }
    }

    /// Makes the file, where there is nothing of that name.
    pub fn create(path: &Path, user: Option<User>) -> io::Result<File> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        if let Some(User { uid, gid }) = user {
            fchown(&file, Some(uid), Some(gid))?;
        }
        Ok(file)
    }
}

/// In a directory that all may write to, a link of that name could lead anywhere: what is opened is looked at, and it is
/// the file of the server's user alone, under this name alone.
fn open(path: &Path, user: Option<User>) -> io::Result<File> {
    let uid = user.map_or_else(own_uid, |user| user.uid);
    let is_ours = |meta: &fs::Metadata| meta.is_file() && meta.uid() == uid && meta.nlink() <= 1;
    let before = fs::symlink_metadata(path)?;
    if is_ours(&before) {
        // Neither made nor cut: what is opened instead, after a change in between, is closed unharmed.
        let file = File::options().write(true).open(path)?;
        let opened = file.metadata()?;
        if is_ours(&opened) && (opened.dev(), opened.ino()) == (before.dev(), before.ino()) {
            return Ok(file);
        }
    }
    Err(io::Error::other("is no file of ours; remove it"))
}

fn parent_exists(path: &Path) -> bool {
    path.parent().is_some_and(Path::is_dir)
}
