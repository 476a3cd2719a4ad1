//! A role of the server that has what `rounds grants` prints, and no more.

use std::fs;

use serde_json::Value;

use super::keys::Kind;
use super::{Clinic, Program, program_url, scratch};

/// How the names of the roles begin that the tests share with ROUNDS_TEST_ROLES=1.
pub const SHARED: &str = "shared_";
/// The groups of commands that have a role, and their commands.
pub const GROUPS: [(&str, &[&str]); 10] = [
    ("watch", &["health", "runs", "version"]),
    ("report", &["report"]),
    ("no-show", &["no-show"]),
    ("alerts", &["alerts"]),
    ("absences", &["absences"]),
    ("notifications", &["notifications"]),
    ("rules", &["escalation-rules"]),
    ("pauses", &["pause", "resume"]),
    ("npi", &["npi"]),
    ("practiceq", &["practiceq"]),
];

/// The role of a command line, as its name ends; none of a command that has no role of its own.
pub fn of_command(args: &[&str]) -> Option<String> {
    let jobs = jobs();
    let role = args.iter().find_map(|word| {
        let group = GROUPS.iter().find(|(_, commands)| commands.contains(word)).map(|(name, _)| *name);
        group.or_else(|| jobs.iter().any(|job| job == word).then_some(*word))
    });
    let is_none = args.iter().any(|word| ["check", "grants", "migrate", "schedule", "adopt"].contains(word));
    role.filter(|_| !is_none).map(|role| role.replace('-', "_"))
}

/// The address of a database for another role.
pub fn of_url(url: &str, role: &str) -> String {
    url.replace(&format!("//{}@", scratch::USER), &format!("//{role}@"))
}

/// The names of all roles: jobs and groups of commands.
pub fn roles() -> Vec<String> {
    jobs().into_iter().chain(GROUPS.iter().map(|(name, _)| (*name).to_owned())).collect()
}

/// The names of all jobs, which are those of their folders.
pub fn jobs() -> Vec<String> {
    let entries = fs::read_dir("src/jobs").expect("a folder").map(|entry| entry.expect("readable").path());
    let folders = entries.filter(|path| path.is_dir());
    let names = folders.map(|path| path.file_name().expect("a name").to_str().expect("UTF-8").replace('_', "-"));
    let names: Vec<String> = names.collect();
    assert!(names.len() >= 9, "{names:?}");
    names
}

/// A program that can reach nothing.
pub fn nowhere() -> Program {
    Program::new("").without("DATABASE_URL")
}

/// A privilege that is printed.
pub struct Grant {
    pub object: String,
    pub relation: String,
    pub verb: String,
    pub columns: Vec<String>,
}

pub async fn grants(job: &str) -> Vec<Grant> {
    let outcome = nowhere().run(&["grants", job, "--output", "json"]).await.expect(0);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |grant: &Value| Grant {
        object: word(&grant["object"]),
        relation: word(&grant["relation"]),
        verb: word(&grant["privilege"]),
        columns: grant["columns"].as_array().into_iter().flatten().map(word).collect(),
    };
    outcome.report().as_array().expect("a list").iter().map(read).collect()
}

impl Grant {
    /// The privilege, of all columns that are granted or of one.
    pub fn of(&self, columns: &[String]) -> String {
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        format!("{}{columns} ON rounds.{}", self.verb, self.relation)
    }
}

/// A role for one job or group on one database. The server has the roles of all tests.
pub struct JobRole {
    pub name: String,
    /// The program as this role.
    pub program: Program,
}

impl JobRole {
    /// As `rounds grants --apply` makes it.
    pub async fn new(clinic: &Clinic, job: &str) -> Self {
        Self::strict(clinic).await;
        let prefix = format!("{}_", clinic.database);
        clinic.run(&["grants", "--apply", "--prefix", &prefix, job]).await.expect(0);
        Self::of(clinic, job).await
    }

    /// With what `rounds grants` prints.
    pub async fn printed(clinic: &Clinic, job: &str) -> Self {
        Self::strict(clinic).await;
        let name = Self::name(clinic, job);
        clinic.sql(&format!("CREATE ROLE {name} LOGIN NOSUPERUSER NOINHERIT")).await;
        let grants = clinic.run(&["grants", job, "--role", &name]).await.expect(0).stdout;
        clinic.sql(&grants).await;
        Self::of(clinic, job).await
    }

    fn name(clinic: &Clinic, job: &str) -> String {
        format!("{}_{}", clinic.database, job.replace('-', "_"))
    }

    /// What every role of a new server may do is what the job must not need.
    async fn strict(clinic: &Clinic) {
        let revoke = "REVOKE ALL ON DATABASE {} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC";
        clinic.sql(&revoke.replace("{}", &clinic.database)).await;
    }

    async fn of(clinic: &Clinic, job: &str) -> Self {
        let name = Self::name(clinic, job);
        // What is the application's, or the test's own: its sequences (the output has a note on them), and a table that
        // a trigger of the test writes.
        for schema in if clinic.kind == Kind::Bigint { &[][..] } else { &["rounds", "app"][..] } {
            let sequences = format!(
                "DO $$ BEGIN IF to_regnamespace('{schema}') IS NOT NULL THEN
                     GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {name}; END IF; END $$"
            );
            clinic.sql(&sequences).await;
        }
        let written = format!(
            "DO $$ BEGIN IF to_regclass('rounds.gone') IS NOT NULL THEN GRANT INSERT ON rounds.gone TO {name}; END IF;
             END $$"
        );
        clinic.sql(&written).await;
        let url = of_url(&program_url(&clinic.database), &name);
        Self { program: clinic.program.clone().env("DATABASE_URL", &url), name }
    }

    pub async fn drop(self, clinic: &Clinic) {
        clinic.sql(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name)).await;
    }
}
