//! The pages that a stranger follows: their commands are run as the page has them, and what they print is compared with
//! what the page shows.
//!
//! A block of `sh` is run. A block of `text` behind it has lines of its output, in their order: what a line of the page
//! says is in a line of the output. Times, ids and lengths of time differ.

use crate::support::shell::shell;
use crate::support::{Clinic, server};

const TUTORIAL: &str = include_str!("../../docs/tutorial.md");
const README: &str = include_str!("../../README.md");

/// Commands, and lines of what they print.
struct Step<'a> {
    commands: &'a str,
    shown: Vec<&'a str>,
}

/// The blocks of a page: the language and the text of each.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

fn steps(page: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = vec![];
    for (language, text) in blocks(page) {
        match (language, steps.last_mut()) {
            ("sh", _) => steps.push(Step { commands: text, shown: vec![] }),
            ("text", Some(step)) => step.shown.extend(text.lines().filter(|line| !line.trim().is_empty())),
            _ => {}
        }
    }
    steps
}

/// A line without what differs from run to run, its words between single blanks.
fn comparable(line: &str) -> String {
    let is_id = |word: &str| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_time = |word: &str| word.contains(':') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let is_zone = |word: &str| {
        let word = word.trim_end_matches(',');
        word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || b"+-0123456789".contains(&byte))
    };
    let words: Vec<&str> = line.split([' ', '│', '|']).filter(|word| !word.is_empty()).collect();
    let mut said: Vec<&str> = vec![];
    for (index, word) in words.iter().enumerate() {
        let is_length = is_number(word)
            && (words.get(index + 1).is_some_and(|unit| ["ms", "min"].contains(unit))
                || said.last().is_some_and(|before| *before == "manual"));
        match word {
            word if is_id(word) => said.push("ID"),
            word if is_time(word) => said.push("TIME"),
            word if said.last() == Some(&"TIME") && is_zone(word) => {}
            _ if is_length => said.push("N"),
            word => said.push(word),
        }
    }
    said.join(" ")
}

/// Fails where a line that the page shows is not in the output, behind those before it.
fn compare(page: &str, step: &Step<'_>, output: &str) {
    let mut rest = output.lines().map(comparable);
    for shown in &step.shown {
        let line = comparable(shown);
        let found = rest.any(|said| format!(" {said} ").contains(&format!(" {line} ")));
        assert!(found, "{page} shows what is not there, or not in this order: {shown}\n{}\n{output}", step.commands);
    }
}

/// A zone in which it is about noon now, so that no visit of the page lies on two days.
async fn noon(clinic: &Clinic) -> String {
    let hour = "SELECT extract(hour FROM clock_timestamp() AT TIME ZONE 'UTC')::int";
    let hour: i32 = clinic.row(hour, &[]).await.get(0);
    // The signs of these zones are those of POSIX.
    format!("Etc/GMT{:+}", hour - 12)
}

/// The commands with the address, the database and the zone of a reader.
fn as_reader(commands: &str, url: &str, database: &str, zone: &str) -> String {
    let of_reader = |line: &str| match line {
        line if line.starts_with("export DATABASE_URL=") => format!("export DATABASE_URL='{url}'"),
        line if ["createdb clinic", "dropdb clinic"].contains(&line) => line.replace("clinic", database),
        line => line.replace("America/New_York", zone),
    };
    commands.lines().map(of_reader).collect::<Vec<_>>().join("\n")
}

/// Runs the commands of a page on a database of its own, and compares what they print.
async fn walk(name: &str, page: &str) {
    const BORDER: &str = "---- the next block ----";
    let clinic = Clinic::empty().await;
    let (database, zone) = (format!("{}_of_page", clinic.database), noon(&clinic).await);
    let url = server().url(&database);
    let steps = steps(page);
    assert!(steps.iter().any(|step| step.commands.contains("INSERT INTO appointments")), "{name}: its blocks");
    let script: Vec<String> = steps.iter().map(|step| as_reader(step.commands, &url, &database, &zone)).collect();
    let script = script.join(&format!("\necho '{BORDER}'\n"));
    let admin = clinic.row("SELECT current_user::text", &[]).await.get::<_, String>(0);
    let mut shell = shell(&script);
    let output = shell.env("PGHOST", server().dir()).env("PGUSER", admin).output().await.expect("bash can be started");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{name}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    let outputs: Vec<&str> = said.split(BORDER).collect();
    assert_eq!(outputs.len(), steps.len(), "{said}");
    for (step, output) in steps.iter().zip(outputs) {
        compare(name, step, output);
    }
}

#[tokio::test]
async fn the_tutorial_leads_to_a_visit_marked() {
    walk("docs/tutorial.md", TUTORIAL).await;
}

#[tokio::test]
async fn the_readme_leads_to_a_visit_marked() {
    let (_, section) = README.split_once("\n## Try it").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    walk("README.md", section).await;
    let shared = |page: &'static str| steps(page).into_iter().find(|step| step.commands.contains("INSERT"));
    let [readme, tutorial] = [README, TUTORIAL].map(|page| shared(page).expect("a clinic").commands);
    assert_eq!(readme, tutorial, "the clinic of the README is that of the tutorial");
}

#[test]
fn a_line_is_compared_without_what_differs() {
    let said = "│ visit 1         1  2026-11-30 11:15 EST  nobody came for 20 min │";
    assert_eq!(comparable(said), "visit 1 1 ID TIME nobody came for N min");
    let run = "│ a51dff17  mark-no-shows  COMPLETED  2026-11-30 16:36  manual  22      1       0       │";
    assert_eq!(comparable(run), "ID mark-no-shows COMPLETED ID TIME manual N 1 0");
    assert_eq!(comparable("began at 2026-11-30 11:15 -05, 21 min ago."), "began at ID TIME N min ago.");
}

#[test]
#[should_panic(expected = "shows what is not there")]
fn a_line_that_is_not_there_is_found() {
    compare("page", &Step { commands: "", shown: vec!["  marked   1"] }, "  marked    11\n  scanned 1\n");
}
