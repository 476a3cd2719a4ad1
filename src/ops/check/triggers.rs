//! The application's functions that run in a job's transaction, because it writes their tables: triggers, defaults,
//! checks.
//!
//! Rule: a function is told of if and only if it has no `search_path` of its own and names, without a schema, something
//! that is in another schema than the server's and ours; or if it has no `row_security` of its own and names a table
//! whose policies would hide rows. What it names is found in its text, so it may be a word that means something else.

use std::collections::BTreeSet;

use tokio_postgres::Transaction;

use super::catalog::Catalog;
use super::finding::{Findings, Remedy, Section, Topic};
use crate::db::{Row, SchemaName, statements};
use crate::error::Error;
use crate::ops::privileges;

statements! {
    FUNCTIONS(INT8_ARRAY) = include_str!("triggers.sql");
    NAMES(TEXT, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, INT8) = include_str!("names.sql");
}

pub async fn look(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    catalog: &Catalog,
    job: &'static str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let tables = written_tables(catalog, job);
    if tables.is_empty() {
        return Ok(());
    }
    let functions = FUNCTIONS.all(tx, &[&tables]).await?;
    let mut section = findings.section(Some(job), Topic::Triggers);
    let mut is_whole = true;
    for function in &functions {
        is_whole &= look_at(tx, schema, function, &mut section).await?;
    }
    if is_whole && !functions.is_empty() {
        section.ok(match functions.len() {
            1 => "1 function runs when the job writes; no bare name was found in it".to_owned(),
            count => format!("{count} functions run when the job writes; no bare name was found in them"),
        });
    }
    Ok(())
}

/// The tables of the clinic that the job writes, and views whose triggers write in their place.
fn written_tables(catalog: &Catalog, job: &str) -> Vec<i64> {
    let mut ids = BTreeSet::new();
    for name in privileges::written(job).keys() {
        let Some(relation) = catalog.named(name).filter(|relation| !relation.is_ours) else { continue };
        ids.insert(relation.id);
        if relation.has_trigger() {
            // Whichever of these its trigger writes.
            ids.extend(catalog.tables_beneath(name).iter().map(|(table, _)| table.id));
        }
        ids.extend(catalog.table_of(name).map(|table| table.id));
    }
    ids.into_iter().collect()
}

/// Looks at one function; whether there is nothing to tell.
async fn look_at(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    function: &Row,
    section: &mut Section<'_>,
) -> Result<bool, Error> {
    let used = Used::of(function.get("body"));
    let names = |pick: fn(&Name) -> bool| -> Vec<&str> {
        used.0.iter().filter(|name| pick(name)).map(|name| name.name.as_str()).collect()
    };
    let relations = names(|name| name.kind == Kind::Relation);
    let (functions, types) = (names(|name| name.kind == Kind::Function), names(|name| name.kind == Kind::Type));
    let runs_as = function.get::<_, bool>("is_definer").then(|| function.get::<_, i64>("owner"));
    let found = NAMES.all(tx, &[&schema.as_str(), &relations, &functions, &types, &runs_as]).await?;
    let (shown, tables): (&str, &str) = (function.get("function"), function.get("tables"));
    let is_bare = |name: &str| used.0.iter().any(|one| one.name == name && one.schema.is_none());
    let bare: Vec<&Row> = found.iter().filter(|row| is_bare(row.get("name"))).collect();
    let mut is_whole = true;
    if !function.get::<_, bool>("has_path") && !bare.is_empty() {
        is_whole = false;
        let named: BTreeSet<&str> = bare.iter().map(|row| row.get("name")).collect();
        let own: &str = function.get("schema");
        let mut path: BTreeSet<&str> = bare.iter().map(|row| row.get("shown")).collect();
        let first: &str = function.get("schema_shown");
        path.remove(first);
        let rest: Vec<String> = path.into_iter().map(|schema| format!(", {schema}")).collect();
        let first = if own == schema.as_str() || own == "pg_catalog" { "" } else { first };
        let path = format!("{first}{}", rest.concat());
        let path = path.trim_start_matches(", ");
        section.warn(
            format!(
                "{shown} runs when {tables} is written, and names {} without a schema; a job's search_path has only \
                 pg_catalog and {schema}, so the write would fail",
                Vec::from_iter(named).join(", ")
            ),
            Remedy::sql(format!("ALTER FUNCTION {shown} SET search_path = {path}, pg_temp;")),
        );
    }
    let hidden: BTreeSet<&str> =
        found.iter().filter(|row| row.get("has_policies")).map(|row| row.get("name")).collect();
    if !function.get::<_, bool>("has_row_security") && !hidden.is_empty() {
        is_whole = false;
        section.warn(
            format!(
                "{shown} runs when {tables} is written, and names {}, whose policies would hide rows; a job has \
                 row_security = off, which makes that an error",
                Vec::from_iter(hidden).join(", ")
            ),
            Remedy::advice(
                "let the function see all rows: make it SECURITY DEFINER, and its owner a role with BYPASSRLS that \
                 nobody logs in as; an administrator of the server does that",
            ),
        );
    }
    Ok(is_whole)
}

