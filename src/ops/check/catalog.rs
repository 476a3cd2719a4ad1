//! The relations that the jobs use, and what is beneath those that are views.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::Transaction;

use crate::clinic::fit;
use crate::db::{Row, SchemaName, statements};
use crate::error::Error;
use crate::ops::privileges::Verb;
use crate::ops::{ours, privileges};

statements! {
    CATALOG(TEXT, TEXT_ARRAY) = include_str!("catalog.sql");
}

pub struct Catalog {
    by_id: HashMap<i64, Relation>,
    /// The relations of the schema, by name.
    by_name: HashMap<String, i64>,
}

pub struct Relation {
    pub id: i64,
    /// Schema and name, quoted where SQL needs it.
    pub shown: String,
    pub is_view: bool,
    pub is_table: bool,
    pub is_partitioned: bool,
    /// Whether it is one of the tables that `rounds migrate` makes.
    pub is_ours: bool,
    pub owner: i64,
    /// Whether a view reads with the privileges of who asks.
    pub as_invoker: bool,
    /// What INSTEAD OF triggers do in the place of a view, as bits of the catalog.
    instead_of: i32,
    /// The options of a view, as SQL takes them.
    pub options: Option<String>,
    /// What a view loses when it is made anew, in words.
    pub lost: Vec<String>,
    /// The text of a view.
    pub definition: Option<String>,
    pub columns: Vec<Column>,
    /// The relations that a view reads.
    beneath: Vec<i64>,
}

pub struct Column {
    pub name: String,
    /// The name, quoted by the server where SQL needs it.
    pub shown: String,
    pub is_not_null: bool,
    number: i32,
    /// The relation and the number of the column that a view's column is, if it is one and no expression.
    origin: Option<(i64, i32)>,
}

impl Catalog {
    /// Reads what these jobs use.
    pub async fn read(tx: &Transaction<'_>, schema: &SchemaName, jobs: &[&str]) -> Result<Self, Error> {
        let mut names = BTreeSet::new();
        for job in jobs {
            names.extend(fit::needs(job).map(|need| need.relation));
            names.extend(privileges::of_job(job).iter().map(|privilege| privilege.relation));
        }
        let names: Vec<&str> = names.into_iter().collect();
        let rows = CATALOG.all(tx, &[&schema.as_str(), &names]).await?;
        let mut catalog = Self { by_id: HashMap::new(), by_name: HashMap::new() };
        for row in &rows {
            let relation = Relation::of(row);
            let name: String = row.get("name");
            if row.get("in_schema") && names.contains(&name.as_str()) {
                catalog.by_name.insert(name, relation.id);
            }
            catalog.by_id.insert(relation.id, relation);
        }
        Ok(catalog)
    }

    /// A relation of the schema.
    pub fn named(&self, name: &str) -> Option<&Relation> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// The relation and the column that a column of the schema is in the end, if it is one and no expression.
    pub fn origin(&self, name: &str, column: &str) -> Option<(&Relation, &Column)> {
        let mut relation = self.named(name)?;
        let mut found = relation.column(column)?;
        while let Some((id, number)) = found.origin {
            relation = self.by_id.get(&id)?;
            found = relation.columns.iter().find(|column| column.number == number)?;
        }
        (!relation.is_view).then_some((relation, found))
    }

    /// The table that a written view writes in the end: the one that its columns come from.
    pub fn table_of(&self, name: &str) -> Option<&Relation> {
        let relation = self.named(name)?;
        relation.columns.iter().find_map(|column| self.origin(name, &column.name)).map(|(table, _)| table)
    }

    /// All tables beneath a relation, or it itself, each with the views on the way to it, the last first.
    pub fn tables_beneath(&self, name: &str) -> Vec<(&Relation, Vec<&Relation>)> {
        let (mut found, mut pending) = (vec![], vec![]);
        pending.extend(self.named(name).map(|relation| (relation, vec![])));
        while let Some((relation, above)) = pending.pop() {
            if !relation.is_view {
                found.push((relation, above));
                continue;
            }
            for under in relation.beneath.iter().filter_map(|id| self.by_id.get(id)) {
                // A view cannot be beneath itself, so this ends.
                let above = std::iter::once(relation).chain(above.iter().copied()).collect();
                pending.push((under, above));
            }
        }
        found
    }

