//! What is wrong in the files, judged by the command line itself: keys that no command has, and values that an option
//! refuses. No message repeats a value, which may be a secret.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::read::refused;
use super::settings::{File, Setting, Settings, option, partner};
use crate::error::Error;

/// What belongs to one run, or chooses the files themselves.
const NOT_HERE: [&str; 3] = ["as-of", "scheduled-for", "config"];
/// The most mistakes that are told at once.
const TOLD: usize = 10;
/// The least likeness of two names of which one may be meant for the other, as clap has it.
const LIKENESS: f64 = 0.7;

/// Refuses files with a mistake, and names the lines. `is_secret` says of a key and a value whether it must not be read
/// by everybody.
pub fn check(settings: &Settings, tree: &Command, is_secret: fn(&str, &str) -> bool) -> Result<(), Error> {
    let mut told = vec![];
    for file in &settings.files {
        let mut found = mistakes(file, tree, is_secret);
        found.sort();
        told.extend(found.into_iter().map(|(line, why)| format!("{}:{line}: {why}", file.path.display())));
    }
    told.truncate(TOLD);
    if told.is_empty() { Ok(()) } else { Err(refused(told.join("; "))) }
}

fn mistakes(file: &File, tree: &Command, is_secret: fn(&str, &str) -> bool) -> Vec<(usize, String)> {
    let mut found = vec![];
    for (line, path) in &file.tables {
        let (name, above) = path.split_last().expect("a table has a name");
        let Some(command) = command(tree, above) else { continue };
        if command.find_subcommand(name).is_none() {
            let names = command.get_subcommands().map(Command::get_name);
            found.push((*line, format!("[{}] is no command{}", path.join("."), meant(name, names))));
        }
    }
    for setting in &file.settings {
        let Some(command) = command(tree, &setting.table) else { continue };
        if let Some(why) = mistake(setting, tree, command) {
            found.push((setting.line, why));
        }
        let key = &setting.key;
        if file.is_public && setting.values.iter().any(|value| is_secret(key, value)) {
            found.push((setting.line, format!("`{key}` is a secret, and everybody may read the file: chmod o-r")));
        }
        let is_partner = |other: &&Setting| other.table == setting.table && other.key == partner(key);
        if let Some(other) = file.settings.iter().find(is_partner).filter(|other| other.line < setting.line) {
            found.push((setting.line, format!("`{}` and `{key}` are both set; keep one of them", other.key)));
        }
    }
    found
}

/// The command of these names.
fn command<'a>(tree: &'a Command, path: &[String]) -> Option<&'a Command> {
    path.iter().try_fold(tree, |command, name| command.find_subcommand(name))
}

/// The options of a command and of those below it, each with the names of its command.
fn options<'a>(command: &'a Command, path: &str, to: &mut Vec<(String, &'a Arg)>) {
    to.extend(command.get_arguments().map(|arg| (path.to_owned(), arg)));
    for below in command.get_subcommands() {
        let dot = if path.is_empty() { "" } else { "." };
        options(below, &format!("{path}{dot}{}", below.get_name()), to);
    }
}

fn mistake(setting: &Setting, tree: &Command, command: &Command) -> Option<String> {
    let key = setting.key.as_str();
    let mut all = vec![];
    options(command, &setting.table.join("."), &mut all);
    all.extend(tree.get_arguments().filter(|arg| arg.is_global_set()).map(|arg| (String::new(), arg)));
    let called: Vec<&(String, &Arg)> = all.iter().filter(|(_, arg)| arg.get_long() == Some(key)).collect();
    if called.is_empty() {
        let known: Vec<String> = all.iter().filter_map(|(_, arg)| option(arg)).collect();
        return Some(format!("there is no setting `{key}`{}", meant(key, known.iter().map(String::as_str))));
    }
    let called: Vec<&(String, &Arg)> = called.into_iter().filter(|(_, arg)| arg.get_env().is_some()).collect();
    if called.is_empty() || NOT_HERE.contains(&key) {
        return Some(format!("`{key}` is for the command line, not for a file"));
    }
    // Commands may have options of one name that are not one setting.
    if called.iter().any(|(_, arg)| arg.get_env() != called[0].1.get_env()) {
        let commands: Vec<String> = called.iter().map(|(path, _)| format!("[{path}]")).collect();
        return Some(format!("`{key}` is another setting in each of {}: put it there", commands.join(", ")));
    }
    let refusal = called.iter().find_map(|(_, arg)| refusal(arg, &setting.values));
    refusal.map(|why| format!("`{key}`: {why}"))
}

/// What a person may have meant.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let like = known.map(|known| (strsim::jaro(name, known), known)).filter(|(likeness, _)| *likeness > LIKENESS);
    let nearest = like.max_by(|(one, _), (two, _)| one.total_cmp(two));
    nearest.map_or(String::new(), |(_, known)| format!("; `{known}` is the nearest name"))
}

