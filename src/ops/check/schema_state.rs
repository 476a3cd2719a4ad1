//! Our tables: whether they are there, of this version, whole, and visible to the role.

use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Topic};
use crate::db::tried;
use crate::db::{SchemaName, schema, statements};
use crate::error::{Error, ErrorKind};
use crate::ops::ours;

statements! {
    MAY_USE(TEXT) = "SELECT has_schema_privilege(n.oid, 'USAGE') AS may_use, quote_ident(n.nspname) AS shown
                     FROM pg_namespace n WHERE n.nspname = $1";
}

/// How far a check can go.
#[derive(Clone, Copy)]
pub struct State {
    /// Our tables are there.
    pub is_ours: bool,
    /// Statements that name them can be planned.
    pub is_usable: bool,
}

pub async fn look(
    tx: &Transaction<'_>,
    schema_name: &SchemaName,
    role: &str,
    findings: &mut Findings,
) -> Result<State, Error> {
    let row = MAY_USE.opt(tx, &[&schema_name.as_str()]).await?;
    let may_use = row.as_ref().is_none_or(|row| row.get("may_use"));
    if let (false, Some(row)) = (may_use, &row) {
        let shown: &str = row.get("shown");
        let grant = Remedy::sql(format!("GRANT USAGE ON SCHEMA {shown} TO {role};"));
        findings.section(None, Topic::Privileges).fail(format!("role {role} has no USAGE on schema {shown}"), grant);
    } else if let Err(error) = tried(tx, async || schema::check_served(tx).await).await? {
        match error.kind {
            ErrorKind::Transient => return Err(error),
            ErrorKind::Refused => {
                let remedy = match error.code.as_ref() {
                    "NOT_OUR_DATABASE" | "SCHEMA_BEHIND" => Remedy::command("rounds migrate"),
                    _ => None,
                };
                findings.section(None, Topic::Schema).fail(format!("{} [{}]", error.message, error.code), remedy);
                return Ok(State { is_ours: false, is_usable: false });
            }
            // A privilege is missing, which the jobs' sections tell with its GRANT.
            _ => {}
        }
    }
    let compared = ours::compare(tx, schema_name).await?;
    let mut section = findings.section(None, Topic::Schema);
    match compared.map(|compared| compared.faults) {
        None => section.ok("newer than this binary, which it serves; not compared"),
        Some(faults) if faults.is_empty() => {
            section.ok(format!("version {}, and all {} tables are whole", schema::newest(), ours::tables()));
        }
        Some(faults) => faults.into_iter().for_each(|fault| section.fail(fault.what, Some(fault.remedy.into()))),
    }
    Ok(State { is_ours: true, is_usable: may_use })
}

impl From<ours::Remedy> for Remedy {
    fn from(remedy: ours::Remedy) -> Self {
        match remedy {
            ours::Remedy::Sql(text) => Self::Sql(text),
            ours::Remedy::Advice(text) => Self::Advice(text),
        }
    }
}
