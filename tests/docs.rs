//! The documents, as far as a test can tell.

mod links;
mod report_fields;
mod walked;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below a folder.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The module of a file, as its path says it.
fn module(path: &Path) -> String {
    let path = path.with_extension("");
    let parts = path.iter().map(|part| part.to_str().expect("UTF-8"));
    parts.filter(|part| !["mod", "main"].contains(part)).collect::<Vec<_>>().join("::")
}

/// The name behind `fn`, where the line begins a function.
fn function(line: &str) -> Option<&str> {
    line.trim_start().trim_start_matches("async ").strip_prefix("fn ")?.split('(').next()
}

/// The functions that are tests.
fn written(text: &str) -> Vec<String> {
    let (mut names, mut marked) = (vec![], false);
    for line in text.lines() {
        marked |= ["#[test]", "#[tokio::test]"].contains(&line.trim());
        if let (true, Some(name)) = (marked, function(line)) {
            // A test that the macro makes has its name elsewhere.
            names.extend((!name.starts_with('$')).then(|| name.to_owned()));
            marked = false;
        }
    }
    names
}

/// The tests that a file asks of what every job owes: those that it names, or all.
fn owed(text: &str, all: &[String]) -> Vec<String> {
    let Some((_, asked)) = text.split_once("owed::owed_by_the_job!") else { return vec![] };
    let asked = asked.split(['}', ')']).next().unwrap_or_default();
    let words: Vec<&str> = asked.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let named: Vec<String> = all.iter().filter(|name| words.contains(&name.as_str())).cloned().collect();
    if named.is_empty() { all.to_vec() } else { named }
}

/// All tests, as `cargo test` names them.
fn tests() -> BTreeSet<String> {
    let arm = |line: &str| Some(line.trim().strip_prefix("(@")?.split_once(')')?.0.to_owned());
    let all: Vec<String> = read(&root().join("tests/jobs/owed.rs")).lines().filter_map(arm).collect();
    assert!(all.len() > 5, "{all:?}");
    let mut tests = BTreeSet::new();
    for (dir, within) in [("tests", ""), ("src", "::tests")] {
        let dir = root().join(dir);
        let mut found = vec![];
        files(&dir, &mut found);
        for path in found {
            let text = read(&path);
            let module = module(path.strip_prefix(&dir).expect("it is below"));
            let asked = if path.ends_with("jobs/owed.rs") { vec![] } else { owed(&text, &all) };
            let names = written(&text).into_iter().chain(asked);
            tests.extend(names.map(|name| format!("{module}{within}::{name}")));
        }
    }
    tests
}

#[test]
fn every_test_that_is_named_exists() {
    let (tests, page) = (tests(), read(&root().join("docs/requirements.md")));
    let path = |word: &str| word.contains("::") && word.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    let (mut named, mut wrong) = (0, vec![]);
    for word in page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
        let exists = match word {
            "scripts/" | "tests::" => continue,
            word if word.starts_with("scripts/") => root().join(word).is_file(),
            word if path(word) => tests.contains(word),
            _ => continue,
        };
        named += 1;
        wrong.extend((!exists).then_some(word));
    }
    assert!(wrong.is_empty(), "no such test: {wrong:#?}");
    assert!(named > 200, "only {named} are named");
}

/// A row says what, its state, and the test or that there is none; lines that are no rows have one length.
#[test]
fn every_requirement_has_its_state() {
    let states = ["holds", "differs: ", "replaced: ", "missing: ", "not yet", "state"];
    for line in read(&root().join("docs/requirements.md")).lines() {
        let Some(row) = line.strip_prefix("| ") else {
            assert!(line.chars().count() <= 120, "too long: {line}");
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [_, state, test] = cells[..] else { panic!("three cells: {line}") };
        let known = states.iter().any(|known| state.starts_with(known));
        let said = state == "state" || test.contains('`') || test.starts_with("no test");
        assert!(known && said, "{line}");
    }
}

/// The codes that the program gives to errors of its own: the first argument of the functions that make one.
fn codes(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut codes = BTreeSet::new();
    for maker in ["Error::new(", "refused(", "refuse(", "error_code = "] {
        for after in text.split(maker).skip(1) {
            let Some(code) = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            let is_code =
                code.len() > 2 && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            codes.extend(is_code.then(|| code.to_owned()));
        }
    }
    codes
}

#[test]
fn every_code_of_an_error_has_a_row() {
    let mut found = vec![];
    files(&root().join("src"), &mut found);
    let all: BTreeSet<String> = found.iter().flat_map(|path| codes(&read(path))).collect();
    assert!(all.len() > 80, "{all:?}");
    let page = read(&root().join("docs/errors.md"));
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    // The first cell has the codes, each in backticks.
    let cells: Vec<&str> = rows.filter_map(|row| row.trim_start_matches("| ").split(" | ").next()).collect();
    let told: BTreeSet<&str> = cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let untold: Vec<&String> = all.iter().filter(|code| !told.contains(code.as_str())).collect();
    assert!(untold.is_empty(), "no page in src/ops/help/codes.toml, and make docs: {untold:?}");
}

#[test]
fn every_document_that_a_message_names_is_there() {
    let mut found = vec![];
    files(&root().join("src"), &mut found);
    let is_of_a_path = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let named = |text: String| -> Vec<String> {
        let paths =
            text.match_indices("docs/").map(|(at, _)| text[at..].split(|c| !is_of_a_path(c)).next().unwrap_or(""));
        paths.filter_map(|path| Some(format!("{}.md", path.split_once(".md")?.0))).collect()
    };
    let named: BTreeSet<String> = found.iter().flat_map(|path| named(read(path))).collect();
    assert!(named.len() > 5, "{named:?}");
    let missing: Vec<&String> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names of the fields of the events in a source, as `tracing` takes them: before the message.
fn fields(text: &str) -> Vec<String> {
    let macros = ["debug!(", "info!(", "warn!(", "error!("];
    let mut names = vec![];
    for begin in macros {
        for (at, _) in text.match_indices(begin) {
            let mut rest = text[at + begin.len()..].trim_start();
            while !rest.starts_with('"') {
                let field = rest.trim_start_matches(['%', '?']);
                let end = field.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(field.len());
                names.push(field[..end].to_owned());
                let Some(next) = after_comma(field) else { break };
                rest = next.trim_start();
            }
        }
    }
    names
}

/// What follows the first comma that is in no parentheses and no text.
fn after_comma(text: &str) -> Option<&str> {
    let (mut depth, mut is_text) = (0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            ',' if !is_text && depth == 0 => return Some(&text[at + 1..]),
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

#[test]
fn each_field_of_the_log_is_explained() {
    let page = read(&root().join("docs/logging.md"));
    let mut sources = vec![];
    files(&root().join("src"), &mut sources);
    let mut names = BTreeSet::new();
    for path in sources.iter().filter(|path| !path.starts_with(root().join("src/demo"))) {
        // Macros of tests and of clap are none of tracing.
        let text = read(path);
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        names.extend(fields(text));
    }
    assert!(names.len() > 25 && names.contains("error_code") && names.contains("wait_ms"), "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/logging.md does not explain {missing:?}");
}
