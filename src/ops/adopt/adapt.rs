//! How a value of the application's column becomes one of ours, and ours one of theirs.
//!
//! Rule: a column is taken as it is where the statements can work with its type (`fit.rs`). So it can be written, and an
//! index on it serves.

use super::catalog::Column;
use super::names::{self, Match};
use super::wanted::WantedColumn;
use crate::clinic::fit::Kind;
use crate::ops::names::literal;

/// The number of labels that a remark lists.
const LABELS_TOLD: usize = 24;

/// The reading of a column, and the writing of it.
pub struct Adapted {
    pub read: String,
    pub write: Write,
    /// What a person has to decide.
    pub questions: Vec<String>,
    pub notes: Vec<String>,
}

/// The value that a job writes, for the column beneath.
pub enum Write {
    /// The same.
    Same,
    /// An expression over `NEW`.
    As(String),
    Never,
}

impl Adapted {
    fn same(x: &str) -> Self {
        Self { read: x.to_owned(), write: Write::Same, questions: vec![], notes: vec![] }
    }

    fn by(read: String, write: Write) -> Self {
        Self { read, write, questions: vec![], notes: vec![] }
    }

    fn asking(mut self, question: String) -> Self {
        self.questions.push(question);
        self
    }

    fn noting(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }
}

/// Adapts a column, which SQL calls `x`. An error says why its type does not fit, and what might.
pub fn adapt(wanted: &WantedColumn, how: Match, column: &Column, x: &str) -> Result<Adapted, String> {
    let new = format!("NEW.{}", wanted.name);
    let Column { quoted, base, shown, .. } = column;
    match (wanted.kind, how) {
        (Kind::Truth, Match::Opposite) if base == "bool" => {
            let note = format!("The opposite of {quoted}.");
            Ok(Adapted::by(format!("NOT {x}"), Write::As(format!("NOT {new}"))).noting(note))
        }
        (Kind::Truth, Match::Opposite) if wanted.name == "active" && Kind::Instant.takes(base) => {
            Ok(Adapted::by(format!("{x} IS NULL"), Write::Never).noting(format!("As long as {quoted} is NULL.")))
        }
        (_, Match::Opposite) => Err(format!("{quoted} is {shown}")),
        (Kind::Number, Match::Hours) if wanted.kind.takes(base) => {
            Ok(Adapted::by(format!("{x} * 60"), Write::As(format!("{new} / 60")))
                .noting(format!("{quoted} in minutes.")))
        }
        (_, Match::Hours) => Err(format!("{quoted} is {shown}")),
        (Kind::Text { .. }, _) if column.is_enum || wanted.kind.takes(base) => Ok(labels(wanted, column, x)),
        (Kind::Json, _) if wanted.kind.takes(base) => {
            Ok(Adapted::same(x).asking(format!("Is it of our shape? {}", wanted.meaning)))
        }
        (kind, _) if kind.takes(base) => Ok(Adapted::same(x)),
        (Kind::Text { .. }, _) if is_code(wanted, base) => Ok(coded(wanted, column, x)),
        (Kind::Text { .. }, _) => Ok(Adapted::by(format!("{x}::text"), Write::As(format!("{new}::{shown}")))),
        (kind, _) => other_type(kind, column, x, &new),
    }
}

