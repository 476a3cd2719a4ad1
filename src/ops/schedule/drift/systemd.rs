//! What units say: the timers, and the drop-ins of the template unit.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::said::Said;
use crate::file;
use crate::ops::schedule::render::{Plan, Target, files};

const TIMER: &str = "the timer";
/// The keys that are compared. Other ones are for the clinic to change.
const KEYS: [&str; 6] = ["Unit", "OnCalendar", "ExecStart", "TimeoutStartSec", "LoadCredential", "Environment"];

/// What should be, and what is. Where the directories tell which timers are enabled, the others do not count: a package
/// has one for each job.
pub fn both(plan: &Plan, dirs: &[PathBuf]) -> (Said, Said) {
    let (mut wanted, mut installed) = (of_files(files(plan, Target::Systemd)), installed(dirs));
    let wants: Vec<PathBuf> =
        dirs.iter().map(|dir| dir.join("rounds.target.wants")).filter(|dir| dir.is_dir()).collect();
    if wants.is_empty() {
        return (wanted, installed);
    }
    let is_enabled = |name: &str| {
        let link = format!("rounds-{name}.timer");
        // A link may lead nowhere from here, as into another root.
        wants.iter().any(|dir| dir.join(&link).symlink_metadata().is_ok())
    };
    installed.retain(|name, _| wanted.contains_key(name) || is_enabled(name));
    for (name, settings) in wanted.iter_mut().filter(|(_, settings)| settings.contains_key("OnCalendar")) {
        settings.insert(TIMER.to_owned(), "enabled".to_owned());
        if let Some(found) = installed.get_mut(name) {
            let state = if is_enabled(name) { "enabled" } else { "not enabled" };
            found.insert(TIMER.to_owned(), state.to_owned());
        }
    }
    (wanted, installed)
}

/// The units of directories, the later ones over the earlier.
fn installed(dirs: &[PathBuf]) -> Said {
    let mut files = BTreeMap::new();
    for dir in dirs {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            if !name.starts_with("rounds") {
                continue;
            }
            if path.is_dir() && name.ends_with(".d") {
                for inner in fs::read_dir(&path).into_iter().flatten().flatten() {
                    let text = file::text(&inner.path(), file::VALUE_MAX).unwrap_or_default();
                    files.insert(format!("{name}/{}", inner.file_name().to_string_lossy()), text);
                }
            } else if name.ends_with(".timer") {
                files.insert(name, file::text(&path, file::VALUE_MAX).unwrap_or_default());
            }
        }
    }
    of_files(files)
}

/// A timer comes before its drop-ins, and these in the order of their names: so does systemd read them.
fn of_files(files: BTreeMap<String, String>) -> Said {
    let mut said: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for (file, text) in &files {
        let unit = file.split_once('/').map_or(file.as_str(), |(dir, _)| dir.trim_end_matches(".d"));
        let timer = unit.strip_prefix("rounds-").and_then(|rest| rest.strip_suffix(".timer"));
        let service = unit.strip_prefix("rounds@").and_then(|rest| rest.strip_suffix(".service"));
        let Some(name) = timer.or(service) else { continue };
        let name = if name.is_empty() { "rounds@" } else { name };
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let (key, value) = (key.trim(), value.trim());
            if !KEYS.contains(&key) {
                continue;
            }
            // Of a variable the last value counts, and of a list an empty one forgets those before it.
            let (key, is_list) = match value.split_once('=') {
                Some((variable, _)) if key == "Environment" => (format!("Environment {variable}"), false),
                _ => (key.to_owned(), key == "OnCalendar" || key == "LoadCredential"),
            };
            let values = said.entry(name.to_owned()).or_default().entry(key).or_default();
            if value.is_empty() || !is_list {
                values.clear();
            }
            if !value.is_empty() {
                values.push(value.to_owned());
            }
        }
    }
    let joined = |settings: BTreeMap<String, Vec<String>>| {
        settings.into_iter().map(|(key, values)| (key, values.join(" and "))).collect()
    };
    said.into_iter().map(|(name, settings)| (name, joined(settings))).collect()
}
