//! Policies that would hide rows from a job. A job sees all rows or none: with `row_security = off` it ends with an
//! error, since rows that it does not see would count as none.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::catalog::Catalog;
use super::finding::{Findings, Remedy, Topic};
use crate::db::statements;
use crate::error::Error;
use crate::ops::privileges;

statements! {
    HIDING(INT8_ARRAY, INT8_ARRAY) = include_str!("row_security.sql");
}

pub async fn look(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    job: &'static str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut names: Vec<&str> = privileges::of_run(job).iter().map(|privilege| privilege.relation).collect();
    names.dedup();
    let (mut tables, mut ids, mut roles) = (vec![], vec![], vec![]);
    for name in names {
        for (table, above) in catalog.tables_beneath(name) {
            ids.push(table.id);
            // The view next to the table reads with the rights of its owner, unless it says otherwise: then it reads
            // with those of the current role, also beneath a view that reads with its owner's.
            roles.push(above.first().filter(|view| !view.as_invoker).map(|view| view.owner));
            tables.push(&table.shown);
        }
    }
    let rows = HIDING.all(tx, &[&ids, &roles]).await?;
    let mut hidden: BTreeMap<(&str, bool), Vec<&str>> = BTreeMap::new();
    for row in &rows {
        let table = usize::try_from(row.get::<_, i64>("at") - 1).ok().and_then(|at| tables.get(at));
        let of_role = hidden.entry((row.get("role"), row.get("is_current"))).or_default();
        of_role.extend(table.map(|table| table.as_str()).filter(|table| !of_role.contains(table)));
    }
    let mut section = findings.section(Some(job), Topic::RowSecurity);
    for ((role, is_current), tables) in hidden {
        let tables = tables.join(", ");
        section.fail(
            format!("policies of {tables} would hide rows from {role}, which ends the job"),
            remedy(role, is_current),
        );
    }
    Ok(())
}

/// What lets the job see all rows. The owner of a view may be the application's own login, for which BYPASSRLS would
/// lift every policy of the database.
fn remedy(role: &str, is_current: bool) -> Option<Remedy> {
    if is_current {
        return Remedy::sql(format!("ALTER ROLE {role} BYPASSRLS;"));
    }
    Remedy::advice(format!(
        "give the views an owner of their own, as an administrator of the server: CREATE ROLE rounds_views BYPASSRLS; \
         GRANT it what the views read and write; ALTER VIEW ... OWNER TO rounds_views; BYPASSRLS of {role} itself would \
         lift all policies for whatever else logs in as {role}, such as the application"
    ))
}
