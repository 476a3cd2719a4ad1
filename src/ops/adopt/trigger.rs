//! What a view needs so that the jobs can write through it: defaults for what the application's client makes, and
//! triggers where a written column is no plain one.

use super::adapt::Write;
use super::catalog::Column;
use super::names;
use super::source::{Scope, Source};
use super::wanted::WantedColumn;
use crate::ops::names::dollar_quoted;

/// The columns of a view, as wanted and as found.
pub type Columns<'a> = [(&'a WantedColumn, Source)];

/// A column beneath that an INSERT has to give, although no job knows it.
pub struct Carried {
    /// Its name in the view.
    pub name: String,
    /// What the view reads, unless a wanted column reads it already.
    pub read: Option<String>,
    column: Column,
    /// What the application's client would make; None: a person has to say.
    default: Option<&'static str>,
}

/// The columns beneath that may not be NULL, have no default, and are not given by an INSERT of a job.
pub fn carried(scope: &Scope<'_>, columns: &Columns<'_>) -> Vec<Carried> {
    if !columns.iter().any(|(wanted, _)| wanted.is_inserted) {
        return vec![];
    }
    let reads = |column: &Column| {
        columns.iter().find(|(_, source)| source.write.as_ref().is_some_and(|(beneath, _)| *beneath == column.quoted))
    };
    let lacking = scope.table.columns.iter().enumerate();
    let lacking = lacking.filter(|(_, column)| column.is_required && !column.has_default);
    let lacking = lacking.filter(|(_, column)| !reads(column).is_some_and(|(wanted, _)| wanted.is_inserted));
    let carry = |(at, column): (usize, &Column)| {
        let is_taken = columns.iter().any(|(wanted, _)| wanted.name == column.name);
        let own = match column.quoted.strip_prefix("U&") {
            // PL/pgSQL finds no field of NEW by a name with escapes.
            Some(_) => format!("app_column_{}", at + 1),
            None if is_taken => format!("app_{}", column.name),
            None => column.quoted.clone(),
        };
        let (name, read) = match reads(column) {
            Some((wanted, _)) => (wanted.name.clone(), None),
            None => (own, Some(scope.named(column))),
        };
        Carried { name, read, default: default(column), column: column.clone() }
    };
    lacking.map(carry).collect()
}

/// The value that an application's client makes for a new row.
fn default(column: &Column) -> Option<&'static str> {
    let is_called = |name: &str| names::column("", name, &column.name).is_some();
    match (column.base.as_str(), is_called("id"), is_called("updated_at") || is_called("created_at")) {
        ("uuid", true, _) => Some("gen_random_uuid()"),
        ("text" | "varchar", true, _) => Some("gen_random_uuid()::text"),
        ("timestamptz", _, true) => Some("now()"),
        ("timestamp", _, true) => Some("now() AT TIME ZONE 'UTC'"),
        _ => None,
    }
}

impl Carried {
    /// The statement that gives the view its default, or what a person has to say.
    pub fn statement(&self, view: &str) -> Result<String, String> {
        let alter = |value: &str| format!("ALTER VIEW {view} ALTER COLUMN {} SET DEFAULT {value};", self.name);
        self.default.map(alter).ok_or_else(|| {
            let Column { quoted, shown, .. } = &self.column;
            format!("{quoted} ({shown}) may not be NULL, and no job gives it.\n{}", alter("..."))
        })
    }
}

/// The triggers of a view, or why there can be none.
pub struct Triggers {
    pub statements: Vec<String>,
    pub questions: Vec<String>,
}

/// A trigger for each way of writing in which a column is no plain one.
pub fn triggers(scope: &Scope<'_>, columns: &Columns<'_>, carried: &[Carried], schema: &str) -> Triggers {
    let mut made = Triggers { statements: vec![], questions: vec![] };
    let relation = &scope.wanted.relation;
    let translated = |is_written: fn(&WantedColumn) -> bool| {
        columns.iter().any(|(wanted, source)| is_written(wanted) && source.write.is_some() && !source.is_plain())
    };
    if translated(|wanted| wanted.is_updated) {
        let key = columns.iter().find(|(wanted, source)| wanted.name == "id" && source.is_plain());
        match key.and_then(|(_, source)| source.write.as_ref()) {
            Some((key, _)) => made.statements.push(update(scope, columns, key, schema)),
            None => made.questions.push(format!("{relation}: a trigger has to write it, and it has no key")),
        }
    }
    if translated(|wanted| wanted.is_inserted) {
        made.statements.push(insert(scope, columns, carried, schema));
    }
    made
}

/// The wanted columns that are written so, with the columns beneath and their values.
fn values<'a>(
    columns: &'a Columns<'a>,
    is_written: fn(&WantedColumn) -> bool,
) -> impl Iterator<Item = (&'a str, String, String)> {
    let written = columns.iter().filter(move |(wanted, _)| is_written(wanted));
    written.filter_map(|(wanted, source)| match source.write.as_ref()? {
        (column, Write::As(value)) => Some((&*wanted.name, column.clone(), value.replace('\n', "\n            "))),
        (column, _) => Some((&*wanted.name, column.clone(), format!("NEW.{}", wanted.name))),
    })
}