/// A column whose type the statements cannot work with.
fn other_type(kind: Kind<'_>, column: &Column, x: &str, new: &str) -> Result<Adapted, String> {
    let Column { quoted, base, shown, .. } = column;
    match (kind, base.as_str()) {
        (Kind::Truth, "int2" | "int4" | "int8") => {
            Ok(Adapted::by(format!("{x} <> 0"), Write::As(format!("{new}::integer::{shown}"))))
        }
        (Kind::Day, "text" | "varchar") => {
            let read = format!(r"CASE WHEN {x} ~ '^\d{{4}}-\d\d-\d\d$' THEN {x}::date END");
            let question = format!("{quoted} is {shown}. A day that there is not, such as 2026-02-30, stops a job.");
            Ok(Adapted::by(read, Write::As(format!("{new}::text"))).asking(question))
        }
        (Kind::Day, "timestamptz") => {
            Err(format!("{quoted} is {shown}. By the facility's clock:\n({x} AT TIME ZONE 'Area/City')::date"))
        }
        (Kind::Clock, "timestamptz") => {
            Err(format!("{quoted} is {shown}. By the facility's clock:\n({x} AT TIME ZONE 'Area/City')::time"))
        }
        (Kind::Clock, "timestamp") => {
            let question = format!("{quoted} is {shown}. Is it by the facility's clock, or in UTC?");
            Ok(Adapted::by(format!("{x}::time"), Write::Never).asking(question))
        }
        (Kind::Clock, "timetz") => Ok(Adapted::by(format!("{x}::time"), Write::Never)),
        (Kind::Clock, "interval") => {
            Ok(Adapted::by(format!("time '00:00' + {x}"), Write::As(format!("{new}::interval"))))
        }
        (Kind::Instant, "date") => {
            let question = format!("{quoted} is {shown}. Its midnight in UTC is taken.");
            Ok(Adapted::by(format!("{x}::timestamp AT TIME ZONE 'UTC'"), Write::Never).asking(question))
        }
        (Kind::Json, "text" | "varchar") => {
            let question = format!("{quoted} is {shown}. A text that is no JSON stops a job.");
            Ok(Adapted::by(format!("{x}::jsonb"), Write::As(format!("{new}::text"))).asking(question))
        }
        _ => Err(format!("{quoted} is {shown}, needed is {kind}")),
    }
}

/// Whether a text of which the rules know some is kept as a number or a truth value.
fn is_code(wanted: &WantedColumn, base: &str) -> bool {
    !wanted.labels.is_empty() && (Kind::Number.takes(base) || Kind::Truth.takes(base))
}

/// A status, or another text of which the rules know some, that is kept as a number or the like. What each value means,
/// only a person knows. Until it is said, nothing is read, and a write fails: it must not pass for another status.
fn coded(wanted: &WantedColumn, column: &Column, x: &str) -> Adapted {
    let (Column { quoted, shown, .. }, new) = (column, format!("NEW.{}", wanted.name));
    let lines = |line: &dyn Fn(String) -> String| {
        wanted.labels.iter().map(|label| line(literal(label))).collect::<Vec<_>>().join("\n    ")
    };
    let whens = lines(&|label| format!("WHEN ... THEN {label}"));
    let until = if wanted.is_written() { "it is NULL, and the trigger below fails" } else { "it is NULL" };
    let question = format!(
        "{quoted} is {shown}, needed is text. Which value is which? Until you say it, {until}:\n\
         CASE {x}\n    {whens}\n    END"
    );
    let back = lines(&|label| format!("-- WHEN {new} = {label} THEN ..."));
    let write = format!(
        "(CASE WHEN {new} IS NULL THEN NULL\n    -- ? {}: which value is which?\n    {back}\n    \
         ELSE ({} || {new})::{shown} END)::{shown}",
        wanted.name,
        literal(&format!("{}.{} has no value for ", wanted.relation, wanted.name))
    );
    Adapted::by("NULL::text".to_owned(), Write::As(write)).asking(question)
}

