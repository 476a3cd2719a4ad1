//! Our tables as they should be, compared with those that are there.
//!
//! `ours.txt` lists what a fresh `rounds migrate` makes. A test derives it from a migrated database. What is there
//! beside it on our tables is an operator's own: a note and no fault, unless no row can be inserted because of it.

use std::collections::HashMap;
use std::sync::LazyLock;

use tokio_postgres::Transaction;

use crate::db::schema::{self, Set};
use crate::db::{Row, SchemaName, quoted, statements};
use crate::error::Error;

statements! {
    OURS(TEXT) = include_str!("ours.sql");
}

const LIST: &str = include_str!("ours.txt");

/// A part of our tables: a line `kind relation name definition` of the list.
struct Part {
    kind: &'static str,
    relation: &'static str,
    name: &'static str,
    definition: &'static str,
}

static PARTS: LazyLock<Vec<Part>> = LazyLock::new(|| {
    LIST.lines()
        .filter_map(|line| {
            let mut words = line.splitn(4, '\t');
            Some(Part { kind: words.next()?, relation: words.next()?, name: words.next()?, definition: words.next()? })
        })
        .collect()
});

/// What our tables are, beside what they should be.
#[derive(Default)]
pub struct Comparison {
    pub faults: Vec<Fault>,
    /// What is there beside them, of others.
    pub notes: Vec<String>,
}

/// What is wrong with our tables, and what mends it.
pub struct Fault {
    pub what: String,
    pub remedy: Remedy,
}

pub enum Remedy {
    Sql(String),
    Advice(String),
}

impl Remedy {
    pub fn text(&self) -> &str {
        match self {
            Self::Sql(text) | Self::Advice(text) => text,
        }
    }
}

/// Whether a relation is one of ours.
pub fn has(name: &str) -> bool {
    PARTS.iter().any(|part| part.kind == "relation" && part.relation == name)
}

/// The number of our tables.
pub fn tables() -> usize {
    PARTS.iter().filter(|part| part.kind == "relation" && part.definition.starts_with("table")).count()
}

/// What is there of a part: its definition, and a fault that the catalog knows.
type There = HashMap<(String, String, String), (String, String)>;

/// Compares. None if the schema is newer than this binary, which then cannot tell.
pub async fn compare(tx: &Transaction<'_>, schema: &SchemaName) -> Result<Option<Comparison>, Error> {
    if schema::is_newer(tx).await? {
        return Ok(None);
    }
    let rows = OURS.all(tx, &[&schema.as_str()]).await?;
    let there: There = rows
        .iter()
        .map(|row| {
            let part = (row.get("kind"), row.get("relation"), row.get("name"));
            (part, (row.get("definition"), row.get("fault")))
        })
        .collect();
    let find = |kind: &str, relation: &str, name: &str| {
        there
            .get(&(kind.to_owned(), relation.to_owned(), name.to_owned()))
            .map(|(one, two)| (one.as_str(), two.as_str()))
    };
    // The parts of a table that is not there are not told singly; nor is the index of a constraint.
    let stands_alone = |part: &&Part| ["relation", "function"].contains(&part.kind);
    let of_present = PARTS.iter().filter(|part| stands_alone(part) || find("relation", part.relation, "").is_some());
    let singly = of_present.filter(|part| {
        let is_of_constraint = PARTS.iter().any(|other| other.kind == "constraint" && other.name == part.name);
        let is_invalid = find(part.kind, part.relation, part.name).is_some_and(|(_, fault)| !fault.is_empty());
        part.kind != "index" || !is_of_constraint || is_invalid
    });
    let mut compared = Comparison::default();
    compared.faults.extend(singly.filter_map(|part| part.fault(find(part.kind, part.relation, part.name), schema)));
    for row in &rows {
        compared.add_other(row, schema);
    }
    Ok(Some(compared))
}

impl Comparison {
    /// Adds what is there and no part of ours, if it is on one of our tables.
    fn add_other(&mut self, row: &Row, schema: &SchemaName) {
        let [kind, relation, name, definition] =
            ["kind", "relation", "name", "definition"].map(|column| row.get::<_, &str>(column));
        let is_ours = PARTS.iter().any(|part| (part.kind, part.relation, part.name) == (kind, relation, name));
        let is_beside = ["column", "constraint", "index", "trigger"].contains(&kind) && has(relation);
        if is_ours || !is_beside || name == OF_A_FOREIGN_KEY {
            return;
        }
        let is_demanded = Column::of(definition).is_some_and(|column| column.not_null && column.rest.is_empty());
        if kind == "column" && is_demanded {
            let what = format!(
                "column {name} of {relation} is of others and NOT NULL without a default, so that no row can be inserted"
            );
            let sql = format!("ALTER TABLE {}.{relation} ALTER COLUMN {} DROP NOT NULL;", schema.shown(), quoted(name));
            self.faults.push(Fault { what, remedy: Remedy::Sql(sql) });
        } else {
            self.notes.push(format!("{kind} {name} of {relation}"));
        }
    }
}

