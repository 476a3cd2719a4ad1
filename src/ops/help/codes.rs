//! The pages of the error codes, for a terminal and for docs/errors.md.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::output::words::wrapped;

/// The column at which the texts of a page begin.
const INDENT: usize = 14;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    title: String,
    intro: String,
    code: Vec<Page>,
}

/// What one or several codes mean. The fields are explained in codes.toml.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    codes: Vec<String>,
    of: Option<String>,
    exit: Option<String>,
    cause: String,
    undone: String,
    cure: String,
    see: Option<String>,
}

fn groups() -> &'static [Group] {
    static GROUPS: OnceLock<Vec<Group>> = OnceLock::new();
    let read = || toml::from_str::<Document>(include_str!("codes.toml")).expect("a test reads it").group;
    GROUPS.get_or_init(read)
}

/// The pages of a code. Small letters are taken for capitals.
pub fn of(word: &str) -> Vec<&'static Page> {
    let word = word.to_uppercase();
    let pages = groups().iter().flat_map(|group| &group.code);
    pages.filter(|page| page.codes.iter().any(|code| fits(code, &word))).collect()
}

/// Whether a word is the code, in which each `n` is a digit.
fn fits(code: &str, word: &str) -> bool {
    let same = |(of_code, of_word): (u8, u8)| of_code == of_word || of_code == b'n' && of_word.is_ascii_digit();
    code.len() == word.len() && code.bytes().zip(word.bytes()).all(same)
}

/// A line of a page: its name, and a text that goes on below its beginning.
fn line(name: &str, text: &str, width: Option<usize>) -> String {
    let text = wrapped(text, width.map(|width| width.saturating_sub(INDENT).max(20)), "");
    format!("  {name:<11} {}\n", text.replace('\n', &format!("\n{}", " ".repeat(INDENT))))
}

/// The text of the pages of a code.
pub fn page(word: &str, pages: &[&Page], width: Option<usize>) -> String {
    let mut text = format!("{}\n", word.to_uppercase());
    for page in pages {
        let title = groups().iter().find(|group| group.code.iter().any(|code| std::ptr::eq(code, *page)));
        let of = page.of.as_ref().map(|of| format!("{of} ({})", title.map_or("", |group| &group.title)));
        text += &line("of", &of.unwrap_or_else(|| title.map_or(String::new(), |group| group.title.clone())), width);
        for (name, said) in [("exit code", page.exit.as_deref()), ("why", Some(&*page.cause))] {
            text += &said.map_or(String::new(), |said| line(name, said, width));
        }
        text += &line("not done", &page.undone, width);
        text += &line("what to do", &page.cure, width);
        text += &page.see.as_ref().map_or(String::new(), |see| line("more", &format!("docs/{see}"), width));
        text.push('\n');
    }
    text.pop();
    text
}

pub fn page_json(word: &str, pages: &[&Page]) -> Value {
    let pages: Vec<Value> = pages
        .iter()
        .map(|page| {
            json!({ "codes": page.codes, "of": page.of, "exit": page.exit, "cause": page.cause, "undone": page.undone,
                    "cure": page.cure, "see": page.see })
        })
        .collect();
    json!({ "code": word.to_uppercase(), "pages": pages })
}

/// The page of a code of PostgreSQL that is not in the list.
pub fn state_page(word: &str, meaning: &str, width: Option<usize>) -> String {
    let mut text = format!("{}\n", word.to_uppercase());
    text += &line("of", "an SQLSTATE: what the server says of a statement", width);
    text += &line("why", meaning, width);
    text += &line(
        "not done",
        "the statement and its transaction; of a job, that item alone where it is one of its items",
        width,
    );
    text += &line(
        "what to do",
        "The message names the table or the item. The appendix \"Error Codes\" of PostgreSQL's \
                                 manual has all codes.",
        width,
    );
    text
}

/// All codes, a group after the other.
pub fn list(width: Option<usize>) -> String {
    let mut text = String::new();
    for group in groups() {
        let _ = writeln!(text, "{}", group.title);
        let codes: Vec<&str> = group.code.iter().flat_map(|page| &page.codes).map(String::as_str).collect();
        let _ = writeln!(text, "{}\n", wrapped(&format!("  {}", codes.join(" ")), width.or(Some(100)), ""));
    }
    text + "rounds help CODE says what one means.\n"
}

pub fn list_json() -> Value {
    let codes = |group: &Group| group.code.iter().flat_map(|page| page.codes.clone()).collect::<Vec<_>>();
    let groups: Vec<Value> =
        groups().iter().map(|group| json!({ "title": group.title, "codes": codes(group) })).collect();
    json!({ "groups": groups })
}

/// The text of docs/errors.md.
pub fn errors_page() -> String {
    let mut page = String::from(
        "# Error codes\n\nWritten by `make docs` from `src/ops/help/codes.toml`; a test fails where the two differ. \
         `rounds help CODE` prints one\nof them without a network. An error message ends with its code in brackets. In \
         `cron_job_runs`,\n`cron_job_run_errors` and JSON it is `error_code`. Exit codes are in \
         [exit-codes.md](exit-codes.md).\n",
    );
    for Group { title, intro, code } in groups() {
        let _ = writeln!(page, "\n## {title}\n");
        if !intro.is_empty() {
            let _ = writeln!(page, "{}\n", wrapped(intro, Some(120), ""));
        }
        page.push_str("| error_code | exit | cause | what was not done | what to do |\n|---|---|---|---|---|\n");
        for Page { codes, of, exit, cause, undone, cure, see } in code {
            let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
            let of = of.as_ref().map_or(String::new(), |of| format!(" (of {of})"));
            let file = |see: &str| see.split('#').next().unwrap_or_default().to_owned();
            let see = see.as_ref().map_or(String::new(), |see| format!(" See [{}]({see}).", file(see)));
            let exit = exit.as_deref().unwrap_or_default();
            let _ = writeln!(page, "| {}{of} | {exit} | {cause} | {undone} | {cure}{see} |", codes.join(", "));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_says_what_it_has_to() {
        let pages: Vec<&Page> = groups().iter().flat_map(|group| &group.code).collect();
        assert!(pages.len() > 80, "{}", pages.len());
        for page in &pages {
            for text in [&page.cause, &page.undone, &page.cure] {
                assert!(text.ends_with('.') && !text.contains(" | "), "{:?}: {text}", page.codes);
            }
            assert!(!page.codes.is_empty());
        }
        let twice = |code: &String| pages.iter().filter(|page| page.codes.contains(code)).count() > 1;
        for page in &pages {
            assert!(page.of.is_some() || !page.codes.iter().any(twice), "{:?}: of what?", page.codes);
        }
    }

    #[test]
    fn a_page_is_found_by_its_code_and_fits_the_terminal() {
        let text = page("brake", &of("brake"), Some(60));
        assert!(text.starts_with("BRAKE\n  of          Runs that ended"), "{text}");
        assert!(text.contains("\n  exit code   5\n") && text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert_eq!(of("UNKNOWN_STATUS").len(), 2);
        assert_eq!(of("TWILIO_30003").len(), 1);
        assert!(of("TWILIO_3000X").is_empty() && of("NOTHING").is_empty());
    }
}
