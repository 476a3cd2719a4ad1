//! Where the value of a wanted column comes from: the table's own column, or one that a foreign key leads to, or nowhere.

use std::collections::BTreeMap;

use super::adapt::{Adapted, Write, adapt};
use super::catalog::{Catalog, Column, Table};
use super::names::{self, Match};
use super::null_type::null_type;
use super::wanted::{Wanted, WantedColumn};
use crate::clinic::fit::Kind;

/// Names that say too little to be looked for in another table.
const GENERIC: [&str; 13] = [
    "id",
    "created_at",
    "updated_at",
    "status",
    "active",
    "name",
    "source",
    "number",
    "email",
    "phone",
    "position",
    "start_time",
    "end_time",
];
/// What a person may write where there is no such column.
const HINTS: [(&str, &str); 6] = [
    ("time_zone", "Write it, such as 'America/Denver'; one for each:\nCASE {id} WHEN '...' THEN 'America/Denver' END"),
    ("sms_opt_out", "If nobody can say so: false."),
    ("active", "If all are: true."),
    ("is_blocked", "If there is no such thing: false."),
    ("is_leader", "If all of them do: true."),
    ("position", "If they have no order: 0."),
];
/// Candidates whose names share less than this, in percent, are not told.
const LIKENESS_MIN: usize = 45;
const CANDIDATES_MAX: usize = 3;

/// A table beneath a view, and what is around it.
pub struct Scope<'a> {
    pub catalog: &'a Catalog,
    pub wanted: &'a Wanted,
    pub table: &'a Table,
    /// The name of the table in the view.
    pub alias: String,
    /// The tables that were found for ours.
    pub found: &'a BTreeMap<&'a str, &'a Table>,
}

/// The value of a column of a view.
pub struct Source {
    pub read: String,
    /// The column beneath that a job's value is written to, and the value; None: it cannot be written.
    pub write: Option<(String, Write)>,
    pub questions: Vec<String>,
    pub notes: Vec<String>,
    /// Whether it is an instant without a zone.
    pub is_zoneless: bool,
}

