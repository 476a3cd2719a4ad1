//! The scans of a job: whether one reads all of a large table of the clinic.
//!
//! The server plans each statement with values such as a run has: now, today, no known key. A plan that reads a table
//! from its beginning to its end, or all of an index without a condition, is told, with the index of the reference set
//! that serves, on the table beneath.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::catalog::{Catalog, Relation};
use super::finding::{Findings, Remedy, Topic};
use super::reference::{INDEXES, Index};
use super::statements::{Planned, plan_with};
use crate::clinic::parents;
use crate::db::{CLOCK, Row, Statement, statements};
use crate::error::Error;

statements! {
    WHOLE_INDEXES(TEXT_ARRAY) = include_str!("indexes.sql");
    /// The indexes of a table: the first column, '' of an expression; and the condition of one of some rows.
    THERE(INT8) =
        "SELECT COALESCE(a.attname::text, '') AS column, pg_get_expr(i.indpred, i.indrelid) AS condition,
                i.indisvalid AS is_valid, i.indexrelid::regclass::text AS shown
         FROM pg_index i LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = $1::oid";
    /// Tables by their paths: of a partition the table that it is of, and the estimates.
    ROOTS(TEXT_ARRAY) =
        "SELECT COALESCE(pg_partition_root(c.oid)::oid, c.oid)::int8 AS root, c.reltuples::float8 AS rows,
                pg_relation_size(c.oid)::int8 AS bytes
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE concat_ws('.', n.nspname, c.relname) = ANY ($1) AND c.relkind = 'r'";
}

/// A table that is read in a moment, however it is read.
const ROWS_SMALL: f64 = 10_000.0;
/// The same of a table that nobody has counted.
const BYTES_SMALL: i64 = 4 << 20;

/// A relation that a statement reads from its beginning to its end, by its path, and the index.
struct Scan {
    relation: String,
    index: Option<String>,
}

pub async fn look(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    job: &'static str,
    planned: &Planned,
    findings: &mut Findings,
) -> Result<(), Error> {
    let now: DateTime<Utc> = CLOCK.one(tx, &[]).await?.get(0);
    let mut slow: BTreeMap<i64, (Size, BTreeSet<usize>)> = BTreeMap::new();
    let (mut looked, mut unplanned, mut are_parents_held) = (0, BTreeSet::new(), true);
    // A statement that compares keys as text reads all, of a ledger that is older than the type of the keys.
    let compared = planned.0.iter().enumerate().filter(|(_, one)| !one.name.ends_with("_AS_TEXT"));
    for (at, statement) in compared {
        let Some(plan) = plan_as_in_a_run(tx, statement, now).await? else {
            match parents::only_holds(statement) {
                true => are_parents_held = false,
                false => drop(unplanned.insert(last_name(statement))),
            }
            continue;
        };
        looked += 1;
        let mut scans = vec![];
        collect(&plan[0]["Plan"], &mut scans);
        for (id, size) in tables(tx, &whole(tx, scans).await?).await? {
            if size.is_large() && catalog.by_id(id).is_some_and(|table| !table.is_ours) {
                slow.entry(id).or_insert_with(|| (size, BTreeSet::new())).1.insert(at);
            }
        }
    }
    let mut section = findings.section(Some(job), Topic::Indexes);
    let mut is_whole = true;
    let mut unserved = vec![];
    for (table, (size, statements)) in slow {
        let Some(table) = catalog.by_id(table) else { continue };
        let there = THERE.all(tx, &[&table.id]).await?;
        let mut told: Vec<(Remedy, BTreeSet<&str>)> = vec![];
        for statement in statements.iter().map(|at| &planned.0[*at]) {
            let name = last_name(statement);
            let Some(remedy) = index_for(catalog, table, &there, statement) else {
                unserved.push(format!("{}, {}, by {name}", table.shown, size.shown()));
                continue;
            };
            match told.iter_mut().find(|(known, _)| *known == remedy) {
                Some((_, names)) => drop(names.insert(name)),
                None => told.push((remedy, BTreeSet::from([name]))),
            }
        }
        let rows = size.shown();
        for (remedy, names) in told {
            is_whole = false;
            let names = Vec::from_iter(names).join(", ");
            section.warn(format!("{}, {rows}, is read whole by {names}", table.shown), Some(remedy));
        }
    }
    if !are_parents_held {
        let what = "users, teams or statuses cannot be locked, so a run may wait for them, 100 ms a batch";
        section.warn(what, Remedy::advice("make them tables or simple views (docs/adopting.md)"));
    }
    if !unplanned.is_empty() {
        let (count, names) = (unplanned.len(), Vec::from_iter(unplanned).join(", "));
        let what = format!("not looked at, since they cannot be planned with values of a run: {count} ({names})");
        section.warn(what, Remedy::advice("mend the columns that they compare, if one has an unusual type"));
    }
    if is_whole && looked > 0 {
        section.ok(match unserved.is_empty() {
            true => "no statement has to read all of a large table".to_owned(),
            // No index of the reference set is missing; that of an expression is for a person to find.
            false => format!(
                "the indexes are there, and yet these are read whole: {}. Either most rows are wanted, or an index \
                 cannot serve an expression of the view",
                unserved.join("; ")
            ),
        });
    }
    Ok(())
}

