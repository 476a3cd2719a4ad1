//! What is in force, and where it is from: for `rounds config show`.

use std::collections::HashSet;
use std::env;
use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::settings::{Place, Settings, excluded, in_force, option};

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Flag,
    Environment,
    File(Place),
    Default,
}

/// A value of one option, and the commands for which it is in force.
#[derive(Debug)]
pub struct Shown {
    pub key: String,
    pub variable: String,
    /// The names of the commands; none for an option of every command.
    pub commands: Vec<String>,
    /// None where the option has no value.
    pub value: Option<String>,
    /// Whether the value is not to be shown.
    pub is_hidden: bool,
    pub source: Source,
}

/// An option with the commands that have it; none where it is one of every command.
struct Setter {
    arg: Arg,
    paths: Vec<Vec<String>>,
}

/// The values of all options that a file can set. `tree` is the command line, and `matches` what was given on it.
pub fn shown(tree: &Command, matches: &ArgMatches) -> Vec<Shown> {
    let none = Settings::default();
    let settings = in_force().unwrap_or(&none);
    let without = excluded(matches);
    let mut all = vec![];
    options(tree, &[], &mut all);
    all.iter().flat_map(|one| of_option(one, settings, &without, matches)).collect()
}

/// The options of a command and of those below it. Those with one name and one variable are one.
fn options(command: &Command, path: &[String], to: &mut Vec<Setter>) {
    for arg in command.get_arguments().filter(|arg| option(arg).is_some()) {
        let is_same = |one: &&mut Setter| (one.arg.get_long(), one.arg.get_env()) == (arg.get_long(), arg.get_env());
        match to.iter_mut().find(is_same) {
            Some(one) => one.paths.push(path.to_vec()),
            None => to.push(Setter { arg: arg.clone(), paths: vec![path.to_vec()] }),
        }
    }
    for below in command.get_subcommands() {
        options(below, &[path, &[below.get_name().to_owned()]].concat(), to);
    }
}

/// The values of an option: one, or several where a file has it in the table of a command.
fn of_option(one: &Setter, settings: &Settings, without: &HashSet<String>, matches: &ArgMatches) -> Vec<Shown> {
    let key = option(&one.arg).unwrap_or_default();
    let mut paths = one.paths.clone();
    if one.arg.is_global_set() {
        let all = settings.files.iter().flat_map(|file| &file.settings);
        paths
            .extend(all.filter(|setting| setting.key == key && !setting.table.is_empty()).map(|one| one.table.clone()));
    }
    let mut rows: Vec<Shown> = vec![];
    for path in &paths {
        let (value, source) = value(&one.arg, &key, path, settings, without, matches);
        let name = path.join(" ");
        let is_same = |row: &&mut Shown| row.value == value && row.source == source;
        match rows.iter_mut().find(is_same) {
            // What every command has need not be said again of one.
            Some(row) if row.commands.is_empty() || row.commands.contains(&name) => {}
            Some(row) => row.commands.push(name),
            None => rows.push(Shown {
                key: key.clone(),
                variable: one.arg.get_env().map_or(String::new(), |name| name.to_string_lossy().into_owned()),
                commands: if path.is_empty() { vec![] } else { vec![name] },
                value,
                is_hidden: one.arg.is_hide_env_values_set(),
                source,
            }),
        }
    }
    rows
}

fn value(
    arg: &Arg,
    key: &str,
    path: &[String],
    settings: &Settings,
    without: &HashSet<String>,
    matches: &ArgMatches,
) -> (Option<String>, Source) {
    let joined = |values: Vec<&OsStr>| {
        let values: Vec<_> = values.into_iter().map(OsStr::to_string_lossy).collect();
        (!values.is_empty()).then(|| values.join(","))
    };
    let id = arg.get_id().as_str();
    let is_given = matches.try_contains_id(id).is_ok()
        && matches.value_source(id) == Some(ValueSource::CommandLine)
        && arg.is_global_set();
    if is_given {
        let raw = matches.get_raw(id).map_or(vec![], Iterator::collect);
        // A flag has no word of its own.
        return (joined(raw).or_else(|| Some("true".to_owned())), Source::Flag);
    }
    if let Some(value) = arg.get_env().and_then(env::var_os) {
        return (joined(vec![&value]), Source::Environment);
    }
    if let Some((place, setting)) = settings.of(path, key, without) {
        return (Some(setting.values.join(",")), Source::File(place));
    }
    (joined(arg.get_default_values().iter().map(|value| value.as_os_str()).collect()), Source::Default)
}
