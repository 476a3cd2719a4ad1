//! The fields that `docs/report-fields.md` has: wherever a test reads the report of a job, it has no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

/// The fields of each job, and of every job under `Every job`.
static KNOWN: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut job = String::new();
    for line in include_str!("../../docs/report-fields.md").lines() {
        if let Some(name) = line.strip_prefix("## ") {
            job = name.to_owned();
        }
        if let Some(field) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            let counts = line.contains("| counts by name |").then(|| format!("{field}.*"));
            known.entry(job.clone()).or_default().extend(counts.into_iter().chain([field.to_owned()]));
        }
    }
    known
});

/// Fails if the report of a run has a field that the page does not have.
pub fn check(report: &Value) {
    let Some(job) =
        report["job"].as_str().filter(|_| report.get("run_id").is_some() && report.get("dry_run").is_some())
    else {
        return;
    };
    let none = BTreeSet::new();
    let of = |name: &str| KNOWN.get(name).unwrap_or(&none);
    check_below(report, "", &|field| of(job).contains(field) || of("Every job").contains(field), job);
}

fn check_below(value: &Value, before: &str, is_known: &dyn Fn(&str) -> bool, job: &str) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| check_below(item, before, is_known, job)),
        Value::Object(fields) if !is_known(&format!("{before}*")) => {
            for (name, value) in fields {
                let name = format!("{before}{name}");
                assert!(is_known(&name), "{job}: docs/report-fields.md has no `{name}`: make docs");
                check_below(value, &format!("{name}."), is_known, job);
            }
        }
        _ => {}
    }
}
