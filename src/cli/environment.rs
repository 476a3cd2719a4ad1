//! The options that the environment gives, beside those of the command line.
//!
//! Rule: what is given on the command line wins. A variable of an option that is given there, or that excludes one, is
//! not even looked at: whether its value is good does not matter. A usage line names what the command line lacks, and
//! nothing that the environment gives.

use std::collections::HashSet;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error, Id};

use crate::db::has_password;

/// An option that is a secret, which a variable or a file gives.
struct Secret {
    id: &'static str,
    file_id: &'static str,
    what: &'static str,
    variable: &'static str,
}

const SECRETS: [Secret; 3] = [
    Secret { id: "api_key", file_id: "api_key_file", what: "key", variable: "ROUNDS_PRACTICEQ_KEY" },
    Secret { id: "smtp_password", file_id: "smtp_password_file", what: "password", variable: "ROUNDS_SMTP_PASSWORD" },
    Secret { id: "twilio_token", file_id: "twilio_token_file", what: "token", variable: "ROUNDS_TWILIO_TOKEN" },
];

/// An option whose value is an address, and all of it a secret.
const SECRET_ADDRESS: &str = "--ping-url ";

/// Whether a setting is a secret: by its key, or for a password in an address.
pub fn is_secret(key: &str, value: &str) -> bool {
    let is_key = |secret: &Secret| secret.id.replace('_', "-") == key;
    let is_address = SECRET_ADDRESS.trim().trim_start_matches("--") == key;
    let user = value.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    let has_user = user.is_some_and(|(user, _)| user.contains(':'));
    SECRETS.iter().any(is_key) || is_address || if key == "database-url" { has_password(value) } else { has_user }
}

/// Pairs of options of which only one can be given, each with a variable.
fn either() -> impl Iterator<Item = [&'static str; 2]> {
    [["database_url", "database_url_file"]].into_iter().chain(SECRETS.iter().map(|secret| [secret.id, secret.file_id]))
}

/// The other one of such a pair.
fn other(id: &str) -> Option<&'static str> {
    either().find_map(|[one, two]| match id {
        id if id == one => Some(two),
        id if id == two => Some(one),
        _ => None,
    })
}

/// Whether an option has its value from there. A command need not know the option.
fn is_from(matches: &ArgMatches, id: &str, source: ValueSource) -> bool {
    matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(source)
}

/// Whether a variable excludes what the command line gives, at any level.
pub fn is_in_the_way(matches: &ArgMatches) -> bool {
    let is_from = |id: &str, source| is_from(matches, id, source);
    let excluded = |[one, two]: [&str; 2]| {
        [(one, two), (two, one)].into_iter().any(|(given, variable)| {
            is_from(given, ValueSource::CommandLine) && is_from(variable, ValueSource::EnvVariable)
        })
    };
    either().any(excluded) || matches.subcommand().is_some_and(|(_, matches)| is_in_the_way(matches))
}

/// The message about a secret on the command line. Arguments can be read by every user of the machine, and stay in the
/// history of the shell, so that a secret which was given there is known already. None where there is none, at any
/// level.
pub fn secret_argument(matches: &ArgMatches) -> Option<String> {
    let given =
        |id: &str| is_from(matches, id, ValueSource::CommandLine).then(|| matches.get_one::<String>(id)).flatten();
    if given("database_url").is_some_and(|url| has_password(url)) {
        return Some(
            "--database-url holds a password, and other users of the machine see arguments (ps): set DATABASE_URL, or \
             put the URL into a file and say --database-url-file PATH; a password that was given here should be changed"
                .to_owned(),
        );
    }
    let secret = SECRETS.iter().find(|secret| given(secret.id).is_some());
    if let Some(Secret { id, what, variable, .. }) = secret {
        let option = format!("--{}", id.replace('_', "-"));
        return Some(format!(
            "{option} is no place for the {what}, since other users of the machine see arguments (ps): set {variable}, or \
             put the {what} into a file and say {option}-file PATH; a {what} that was given here should be changed"
        ));
    }
    matches.subcommand().and_then(|(_, matches)| secret_argument(matches))
}

/// The command line, read again without the variables that it overrides. `tree` makes the whole of it.
pub fn matches(tree: &dyn Fn() -> Command) -> Result<ArgMatches, Error> {
    let mut given = HashSet::new();
    let bare = without(tree(), &|_| true);
    if let Ok(matches) = bare.clone().ignore_errors(true).try_get_matches() {
        collect_given(&bare, &matches, &mut given);
    }
    let error = match without(tree(), &|arg| given.contains(arg.get_id())).try_get_matches() {
        Ok(matches) => return Ok(matches),
        Err(error) => masked(error),
    };
    match bare.try_get_matches() {
        // The error of the same mistake has a usage line without the environment.
        Err(plain) if plain.kind() == error.kind() && plain.context().next().is_some() => Err(masked(plain)),
        Err(_) => Err(error),
        // Without the environment there is no mistake: it is in a variable.
        Ok(matches) => Err(of_variable(given_command(&tree(), &matches), error)),
    }
}

