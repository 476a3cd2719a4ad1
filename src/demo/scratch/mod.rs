//! A throw-away PostgreSQL: a cluster of its own in a private directory, reached by a Unix socket, on no port.
//!
//! Rule: the cluster exists if and only if the process that started it does, or was told to keep it. A guard process is
//! started before anything else: when the starter is gone, however it died, the guard stops the server and removes the
//! directory.
//!
//! Rule of names: a directory that all may write to may hold anything under any name. A new cluster gets a name that
//! nobody can foretell, and whatever is made is made new; one that was left behind is used only if it belongs to the
//! user of the server, and to nobody else. As root, nothing is written under a name inside of it, because there another
//! user decides what the names mean.
//!
//! This folder uses the standard library and tempfile alone: the tests and the benchmarks start their servers with it,
//! too.

mod guard;
mod lock;
mod user;

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use guard::Guard;
use lock::Lock;
use user::{User, own_uid, run_as};

/// The database superuser of a scratch cluster.
pub const USER: &str = "rounds";
/// The beginning of the directory's name, where a cluster has no name of its own.
const UNNAMED: &str = "rounds-";
/// Finds the server's programs; `make` runs it, too.
const FINDER: &str = include_str!("../../../scripts/postgres");

/// How careful the server is with its disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production: what is committed survives a crash of the machine.
    Full,
    /// For tests: survives a crash of the server, not of the machine.
    None,
}

/// A running server.
pub struct Scratch {
    dir: PathBuf,
    bin: PathBuf,
    user: Option<User>,
    durability: Durability,
    guard: Option<Guard>,
    /// How long it took until it answered.
    pub ready_after: Duration,
    /// Whether it was left behind by an earlier process.
    pub reused: bool,
}

impl Scratch {
    /// Starts a new cluster that nobody else uses, in that directory. Clusters there whose guard was killed are removed.
    pub fn start(parent: &Path, durability: Durability) -> Result<Self, String> {
        let bin = find_binaries()?;
        remove_abandoned(parent, &bin);
        let (dir, lock) = new_place(parent, &format!("{UNNAMED}{}-", std::process::id()))?;
        Self::open(dir, bin, durability, lock)
    }

    /// Starts the cluster `name` of this user, or takes the one that was left behind. A second process that asks for it
    /// at the same time gets another.
    pub fn named(name: &str, durability: Durability) -> Result<Self, String> {
        let bin = find_binaries()?;
        let (parent, prefix) = (std::env::temp_dir(), format!("{name}-{}-", own_uid()));
        for dir in left_behind(&parent, &prefix) {
            // A lock that cannot be had is another process's, or not ours.
            if let Ok(Some(lock)) = take_lock(&dir) {
                return Self::open(dir, bin, durability, lock);
            }
        }
        let (dir, lock) = new_place(&parent, &prefix)?;
        Self::open(dir, bin, durability, lock)
    }

    /// The guard comes first: from here on whatever fails or dies leaves nothing behind.
    fn open(dir: PathBuf, bin: PathBuf, durability: Durability, lock: Lock) -> Result<Self, String> {
        let began = Instant::now();
        let user = User::for_server();
        let guard = Guard::start(&bin.join("pg_ctl"), &dir, lock, user);
        let guard = Some(guard.map_err(|error| format!("cannot start sh: {error}"))?);
        let mut scratch = Self { dir, bin, user, durability, guard, ready_after: Duration::ZERO, reused: false };
        scratch.reused = scratch.data().join("PG_VERSION").exists() && scratch.start_server().is_ok();
        if !scratch.reused {
            scratch.create()?;
            scratch.start_server()?;
        }
        scratch.ready_after = began.elapsed();
        Ok(scratch)
    }

