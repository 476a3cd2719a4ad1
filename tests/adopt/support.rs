//! An application's database with a kit, and a copy of it for each test.

use std::path::PathBuf;
use std::process::Output;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::support::keys::Kind;
use crate::support::program::Outcome;
use crate::support::{Clinic, Database, Program, connect, server};

/// A kit and its application, and the template database that has both.
pub struct Kit {
    pub template: &'static str,
    /// The statements that make the application's tables.
    pub application: &'static str,
    /// The arguments of psql, from the root of the project.
    pub psql: &'static [&'static str],
    /// Statements that follow, for the tests.
    pub more: &'static str,
    pub made: OnceCell<()>,
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
        self.made.get_or_init(async || self.make().await).await;
        Clinic::on(Database::copy_of(self.template).await, Kind::TextViews).await
    }

    async fn make(&self) {
        let admin = connect(&server().url("postgres")).await;
        admin.batch_execute(&format!("CREATE DATABASE {}", self.template)).await.expect("a new database");
        apply(self.template, self.application).await;
        Program::new(&server().url(self.template)).run(&["migrate"]).await.expect(0);
        let output = psql(self.template, self.psql).await;
        assert!(output.status.success(), "{output:?}");
        connect(&server().url(self.template)).await.batch_execute(self.more).await.expect(self.more);
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
    let near = std::env::var_os("PG_BIN").map(|bin| PathBuf::from(bin).join("psql")).filter(|psql| psql.exists());
    let mut command = Command::new(near.unwrap_or_else(|| "psql".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.arg("--no-psqlrc").arg("--dbname").arg(server().url(database)).args(args);
    command.output().await.expect("psql can be started")
}

/// The failed items of a run: what it is, its key, the code.
pub fn errors(outcome: &Outcome) -> Vec<String> {
    let errors = outcome.report()["errors"].as_array().cloned().unwrap_or_default();
    let text = |error: &serde_json::Value, key: &str| error[key].as_str().expect("a text").to_owned();
    errors.iter().map(|error| ["entity", "id", "code"].map(|key| text(error, key)).join(" ")).collect()
}
