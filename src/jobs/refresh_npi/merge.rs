//! From the staging table into the registry: one transaction a file, in which search goes on answering from before.

use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};
use tracing::debug;
use uuid::Uuid;

use super::names::Kind;
use super::row::STAGED;
use super::stage::Staged;
use super::zips::Pfile;
use crate::clients::nppes::Content;
use crate::error::{ErrorKind, Error};
use crate::run::count;

/// Trying the merge again does not bring it back.
pub const STAGING_LOST: &str = "STAGING_LOST";

/// A file, as the ledger has it.
pub struct Entry<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub content: &'a Content,
    pub pfile: &'a Pfile,
    pub staged: &'a Staged,
    pub began: DateTime<Utc>,
    pub now: DateTime<Utc>,
    pub run: Uuid,
}

/// The columns that a row of `npi_data` takes from the staging table as they are.
pub fn columns() -> impl Iterator<Item = &'static str> {
    let others = ["line", "reject", "npi", "entity_type", "bare", "letter", "folded"];
    STAGED.iter().map(|(name, _)| *name).filter(move |name| !others.contains(name))
}

/// Merges a staged file, and returns its counts.
pub async fn merge(tx: &Transaction<'_>, stage: &str, entry: &Entry<'_>) -> Result<Row, Error> {
    // Of a weekly file all fits; of a monthly one less is written to disk. Its look-ups are cheaper than a planner believes that
    // thinks of a disk with a head.
    tx.batch_execute("SET LOCAL work_mem = '128MB'; SET LOCAL random_page_cost = 1.1").await?;
    check_staged(tx, stage, entry.staged).await?;
    let id = enter(tx, entry).await?;
    let todo = format!(include_str!("classify.sql"), stage = stage, end = entry.pfile.end);
    timed("todo", tx.batch_execute(&format!("CREATE TEMPORARY TABLE npi_todo AS\n{todo}; ANALYZE npi_todo"))).await?;
    for (what, statement, of_the_file) in statements(stage) {
        match of_the_file {
            true => timed(what, tx.execute_typed(&statement, &[(&id, Type::INT8)])).await.map(drop)?,
            false => timed(what, tx.batch_execute(&statement)).await?,
        }
    }
    let counts = counted(tx, id, entry).await?;
    tx.batch_execute("DROP TABLE npi_todo").await?;
    Ok(counts)
}

/// A planner does not reckon with the letters that a look-up leaves out, and reads all of them instead.
const LOOK_UP: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
const AS_BEFORE: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";

/// What is done to the classes, in order; the flag says whether a statement takes the file's id.
fn statements(stage: &str) -> Vec<(&'static str, String, bool)> {
    let left = |table, kind| format!(include_str!("remove_left.sql"), table = table, type = kind);
    let assignments = columns().map(|name| format!("{name} = s.{name}")).collect::<Vec<_>>().join(", ");
    let columns = columns().collect::<Vec<_>>().join(", ");
    let full = format!(include_str!("full.sql"), stage = stage, assignments = assignments);
    let inserted = format!(include_str!("inserted.sql"), stage = stage, columns = columns);
    vec![
        ("left surgeons", format!("{LOOK_UP};\n{};\n{AS_BEFORE}", left("search_surgeon", 1)), false),
        ("left facilities", format!("{LOOK_UP};\n{};\n{AS_BEFORE}", left("search_facility", 2)), false),
        ("keys", include_str!("keys.sql").to_owned(), false),
        ("retyped", include_str!("retyped.sql").to_owned(), false),
        ("full", full, true),
        ("bare", format!(include_str!("bare.sql"), stage = stage), true),
        ("inserted", inserted, true),
        ("surgeons", format!(include_str!("surgeons.sql"), stage = stage), false),
        ("facilities", format!(include_str!("facilities.sql"), stage = stage), false),
        ("rejects", format!(include_str!("rejects.sql"), stage = stage), true),
    ]
}

/// Says at debug level how long a statement took.
async fn timed<T>(what: &str, statement: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let value = statement.await;
    debug!(seconds = began.elapsed().as_secs_f64(), "merge: {what}");
    value
}

/// The staging table is not logged: a server that crashed has emptied it.
async fn check_staged(tx: &Transaction<'_>, stage: &str, staged: &Staged) -> Result<(), Error> {
    let query = format!("SELECT count(*) AS rows, count(reject) AS rejected FROM {stage}");
    let row = tx.query_typed_one(&query, &[]).await?;
    if (count(&row, "rows"), count(&row, "rejected")) == (staged.rows, staged.rejected) {
        return Ok(());
    }
    Err(Error::new(STAGING_LOST, ErrorKind::Other, "the server has lost what was staged"))
}

async fn enter(tx: &Transaction<'_>, entry: &Entry<'_>) -> Result<i64, Error> {
    let parameters: [(&(dyn ToSql + Sync), Type); 9] = [
        (&entry.name, Type::TEXT),
        (&entry.kind.as_str(), Type::TEXT),
        (&entry.content.sha256, Type::TEXT),
        (&entry.content.bytes.cast_signed(), Type::INT8),
        (&entry.pfile.start, Type::DATE),
        (&entry.pfile.end, Type::DATE),
        (&entry.staged.header, Type::TEXT),
        (&entry.now, Type::TIMESTAMPTZ),
        (&entry.run, Type::UUID),
    ];
    Ok(tx.query_typed_one(include_str!("ledger.sql"), &parameters).await?.get(0))
}

async fn counted(tx: &Transaction<'_>, id: i64, entry: &Entry<'_>) -> Result<Row, Error> {
    let Staged { rows, by_type: [none, individuals, organizations], rejected, .. } = entry.staged;
    let counts = [rows, none, individuals, organizations, rejected].map(|count| count.cast_signed());
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&id, Type::INT8)];
    parameters.extend(counts.iter().map(|count| (count as &(dyn ToSql + Sync), Type::INT8)));
    parameters.push((&entry.began, Type::TIMESTAMPTZ));
    Ok(tx.query_typed_one(include_str!("counted.sql"), &parameters).await?)
}