impl Scope<'_> {
    /// Where the value of a wanted column comes from.
    pub fn source(&self, wanted: &WantedColumn) -> Source {
        let mut source = self.find(wanted);
        let has_role = self.wanted.columns.iter().any(|column| column.name == "role");
        if wanted.relation == "users" && wanted.name == (if has_role { "role" } else { "id" }) {
            source.questions.push(format!(
                "Every row is staff to rounds, and may be told of patients. Leave others out, such as patients or \
                 customers, after FROM:\nWHERE {}",
                self.staff(wanted)
            ));
        }
        source
    }

    /// The beginning of a condition that only staff meets.
    fn staff(&self, wanted: &WantedColumn) -> String {
        let role = WantedColumn { name: "role".to_owned(), kind: Kind::Text { labels: "" }, ..wanted.clone() };
        let read = self.find(&role).read;
        if read.starts_with("NULL::") { "...".to_owned() } else { format!("{read} NOT IN ('...')") }
    }

    fn find(&self, wanted: &WantedColumn) -> Source {
        let mut misfit = None;
        let matching = self.matching(wanted);
        // Where the start is an instant, the day is in it.
        let start = WantedColumn { name: "start_time".to_owned(), ..wanted.clone() };
        let start =
            if matches!(wanted.kind, Kind::Day) && matching.is_empty() { self.matching(&start) } else { vec![] };
        for (how, column) in matching.into_iter().chain(start) {
            match adapt(wanted, how, column, &self.named(column)) {
                Ok(adapted) => return self.own(wanted, column, how, adapted),
                Err(why) => _ = misfit.get_or_insert(why),
            }
        }
        if let Some(column) = self.only_reference(wanted)
            && let Ok(adapted) = adapt(wanted, Match::Same, column, &self.named(column))
        {
            let mut source = self.own(wanted, column, Match::Same, adapted);
            source
                .questions
                .push(format!("Taken for it: {}, the only foreign key to that table. Is that right?", column.quoted));
            return source;
        }
        let other = if misfit.is_some() { None } else { self.constant(wanted).or_else(|| self.elsewhere(wanted)) };
        other.unwrap_or_else(|| self.nothing(wanted, misfit))
    }

    /// A column as the view calls it.
    pub fn named(&self, column: &Column) -> String {
        format!("{}.{}", self.alias, column.quoted)
    }

    /// The table's columns that mean the wanted one, the surest first. One that another wanted column is called like is
    /// not taken for it.
    fn matching(&self, wanted: &WantedColumn) -> Vec<(Match, &Column)> {
        let relation = &self.wanted.relation;
        let others = || self.wanted.columns.iter().filter(|other| other.name != wanted.name);
        let is_taken = |column: &Column| {
            others().any(|other| names::column(relation, &other.name, &column.name) == Some(Match::Same))
        };
        let mut found: Vec<(Match, &Column)> = self
            .table
            .columns
            .iter()
            .filter_map(|column| Some((names::column(relation, &wanted.name, &column.name)?, column)))
            .filter(|(how, column)| *how == Match::Same || !is_taken(column))
            .collect();
        found.sort_by_key(|(how, _)| *how);
        found
    }

    fn own(&self, wanted: &WantedColumn, column: &Column, how: Match, adapted: Adapted) -> Source {
        let Adapted { read, write, mut questions, mut notes } = adapted;
        if wanted.is_written() && matches!(write, Write::Never) {
            questions.push("A job writes it, and this expression cannot be written.".to_owned());
        }
        // Who is active and deleted is not active.
        let opposite = self.matching(wanted).into_iter().find(|(how, _)| *how == Match::Opposite);
        if let (false, Kind::Truth, Some((_, other))) = (how == Match::Opposite, wanted.kind, opposite) {
            let both = adapt(wanted, Match::Opposite, other, &self.named(other));
            let both = both.map_or(String::new(), |both| format!("\n{read} AND {}", both.read));
            questions.push(format!("There is {}, too. If it counts:{both}", other.quoted));
        }
        if wanted.is_updated && column.is_required && wanted.may_be_null() {
            notes.push(format!("{} may not be NULL: a job that would write none fails for the row.", column.quoted));
        }
        let is_zoneless = matches!(wanted.kind, Kind::Instant) && column.base == "timestamp";
        let write = if matches!(write, Write::Never) { None } else { Some((column.quoted.clone(), write)) };
        Source { read, write, questions, notes, is_zoneless }
    }

    /// The only foreign key of the table to the table that the wanted key refers to.
    fn only_reference(&self, wanted: &WantedColumn) -> Option<&Column> {
        let Kind::Key { refers_to: Some((relation, _)) } = wanted.kind else { return None };
        let target = self.found.get(relation)?;
        let mut keys = self.table.foreign_keys.iter().filter(|key| key.table == target.name);
        match (keys.next(), keys.next()) {
            (Some(key), None) => self.table.column(&key.column),
            _ => None,
        }
    }

    /// What is the same for every row, or made from several columns.
    fn constant(&self, wanted: &WantedColumn) -> Option<Source> {
        let column = |name: &str| {
            let of_name = |column: &&Column| names::column("", name, &column.name).is_some();
            self.table.columns.iter().find(of_name)
        };
        match (wanted.relation.as_str(), wanted.name.as_str()) {
            ("appointments", "source") if !wanted.is_written() => {
                let note = "No such column: every visit counts as booked in the application itself.";
                Some(Source::read("'LOCAL'::text", note, false))
            }
            (_, "id") => self.key(wanted),
            (_, "name") => {
                let (first, last) = (self.named(column("first_name")?), self.named(column("last_name")?));
                Some(Source::read(format!("concat_ws(' ', {first}, {last})"), "", false))
            }
            _ => None,
        }
    }

    /// The key where it is not called id.
    fn key(&self, wanted: &WantedColumn) -> Option<Source> {
        let is_key = |column: &&Column| column.is_required && self.table.is_unique(column);
        let column = self.table.columns.iter().find(is_key)?;
        let adapted = adapt(wanted, Match::Same, column, &self.named(column)).ok()?;
        let mut source = self.own(wanted, column, Match::Same, adapted);
        source.notes.push(format!("{} is unique.", column.quoted));
        Some(source)
    }

    /// A column of a table to which a foreign key leads, one row for each.
    fn elsewhere(&self, wanted: &WantedColumn) -> Option<Source> {
        if wanted.is_written() {
            return None;
        }
        let inner = if self.alias == "o" { "p" } else { "o" };
        let mut best: Option<(Match, Source)> = None;
        for (other, condition) in self.neighbours(inner) {
            for column in &other.columns {
                // A user's role is the name of the row that roleId refers to.
                let is_name = column.name == "name" && condition.names(&format!("{}_id", wanted.name));
                let is_generic = GENERIC.contains(&wanted.name.as_str());
                let how = match names::column(&wanted.relation, &wanted.name, &column.name) {
                    Some(how @ (Match::Same | Match::Known(_))) if !is_generic => how,
                    _ if is_name => Match::Same,
                    _ => continue,
                };
                // The key that joins the two tables is here already.
                if condition.text.starts_with(&format!("{inner}.{} =", column.quoted)) {
                    continue;
                }
                let Ok(adapted) = adapt(wanted, how, column, &format!("{inner}.{}", column.quoted)) else { continue };
                if best.as_ref().is_some_and(|(before, _)| *before <= how) {
                    continue;
                }
                let table = format!("{}.{}", self.catalog.quoted, other.quoted);
                let read = format!("(SELECT {} FROM {table} {inner} WHERE {})", adapted.read, condition.text);
                let mut source = Source::read(
                    read,
                    format!("Taken from {}, by {}. Is that right?", other.quoted, condition.by),
                    true,
                );
                source.questions.extend(adapted.questions);
                source.notes.extend(adapted.notes);
                best = Some((how, source));
            }
        }
        best.map(|(_, source)| source)
    }

    /// The tables that a foreign key of this one refers to, and those that refer to it at most once a row.
    fn neighbours(&self, inner: &str) -> Vec<(&Table, Condition)> {
        let alias = &self.alias;
        let join = |there: &Column, here: &Column, by: &Column| Condition {
            text: format!("{inner}.{} = {alias}.{}", there.quoted, here.quoted),
            by: by.quoted.clone(),
            column: by.name.clone(),
        };
        let forth = self.table.foreign_keys.iter().filter_map(|key| {
            let other = self.catalog.table(&key.table)?;
            let here = self.table.column(&key.column)?;
            Some((other, join(other.column(&key.key)?, here, here)))
        });
        let back = self.catalog.tables.iter().flat_map(|other| {
            let keys = other.foreign_keys.iter().filter(|key| key.table == self.table.name);
            keys.filter_map(move |key| Some((other, other.column(&key.column)?, self.table.column(&key.key)?)))
        });
        let back = back
            .filter(|(other, there, _)| other.is_unique(there))
            .map(|(other, there, here)| (other, join(there, here, there)));
        forth.chain(back).filter(|(other, _)| other.name != self.table.name).collect()
    }

    /// No value: what the column means, and which columns might have it.
    fn nothing(&self, wanted: &WantedColumn, misfit: Option<String>) -> Source {
        let mut candidates: Vec<(usize, String)> = self
            .table
            .columns
            .iter()
            .filter(|column| adapt(wanted, Match::Same, column, "").is_ok())
            .map(|column| {
                // A column of another kind is less likely the one.
                let is_of_kind = wanted.kind.takes(&column.base);
                let likeness = names::likeness(&wanted.name, &column.name);
                (if is_of_kind { likeness } else { likeness / 2 }, column.quoted.clone())
            })
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .collect();
        candidates.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        candidates.truncate(CANDIDATES_MAX);
        let names: Vec<String> = candidates.into_iter().map(|(_, name)| name).collect();
        let may_stay = wanted.may_be_null() && !wanted.is_written() && names.is_empty() && misfit.is_none();
        let first = wanted.meaning.split_inclusive(". ").next().unwrap_or_default().trim_end();
        // What follows a line break is SQL, after which nothing is said.
        let misfit = misfit.map(|why| if why.contains('\n') { why } else { format!("{why}.") });
        let mut text = misfit.unwrap_or_else(|| format!("No such column. {first}"));
        if !names.is_empty() {
            text += &format!(" Is it {}?", names.join(" or "));
        }
        if let Some((_, hint)) = HINTS.iter().find(|(name, _)| *name == wanted.name) {
            let id = self.table.columns.iter().find(|column| column.name == "id");
            let id = id.or(self.table.columns.first()).map_or(String::new(), |column| self.named(column));
            text += &format!(" {}", hint.replace("{id}", &id));
        }
        Source::read(format!("NULL::{}", null_type(self.catalog, self.found, wanted)), text, !may_stay)
    }
}

/// How a row of another table belongs to one of this.
struct Condition {
    text: String,
    by: String,
    column: String,
}

impl Condition {
    fn names(&self, column: &str) -> bool {
        names::column("", column, &self.column) == Some(Match::Same)
    }
}

impl Source {
    /// An expression that cannot be written, with what is to be said of it.
    fn read(read: impl Into<String>, text: impl Into<String>, is_question: bool) -> Self {
        let text: Vec<String> = Some(text.into()).filter(|text| !text.is_empty()).into_iter().collect();
        let (questions, notes) = if is_question { (text, vec![]) } else { (vec![], text) };
        Self { read: read.into(), write: None, questions, notes, is_zoneless: false }
    }

    /// Whether a value is written through the view without a trigger.
    pub fn is_plain(&self) -> bool {
        matches!(self.write, Some((_, Write::Same)))
    }
}