impl Part {
    fn fault(&self, there: Option<(&str, &str)>, schema: &SchemaName) -> Option<Fault> {
        let Self { kind, relation, name, definition } = self;
        let called =
            if name.is_empty() { format!("{kind} {relation}") } else { format!("{kind} {name} of {relation}") };
        let what = match there {
            None => format!("{called} is not there"),
            Some((_, fault)) if !fault.is_empty() => format!("{called} is {fault}"),
            Some((other, _)) if *kind == "function" && other != *definition => format!("{called} does something else"),
            Some((other, _))
                if other != *definition && other.starts_with("view ") && definition.starts_with("view ") =>
            {
                format!("view {relation} selects something else; who may read it is to be granted again")
            }
            Some((other, _)) if other != *definition && !definition.is_empty() => {
                let shown = |text| if *kind == "relation" { without_query(text) } else { text };
                format!("{called} is {}, and should be {}", shown(other), shown(definition))
            }
            Some(_) => return None,
        };
        Some(Fault { what, remedy: self.remedy(there, schema) })
    }

    fn remedy(&self, there: Option<(&str, &str)>, schema: &SchemaName) -> Remedy {
        let Self { kind, relation, name, definition } = self;
        let schema = schema.shown();
        let table = format!("{schema}.{relation}");
        let sql = match (*kind, there) {
            ("relation", there) => return self.made_by_migration(&schema, there.map(|(other, _)| other)),
            ("function", _) => return self.function_of_migration(&schema),
            ("column", None) => format!("ALTER TABLE {table} ADD COLUMN {name} {definition};"),
            ("column", Some((other, _))) => match altered(&table, name, other, definition) {
                Some(sql) => sql,
                None => return Remedy::Advice(format!("ALTER TABLE {table} ALTER COLUMN {name}: as {definition}")),
            },
            ("constraint", Some((other, "not validated"))) if *definition == other.trim_end_matches(" NOT VALID") => {
                format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};")
            }
            ("constraint", there) => {
                let drop = there.map_or("", |_| "DROP");
                let drop = if drop.is_empty() { String::new() } else { format!("DROP CONSTRAINT {name}, ") };
                let definition = definition.replace("REFERENCES ", &format!("REFERENCES {schema}."));
                format!("ALTER TABLE {table} {drop}ADD CONSTRAINT {name} {definition};")
            }
            ("index", Some((_, "invalid"))) => format!("REINDEX INDEX CONCURRENTLY {schema}.{name};"),
            ("index", there) => {
                let drop = there.map_or(String::new(), |_| format!("DROP INDEX {schema}.{name}; "));
                // The server makes that of a partitioned table on its parts, too, unless it says ONLY.
                let definition = definition.replacen(" ON ONLY ", " ON ", 1);
                format!("{drop}{};", definition.replacen(&format!(" ON {relation}"), &format!(" ON {table}"), 1))
            }
            (_, Some((_, "disabled"))) if *name == OF_A_FOREIGN_KEY => {
                format!("ALTER TABLE {table} ENABLE TRIGGER ALL;")
            }
            (_, Some((_, "disabled"))) => format!("ALTER TABLE {table} ENABLE TRIGGER {name};"),
            (_, _) if *name == OF_A_FOREIGN_KEY => return Remedy::Advice("see the constraints".to_owned()),
            (_, there) => {
                let drop = there.map_or(String::new(), |_| format!("DROP TRIGGER {name} ON {table}; "));
                let definition = definition
                    .replace(&format!(" ON {relation} "), &format!(" ON {table} "))
                    .replace("EXECUTE FUNCTION ", &format!("EXECUTE FUNCTION {schema}."));
                format!("{drop}{definition};")
            }
        };
        Remedy::Sql(sql)
    }

    /// The statement of the migration that makes a relation. Its rows are in a backup, if anywhere.
    fn made_by_migration(&self, schema: &str, there: Option<&str>) -> Remedy {
        let Self { relation, .. } = self;
        let drop = match there.and_then(|other| other.split(' ').next()) {
            None => String::new(),
            Some("view") => format!("DROP VIEW {schema}.{relation}; "),
            Some(_) => {
                return Remedy::Advice(format!("move {schema}.{relation} away; then `rounds migrate --check` again"));
            }
        };
        let kinds = ["TABLE", "VIEW", "OR REPLACE VIEW", "UNLOGGED TABLE"];
        if let Some((start, rest)) = newest(&kinds.map(|kind| format!("CREATE {kind} {relation} "))) {
            let body = rest.split_once(";\n").map_or(&rest[..], |(body, _)| body);
            let lines = body.lines().map(|line| line.split("-- ").next().unwrap_or(line));
            let body = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
            return Remedy::Sql(format!("{drop}SET search_path = {schema}; {start}{body}; RESET search_path;"));
        }
        Remedy::Advice("restore it from a backup, or make it as migrations/rounds does".to_owned())
    }
}

