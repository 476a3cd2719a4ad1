//! What systemd is told of a run: its state by sd_notify, a word to the watchdog, and the priority of a log line.

use std::fs::{self, File};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::support::program::{self, Outcome};
use crate::support::{Clinic, Program};

const RUN: [&str; 5] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "10"];

/// The words that lie in a socket.
fn words(manager: &UnixDatagram) -> Vec<String> {
    manager.set_nonblocking(true).expect("it can be set");
    let mut words = vec![];
    let mut buffer = [0; 4096];
    while let Ok(length) = manager.recv(&mut buffer) {
        words.push(String::from_utf8(buffer[..length].to_vec()).expect("UTF-8"));
    }
    words
}

fn notified(clinic: &Clinic, socket: &str) -> Program {
    clinic.program.clone().env("NOTIFY_SOCKET", socket)
}

#[tokio::test]
async fn the_state_of_a_run_is_told_in_counts() {
    let place = tempfile::tempdir().expect("a place");
    let path = place.path().join("notify");
    let name = format!("rounds-test-{}", std::process::id());
    let abstract_address = SocketAddr::from_abstract_name(&name).expect("a name");
    for (manager, socket) in [
        (UnixDatagram::bind(&path), path.to_str().expect("UTF-8").to_owned()),
        (UnixDatagram::bind_addr(&abstract_address), format!("@{name}")),
    ] {
        let (manager, clinic) = (manager.expect("a socket"), Clinic::with_visits(15).await);
        notified(&clinic, &socket).run(&RUN).await.expect(0);
        assert_eq!(
            words(&manager),
            [
                "READY=1\nSTATUS=mark-no-shows: at work",
                "STATUS=mark-no-shows: 1 batch done",
                "STATUS=mark-no-shows: 2 batches done",
                "STOPPING=1\nSTATUS=mark-no-shows COMPLETED, exit 0",
            ]
        );
    }
    // A manager that is not there, or does not read, holds up nobody.
    let (clinic, manager) = (Clinic::with_visits(15).await, UnixDatagram::unbound().expect("a socket"));
    notified(&clinic, "/nowhere/notify").run(&["mark-no-shows"]).await.expect(0);
    drop(manager);
    let full = place.path().join("full");
    let manager = UnixDatagram::bind(&full).expect("a socket");
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("it can be set");
    while sender.send_to(b"x", &full).is_ok() {}
    notified(&clinic, full.to_str().expect("UTF-8")).run(&RUN).await.expect(0);
    drop(manager);
}

#[tokio::test]
async fn the_watchdog_hears_of_a_run_as_long_as_its_heart_beats() {
    let clinic = Clinic::with_visits(15).await;
    super::endings::slow(&clinic, 2.5).await;
    let place = tempfile::tempdir().expect("a place");
    let path = place.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_millis(20))).expect("it can be set");
    // Its heart cannot beat, so the run stops after four seconds, at the end of its second batch.
    let lonely = super::endings::lonely(&clinic).await;
    let socket = path.to_str().expect("UTF-8");
    let program = lonely.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "300000");
    let heard = std::thread::spawn(move || {
        let (mut buffer, mut fed, mut last) = ([0; 4096], 0, Instant::now());
        loop {
            match manager.recv(&mut buffer).map(|length| &buffer[..length]) {
                Ok(b"WATCHDOG=1") => (fed, last) = (fed + 1, Instant::now()),
                Ok(word) if word.starts_with(b"STOPPING=1") => return (fed, last.elapsed()),
                _ => {}
            }
        }
    });
    let outcome = program.run(&[&RUN[..3], &["--batch-rows", "1", "--lease", "6s"]].concat()).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "HEARTBEAT_LOST", "{outcome:?}");
    let (fed, silence) = heard.join().expect("it ends");
    assert!(fed >= 10, "each tenth of a second for four seconds, not {fed} times");
    assert!(silence > Duration::from_millis(500), "no word after the heart has stopped: {silence:?}");
    // Another process's watchdog.
    let of_another =
        clinic.program.clone().env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "1").env("WATCHDOG_PID", "1");
    fs::remove_file(&path).expect("it is there");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    of_another.run(&["mark-no-shows"]).await;
    assert!(words(&manager).iter().all(|word| word != "WATCHDOG=1"));
}

/// The log of a run whose stderr is a file, of which systemd says that it is the journal.
async fn log(program: &Program, format: &str, is_journal: bool, more: &[&str]) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let of_file = File::metadata(file.as_file()).expect("it is there");
    let inode = if is_journal { of_file.ino() } else { of_file.ino() + 1 };
    let stream = format!("{}:{inode}", of_file.dev());
    let program = program.clone().env("JOURNAL_STREAM", &stream).env("ROUNDS_LOG_FORMAT", format);
    let path = file.path().to_str().expect("UTF-8");
    let by = ["/bin/sh", "-c", "to=$1; shift; exec \"$0\" \"$@\" 2>> \"$to\""];
    let _: Outcome = program::finish(program.start_by(&by, &[&[path], &RUN[..], more].concat())).await;
    fs::read_to_string(file.path()).expect("UTF-8")
}

#[tokio::test]
async fn a_line_for_the_journal_begins_with_its_priority() {
    for format in ["json", "text"] {
        let clinic = Clinic::with_visits(2).await;
        let braked = log(&clinic.program, format, true, &["--max-items", "1", "--log-level", "debug"]).await;
        let priorities: Vec<&str> = braked.lines().map(|line| &line[..3]).collect();
        assert!(priorities.contains(&"<6>") && priorities.last() == Some(&"<3>"), "{braked}");
        if format == "json" {
            for line in braked.lines() {
                serde_json::from_str::<serde_json::Value>(&line[3..]).unwrap_or_else(|_| panic!("{line}"));
            }
        }
        let of_file = log(&clinic.program, format, false, &["--max-items", "1"]).await;
        assert!(!of_file.is_empty() && !of_file.contains("<3>"), "{of_file}");
    }
}