/// What an UPDATE sets. A value that the statement leaves as it is stays: what the view shows of it may be less than
/// what is there, and someone else may have changed it since.
fn changes(columns: &Columns<'_>, alias: &str) -> Vec<(String, String)> {
    let change = |(name, column, value): (&str, String, String)| {
        let case = format!(
            "CASE WHEN NEW.{name} IS DISTINCT FROM OLD.{name}\n            THEN {value} ELSE {alias}.{column} END"
        );
        (column, case)
    };
    values(columns, |wanted| wanted.is_updated).map(change).collect()
}

fn update(scope: &Scope<'_>, columns: &Columns<'_>, key: &str, schema: &str) -> String {
    let mut set = changes(columns, &scope.alias);
    // The application's client would say when it changed the row.
    let is_stamp = |column: &&Column| {
        !column.has_default && names::column("", "updated_at", &column.name).is_some() && default(column).is_some()
    };
    let stamp = scope.table.columns.iter().find(is_stamp);
    if let Some((column, value)) = stamp.and_then(|column| Some((column, default(column)?)))
        && !set.iter().any(|(written, _)| *written == column.quoted)
    {
        set.push((column.quoted.clone(), value.to_owned()));
    }
    let set: Vec<String> = set.into_iter().map(|(column, value)| format!("{column} = {value}")).collect();
    let (table, alias) = (format!("{}.{}", scope.catalog.quoted, scope.table.quoted), &scope.alias);
    let body =
        format!("    UPDATE {table} {alias}\n    SET {}\n    WHERE {alias}.{key} = OLD.id;\n", set.join(",\n        "));
    trigger(schema, &scope.wanted.relation, "UPDATE", &body)
}

fn insert(scope: &Scope<'_>, columns: &Columns<'_>, carried: &[Carried], schema: &str) -> String {
    let given = values(columns, |wanted| wanted.is_inserted).map(|(_, column, value)| (column, value));
    let mut given: Vec<(String, String)> = given.collect();
    given.extend(carried.iter().map(|one| (one.column.quoted.clone(), format!("NEW.{}", one.name))));
    let (names, values): (Vec<String>, Vec<String>) = given.into_iter().unzip();
    let key = columns.iter().find(|(wanted, source)| wanted.name == "id" && source.is_plain());
    let returning = key.and_then(|(_, source)| source.write.as_ref());
    let returning = returning.map_or(String::new(), |(key, _)| format!("\n    RETURNING {key} INTO NEW.id"));
    // Two lanes of the sync may bring a visit at once. Any other conflict has to be an error.
    let visit = columns.iter().find(|(wanted, _)| wanted.name == "external_id");
    let visit = visit.and_then(|(_, source)| source.write.as_ref()).map(|(column, _)| column);
    let is_unique = |column: &&Column| Some(&column.quoted) == visit && scope.table.is_unique(column);
    let unless_there = scope.table.columns.iter().find(is_unique).map_or(String::new(), |column| {
        format!("\n    ON CONFLICT ({0}) WHERE {0} IS NOT NULL DO NOTHING", column.quoted)
    });
    let body = format!(
        "    INSERT INTO {}.{}\n           ({})\n    VALUES ({}){unless_there}{returning};\n",
        scope.catalog.quoted,
        scope.table.quoted,
        names.join(",\n            "),
        values.join(",\n            ")
    );
    trigger(schema, &scope.wanted.relation, "INSERT", &body)
}

/// A trigger that writes nothing, for a view without a table.
pub fn without_effect(schema: &str, relation: &str, event: &str) -> String {
    trigger(schema, relation, event, "    PERFORM 1 WHERE false;\n")
}

/// A row that was not written must not count as written: the trigger returns NULL for it. Like the view itself, it has
/// the rights of its owner, so nobody else may use the function. It waits for no lock of the application for long.
fn trigger(schema: &str, relation: &str, event: &str, body: &str) -> String {
    let name = format!("{}_{relation}", event.to_lowercase());
    let body =
        format!("\nBEGIN\n{body}    IF NOT FOUND THEN\n        RETURN NULL;\n    END IF;\n    RETURN NEW;\nEND ");
    format!(
        "CREATE OR REPLACE FUNCTION {schema}.{name}() RETURNS trigger\nLANGUAGE plpgsql SECURITY DEFINER\n\
         SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS {};\n\
         REVOKE ALL ON FUNCTION {schema}.{name}() FROM PUBLIC;\n\
         CREATE TRIGGER {name} INSTEAD OF {event} ON {schema}.{relation}\n    \
         FOR EACH ROW EXECUTE FUNCTION {schema}.{name}();",
        dollar_quoted(&body)
    )
}
