//! The settings that were read, and how they become defaults of options.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A key with its value.
#[derive(Clone)]
pub struct Setting {
    pub line: usize,
    /// The command in whose table it is; none at the top.
    pub table: Vec<String>,
    pub key: String,
    /// clap keeps a default as long as the process lives.
    pub values: Vec<&'static str>,
}

/// A file that was read.
pub struct File {
    pub path: PathBuf,
    /// Whether everybody may read it.
    pub is_public: bool,
    /// The commands that have a table, each with its line.
    pub tables: Vec<(usize, Vec<String>)>,
    pub settings: Vec<Setting>,
}

/// What the files say, the strongest file first.
#[derive(Default)]
pub struct Settings {
    pub files: Vec<File>,
}

static IN_FORCE: OnceLock<Settings> = OnceLock::new();

/// The settings of this process, once they are installed.
pub fn in_force() -> Option<&'static Settings> {
    IN_FORCE.get()
}

/// Makes the settings those of this process.
pub fn install(settings: Settings) -> &'static Settings {
    IN_FORCE.get_or_init(|| settings)
}

/// The arguments of a command that this process starts by itself, with the settings in force. `path` is the names of the
/// command.
pub fn matches(command: impl Fn() -> Command, path: &[String], words: &[&str]) -> Result<ArgMatches, clap::Error> {
    let matches = command().try_get_matches_from(words)?;
    match IN_FORCE.get().filter(|settings| !settings.is_empty()) {
        Some(settings) => settings.applied(command(), path, &excluded(&matches)).try_get_matches_from(words),
        None => Ok(matches),
    }
}

/// The option that names the file with the value of this one, or the value of this file: only one of them can be given.
pub fn partner(key: &str) -> String {
    key.strip_suffix("-file").map_or_else(|| format!("{key}-file"), str::to_owned)
}

/// The keys that count no more, since the command line or a variable gives the other of a pair.
pub fn excluded(matches: &ArgMatches) -> HashSet<String> {
    let given = matches.ids().filter(|id| {
        let source = matches.value_source(id.as_str());
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    });
    let mut keys: HashSet<String> = given.map(|id| partner(&id.as_str().replace('_', "-"))).collect();
    if let Some((_, matches)) = matches.subcommand() {
        keys.extend(excluded(matches));
    }
    keys
}

impl Settings {
    /// Whether no file was read. One without a setting may have a mistake.
    pub fn has_no_file(&self) -> bool {
        self.files.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.settings.is_empty())
    }

    /// The setting of a command's option, with its rank: the file, then how far above the command it stands.
    fn ranked(&self, path: &[String], key: &str) -> Option<((usize, usize), Place, &Setting)> {
        self.files.iter().enumerate().find_map(|(number, file)| {
            (0..=path.len()).find_map(|above| {
                let table = &path[..path.len() - above];
                let setting = file.settings.iter().find(|setting| setting.key == key && setting.table == table)?;
                Some(((number, above), Place { file: file.path.clone(), line: setting.line }, setting))
            })
        })
    }

    /// The setting of a command's option, unless the other of a pair counts.
    pub fn of(&self, path: &[String], key: &str, without: &HashSet<String>) -> Option<(Place, &Setting)> {
        let (rank, place, setting) = self.ranked(path, key)?;
        let is_outdone = self.ranked(path, &partner(key)).is_some_and(|(other, ..)| other < rank);
        (!is_outdone && !without.contains(key)).then_some((place, setting))
    }

    /// The command with the settings as defaults.
    pub fn applied(&self, command: Command, path: &[String], without: &HashSet<String>) -> Command {
        if self.is_empty() {
            return command;
        }
        let global: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
        self.below(command, path, &global, without)
    }

    fn below(&self, command: Command, path: &[String], global: &[Arg], without: &HashSet<String>) -> Command {
        let with_default = |arg: Arg| match option(&arg).and_then(|key| self.of(path, &key, without)) {
            Some((_, setting)) => arg.default_values(setting.values.iter().copied()),
            None => arg,
        };
        let is_here = |arg: &&Arg| {
            let all = || self.files.iter().flat_map(|file| &file.settings);
            option(arg).is_some_and(|key| all().any(|setting| setting.key == key && setting.table == path))
        };
        // An option of every command, which this command has a table for, becomes one of its own.
        let own: Vec<Arg> = match path {
            [] => vec![],
            _ => global.iter().filter(is_here).cloned().map(with_default).collect(),
        };
        let command = command.mut_args(with_default).args(own);
        command.mut_subcommands(|sub| {
            let path = [path, &[sub.get_name().to_owned()]].concat();
            self.below(sub, &path, global, without)
        })
    }
}

