//! What the reference set says of the clinic's tables beside their columns: indexes, and the words of statuses.

use std::sync::LazyLock;

use super::catalog::{Catalog, Relation};
use super::finding::Remedy;
use super::view_text::{items, one_line};
use crate::db::schema::Set;
use crate::ops::names;

/// An index of the reference set.
pub struct Index {
    pub relation: String,
    pub is_unique: bool,
    /// The columns or expressions, and the condition, in SQL.
    pub keys: String,
    pub condition: Option<String>,
}

/// The words of a column that has a fixed list of them.
pub struct Words {
    pub relation: String,
    pub column: String,
    /// As in SQL, with commas.
    pub list: String,
}

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let migrations = Set::Clinic.migrations();
    migrations.iter().filter_map(|migration| migration.sql()).collect()
});

/// The indexes of the reference set: those that have statements of their own, then those of constraints, that of the
/// key last.
pub static INDEXES: LazyLock<Vec<Index>> = LazyLock::new(|| {
    let statements: Vec<String> = TEXT.split(';').map(without_comments).collect();
    let mut indexes: Vec<Index> = statements.iter().filter_map(|statement| index(statement)).collect();
    let mut unique: Vec<Index> = statements.iter().flat_map(|statement| unique(statement)).collect();
    unique.sort_by_key(|index| index.leading() == "id");
    indexes.extend(unique);
    indexes
});

/// The columns of the reference set that have a fixed list of words.
pub static WORDS: LazyLock<Vec<Words>> = LazyLock::new(|| {
    let tables = TEXT.split(';').map(without_comments);
    tables.flat_map(|table| words(&table)).collect()
});

fn without_comments(statement: &str) -> String {
    let lines = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
    one_line(lines.collect::<Vec<_>>().join("\n").trim())
}

fn index(statement: &str) -> Option<Index> {
    let (is_unique, rest) = match statement.strip_prefix("CREATE UNIQUE INDEX ") {
        Some(rest) => (true, rest),
        None => (false, statement.strip_prefix("CREATE INDEX ")?),
    };
    let (relation, rest) = rest.split_once(" ON ")?.1.split_once(' ')?;
    // One of block ranges is of no use to a job, which looks for single rows.
    if rest.starts_with("USING ") {
        return None;
    }
    let (keys, condition) = match rest.split_once(" WHERE ") {
        Some((keys, condition)) => (keys, Some(condition.to_owned())),
        None => (rest, None),
    };
    Some(Index { relation: relation.to_owned(), is_unique, keys: keys.to_owned(), condition })
}

/// The indexes of the unique and primary keys of a table.
fn unique(statement: &str) -> Vec<Index> {
    let Some((relation, rest)) = statement.strip_prefix("CREATE TABLE ").and_then(|rest| rest.split_once(" (")) else {
        return vec![];
    };
    let keys = items(rest).filter_map(|item| {
        let item = item.trim();
        match item.strip_prefix("UNIQUE (").or_else(|| item.strip_prefix("PRIMARY KEY (")) {
            Some(columns) => Some(format!("({}", columns.split_inclusive(')').next()?)),
            None if item.contains(" UNIQUE") || item.contains(" PRIMARY KEY") => {
                Some(format!("({})", item.split(' ').next()?))
            }
            None => None,
        }
    });
    let index = |keys| Index { relation: relation.to_owned(), is_unique: true, keys, condition: None };
    keys.map(index).collect()
}

fn words(statement: &str) -> Vec<Words> {
    let Some((relation, _)) = statement.strip_prefix("CREATE TABLE ").and_then(|rest| rest.split_once(" (")) else {
        return vec![];
    };
    let lists = statement.match_indices("CHECK (").filter_map(|(at, found)| {
        let (column, rest) = statement[at + found.len()..].split_once(" IN (")?;
        let (list, _) = rest.split_once("))")?;
        let is_name = column.chars().all(|c| c.is_alphanumeric() || c == '_');
        (is_name && list.starts_with('\'')).then(|| Words {
            relation: relation.to_owned(),
            column: column.to_owned(),
            list: list.to_owned(),
        })
    });
    lists.collect()
}

