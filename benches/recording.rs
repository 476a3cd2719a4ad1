//! A run of the program as a psql script: what it sent, taken from the server's log, so that the script is always what
//! the program does. And the limit: the rows that it changed and inserted, as plain statements from a prepared list.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::process::{output, psql, rounds};

/// A file that lives as long as this.
pub struct ScriptFile(pub PathBuf);

impl ScriptFile {
    fn write(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rounds-bench-{}-{name}.sql", std::process::id()));
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What the server's log tells of one run, as a script for one connection.
pub fn script(log: &str, url: &str) -> ScriptFile {
    let types = types(url);
    let mut text = String::from("SET search_path = rounds;\n");
    for statement in statements(log) {
        text += &statement.as_sql(&types);
        text += ";\n";
    }
    ScriptFile::write("run", &text)
}

/// A message that a run sent.
struct Message<'a> {
    text: String,
    parameters: Vec<&'a str>,
    /// Sent without parameters, maybe several in one message.
    simple: bool,
}

/// The types of the parameters of each statement, by its text.
fn types(url: &str) -> HashMap<String, Vec<String>> {
    let list: Value = serde_json::from_str(&output(&mut rounds(url, "statements"))).expect("a list");
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let one = |statement: &Value| {
        let types = statement["types"].as_array().expect("a list").iter().map(word).collect();
        (squeezed(&word(&statement["text"])), types)
    };
    list.as_array().expect("a list").iter().map(one).collect()
}

/// Without white space, in which the log differs.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The messages of the process that sent most of them: the others beat its heart.
fn statements(log: &str) -> Vec<Message<'_>> {
    let mut by_process: HashMap<&str, Vec<Message<'_>>> = HashMap::new();
    let mut last = "";
    for line in log.lines() {
        if let Some(rest) = line.strip_prefix('\t') {
            if let Some(message) = by_process.get_mut(last).and_then(|all| all.last_mut()) {
                message.text += "\n";
                message.text += rest;
            }
            continue;
        }
        let process =
            line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(process, _)| process);
        let messages = by_process.entry(process).or_default();
        if let Some((_, text)) = line.split_once("LOG:  statement: ") {
            messages.push(Message { text: text.to_owned(), parameters: vec![], simple: true });
        } else if let Some((_, text)) = line.split_once("LOG:  execute <unnamed>: ") {
            messages.push(Message { text: text.to_owned(), parameters: vec![], simple: false });
        } else if let (Some((_, values)), Some(message)) =
            (line.split_once("arameters: ").filter(|(head, _)| head.contains("DETAIL:")), messages.last_mut())
        {
            message.parameters = parameters(values);
            last = "";
            continue;
        }
        last = process;
    }
    by_process.into_values().max_by_key(Vec::len).expect("a run sends something")
}

/// The values of `$1 = '...', $2 = NULL`, as literals.
fn parameters(values: &str) -> Vec<&str> {
    let mut found = vec![];
    let mut rest = values;
    while let Some(at) = rest.find(" = ") {
        rest = &rest[at + 3..];
        let mut end = rest.find(", $").unwrap_or(rest.len());
        if rest.starts_with('\'') {
            // A quotation mark inside is doubled.
            end = 1;
            while end < rest.len() {
                if rest.as_bytes()[end] == b'\'' {
                    if rest.as_bytes().get(end + 1) != Some(&b'\'') {
                        break;
                    }
                    end += 1;
                }
                end += 1;
            }
            end += 1;
        }
        found.push(&rest[..end]);
        rest = &rest[end..];
    }
    found
}

impl Message<'_> {
    /// The types of its parameters. Of a template only some choices are listed: then those of the nearest statement.
    fn types<'t>(&self, types: &'t HashMap<String, Vec<String>>) -> &'t [String] {
        let text = squeezed(&self.text);
        let common = |other: &str| text.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        let fitting = types.iter().filter(|(_, types)| types.len() == self.parameters.len());
        fitting.max_by_key(|(other, _)| (**other == text, common(other))).expect("a statement of the program").1
    }

    /// As the program sends it: parsed with the types of its parameters, and planned for their values. All in one
    /// message. Comments are left out.
    fn as_sql(&self, types: &HashMap<String, Vec<String>>) -> String {
        if self.simple {
            return self.text.replace("; ", "\\; ");
        }
        let lines = self.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n");
        if self.parameters.is_empty() {
            return text;
        }
        let (types, values) = (self.types(types).join(", "), self.parameters.join(", "));
        format!("PREPARE s ({types}) AS {text}\\; EXECUTE s ({values})\\; DEALLOCATE s")
    }
}

/// What a run changes in one table.
pub struct Change {
    pub table: &'static str,
    /// The columns that are set; none: the rows are inserted.
    pub set: &'static [&'static str],
    /// Which rows of the table the run has written.
    pub written: &'static str,
}

/// Copies the written rows of a database after a run into the schema `prepared` of another.
pub fn prepare(after: &str, before: &str, changes: &[Change], batches: usize) {
    let mut make =
        String::from("SET search_path = rounds; DROP SCHEMA IF EXISTS prepared CASCADE; CREATE SCHEMA prepared;\n");
    for (number, Change { table, set, written }) in changes.iter().enumerate() {
        let columns = if set.is_empty() { "t.*".to_owned() } else { format!("t.id, {}", set.join(", ")) };
        let _ = writeln!(
            make,
            "CREATE UNLOGGED TABLE prepared.p{number} AS SELECT {columns}, ntile({batches}) OVER (ORDER BY t.ctid) AS batch
             FROM {table} t WHERE {written};"
        );
    }
    output(psql(after).args(["-c", &make]));
    let dump = output(crate::process::pg_dump(after).args(["-n", "prepared"]));
    let file = ScriptFile::write("prepared", &dump);
    output(psql(before).args(["-c", "DROP SCHEMA IF EXISTS prepared CASCADE", "-f"]).arg(&file.0));
    for number in 0..changes.len() {
        let index = format!("CREATE INDEX ON prepared.p{number} (batch); ANALYZE prepared.p{number}");
        output(psql(before).args(["-c", &index]));
    }
}

/// The limit: each batch of the prepared rows in a transaction, without rule, locks and fence.
pub fn limit(before: &str, changes: &[Change], batches: usize) -> ScriptFile {
    let mut text = String::from("SET search_path = rounds;\n");
    let columns: Vec<String> = changes.iter().map(|change| insertable(before, change.table)).collect();
    for batch in 1..=batches {
        text += "BEGIN;\n";
        for (number, (Change { table, set, .. }, columns)) in changes.iter().zip(&columns).enumerate() {
            let statement = if set.is_empty() {
                format!(
                    "INSERT INTO {table} ({columns}) SELECT {columns} FROM prepared.p{number} WHERE batch = {batch};"
                )
            } else {
                let set: Vec<String> = set.iter().map(|column| format!("{column} = p.{column}")).collect();
                let set = set.join(", ");
                format!("UPDATE {table} t SET {set} FROM prepared.p{number} p WHERE t.id = p.id AND p.batch = {batch};")
            };
            text += &statement;
            text += "\n";
        }
        text += "COMMIT;\n";
    }
    ScriptFile::write("limit", &text)
}

/// The columns of a table that an insert may give.
fn insertable(url: &str, table: &str) -> String {
    let query = format!(
        "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = 'rounds.{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''"
    );
    output(psql(url).args(["-c", &query])).trim().to_owned()
}
