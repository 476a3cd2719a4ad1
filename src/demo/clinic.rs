//! The database of the demo, on a server of its own.

use std::path::Path;

use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::cast;
use super::scratch::{self, Scratch};
use crate::db::{Connection, DatabaseArgs, Db, Row, SchemaName};
use crate::error::Error;

/// The name of the database in the scratch cluster.
const DATABASE: &str = "clinic";

/// A connection to the database, and its address.
pub struct Clinic {
    pub database: DatabaseArgs,
    pub url: String,
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
        Ok(Self { client: connect(&url).await?, database: address(url.clone()), url })
    }

    /// Connects anew, where the server has dropped the connection.
    pub async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.client = connect(&self.url).await?;
        Ok(())
    }

    /// Opens another pool, as another process would.
    pub fn open(&self, application: &str) -> Result<Db, Error> {
        Db::open(&self.database, application)
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs statements without parameters.
    pub async fn run(&self, what: &'static str, statements: &str) -> anyhow::Result<()> {
        cast::run(self.client(), statements).await.context(what)
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

/// The address of the database of a server in that directory.
pub fn url_in(dir: &Path) -> String {
    scratch::url(dir, DATABASE)
}

async fn connect(url: &str) -> anyhow::Result<Connection> {
    let client = open(url)?.client().await?;
    let path = format!("SET search_path = {}", schema().quoted());
    client.batch_execute(&path).await.map_err(Error::from)?;
    Ok(client)
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
