//! A list of case ids, from the command line or from a file.

use std::collections::HashSet;
use std::path::Path;

use crate::clinic::actor::refused;
use crate::db::Key;
use crate::error::Error;
use crate::file;

/// The maximum number of ids in a list. It is limited because the run's row holds an entry for each case.
const CASES_MAX: usize = 10_000;

/// An id that a person requests, and its line if it is from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requested {
    pub key: Key,
    line: Option<usize>,
}

/// The ids of a file.
#[derive(Clone, Debug)]
pub struct CaseFile(Vec<Requested>);

impl Requested {
    /// The name of a requested id that no case has; `id` is its canonical form. A word of a file is not repeated unless
    /// it has the form of a generated id, because the file may be the wrong one, and the word a patient's name.
    pub fn name_of_unknown(&self, id: &Key) -> Key {
        match self.line {
            Some(line) if !has_form_of_generated_id(id.as_str()) => Key::from(format!("line {line}")),
            _ => id.clone(),
        }
    }

    /// The error of a text that cannot be a key of the table.
    pub fn no_case(&self) -> Error {
        let what = match self.line {
            Some(line) => format!("--cases-file: line {line}: something that is no case id"),
            None => format!("--case: there is no case {}", self.key),
        };
        refused("UNKNOWN_CASE", format!("{what}; nothing was changed"))
    }
}

/// The error of ids that can be keys of the table, but none of which is.
pub fn none_known(ids: &[Requested]) -> Error {
    let what = match ids {
        [Requested { line: None, key }] => format!("--case: there is no case {key}"),
        _ => "no case has any of the ids that are asked for".to_owned(),
    };
    refused("UNKNOWN_CASE", format!("{what}; nothing was changed"))
}

/// Whether a text is a number or a UUID.
fn has_form_of_generated_id(text: &str) -> bool {
    let is_uuid = || {
        let is_dash = |index| [8, 13, 18, 23].contains(&index);
        text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| if is_dash(i) { b == b'-' } else { b.is_ascii_hexdigit() })
    };
    text.bytes().all(|byte| byte.is_ascii_digit()) || is_uuid()
}

/// Reads a file of ids. Messages do not repeat its content, because it may be the wrong file.
pub fn read(path: &str) -> Result<CaseFile, String> {
    let text = file::text(Path::new(path), file::LIST_MAX).map_err(|why| format!("cannot be read: {why}"))?;
    parse(&text)
}

fn parse(text: &str) -> Result<CaseFile, String> {
    let mut ids = vec![];
    for (line, words) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let words = words.split('#').next().unwrap_or_default();
        for word in words.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(key) => ids.push(Requested { key, line: Some(line) }),
                Err(_) => return Err(format!("line {line}: something that is no case id")),
            }
        }
    }
    if ids.is_empty() { Err("names no case".to_owned()) } else { Ok(CaseFile(ids)) }
}

/// The ids of the command line and of the file, each text once, in their order.
pub fn case_list(ids: &[Key], file: Option<&CaseFile>) -> Result<Vec<Requested>, Error> {
    let file = file.into_iter().flat_map(|file| file.0.iter().cloned());
    let ids = ids.iter().map(|key| Requested { key: key.clone(), line: None });
    let mut seen = HashSet::new();
    let ids: Vec<Requested> = ids.chain(file).filter(|id| seen.insert(id.key.clone())).collect();
    if ids.len() > CASES_MAX {
        let message = format!("{} cases are asked for; at most {CASES_MAX} a run: split them", ids.len());
        return Err(refused("USAGE", message));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_ids_may_be_written_as_people_do() {
        let ids = |text: &str| {
            parse(text).map(|cases| cases.0.iter().map(|id| (id.key.to_string(), id.line.unwrap())).collect::<Vec<_>>())
        };
        let expected = [("3", 1), ("1", 1), ("k-2", 4), ("7", 4), ("3", 5)].map(|(id, line)| (id.to_owned(), line));
        assert_eq!(ids("\u{feff}3, 1\r\n\n# Monday's\nk-2\t7 # late\n3"), Ok(expected.to_vec()));
        for bad in ["1\nPat\0Doe\n".to_owned(), format!("1\n{}", "x".repeat(201))] {
            assert_eq!(ids(&bad), Err("line 2: something that is no case id".into()), "nothing is repeated");
        }
        for empty in ["", " \n", "# none"] {
            assert_eq!(ids(empty), Err("names no case".into()), "{empty:?}");
        }
    }

    #[test]
    fn a_word_of_a_file_is_repeated_only_if_it_is_a_number_or_a_uuid() {
        let name = |text: &str, line| {
            let key = Key::from(text.to_owned());
            Requested { key: key.clone(), line }.name_of_unknown(&key).to_string()
        };
        for id in ["4711", "00000000-0000-0000-0000-000000000abc"] {
            assert_eq!(name(id, Some(3)), id);
        }
        for word in ["Doe", "1907-05-09", "c4711", "00000000-0000-0000-0000-00000000Pat!"] {
            assert_eq!(name(word, Some(3)), "line 3");
            assert_eq!(name(word, None), word, "a person gave it as an id");
        }
    }
}
