//! Rows that an application has deleted by a mark only.

use super::catalog::Column;
use super::names::{self, Match};
use super::source::Scope;
use crate::clinic::fit::Kind;

/// Asks whether rows with the mark belong into a view, unless a column of the view, such as `active`, says it already.
pub fn question(scope: &Scope<'_>) -> Option<String> {
    let relation = &scope.wanted.relation;
    let is_mark = |column: &&Column| names::column("", "deleted_at", &column.name).is_some();
    let is_read = |column: &Column| {
        let opposite = |name| names::column(relation, name, &column.name) == Some(Match::Opposite);
        scope.wanted.columns.iter().any(|wanted| opposite(&wanted.name))
    };
    let marks: Vec<&Column> = scope.table.columns.iter().filter(is_mark).filter(|column| !is_read(column)).collect();
    let names: Vec<&str> = marks.iter().map(|column| column.quoted.as_str()).collect();
    let conditions: Vec<String> = marks.iter().map(|column| unmarked(column, &scope.named(column))).collect();
    let (names, conditions) = (names.join(" and "), conditions.join(" AND "));
    (!marks.is_empty()).then(|| format!("{names}: are rows with it gone? Then:\nWHERE {conditions}"))
}

/// The condition that a row without the mark meets. A mark that was never set may be NULL.
fn unmarked(column: &Column, x: &str) -> String {
    if Kind::Truth.takes(&column.base) {
        format!("{x} IS NOT TRUE")
    } else if Kind::Number.takes(&column.base) {
        format!("COALESCE({x}, 0) = 0")
    } else {
        format!("{x} IS NULL")
    }
}
