//! What a view needs so that the jobs can write through it: defaults for what the application's client makes, and
//! triggers where a written column is no plain one.

use super::adapt::Write;
use super::catalog::Column;
use super::names;
use super::source::{Scope, Source};
use super::wanted::WantedColumn;

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
    let lacking = scope.table.columns.iter().filter(|column| column.is_required && !column.has_default);
    let lacking = lacking.filter(|column| !reads(column).is_some_and(|(wanted, _)| wanted.is_inserted));
    let carry = |column: &Column| {
        let is_taken = columns.iter().any(|(wanted, _)| wanted.name == column.name);
        let own = if is_taken { format!("app_{}", column.name) } else { column.quoted.clone() };
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

/// The columns beneath and their values, of those that are written so.
fn values(columns: &Columns<'_>, is_written: fn(&WantedColumn) -> bool) -> Vec<(String, String)> {
    let written = columns.iter().filter(|(wanted, _)| is_written(wanted));
    let value = |(wanted, source): &(&WantedColumn, Source)| match source.write.as_ref()? {
        (column, Write::As(value)) => Some((column.clone(), value.replace('\n', "\n            "))),
        (column, _) => Some((column.clone(), format!("NEW.{}", wanted.name))),
    };
    written.filter_map(value).collect()
}

fn update(scope: &Scope<'_>, columns: &Columns<'_>, key: &str, schema: &str) -> String {
    let mut set = values(columns, |wanted| wanted.is_updated);
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
    let mut given = values(columns, |wanted| wanted.is_inserted);
    given.extend(carried.iter().map(|one| (one.column.quoted.clone(), format!("NEW.{}", one.name))));
    let (names, values): (Vec<String>, Vec<String>) = given.into_iter().unzip();
    let key = columns.iter().find(|(wanted, source)| wanted.name == "id" && source.is_plain());
    let returning = key.and_then(|(_, source)| source.write.as_ref());
    let returning = returning.map_or(String::new(), |(key, _)| format!("\n    RETURNING {key} INTO NEW.id"));
    let body = format!(
        "    INSERT INTO {}.{}\n           ({})\n    VALUES ({})\n    ON CONFLICT DO NOTHING{returning};\n",
        scope.catalog.quoted,
        scope.table.quoted,
        names.join(",\n            "),
        values.join(",\n            ")
    );
    trigger(schema, &scope.wanted.relation, "INSERT", &body)
}

/// A row that was not written must not count as written: the trigger returns NULL for it. Like the view itself, it has
/// the rights of its owner.
fn trigger(schema: &str, relation: &str, event: &str, body: &str) -> String {
    let name = format!("{}_{relation}", event.to_lowercase());
    format!(
        "CREATE OR REPLACE FUNCTION {schema}.{name}() RETURNS trigger\nLANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = pg_catalog, pg_temp AS $$\nBEGIN\n{body}    IF NOT FOUND THEN\n        RETURN NULL;\n    \
         END IF;\n    RETURN NEW;\nEND $$;\nCREATE TRIGGER {name} INSTEAD OF {event} ON {schema}.{relation}\n    \
         FOR EACH ROW EXECUTE FUNCTION {schema}.{name}();"
    )
}
