//! The text of a draft: SQL that psql can run as it is. What a person has to decide is marked `-- ?`.

use std::collections::BTreeMap;

use super::catalog::{Catalog, Table};
use super::deleted;
use super::index;
use super::lacking;
use super::names::{self, Match};
use super::reference::Reference;
use super::source::{Scope, Source};
use super::trigger::{self, Columns};
use super::wanted::Wanted;
use crate::ops::names::{commented, wrapped};
use crate::ops::privileges::ROW_LOCK;

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
    /// Whether they are all that there are.
    pub is_for_all: bool,
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
            let own = found.get(wanted.relation.as_str());
            let nearest = if own.is_some() { vec![] } else { self.nearest(wanted) };
            let Some(table) = own.map(|found| found.table).or_else(|| nearest.first().copied()) else {
                let text = format!(
                    "{}: no such table, and none that is like it. An application without such a thing keeps it so: \
                     without rows. Then:\n{}",
                    wanted.relation,
                    lacking::view(self.catalog, &tables, wanted, self.schema)
                );
                body += &(question("", &text) + "\n");
                continue;
            };
            let scope = self.scope(wanted, table, &tables);
            let columns: Vec<_> = wanted.columns.iter().map(|column| (column, scope.source(column))).collect();
            match own {
                Some(found) => {
                    body += &comment(
                        "",
                        &format!("{}, over {}.{}", wanted.relation, self.catalog.quoted, scope.table.quoted),
                    );
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
                    body += &commented(&self.view(&scope, &columns), "");
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
        if scope.wanted.is_only_locked {
            let what = format!("{ROW_LOCK}: whoever may update this may lock the row, and write nothing.");
            lines.push((indented(&what), format!("NULL::boolean AS {ROW_LOCK}")));
        }
        let last = lines.len().saturating_sub(1);
        let mut text = format!("DROP VIEW IF EXISTS {view};\nCREATE VIEW {view} AS\nSELECT\n");
        for (at, (remarks, read)) in lines.iter().enumerate() {
            text += remarks;
            text += &format!("    {}{}\n", read.replace('\n', "\n    "), if at == last { "" } else { "," });
        }
        text += &format!("FROM {}.{} {}", self.catalog.quoted, scope.table.quoted, scope.alias);
        text +=
            &deleted::question(scope).map_or_else(|| ";\n".to_owned(), |why| format!("\n{};\n", question("", &why)));
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

    fn header(&self, body: &str, is_zoneless: bool) -> String {
        let (jobs, names) = if self.is_for_all {
            (String::new(), "all jobs".to_owned())
        } else {
            (format!(" {}", self.jobs.join(" ")), self.jobs.join(", "))
        };
        let questions = body.lines().filter(|line| line.contains("-- ? ")).count();
        let views = format!("Views over the tables of schema {}, for {}:", self.catalog.quoted, names);
        let mut text = comment("", &format!("{views} a draft by `rounds adopt`, which has made nothing."));
        text += "--\n";
        let marks = match questions {
            0 => "1. Read it. It leaves nothing to decide.".to_owned(),
            count => {
                format!("1. Decide what is marked with a question mark: {count} lines with `-- ?`.")
            }
        };
        for step in [
            marks.as_str(),
            "2. psql -v ON_ERROR_STOP=1 -f THIS_FILE \"$DATABASE_URL\". It can be run again: it makes the views anew. \
             Then grant privileges on them: `rounds grants`.",
            &format!("3. rounds check{jobs}"),
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
        text += "\nBEGIN;\nSET LOCAL client_min_messages = warning;\n\n";
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
    format!("\n{}{}", comment("", intro), commented(&statements.join("\n"), ""))
}

fn question(indent: &str, text: &str) -> String {
    remark(text, &format!("{indent}-- ? "), &format!("{indent}--   "))
}

fn indented(text: &str) -> String {
    remark(text, "    -- ", "    --   ")
}

fn comment(hanging: &str, text: &str) -> String {
    remark(text, "-- ", &format!("-- {hanging}"))
}

/// A text in lines of a limited width. What follows a line break is SQL, which is not broken.
fn remark(text: &str, first: &str, next: &str) -> String {
    let (text, sql) = text.split_once('\n').unwrap_or((text, ""));
    let indent = next.split('-').next().unwrap_or_default();
    let sql = if sql.is_empty() { String::new() } else { commented(sql, indent) };
    wrapped(text, WIDTH, first, next).join("\n") + "\n" + &sql
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Column;
    use super::super::wanted::wanted;
    use super::*;

    fn table(name: &str, quoted: &str, columns: &[(&str, &str)]) -> Table {
        let column = |(name, base): &(&str, &str)| Column {
            name: (*name).to_owned(),
            quoted: if name.chars().any(char::is_uppercase) { format!("\"{name}\"") } else { (*name).to_owned() },
            base: (*base).to_owned(),
            shown: (*base).to_owned(),
            ..Column::default()
        };
        let columns = columns.iter().map(column).collect();
        Table { name: name.to_owned(), quoted: quoted.to_owned(), columns, ..Table::default() }
    }

    fn text(tables: Vec<Table>) -> String {
        let (catalog, reference) = (Catalog { quoted: "\"My App\"".to_owned(), tables }, Reference::read());
        let jobs = ["escalate-sla"];
        let wanted = wanted(&jobs, &reference);
        Draft {
            catalog: &catalog,
            reference: &reference,
            wanted: &wanted,
            jobs: &jobs,
            is_for_all: false,
            schema: "rounds",
            is_schema_there: true,
        }
        .text()
    }

    #[test]
    fn a_table_without_its_name_is_commented_out_and_candidates_are_ranked() {
        let draft = text(vec![
            table("Department", "\"Department\"", &[("id", "int4"), ("hospitalId", "int4")]),
            table("cases", "cases", &[("id", "int4"), ("status", "text")]),
            table("px_case_items", "px_case_items", &[("id", "int4"), ("status", "text"), ("dueAt", "timestamptz")]),
        ]);
        assert!(draft.contains("d.\"hospitalId\" AS facility_id\nFROM \"My App\".\"Department\" d;\n"), "{draft}");
        assert!(draft.contains("-- ? px_cases: no such table. Is it px_case_items or cases?"), "{draft}");
        assert!(draft.contains("\n--     p.\"dueAt\" AS due_at,\n"), "{draft}");
        assert!(draft.contains("-- ? facilities: no such table, and none that is like it."), "{draft}");
        let statements = draft.lines().filter(|line| line.starts_with("CREATE VIEW"));
        assert_eq!(statements.collect::<Vec<_>>(), ["CREATE VIEW rounds.departments AS"]);
    }

    #[test]
    fn a_table_that_a_job_only_locks_has_a_column_for_that() {
        let (catalog, reference) = (
            Catalog {
                quoted: "app".to_owned(),
                tables: vec![
                    table("tickets", "tickets", &[("id", "int4")]),
                    table("users", "users", &[("id", "int4")]),
                ],
            },
            Reference::read(),
        );
        let text = |jobs: &[&str]| {
            let wanted = wanted(jobs, &reference);
            let (catalog, reference, wanted) = (&catalog, &reference, &wanted[..]);
            Draft { catalog, reference, wanted, jobs, is_for_all: false, schema: "rounds", is_schema_there: true }
                .text()
        };
        let locks = |draft: &str| draft.matches("    NULL::boolean AS row_lock\nFROM app.tickets t;").count();
        assert_eq!(locks(&text(&["monitor-ticket-sla"])), 1, "{}", text(&["monitor-ticket-sla"]));
        assert_eq!(locks(&text(&["escalate-tickets"])), 0, "it writes tickets");
    }

    #[test]
    fn a_name_that_two_tables_have_is_asked_for() {
        let id = [("id", "int4")];
        let draft = text(vec![table("hospitals", "hospitals", &id), table("sites", "sites", &id)]);
        assert!(draft.contains("-- ? Is hospitals what rounds calls facilities? Or is it sites?"), "{draft}");
    }

    #[test]
    fn comments_are_broken_and_sql_is_not() {
        let words = "word ".repeat(30);
        let text = question("    ", &format!("{words}\nSELECT {words};"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("    -- ? word") && lines[1].starts_with("    --   word"), "{text}");
        assert!(lines[..2].iter().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(lines.last().map(|line| line.len()), Some(format!("    -- SELECT {words};").len()), "{text}");
    }
}
