//! The user that a scratch cluster runs as. PostgreSQL refuses to run as root, so root runs it as `postgres`, else as
//! `nobody`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

impl User {
    /// None: the user of this process, who is not root.
    pub fn for_server() -> Option<Self> {
        if own_uid() != 0 {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let find = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map_while(|field| field.parse().ok());
            Some(Self { uid: numbers.next()?, gid: numbers.next()? })
        };
        find("postgres").or_else(|| find("nobody"))
    }
}

/// Makes a program run as that user.
pub fn run_as(user: Option<User>, command: &mut Command) {
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
}

/// The user of this process.
pub fn own_uid() -> u32 {
    fs::metadata("/proc/self").or_else(|_| fs::metadata(std::env::temp_dir())).map_or(0, |meta| meta.uid())
}
