//! A terminal for the program, as a person has one: a pseudo-terminal of a given width.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::ptr::null_mut;

use super::Program;

/// What a person sees, of reports and logs in the order in which they come, and the exit code.
#[derive(Debug)]
pub struct Screen {
    pub code: i32,
    pub text: String,
}

impl Program {
    /// Runs it to its end on a terminal with so many columns, without colours.
    pub async fn on_terminal(&self, columns: u16, args: &[&str]) -> Screen {
        let (program, args) = (self.clone().env("NO_COLOR", "1"), args.iter().map(|arg| (*arg).to_owned()).collect());
        tokio::task::spawn_blocking(move || program.blocking(columns, args)).await.expect("it ends")
    }

    fn blocking(&self, columns: u16, args: Vec<String>) -> Screen {
        let (mut ours, theirs) = pair(columns);
        let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_rounds"));
        command.args(args).env_clear().envs(self.variables()).stdin(Stdio::null()).stdout(end()).stderr(end());
        let mut child = command.spawn().expect("the binary can be started");
        drop(command);
        drop(theirs);
        let (mut bytes, mut part) = (vec![], [0; 4096]);
        // The end of a terminal is an error on this side.
        while let Ok(count @ 1..) = ours.read(&mut part) {
            bytes.extend_from_slice(&part[..count]);
        }
        let code = child.wait().expect("it ends").code().expect("no signal");
        Screen { code, text: String::from_utf8(bytes).expect("UTF-8").replace("\r\n", "\n") }
    }
}

/// The two ends of a new terminal: ours, and that of the program.
fn pair(columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the two numbers are written and the size is read; nothing keeps the pointers.
    let opened = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, null_mut(), null_mut(), &raw const size) };
    assert_eq!(opened, 0, "a terminal can be opened");
    // SAFETY: both are descriptors that were opened just now, and nobody else's.
    unsafe {
        libc::fcntl(ours, libc::F_SETFD, libc::FD_CLOEXEC);
        (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    }
}
