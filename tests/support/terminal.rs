//! A terminal for the program, as a person has one: a pseudo-terminal of a given width.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::ptr::null_mut;

use super::Program;

/// A text with what a terminal acts upon: it writes the clipboard, goes to the begin of the line, clears the screen, and
/// turns the direction of what follows.
pub const ATTACK: &str = "x\u{1b}]52;c;eA==\u{7}\r\u{9b}2J\u{202e}\u{2066}\u{200f}";
/// How it is shown.
const SHOWN: &str = "x\\u{1b}]52;c;eA==\\u{7}\\u{d}\\u{9b}2J\\u{202e}\\u{2066}\\u{200f}";

/// What a person sees, of reports and logs in the order in which they come, and the exit code.
#[derive(Debug)]
pub struct Screen {
    pub code: i32,
    pub text: String,
}

/// Whether a text has nothing but line breaks that a terminal acts upon.
fn is_passive(text: &str) -> bool {
    let is_mark = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.contains(|c: char| (c.is_control() && c != '\n') || is_mark(c))
}

impl Program {
    /// Runs a command that shows [`ATTACK`] at least so many times, on a terminal and for a program. It is shown as text.
    pub async fn shows_attack(&self, times: usize, args: &[&str]) {
        let screen = self.on_terminal(2000, &[args, &["--output", "text"]].concat()).await.text;
        let piped = self.run(&[args, &["--output", "text"]].concat()).await;
        let json = self.run(&[args, &["--output", "json", "--log-level", "debug"]].concat()).await;
        for text in [&screen, &piped.stdout, &piped.stderr, &json.stdout, &json.stderr] {
            assert!(is_passive(text), "{args:?}: {text:?}");
        }
        for text in [&screen, &piped.stdout] {
            assert!(text.matches(SHOWN).count() >= times, "{args:?}: {text}");
        }
        // The JSON has the same text, escaped in its own way.
        let value = json.report().to_string();
        let same = serde_json::json!(ATTACK).to_string();
        assert!(value.contains(same.trim_matches('"')), "{args:?}: {value}");
    }

    /// Runs it to its end on a terminal with so many columns, without colours.
    pub async fn on_terminal(&self, columns: u16, args: &[&str]) -> Screen {
        let (program, args) = (self.clone().env("NO_COLOR", "1"), args.iter().map(|arg| (*arg).to_owned()).collect());
        tokio::task::spawn_blocking(move || program.blocking(columns, args)).await.expect("it ends")
    }

    /// Runs it on a terminal with so many columns and rows until it has written these texts, one after the other; then
    /// interrupts it as Ctrl-C does. The text of the screen has what the terminal acts upon.
    pub async fn interrupted_on_terminal(&self, size: [u16; 2], args: &[&str], texts: &[&str]) -> Screen {
        let program = self.clone().env("NO_COLOR", "1");
        let [args, texts] = [args, texts].map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        tokio::task::spawn_blocking(move || program.until(size, args, &texts)).await.expect("it ends")
    }

    fn until(&self, size: [u16; 2], args: Vec<String>, texts: &[String]) -> Screen {
        let (mut child, mut ours) = self.spawned(size, args);
        let (mut bytes, mut part, mut texts, mut at) = (vec![], [0; 4096], texts.iter(), 0);
        let mut wanted = texts.next();
        while let Ok(count @ 1..) = ours.read(&mut part) {
            bytes.extend_from_slice(&part[..count]);
            let written = String::from_utf8_lossy(&bytes).into_owned();
            while let Some(found) =
                wanted.and_then(|text| written[at..].find(text.as_str()).map(|place| place + text.len()))
            {
                at += found;
                wanted = texts.next();
                if wanted.is_none() {
                    // SAFETY: kill takes two integers and touches no memory.
                    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
                }
            }
        }
        let code = child.wait().expect("it ends").code().expect("no signal");
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(wanted.is_none(), "it ended before it had written {wanted:?}: {text}");
        Screen { code, text }
    }

    /// Starts it on a new terminal; and our end of that.
    fn spawned(&self, size: [u16; 2], args: Vec<String>) -> (Child, File) {
        let (ours, theirs) = pair(size);
        let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_rounds"));
        command.args(args).env_clear().envs(self.variables()).stdin(Stdio::null()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the binary can be started");
        (child, ours)
    }

    fn blocking(&self, columns: u16, args: Vec<String>) -> Screen {
        let (mut child, mut ours) = self.spawned([columns, 50], args);
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
fn pair([columns, rows]: [u16; 2]) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the two numbers are written and the size is read; nothing keeps the pointers.
    let opened = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, null_mut(), null_mut(), &raw const size) };
    assert_eq!(opened, 0, "a terminal can be opened");
    // SAFETY: both are descriptors that were opened just now, and nobody else's. A server that the program leaves behind
    // must not keep the terminal open.
    unsafe {
        libc::fcntl(ours, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(theirs, libc::F_SETFD, libc::FD_CLOEXEC);
        (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    }
}
