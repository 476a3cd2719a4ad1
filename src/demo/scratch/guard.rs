//! The guard of a scratch cluster: a process that stops the server and removes the cluster when its users are gone,
//! however they ended.
//!
//! The guard reads from a pipe. This process holds the other end, and so does each program that works on the cluster,
//! as its standard input. The pipe ends with the last of them, so the guard never acts while one is at work.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::lock::Lock;
use super::user::{User, run_as};

/// `$0` is pg_ctl, `$1` the directory of the cluster, and `$2` the lock file. A process of the server may write a file
/// while the directory is removed; then it is removed again.
const WATCH: &str = r#"read -r word
[ "$word" != keep ] || exit 0
"$0" stop -D "$1/data" -m immediate -t 300 >/dev/null
for _ in 1 2 3 4 5; do rm -rf "$1" && exec rm -f "$2"; sleep 1; done
exit 1"#;
/// Tells the guard to leave the cluster alone.
const KEEP: &[u8] = b"keep\n";

pub struct Guard {
    process: Child,
    pipe: ChildStdin,
}

impl Guard {
    /// Starts to watch over a directory, which need not exist yet. The guard holds the lock, too: a cluster that is
    /// being removed is not free.
    pub fn start(pg_ctl: &Path, dir: &Path, lock: Lock, user: Option<User>) -> io::Result<Self> {
        let mut guard = Command::new("sh");
        guard.arg("-c").arg(WATCH).arg(pg_ctl).arg(dir).arg(lock.path);
        guard.stdin(Stdio::piped()).stdout(lock.file).stderr(Stdio::null());
        run_as(user, &mut guard);
        // A group of its own: Ctrl-C in the terminal must not reach it.
        let mut process = guard.current_dir("/").process_group(0).spawn()?;
        let pipe = process.stdin.take().ok_or_else(|| io::Error::other("sh has no standard input"))?;
        Ok(Self { process, pipe })
    }

    /// The standard input of a program that works on the cluster.
    pub fn input(&self) -> io::Result<Stdio> {
        Ok(self.pipe.as_fd().try_clone_to_owned()?.into())
    }

    /// Ends the guard and leaves the cluster as it is.
    pub fn keep(mut self) {
        let _ = self.pipe.write_all(KEEP);
        let _ = self.process.wait();
    }

    /// Has the cluster removed; whether that went well.
    pub fn remove(self) -> io::Result<bool> {
        let Self { mut process, pipe } = self;
        drop(pipe);
        Ok(process.wait()?.success())
    }
}
