//! The dashboards of docs/grafana/: their panels, and what these ask.

use std::fs;

use serde_json::Value;

/// What a panel asks, or a variable of the dashboard.
#[derive(Debug)]
pub struct Query {
    pub title: String,
    pub text: String,
}

pub const PROMETHEUS: &str = "docs/grafana/prometheus.json";
pub const POSTGRESQL: &str = "docs/grafana/postgresql.json";

/// The queries of a dashboard, whose panels have what Grafana wants of them.
#[track_caller]
pub fn queries(path: &str, field: &str) -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).expect("is there")).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{path}: no text: {value}")).to_owned();
    assert!(dashboard["schemaVersion"].is_u64() && text(&dashboard["uid"]).len() <= 40, "{path}");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut queries = vec![];
    for panel in panels {
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap_or_else(|| panic!("{path}: {panel}"));
        assert!(place("x") + place("w") <= 24 && place("h") > 0, "{path}: {panel}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{path}: {panel}");
        for target in panel["targets"].as_array().expect("targets") {
            queries.push(Query { title: text(&panel["title"]), text: text(&target[field]) });
        }
    }
    queries
}

/// An expression with its variables replaced: all jobs.
pub fn promql(text: &str) -> String {
    text.replace("$job", ".*")
}