/// The statement that begins with one of these words, and what follows them, in the newest migration that has it: a later
/// one may have replaced a view or a function.
fn newest(starts: &[String]) -> Option<(String, String)> {
    Set::Ours.migrations().iter().rev().find_map(|migration| {
        let sql = migration.sql()?;
        starts.iter().find_map(|start| Some((start.clone(), sql.rsplit_once(&format!("\n{start}"))?.1.to_owned())))
    })
}

fn without_query(definition: &str) -> &str {
    if definition.starts_with("view ") { "view" } else { definition }
}

impl Part {
    /// The statement of the migration that makes a function.
    fn function_of_migration(&self, schema: &str) -> Remedy {
        let Self { relation: name, .. } = self;
        let starts = ["CREATE", "CREATE OR REPLACE"].map(|create| format!("{create} FUNCTION {name}() "));
        let body = newest(&starts).and_then(|(_, rest)| {
            let (head, rest) = rest.split_once("$$")?;
            let (body, _) = rest.split_once("$$")?;
            Some(format!("{head}$${body}$$"))
        });
        if let Some(body) = body {
            let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
            return Remedy::Sql(format!("CREATE OR REPLACE FUNCTION {schema}.{name}() {body};"));
        }
        Remedy::Advice("make it as migrations/rounds does".to_owned())
    }
}

/// The name of the triggers that a foreign key makes.
const OF_A_FOREIGN_KEY: &str = "of a foreign key";

/// The statement that gives a column its type, its NOT NULL and its default again.
fn altered(table: &str, name: &str, is: &str, should: &str) -> Option<String> {
    let (is, should) = (Column::of(is)?, Column::of(should)?);
    let mut changes = vec![];
    if is.kind != should.kind {
        changes.push(format!("ALTER COLUMN {name} TYPE {kind} USING {name}::{kind}", kind = should.kind));
    }
    if is.not_null != should.not_null {
        changes.push(format!("ALTER COLUMN {name} {} NOT NULL", if should.not_null { "SET" } else { "DROP" }));
    }
    if is.rest != should.rest {
        if !is.rest.is_empty() {
            changes.push(match is.rest.starts_with("GENERATED") {
                true => format!("ALTER COLUMN {name} DROP IDENTITY"),
                false => format!("ALTER COLUMN {name} DROP DEFAULT"),
            });
        }
        if !should.rest.is_empty() {
            changes.push(match should.rest.starts_with("GENERATED") {
                true => format!("ALTER COLUMN {name} ADD {}", should.rest),
                false => format!("ALTER COLUMN {name} SET {}", should.rest),
            });
        }
    }
    Some(format!("ALTER TABLE {table} {};", changes.join(", ")))
}

/// The definition of a column, taken apart.
struct Column<'a> {
    kind: &'a str,
    not_null: bool,
    /// The default, or the identity.
    rest: &'a str,
}

impl<'a> Column<'a> {
    /// None of a column whose value is computed.
    fn of(definition: &'a str) -> Option<Self> {
        if definition.ends_with(" STORED") {
            return None;
        }
        let at = [" DEFAULT ", " GENERATED "].iter().filter_map(|word| definition.find(word)).min();
        let (head, rest) = definition.split_at(at.unwrap_or(definition.len()));
        let (kind, not_null) = match head.strip_suffix(" NOT NULL") {
            Some(kind) => (kind, true),
            None => (head, false),
        };
        Some(Self { kind, not_null, rest: rest.trim_start() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_a_column_is_altered() {
        let sql = altered("s.t", "c", "integer", "bigint NOT NULL DEFAULT 0");
        let expected = "ALTER TABLE s.t ALTER COLUMN c TYPE bigint USING c::bigint, ALTER COLUMN c SET NOT NULL, ALTER \
                        COLUMN c SET DEFAULT 0;";
        assert_eq!(sql.as_deref(), Some(expected));
        let sql = altered("s.t", "c", "text NOT NULL DEFAULT 'a'::text", "text");
        assert_eq!(sql.as_deref(), Some("ALTER TABLE s.t ALTER COLUMN c DROP NOT NULL, ALTER COLUMN c DROP DEFAULT;"));
        assert_eq!(altered("s.t", "c", "text", "text GENERATED ALWAYS AS (x) STORED"), None);
    }

    #[test]
    fn the_list_has_all_of_our_tables() {
        assert!(has("cron_job_runs") && has("v_recent_sync_activity") && !has("appointments"));
        assert!(tables() > 25, "{}", tables());
    }
}
