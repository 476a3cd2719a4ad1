//! What systemd is told of this process: its state (sd_notify), and the level of a log line.
//!
//! Rule: nothing here waits. Where the manager does not read, a word is lost. A status holds job, lane and counts.

use std::env;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::time::Duration;

use tracing::Level;

/// Where the manager listens; None where nobody does.
static MANAGER: OnceLock<Option<Manager>> = OnceLock::new();

struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    fn of_environment() -> Option<Self> {
        let path = env::var_os("NOTIFY_SOCKET")?;
        let address = match path.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&path),
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address: address.ok()? })
    }
}

/// Tells the manager, where one listens. `state` is asked for only then.
pub fn notify(state: impl FnOnce() -> String) {
    if let Some(manager) = MANAGER.get_or_init(Manager::of_environment) {
        let _ = manager.socket.send_to_addr(state().as_bytes(), &manager.address);
    }
}

/// Within which time the manager wants to hear of this process each time, if it wants to.
pub fn watchdog() -> Option<Duration> {
    let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
    env::var_os("NOTIFY_SOCKET")?;
    let is_of_us = env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
    let time = number("WATCHDOG_USEC").filter(|time| *time > 0 && is_of_us)?;
    Some(Duration::from_micros(time))
}

/// Whether stderr goes to the journal by the pipe that systemd made.
pub fn is_journal() -> bool {
    let Some(stream) = env::var("JOURNAL_STREAM").ok() else { return false };
    let Ok(of_stderr) = rustix::fs::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", of_stderr.st_dev, of_stderr.st_ino)
}

/// The prefix of a line by which the journal knows its priority (sd-daemon(3)).
pub fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}
