//! A throw-away PostgreSQL: a cluster of its own in a private directory, reached by a Unix socket, on no port.
//!
//! Rule: the server lives if and only if the process that started it does, or was told to keep it. A guard process
//! holds the other end of a pipe: when the starter is gone, however it died, the guard stops the server and removes the
//! directory. As root, server and guard run as `postgres`, else `nobody`, since PostgreSQL refuses to run as root.
//!
//! This file uses the standard library alone: the tests and the benchmarks start their servers with it, too.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The database superuser of a scratch cluster.
pub const USER: &str = "rounds";
/// Finds the server's programs; the same script that `make` runs.
const FINDER: &str = include_str!("../../scripts/postgres");

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
    owner: Option<Owner>,
    durability: Durability,
    guard: Option<Child>,
    _lock: Option<File>,
    /// How long it took until it answered.
    pub ready_after: Duration,
    /// Whether it was left behind by an earlier process.
    pub reused: bool,
}

#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Scratch {
    /// Starts a new cluster that nobody else uses.
    pub fn start(durability: Durability) -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("rounds-{}-{}", std::process::id(), unique()));
        Self::open(dir, durability, None)
    }

    /// Starts the cluster `name` of this user, or takes the one that was left behind. A second process that asks for it
    /// at the same time gets another.
    pub fn named(name: &str, durability: Durability) -> Result<Self, String> {
        for number in 1..100 {
            let dir = std::env::temp_dir().join(format!("{name}-{}-{number}", run_as_uid()));
            let lock = dir.with_extension("lock");
            // In a directory that all may write to, a link of that name could lead anywhere.
            if fs::symlink_metadata(&lock).is_ok_and(|meta| !meta.is_file()) {
                return Err(format!("{} is no file; remove it", lock.display()));
            }
            let lock = File::create(lock).map_err(|e| format!("{}: {e}", dir.display()))?;
            if let Some(owner) = owner() {
                // The guard, which is not root, removes it.
                chown(dir.with_extension("lock"), Some(owner.uid), Some(owner.gid))
                    .map_err(|e| format!("{}: {e}", dir.display()))?;
            }
            if lock.try_lock().is_ok() {
                return Self::open(dir, durability, Some(lock));
            }
        }
        Err(format!("a hundred clusters named {name} are in use"))
    }

    fn open(dir: PathBuf, durability: Durability, lock: Option<File>) -> Result<Self, String> {
        let began = Instant::now();
        let bin = find_binaries()?;
        let mut scratch = Self {
            dir,
            bin,
            owner: owner(),
            durability,
            guard: None,
            _lock: lock,
            ready_after: Duration::ZERO,
            reused: false,
        };
        scratch.reused =
            scratch.dir.join("data/PG_VERSION").exists() && scratch.is_ours() && scratch.start_server().is_ok();
        if !scratch.reused {
            scratch.create()?;
            scratch.start_server()?;
        }
        scratch.guard = Some(scratch.start_guard()?);
        scratch.ready_after = began.elapsed();
        Ok(scratch)
    }

    /// A directory that somebody else put there is not used.
    fn is_ours(&self) -> bool {
        let uid = self.owner.map_or_else(run_as_uid, |owner| owner.uid);
        fs::symlink_metadata(&self.dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == uid && meta.mode() & 0o077 == 0)
    }

    fn create(&self) -> Result<(), String> {
        let show = |error: std::io::Error| format!("{}: {error}", self.dir.display());
        if self.dir.exists() {
            if !self.is_ours() {
                return Err(format!("{} belongs to somebody else; remove it", self.dir.display()));
            }
            fs::remove_dir_all(&self.dir).map_err(show)?;
        }
        fs::create_dir(&self.dir).map_err(show)?;
        fs::set_permissions(&self.dir, Permissions::from_mode(0o700)).map_err(show)?;
        if let Some(owner) = self.owner {
            chown(&self.dir, Some(owner.uid), Some(owner.gid)).map_err(show)?;
        }
        let mut initdb = self.program("initdb");
        initdb.args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
        run(initdb.arg(self.data()))
    }

    fn start_server(&self) -> Result<(), String> {
        if run(self.program("pg_ctl").arg("status").arg("-D").arg(self.data())).is_ok() {
            return Ok(());
        }
        let careless = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c checkpoint_timeout=1h";
        let durability = if self.durability == Durability::Full { "-c fsync=on" } else { careless };
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c max_connections=200 {durability} \
             -c max_wal_size=4GB -c shared_buffers=256MB -c timezone=UTC -c log_timezone=UTC",
            self.dir.display()
        );
        let mut start = self.program("pg_ctl");
        start.args(["start", "-w", "-t", "60", "-l"]).arg(self.dir.join("log")).arg("-D").arg(self.data());
        run(start.arg("-o").arg(options))
            .map_err(|error| format!("{error}\n{}", fs::read_to_string(self.dir.join("log")).unwrap_or_default()))
    }

    /// Waits for the end of its input: this process keeps the pipe open as long as it lives.
    fn start_guard(&self) -> Result<Child, String> {
        const WATCH: &str =
            r#"read -r word; [ "$word" = keep ] && exit; "$0" stop -D "$1/data" -m immediate; rm -rf "$1" "$2""#;
        let mut guard = Command::new("sh");
        guard.arg("-c").arg(WATCH).arg(self.bin.join("pg_ctl")).arg(&self.dir).arg(self.dir.with_extension("lock"));
        self.as_owner(&mut guard);
        // A group of its own: Ctrl-C in the terminal must not reach it.
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        guard.spawn().map_err(|error| format!("cannot start sh: {error}"))
    }

    /// Leaves the server running when this process ends.
    pub fn keep(mut self) {
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.stdin.take().map(|mut pipe| pipe.write_all(b"keep\n"));
            let _ = guard.wait();
        }
    }

    /// Stops the server, connections and all, and starts it again.
    #[allow(dead_code, reason = "only the tests restart a server")]
    pub fn restart(&self) -> Result<(), String> {
        run(self.program("pg_ctl").args(["stop", "-w", "-m", "fast", "-D"]).arg(self.data()))?;
        self.start_server()
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}@/{database}?host={}", self.dir.display())
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

    /// Another program that must not run as root, as the user that runs the server.
    #[allow(dead_code, reason = "only the tests start one")]
    pub fn as_owner(&self, command: &mut Command) {
        if let Some(owner) = self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.current_dir("/").env("LC_ALL", "C");
        // A group of its own: Ctrl-C in the terminal must not leave half a cluster behind.
        command.process_group(0);
        self.as_owner(&mut command);
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

/// Runs a program to its end; what it printed is the error when it fails. Its output goes to a file, not to a pipe: a
/// server that it starts keeps what it inherits open.
fn run(command: &mut Command) -> Result<(), String> {
    let path = std::env::temp_dir().join(format!("rounds-{}-{}.out", std::process::id(), unique()));
    let show = |error: std::io::Error| format!("{:?}: {error}", command.get_program());
    let file = File::create(&path).map_err(show)?;
    let both = file.try_clone().map_err(show)?;
    let status = command.stdin(Stdio::null()).stdout(file).stderr(both).status();
    let output = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(&path);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{:?} failed ({status}): {}", command.get_program(), output.trim())),
        Err(error) => Err(format!("{:?}: {error}", command.get_program())),
    }
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

fn run_as_uid() -> u32 {
    fs::metadata("/proc/self").or_else(|_| fs::metadata(std::env::temp_dir())).map_or(0, |meta| meta.uid())
}

/// Whom to run as where we are root.
fn owner() -> Option<Owner> {
    if run_as_uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map_while(|field| field.parse().ok());
        Some(Owner { uid: numbers.next()?, gid: numbers.next()? })
    };
    find("postgres").or_else(|| find("nobody"))
}

fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
