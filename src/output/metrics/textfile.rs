//! Files for the textfile collector of Prometheus's node_exporter: `rounds_JOB_LANE.prom` for each lane.
//!
//! Rule: a file says how its lane is now. It replaces the former one in one step, and has no time of its own. What this
//! process does not know and what does not change by that, the last success and the figures of the last run, is taken
//! from the former file; what would be a guess is left out.

use std::fmt::Write as _;
use std::fs::read_to_string;
use std::path::Path;

use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};

use super::metric::{METRICS, Metric};
use super::told::Told;
use crate::file::replace;

/// The longest part of a name that says a lane: a name of a file has at most 255 bytes.
const LANE_MAX: usize = 150;
/// What node_exporter, which runs as another user, has to be allowed.
const MODE: u32 = 0o644;

/// Writes the file of each lane. The error says what went wrong with the first one that could not be written.
pub fn write(directory: &Path, told: &[Told], now: DateTime<Utc>) -> Result<(), String> {
    let written: Vec<_> = told.iter().map(|one| write_one(directory, one, now)).collect();
    written.into_iter().collect()
}

fn write_one(directory: &Path, told: &Told, now: DateTime<Utc>) -> Result<(), String> {
    let Some((job, lane)) = &told.lane else { return Ok(()) };
    let path = directory.join(file_name(job, lane));
    // A file that is not there, or is none of ours, says nothing.
    let former = read_to_string(&path).unwrap_or_default();
    let replaced = replace(&path, text((job, lane), told, &former, now).as_bytes(), MODE);
    replaced.map_err(|error| format!("{} cannot be written ({})", path.display(), error.kind()))
}

/// The name of a lane's file. Jobs have no underscore, and other characters than these are written as `%` and the
/// digits of their bytes, capitals too, so that two lanes never have one file, whatever the file system folds.
fn file_name(job: &str, lane: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let written = lane.bytes().fold(String::new(), |mut name, byte| {
        let _ = if is_plain(byte) { write!(name, "{}", char::from(byte)) } else { write!(name, "%{byte:02x}") };
        name
    });
    match written.len() {
        0 => format!("rounds_{job}.prom"),
        1..=LANE_MAX => format!("rounds_{job}_{written}.prom"),
        _ => {
            let hash = digest(&SHA256, lane.as_bytes());
            let hash = hash.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            // An underscore begins no plain lane's name.
            format!("rounds_{job}__{hash}.prom")
        }
    }
}

/// The text of a lane's file.
fn text((job, lane): (&str, &str), told: &Told, former: &str, now: DateTime<Utc>) -> String {
    let labels = format!("{{job=\"{}\",lane=\"{}\"}}", escaped(job), escaped(lane));
    let mut text = String::new();
    for metric in &METRICS {
        let known = metric.value(told, now).map(|value| value.to_string());
        let value = known.or_else(|| value_in(former, metric).filter(|_| metric.lasts));
        if let Some(value) = value {
            let Metric { name, help, .. } = metric;
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{labels} {value}\n");
        }
    }
    text
}

/// The value of a metric in a file of ours, which has one sample of each.
fn value_in(text: &str, metric: &Metric) -> Option<String> {
    let sample = |line: &str| Some(line.strip_prefix(metric.name)?.strip_prefix('{')?.rsplit_once("} ")?.1.to_owned());
    text.lines().find_map(sample).filter(|value| value.parse::<f64>().is_ok())
}

