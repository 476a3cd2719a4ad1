//! The database of the demo: two facilities in two time zones.

use anyhow::Context;
use tokio_postgres::types::{Json, ToSql};

use super::scratch::Scratch;
use super::{day, names};
use crate::db::{Connection, DatabaseArgs, Db, Row, SchemaName};
use crate::error::Error;

/// The name of the database in the scratch cluster.
const DATABASE: &str = "clinic";

/// A connection to the database, and its address.
pub struct Clinic {
    pub database: DatabaseArgs,
    client: Connection,
}

impl Clinic {
    /// Makes the database, and drops an earlier one first: a kept server has it.
    pub async fn create(server: &Scratch) -> anyhow::Result<Self> {
        let admin = open(&server.url("postgres"))?.client().await?;
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
            .await
            .map_err(Error::from)
            .context("the database of an earlier demo cannot be dropped")?;
        admin.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await.map_err(Error::from)?;
        let url = url(server);
        let client = open(&url)?.client().await?;
        let path = format!("SET search_path = {}", schema().quoted());
        client.batch_execute(&path).await.map_err(Error::from)?;
        Ok(Self { client, database: address(url) })
    }

    /// Opens another pool, as another process would.
    pub fn open(&self, application: &str) -> Result<Db, Error> {
        Db::open(&self.database, application)
    }

    /// Fills it with staff, doctors, patients and their visits; the day has not begun.
    pub async fn fill(&self) -> anyhow::Result<()> {
        let plan = day::plan();
        self.run("filling the clinic", include_str!("clinic.sql")).await?;
        let (first, last) = (names::FIRST.as_slice(), names::LAST.as_slice());
        self.rows(include_str!("day.sql"), &[&Json(&plan.visits), &Json(&plan.slots), &first, &last]).await?;
        self.run(
            "filling the clinic",
            "SELECT setval(pg_get_serial_sequence('appointments', 'id'), (SELECT max(id) FROM appointments)),
                    setval(pg_get_serial_sequence('patients', 'id'), (SELECT max(id) FROM patients));
             ANALYZE",
        )
        .await
    }

    /// Runs statements without parameters.
    pub async fn run(&self, what: &'static str, statements: &str) -> anyhow::Result<()> {
        self.client.batch_execute(statements).await.map_err(Error::from).context(what)
    }

    /// Returns the rows of one statement.
    pub async fn rows(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> anyhow::Result<Vec<Row>> {
        let rows = self.client.query(statement, parameters).await;
        let rows = rows.map_err(Error::from).context("the demo's own statement failed")?;
        Ok(rows.into_iter().map(Row::from).collect())
    }
}

/// The address of the demo's database.
pub fn url(server: &Scratch) -> String {
    server.url(DATABASE)
}

fn open(url: &str) -> Result<Db, Error> {
    Db::open(&address(url.to_owned()), "rounds/demo")
}

fn address(url: String) -> DatabaseArgs {
    DatabaseArgs {
        database_url: Some(url),
        database_url_file: None,
        ssl_mode: None,
        ssl_root_cert: None,
        schema: schema(),
    }
}

fn schema() -> SchemaName {
    "rounds".parse().expect("a name")
}
