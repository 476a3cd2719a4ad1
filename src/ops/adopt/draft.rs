//! The text of a draft: SQL that psql can run as it is. What a person has to decide is marked `-- ?`.

use std::collections::BTreeMap;

use super::catalog::{Catalog, Table};
use super::index;
use super::names::{self, Match};
use super::reference::Reference;
use super::source::{Scope, Source};
use super::trigger::{self, Columns};
use super::wanted::Wanted;

/// Lines of comments are not longer.
const WIDTH: usize = 79;
const CANDIDATES_MAX: usize = 3;
/// Tables whose names share less than this, in percent, are no candidates.
const LIKENESS_MIN: usize = 45;

pub struct Draft<'a> {
    pub catalog: &'a Catalog,
    pub reference: &'a Reference,
    pub wanted: &'a [Wanted],
    pub jobs: &'a [&'a str],
    /// Our schema, quoted where SQL needs it.
    pub schema: &'a str,
    pub is_schema_there: bool,
}

/// The table that was found for one of ours.
struct Found<'a> {
    table: &'a Table,
    how: Match,
    /// Others that it could be.
    others: Vec<&'a str>,
}

impl Draft<'_> {
    pub fn text(&self) -> String {
        let found: BTreeMap<&str, Found<'_>> =
            self.wanted.iter().filter_map(|wanted| Some((wanted.relation.as_str(), self.find(wanted)?))).collect();
        let tables: BTreeMap<&str, &Table> = found.iter().map(|(relation, found)| (*relation, found.table)).collect();
        let (mut body, mut indexes, mut is_zoneless) = (String::new(), vec![], false);
        for wanted in self.wanted {
            let nearest = self.nearest(wanted);
            let table = found.get(wanted.relation.as_str()).map(|found| found.table);
            let Some(table) = table.or_else(|| nearest.first().copied()) else {
                body += &self.without_table(wanted);
                continue;
            };
            let scope = self.scope(wanted, table, &tables);
            let columns: Vec<_> = wanted.columns.iter().map(|column| (column, scope.source(column))).collect();
            match found.get(wanted.relation.as_str()) {
                Some(found) => {
                    body += &comment("", &format!("{}, over {}", wanted.relation, scope.table.quoted));
                    body += &found.question(wanted);
                    body += &self.view(&scope, &columns);
                    is_zoneless |= columns.iter().any(|(_, source)| source.is_zoneless);
                    indexes.extend(index::missing(self.reference, &scope, &columns));
                }
                None => {
                    let names: Vec<&str> = nearest.iter().map(|table| table.quoted.as_str()).collect();
                    let text = format!(
                        "{}: no such table. Is it {}? As a view over the first:",
                        wanted.relation,
                        names.join(" or ")
                    );
                    body += &question("", &text);
                    body += &self.view(&scope, &columns).lines().map(|line| format!("-- {line}\n")).collect::<String>();
                }
            }
            body.push('\n');
        }
        let indexes = indexes_text(&indexes);
        self.header(&body, is_zoneless) + &body + "COMMIT;\n" + &indexes
    }

    /// The application's table that is called like one of ours, the surest.
    fn find(&self, wanted: &Wanted) -> Option<Found<'_>> {
        let mut found: Vec<(Match, &Table)> = self
            .catalog
            .tables
            .iter()
            .filter_map(|table| Some((names::table(&wanted.relation, &table.name)?, table)))
            .collect();
        found.sort_by_key(|(how, _)| *how);
        let (how, table) = *found.first()?;
        let others = found.iter().skip(1).map(|(_, other)| other.quoted.as_str()).collect();
        Some(Found { table, how, others })
    }

    /// The tables whose names are most alike, or whose columns are called most like ours.
    fn nearest(&self, wanted: &Wanted) -> Vec<&Table> {
        let score = |table: &Table| {
            let called = |name: &str| {
                let how = |column| names::column(&wanted.relation, name, column);
                table.columns.iter().any(|column| matches!(how(&column.name), Some(Match::Same | Match::Known(_))))
            };
            let columns = wanted.columns.iter().filter(|column| column.name != "id");
            let (columns, named): (Vec<_>, Vec<_>) =
                (columns.clone().collect(), columns.filter(|c| called(&c.name)).collect());
            let likeness = names::likeness(&wanted.relation, &table.name);
            (likeness >= LIKENESS_MIN && !named.is_empty()).then(|| likeness + 100 * named.len() / columns.len().max(1))
        };
        let mut nearest: Vec<(usize, &Table)> =
            self.catalog.tables.iter().filter_map(|table| Some((score(table)?, table))).collect();
        nearest.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.name.cmp(&other.1.name)));
        nearest.truncate(CANDIDATES_MAX);
        nearest.into_iter().map(|(_, table)| table).collect()
    }

    fn scope<'b>(&'b self, wanted: &'b Wanted, table: &'b Table, found: &'b BTreeMap<&'b str, &'b Table>) -> Scope<'b> {
        let letter = table.name.chars().next().filter(char::is_ascii_alphabetic).unwrap_or('t');
        let alias = letter.to_ascii_lowercase().to_string();
        Scope { catalog: self.catalog, wanted, table, alias, found }
    }

    /// The statements that make a view, with its defaults and triggers.
    fn view(&self, scope: &Scope<'_>, columns: &Columns<'_>) -> String {
        let view = format!("{}.{}", self.schema, scope.wanted.relation);
        let carried = trigger::carried(scope, columns);
        let made = trigger::triggers(scope, columns, &carried, self.schema);
        let mut lines: Vec<(String, String)> =
            columns.iter().map(|(wanted, source)| column_text(&wanted.name, source)).collect();
        lines.extend(carried.iter().filter_map(|one| {
            let read = one.read.as_ref()?;
            let is_same = read.split_once('.').is_some_and(|(_, name)| name == one.name);
            Some((String::new(), if is_same { read.clone() } else { format!("{read} AS {}", one.name) }))
        }));
        let last = lines.len().saturating_sub(1);
        let mut text = format!("DROP VIEW IF EXISTS {view};\nCREATE VIEW {view} AS\nSELECT\n");
        for (at, (remarks, read)) in lines.iter().enumerate() {
            text += remarks;
            text += &format!("    {}{}\n", read.replace('\n', "\n    "), if at == last { "" } else { "," });
        }
        text += &format!("FROM {}.{} {};\n", self.catalog.quoted, scope.table.quoted, scope.alias);
        for one in &carried {
            match one.statement(&view) {
                Ok(statement) => text += &format!("{statement}\n"),
                Err(why) => text += &question("", &why),
            }
        }
        made.questions.iter().for_each(|why| text += &question("", why));
        made.statements.iter().for_each(|statement| text += &format!("{statement}\n"));
        text
    }

    /// A view for which there is no table, as a comment.
    fn without_table(&self, wanted: &Wanted) -> String {
        let columns: Vec<String> =
            wanted.columns.iter().map(|column| format!("--     t.{0} AS {0}", column.name)).collect();
        let text = format!("{}: no such table, and none that is like it. As a view:", wanted.relation);
        question("", &text)
            + &format!(
                "-- CREATE VIEW {}.{} AS\n-- SELECT\n{}\n-- FROM {}.... t;\n\n",
                self.schema,
                wanted.relation,
                columns.join(",\n"),
                self.catalog.quoted
            )
    }

    fn header(&self, body: &str, is_zoneless: bool) -> String {
        let jobs = self.jobs.join(" ");
        let questions =
            body.lines().filter(|line| line.trim_start().trim_start_matches("-- ").starts_with('?')).count();
        let mut text = comment(
            "",
            &format!(
                "A draft by `rounds adopt`: the views through which {} sees the tables of schema {}. Nothing is made yet.",
                if self.jobs.len() == 1 { jobs.clone() } else { "each of the jobs below".to_owned() },
                self.catalog.quoted
            ),
        );
        if self.jobs.len() > 1 {
            text += &comment("", &format!("Jobs: {}.", self.jobs.join(", ")));
        }
        text += "--\n";
        let marks = match questions {
            0 => "1. Read it. It leaves nothing to decide.".to_owned(),
            count => {
                format!("1. Decide each line that is marked with a question mark ({count} here: grep -n -e '-- ?').")
            }
        };
        for step in [
            marks.as_str(),
            "2. psql -v ON_ERROR_STOP=1 -f THIS_FILE \"$DATABASE_URL\". It can be run again: it makes the views anew, \
             and then their privileges are to be granted again.",
            &format!("3. rounds check {jobs}"),
            "4. Each job with --dry-run, before a scheduler starts it.",
        ] {
            text += &comment("   ", step);
        }
        if is_zoneless {
            text += "--\n";
            text += &comment(
                "",
                "Instants in columns without a time zone are taken as UTC. If the application keeps them in another \
                 zone, write: column AT TIME ZONE 'Area/City' (then no job can write it).",
            );
        }
        text += "\nBEGIN;\n\n";
        if !self.is_schema_there {
            text += &format!("CREATE SCHEMA IF NOT EXISTS {};\n\n", self.schema);
        }
        text
    }
}

