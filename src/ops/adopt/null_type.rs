//! The type of a column that an application does not have.

use std::collections::BTreeMap;

use super::catalog::{Catalog, Column, Table};
use super::names::{self, Match};
use super::wanted::WantedColumn;
use crate::clinic::fit::{Kind, family};

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
