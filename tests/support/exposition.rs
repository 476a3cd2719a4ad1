//! Prometheus's text format, as strictly as its readers take it.

use std::collections::BTreeMap;

/// A metric with its samples, by their labels.
#[derive(Debug, Default, PartialEq)]
pub struct Metric {
    pub help: String,
    pub samples: Vec<(BTreeMap<String, String>, f64)>,
}

/// Reads a text: each metric has one HELP and one TYPE before its samples, and no sample has an instant.
#[track_caller]
pub fn read(text: &str) -> BTreeMap<String, Metric> {
    assert!(text.ends_with('\n'), "{text:?}");
    let mut metrics = BTreeMap::<String, Metric>::new();
    let mut typed = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect(line);
            let metric = Metric { help: help.to_owned(), samples: vec![] };
            assert!(metrics.insert(name.to_owned(), metric).is_none(), "{name} twice: {text}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect(line);
            assert!(kind == "gauge" && metrics.contains_key(name), "{line}");
            name.clone_into(&mut typed);
        } else {
            let (name, rest) = line.split_once('{').expect(line);
            let (labels, value) = rest.rsplit_once("} ").expect(line);
            assert!(name == typed && !value.contains(' '), "{line}");
            let label = |label: &str| {
                let (name, value) = label.split_once("=\"").expect(line);
                (name.to_owned(), value.strip_suffix('"').expect(line).to_owned())
            };
            let labels = labels.split(',').map(label).collect();
            metrics.get_mut(name).expect(line).samples.push((labels, value.parse().expect(line)));
        }
    }
    metrics
}

/// The value of a metric in the text of one lane.
#[track_caller]
pub fn value(text: &str, name: &str) -> Option<f64> {
    read(text).get(name).map(|metric| metric.samples[0].1)
}
