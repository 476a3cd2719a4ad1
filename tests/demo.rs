//! `rounds demo`: the day comes out as told, and tells nobody's name.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::Program;
use crate::support::program::Outcome;
use crate::support::program::{finish, signal};

#[path = "../src/demo/names.rs"]
mod names;

/// A directory for the demo's server: one that somebody keeps in the usual place is left alone.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("rd-{}-{name}", std::process::id()));
        fs::create_dir(&dir).expect("can be made");
        // As /tmp: as root the server runs as another user.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o1777)).expect("is ours");
        Self(dir)
    }

    /// The program, with a database address that the demo must not use.
    fn program(&self) -> Program {
        let program = Program::new("postgresql://nobody@127.0.0.1:1/none").without("ROUNDS_ALLOW_AS_OF");
        let program = program.env("TMPDIR", self.0.to_str().expect("UTF-8"));
        let kept = ["PATH", "PG_BIN", "PG"].into_iter().filter_map(|key| Some((key, std::env::var(key).ok()?)));
        kept.fold(program, |program, (key, value)| program.env(key, &value))
    }

    /// The directories of servers that were left behind.
    fn left_behind(&self) -> usize {
        let entries = fs::read_dir(&self.0).expect("is there").flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_day_comes_out_as_told_and_tells_no_name() {
    let place = Place::new("day");
    let outcome = place.program().run(&["demo"]).await.expect(0);
    let text = &outcome.stdout;
    let said = [
        "started PostgreSQL ",
        "Timeline 1: nobody came · visit 1001 · NO_SHOW, slot not released",
        "Timeline 2: vitals late, doctor late · visit 1002 · IN_PROGRESS, NO_VITALS RESOLVED, NO_DOCTOR RESOLVED",
        "Timeline 3: the slot is free again · visit 1003 · NO_SHOW, slot released and booked again",
        "✓ 09:10  CHECKED_IN, NO_VITALS ACTIVE",
        "5 min, no vitals (limit 5)  3 nurses",
        "13 min, no doctor (limit 10)  the doctor",
        "appointment 1014",
        "P0001",
        "cron_job_runs",
        "rounds mark-no-shows --dry-run",
    ];
    for words in said {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    let history = |job: &str| text.lines().filter(|line| line.contains(job) && line.contains(" COMPLETED ")).count();
    assert_eq!((history("│ mark-no-shows "), history("│ stage-alerts ")), (14, 14), "{text}");
    assert_readable(&outcome);
    assert_eq!(place.left_behind(), 0, "the server is removed");
}

/// No name, no colour where no terminal is, nothing on stderr, and lines that fit.
fn assert_readable(Outcome { stdout, stderr, .. }: &Outcome) {
    let words: HashSet<&str> = stdout.split(|letter: char| !letter.is_alphabetic()).collect();
    for name in names::FIRST.iter().chain(&names::LAST) {
        assert!(!words.contains(name), "the name {name} is told in\n{stdout}");
    }
    assert!(!stdout.contains('\x1b'), "{stdout:?}");
    assert_eq!(stderr, "");
    let widest = stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(110), "a line of {widest:?} characters in\n{stdout}");
}

#[tokio::test]
async fn a_signal_ends_it_and_removes_the_server() {
    let place = Place::new("signal");
    let child = place.program().start(&["demo"]);
    while place.left_behind() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    signal(&child, libc::SIGTERM);
    let outcome = finish(child).await.expect(143);
    assert!(outcome.stderr.contains("demo: stopped"), "{outcome:?}");
    // By what watches the server: it may need a moment more than the process.
    for _ in 0..100 {
        if place.left_behind() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    assert_eq!(place.left_behind(), 0, "the server is removed");
}

#[tokio::test]
async fn it_has_no_dry_run() {
    let outcome = Program::new("").run(&["demo", "--dry-run"]).await.expect(2);
    assert!(outcome.stderr.contains("demo has no --dry-run"), "{outcome:?}");
}
