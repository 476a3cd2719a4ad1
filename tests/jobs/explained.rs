//! `--explain` and `--list` of the jobs that judge rows, against what a dry run does.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::Value;

use crate::support::Clinic;

/// The rows of a world that are explained one by one. Each takes some processes.
const SAMPLE: usize = 12;

/// A job, in the words of these tests.
pub struct Explained<'a> {
    pub clinic: &'a Clinic,
    /// Its name and its options.
    pub args: &'a [&'a str],
    /// The ids of all rows that it could judge.
    pub rows: Vec<i64>,
}

/// What a dry run would change: the ids, and what it would do with each if it does several things.
type Changed = BTreeSet<(String, String)>;

fn name(line: &Value) -> String {
    line["name"].as_str().unwrap_or_default().to_owned()
}

impl Explained<'_> {
    async fn changed(&self, now: DateTime<Utc>) -> Changed {
        let as_of = now.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let args = [self.args, &["--as-of", &as_of, "--dry-run", "--list", "1000", "--output", "json"]].concat();
        let outcome = self.clinic.run(&args).await;
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let list = outcome.report()["list"].as_array().expect("a list").clone();
        assert!(list.len() < 1000, "the list has an end");
        list.iter().map(|line| (line["id"].as_str().expect("an id").to_owned(), name(line))).collect()
    }

    async fn verdicts(&self, id: &str, now: DateTime<Utc>) -> Vec<Value> {
        let as_of = now.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let args = [self.args, &["--as-of", &as_of, "--explain", id, "--output", "json"]].concat();
        let report = self.clinic.run(&args).await.expect(0).report();
        let verdicts = report["verdicts"].as_array().expect("verdicts").clone();
        let any = verdicts.iter().any(|verdict| verdict["due"] == true);
        assert_eq!(report["due"], any, "{report}");
        verdicts
    }

    /// Fails unless what is said of a sample of rows is what a dry run does, now and when it is said to be due.
    pub async fn agree(&self, rng: &mut Rng, now: DateTime<Utc>, world: &str) {
        let kind = self.clinic.kind;
        let changed = self.changed(now).await;
        let mut rows = self.rows.clone();
        rng.shuffle(&mut rows);
        let ids: Vec<String> = rows.iter().map(|row| kind.text(*row)).collect();
        let is_changed = |id: &&String| changed.iter().any(|(changed, _)| changed == *id);
        let sample = ids.iter().filter(is_changed).take(SAMPLE / 2);
        let sample = sample.chain(ids.iter().filter(|id| !is_changed(id)).take(SAMPLE));
        for id in sample {
            let verdicts = self.verdicts(id, now).await;
            let due: BTreeSet<_> = verdicts.iter().filter(|verdict| verdict["due"] == true).map(name).collect();
            let done = changed.iter().filter(|(changed, _)| changed == id).map(|(_, name)| name.clone());
            assert_eq!(due, done.collect(), "{world}: {id} at {now}: {verdicts:?}");
            for verdict in verdicts {
                let what = format!("{world}: {id} at {now}: {verdict}");
                let is_due = changed.contains(&(id.clone(), name(&verdict)));
                assert_eq!(verdict["due"], is_due, "{what}");
                let reasons = verdict["reasons"].as_array().expect("reasons");
                assert_eq!(reasons.is_empty(), is_due, "{what}");
                if let Some(due_at) = verdict["due_at"].as_str() {
                    assert!(!is_due, "{what}");
                    self.becomes_due(id, &name(&verdict), due_at.parse().expect("an instant"), &what).await;
                }
            }
        }
    }

    async fn becomes_due(&self, id: &str, name: &str, due_at: DateTime<Utc>, what: &str) {
        for (then, is_due) in [(due_at, true), (due_at - TimeDelta::microseconds(1), false)] {
            let changed = self.changed(then).await;
            assert_eq!(changed.contains(&(id.to_owned(), name.to_owned())), is_due, "{what}: at {then}");
        }
    }
}
