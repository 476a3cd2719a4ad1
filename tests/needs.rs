//! `src/clinic/needs.txt`: which columns of the clinic each job needs, as its statements say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::sql::{Statement, prepare_temporary_tables, statements};
use crate::support::Clinic;

const FILE: &str = "src/clinic/needs.txt";
/// The kind of each column of the reference set, as `needs.txt` has it, without the labels.
async fn kinds(clinic: &Clinic) -> BTreeMap<(String, String), (String, Vec<String>)> {
    let query = "
        SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
               (SELECT r.relname::text || '.' || ra.attname FROM pg_constraint f
                JOIN pg_class r ON r.oid = f.confrelid JOIN pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = f.confkey[1]
                WHERE f.contype = 'f' AND f.conrelid = c.oid AND f.conkey[1] = a.attnum LIMIT 1),
               ARRAY(SELECT m[1] FROM pg_constraint k, regexp_matches(pg_get_constraintdef(k.oid), '''([A-Za-z_]+)''::text', 'g') m
                     WHERE k.contype = 'c' AND k.conrelid = c.oid AND k.conkey = ARRAY[a.attnum])
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'rounds'::regnamespace AND c.relkind = 'r' AND c.relname = ANY (
            SELECT DISTINCT m[1] FROM regexp_matches($1, 'CREATE TABLE (\\w+)', 'g') m)";
    let text = include_str!("../migrations/clinic/V0001__clinic.sql");
    let rows = clinic.client.query(query, &[&text]).await.expect("columns");
    let mut out = BTreeMap::new();
    for row in rows {
        let (relation, column, shown): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (refers_to, labels): (Option<String>, Vec<String>) = (row.get(3), row.get(4));
        let kind = match (shown.as_str(), refers_to) {
            ("bigint", Some(key)) => format!("key {key}"),
            ("bigint", None) => "key".to_owned(),
            ("text", _) => "text".to_owned(),
            ("date", _) => "day".to_owned(),
            ("time without time zone", _) => "clock".to_owned(),
            ("timestamp with time zone", _) => "instant".to_owned(),
            ("integer" | "numeric" | "double precision", _) => "number".to_owned(),
            ("boolean", _) => "truth".to_owned(),
            ("jsonb", _) => "json".to_owned(),
            ("interval", _) => "interval".to_owned(),
            (other, _) => panic!("{relation}.{column}: no kind for {other}"),
        };
        out.insert((relation, column), (kind, labels));
    }
    out
}

/// The text in which a statement names labels of a column: behind its name, up to what can end a comparison or a CASE;
/// all of it where rows are inserted, since a value stands there apart from its column. A comparison as text needs none.
fn literals(text: &str, relation: &str, column: &str) -> String {
    // The priority of a policy is compared as text alone; that of a ticket has the same name.
    if (relation, column) == ("sla_policies", "priority") {
        return String::new();
    }
    if text.contains(&format!("INSERT INTO {relation} ")) {
        return text.to_owned();
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = String::new();
    for (at, _) in text.match_indices(column) {
        let (before, after) = (&text[..at], &text[at + column.len()..]);
        if before.ends_with(is_word) || after.starts_with(is_word) {
            continue;
        }
        let after = after.trim_start();
        let end = if after.starts_with("IN (") || after.starts_with("NOT IN (") {
            after.find(')')
        } else if after.starts_with("= '") || after.starts_with("<> '") || after.starts_with("IS DISTINCT FROM '") {
            after.match_indices('\'').nth(1).map(|(at, _)| at + 1)
        } else if before.trim_end().rsplit(' ').next().is_some_and(|word| word.ends_with('.'))
            && (after.starts_with("WHEN") || after.starts_with("::text WHEN"))
        {
            after.find("END")
        } else {
            None
        };
        found += &after[..end.unwrap_or(0)];
    }
    found
}

/// The columns that a statement names, from the server itself: a function with this body depends on them.
async fn columns(clinic: &Clinic, statement: &Statement) -> Vec<(String, String)> {
    let Statement { name, types, text, .. } = statement;
    let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    let prepare = format!("PREPARE p {types} AS {text}");
    clinic.client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let inferred = "SELECT array_to_string(parameter_types, ', ') FROM pg_prepared_statements WHERE name = 'p'";
    let inferred: String = clinic.row(inferred, &[]).await.get(0);
    clinic.sql("DEALLOCATE p").await;
    let create = |returns: &str| {
        format!("CREATE FUNCTION f({inferred}) RETURNS {returns} LANGUAGE sql BEGIN ATOMIC {text}; END")
    };
    if clinic.client.batch_execute(&create("SETOF record")).await.is_err() {
        let error = clinic.client.batch_execute(&create("void")).await.err();
        assert!(error.is_none(), "{name}: {error:?}\n{text}");
    }
    let depends = "SELECT DISTINCT c.relname::text, a.attname::text FROM pg_depend d
                   JOIN pg_class c ON c.oid = d.refobjid
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
                   WHERE d.classid = 'pg_proc'::regclass AND d.objid = 'f'::regproc
                     AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0";
    let rows = clinic.rows(depends).await;
    clinic.sql("DROP FUNCTION f").await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn the_list_of_needed_columns_is_what_the_statements_name() {
    let clinic = Clinic::new().await;
    let kinds = kinds(&clinic).await;
    let statements = statements(&clinic).await;
    prepare_temporary_tables(&clinic, &statements).await;
    let mut needs: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for statement in &statements {
        // What a person does by hand is checked when it is done.
        let by_hand = statement.name.ends_with("_BY_HAND");
        // What a clinic may lack is no need.
        let if_there = statement.name.ends_with("_IF_THERE");
        if statement.jobs.is_empty()
            || by_hand
            || if_there
            || statement.text.contains("npi_todo")
            || statement.text.contains("npi_names")
            || statement.text.contains("npi_stage")
        {
            continue;
        }
        for (relation, column) in columns(&clinic, statement).await {
            let Some((_, labels)) = kinds.get(&(relation.clone(), column.clone())) else { continue };
            for job in &statement.jobs {
                let named = needs.entry((job.clone(), relation.clone(), column.clone())).or_default();
                let wanted = literals(&statement.text, &relation, &column);
                named.extend(labels.iter().filter(|label| wanted.contains(&format!("'{label}'"))).cloned());
            }
        }
    }
    let mut list = String::new();
    for ((job, relation, column), labels) in needs {
        let (kind, _) = &kinds[&(relation.clone(), column.clone())];
        let labels = if labels.is_empty() { String::new() } else { format!(" {}", Vec::from_iter(labels).join(",")) };
        list += &format!("{job} {relation}.{column} {kind}{labels}\n");
    }
    if std::env::var_os("ROUNDS_UPDATE_DOCS").is_some() {
        fs::write(FILE, &list).expect("can be written");
    }
    assert_eq!(fs::read_to_string(Path::new(FILE)).expect("a list"), list, "`make docs` writes it");
}
