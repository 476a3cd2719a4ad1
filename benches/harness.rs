//! The common ground of the benchmarks: a scratch cluster whose database each measurement starts from a copy of, and a
//! run as a psql script.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::process::{output, psql, rounds, run};
use crate::scratch::{Durability, Scratch};

const FENCE: &str = include_str!("../src/run/fence.sql");
const CLOSE: &str = include_str!("../src/run/close.sql");
const SKIPPED_COLUMNS: &str = include_str!("../src/run/skipped_columns.part.sql");
pub const RUN: &str = "'00000000-0000-4000-8000-000000000001'::uuid";
const SETTINGS: &str = "SET LOCAL statement_timeout = 30000\\; SET LOCAL lock_timeout = 2000\\; \
                        SET LOCAL idle_in_transaction_session_timeout = 15000\\; \
                        SET LOCAL client_connection_check_interval = 500\\; SET LOCAL jit = off;\n";
/// As many as the program takes.
pub const BATCH_ROWS: usize = 1000;

pub struct Harness {
    server: Scratch,
}

impl Harness {
    /// A server with the migrated database `clinic`, which a script fills; `values` are psql variables of it.
    pub fn start(fill: &str, values: &[String]) -> Self {
        let harness = Self::empty();
        eprintln!("filling in {} ...", values.join(", "));
        let fill = format!("{}/benches/{fill}", env!("CARGO_MANIFEST_DIR"));
        run(psql(&harness.url()).args(values.iter().flat_map(|value| ["-v", value])).args(["-f", &fill]));
        harness
    }

    /// A server with the migrated database `clinic`.
    pub fn empty() -> Self {
        let server = Scratch::start(&std::env::temp_dir(), Durability::Full).unwrap_or_else(|error| panic!("{error}"));
        eprintln!("PostgreSQL {}", server.version());
        let harness = Self { server };
        // It would fall on whatever is measured at that minute.
        harness.admin("ALTER SYSTEM SET autovacuum = off");
        harness.admin("SELECT pg_reload_conf()");
        harness.another("clinic");
        harness
    }

    /// One more migrated database; its address.
    pub fn another(&self, name: &str) -> String {
        self.admin(&format!("CREATE DATABASE {name}"));
        let url = self.server.url(name);
        run(&mut rounds(&url, "migrate"));
        url
    }

    pub fn url(&self) -> String {
        self.server.url("clinic")
    }

    /// The server's log.
    #[allow(dead_code, reason = "few benchmarks read it")]
    pub fn log(&self) -> PathBuf {
        self.server.dir().join("log")
    }

    pub fn admin(&self, statement: &str) -> String {
        output(psql(&self.server.url("postgres")).args(["-c", statement]))
    }

    /// Measures on a fresh copy of the clinic's database.
    pub fn on_copy<T>(&self, measure: impl FnOnce(&str) -> T) -> T {
        self.admin("CREATE DATABASE copy TEMPLATE clinic STRATEGY file_copy");
        self.admin("CHECKPOINT");
        let measured = measure(&self.server.url("copy"));
        self.admin("DROP DATABASE copy");
        measured
    }

    /// The ids that a statement gives.
    pub fn ids(&self, statement: &str) -> Vec<i64> {
        let ids = output(psql(&self.url()).args(["-c", statement]));
        ids.lines().map(|id| id.parse().expect("an id")).collect()
    }
}

/// A run as psql sends it, on one connection: each transaction with the settings in one message, each effect behind the
/// fence. Values are written into the text, so that each statement is planned for them, as the program's are.
pub struct Script {
    text: String,
    items: usize,
}

impl Script {
    /// Claims the lane.
    pub fn new(job: &str) -> Self {
        let text = format!(
            "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, host, version)
             SELECT {RUN}, '{job}', 'RUNNING', now, now, now + interval '4 minutes', 'psql', 'psql'
             FROM (SELECT clock_timestamp() AS now) clock;\n"
        );
        Self { text, items: 0 }
    }

    pub fn read(mut self, statements: &[&str]) -> Self {
        write!(self.text, "BEGIN READ ONLY;\n{SETTINGS}{};\nROLLBACK;\n", statements.join(";\n"))
            .expect("a string takes it");
        self
    }

    /// One effect for each batch of ids, which `statement` gets as a literal.
    pub fn effects(mut self, ids: &[i64], statement: impl Fn(&str) -> String) -> Self {
        let fence = literal(FENCE, &[RUN]);
        for ids in ids.chunks(BATCH_ROWS) {
            let statement = statement(&array(ids));
            write!(self.text, "BEGIN;\n{SETTINGS}{fence};\n{statement};\nCOMMIT;\n").expect("a string takes it");
        }
        self.items += ids.len();
        self
    }

    /// Closes the run; a file that lives as long as this.
    pub fn close(mut self) -> ScriptFile {
        let items = self.items.to_string();
        let close = literal(CLOSE, &[RUN, "'COMPLETED'", "NULL", "NULL", &items, "0", "'{}'::jsonb", "NULL"]);
        write!(self.text, "BEGIN;\n{SETTINGS}{close};\nCOMMIT;\n").expect("a string takes it");
        let path = std::env::temp_dir().join(format!("rounds-bench-{}.sql", std::process::id()));
        fs::write(&path, self.text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        ScriptFile(path)
    }
}

pub struct ScriptFile(pub PathBuf);

impl Drop for ScriptFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn array(ids: &[i64]) -> String {
    format!("'{{{}}}'::bigint[]", ids.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
}

/// The accounting of what a statement left alone.
pub fn skipped_columns(ids: &str, locked: &str, done: &str, table: &str) -> String {
    let names = [("{ids}", ids), ("{locked}", locked), ("{done}", done), ("{table}", table)];
    names.iter().fold(SKIPPED_COLUMNS.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Writes the values in place of `$1`, `$2`, ..., and leaves the comments out.
pub fn literal(statement: &str, values: &[&str]) -> String {
    let lines = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let numbered = values.iter().enumerate().rev();
    numbered.fold(text, |text, (index, value)| text.replace(&format!("${}", index + 1), value))
}

pub fn median<T: PartialOrd + Copy>(values: impl IntoIterator<Item = T>) -> T {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable_by(|a, b| a.partial_cmp(b).expect("no measurement is not a number"));
    values[values.len() / 2]
}

/// The rows of a verdict, and whether all targets are met.
pub struct Verdict {
    pub met: bool,
}

impl Verdict {
    pub fn begin() -> Self {
        println!("{:44} {:>9}  target", "", "measured");
        Self { met: true }
    }

    pub fn row(&mut self, name: &str, measured: String, target: &str, ok: bool) {
        self.met &= ok;
        println!("{name:44} {measured:>9}  {target:12} {}", if ok { "met" } else { "MISSED" });
    }

    /// The two that every job owes. Ratios are taken within a round, between neighbours in time.
    pub fn ratios(&mut self, rounds_to_psql: f64, faster_than_rows: f64) {
        self.row(
            "time, against the same statements by psql",
            format!("{rounds_to_psql:.2}x"),
            "<= 1.3x",
            rounds_to_psql <= 1.3,
        );
        self.row(
            "speed, against a transaction a row",
            format!("{faster_than_rows:.1}x"),
            ">= 15x",
            faster_than_rows >= 15.0,
        );
    }
}
