//! The common ground of the benchmarks: a scratch cluster whose database each measurement starts from a copy of.

use std::fs;
use std::path::PathBuf;

use crate::process::{output, psql, rounds, run};
use crate::scratch::{Durability, Scratch};

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
        run(rounds(&url, "migrate").arg("--with-clinic-tables"));
        // Its copies are no restored backups.
        run(psql(&url).args(["-c", "DELETE FROM rounds.database_identity"]));
        url
    }

    /// The clinic with other keys, made once; the name of its database.
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub fn with_keys(&self, kind: &str) -> String {
        let name = format!("clinic_{kind}");
        let known = self.admin(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"));
        if known.trim() == "1" {
            return name;
        }
        self.admin(&format!("CREATE DATABASE {name} TEMPLATE clinic STRATEGY file_copy"));
        let url = self.server.url(&name);
        let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/keys.sql");
        run(psql(&url).args(["-v", &format!("kind={kind}"), "-f", keys]));
        name
    }

    pub fn url(&self) -> String {
        self.server_url("clinic")
    }

    pub fn server_url(&self, database: &str) -> String {
        self.server.url(database)
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
        self.on_copy_of("clinic", measure)
    }

    /// Measures on a fresh copy of a database.
    pub fn on_copy_of<T>(&self, template: &str, measure: impl FnOnce(&str) -> T) -> T {
        self.admin(&format!("CREATE DATABASE copy TEMPLATE {template} STRATEGY file_copy"));
        self.admin("CHECKPOINT");
        let measured = measure(&self.server.url("copy"));
        self.admin("DROP DATABASE copy");
        measured
    }

    /// What the server logs while a run is at work on a database: each message that it is sent.
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub fn logged(&self, url: &str, work: impl FnOnce()) -> String {
        self.with_log(url, ("log_statement", "'all'"), work)
    }

    /// What the server logs while a run is at work on a database: how long each message took.
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub fn timed(&self, url: &str, work: impl FnOnce()) -> String {
        self.with_log(url, ("log_min_duration_statement", "0"), work)
    }

    fn with_log(&self, url: &str, (setting, value): (&str, &str), work: impl FnOnce()) -> String {
        let database = url.split_once("@/").and_then(|(_, rest)| rest.split_once('?')).expect("an address").0;
        self.admin(&format!("ALTER DATABASE {database} SET {setting} = {value}"));
        let before = fs::read_to_string(self.log()).map_or(0, |log| log.len());
        work();
        let log = fs::read_to_string(self.log()).expect("the server's log");
        self.admin(&format!("ALTER DATABASE {database} RESET {setting}"));
        log[before..].to_owned()
    }
}

/// The ids that a statement gives.
#[allow(dead_code, reason = "not every benchmark needs it")]
pub fn ids(url: &str, statement: &str) -> Vec<i64> {
    let ids = output(psql(url).args(["-c", statement]));
    ids.lines().map(|id| id.parse().expect("an id")).collect()
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

    /// A duration as a multiple of another, at most so much.
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub fn at_most(&mut self, name: &str, ratio: f64, most: f64) {
        self.row(name, format!("{ratio:.2}x"), &format!("<= {most}x"), ratio <= most);
    }
}