/// The key of an option that a file can set: its long name, where it has a variable.
pub fn option(arg: &Arg) -> Option<String> {
    arg.get_env()?;
    arg.get_long().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, settings: &[(&[&str], &str, &'static str)]) -> File {
        let setting = |(line, (table, key, value)): (usize, &(&[&str], &str, &'static str))| Setting {
            line: line + 1,
            table: table.iter().map(|name| (*name).to_owned()).collect(),
            key: (*key).to_owned(),
            values: vec![value],
        };
        let settings = settings.iter().enumerate().map(setting).collect();
        File { path: name.into(), is_public: false, tables: vec![], settings }
    }

    fn command() -> Command {
        let global = Arg::new("where").long("where").env("TEST_NOT_SET_WHERE").global(true).default_value("default");
        let own = Arg::new("days").long("days").env("TEST_NOT_SET_DAYS").default_value("default");
        let alone = Arg::new("alone").long("alone").default_value("default");
        let [one, two] = ["one", "two"].map(|name| Command::new(name).args([own.clone(), alone.clone()]));
        Command::new("test").arg(global).subcommands([one, two])
    }

    /// The values of `where` and `days` of a command.
    fn values(settings: &Settings, words: &[&str]) -> [String; 2] {
        let words = [&["test"], words].concat();
        let matches = settings.applied(command(), &[], &HashSet::new()).get_matches_from(words);
        let (_, own) = matches.subcommand().expect("a command");
        let of = |matches: &ArgMatches, id: &str| matches.get_one::<String>(id).expect("a value").clone();
        assert_eq!(of(own, "alone"), "default", "no variable, no key");
        assert_eq!(of(&matches, "where"), of(own, "where"));
        [of(&matches, "where"), of(own, "days")]
    }

    #[test]
    fn the_line_is_before_the_users_file_and_that_before_the_machines() {
        let user = file("user", &[(&["one"], "days", "user one"), (&[], "alone", "user")]);
        let system =
            file("system", &[(&[], "where", "system"), (&["two"], "where", "system two"), (&[], "days", "all")]);
        let settings = Settings { files: vec![user, system] };
        assert_eq!(values(&settings, &["one"]), ["system", "user one"]);
        assert_eq!(values(&settings, &["two"]), ["system two", "all"]);
        assert_eq!(values(&settings, &["two", "--days", "line"]), ["system two", "line"]);
        assert_eq!(values(&settings, &["--where", "line", "two"]), ["line", "all"]);
        assert_eq!(values(&Settings::default(), &["two"]), ["default", "default"]);
    }

    #[test]
    fn of_a_pair_the_stronger_place_counts() {
        let user = file("user", &[(&[], "url-file", "user"), (&["one"], "key", "user one")]);
        let system = file("system", &[(&[], "url", "system"), (&[], "key-file", "system")]);
        let settings = Settings { files: vec![user, system] };
        let of = |path: &[&str], key: &str, without: &[&str]| {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            let without = without.iter().map(|key| (*key).to_owned()).collect();
            settings.of(&path, key, &without).map(|(place, _)| place.to_string())
        };
        assert_eq!((of(&[], "url", &[]), of(&[], "url-file", &[]).as_deref()), (None, Some("user:1")));
        assert_eq!(of(&[], "url-file", &["url-file"]), None, "a variable gives the other");
        assert_eq!((of(&["one"], "key-file", &[]), of(&["two"], "key-file", &[]).as_deref()), (None, Some("system:2")));
    }
}
