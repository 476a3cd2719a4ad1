//! A list of case ids, from the command line or from a file.

use std::collections::HashSet;
use std::path::Path;

use crate::clinic::actor::refused;
use crate::error::Error;

/// The maximum number of ids in a list. It is limited because the run's row holds an entry for each case.
const CASES_MAX: usize = 10_000;

/// The ids of a file.
#[derive(Clone, Debug)]
pub struct CaseFile(Vec<i64>);

/// Reads a file of ids. Messages do not repeat its content, because it may be the wrong file.
pub fn read(path: &str) -> Result<CaseFile, String> {
    let text = std::fs::read_to_string(Path::new(path)).map_err(|error| format!("cannot be read: {}", error.kind()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<CaseFile, String> {
    let mut ids = vec![];
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(id) if id > 0 => ids.push(id),
                _ => return Err(format!("line {}: something that is no case id", index + 1)),
            }
        }
    }
    if ids.is_empty() { Err("names no case".to_owned()) } else { Ok(CaseFile(ids)) }
}

/// The ids of the command line and of the file, each once, in their order.
pub fn case_list(ids: &[i64], file: Option<&CaseFile>) -> Result<Vec<i64>, Error> {
    let file = file.into_iter().flat_map(|file| &file.0);
    let mut seen = HashSet::new();
    let ids: Vec<i64> = ids.iter().chain(file).copied().filter(|id| seen.insert(*id)).collect();
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
        let ids = |text: &str| parse(text).map(|cases| cases.0);
        assert_eq!(ids("\u{feff}3, 1\r\n\n# Monday's\n2\t7 # late\n3"), Ok(vec![3, 1, 2, 7, 3]));
        assert_eq!(ids("1\nPat Doe\n"), Err("line 2: something that is no case id".into()), "nothing is repeated");
        for bad in ["0", "-4", "1.5", "99999999999999999999"] {
            assert_eq!(ids(bad), Err("line 1: something that is no case id".into()), "{bad}");
        }
        for empty in ["", " \n", "# none"] {
            assert_eq!(ids(empty), Err("names no case".into()), "{empty:?}");
        }
    }
}