/// What a statement reads of a table, of all partitions of it that it reads.
#[derive(Default)]
struct Size {
    rows: f64,
    /// Of what nobody has counted.
    bytes: i64,
}

impl Size {
    fn is_large(&self) -> bool {
        self.bytes > BYTES_SMALL || self.rows > ROWS_SMALL
    }

    fn shown(&self) -> String {
        if self.bytes > BYTES_SMALL { "many rows".to_owned() } else { format!("about {} rows", self.rows) }
    }
}

/// The tables that are scanned, and how much of each.
async fn tables(tx: &Transaction<'_>, scans: &[Scan]) -> Result<BTreeMap<i64, Size>, Error> {
    let paths: Vec<&str> = scans.iter().map(|scan| scan.relation.as_str()).collect();
    let mut found: BTreeMap<i64, Size> = BTreeMap::new();
    for row in ROOTS.all(tx, &[&paths]).await? {
        let (size, rows) = (found.entry(row.get("root")).or_default(), row.get::<_, f64>("rows"));
        if rows < 0.0 {
            size.bytes += row.get::<_, i64>("bytes");
        } else {
            size.rows += rows;
        }
    }
    Ok(found)
}

/// The name of a statement without its module.
fn last_name(statement: &Statement) -> &'static str {
    statement.name.rsplit("::").next().unwrap_or_default()
}

/// The plan of a statement with values such as a run has. None if there is none, since a value does not fit.
async fn plan_as_in_a_run(
    tx: &Transaction<'_>,
    statement: &Statement,
    now: DateTime<Utc>,
) -> Result<Option<Value>, Error> {
    let (instant, day) = (now.to_rfc3339(), now.date_naive().to_string());
    // A key is a number, a uuid or a text; the first that the server takes is used.
    for key in ["0", "00000000-0000-0000-0000-000000000000"] {
        let value = |number: usize| match statement.types[number - 1] {
            Type::TIMESTAMPTZ => Some(instant.as_str()),
            Type::DATE => Some(day.as_str()),
            Type::BOOL => Some("true"),
            // Days, minutes, or a status of surgical cases in which they wait.
            Type::INT4 => Some("15"),
            Type::INT8 => Some("100001"),
            Type::FLOAT8 => Some("3600"),
            Type::TEXT => Some("text"),
            Type::JSONB => Some("[]"),
            Type::UUID => Some("00000000-0000-0000-0000-000000000000"),
            Type::UNKNOWN if is_list(statement.text(), number) => Some("{NULL}"),
            Type::UNKNOWN => Some(key),
            _ => Some("{}"),
        };
        if let Ok(plan) = plan_with(tx, statement, value).await? {
            return Ok(Some(plan));
        }
    }
    Ok(None)
}

/// Whether a parameter is a list of keys.
fn is_list(text: &str, number: usize) -> bool {
    ["ANY (", "ALL (", "unnest(", "unnest(COALESCE("].iter().any(|before| {
        text.match_indices(&format!("{before}${number}")).any(|(at, found)| {
            // Not $1 in $10.
            !text[at + found.len()..].starts_with(|c: char| c.is_ascii_digit())
        })
    })
}

/// The nodes of a plan that read a relation without a condition on an index.
fn collect(node: &Value, scans: &mut Vec<Scan>) {
    let name = |key: &str| node[key].as_str().unwrap_or_default();
    let path = |key: &str| format!("{}.{}", name("Schema"), name(key));
    let has_condition = !node["Index Cond"].is_null();
    match name("Node Type") {
        "Seq Scan" => scans.push(Scan { relation: path("Relation Name"), index: None }),
        "Index Scan" | "Index Only Scan" if !has_condition => {
            scans.push(Scan { relation: path("Relation Name"), index: Some(path("Index Name")) });
        }
        _ => {}
    }
    node["Plans"].as_array().into_iter().flatten().for_each(|child| collect(child, scans));
}

