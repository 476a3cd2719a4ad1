//! What an application does not have: the type of a column without a value, and a view without rows.

use std::collections::BTreeMap;

use super::catalog::{Catalog, Column, Table};
use super::names::{self, Match};
use super::trigger;
use super::wanted::{Wanted, WantedColumn};
use crate::clinic::fit::{Kind, family};

/// Whether a job writes a column by a verb.
type IsWritten = fn(&WantedColumn) -> bool;

/// The type of a column without a value. That of a key is the type of the key that it refers to, or of most keys.
pub fn null_type(catalog: &Catalog, found: &BTreeMap<&str, &Table>, wanted: &WantedColumn) -> String {
    let Kind::Key { refers_to } = wanted.kind else { return wanted.kind.usual_type().to_owned() };
    let referred = refers_to.and_then(|(relation, key)| {
        let is_key = |column: &&Column| names::column(relation, key, &column.name) == Some(Match::Same);
        found.get(relation)?.columns.iter().find(is_key)
    });
    referred.map(|column| &column.shown).or_else(|| usual_key(catalog)).map_or_else(|| "text".to_owned(), Clone::clone)
}

/// The type of most of the application's keys, the first by its name if there are as many of two.
fn usual_key(catalog: &Catalog) -> Option<&String> {
    let mut numbers: BTreeMap<&String, usize> = BTreeMap::new();
    let columns = catalog.tables.iter().flat_map(|table| &table.columns);
    let is_key = |column: &&Column| names::column("", "id", &column.name) == Some(Match::Same);
    for column in columns.filter(is_key).filter(|column| family(&column.base).is_some()) {
        *numbers.entry(&column.shown).or_default() += 1;
    }
    numbers.into_iter().rev().max_by_key(|(_, number)| *number).map(|(shown, _)| shown)
}

/// The statements that make a view without rows, which a job can write to without effect.
pub fn view(catalog: &Catalog, found: &BTreeMap<&str, &Table>, wanted: &Wanted, schema: &str) -> String {
    let null = |column: &WantedColumn| format!("    NULL::{} AS {}", null_type(catalog, found, column), column.name);
    let columns: Vec<String> = wanted.columns.iter().map(null).collect();
    let view = format!("{schema}.{}", wanted.relation);
    let columns = columns.join(",\n");
    let mut text = format!("DROP VIEW IF EXISTS {view};\nCREATE VIEW {view} AS\nSELECT\n{columns}\nWHERE false;");
    let is_written: [(&str, IsWritten); 2] =
        [("UPDATE", |column| column.is_updated), ("INSERT", |column| column.is_inserted)];
    for (event, _) in is_written.into_iter().filter(|(_, is_so)| wanted.columns.iter().any(is_so)) {
        text += &format!("\n{}", trigger::without_effect(schema, &wanted.relation, event));
    }
    text
}
