//! `rounds demo`: each chapter comes out as the story says, nobody's name is printed, and nothing is left behind.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::program::Outcome;
use crate::support::program::{finish, signal};
use crate::support::scratch::{Durability, Scratch};
use crate::support::{Program, connect, server};

#[path = "../src/demo/names.rs"]
mod names;

/// The report, which the demo leaves.
const REPORT: &str = "rounds-demo-report.html";

/// A place of its own for the demo's server: a demo that somebody keeps in the usual place is left alone.
struct Place {
    root: TempDir,
    /// The temporary directory of the demo.
    tmp: PathBuf,
    /// The server's programs.
    bin: String,
}

impl Place {
    fn new() -> Self {
        let place = tempfile::Builder::new().prefix("rd-").tempdir().expect("a place for files");
        let root = place.path().to_owned();
        let tmp = root.join("t");
        fs::create_dir(&tmp).expect("can be made");
        // As /tmp: as root the server runs as another user.
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("is ours");
        fs::set_permissions(&tmp, fs::Permissions::from_mode(0o1777)).expect("is ours");
        let found = Command::new("scripts/postgres").arg("--find").output().expect("can be started");
        let bin = String::from_utf8(found.stdout).expect("UTF-8").trim().to_owned();
        Self { root: place, tmp, bin }
    }

    /// The program, with a database address that the demo must not use.
    fn program(&self) -> Program {
        let program = Program::new("postgresql://nobody@127.0.0.1:1/none").without("ROUNDS_ALLOW_AS_OF");
        let program = program.env("TMPDIR", self.tmp.to_str().expect("UTF-8")).env("PG_BIN", &self.bin);
        let path = std::env::var("PATH").expect("UTF-8");
        program.env("PATH", &path)
    }

    /// Everything that was left behind but the report: servers, locks, output.
    fn left_behind(&self) -> Vec<OsString> {
        let entries = fs::read_dir(&self.tmp).expect("is there").map(|entry| entry.expect("can be read").file_name());
        entries.filter(|name| name != REPORT).collect()
    }

    /// Puts an `initdb` in front of the real one, which waits in the middle of its work until it is let go.
    fn hold_initdb(&mut self) -> Held {
        let bin = self.root.path().join("bin");
        fs::create_dir(&bin).expect("can be made");
        let real = std::mem::replace(&mut self.bin, bin.to_str().expect("UTF-8").to_owned());
        for program in ["postgres", "pg_ctl"] {
            symlink(Path::new(&real).join(program), bin.join(program)).expect("can be made");
        }
        let held = Held { reached: bin.join("reached"), go: bin.join("go") };
        for fifo in [&held.reached, &held.go] {
            assert!(Command::new("mkfifo").args(["-m", "666"]).arg(fifo).status().expect("can be started").success());
        }
        let (reached, go) = (held.reached.display(), held.go.display());
        let script = format!("#!/bin/sh\necho > '{reached}'\nread -r word < '{go}'\nexec '{real}/initdb' \"$@\"\n");
        fs::write(bin.join("initdb"), script).expect("can be written");
        fs::set_permissions(bin.join("initdb"), fs::Permissions::from_mode(0o755)).expect("is ours");
        held
    }
}

/// Two FIFOs, each of which holds one side until the other side comes.
struct Held {
    reached: PathBuf,
    go: PathBuf,
}

impl Held {
    /// Waits until `initdb` is at work.
    async fn reached(&self) {
        let path = self.reached.clone();
        tokio::task::spawn_blocking(|| fs::read(path)).await.expect("no panic").expect("can be read");
    }

    async fn let_go(&self) {
        let path = self.go.clone();
        tokio::task::spawn_blocking(|| fs::write(path, "go\n")).await.expect("no panic").expect("can be written");
    }
}

/// The chapters that are played alone.
const CHAPTERS: [&str; 9] =
    ["no-shows", "cases", "tickets", "billing", "registry", "sync", "leave", "delivery", "trouble"];

