//! Whether output is coloured: `--color`, and the variables NO_COLOR, CLICOLOR and CLICOLOR_FORCE.

use std::env;
use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use clap::ValueEnum;

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
