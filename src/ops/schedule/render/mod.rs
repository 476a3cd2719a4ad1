//! `rounds schedule render`: writes the schedule as the files of a scheduler.
//!
//! The folders `systemd/`, `k8s/` and `terraform/` are what it makes of the default schedule. What is the same for all
//! jobs (the template unit, the common patch, the module) is written by hand beside it.

mod crontab;
mod k8s;
mod needs;
mod plan;
mod systemd;
mod terraform;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::error::{Error, ErrorKind};
use crate::file;
use plan::MARK;
pub use plan::{Plan, PlanArgs};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Timers, and drop-ins of the template unit
    Systemd,
    /// CronJobs, their kustomization and ConfigMap
    K8s,
    /// The map schedules.tf of the module
    Terraform,
    /// A crontab for a machine whose clock is in --machine-zone
    Crontab,
}

/// Write the schedule as the files of a scheduler
#[derive(Args, Debug)]
pub struct RenderArgs {
    /// The scheduler
    #[arg(long, value_enum)]
    to: Target,
    /// The directory of the files. A file there that was not rendered is never replaced
    dir: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
}

/// The names of the files that were written, and of those that were taken away.
pub struct Rendered {
    pub written: Vec<String>,
    pub removed: Vec<String>,
}

impl RenderArgs {
    pub fn render(&self) -> Result<Rendered, Error> {
        let files = files(&self.plan.plan()?, self.to);
        let failed = |path: &Path, error: &io::Error| {
            Error::new("RENDER", ErrorKind::Refused, format!("{}: cannot be written: {error}", path.display()))
        };
        // First all is looked at, so that a refusal leaves everything as it is.
        let stale = self.stale(&files)?;
        for (name, text) in &files {
            let path = self.dir.join(name);
            let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| replace(&path, text));
            made.map_err(|error| failed(&path, &error))?;
        }
        for name in &stale {
            let path = self.dir.join(name);
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
            // A drop-in's directory goes with it, unless somebody has put something else there.
            if let Some(parent) = path.parent().filter(|parent| *parent != self.dir) {
                let _ = fs::remove_dir(parent);
            }
        }
        Ok(Rendered { written: files.into_keys().collect(), removed: stale })
    }

    /// The files of an earlier rendering that are not in this one. An error if a file of this one was not rendered.
    fn stale(&self, files: &BTreeMap<String, String>) -> Result<Vec<String>, Error> {
        let mut stale = vec![];
        for name in names(&self.dir, self.to) {
            let is_rendered =
                file::text(&self.dir.join(&name), file::LIST_MAX).is_ok_and(|text| text.starts_with(MARK));
            match (files.contains_key(&name), is_rendered) {
                (true, false) => {
                    let message = format!(
                        "{}: was not written by `rounds schedule render`, and is left as it is; nothing was written; \
                         move it away first",
                        self.dir.join(&name).display()
                    );
                    return Err(Error::new("NOT_RENDERED", ErrorKind::Refused, message));
                }
                (false, true) => stale.push(name),
                _ => {}
            }
        }
        Ok(stale)
    }
}

/// Writes a file beside its place and renames it, so that a scheduler never reads a part of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// The files below a directory that may be of a target, two levels deep at most.
pub fn names(dir: &Path, target: Target) -> Vec<String> {
    let is_ours = |name: &str| match target {
        Target::Systemd => name.starts_with("rounds") && (name.ends_with(".timer") || name.ends_with(".conf")),
        Target::K8s => name.ends_with(".yaml"),
        Target::Terraform => name.ends_with(".tf"),
        Target::Crontab => name == crontab::FILE,
    };
    let list = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().collect::<Vec<_>>();
    let mut names = vec![];
    for entry in list(dir) {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().is_dir() {
            true => names.extend(
                list(&entry.path()).iter().map(|inner| format!("{name}/{}", inner.file_name().to_string_lossy())),
            ),
            false => names.push(name),
        }
    }
    names.retain(|name| is_ours(name));
    names.sort_unstable();
    names
}

/// The files of a target, by their names.
pub fn files(plan: &Plan, target: Target) -> BTreeMap<String, String> {
    match target {
        Target::Systemd => systemd::files(plan),
        Target::K8s => k8s::files(plan),
        Target::Terraform => [(terraform::FILE.to_owned(), terraform::file(plan))].into(),
        Target::Crontab => [(crontab::FILE.to_owned(), crontab::file(plan))].into(),
    }
}