#[tokio::test]
async fn all_chapters_come_out_as_told_and_tell_no_name() {
    let place = Place::new();
    let outcome = place.program().run(&["demo", "--keep"]).await.expect(0);
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
        "$ rounds escalate-sla",
        "$ rounds escalate-tickets",
        "$ rounds advance-billing --stage paid",
        "$ rounds refresh-npi",
        "$ rounds sync-practiceq",
        "$ rounds apply-absences",
        "$ rounds flag-schedule-conflicts",
        "$ rounds notify-cancellations",
        "$ rounds monitor-ticket-sla",
        "· arrived at +1********",
        "[ALREADY_RUNNING]",
        "LEASE_EXPIRED",
        "[BRAKE]",
        "[PAUSED]",
        "$ rounds no-show undo 8001 --actor 251 --reason 'sat in the wrong waiting room'",
        "$ rounds prune",
        "cron_job_runs",
        "rounds mark-no-shows --dry-run",
    ];
    for words in said {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    let history = text.split("The run history").nth(1).expect("a history");
    for job in ["mark-no-shows", "stage-alerts"] {
        let row: Vec<&str> =
            history.lines().find(|line| line.contains(job)).expect("a row").split_whitespace().collect();
        assert_eq!(row[2..6], ["-", "14", "14", "0"], "{history}");
    }
    assert_readable(&outcome);
    let page = fs::read_to_string(place.tmp.join(REPORT)).expect("the report is there");
    assert!(text.contains(REPORT) && page.contains("no-shows among"), "{text}");
    for name in names::FIRST.iter().chain(names::LAST.iter()) {
        assert!(!page.contains(&format!(">{name} ")), "{name} is in the report");
    }
    each_suggestion_works(&place).await;
    place.program().run(&["demo", "cases"]).await.expect(0);
    assert!(place.left_behind().is_empty(), "the server is removed: {:?}", place.left_behind());
    let outcome = place.program().run(&["demo", "try"]).await.expect(1);
    assert!(outcome.stderr.contains("no server is kept here"), "{outcome:?}");
}

/// The page of suggestions for the server that was kept fits a terminal, and each of its commands does what it says.
async fn each_suggestion_works(place: &Place) {
    let screen = place.program().on_terminal(80, &["demo", "try"]).await;
    assert_eq!(screen.code, 0, "{}", screen.text);
    let page = place.program().run(&["demo", "try"]).await.expect(0).stdout;
    let is_address = |line: &&str| line.starts_with("export ") || line.starts_with("psql ");
    let widest = screen.text.lines().filter(|line| !is_address(line)).map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?} characters in\n{}", screen.text);
    let mut program = place.program();
    for line in page.lines().filter_map(|line| line.strip_prefix("export ")) {
        let (name, value) = line.split_once('=').expect("a variable");
        program = program.env(name, value.trim_matches('\''));
    }
    let report = place.root.path().join("demo.html").to_str().expect("UTF-8").to_owned();
    let mut tried = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("rounds ")) {
        // Whoever types it is in a shell: quotes hold words together.
        let words: Vec<String> = line
            .split('\'')
            .enumerate()
            .flat_map(|(index, part)| match index % 2 {
                0 => part.split_whitespace().map(|word| word.replace("demo.html", &report)).collect(),
                _ => vec![part.to_owned()],
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        program.run(&words).await.expect(0);
        tried += 1;
    }
    assert!(tried > 12 && Path::new(&report).exists(), "{tried} commands in\n{page}");
}

#[tokio::test]
async fn each_chapter_plays_alone_and_fits_a_narrow_terminal() {
    let place = Place::new();
    for chapter in CHAPTERS {
        // The server is handed on: that takes less time than another one.
        let keep: &[&str] = if chapter == "trouble" { &[] } else { &["--keep"] };
        let screen = place.program().on_terminal(80, &[&["demo", chapter], keep].concat()).await;
        assert_eq!(screen.code, 0, "{chapter}:\n{}", screen.text);
        // The address of a server that is kept is copied, so it is not broken.
        let lines = screen.text.lines().filter(|line| !line.contains("psql '"));
        let widest = lines.max_by_key(|line| line.chars().count()).expect("a line");
        assert!(widest.chars().count() <= 80, "{chapter}: {widest}");
    }
    assert!(place.left_behind().is_empty(), "{:?}", place.left_behind());
}

#[tokio::test]
async fn a_decision_that_comes_out_otherwise_makes_it_fail() {
    let place = Place::new();
    let kept = place.program().run(&["demo", "cases", "--keep"]).await.expect(0).stdout;
    // The next demo makes its database from this one: there a case cannot be raised.
    let template = connect(&address(&kept).replace("/clinic?", "/template1?")).await;
    let sabotage = "
        CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN NEW.escalation_level := OLD.escalation_level; RETURN NEW; END $$;
        CREATE FUNCTION public.sabotage() RETURNS event_trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF to_regclass('px_cases') IS NOT NULL
                   AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'keep') THEN
                    CREATE TRIGGER keep BEFORE UPDATE ON px_cases FOR EACH ROW WHEN (NEW.id = 302)
                    EXECUTE FUNCTION public.keep();
                END IF;
            END $$;
        CREATE EVENT TRIGGER sabotage ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.sabotage()";
    template.batch_execute(sabotage).await.expect("a superuser");
    drop(template);
    let outcome = place.program().run(&["demo", "cases"]).await.expect(1);
    assert!(outcome.stderr.contains("expected") && outcome.stderr.contains("302 | ESCALATED | 2"), "{outcome:?}");
    assert!(place.left_behind().is_empty(), "the server is removed all the same: {:?}", place.left_behind());
}

