//! `rounds` as a process.

use std::collections::HashMap;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::{fields, role};

/// How the program is to be started.
#[derive(Clone)]
pub struct Program {
    env: HashMap<String, String>,
    /// Whether each command is of the role that `rounds grants --apply` made for it.
    in_roles: bool,
}

/// The exit code and the output of a process.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new(url: &str) -> Self {
        // Whoever starts with much to do has looked at it: the first run of a lane is not asked about.
        let looked_at = ("ROUNDS_FIRST_RUN_MAX", "10000000");
        // The files of settings of whoever runs the tests are not theirs.
        let alone = ("ROUNDS_CONFIG", "none");
        let env =
            [("DATABASE_URL", url), ("ROUNDS_ALLOW_AS_OF", "1"), ("ROUNDS_RETRY_DELAY", "100ms"), looked_at, alone];
        Self { env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).into(), in_roles: false }
    }

    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.env.remove(key);
        self
    }

    /// With the role of each command, where it has one.
    pub fn in_roles(mut self) -> Self {
        self.in_roles = true;
        self
    }

    /// The variables of its environment.
    pub fn variables(&self) -> &HashMap<String, String> {
        &self.env
    }

    /// Starts it and goes on.
    pub fn start(&self, args: &[&str]) -> Child {
        self.spawn(Command::new(env!("CARGO_BIN_EXE_rounds")), args)
    }

    /// Starts it by another program, which gets its path and its arguments, and goes on.
    pub fn start_by(&self, by: &[&str], args: &[&str]) -> Child {
        let mut command = Command::new(by[0]);
        command.args(&by[1..]).arg(env!("CARGO_BIN_EXE_rounds"));
        self.spawn(command, args)
    }

    /// Runs it to its end, with that on its standard input. It may end before it has read all.
    pub async fn run_with_input(&self, args: &[&str], input: &[u8]) -> Outcome {
        let command = Command::new(env!("CARGO_BIN_EXE_rounds"));
        let mut child = self.spawn_on(command, args, Stdio::piped());
        let mut pipe = child.stdin.take().expect("a pipe");
        let written = async {
            let _ = pipe.write_all(input).await;
            drop(pipe);
        };
        tokio::join!(finish(child), written).0
    }

    /// Starts it with a pipe as its standard input, and goes on.
    pub fn start_with_input(&self, args: &[&str]) -> Child {
        self.spawn_on(Command::new(env!("CARGO_BIN_EXE_rounds")), args, Stdio::piped())
    }

    fn spawn(&self, command: Command, args: &[&str]) -> Child {
        self.spawn_on(command, args, Stdio::null())
    }

    fn spawn_on(&self, mut command: Command, args: &[&str], stdin: Stdio) -> Child {
        command.args(args).env_clear().envs(&self.env);
        if let (true, Some(url), Some(role)) = (self.in_roles, self.env.get("DATABASE_URL"), role::of_command(args)) {
            command.env("DATABASE_URL", role::of_url(url, &format!("{}{role}", role::SHARED)));
        }
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("the binary can be started")
    }

    /// Runs it to its end.
    pub async fn run(&self, args: &[&str]) -> Outcome {
        finish(self.start(args)).await
    }
}

/// Waits for the end of a started process, not without end.
pub async fn finish(child: Child) -> Outcome {
    let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output());
    let output = output.await.expect("the program ends").expect("its output can be read");
    Outcome {
        code: code(output.status),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// Sends a signal to a process that this test started.
pub fn signal(child: &Child, signal: libc::c_int) {
    let pid = child.id().expect("not yet waited for") as libc::pid_t;
    // SAFETY: kill takes two integers and touches no memory.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

impl Outcome {
    /// The report, which is JSON when no terminal is there.
    pub fn report(&self) -> Value {
        let report = serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON report: {self:?}"));
        fields::check(&report);
        report
    }

    /// The same without the planted names of facilities and doctors where a list prints them: not in its log.
    pub fn without_places(mut self, command: &[&str]) -> Self {
        if command.iter().any(|word| ["list", "logs", "stats"].contains(word)) {
            self.stdout = self.stdout.replace("CANARY-F", "").replace("CANARY-D CANARY-D", "");
        }
        self
    }

    /// A number of the report.
    pub fn count(&self, key: &str) -> u64 {
        self.report()[key].as_u64().unwrap_or_else(|| panic!("no count {key}: {self:?}"))
    }

    /// Fails with everything that was printed unless the exit code is this.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}
