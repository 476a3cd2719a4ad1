//! What the reference set says of the clinic's tables: the order of tables and columns, what each column means, and the
//! indexes that the jobs' scans use. It is read from the text of the migrations, whose shape is ours.

use std::collections::BTreeMap;

use crate::db::schema::Set;

pub struct Reference {
    /// The names of the tables and of their columns, in the order in which they are made.
    pub tables: Vec<(String, Vec<String>)>,
    /// What a column means, by table and column.
    comments: BTreeMap<(String, String), String>,
    pub indexes: Vec<ReferenceIndex>,
}

pub struct ReferenceIndex {
    pub table: String,
    pub is_unique: bool,
    pub keys: String,
    /// The conditions of the predicate, which all have to be true.
    pub conditions: Vec<String>,
}

impl Reference {
    pub fn read() -> Self {
        let text: String =
            Set::Clinic.migrations().iter().filter_map(|m| m.sql().map(|sql| format!("{sql}\n"))).collect();
        Self { tables: tables(&text), comments: comments(&text), indexes: indexes(&text) }
    }

    pub fn meaning(&self, table: &str, column: &str) -> &str {
        self.comments.get(&(table.to_owned(), column.to_owned())).map_or("", String::as_str)
    }
}

/// A column stands at the beginning of an indented line; a constraint begins with a word in capitals.
fn tables(text: &str) -> Vec<(String, Vec<String>)> {
    let mut tables: Vec<(String, Vec<String>)> = vec![];
    let mut within = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("CREATE TABLE ") {
            tables.push((name.trim_end_matches(" (").to_owned(), vec![]));
            within = true;
        } else if line.starts_with(')') {
            within = false;
        } else if let (true, Some(rest)) = (within, line.strip_prefix("    ")) {
            let name = rest.split(' ').next().unwrap_or_default();
            if name.starts_with(|c: char| c.is_ascii_lowercase())
                && let Some((_, columns)) = tables.last_mut()
            {
                columns.push(name.to_owned());
            }
        }
    }
    tables
}

/// The statements that begin with these words, without the words, each in one line.
fn statements<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = String> + 'a {
    let begins = text.match_indices(words).filter(|(at, _)| *at == 0 || text[..*at].ends_with('\n'));
    begins.map(|(at, _)| {
        let rest = &text[at + words.len()..];
        let end = rest.find(";\n").unwrap_or(rest.len());
        rest[..end].split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

fn comments(text: &str) -> BTreeMap<(String, String), String> {
    let comment = |statement: String| {
        let (name, literal) = statement.split_once(" IS ")?;
        let (table, column) = name.split_once('.')?;
        // A long literal goes on in the next line, where another one begins.
        let literal = literal.trim_matches('\'').replace(" ' '", " ").replace("''", "'");
        Some(((table.to_owned(), column.to_owned()), literal))
    };
    statements(text, "COMMENT ON COLUMN ").filter_map(comment).collect()
}

fn indexes(text: &str) -> Vec<ReferenceIndex> {
    let index = |statement: String, is_unique: bool| {
        let (_, rest) = statement.split_once(" ON ")?;
        let (table, rest) = rest.split_once(" (")?;
        let (keys, predicate) = rest.split_once(" WHERE ").unwrap_or((rest, ""));
        let conditions = predicate.split(" AND ").filter(|condition| !condition.is_empty()).map(str::to_owned);
        let keys = keys.strip_suffix(')')?.to_owned();
        Some(ReferenceIndex { table: table.to_owned(), is_unique, keys, conditions: conditions.collect() })
    };
    let plain = statements(text, "CREATE INDEX ").filter_map(|statement| index(statement, false));
    plain.chain(statements(text, "CREATE UNIQUE INDEX ").filter_map(|statement| index(statement, true))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_set_is_read_from_its_text() {
        let reference = Reference::read();
        let (name, columns) = &reference.tables[0];
        assert_eq!((name.as_str(), columns[..3].join(" ").as_str()), ("facilities", "id name time_zone"));
        assert_eq!(reference.meaning("patients", "sms_opt_out"), "Whether the patient wants no SMS.");
        assert!(reference.meaning("facilities", "no_show_after_minutes").ends_with("NULL: the doctor's slot length."));
        for (table, columns) in &reference.tables {
            for column in columns {
                assert_ne!(reference.meaning(table, column), "", "{table}.{column}");
            }
        }
        let index = reference.indexes.iter().find(|index| index.table == "appointments").expect("an index");
        assert_eq!(index.keys, "appointment_date");
        assert_eq!(index.conditions, ["status IN ('SCHEDULED', 'CONFIRMED')", "source = 'LOCAL'"]);
        assert!(reference.indexes.iter().any(|index| index.is_unique && index.keys == "external_id"));
    }
}
