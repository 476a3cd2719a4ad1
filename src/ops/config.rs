//! `rounds config show`: every setting that is in force, and where it is from.

use clap::{ArgMatches, Args, Command, Subcommand};
use serde_json::{Value, json};

use crate::command::{listing, refuse};
use crate::config::{self, Shown, Source};
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;
use crate::jobs;
use crate::output::OutputArgs;
use crate::output::table::{kept, minor};

/// Say what is set, and by what
#[derive(Args, Debug)]
pub struct ConfigCommandArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand, Debug)]
enum ConfigCommand {
    Show(ShowArgs),
}

/// List every setting in force with its source: a flag, the environment, a line of a file, or the default
///
/// Files are read from ~/.config/rounds/config.toml and /etc/rounds/config.toml. Of a secret only that it is set is
/// said.
#[derive(Args, Debug)]
struct ShowArgs {
    /// Only the settings of this command, such as mark-no-shows
    #[arg(value_name = "COMMAND")]
    of: Option<String>,
    /// Leave out what is as by default
    #[arg(long)]
    set: bool,
}

/// `tree` is the command line, and `matches` what was given on it.
pub fn command(args: &ConfigCommandArgs, tree: &Command, matches: &ArgMatches, output: &OutputArgs) -> Exit {
    let ConfigCommand::Show(args) = &args.command;
    if let Some(name) = args.of.as_deref().filter(|name| tree.find_subcommand(name).is_none()) {
        let message = format!("there is no command {name}: `rounds --help` lists them");
        return refuse("config", &Error::new("UNKNOWN_ARGUMENT", ErrorKind::BadRequest, message), output);
    }
    let is_of = |row: &Shown, name: &str| {
        let below = format!("{name} ");
        row.commands.is_empty() || row.commands.iter().any(|command| command == name || command.starts_with(&below))
    };
    let mut rows = config::shown(tree, matches);
    rows.retain(|row| !args.set || row.source != Source::Default);
    rows.retain(|row| args.of.as_deref().is_none_or(|name| is_of(row, name)));
    let text = || {
        let names = [kept("setting"), kept("value"), kept("source"), minor("commands")];
        let cells = |row: &Shown| vec![row.key.clone(), value(row), source(row), commands(row)];
        listing(&names, &rows.iter().map(cells).collect::<Vec<_>>(), "Everything is as by default.")
    };
    output.print(Exit::Done, text, || json!({ "settings": rows.iter().map(json).collect::<Vec<_>>() }))
}

/// The value for people.
fn value(row: &Shown) -> String {
    match &row.value {
        Some(_) if row.is_hidden => "set".to_owned(),
        Some(value) => value.clone(),
        None => String::new(),
    }
}

fn source(row: &Shown) -> String {
    match &row.source {
        Source::Flag => format!("--{}", row.key),
        Source::Environment => row.variable.clone(),
        Source::File(place) => place.to_string(),
        Source::Default => "default".to_owned(),
    }
}

fn commands(row: &Shown) -> String {
    let has = |job: &&'static str| row.commands.iter().any(|command| command == job);
    match &row.commands[..] {
        [] => "all".to_owned(),
        commands if jobs::NAMES.iter().all(has) && commands.len() == jobs::NAMES.len() => "every job".to_owned(),
        commands => commands.join(", "),
    }
}

fn json(row: &Shown) -> Value {
    let (kind, place) = match &row.source {
        Source::Flag => ("flag", None),
        Source::Environment => ("environment", None),
        Source::File(place) => ("file", Some(place)),
        Source::Default => ("default", None),
    };
    json!({
        "setting": row.key,
        "variable": row.variable,
        "commands": row.commands,
        "value": row.value.as_ref().filter(|_| !row.is_hidden),
        "is_set": row.value.is_some(),
        "source": kind,
        "file": place.map(|place| place.file.display().to_string()),
        "line": place.map(|place| place.line),
    })
}
