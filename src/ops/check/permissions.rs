//! The privileges that a job needs, and the GRANT of those that the role lacks.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::catalog::Catalog;
use super::finding::{Findings, Remedy, Topic};
use super::view_text::identifier;
use crate::db::{SchemaName, statements};
use crate::error::Error;
use crate::jobs::refresh_npi::RefreshNpi;
use crate::ops::privileges;
use crate::run::Job;

statements! {
    LACKING(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY) = include_str!("permissions.sql");
    /// A view reads and writes the relations beneath with the privileges of its owner.
    OWNER_LACKS(INT8, INT8, TEXT) =
        "SELECT quote_ident(r.rolname) AS owner,
                NOT has_table_privilege(r.oid, $2::oid, $3) AND NOT has_any_column_privilege(r.oid, $2::oid, $3) AS lacks
         FROM pg_roles r WHERE r.oid = $1::oid";
    /// What a run of refresh-npi makes for itself.
    MAY_STAGE(TEXT) =
        "SELECT quote_ident(n.nspname) AS schema, has_schema_privilege(n.oid, 'CREATE') AS may_create,
                quote_ident(current_database()) AS database,
                has_database_privilege(current_database(), 'TEMPORARY') AS may_make_temporary
         FROM pg_namespace n WHERE n.nspname = $1";
}

pub async fn look(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    catalog: &Catalog,
    role: &str,
    job: &'static str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let needed = privileges::of_job(job);
    let there = needed.iter().filter_map(|one| Some((catalog.named(one.relation)?, one)));
    let there: Vec<_> = there.collect();
    let ids: Vec<i64> = there.iter().map(|(relation, _)| relation.id).collect();
    let verbs: Vec<&str> = there.iter().map(|(_, one)| one.verb.as_str()).collect();
    let columns: Vec<String> = there.iter().map(|(_, one)| one.columns.join(",")).collect();
    let rows = LACKING.all(tx, &[&ids, &verbs, &columns]).await?;
    // One line for each relation.
    let mut grants: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ((relation, one), row) in there.iter().zip(&rows) {
        let lacking: Vec<&str> = row.get("lacking");
        match lacking[..] {
            [] => {}
            [""] => grants.entry(&relation.shown).or_default().push(one.verb.to_string()),
            _ => {
                let columns: Vec<String> = lacking.iter().copied().map(identifier).collect();
                grants.entry(&relation.shown).or_default().push(format!("{} ({})", one.verb, columns.join(", ")));
            }
        }
    }
    let mut section = findings.section(Some(job), Topic::Privileges);
    let mut is_whole = grants.is_empty();
    for (relation, lacking) in grants {
        let lacking = lacking.join(", ");
        section.fail(
            format!("role {role} may not {lacking} on {relation}"),
            Remedy::sql(format!("GRANT {lacking} ON {relation} TO {role};")),
        );
    }
    if job == RefreshNpi::NAME
        && let Some(row) = MAY_STAGE.opt(tx, &[&schema.as_str()]).await?
    {
        let (schema, database): (&str, &str) = (row.get("schema"), row.get("database"));
        let needed = [
            (row.get("may_create"), format!("CREATE ON SCHEMA {schema}")),
            (row.get("may_make_temporary"), format!("TEMPORARY ON DATABASE {database}")),
        ];
        for (may, what) in needed.into_iter().filter(|(may, _): &(bool, _)| !may) {
            is_whole = may;
            let sql = format!("GRANT {what} TO {role};");
            section
                .fail(format!("role {role} has no {what}, for the tables into which a file is read"), Remedy::sql(sql));
        }
    }
    for (what, grant) in beneath_views(tx, catalog, &needed).await? {
        is_whole = false;
        section.fail(what, Remedy::sql(grant));
    }
    if is_whole {
        section.ok(format!("all {} that the job needs", needed.len()));
    }
    Ok(())
}

/// What the owner of a view lacks on the relations beneath: the fault and the GRANT.
async fn beneath_views(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    needed: &[privileges::Privilege],
) -> Result<BTreeMap<String, String>, Error> {
    let mut faults = BTreeMap::new();
    for one in needed {
        for (table, above) in catalog.tables_beneath(one.relation) {
            let Some(view) = above.first().filter(|view| !view.as_invoker && view.owner != table.owner) else {
                continue;
            };
            // What a trigger writes, it writes as somebody else; a table that is only read is beneath, too.
            let is_target = catalog.table_of(one.relation).is_some_and(|target| target.id == table.id);
            let verb = if is_target && !view.has_trigger { one.verb.as_str() } else { "SELECT" };
            let Some(row) = OWNER_LACKS.opt(tx, &[&view.owner, &table.id, &verb]).await? else { continue };
            if row.get("lacks") {
                let (owner, view, table): (&str, _, _) = (row.get("owner"), &view.shown, &table.shown);
                let what = format!("{owner}, the owner of the view {view}, may not {verb} on {table} beneath");
                faults.insert(what, format!("GRANT {verb} ON {table} TO {owner};"));
            }
        }
    }
    Ok(faults)
}
