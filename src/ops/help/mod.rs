//! `rounds help`: the help of a command, or the page of an error code.
//!
//! The pages are in codes.toml, and docs/errors.md is written from them.

mod codes;

use clap::{Args, Command};
use serde_json::json;

use crate::command::refuse;
use crate::error::{Error, ErrorKind, meaning};
use crate::exit::Exit;
use crate::output::{OutputArgs, OutputFormat, print, table};

pub use codes::errors_page;

/// Print the help of a command, or what an error code means and what to do: `rounds help BRAKE`
///
/// It asks no database and no server. `rounds help codes` lists the error codes.
#[derive(Args, Debug)]
pub struct HelpArgs {
    /// A command, such as `runs list`, or an error code, such as BRAKE or 42501
    #[arg(value_name = "COMMAND|CODE")]
    words: Vec<String>,
}

pub fn command(args: &HelpArgs, mut tree: Command, output: &OutputArgs) -> Exit {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    if let Some(found) = find(&mut tree, &words) {
        let help = found.render_long_help();
        let text = if crate::output::colour() { help.ansi().to_string() } else { help.to_string() };
        return print(Exit::Done, text.as_bytes());
    }
    let [word] = words[..] else { return unknown(output) };
    let width = table::width();
    let (text, json) = match word {
        "codes" => (codes::list(width), codes::list_json()),
        _ => match codes::of(word) {
            found if !found.is_empty() => (codes::page(word, &found, width), codes::page_json(word, &found)),
            _ if is_state(word) => {
                let meaning = meaning(&word.to_uppercase());
                (codes::state_page(word, meaning, width), json!({ "code": word, "meaning": meaning }))
            }
            _ => return unknown(output),
        },
    };
    // It is read by a person, also behind a pipe; JSON is for who asks for it.
    match output.output {
        Some(OutputFormat::Json) => print(Exit::Done, format!("{json}\n").as_bytes()),
        _ => print(Exit::Done, text.as_bytes()),
    }
}

/// The command that the words name, one below the other.
fn find<'a>(tree: &'a mut Command, words: &[&str]) -> Option<&'a mut Command> {
    let Some((word, rest)) = words.split_first() else { return Some(tree) };
    find(tree.find_subcommand_mut(word)?, rest)
}

/// Whether a word looks like an SQLSTATE: five capitals and digits, of which the first two are a class that servers use.
fn is_state(word: &str) -> bool {
    let word = word.to_uppercase();
    word.len() == 5
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

fn unknown(output: &OutputArgs) -> Exit {
    let message = "there is no such command and no such error code: `rounds --help` lists the commands, `rounds help \
                   codes` the codes";
    refuse("help", &Error::new("UNKNOWN_ARGUMENT", ErrorKind::BadRequest, message), output)
}

#[cfg(test)]
mod tests {
    use super::is_state;

    #[test]
    fn a_state_has_five_characters_and_a_digit() {
        assert!(["42501", "P0001", "23p01"].into_iter().all(is_state));
        assert!(!["BRAKE", "4250", "runs1-"].into_iter().any(is_state));
    }
}
