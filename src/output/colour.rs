//! Whether output is coloured: `--color`, and the variables NO_COLOR, CLICOLOR and CLICOLOR_FORCE.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use clap::{ColorChoice, ValueEnum};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

static CHOICE: OnceLock<Colour> = OnceLock::new();

/// Makes the choice that of this process. It is called once, before anything is printed.
pub fn choose(choice: Colour) {
    let _ = CHOICE.set(choice);
}

/// The choice that the arguments of a process make, else its variable ROUNDS_COLOR: for what is printed while they are
/// parsed, the help and mistakes. A word that is no choice is one of those mistakes.
pub fn asked(args: impl Iterator<Item = OsString>, variable: Option<String>) -> Colour {
    let words: Vec<String> =
        args.map(|word| word.to_string_lossy().into_owned()).take_while(|word| word != "--").collect();
    let mut given = words.iter().enumerate().filter_map(|(at, word)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).map(String::as_str),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    let word = given.next_back().map(str::to_owned).or(variable);
    word.and_then(|word| Colour::from_str(&word, false).ok()).unwrap_or_default()
}

impl Colour {
    /// The same for clap, which looks at the variables and the terminal by itself.
    pub fn of_help(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

/// Whether stdout gets colours.
pub fn colour() -> bool {
    is_wanted(io::stdout().is_terminal(), |name| env::var(name).ok())
}

/// Whether stderr gets colours.
pub fn stderr_colour() -> bool {
    is_wanted(io::stderr().is_terminal(), |name| env::var(name).ok())
}

fn is_wanted(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    decided(CHOICE.get().copied().unwrap_or_default(), is_terminal, variable)
}

/// The choice, then NO_COLOR, then CLICOLOR_FORCE; CLICOLOR=0 is for a terminal. An empty variable is as one not set.
fn decided(choice: Colour, is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if set("NO_COLOR").is_some() => false,
        Colour::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Colour::Auto => is_terminal && set("CLICOLOR").is_none_or(|value| value != "0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_known_before_the_arguments_are_parsed() {
        let asked = |words: &[&str], variable: Option<&str>| {
            super::asked(words.iter().map(OsString::from), variable.map(str::to_owned))
        };
        for (words, variable, expected) in [
            (&["rounds", "--help"][..], None, Colour::Auto),
            (&["rounds", "--color", "always", "--help"], Some("never"), Colour::Always),
            (&["rounds", "health", "--help", "--color=never"], None, Colour::Never),
            (&["rounds", "--color", "never", "--color", "always"], None, Colour::Always),
            (&["rounds", "--help"], Some("always"), Colour::Always),
            (&["rounds", "--", "--color", "always"], None, Colour::Auto),
            (&["rounds", "--color", "mauve"], None, Colour::Auto),
            (&["rounds", "--color"], None, Colour::Auto),
            (&["rounds", "--colors=always"], None, Colour::Auto),
        ] {
            assert_eq!(asked(words, variable), expected, "{words:?}");
        }
    }

    #[test]
    fn the_option_is_above_the_variables() {
        let with = |choice, is_terminal, variables: &[(&str, &str)]| {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
            decided(choice, is_terminal, variable)
        };
        let (no, force, off) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0"));
        assert!(with(Colour::Auto, true, &[]) && !with(Colour::Auto, false, &[]));
        assert!(with(Colour::Always, false, &[no, off]) && !with(Colour::Never, true, &[force]));
        assert!(!with(Colour::Auto, true, &[no, force]), "NO_COLOR is above the other variables");
        assert!(with(Colour::Auto, false, &[force]) && with(Colour::Auto, true, &[force, off]));
        assert!(!with(Colour::Auto, true, &[off]));
        assert!(with(Colour::Auto, true, &[("NO_COLOR", ""), ("CLICOLOR", "1")]));
        assert!(!with(Colour::Auto, false, &[("CLICOLOR_FORCE", "0"), ("CLICOLOR", "1")]));
    }
}