/// A text as the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::told::{By, Figures, History};
    use super::*;

    const HEALTHY: &Metric = &METRICS[0];
    const DURATION: &Metric = &METRICS[1];
    const PROCESSED: &Metric = &METRICS[2];
    const LAST_SUCCESS: &Metric = &METRICS[4];
    const PENDING: &Metric = &METRICS[5];
    const FIGURES: Figures = Figures { duration_ms: 1_250, processed: 3, failed: 1, notifications: Some(2) };

    fn told(healthy: bool, by: By) -> Told {
        let lane = Some(("prune".to_owned(), String::new()));
        Told { name: "prune".into(), lane, healthy, by, oldest_pending_seconds: None }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("an instant")
    }

    #[test]
    fn two_lanes_never_have_one_file() {
        let long = "a".repeat(400);
        let lanes = ["", "a", "A", "%41", "a:b", "a_b", "a-b", "a/b", "a.b", "a b", "é", "_", "__", &long, &long[1..]];
        let names: HashSet<String> = lanes.iter().map(|lane| file_name("prune", lane)).collect();
        assert_eq!(names.len(), lanes.len(), "{names:?}");
        for name in &names {
            assert!(name.starts_with("rounds_prune") && name.ends_with(".prom") && name.len() < 255, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.%".contains(&byte)), "{name}");
        }
        assert_eq!(file_name("sync-practiceq", "organization:7"), "rounds_sync-practiceq_organization%3a7.prom");
    }

    #[test]
    fn a_success_says_all_and_a_failure_keeps_the_last_success() {
        let success = text(("prune", ""), &told(true, By::Run(FIGURES)), "", at(1_000));
        let value = value_in;
        assert!(success.contains("rounds_healthy{job=\"prune\",lane=\"\"} 1\n"), "{success}");
        assert_eq!(value(&success, DURATION).as_deref(), Some("1.25"));
        assert_eq!(value(&success, LAST_SUCCESS).as_deref(), Some("1000"));
        let failed = Figures { processed: 0, ..FIGURES };
        let failure = text(("prune", ""), &told(false, By::Run(failed)), &success, at(2_000));
        assert_eq!(value(&failure, HEALTHY).as_deref(), Some("0"));
        assert_eq!(value(&failure, PROCESSED).as_deref(), Some("0"));
        assert_eq!(value(&failure, LAST_SUCCESS).as_deref(), Some("1000"));
        assert_eq!(value(&text(("prune", ""), &told(false, By::Run(failed)), "", at(2_000)), LAST_SUCCESS), None);
    }

    #[test]
    fn a_skipped_run_and_a_database_that_cannot_be_asked_leave_what_was() {
        let failure = text(("prune", ""), &told(false, By::Run(FIGURES)), "", at(1_000));
        assert_eq!(text(("prune", ""), &told(true, By::Skipped(FIGURES)), &failure, at(2_000)), failure);
        assert_eq!(text(("prune", ""), &told(false, By::Health(None)), &failure, at(2_000)), failure);
        let success = text(("prune", ""), &told(true, By::Run(FIGURES)), "", at(1_000));
        let restored = text(("prune", ""), &told(false, By::Skipped(FIGURES)), &success, at(2_000));
        assert_eq!(value_in(&restored, HEALTHY).as_deref(), Some("0"), "who waits for a word does not work");
        let history = History { last: None, succeeded_at: Some(at(1_500)) };
        let health = text(("prune", ""), &told(true, By::Health(Some(history))), &failure, at(2_000));
        assert_eq!(value_in(&health, LAST_SUCCESS).as_deref(), Some("1500"));
        // What waits now is no fact of the past.
        let waiting = Told { oldest_pending_seconds: Some(70), ..told(true, By::Run(FIGURES)) };
        let waiting = text(("prune", ""), &waiting, "", at(1_000));
        assert_eq!(value_in(&waiting, PENDING).as_deref(), Some("70"));
        assert_eq!(value_in(&text(("prune", ""), &told(false, By::Health(None)), &waiting, at(2_000)), PENDING), None);
    }

    #[test]
    fn a_file_is_replaced_whole_and_others_may_read_it() {
        let place = tempfile::tempdir().expect("a place");
        for healthy in [true, false] {
            write(place.path(), &[told(healthy, By::Run(FIGURES))], at(1_000)).expect("is written");
        }
        let names: Vec<_> =
            place.path().read_dir().expect("is there").map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["rounds_prune.prom"]);
        let path = place.path().join("rounds_prune.prom");
        assert_eq!(path.metadata().expect("is there").permissions().mode() & 0o777, MODE);
        assert!(read_to_string(&path).expect("is there").contains("rounds_healthy{job=\"prune\",lane=\"\"} 0\n"));
        let error = write(&place.path().join("nowhere"), &[told(true, By::Run(FIGURES))], at(1_000)).unwrap_err();
        assert!(error.contains("rounds_prune.prom cannot be written"), "{error}");
    }
}
