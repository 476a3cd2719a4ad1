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
use super::reference::INDEXES;
use super::statements::{Planned, plan_with};
use super::view_text::identifier;
use crate::db::{CLOCK, Statement, statements};
use crate::error::Error;

statements! {
    WHOLE_INDEXES(TEXT_ARRAY) = include_str!("indexes.sql");
    /// The leading columns of a table's indexes, and whether they are of all rows.
    LEADING(INT8) =
        "SELECT a.attname::text AS column, i.indpred IS NOT NULL AS is_partial
         FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = $1::oid AND i.indisvalid";
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
    let mut slow: BTreeMap<i64, BTreeSet<usize>> = BTreeMap::new();
    let mut looked = 0;
    for (at, statement) in planned.0.iter().enumerate() {
        let Some(plan) = plan_as_in_a_run(tx, statement, now).await? else { continue };
        looked += 1;
        let mut scans = vec![];
        collect(&plan[0]["Plan"], &mut scans);
        for scan in whole(tx, scans).await? {
            if let Some(table) = catalog.at(&scan.relation).filter(|table| table.is_large() && !table.is_ours) {
                slow.entry(table.id).or_default().insert(at);
            }
        }
    }
    let mut section = findings.section(Some(job), Topic::Indexes);
    if slow.is_empty() && looked > 0 {
        section.ok("no statement reads all of a large table");
    }
    for (table, statements) in slow {
        let Some(table) = catalog.by_id(table) else { continue };
        let statements: Vec<&Statement> = statements.iter().map(|at| &planned.0[*at]).collect();
        let names: BTreeSet<&str> = statements.iter().map(|one| one.name.rsplit("::").next().unwrap_or("")).collect();
        let rows = if table.rows < 0.0 { "uncounted".to_owned() } else { format!("about {}", table.rows) };
        section.warn(
            format!("{} reads all of {}, {rows} rows", Vec::from_iter(names).join(", "), table.shown),
            Some(index_for(tx, catalog, table, &statements).await?),
        );
    }
    Ok(())
}

impl Relation {
    fn is_large(&self) -> bool {
        if self.rows < 0.0 { self.bytes > BYTES_SMALL } else { self.rows > ROWS_SMALL }
    }
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
            Type::BOOL => Some("false"),
            Type::INT4 => Some("7"),
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

/// The index of the reference set that serves these statements and that the table lacks.
async fn index_for(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    table: &Relation,
    statements: &[&Statement],
) -> Result<Remedy, Error> {
    let rows = LEADING.all(tx, &[&table.id]).await?;
    let names = catalog.names_above(table.id);
    for statement in statements {
        for index in INDEXES.iter().filter(|index| names.contains(&&*index.relation) && index.serves(statement.text()))
        {
            let Some(sql) = index.on_table(catalog, table) else { continue };
            let column = catalog.origin(&index.relation, index.leading()).map(|(_, column)| column.name.as_str());
            let is_there = rows.iter().any(|row| {
                Some(row.get("column")) == column && row.get::<_, bool>("is_partial") == index.condition.is_some()
            });
            if !is_there {
                return Ok(Remedy::Sql(sql));
            }
        }
    }
    for name in names {
        // The key of a view that is an expression has no index.
        let key = catalog.origin(name, "id").filter(|(origin, _)| origin.id == table.id).map(|(_, column)| column);
        match key {
            Some(key) if !rows.iter().any(|row| row.get::<_, &str>("column") == key.name) => {
                let (table, key) = (&table.shown, identifier(&key.name));
                return Ok(Remedy::Sql(format!("CREATE UNIQUE INDEX CONCURRENTLY ON {table} ({key});")));
            }
            None if catalog.named(name).is_some_and(|view| view.is_view && view.column("id").is_some()) => {
                let advice =
                    format!("the key of {name} is an expression, which no index serves: select the column itself");
                return Ok(Remedy::Advice(advice));
            }
            _ => {}
        }
    }
    let advice = "an index on the columns that it compares, as in migrations/clinic; a status that the view computes is \
                  an expression, which no index serves: select the column itself";
    Ok(Remedy::Advice(advice.to_owned()))
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