    /// The names of the schema's relations that are, or read, this relation.
    pub fn names_above(&self, id: i64) -> Vec<&str> {
        let reads = |name: &&String| self.tables_beneath(name).iter().any(|(table, _)| table.id == id);
        let mut names: Vec<&str> = self.by_name.keys().filter(reads).map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    pub fn by_id(&self, id: i64) -> Option<&Relation> {
        self.by_id.get(&id)
    }
}

impl Relation {
    fn of(row: &Row) -> Self {
        let kind: &str = row.get("kind");
        let origins = row.get::<_, Option<&str>>("rule").map(origins).unwrap_or_default();
        let (numbers, names): (Vec<i32>, Vec<String>) = (row.get("numbers"), row.get("names"));
        let (quoted, not_null): (Vec<String>, Vec<bool>) = (row.get("quoted"), row.get("not_null"));
        let columns = numbers.into_iter().zip(names).zip(quoted.into_iter().zip(not_null)).map(
            |((number, name), (shown, is_not_null))| {
                let origin = origins.get(&number).copied();
                Column { name, shown, is_not_null, number, origin }
            },
        );
        Self {
            id: row.get("id"),
            shown: row.get("shown"),
            is_view: kind == "v",
            is_ours: row.get("in_schema") && ours::has(row.get("name")),
            is_partitioned: kind == "p",
            is_table: matches!(kind, "r" | "p"),
            owner: row.get("owner"),
            as_invoker: row.get("as_invoker"),
            instead_of: row.get("instead_of"),
            options: row.get("options"),
            lost: row.get("lost"),
            definition: row.get("definition"),
            columns: columns.collect(),
            beneath: row.get("beneath"),
        }
    }

    /// Whether an INSTEAD OF trigger writes in the place of a view.
    pub fn has_trigger(&self) -> bool {
        self.instead_of != 0
    }

    /// Whether one does so for this verb.
    pub fn has_trigger_for(&self, verb: Verb) -> bool {
        let bit = match verb {
            Verb::Insert => 4,
            Verb::Delete => 8,
            Verb::Update => 16,
            Verb::Select => 0,
        };
        self.instead_of & bit != 0
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The columns of a view that are columns of a relation beneath, by their numbers, from the view's parse tree: each
/// entry of its list of targets names relation and column that it comes from, or 0.
fn origins(rule: &str) -> HashMap<i32, (i64, i32)> {
    let (mut origins, mut depth) = (HashMap::new(), 0_i32);
    let (mut number, mut table, mut words) = (0, 0_i64, rule.split_whitespace());
    while let Some(word) = words.next() {
        // A brace in a name has a backslash before it.
        let plain = word.replace("\\{", "").replace("\\}", "");
        depth += plain.matches('{').count() as i32 - plain.matches('}').count() as i32;
        // The targets of the view itself are one level beneath its query.
        if depth != 2 || !word.starts_with(":res") {
            continue;
        }
        let mut next = || words.next().and_then(|value| value.trim_end_matches('}').parse::<i64>().ok()).unwrap_or(0);
        match word {
            ":resno" => number = next() as i32,
            ":resorigtbl" => table = next(),
            ":resorigcol" => {
                let column = next() as i32;
                if table > 0 && column > 0 {
                    origins.insert(number, (table, column));
                }
            }
            _ => {}
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_views_column_is_one_beneath_or_an_expression() {
        let rule = "({QUERY :rtable ({RTE :eref {ALIAS :aliasname a\\{b :colnames (\"id\")}}) :targetList \
                    ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname id :ressortgroupref 0 :resorigtbl 700 \
                    :resorigcol 3 :resjunk false} {TARGETENTRY :expr {SUBLINK :subselect {QUERY :targetList \
                    ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname x :resorigtbl 900 :resorigcol 9 :resjunk \
                    false})}} :resno 2 :resname y :ressortgroupref 0 :resorigtbl 0 :resorigcol 0 :resjunk false})})";
        assert_eq!(origins(rule), HashMap::from([(1, (700, 3))]));
    }
}