impl Index {
    /// Whether a statement may use the index: it has every word of its condition, and names its first column, or the
    /// index is a list of the keys that meet the condition.
    pub fn serves(&self, statement: &str) -> bool {
        let is_word = |c: char| !c.is_alphanumeric() && c != '_';
        let is_list = self.condition.is_some() && self.leading() == "id";
        (is_list || statement.split(is_word).any(|word| word == self.leading()))
            && self.literals().all(|literal| statement.contains(&format!("'{literal}'")))
    }

    /// The words of the condition.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.condition.as_deref().unwrap_or_default().split('\'').skip(1).step_by(2)
    }

    /// The statement that makes the index on the table beneath a relation. None where one of its columns is an
    /// expression of a view, which no index of the table serves.
    pub fn on_table(&self, catalog: &Catalog, table: &Relation, is_unique: bool) -> Option<String> {
        let keys = translated(&self.keys, catalog, &self.relation, table)?;
        let condition = match &self.condition {
            Some(condition) => format!(" WHERE {}", translated(condition, catalog, &self.relation, table)?),
            None => String::new(),
        };
        let unique = if is_unique { "UNIQUE " } else { "" };
        let shown = &table.shown;
        // The server makes none of a partitioned table concurrently.
        let concurrently = if table.is_partitioned { "" } else { "CONCURRENTLY " };
        Some(format!("CREATE {unique}INDEX {concurrently}ON {shown} {keys}{condition};"))
    }

    /// The first of the columns.
    pub fn leading(&self) -> &str {
        let mut words = self.keys.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.find(|word| !matches!(*word, "" | "lower" | "btrim")).unwrap_or_default()
    }
}

/// SQL with the names of the table's columns in the place of those of the view.
fn translated(sql: &str, catalog: &Catalog, relation: &str, table: &Relation) -> Option<String> {
    let view = catalog.named(relation)?;
    names::replaced(sql, |word| {
        if view.column(word).is_none() {
            return Some(word.to_owned());
        }
        let (origin, column) = catalog.origin(relation, word)?;
        (origin.id == table.id).then(|| column.shown.clone())
    })
}

/// The unique index that an ON CONFLICT of a statement needs.
pub fn unique_index(catalog: &Catalog, statement: &str) -> Option<Remedy> {
    let inserts = |index: &&Index| statement.contains(&format!("INSERT INTO {} ", index.relation));
    let index = INDEXES.iter().filter(|index| index.is_unique).find(inserts)?;
    index.on_table(catalog, catalog.table_of(&index.relation)?, true).map(Remedy::Sql)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_set_has_indexes_and_words() {
        let awaited = INDEXES.iter().find(|index| index.leading() == "appointment_date").expect("an index of visits");
        assert_eq!(awaited.keys, "(appointment_date)");
        assert!(awaited.serves("a.appointment_date, x IN ('SCHEDULED', 'CONFIRMED') AND y = 'LOCAL'"));
        assert!(!awaited.serves("x IN ('SCHEDULED', 'CONFIRMED') AND y = 'LOCAL'"), "the column is not in it");
        assert!(!awaited.serves("a.appointment_date, x = 'SCHEDULED'"), "a word is not in it");
        let of = |relation: &str| -> Vec<&str> {
            INDEXES.iter().filter(|index| index.relation == relation).map(|index| &*index.keys).collect()
        };
        assert_eq!(
            of("doctor_slots"),
            ["(doctor_id, slot_date)", "(appointment_id)", "(doctor_id, slot_date, start_time)", "(id)"]
        );
        assert_eq!(of("ticket_followers"), ["(ticket_id, user_id)"]);
        assert!(INDEXES.iter().any(|index| index.is_unique && index.leading() == "external_id"));
        let words = WORDS.iter().find(|words| (&*words.relation, &*words.column) == ("tickets", "priority"));
        assert_eq!(words.expect("a list").list, "'LOW', 'MEDIUM', 'HIGH', 'URGENT'");
        assert!(WORDS.len() > 8, "{}", WORDS.len());
    }
}