/// The scans that read all rows: an index of some rows may be read from its beginning to its end.
async fn whole(tx: &Transaction<'_>, mut scans: Vec<Scan>) -> Result<Vec<Scan>, Error> {
    let indexes: Vec<&str> = scans.iter().filter_map(|scan| scan.index.as_deref()).collect();
    if !indexes.is_empty() {
        let rows = WHOLE_INDEXES.all(tx, &[&indexes]).await?;
        let whole: Vec<String> = rows.iter().map(|row| row.get("path")).collect();
        scans.retain(|scan| scan.index.as_ref().is_none_or(|index| whole.contains(index)));
    }
    Ok(scans)
}

/// What serves a statement that reads all of a table: the first index of the reference set that the table lacks. None
/// if it has them: then it is the planner's choice not to use one. Indexes of some rows come first; of the others, such
/// as that of the key, one is enough.
fn index_for(catalog: &Catalog, table: &Relation, there: &[Row], statement: &Statement) -> Option<Remedy> {
    let names = catalog.names_above(table.id);
    let serving = INDEXES.iter().filter(|index| names.contains(&&*index.relation) && index.serves(statement.text()));
    // For speed only: a unique index would be a rule of its own for the application's rows.
    let made = serving.filter_map(|index| Some((index, index.on_table(catalog, table, false)?)));
    let (of_some, of_all): (Vec<_>, Vec<_>) = made.partition(|(index, _)| index.condition.is_some());
    let relevant = if of_some.is_empty() { of_all.into_iter().take(1).collect() } else { of_some };
    let is_lacking = |index: &Index| !there.iter().any(|row| row.get("is_valid") && is_the_same(catalog, index, row));
    let is_known = !relevant.is_empty();
    match relevant.into_iter().find(|(index, _)| is_lacking(index)) {
        Some((index, sql)) => Some(mended(catalog, index, sql, there, table)),
        None if is_known => None,
        None => Remedy::advice(advice(catalog, table, &names)),
    }
}

/// What makes an index, after one of the same columns that was left unfinished.
fn mended(catalog: &Catalog, index: &Index, sql: String, there: &[Row], table: &Relation) -> Remedy {
    let is_left = |row: &&Row| !row.get::<_, bool>("is_valid") && is_the_same(catalog, index, row);
    match there.iter().find(is_left) {
        // Neither may be sent with another statement.
        Some(left) => Remedy::Advice(format!("DROP INDEX CONCURRENTLY {};\n{sql}", left.get::<_, &str>("shown"))),
        None if table.is_partitioned => Remedy::Advice(format!(
            "{sql}\n-- it stops writes until it is done; to avoid that, make it ON ONLY the table, then CONCURRENTLY on \
             each partition, and attach those"
        )),
        None => Remedy::Sql(sql),
    }
}

/// Whether an index of a table is that of the reference set, as far as its first column and its condition tell.
fn is_the_same(catalog: &Catalog, index: &Index, row: &Row) -> bool {
    let is_expression = index.keys.contains("((") || index.keys.starts_with("(lower(");
    let column = if is_expression { "" } else { index.leading() };
    let column = catalog.origin(&index.relation, column).map_or(column, |(_, column)| column.name.as_str());
    let condition: Option<&str> = row.get("condition");
    let is_met = match (&index.condition, condition) {
        // An index of all rows serves, too, unless it is that of the key.
        (wanted, None) => wanted.is_none() || index.leading() != "id",
        (None, Some(_)) => false,
        (Some(_), Some(condition)) => index.literals().all(|literal| condition.contains(&format!("'{literal}'"))),
    };
    row.get::<_, &str>("column") == column && is_met
}

/// What to do where no index of the reference set can be made.
fn advice(catalog: &Catalog, table: &Relation, names: &[&str]) -> String {
    let has_computed_key = |name: &&&str| {
        let is_view = catalog.named(name).is_some_and(|view| view.is_view && view.column("id").is_some());
        is_view && catalog.origin(name, "id").is_none_or(|(origin, _)| origin.id != table.id)
    };
    match names.iter().find(has_computed_key) {
        Some(name) => format!("the key of {name} is an expression, which no index serves: select the column itself"),
        None => {
            "make an index on the columns that it compares; one that the view computes is served by none: select the \
                 column itself"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_keys_is_told_from_a_key() {
        let text = "a.id = ANY ($1) AND b = $2 AND c <> ALL ($10) AND unnest(COALESCE($4, x))";
        let lists: Vec<usize> = (1..=10).filter(|number| is_list(text, *number)).collect();
        assert_eq!(lists, [1, 4, 10]);
    }
}