/// The address of the server that a demo has kept.
fn address(said: &str) -> String {
    said.split("psql '").nth(1).and_then(|rest| rest.split('\'').next()).expect("an address").to_owned()
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
    let place = Place::new();
    let child = place.program().start(&["demo"]);
    while place.left_behind().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(&child, libc::SIGTERM);
    let outcome = finish(child).await.expect(143);
    assert!(outcome.stderr.contains("demo: stopped"), "{outcome:?}");
    assert!(place.left_behind().is_empty(), "the server is removed: {:?}", place.left_behind());
}

#[tokio::test]
async fn a_signal_while_initdb_is_at_work_leaves_nothing_behind() {
    for (number, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
        let mut place = Place::new();
        let held = place.hold_initdb();
        let child = place.program().start(&["demo"]);
        held.reached().await;
        signal(&child, number);
        held.let_go().await;
        let outcome = finish(child).await.expect(code);
        assert!(outcome.stderr.contains("demo: stopped; its server is removed"), "{outcome:?}");
        assert!(place.left_behind().is_empty(), "after it was said: {:?}", place.left_behind());
    }
}

#[tokio::test]
async fn killed_while_initdb_is_at_work_it_leaves_nothing_behind() {
    let mut place = Place::new();
    let held = place.hold_initdb();
    let mut child = place.program().start(&["demo"]);
    held.reached().await;
    child.kill().await.expect("it lives");
    assert!(!place.left_behind().is_empty(), "nothing is removed from under initdb");
    held.let_go().await;
    let began = Instant::now();
    while !place.left_behind().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "left behind: {:?}", place.left_behind());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_kept_server_is_taken_over_by_the_next_demo_and_removed() {
    let place = Place::new();
    let kept = place.program().run(&["demo", "billing", "--keep"]).await.expect(0).stdout;
    assert!(kept.contains("The server is kept"), "{kept}");
    let cases = connect(&address(&kept)).await.query_one("SELECT count(*) FROM surgical_cases", &[]).await;
    assert_eq!(cases.expect("it lives").get::<_, i64>(0), 3);
    let next = place.program().run(&["demo", "billing"]).await.expect(0).stdout;
    assert!(next.contains("took over the one left behind by an earlier demo"), "{next}");
    assert!(place.left_behind().is_empty(), "{:?}", place.left_behind());
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing_behind() {
    let mut place = Place::new();
    place.hold_initdb();
    fs::write(place.root.path().join("bin/initdb"), "#!/bin/sh\necho no room\nexit 1\n").expect("can be written");
    let outcome = place.program().run(&["demo", "billing"]).await.expect(1);
    assert!(outcome.stderr.contains("no room"), "{outcome:?}");
    assert!(place.left_behind().is_empty(), "{:?}", place.left_behind());
}

#[tokio::test]
async fn a_directory_of_somebody_else_is_left_alone() {
    let place = Place::new();
    // SAFETY: getuid has no arguments and always succeeds.
    let theirs = place.tmp.join(format!("rounds-demo-{}-1", unsafe { libc::getuid() }));
    fs::create_dir(&theirs).expect("can be made");
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o777)).expect("is ours");
    place.program().run(&["demo", "billing"]).await.expect(0);
    assert_eq!(place.left_behind(), [theirs.file_name().expect("a name")], "neither used nor removed");
}