/// A status, a role, or another text of which the rules know some.
fn labels(wanted: &WantedColumn, column: &Column, x: &str) -> Adapted {
    let lacking: Vec<&str> = wanted.labels.iter().copied().filter(|ours| !has(column, ours)).collect();
    if column.labels.is_empty() || lacking.is_empty() {
        let free = column.labels.is_empty() && !wanted.labels.is_empty();
        let question = || format!("Any text. The rules know {}. Does it say so?", list(&wanted.labels));
        return if free { Adapted::same(x).asking(question()) } else { Adapted::same(x) };
    }
    let renamed = renamed(wanted, column);
    let absent: Vec<&str> = lacking.into_iter().filter(|ours| !renamed.iter().any(|(_, name)| name == ours)).collect();
    let (whens, back): (Vec<String>, Vec<String>) = renamed
        .iter()
        .map(|(theirs, ours)| {
            let (theirs, ours) = (literal(theirs), literal(ours));
            (format!("WHEN {theirs} THEN {ours}"), format!("WHEN {ours} THEN {theirs}"))
        })
        .unzip();
    let (text, shown) = (if column.is_enum { format!("{x}::text") } else { x.to_owned() }, &column.shown);
    let adapted = if whens.is_empty() {
        if column.is_enum && !wanted.is_written() { Adapted::by(text.clone(), Write::Never) } else { Adapted::same(x) }
    } else {
        let new = format!("NEW.{}", wanted.name);
        let cast = if column.is_enum { format!("::{shown}") } else { String::new() };
        let back = format!("(CASE {new}\n    {}\n    ELSE {new} END){cast}", back.join("\n    "));
        Adapted::by(format!("CASE {text}\n    {}\n    ELSE {text} END", whens.join("\n    ")), Write::As(back))
    };
    if absent.is_empty() {
        return adapted.noting("Spelled otherwise there; no index serves a condition on it.".to_owned());
    }
    let theirs = list(&column.labels);
    let names = list(&absent);
    if !wanted.is_written() {
        let example = format!("CASE {text} WHEN '...' THEN {} ELSE {text} END", literal(absent[0]));
        return adapted.asking(format!(
            "The rules know {}; there is no {names} among {theirs}. If one is meant:\n{example}",
            list(&wanted.labels)
        ));
    }
    // A new label is spelled as the others are.
    let is_small = whens_are_small(&renamed);
    let spelled = |ours: &str| if is_small { ours.to_ascii_lowercase() } else { ours.to_owned() };
    let add = |ours: &&str| format!("ALTER TYPE {shown} ADD VALUE {};", literal(&spelled(ours)));
    let how = if column.is_enum {
        absent.iter().map(add).collect::<Vec<_>>().join("\n")
    } else {
        "Widen its CHECK.".to_owned()
    };
    adapted.asking(format!("A job needs {names}; there are only {theirs}.\n{how}"))
}

fn whens_are_small(renamed: &[(String, String)]) -> bool {
    renamed.iter().any(|(theirs, ours)| *theirs == ours.to_ascii_lowercase())
}

/// The labels that are spelled otherwise, theirs and ours; none if every label that we know is there or absent.
fn renamed(wanted: &WantedColumn, column: &Column) -> Vec<(String, String)> {
    let ours = |theirs: &str| wanted.labels.iter().find(|ours| names::label(ours) == names::label(theirs));
    if !column.labels.iter().any(|theirs| ours(theirs).is_some_and(|ours| ours != theirs)) {
        return vec![];
    }
    // Whoever writes `no_show` writes `completed`, too.
    let is_capital = wanted.labels.iter().all(|label| label.chars().all(|c| !c.is_ascii_lowercase()));
    let capitals = |theirs: &str| theirs.to_ascii_uppercase().replace(['-', ' '], "_");
    let pair = |theirs: &String| {
        let name = ours(theirs)
            .map_or_else(|| if is_capital { capitals(theirs) } else { theirs.clone() }, |o| (*o).to_owned());
        (name != *theirs).then(|| (theirs.clone(), name))
    };
    column.labels.iter().filter_map(pair).collect()
}

fn has(column: &Column, label: &str) -> bool {
    column.labels.iter().any(|theirs| theirs == label)
}