    fn create(&self) -> Result<(), String> {
        let show = |error: io::Error| format!("{}: {error}", self.dir.display());
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).map_err(show)?;
        }
        DirBuilder::new().mode(0o700).create(&self.dir).map_err(show)?;
        if let Some(User { uid, gid }) = self.user {
            lchown(&self.dir, Some(uid), Some(gid)).map_err(show)?;
        }
        self.run("initdb", |initdb| {
            initdb.args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        })
    }

    fn start_server(&self) -> Result<(), String> {
        if self.run("pg_ctl", |pg_ctl| pg_ctl.arg("status")).is_ok() {
            return Ok(());
        }
        let careless = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c checkpoint_timeout=1h \
                        -c max_wal_size=512MB -c autovacuum=off -c jit=off";
        let durability = if self.durability == Durability::Full { "-c fsync=on -c max_wal_size=4GB" } else { careless };
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c max_connections=200 {durability} \
             -c shared_buffers=256MB -c timezone=UTC -c log_timezone=UTC",
            self.dir.display()
        );
        let log = self.dir.join("log");
        self.run("pg_ctl", |pg_ctl| pg_ctl.args(["start", "-w", "-t", "60", "-l"]).arg(&log).arg("-o").arg(options))
            .map_err(|error| format!("{error}\n{}", fs::read_to_string(&log).unwrap_or_default()))
    }

    /// Leaves the server running when this process ends.
    pub fn keep(mut self) {
        if let Some(guard) = self.guard.take() {
            guard.keep();
        }
    }

    /// Stops the server and removes everything; an error says what is left.
    pub fn remove(mut self) -> Result<(), String> {
        match self.guard.take().map(Guard::remove) {
            Some(Ok(true)) | None => Ok(()),
            Some(Ok(false)) => Err(format!("{} could not be removed", self.dir.display())),
            Some(Err(error)) => Err(format!("{} may be left: {error}", self.dir.display())),
        }
    }

    /// Stops the server, connections and all, and starts it again.
    #[allow(dead_code, reason = "only the tests restart a server")]
    pub fn restart(&self) -> Result<(), String> {
        self.run("pg_ctl", |pg_ctl| pg_ctl.args(["stop", "-w", "-m", "fast"]))?;
        self.start_server()
    }

    /// Crashes the server, so that what it has not written to its disk is lost, and starts it again.
    #[allow(dead_code, reason = "the benchmarks crash none")]
    pub fn crash(&self) -> Result<(), String> {
        self.run("pg_ctl", |pg_ctl| pg_ctl.args(["stop", "-w", "-m", "immediate"]))?;
        self.start_server()
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        url(&self.dir, database)
    }

    /// The directory with the socket.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's version, such as 15.18.
    pub fn version(&self) -> String {
        let output = Command::new(self.bin.join("postgres")).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.split_whitespace().nth(2).unwrap_or("of unknown version").to_owned()
    }

    /// One of PostgreSQL's programs.
    #[allow(dead_code, reason = "only the tests start one")]
    pub fn binary(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Makes another program, which must not run as root, run as the user of the server.
    #[allow(dead_code, reason = "only the tests start one")]
    pub fn as_owner(&self, command: &mut Command) {
        run_as(self.user, command);
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Runs one of the server's programs on the cluster to its end; its output is the error when it fails. The output
    /// goes to a file, not to a pipe: a server that it starts keeps open what it inherits. The file has no name.
    fn run(&self, name: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), String> {
        let show = |error: io::Error| format!("{name}: {error}");
        let mut output = tempfile::tempfile().map_err(show)?;
        let mut command = Command::new(self.bin.join(name));
        arguments(&mut command).arg("-D").arg(self.data()).current_dir("/").env("LC_ALL", "C");
        command.stdout(output.try_clone().map_err(show)?).stderr(output.try_clone().map_err(show)?);
        if let Some(guard) = &self.guard {
            command.stdin(guard.input().map_err(show)?);
        }
        // A group of its own: Ctrl-C in the terminal must not leave half a cluster behind.
        command.process_group(0);
        run_as(self.user, &mut command);
        let status = command.status().map_err(show)?;
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        let _ = output.rewind().and_then(|()| output.read_to_string(&mut said));
        Err(format!("{name} failed ({status}): {}", said.trim()))
    }
}

/// The directory of a server `name` of this user that runs and that no process uses: it was told to keep it.
#[allow(dead_code, reason = "only the demo keeps one")]
pub fn kept(name: &str) -> Option<PathBuf> {
    let dirs = left_behind(&std::env::temp_dir(), &format!("{name}-{}-", own_uid()));
    dirs.into_iter().find(|dir| has_server(dir) && matches!(take_lock(dir), Ok(Some(_))))
}

/// Whether a server answers at the socket in that directory.
fn has_server(dir: &Path) -> bool {
    UnixStream::connect(dir.join(".s.PGSQL.5432")).is_ok()
}

/// The address of a database of the server in that directory.
pub fn url(dir: &Path, database: &str) -> String {
    format!("postgresql://{USER}@/{database}?host={}", dir.display())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.take() {
            let _ = guard.remove();
        }
    }
}

