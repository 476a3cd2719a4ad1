//! Whether what a scheduler has installed is what the schedule says.
//!
//! Without an option that names it, the units of this machine are looked at, if there are some.

use std::fs;
use std::path::{Path, PathBuf};

use super::finding::{Findings, Remedy, Topic};
use crate::error::Error;
use crate::ops::schedule::{Difference, InstalledArgs, Plan};
use crate::schedule::Row;

/// Where a package and an administrator put units; the latter lie over the former.
const UNITS: [&str; 3] = ["/lib/systemd/system", "/usr/lib/systemd/system", "/etc/systemd/system"];

/// How what is installed differs from the schedule; None where nothing is known to be installed.
pub fn differences(given: &InstalledArgs, plan: &Plan) -> Result<Option<Vec<Difference>>, Error> {
    if given.is_given() {
        return given.differences(plan).map(Some);
    }
    let units = InstalledArgs::units(with_timers(&UNITS.map(Path::new)));
    if units.is_given() { units.differences(plan).map(Some) } else { Ok(None) }
}

/// Tells the differences, or only those of these rows, and whether there are any.
pub fn tell(differences: Option<Vec<Difference>>, rows: &[&'static Row], is_of_all: bool, findings: &mut Findings) {
    let mut section = findings.section(None, Topic::Scheduler);
    let Some(differences) = differences else {
        section.skip("no timers of rounds on this machine; --k8s, --terraform, --crontab or --systemd compare others");
        return;
    };
    let job = |name: &str| rows.iter().find(|row| row.name() == name).map(|row| row.job);
    let mut told = differences.iter().filter(|one| is_of_all || job(&one.name).is_some()).peekable();
    if told.peek().is_none() {
        section.ok("what is installed is what the schedule says");
    }
    for difference in told {
        let mut section = findings.section(job(&difference.name), Topic::Scheduler);
        let remedy = Remedy::advice("rounds schedule render writes the files of a scheduler, docs/scheduling.md");
        section.warn(format!("{} {}", difference.name, difference.what), remedy);
    }
}

/// Those of the directories in which a timer of ours lies, each once.
fn with_timers(dirs: &[&Path]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = vec![];
    for dir in dirs.iter().filter_map(|dir| dir.canonicalize().ok()) {
        let is_ours = |name: &str| name.starts_with("rounds-") && name.ends_with(".timer");
        let mut entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        if !found.contains(&dir) && entries.any(|entry| entry.file_name().to_str().is_some_and(is_ours)) {
            found.push(dir);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_with_timers_of_ours_count() {
        let place = tempfile::tempdir().unwrap();
        let [none, other, ours] = ["none", "other", "ours"].map(|name| place.path().join(name));
        for (dir, file) in [(&other, "backup.timer"), (&ours, "rounds-prune.timer")] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join(file), "").unwrap();
        }
        let ours_again = place.path().join("link");
        std::os::unix::fs::symlink(&ours, &ours_again).unwrap();
        assert_eq!(with_timers(&[&none, &other, &ours, &ours_again]), [ours.canonicalize().unwrap()]);
    }
}