/// The names in the text of a function.
struct Used(Vec<Name>);

#[derive(Debug, PartialEq)]
struct Name {
    schema: Option<String>,
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Relation,
    Function,
    Type,
}

impl Used {
    fn of(body: &str) -> Self {
        let tokens = tokens(body);
        let mut names = vec![];
        for (at, token) in tokens.iter().enumerate() {
            let Token::Name(path) = token else { continue };
            let before = at.checked_sub(1).map(|at| &tokens[at]);
            let is_called = matches!(tokens.get(at + 1), Some(Token::Other('(')));
            let kind = match before {
                Some(Token::Name(word)) if word.len() == 1 && introduces_a_relation(&word[0]) => Kind::Relation,
                // The list of a FROM goes on with a comma; so do others, whose names are columns.
                Some(Token::Other(':')) => Kind::Type,
                _ if is_called => Kind::Function,
                Some(Token::Other(',')) => Kind::Relation,
                _ => continue,
            };
            let (name, schema) = path
                .split_last()
                .map_or((String::new(), None), |(name, schema)| (name.clone(), schema.last().cloned()));
            let kind = if kind == Kind::Relation
                && is_called
                && !matches!(before, Some(Token::Name(word)) if word[0] == "into")
            {
                Kind::Function
            } else {
                kind
            };
            names.push(Name { schema, name, kind });
        }
        Self(names)
    }
}

fn introduces_a_relation(word: &str) -> bool {
    matches!(word, "from" | "join" | "into" | "update" | "table" | "only" | "using")
}

enum Token {
    /// A name with the schema or the alias before it; in small letters unless it is quoted.
    Name(Vec<String>),
    Other(char),
}

/// The words and signs of a text, without comments and literals.
fn tokens(body: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (vec![], body);
    while let Some(c) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if c == '\'' {
            rest = rest[1..].split_once('\'').map_or("", |(_, after)| after);
        } else if c == '"' || c.is_alphabetic() || c == '_' {
            let (path, after) = path(rest);
            tokens.push(Token::Name(path));
            rest = after;
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Other(c));
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    tokens
}

/// A name with dots, and the text behind it.
fn path(text: &str) -> (Vec<String>, &str) {
    let (mut path, mut rest) = (vec![], text);
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (name, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            path.push(name.to_owned());
            rest = after;
        } else {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            path.push(rest[..end].to_lowercase());
            rest = &rest[end..];
        }
        let starts_name = |c: char| c.is_alphabetic() || c == '_' || c == '"';
        match rest.strip_prefix('.') {
            Some(after) if after.starts_with(starts_name) => rest = after,
            _ => return (path, rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str, kind: Kind) -> Vec<String> {
        let of_kind = Used::of(body).0.into_iter().filter(|name| name.kind == kind);
        let shown = |name: Name| name.schema.map_or(name.name.clone(), |schema| format!("{schema}.{}", name.name));
        of_kind.map(shown).collect()
    }

    #[test]
    fn the_names_in_a_function_are_found() {
        let body = "BEGIN -- FROM a_comment\n INSERT INTO Audit_Log (visit) VALUES (NEW.id, 'FROM text');\n\
                    PERFORM notify_all(NEW.id); UPDATE app.\"Visit\" v SET x = y::app_status;\n\
                    SELECT 1 FROM t JOIN u ON true;\n\
                    RETURN NEW; END";
        assert_eq!(names(body, Kind::Relation), ["audit_log", "app.Visit", "t", "u"]);
        assert!(names(body, Kind::Function).contains(&"notify_all".to_owned()));
        assert_eq!(names(body, Kind::Type), ["app_status"]);
    }
}
