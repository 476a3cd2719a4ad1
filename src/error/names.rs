//! The names of tables, columns and constraints that were known when the program was built: those that our statements
//! need of the clinic's tables (`needs.txt`), those of our own tables (`ours.txt`), and those that the kits name.
//!
//! A name that an error brings is shown if it is one of these. A trigger can put any text into the fields of an error,
//! and any text between quotation marks, but it cannot make a text one of these names.

use std::collections::BTreeSet;
use std::sync::LazyLock;

const NEEDS: &str = include_str!("../clinic/needs.txt");
const OURS: &str = include_str!("../ops/ours.txt");
/// The tables and columns that the triggers of the kits (`adopt/`) name in their errors.
const OF_KITS: [(&str, &str); 2] = [("service_instance_mappings", "service_id"), ("appointments", "provider_id")];

static KNOWN: LazyLock<Known> = LazyLock::new(Known::read);

#[derive(Default)]
struct Known {
    relations: BTreeSet<&'static str>,
    columns: BTreeSet<&'static str>,
    /// Also unique indexes, which the server reports as constraints.
    constraints: BTreeSet<&'static str>,
}

impl Known {
    fn read() -> Self {
        let mut known = Self::default();
        let needed = NEEDS.lines().filter_map(|line| line.split(' ').nth(1)?.split_once('.'));
        for (relation, column) in needed.chain(OF_KITS) {
            known.relations.insert(relation);
            known.columns.insert(column);
        }
        for line in OURS.lines() {
            let mut parts = line.split('\t');
            let (kind, relation, name) = (parts.next(), parts.next(), parts.next());
            known.relations.extend(relation.filter(|_| kind != Some("function")));
            match kind {
                Some("column") => known.columns.extend(name),
                Some("constraint" | "index") => known.constraints.extend(name),
                _ => {}
            }
        }
        known
    }
}

pub fn is_relation(name: &str) -> bool {
    KNOWN.relations.contains(name)
}

pub fn is_column(name: &str) -> bool {
    KNOWN.columns.contains(name)
}

pub fn is_constraint(name: &str) -> bool {
    KNOWN.constraints.contains(name)
}

/// The known relations and columns that a message of the server names, in whatever language it is. A relation is a
/// whole word. A column is a word between quotation marks, or the last after a dot, since names such as `status` are
/// also words.
pub fn in_message(message: &str) -> (Option<&str>, Option<&str>) {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut relation, mut column, mut at) = (None, None, 0);
    for word in message.split(|c| !is_of_a_name(c)) {
        let (before, after) = (message[..at].chars().next_back(), message[at + word.len()..].chars().next());
        at += word.len() + after.map_or(0, char::len_utf8);
        let is_in_quotes = before.is_some_and(is_quote) && after.is_some_and(is_quote);
        let is_last_of_path = before == Some('.') && after.is_none_or(|c| is_quote(c) || c.is_whitespace());
        if relation.is_none() && is_relation(word) {
            relation = Some(word);
        } else if column.is_none() && (is_in_quotes || is_last_of_path) && is_column(word) {
            column = Some(word);
        }
    }
    (relation, column)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '«' | '»' | '“' | '”' | '„' | '‘' | '’' | '「' | '」')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_what_is_known_and_nothing_else() {
        let cases = [
            ("permission denied for table doctor_slots", Some("doctor_slots"), None),
            ("keine Berechtigung für Tabelle doctor_slots", Some("doctor_slots"), None),
            ("relation \"clinic.no_show_logs\" does not exist", Some("no_show_logs"), None),
            ("column \"status\" of relation \"appointments\" does not exist", Some("appointments"), Some("status")),
            ("column a.status does not exist", None, Some("status")),
            ("Spalte »status« existiert nicht", None, Some("status")),
            ("column \"status Canaryman\" does not exist", None, None),
            ("relation \"Canaryman\" does not exist", None, None),
            ("the status does not exist", None, None),
        ];
        for (message, relation, column) in cases {
            assert_eq!(in_message(message), (relation, column), "{message}");
        }
        assert!(is_constraint("api_budgets_pkey") && !is_constraint("Canaryman") && !is_relation(""));
    }
}
