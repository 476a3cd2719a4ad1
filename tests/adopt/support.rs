//! An application's database with a kit, and a copy of it for each test.

use std::process::Output;

use tokio::process::Command;

use crate::support::keys::Kind;
use crate::support::program::Outcome;
use crate::support::{Clinic, Database, Program, Template, connect, server};

/// A kit and its application, and the template database that has both.
pub struct Kit {
    pub template: Template,
    /// The statements that make the application's tables.
    pub application: &'static str,
    /// The arguments of psql, from the root of the project.
    pub psql: &'static [&'static str],
    /// The keys of the application.
    pub kind: Kind,
}

impl Kit {
    /// The application's database as it is before `rounds migrate`.
    pub async fn without_rounds(&self) -> Clinic {
        let clinic = Clinic::empty().await;
        apply(&clinic.database, self.application).await;
        clinic
    }

    /// A database of one test: the application's tables, ours, and the kit.
    pub async fn clinic(&self) -> Clinic {
        let database = Database::of_template(&self.template, async |name| self.make(name).await);
        Clinic::on(database.await, self.kind).await
    }

    async fn make(&self, database: &str) {
        apply(database, self.application).await;
        Program::new(&server().url(database)).run(&["migrate"]).await.expect(0);
        let output = psql(database, self.psql).await;
        assert!(output.status.success(), "{output:?}");
        self.kind.functions(&connect(&server().url(database)).await).await;
    }
}

/// Runs statements in the schema of the application.
async fn apply(database: &str, statements: &str) {
    let client = connect(&server().url(database)).await;
    client.batch_execute("SET search_path = public").await.expect("a setting");
    client.batch_execute(statements).await.unwrap_or_else(|error| panic!("{error:?}"));
}

/// Runs psql on a database, from the root of the project, without the settings of whoever runs the tests.
pub async fn psql(database: &str, args: &[&str]) -> Output {
    let mut command = Command::new(server().binary("psql"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.arg("--no-psqlrc").arg("--dbname").arg(server().url(database)).args(args);
    command.output().await.expect("psql can be started")
}

/// What `rounds check` finds that is not ok: the level, the job, the topic and the text. Without the superuser, who runs
/// the tests.
pub async fn faults(clinic: &Clinic, jobs: &[&str]) -> Vec<String> {
    let outcome = clinic.run(&[&["check"], jobs].concat()).await;
    let report = outcome.report();
    let findings = report["findings"].as_array().unwrap_or_else(|| panic!("{outcome:?}"));
    let faults =
        findings.iter().filter(|one| !(one["level"] == "ok" || one["level"] == "skipped") && one["topic"] != "role");
    let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap_or("all").to_owned();
    faults.map(|one| ["level", "job", "topic", "what"].map(|key| text(one, key)).join(" ")).collect()
}

/// The failed items of a run: what it is, its key, the code.
pub fn errors(outcome: &Outcome) -> Vec<String> {
    let errors = outcome.report()["errors"].as_array().cloned().unwrap_or_default();
    let text = |error: &serde_json::Value, key: &str| error[key].as_str().expect("a text").to_owned();
    errors.iter().map(|error| ["entity", "id", "code"].map(|key| text(error, key)).join(" ")).collect()
}