/// The place of a new cluster, whose name begins so: its lock file, which nobody had made before, and its directory,
/// which is not there yet.
fn new_place(parent: &Path, prefix: &str) -> Result<(PathBuf, Lock), String> {
    let show = |error: io::Error| format!("{}: {error}", parent.display());
    let mut name = tempfile::Builder::new();
    name.prefix(prefix).suffix(".lock").rand_bytes(10);
    loop {
        let made = name.make_in(parent, |path| Lock::create(path, User::for_server())).map_err(show)?;
        let (_, path) = made.keep().map_err(|error| show(error.error))?;
        let dir = path.with_extension("");
        if let (false, Some(lock)) = (dir.exists(), take_lock(&dir)?) {
            return Ok((dir, lock));
        }
    }
}

/// The directories whose names begin so, and that belong to the user of the server alone.
fn left_behind(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let begins =
        |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter(|path| begins(path) && is_ours(path)).collect();
    found.sort();
    found
}

/// Whether it is a directory of the server's user that nobody else can enter. One that somebody else put there is neither
/// used nor removed.
fn is_ours(dir: &Path) -> bool {
    let uid = User::for_server().map_or_else(own_uid, |user| user.uid);
    let is_ours = |meta: fs::Metadata| meta.is_dir() && meta.uid() == uid && meta.mode() & 0o077 == 0;
    fs::symlink_metadata(dir).is_ok_and(is_ours)
}

fn take_lock(dir: &Path) -> Result<Option<Lock>, String> {
    let path = dir.with_extension("lock");
    Lock::try_take(&path, User::for_server()).map_err(|error| format!("{}: {error}", path.display()))
}

/// Removes unnamed clusters that nobody holds the lock of: their process and their guard were killed. A new guard does it.
fn remove_abandoned(parent: &Path, bin: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| is_lock_of_unnamed(path)) {
        let dir = path.with_extension("");
        let is_free = is_ours(&dir) || fs::symlink_metadata(&dir).is_err();
        if let (true, Ok(Some(lock))) = (is_free, take_lock(&dir)) {
            let _ = Guard::start(&bin.join("pg_ctl"), &dir, lock, User::for_server()).and_then(Guard::remove);
        }
    }
}

fn is_lock_of_unnamed(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let numbers = name.strip_prefix(UNNAMED).and_then(|rest| rest.strip_suffix(".lock"));
    numbers.is_some_and(|numbers| numbers.starts_with(|first: char| first.is_ascii_digit()))
}

fn find_binaries() -> Result<PathBuf, String> {
    let mut finder = Command::new("sh");
    finder.args(["-s", "--", "--find"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = finder.spawn().map_err(|error| format!("cannot start sh: {error}"))?;
    let mut pipe = child.stdin.take().ok_or("sh takes no input")?;
    pipe.write_all(FINDER.as_bytes()).map_err(|error| format!("sh: {error}"))?;
    drop(pipe);
    let output = child.wait_with_output().map_err(|error| format!("sh: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout).into()) } else { Err(text(&output.stderr)) }
}
