//! `rounds refresh-npi` as a process, and what it logs of itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::process::{Cost, run};

/// One file, loaded.
pub struct Load {
    pub cost: Cost,
    pub rows: u64,
    /// Seconds from the zip to the staging table.
    pub staging: f64,
    /// Seconds of the merge for other names.
    pub other_names: f64,
}

impl Load {
    pub fn seconds(&self) -> f64 {
        self.cost.wall.as_secs_f64()
    }
}

pub fn refresh(url: &str, file: &Path, args: &[&str]) -> Load {
    let log = Log::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rounds"));
    command
        .env_clear()
        .env("DATABASE_URL", url)
        .env("ROUNDS_CONFIG", "none")
        .arg("refresh-npi")
        .arg("--file")
        .arg(file)
        .args(args);
    command.args(["--log-format", "json", "--log-level", "debug"]).stderr(log.writer());
    let cost = run(&mut command);
    let text = log.text();
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said = |message: &str| lines.iter().rfind(|line| line["message"] == message);
    let staged = said("staged");
    let other_names = said("merge: other names").and_then(|line| line["seconds"].as_f64());
    let field = |name: &str| staged.as_ref().and_then(|line| line[name].as_f64());
    let (Some(rows), Some(staging), Some(other_names)) = (field("rows"), field("seconds"), other_names) else {
        panic!("it did not log what it staged:\n{text}");
    };
    Load { cost, rows: rows as u64, staging, other_names }
}

/// The log of a process, shown when it fails.
struct Log(PathBuf);

impl Log {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("rounds-bench-npi-{}.log", std::process::id())))
    }

    fn writer(&self) -> File {
        File::create(&self.0).unwrap_or_else(|error| panic!("{}: {error}", self.0.display()))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.text());
        }
        let _ = fs::remove_file(&self.0);
    }
}