/// Names for a remark, in one line.
fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| name.as_ref().replace(char::is_control, " ")).collect();
    let more = names.len().saturating_sub(LABELS_TOLD);
    names.truncate(LABELS_TOLD);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, kind: Kind<'static>, labels: &[&'static str], is_updated: bool) -> WantedColumn {
        WantedColumn {
            relation: "visits".to_owned(),
            name: name.to_owned(),
            kind,
            labels: labels.iter().copied().collect(),
            meaning: String::new(),
            is_updated,
            is_inserted: false,
        }
    }

    fn column(base: &str, labels: &[&str]) -> Column {
        Column {
            name: "c".to_owned(),
            quoted: "c".to_owned(),
            base: base.to_owned(),
            shown: base.to_owned(),
            is_enum: base == "mood",
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..Column::default()
        }
    }

    /// How a value is read, and how it is written.
    fn both_ways(adapted: &Adapted) -> (String, String) {
        let write = match &adapted.write {
            Write::Same => "same".to_owned(),
            Write::As(value) => value.clone(),
            Write::Never => "never".to_owned(),
        };
        (adapted.read.replace("\n   ", ""), write.replace("\n   ", ""))
    }

    #[test]
    fn a_type_that_fits_is_taken_as_it_is_and_others_are_translated() {
        let text = Kind::Text { labels: "" };
        for (kind, how, base, read, write) in [
            (Kind::Clock, Match::Same, "text", "x", "same"),
            (Kind::Clock, Match::Same, "interval", "time '00:00' + x", "NEW.n::interval"),
            (Kind::Instant, Match::Same, "timestamp", "x", "same"),
            (Kind::Day, Match::Same, "timestamp", "x", "same"),
            (Kind::Truth, Match::Opposite, "bool", "NOT x", "NOT NEW.n"),
            (Kind::Truth, Match::Same, "int4", "x <> 0", "NEW.n::integer::int4"),
            (Kind::Number, Match::Hours, "int4", "x * 60", "NEW.n / 60"),
            (text, Match::Same, "int4", "x::text", "NEW.n::int4"),
        ] {
            let adapted = adapt(&wanted("n", kind, &[], true), how, &column(base, &[]), "x");
            assert_eq!(adapted.as_ref().map(both_ways), Ok((read.to_owned(), write.to_owned())), "{kind} from {base}");
        }
        let active =
            adapt(&wanted("active", Kind::Truth, &[], false), Match::Opposite, &column("timestamptz", &[]), "x");
        assert_eq!(active.map(|adapted| adapted.read), Ok("x IS NULL".to_owned()));
        for (kind, how, base) in [
            (Kind::Clock, Match::Same, "timestamptz"),
            (Kind::Day, Match::Same, "timestamptz"),
            (Kind::Number, Match::Same, "text"),
            (Kind::Truth, Match::Opposite, "timestamptz"),
            (Kind::Key { refers_to: None }, Match::Same, "numeric"),
        ] {
            let adapted = adapt(&wanted("n", kind, &[], false), how, &column(base, &[]), "x");
            assert!(adapted.is_err_and(|why| why.starts_with(&format!("c is {base}"))), "{kind} from {base}");
        }
    }

    #[test]
    fn labels_are_kept_translated_or_asked_for() {
        let status = |known: &[&'static str], is_updated: bool, column: &Column| {
            let wanted = wanted("status", Kind::Text { labels: "" }, known, is_updated);
            let adapted = labels(&wanted, column, "x");
            (both_ways(&adapted), adapted.questions.join(" "))
        };
        let ours = ["NO_SHOW", "SCHEDULED"];
        let ((read, write), question) = status(&ours, true, &column("mood", &["NO_SHOW", "SCHEDULED", "DONE"]));
        assert_eq!((read.as_str(), write.as_str(), question.as_str()), ("x", "same", ""));
        let ((read, write), question) = status(&ours, true, &column("mood", &["no-show", "scheduled", "done"]));
        let expected = "CASE x::text WHEN 'no-show' THEN 'NO_SHOW' WHEN 'scheduled' THEN 'SCHEDULED' \
                        WHEN 'done' THEN 'DONE' ELSE x::text END";
        assert_eq!((read.as_str(), question.as_str()), (expected, ""));
        assert!(write.starts_with("(CASE NEW.status WHEN 'NO_SHOW' THEN 'no-show'"), "{write}");
        assert!(write.ends_with("ELSE NEW.status END)::mood"), "{write}");
        let (_, question) = status(&ours, true, &column("mood", &["SCHEDULED", "ABSENT"]));
        assert!(question.ends_with("\nALTER TYPE mood ADD VALUE 'NO_SHOW';"), "{question}");
        let ((read, _), question) = status(&ours, false, &column("mood", &["SCHEDULED", "ABSENT"]));
        assert_eq!(read, "x::text");
        assert!(question.contains("there is no NO_SHOW among SCHEDULED, ABSENT"), "{question}");
        let ((read, write), question) = status(&ours, true, &column("text", &[]));
        assert_eq!((read.as_str(), write.as_str()), ("x", "same"));
        assert!(question.contains("Any text"), "{question}");
    }
}
