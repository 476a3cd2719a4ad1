//! The indexes that the jobs' scans use in the reference set and that the application's tables lack.

use super::catalog::Table;
use super::reference::{Reference, ReferenceIndex};
use super::source::Scope;
use super::trigger::Columns;
use crate::ops::names::replaced;

/// The statements that make the missing indexes on the table beneath.
pub fn missing(reference: &Reference, scope: &Scope<'_>, columns: &Columns<'_>) -> Vec<String> {
    let own = reference.indexes.iter().filter(|index| index.table == scope.wanted.relation);
    own.filter_map(|index| statement(reference, index, scope, columns)).collect()
}

/// None if the index is of no use for the jobs, is there, or cannot be made since a column is no plain one.
fn statement(
    reference: &Reference,
    index: &ReferenceIndex,
    scope: &Scope<'_>,
    columns: &Columns<'_>,
) -> Option<String> {
    let known = reference.tables.iter().find(|(table, _)| *table == index.table)?;
    let text = |text: &str| beneath(text, &known.1, scope, columns);
    let keys = text(&index.keys)?;
    let mut conditions = vec![];
    for condition in &index.conditions {
        let column = condition.split(' ').next()?;
        let (wanted, source) = columns.iter().find(|(wanted, _)| wanted.name == column)?;
        let labels = condition.split('\'').skip(1).step_by(2);
        if labels.clone().any(|label| !wanted.labels.contains(label)) {
            return None;
        }
        // A constant is true of every row.
        if !source.read.starts_with('\'') {
            conditions.push(text(condition)?);
        }
    }
    if is_there(scope.table, index.is_unique, &keys, &conditions) {
        return None;
    }
    let unique = if index.is_unique { "UNIQUE " } else { "" };
    let predicate =
        if conditions.is_empty() { String::new() } else { format!("\n    WHERE {}", conditions.join(" AND ")) };
    let table = format!("{}.{}", scope.catalog.quoted, scope.table.quoted);
    Some(format!("CREATE {unique}INDEX CONCURRENTLY ON {table} ({keys}){predicate};"))
}

/// A text of the reference set with the names of the table beneath; None if it names a column that is not plain there.
fn beneath(text: &str, known: &[String], scope: &Scope<'_>, columns: &Columns<'_>) -> Option<String> {
    let column = |word: &str| {
        if !known.iter().any(|name| name == word) {
            return Some(word.to_owned());
        }
        let (_, source) = columns.iter().find(|(wanted, _)| wanted.name == word)?;
        let negated = source.read.strip_prefix(&format!("NOT {}.", scope.alias));
        match (&source.write, negated) {
            (Some((column, _)), None) if source.is_plain() => Some(column.clone()),
            (_, Some(column)) => Some(format!("NOT {column}")),
            _ => None,
        }
    };
    replaced(text, column)
}

/// Whether an index begins with the keys and leaves out no row that the conditions let through, as far as its text tells.
fn is_there(table: &Table, is_unique: bool, keys: &str, conditions: &[String]) -> bool {
    let keys: Vec<&str> = keys.split(", ").map(|key| key.trim_end_matches(" DESC")).collect();
    // Every row is in the index of the key.
    let is_of_key = keys == ["id"] && !conditions.is_empty();
    table.indexes.iter().any(|index| {
        let begins = index.keys.iter().zip(&keys).filter(|(one, other)| one == *other).count() == keys.len();
        let named = table.columns.iter().filter(|column| index.predicate.contains(&column.quoted));
        let mut named = named.map(|column| conditions.iter().any(|condition| condition.contains(&column.quoted)));
        let fits = begins && named.all(|is_ours| is_ours) && !(is_of_key && index.predicate.is_empty());
        fits && (!is_unique || (index.is_unique && index.keys.len() == keys.len()))
    })
}
