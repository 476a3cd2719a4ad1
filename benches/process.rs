//! Other programs: started, waited for, and what they took.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The cost of a process.
pub struct Cost {
    pub wall: Duration,
    /// The most memory that it held at a time, in KiB. It is at least what this process held when it started the other,
    /// which the kernel counts in: so measure while this one is small.
    pub resident: i64,
}

/// Runs a program to its end, which must be a success; what it prints on stdout is thrown away.
#[expect(clippy::zombie_processes, reason = "wait4 waits for it")]
pub fn run(command: &mut Command) -> Cost {
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let (pid, mut status) = (child.id() as libc::pid_t, 0);
    // SAFETY: a rusage is plain numbers, for which zero is a value.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    // SAFETY: the pointers are to live variables, and the process is our child, not yet waited for.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    let wall = began.elapsed();
    assert!(waited == pid && status == 0, "{command:?} failed: wait status {status}");
    // macOS counts bytes.
    let resident = if cfg!(target_os = "macos") { usage.ru_maxrss / 1024 } else { usage.ru_maxrss };
    Cost { wall, resident }
}

/// The output of a program that must succeed.
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    assert!(output.status.success(), "{command:?} failed: {}", output.status);
    String::from_utf8(output.stdout).expect("programs print UTF-8")
}

/// The program itself, beside the server's: in PATH there may be a wrapper, whose time and memory are not psql's.
static PSQL: LazyLock<PathBuf> = LazyLock::new(|| {
    let finder = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres");
    let beside = PathBuf::from(output(Command::new("sh").args([finder, "--find"])).trim()).join("psql");
    if beside.exists() { beside } else { "psql".into() }
});

/// pg_dump of a database, the rows only as COPY has them.
#[allow(dead_code, reason = "not every benchmark needs it")]
pub fn pg_dump(url: &str) -> Command {
    let mut command = Command::new(PSQL.with_file_name("pg_dump"));
    command.args(["--no-owner", "-d", url]);
    command
}

/// psql on a database, without anyone's settings: rows only, the first error ends it.
pub fn psql(url: &str) -> Command {
    let mut command = Command::new(&*PSQL);
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]);
    command.env("PGOPTIONS", "-c search_path=rounds,public");
    command
}

/// `rounds` as a process, silent unless something is wrong.
pub fn rounds(url: &str, subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rounds"));
    command.env_clear().env("DATABASE_URL", url).env("ROUNDS_CONFIG", "none").env("ROUNDS_ALLOW_AS_OF", "1").args([
        subcommand,
        "--log-level",
        "warn",
    ]);
    // What is measured begins with much to do, and people have looked at it.
    command.env("ROUNDS_FIRST_RUN_MAX", "10000000");
    command
}
