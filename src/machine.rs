//! The machine and its user, for the record of who did something. Both are what the machine says of itself: who
//! administers it can make it say anything.

use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use nix::unistd::{Uid, User, getuid};

use crate::output::visible::is_active;

/// The longest name in characters that is recorded.
const LENGTH_MAX: usize = 100;
/// The wait for the name of a user. A directory of users in the network may not answer, and no run waits for it.
const NAME_WAIT: Duration = Duration::from_secs(1);

/// The operating system's name of the user whose process this is; where it has none, as in a container, the number.
pub fn os_user() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| {
        let uid = getuid();
        bounded(&name(uid).unwrap_or_else(|| uid.to_string()))
    })
}

/// The name of the host.
pub fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
        name.map_or_else(|_| "unknown".to_owned(), |name| bounded(name.trim()))
    })
}

/// The name in the user's entry, if there is one and it is found in time.
fn name(uid: Uid) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    let look = move || drop(sender.send(User::from_uid(uid).ok().flatten().map(|user| user.name)));
    thread::Builder::new().spawn(look).ok()?;
    receiver.recv_timeout(NAME_WAIT).ok().flatten().filter(|name| !name.is_empty())
}

/// A name without a character that a terminal acts upon, and not without end.
fn bounded(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars().take(LENGTH_MAX) {
        match is_active(c) {
            true => text.extend(c.escape_unicode()),
            false => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_no_terminal_acts_upon_it() {
        assert_eq!(bounded("anna\u{1b}[2J\n\u{202e}"), "anna\\u{1b}[2J\\u{a}\\u{202e}");
        assert_eq!(bounded(&"ä".repeat(1000)).chars().count(), LENGTH_MAX);
    }

    #[test]
    fn a_user_without_an_entry_has_no_name() {
        assert_eq!(name(Uid::from_raw(0)).as_deref(), Some("root"));
        assert_eq!(name(Uid::from_raw(3_999_999_999)), None);
        assert!(!os_user().is_empty() && !host().is_empty());
    }
}
