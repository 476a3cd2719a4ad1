//! What an application does not have: a view without rows.

use std::collections::BTreeMap;

use super::catalog::{Catalog, Table};
use super::null_type::null_type;
use super::trigger;
use super::wanted::{Wanted, WantedColumn};

/// Whether a job writes a column by a verb.
type IsWritten = fn(&WantedColumn) -> bool;

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