/// Why an option refuses the values; None if it takes them.
fn refusal(arg: &Arg, values: &[&'static str]) -> Option<String> {
    let action = match arg.get_action() {
        ArgAction::SetTrue => ArgAction::Set,
        action => action.clone(),
    };
    let mut alone = Arg::new("value").long("value").action(action).ignore_case(arg.is_ignore_case_set());
    alone = alone.value_parser(arg.get_value_parser().clone()).value_delimiter(arg.get_value_delimiter());
    let words = values.iter().map(|value| format!("--value={value}"));
    let command = Command::new("file").no_binary_name(true).disable_help_flag(true).arg(alone);
    let error = command.try_get_matches_from(words).err()?;
    Some(match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(known))) if !known.is_empty() => {
            format!("expected one of {}", known.join(", "))
        }
        _ if values.len() > 1 => "expected one value, not a list".to_owned(),
        _ => "expected a value".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use clap::builder::PossibleValuesParser;

    use super::*;
    use crate::arg::{truth, whole};

    fn tree() -> Command {
        let days = Arg::new("days").long("days").env("TEST_NOT_SET").value_parser(whole::<u32>(1..=9));
        let kind =
            Arg::new("kind").long("kind").env("TEST_NOT_SET").value_parser(PossibleValuesParser::new(["a", "b"]));
        let list = Arg::new("list").long("list").env("TEST_NOT_SET").action(ArgAction::Append).value_delimiter(',');
        let flag = Arg::new("flag").long("flag").env("TEST_NOT_SET").action(ArgAction::SetTrue).value_parser(truth);
        let [key, file] = ["key", "key-file"].map(|name| Arg::new(name).long(name).env("TEST_NOT_SET"));
        let alone = Arg::new("alone").long("alone");
        let as_of = Arg::new("as-of").long("as-of").env("TEST_NOT_SET").global(true);
        let last = Arg::new("days").long("days").env("TEST_NOT_SET_EITHER");
        let show = Command::new("show").args([days, kind]);
        Command::new("test")
            .args([list, flag, key, file, alone, as_of])
            .subcommand(Command::new("runs").subcommand(show).subcommand(Command::new("last").arg(last)))
    }

    fn told(table: &str, key: &str, values: &[&'static str]) -> String {
        let path: Vec<String> = table.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let tables = if path.is_empty() { vec![] } else { vec![(1, path.clone())] };
        let setting = Setting { line: 2, table: path, key: key.to_owned(), values: values.to_vec() };
        let settings = vec![setting, Setting { line: 1, table: vec![], key: "key".into(), values: vec!["x"] }];
        let file = File { path: "f".into(), is_public: true, tables, settings };
        let is_secret = |key: &str, value: &str| key == "list" && value == "secret";
        check(&Settings { files: vec![file] }, &tree(), is_secret)
            .map_or_else(|error| error.message, |()| String::new())
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_what_may_be_meant() {
        for (table, key, values) in [
            ("runs.show", "days", &["7"][..]),
            ("runs.last", "days", &["x"]),
            ("runs", "kind", &["a"]),
            ("runs.show", "kind", &["a"]),
            ("", "list", &["a", "b,c"]),
            ("", "flag", &["yes"]),
        ] {
            assert_eq!(told(table, key, values), "", "{table} {key}");
        }
        for (table, key, values, sentence) in [
            ("", "day", &["7"][..], "f:2: there is no setting `day`; `days` is the nearest name"),
            ("", "zzz", &["7"], "f:2: there is no setting `zzz`;"),
            ("run", "days", &["7"], "f:1: [run] is no command; `runs` is the nearest name"),
            ("runs.shown", "days", &["7"], "f:1: [runs.shown] is no command; `show` is the nearest name"),
            ("runs", "flag", &["yes"], "f:2: there is no setting `flag`"),
            ("runs.show", "days", &["CANARY"], "f:2: `days`: expected a whole number from 1 to 9"),
            ("", "kind", &["CANARY"], "f:2: `kind`: expected one of a, b"),
            ("", "days", &["7"], "f:2: `days` is another setting in each of [runs.show], [runs.last]: put it there"),
            ("runs.show", "days", &["1", "2"], "f:2: `days`: expected one value, not a list"),
            ("", "flag", &["CANARY"], "f:2: `flag`: expected yes or no"),
            ("", "alone", &["x"], "f:2: `alone` is for the command line"),
            ("runs", "as-of", &["x"], "f:2: `as-of` is for the command line"),
            ("", "key-file", &["x"], "f:2: `key` and `key-file` are both set"),
            ("", "list", &["secret"], "f:2: `list` is a secret, and everybody may read the file"),
        ] {
            let said = told(table, key, values);
            assert!(said.starts_with(sentence) && !said.contains("CANARY"), "{table} {key}: {said}");
        }
    }
}