/// The options that the command line gives, and those that they exclude.
fn collect_given(command: &Command, matches: &ArgMatches, given: &mut HashSet<Id>) {
    let is_given = |id: &Id| is_from(matches, id.as_str(), ValueSource::CommandLine);
    for arg in command.get_arguments().filter(|arg| is_given(arg.get_id())) {
        given.insert(arg.get_id().clone());
        given.extend(other(arg.get_id().as_str()).map(Id::from));
        given.extend(command.get_arg_conflicts_with(arg).into_iter().map(|arg| arg.get_id().clone()));
    }
    if let Some((name, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        collect_given(command, matches, given);
    }
}

/// The command without the variables of these options.
pub fn without(command: Command, which: &dyn Fn(&Arg) -> bool) -> Command {
    let strip = |arg: Arg| if which(&arg) { arg.env(Resettable::Reset) } else { arg };
    let command = command.mut_args(strip);
    command.mut_subcommands(|sub| without(sub, which))
}

/// The error without what may be a secret in a value that is refused: clap repeats it.
fn masked(mut error: Error) -> Error {
    let is_of = |option: &str| matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(arg)) if arg.starts_with(option));
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let shown = if is_of(SECRET_ADDRESS) { "...".to_owned() } else { without_secret(value) };
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    error
}

/// A value without user and password, and a URL without its query and fragment.
fn without_secret(value: &str) -> String {
    let (scheme, rest) = value.split_once("://").map_or((None, value), |(scheme, rest)| (Some(scheme), rest));
    let rest = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, host)| format!("...@{host}"));
    match (scheme, rest.split_once(['?', '#'])) {
        (Some(scheme), Some((before, _))) => format!("{scheme}://{before}?..."),
        (Some(scheme), None) => format!("{scheme}://{rest}"),
        (None, _) => rest,
    }
}

/// The command that was given: two may have options of the same name, each with a variable of its own.
fn given_command<'a>(command: &'a Command, matches: &ArgMatches) -> &'a Command {
    let given = matches.subcommand().and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches)));
    given.map_or(command, |(sub, matches)| given_command(sub, matches))
}

/// The error with the name of the variable whose value is wrong.
fn of_variable(command: &Command, error: Error) -> Error {
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => option.split([' ', '=']).next().unwrap_or_default().to_owned(),
        _ => return error,
    };
    let Some(variable) = variable_of(command, option.trim_start_matches('-')) else { return error };
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return error;
    }
    let text = error.to_string();
    let sentence = text.trim_start_matches("error: ").split("\n\nFor more").next().unwrap_or_default();
    Error::raw(error.kind(), format!("the variable {variable}: {sentence}\n"))
}

fn variable_of(command: &Command, long: &str) -> Option<String> {
    let of_this = || command.get_arguments().find(|arg| arg.get_long() == Some(long))?.get_env();
    let name = of_this().map(|name| name.to_string_lossy().into_owned());
    name.or_else(|| command.get_subcommands().find_map(|sub| variable_of(sub, long)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_key_or_by_a_password() {
        for (key, value) in [
            ("api-key", "x"),
            ("twilio-token", "x"),
            ("ping-url", "https://hc-ping.com/x"),
            ("database-url", "postgresql://u:p@h/d"),
            ("database-url", "host=h password=p"),
            ("smtp-url", "smtps://u:p@h"),
        ] {
            assert!(is_secret(key, value), "{key}");
        }
        for (key, value) in [
            ("database-url", "postgresql://u@h/d"),
            ("api-key-file", "/x"),
            ("smtp-url", "smtps://h:465"),
            ("schema", "x"),
        ] {
            assert!(!is_secret(key, value), "{key}");
        }
    }

    #[test]
    fn of_a_value_that_is_refused_no_secret_is_repeated() {
        for (value, shown) in [
            ("http://intakeq.com/api/v1/", "http://intakeq.com/api/v1/"),
            ("https://user:hunter2@mirror/nppes", "https://...@mirror/nppes"),
            ("https://user:hun?t@e#r2@mirror/x?key=hunter2", "https://...@mirror/x?..."),
            ("file:///tmp#hunter2", "file:///tmp?..."),
            ("user:hunter2@mirror", "...@mirror"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(without_secret(value), shown);
        }
    }
}