#[tokio::test]
async fn what_somebody_planted_in_the_shared_directory_is_not_followed() {
    let place = Place::new();
    let victim = place.root.path().join("victim");
    fs::write(&victim, "untouched").expect("can be written");
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).expect("is ours");
    // SAFETY: getuid has no arguments and always succeeds.
    let uid = unsafe { libc::getuid() };
    let at = |name: &str| place.tmp.join(format!("rounds-demo-{uid}-{name}"));
    for name in ["1.lock", "2.lock", "3"] {
        symlink(&victim, at(name)).expect("can be made");
    }
    // As root the server has a user of its own, who may be taken over: what looks like a cluster that was left behind.
    if uid == 0 {
        let planted = at("4");
        fs::create_dir_all(planted.join("data")).expect("can be made");
        fs::write(planted.join("data/PG_VERSION"), "15\n").expect("can be written");
        for name in ["initdb.out", "pg_ctl.out", "log"] {
            symlink(&victim, planted.join(name)).expect("can be made");
        }
        fs::set_permissions(&planted, fs::Permissions::from_mode(0o700)).expect("is ours");
        let owner = fs::metadata(server().dir()).expect("is there");
        for path in [&planted, &planted.join("data"), &planted.join("data/PG_VERSION")] {
            chown(path, Some(owner.uid()), Some(owner.gid())).expect("is ours");
        }
    }
    place.program().run(&["demo", "billing"]).await.expect(0);
    assert_eq!(fs::read_to_string(&victim).expect("is there"), "untouched");
    assert_eq!(place.left_behind().len(), 3, "the links alone: {:?}", place.left_behind());
}

#[tokio::test]
async fn the_name_of_a_new_server_cannot_be_foretold() {
    let mut names = HashSet::new();
    for _ in 0..2 {
        let mut place = Place::new();
        let held = place.hold_initdb();
        let child = place.program().start(&["demo"]);
        held.reached().await;
        names.extend(place.left_behind().into_iter().filter(|name| !name.to_string_lossy().ends_with(".lock")));
        signal(&child, libc::SIGTERM);
        held.let_go().await;
        finish(child).await.expect(143);
    }
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_server_whose_guard_was_killed_is_removed_by_the_next() {
    let place = Place::new();
    let owner = fs::metadata(server().dir()).expect("is there");
    let left = |name: &str, mode: u32| {
        let dir = place.tmp.join(name);
        fs::create_dir(&dir).expect("can be made");
        fs::write(dir.join("file"), "").expect("can be written");
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).expect("is ours");
        fs::write(dir.with_extension("lock"), "").expect("can be written");
        for path in [&dir, &dir.with_extension("lock")] {
            chown(path, Some(owner.uid()), Some(owner.gid())).expect("is ours");
        }
    };
    left("rounds-1-0", 0o700);
    // A server of somebody else, and a demo that is kept.
    left("rounds-2-0", 0o777);
    left("rounds-demo-0-1", 0o700);
    drop(Scratch::start(&place.tmp, Durability::None).expect("it starts"));
    let mut names = place.left_behind();
    names.sort();
    assert_eq!(names, ["rounds-2-0", "rounds-2-0.lock", "rounds-demo-0-1", "rounds-demo-0-1.lock"]);
}

#[tokio::test]
async fn it_has_no_dry_run() {
    let outcome = Program::new("").run(&["demo", "--dry-run"]).await.expect(2);
    assert!(outcome.stderr.contains("demo has no --dry-run"), "{outcome:?}");
    let outcome = Program::new("").run(&["demo", "try", "--keep"]).await.expect(2);
    assert!(outcome.stderr.contains("first demo --keep, then demo try"), "{outcome:?}");
}
