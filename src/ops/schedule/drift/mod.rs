//! `rounds schedule check`: compares what is installed with the schedule. It reads files and nothing else.
//!
//! Both sides are read by the same reader: what is installed, and what would be rendered.

mod crontab;
mod k8s;
mod said;
mod systemd;
mod terraform;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::render::{Plan, PlanArgs};
use crate::error::{Error, ErrorKind};
use crate::file;
use said::Said;

/// The most bytes of a file that is read: the state of a large deployment.
const MOST: u64 = 64 * 1024 * 1024;

/// Compare what is installed with the schedule: a line for each difference, exit 1 when there is one
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("installed").required(true)))]
pub struct CheckArgs {
    #[command(flatten)]
    pub installed: InstalledArgs,
    #[command(flatten)]
    pub plan: PlanArgs,
}

/// What is installed, as its scheduler tells it.
#[derive(Args, Debug)]
pub struct InstalledArgs {
    /// Directory of units; give it again for those that lie over it, such as /etc/systemd/system
    #[arg(long, value_name = "DIR", group = "installed")]
    systemd: Vec<PathBuf>,
    /// What `kubectl get cronjobs -o json` prints
    #[arg(long, value_name = "FILE", group = "installed")]
    k8s: Option<PathBuf>,
    /// What `terraform show -json` prints, or a schedules.tf
    #[arg(long, value_name = "FILE", group = "installed")]
    terraform: Option<PathBuf>,
    /// What `crontab -l` prints
    #[arg(long, value_name = "FILE", group = "installed")]
    crontab: Option<PathBuf>,
}

/// A difference between what is installed and the schedule.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    pub name: String,
    pub what: String,
}

impl Difference {
    pub fn json(&self) -> Value {
        json!({ "name": self.name, "what": self.what })
    }
}

impl InstalledArgs {
    /// The units of directories.
    pub fn units(dirs: Vec<PathBuf>) -> Self {
        Self { systemd: dirs, k8s: None, terraform: None, crontab: None }
    }

    /// Whether it names something.
    pub fn is_given(&self) -> bool {
        !self.systemd.is_empty() || [&self.k8s, &self.terraform, &self.crontab].iter().any(|file| file.is_some())
    }

    /// How it differs from the schedule.
    pub fn differences(&self, plan: &Plan) -> Result<Vec<Difference>, Error> {
        let (wanted, installed) = match self {
            Self { k8s: Some(file), .. } => (k8s::wanted(plan), k8s::installed(&json_of(file)?)),
            Self { terraform: Some(file), .. } => {
                let text = text_of(file)?;
                let installed = match serde_json::from_str(&text) {
                    Ok(state) => terraform::of_state(&state),
                    Err(_) => terraform::of_map(&text, plan),
                };
                (terraform::wanted(plan), installed)
            }
            Self { crontab: Some(file), .. } => (crontab::wanted(plan), crontab::of_text(&text_of(file)?, plan)),
            Self { systemd: dirs, .. } => {
                for dir in dirs {
                    fs::read_dir(dir).map_err(|error| unreadable(dir, &error.to_string()))?;
                }
                systemd::both(plan, dirs)
            }
        };
        Ok(compare(&wanted, &installed))
    }
}

fn compare(wanted: &Said, installed: &Said) -> Vec<Difference> {
    let names: BTreeSet<&String> = wanted.keys().chain(installed.keys()).collect();
    let of_name = |name: &&String| -> Vec<Difference> {
        let told = |what: String| Difference { name: (*name).clone(), what };
        match (wanted.get(*name), installed.get(*name)) {
            (Some(_), None) => vec![told("is not installed".to_owned())],
            (None, _) => vec![told("is installed, and not in the schedule".to_owned())],
            (Some(wanted), Some(installed)) => {
                let settings: BTreeSet<&String> = wanted.keys().chain(installed.keys()).collect();
                let differ = settings.into_iter().filter(|setting| wanted.get(*setting) != installed.get(*setting));
                let shown = |value: Option<&String>| value.map_or("not there".to_owned(), |value| format!("`{value}`"));
                let what = |setting: &String| {
                    format!("{setting} is {}, should be {}", shown(installed.get(setting)), shown(wanted.get(setting)))
                };
                differ.map(|setting| told(what(setting))).collect()
            }
        }
    };
    names.iter().flat_map(of_name).collect()
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::new("UNREADABLE", ErrorKind::Refused, format!("{}: cannot be read: {why}", path.display()))
}

fn text_of(path: &Path) -> Result<String, Error> {
    file::text(path, MOST).map_err(|why| unreadable(path, &why))
}

fn json_of(path: &Path) -> Result<Value, Error> {
    let text = text_of(path)?;
    serde_json::from_str(&text).map_err(|_| {
        unreadable(path, "it is no JSON; `kubectl -n rounds get cronjobs -o json` prints what is installed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_told_once() {
        let said = |list: &[(&str, &str, &str)]| -> Said {
            let mut said = Said::new();
            for (name, setting, value) in list {
                said.entry((*name).to_owned()).or_default().insert((*setting).to_owned(), (*value).to_owned());
            }
            said
        };
        let wanted = said(&[("a", "time", "1"), ("a", "args", "x"), ("b", "time", "2"), ("d", "time", "4")]);
        let installed = said(&[("a", "time", "3"), ("a", "zone", "z"), ("c", "time", "2"), ("d", "time", "4")]);
        let told: Vec<String> =
            compare(&wanted, &installed).iter().map(|one| format!("{}: {}", one.name, one.what)).collect();
        assert_eq!(
            told,
            [
                "a: args is not there, should be `x`",
                "a: time is `3`, should be `1`",
                "a: zone is `z`, should be not there",
                "b: is not installed",
                "c: is installed, and not in the schedule",
            ]
        );
        assert_eq!(compare(&wanted, &wanted), []);
    }
}
