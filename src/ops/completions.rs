//! `rounds completions`: the completions of a shell, printed, or put where the user's shell looks for them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use crate::command::refuse;
use crate::error::{Error, ErrorKind, file_error};
use crate::exit::Exit;
use crate::output::{OutputArgs, print};

/// Print the completions of a shell, or install them for this user
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct CompletionsArgs {
    /// Which one
    #[arg(required = true)]
    shell: Option<Shell>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug)]
enum Action {
    Install(InstallArgs),
}

/// Write them where the shell of this user looks for them, and say where: bash, zsh or fish
#[derive(Args, Debug)]
struct InstallArgs {
    /// Which one [default: that of the variable SHELL]
    #[arg(long)]
    shell: Option<Shell>,
}

pub fn command(args: &CompletionsArgs, tree: Command, output: &OutputArgs) -> Exit {
    let installed = match (&args.action, args.shell) {
        (None, Some(shell)) => return print(Exit::Done, &script(shell, tree)),
        (None, None) => return refuse("completions", &usage("which shell?".into()), output),
        (Some(Action::Install(args)), _) => install(args.shell, tree, |name| env::var(name).ok()),
    };
    match installed {
        Ok((shell, path)) => {
            let next = next_step(shell, &path);
            let text = || format!("written  {}\n{next}", path.display());
            output.print(Exit::Done, text, || json!({ "shell": shell.to_string(), "written": path, "next": next }))
        }
        Err(error) => refuse("completions", &error, output),
    }
}

fn usage(message: String) -> Error {
    Error::new("USAGE", ErrorKind::BadRequest, message)
}

fn script(shell: Shell, mut tree: Command) -> Vec<u8> {
    let mut script = vec![];
    clap_complete::generate(shell, &mut tree, "rounds", &mut script);
    script
}

/// Writes the completions of the shell, else of the user's own.
fn install(
    shell: Option<Shell>,
    tree: Command,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Shell, PathBuf), Error> {
    let own = || Shell::from_shell_path(variable("SHELL")?);
    let shell = shell.or_else(own).ok_or_else(|| usage("the variable SHELL names no shell: --shell bash".into()))?;
    let path = place(shell, &variable)?;
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, script(shell, tree)));
    match written {
        Ok(()) => Ok((shell, path)),
        Err(error) => {
            let message = format!("{} cannot be written: {}", path.display(), file_error(&error));
            Err(Error::new("OUTPUT_NOT_WRITTEN", ErrorKind::Other, message))
        }
    }
}

/// The file in which a shell looks for the completions of `rounds`, for this user.
fn place(shell: Shell, variable: &impl Fn(&str) -> Option<String>) -> Result<PathBuf, Error> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("HOME").ok_or_else(|| usage("the variable HOME names no folder".into()))?;
    let below = |name: &str, folder: &str| set(name).unwrap_or_else(|| home.join(folder));
    match shell {
        Shell::Bash => {
            let own = || below("XDG_DATA_HOME", ".local/share").join("bash-completion");
            Ok(set("BASH_COMPLETION_USER_DIR").unwrap_or_else(own).join("completions/rounds"))
        }
        Shell::Fish => Ok(below("XDG_CONFIG_HOME", ".config").join("fish/completions/rounds.fish")),
        Shell::Zsh => Ok(set("ZDOTDIR").unwrap_or(home).join(".zfunc/_rounds")),
        other => {
            let message =
                format!("{other} has no folder for completions: source what `rounds completions {other}` prints");
            Err(usage(message))
        }
    }
}

/// What is left to the user.
fn next_step(shell: Shell, path: &Path) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match shell {
        Shell::Bash => "A new shell has them, where the package bash-completion is installed.".to_owned(),
        Shell::Zsh => format!("A new shell has them, if .zshrc says before compinit: fpath+=({folder})"),
        _ => "A new shell has them.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(shell: Shell, variables: &[(&str, &str)]) -> Option<String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        place(shell, &variable).ok().map(|path| path.display().to_string())
    }

    #[test]
    fn each_shell_has_its_place() {
        let home = ("HOME", "/h");
        let bash = "/h/.local/share/bash-completion/completions/rounds";
        assert_eq!(placed(Shell::Bash, &[home]).as_deref(), Some(bash));
        let data = [home, ("XDG_DATA_HOME", "/d")];
        assert_eq!(placed(Shell::Bash, &data).as_deref(), Some("/d/bash-completion/completions/rounds"));
        let own = [home, ("BASH_COMPLETION_USER_DIR", "/b")];
        assert_eq!(placed(Shell::Bash, &own).as_deref(), Some("/b/completions/rounds"));
        assert_eq!(placed(Shell::Fish, &[home]).as_deref(), Some("/h/.config/fish/completions/rounds.fish"));
        assert_eq!(placed(Shell::Zsh, &[home]).as_deref(), Some("/h/.zfunc/_rounds"));
        assert_eq!(placed(Shell::Zsh, &[home, ("ZDOTDIR", "/z")]).as_deref(), Some("/z/.zfunc/_rounds"));
        assert!(placed(Shell::Elvish, &[home]).is_none() && placed(Shell::Bash, &[]).is_none());
    }
}
