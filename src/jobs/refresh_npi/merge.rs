//! From the staging table into the registry: one transaction a file, in which search goes on answering from before.

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::names::Kind;
use super::row::STAGED;
use super::stage::Staged;
use super::zips::Pfile;
use crate::clients::nppes::Content;
use crate::redact::{Class, Failure};
use crate::run::count;

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
pub async fn merge(tx: &Transaction<'_>, stage: &str, entry: &Entry<'_>) -> Result<Row, Failure> {
    // Of a weekly file all fits; of a monthly one less is written to disk.
    tx.batch_execute("SET LOCAL work_mem = '128MB'").await?;
    check_staged(tx, stage, entry.staged).await?;
    let id = enter(tx, entry).await?;
    let todo = format!(include_str!("../refresh_npi.sql"), stage = stage, end = entry.pfile.end);
    tx.batch_execute(&format!("CREATE TEMPORARY TABLE npi_todo AS\n{todo}; ANALYZE npi_todo")).await?;
    tx.execute_typed(include_str!("../refresh_npi.keys.sql"), &[]).await?;
    for (table, kind) in [("search_surgeon", 1), ("search_facility", 2)] {
        let left = format!(include_str!("../refresh_npi.left.sql"), table = table, type = kind);
        tx.execute_typed(&left, &[]).await?;
    }
    tx.execute_typed(include_str!("../refresh_npi.retyped.sql"), &[]).await?;
    let assignments = columns().map(|name| format!("{name} = s.{name}")).collect::<Vec<_>>().join(", ");
    let columns = columns().collect::<Vec<_>>().join(", ");
    for statement in [
        format!(include_str!("../refresh_npi.full.sql"), stage = stage, assignments = assignments),
        format!(include_str!("../refresh_npi.bare.sql"), stage = stage),
        format!(include_str!("../refresh_npi.inserted.sql"), stage = stage, columns = columns),
        format!(include_str!("../refresh_npi.rejects.sql"), stage = stage),
    ] {
        tx.execute_typed(&statement, &[(&id, Type::INT8)]).await?;
    }
    for statement in [
        format!(include_str!("../refresh_npi.surgeons.sql"), stage = stage),
        format!(include_str!("../refresh_npi.facilities.sql"), stage = stage),
    ] {
        tx.execute_typed(&statement, &[]).await?;
    }
    let counts = counted(tx, id, entry).await?;
    tx.batch_execute("DROP TABLE npi_todo").await?;
    Ok(counts)
}

/// The staging table is not logged: a server that crashed has emptied it.
async fn check_staged(tx: &Transaction<'_>, stage: &str, staged: &Staged) -> Result<(), Failure> {
    let query = format!("SELECT count(*) AS rows, count(reject) AS rejected FROM {stage}");
    let row = tx.query_typed_one(&query, &[]).await?;
    if (count(&row, "rows"), count(&row, "rejected")) == (staged.rows, staged.rejected) {
        return Ok(());
    }
    Err(Failure::new("STAGING_LOST", Class::Transient, "the server has lost what was staged"))
}

async fn enter(tx: &Transaction<'_>, entry: &Entry<'_>) -> Result<i64, Failure> {
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
    Ok(tx.query_typed_one(include_str!("../refresh_npi.ledger.sql"), &parameters).await?.get(0))
}

async fn counted(tx: &Transaction<'_>, id: i64, entry: &Entry<'_>) -> Result<Row, Failure> {
    let Staged { rows, by_type: [none, individuals, organizations], rejected, .. } = entry.staged;
    let counts = [rows, none, individuals, organizations, rejected].map(|count| count.cast_signed());
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&id, Type::INT8)];
    parameters.extend(counts.iter().map(|count| (count as &(dyn ToSql + Sync), Type::INT8)));
    parameters.push((&entry.began, Type::TIMESTAMPTZ));
    Ok(tx.query_typed_one(include_str!("../refresh_npi.counted.sql"), &parameters).await?)
}
