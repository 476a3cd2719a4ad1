//! `rounds runs watch`: a table on a terminal, lines elsewhere, until it is interrupted.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::timeout;

use crate::support::program::signal;
use crate::support::scratch::{Durability, Scratch};
use crate::support::{Clinic, Program, connect, server_place};

/// A program that watches, with its lines.
struct Watch {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    seen: Vec<Value>,
}

impl Watch {
    fn start(program: &Program, args: &[&str]) -> Self {
        let mut child = program.start(&[&["runs", "watch", "--interval", "100ms"], args].concat());
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { child, stdout, stderr, seen: vec![] }
    }

    /// Reads lines until one of a job with that status.
    async fn until(&mut self, job: &str, status: &str) -> Value {
        loop {
            let line = timeout(Duration::from_secs(60), self.stdout.next_line()).await.expect("a line in time");
            let line =
                line.expect("readable").unwrap_or_else(|| panic!("it ended before {job} {status}: {:?}", self.seen));
            let run: Value = serde_json::from_str(&line).expect("a line of JSON");
            self.seen.push(run.clone());
            if run["job"] == job && run["status"] == status {
                return run;
            }
        }
    }

    /// Reads lines of stderr until one with these words.
    async fn told(&mut self, words: &str) {
        loop {
            let line = timeout(Duration::from_secs(60), self.stderr.next_line()).await.expect("a line in time");
            if line.expect("readable").expect("it goes on").contains(words) {
                return;
            }
        }
    }
}

#[tokio::test]
async fn lines_tell_each_change_beyond_a_restart_of_the_server() {
    let server = Scratch::start(&server_place(), Durability::None).unwrap_or_else(|error| panic!("{error}"));
    let url = server.url("postgres");
    let program = Program::new(&url);
    program.run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    program.run(&["stage-alerts"]).await.expect(0);
    // A run that is at work already.
    let insert =
        "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, host, version)
                  SELECT gen_random_uuid(), 'prune', 'RUNNING', t, t, t + interval '1 hour', 'h', 'v'
                  FROM (SELECT clock_timestamp() AS t) c";
    let client = connect(&url).await;
    client.batch_execute(insert).await.expect("a run");
    let mut watch = Watch::start(&program, &[]);
    watch.until("prune", "RUNNING").await;
    program.run(&["mark-no-shows"]).await.expect(0);
    let run = watch.until("mark-no-shows", "COMPLETED").await;
    assert!(run["id"].is_string() && run["duration_ms"].is_number(), "{run}");
    let end = "UPDATE cron_job_runs SET status = 'FAILED', error_code = 'X', completed_at = clock_timestamp(), duration_ms = 1
               WHERE job_name = 'prune'";
    client.batch_execute(end).await.expect("it ends");
    assert_eq!(watch.until("prune", "FAILED").await["error_code"], "X");
    let server = tokio::task::spawn_blocking(move || server.restart().map(|()| server)).await.expect("no panic");
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    watch.told("the database does not answer").await;
    watch.told("the database answers again, after").await;
    program.run(&["escalate-sla"]).await.expect(0);
    watch.until("escalate-sla", "COMPLETED").await;
    signal(&watch.child, libc::SIGINT);
    let ended = timeout(Duration::from_secs(60), watch.child.wait()).await.expect("it ends").expect("its code");
    assert_eq!(ended.code(), Some(130));
    // Each change is one line, and what had ended before is none.
    let mut changes: Vec<String> =
        watch.seen.iter().map(|run| format!("{} {}", run["id"], run["completed_at"].is_null())).collect();
    let all = changes.len();
    changes.sort();
    changes.dedup();
    assert!(changes.len() == all && watch.seen.iter().all(|run| run["job"] != "stage-alerts"), "{:#?}", watch.seen);
    drop(server);
}

#[tokio::test]
async fn a_table_fits_the_terminal_and_leaves_it_as_it_was() {
    let clinic = Clinic::with_visits(1).await;
    clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0);
    clinic.dead_run("3 s", "-1 hour").await;
    for size in [[80, 24], [60, 10]] {
        let args = ["runs", "watch", "--interval", "100ms", "--since", "100d"];
        let screen = clinic.program.interrupted_on_terminal(size, &args, &["COMPLETED", "Ctrl-C"]).await;
        assert_eq!(screen.code, 130, "{screen:?}");
        let text = screen.text.strip_prefix("\u{1b}[?1049h\u{1b}[?25l").unwrap_or_else(|| panic!("{screen:?}"));
        let text = text.strip_suffix("\u{1b}[?25h\u{1b}[?1049l").unwrap_or_else(|| panic!("{screen:?}"));
        let frames: Vec<&str> = text.split("\u{1b}[H").collect();
        assert!(frames.len() > 1, "{screen:?}");
        for frame in frames {
            let lines: Vec<String> =
                frame.split("\r\n").map(|line| line.replace("\u{1b}[K", "").replace("\u{1b}[J", "")).collect();
            assert!(lines.len() <= size[1].into(), "{lines:#?}");
            assert!(lines.iter().all(|line| line.chars().count() <= size[0].into()), "{lines:#?}");
            assert!(lines.iter().any(|line| line.contains("mark-no-shows") && line.contains("RUNNING")), "{lines:#?}");
        }
    }
    // Nothing is left on the terminal where the first look fails.
    let nowhere = Program::new("postgresql://127.0.0.1:1/d?sslmode=disable");
    let screen = nowhere.on_terminal(80, &["runs", "watch"]).await;
    assert!(screen.code == 1 && !screen.text.contains('\u{1b}'), "{screen:?}");
}

#[tokio::test]
async fn lines_are_text_where_that_is_asked_for_and_never_csv() {
    let clinic = Clinic::new().await;
    clinic.dead_run("3 s", "-1 hour").await;
    let mut child = clinic.program.start(&["runs", "watch", "mark-no-shows", "--output", "text"]);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = timeout(Duration::from_secs(60), lines.next_line()).await.expect("in time").expect("readable");
    assert!(line.as_ref().is_some_and(|line| line.ends_with("  mark-no-shows  RUNNING")), "{line:?}");
    signal(&child, libc::SIGTERM);
    assert_eq!(
        timeout(Duration::from_secs(60), child.wait()).await.expect("it ends").expect("its code").code(),
        Some(143)
    );
    let refused = clinic.run(&["runs", "watch", "--output", "csv"]).await.expect(2);
    assert!(refused.stderr.contains("it is no CSV"), "{refused:?}");
}
