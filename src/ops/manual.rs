//! `rounds man`, docs/cli.md and docs/errors.md: the description of the command line in more forms.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, Command, ValueHint};
use clap_mangen::Man;
use tracing::error;

use crate::error::file_error;
use crate::exit::Exit;
use crate::ops::help::errors_page;
use crate::output::print;

/// Print the manual page, or write those of all commands to a directory
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write rounds.1, rounds-mark-no-shows.1 and so on there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "markdown")]
    dir: Option<PathBuf>,
    /// Print docs/cli.md: all commands on one page
    #[arg(long)]
    markdown: bool,
    /// Print docs/errors.md: all error codes on one page
    #[arg(long, conflicts_with_all = ["markdown", "dir"])]
    errors: bool,
}

pub fn man(args: &ManArgs, tree: Command) -> Exit {
    if args.markdown {
        return print(Exit::Done, reference(&tree).as_bytes());
    }
    if args.errors {
        return print(Exit::Done, errors_page().as_bytes());
    }
    let written = match &args.dir {
        Some(dir) => clap_mangen::generate_to(tree, dir),
        None => {
            let mut page = vec![];
            let rendered = Man::new(tree).render(&mut page);
            if rendered.is_ok() {
                return print(Exit::Done, &page);
            }
            rendered
        }
    };
    match (written, &args.dir) {
        (Ok(()), _) => Exit::Done,
        (Err(error), dir) => {
            let dir = dir.as_ref().map_or(String::new(), |dir| format!(" to {}", dir.display()));
            error!("man: the pages cannot be written{dir}: {}", file_error(&error));
            Exit::Failed
        }
    }
}

/// The text of docs/cli.md.
fn reference(tree: &Command) -> String {
    let mut page = String::from(
        "# The command line\n\nWritten by `make docs` from the program itself; a test fails where the two differ. Exit \
         codes are in\n[exit-codes.md](exit-codes.md).\n\n## Options of every command\n\nThey stand before or \
         behind the command's name.\n",
    );
    let global: Vec<&Arg> = tree.get_arguments().filter(|arg| arg.is_global_set()).collect();
    let mut headings: Vec<Option<&str>> = global.iter().map(|arg| arg.get_help_heading()).collect();
    headings.dedup();
    for heading in headings {
        let under: Vec<&Arg> = global.iter().filter(|arg| arg.get_help_heading() == heading).copied().collect();
        let _ = writeln!(page, "\n### {}\n", heading.unwrap_or("Options"));
        table(&mut page, &under);
    }
    page.push_str("\n## Options of every job\n\nThey stand behind the job's name.\n\n");
    let of_every_job = |command: &'_ Command| -> Vec<Arg> {
        command.get_arguments().filter(|arg| is_of_every_job(arg)).cloned().collect()
    };
    let args = tree.get_subcommands().map(of_every_job).find(|args| !args.is_empty()).unwrap_or_default();
    table(&mut page, &args.iter().collect::<Vec<_>>());
    for command in tree.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(&mut page, "rounds", command);
    }
    page
}

/// Whether an option belongs to every job, but not to every command.
fn is_of_every_job(arg: &Arg) -> bool {
    arg.get_help_heading() == Some("Run") && !arg.is_global_set()
}

/// Adds the section of a command, then those of its sub-commands.
fn section(page: &mut String, parent: &str, command: &Command) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    // clap takes the full stop from a text of one paragraph alone.
    let _ = writeln!(page, "\n## {name}\n\n{}.", about.trim_end_matches('.'));
    if let Some(after) = command.get_after_help() {
        let _ = writeln!(page, "\n{after}");
    }
    let is_own = |arg: &&Arg| !arg.is_global_set() && !is_of_every_job(arg) && arg.get_id() != "help";
    let own: Vec<&Arg> = command.get_arguments().filter(is_own).collect();
    if !own.is_empty() {
        page.push('\n');
        table(page, &own);
    }
    for command in command.get_subcommands() {
        section(page, &name, command);
    }
}

fn table(page: &mut String, args: &[&Arg]) {
    page.push_str("| option | environment | default | |\n|---|---|---|---|\n");
    for arg in args {
        let values = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>();
        let flag = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Help | ArgAction::Version);
        let value = if flag { String::new() } else { values.join(" ") };
        let option = match arg.get_long() {
            Some(long) => format!("`{}`", format!("--{long} {value}").trim_end()),
            None => format!("`{value}`"),
        };
        let env = arg.get_env().map_or(String::new(), |env| format!("`{}`", env.to_string_lossy()));
        let default =
            arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let default = match default {
            _ if flag => String::new(),
            address if address.contains("://") => format!("<{address}>"),
            other => other,
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let choices = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect::<Vec<_>>();
        let choices = if flag || choices.is_empty() { String::new() } else { format!(" ({})", choices.join(", ")) };
        let _ = writeln!(page, "| {option} | {env} | {default} | {help}{choices} |");
    }
}
