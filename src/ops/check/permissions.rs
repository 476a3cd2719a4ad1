//! The privileges that a job needs, and the GRANT of those that the role lacks.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::catalog::Catalog;
use super::finding::{Findings, Remedy, Topic};
use crate::db::{SchemaName, identifier, statements};
use crate::error::Error;
use crate::jobs::refresh_npi::RefreshNpi;
use crate::ops::groups::WATCH;
use crate::ops::privileges::{self, Privilege};
use crate::run::Job;

statements! {
    LACKING(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY) = include_str!("permissions.sql");
    MADE_FOR() =
        "SELECT shobj_description(r.oid, 'pg_authid') AS comment FROM pg_roles r WHERE r.rolname = current_user";
    /// A view reads and writes the relations beneath with the privileges of its owner.
    OWNER_LACKS(INT8, INT8, TEXT) =
        "SELECT quote_ident(r.rolname) AS owner,
                NOT has_table_privilege(r.oid, $2::oid, $3)
                AND NOT has_any_column_privilege(r.oid, $2::oid, $3) AS lacks
         FROM pg_roles r WHERE r.oid = $1::oid";
    /// What a run of refresh-npi makes for itself.
    MAY_STAGE(TEXT) =
        "SELECT quote_ident(n.nspname) AS schema, has_schema_privilege(n.oid, 'USAGE') AS may_use,
                has_schema_privilege(n.oid, 'CREATE') AS may_create,
                quote_ident(current_database()) AS database,
                has_database_privilege(current_database(), 'TEMPORARY') AS may_make_temporary
         FROM pg_namespace n WHERE n.nspname = $1";
}

/// Looks at what every run needs.
pub async fn look_at_every_run(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    role: &str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let needed = privileges::of_every_run();
    let mut section = findings.section(None, Topic::Privileges);
    let lacking = lacking(tx, catalog, &needed).await?;
    lacking.iter().for_each(|one| section.fail(one.told(role), one.grant(role)));
    if lacking.is_empty() {
        section.ok(format!("all {} that every run needs", needed.len()));
    }
    let made_for = MADE_FOR.opt(tx, &[]).await?.and_then(|row| row.get::<_, Option<String>>("comment"));
    if let Some(job) = made_for.and_then(|comment| privileges::made_for_what(&comment)) {
        section.skip(format!("role {role} is for {job} alone; health and runs have a role of their own, for {WATCH}"));
        return Ok(());
    }
    let looks = privileges::of_looks().into_iter().filter_map(|one| beside(one, &needed)).collect::<Vec<_>>();
    for one in self::lacking(tx, catalog, &looks).await? {
        section.warn(format!("{}, which health and runs need; no job does", one.told(role)), one.grant(role));
    }
    Ok(())
}

/// Looks at what a job needs beside that.
pub async fn look(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    catalog: &Catalog,
    role: &str,
    job: &'static str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let of_every_run = privileges::of_every_run();
    let needed: Vec<Privilege> =
        privileges::of_run(job).into_iter().filter_map(|one| beside(one, &of_every_run)).collect();
    let mut section = findings.section(Some(job), Topic::Privileges);
    let lacking = lacking(tx, catalog, &needed).await?;
    lacking.iter().for_each(|one| section.fail(one.told(role), one.grant(role)));
    let mut is_whole = lacking.is_empty();
    if job == RefreshNpi::NAME
        && let Some(row) = MAY_STAGE.opt(tx, &[&schema.staging().as_str()]).await?
    {
        let (schema, database): (&str, &str) = (row.get("schema"), row.get("database"));
        let needed = [
            (row.get("may_use"), format!("USAGE ON SCHEMA {schema}")),
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
    // What is not there is told, and has no privileges.
    let may_lack = privileges::may_lack(job);
    let is_there = |one: &Privilege| may_lack.contains(one.relation) || catalog.named(one.relation).is_some();
    let is_there = needed.iter().all(is_there);
    if is_whole && is_there {
        section.ok(format!("all {} that it needs beside those of every run", needed.len()));
    }
    Ok(())
}

/// A privilege without the columns that every run needs; None if none is left.
fn beside(mut one: Privilege, of_every_run: &[Privilege]) -> Option<Privilege> {
    let Some(known) = of_every_run.iter().find(|known| (known.relation, known.verb) == (one.relation, one.verb)) else {
        return Some(one);
    };
    one.columns.retain(|column| !known.columns.contains(column));
    (!one.columns.is_empty()).then_some(one)
}

/// What the role lacks on a relation.
struct Lacking<'a> {
    relation: &'a str,
    verbs: Vec<&'static str>,
    /// The privileges, each with its columns, as GRANT takes them.
    granted: Vec<String>,
}

impl Lacking<'_> {
    fn told(&self, role: &str) -> String {
        format!("role {role} may not {} {}", self.verbs.join(", "), self.relation)
    }

    fn grant(&self, role: &str) -> Option<Remedy> {
        Remedy::sql(format!("GRANT {} ON {} TO {role};", self.granted.join(", "), self.relation))
    }
}

/// The privileges that the role lacks, by relation.
async fn lacking<'a>(
    tx: &Transaction<'_>,
    catalog: &'a Catalog,
    needed: &[Privilege],
) -> Result<Vec<Lacking<'a>>, Error> {
    let there: Vec<_> = needed.iter().filter_map(|one| Some((catalog.named(one.relation)?, one))).collect();
    let ids: Vec<i64> = there.iter().map(|(relation, _)| relation.id).collect();
    let verbs: Vec<&str> = there.iter().map(|(_, one)| one.verb.as_str()).collect();
    // For a row lock any column will do.
    let columns = there.iter().map(|(_, one)| if one.is_lock { "*".to_owned() } else { one.columns.join(",") });
    let columns: Vec<String> = columns.collect();
    let rows = LACKING.all(tx, &[&ids, &verbs, &columns]).await?;
    let mut found: BTreeMap<&str, Lacking<'a>> = BTreeMap::new();
    for ((relation, one), row) in there.iter().zip(&rows) {
        let lacking: Vec<&str> = row.get("lacking");
        if lacking.is_empty() {
            continue;
        }
        let lacking = if lacking == ["*"] { one.columns.clone() } else { lacking };
        let columns: Vec<String> =
            lacking.iter().filter(|column| !column.is_empty()).map(|name| identifier(name)).collect();
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let blank = || Lacking { relation: &relation.shown, verbs: vec![], granted: vec![] };
        let of_relation = found.entry(&relation.shown).or_insert_with(blank);
        of_relation.verbs.push(one.verb.as_str());
        of_relation.granted.push(format!("{}{columns}", one.verb));
    }
    Ok(found.into_values().collect())
}

/// What the owner of a view lacks on the relations beneath: the fault and the GRANT.
async fn beneath_views(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    needed: &[Privilege],
) -> Result<BTreeMap<String, String>, Error> {
    let mut faults = BTreeMap::new();
    for one in needed {
        for (table, above) in catalog.tables_beneath(one.relation) {
            let Some(view) = above.first().filter(|view| !view.as_invoker && view.owner != table.owner) else {
                continue;
            };
            // What a trigger writes, it writes as somebody else; a table that is only read is beneath, too.
            let is_target = catalog.table_of(one.relation).is_some_and(|target| target.id == table.id);
            let verb = if is_target && !view.has_trigger_for(one.verb) { one.verb.as_str() } else { "SELECT" };
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