impl Found<'_> {
    /// The name is a question where it is another than ours, or where there are several.
    fn question(&self, wanted: &Wanted) -> String {
        let others =
            if self.others.is_empty() { String::new() } else { format!(" Or is it {}?", self.others.join(" or ")) };
        match self.how {
            Match::Same if self.others.is_empty() => String::new(),
            Match::Same => comment("", others.trim_start()),
            _ => question("", &format!("Is {} what rounds calls {}?{others}", self.table.quoted, wanted.relation)),
        }
    }
}

/// The remarks on a column of a view, and its expression.
fn column_text(name: &str, source: &Source) -> (String, String) {
    let mut remarks = String::new();
    source.questions.iter().for_each(|text| remarks += &question("    ", &format!("{name}: {text}")));
    source.notes.iter().for_each(|text| remarks += &indented(&format!("{name}: {text}")));
    let is_same = source.read.split_once('.').is_some_and(|(_, column)| column == name);
    (remarks, if is_same { source.read.clone() } else { format!("{} AS {name}", source.read) })
}

fn indexes_text(statements: &[String]) -> String {
    if statements.is_empty() {
        return String::new();
    }
    let intro = "Indexes that the scans of the jobs need, and that are not there. Make each by itself, outside a \
                 transaction; without them a scan reads the whole table.";
    let lines = statements.iter().flat_map(|statement| statement.lines());
    let lines: String = lines.map(|line| format!("-- {line}\n")).collect();
    format!("\n{}{lines}", comment("", intro))
}

fn question(indent: &str, text: &str) -> String {
    wrapped(text, &format!("{indent}-- ? "), &format!("{indent}--   "))
}

fn indented(text: &str) -> String {
    wrapped(text, "    -- ", "    --   ")
}

fn comment(hanging: &str, text: &str) -> String {
    wrapped(text, "-- ", &format!("-- {hanging}"))
}

/// A text in lines of a limited width. A longer word has a line of its own.
fn wrapped(text: &str, first: &str, next: &str) -> String {
    let (mut out, mut line) = (String::new(), first.to_owned());
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out += line.trim_end();
            out.push('\n');
            line = next.to_owned();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    out + line.trim_end() + "\n"
}
