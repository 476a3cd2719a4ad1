//! The dashboards of docs/grafana/, the alarms, and docs/metrics.md, against what the program writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use serde_yaml_ng as yaml;

use crate::support::grafana::{POSTGRESQL, PROMETHEUS, promql, queries};
use crate::support::{Clinic, exposition};

/// The metrics that the program writes, with their descriptions.
async fn written() -> BTreeMap<String, String> {
    let (clinic, place) = (Clinic::with_visits(3).await, tempfile::tempdir().expect("a place"));
    clinic.run(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"]).await.expect(0);
    clinic.run(&["health", "--metrics-dir", place.path().to_str().expect("UTF-8")]).await;
    let files = place.path().read_dir().expect("is there").map(|entry| entry.expect("can be read").path());
    let texts = files.map(|path| fs::read_to_string(path).expect("UTF-8"));
    texts.flat_map(|text| exposition::read(&text)).map(|(name, metric)| (name, metric.help)).collect()
}

/// The metrics that an expression of PromQL names: no functions, no labels, no words of the language.
fn named(expression: &str) -> BTreeSet<String> {
    let mut outside = String::new();
    let mut depth = 0;
    for c in expression.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            outside.push(c);
        }
    }
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words =
        outside.split(|c: char| !is_of_a_name(c)).filter(|word| word.contains('_') || word.starts_with("rounds"));
    words.map(str::to_owned).collect()
}

#[test]
fn the_metrics_of_an_expression_are_found() {
    let expression = "time() - max by (job, lane) (rounds_a_seconds{job=~\"$job\", x=\"not_one\"}) or vector(0)";
    assert_eq!(named(expression), BTreeSet::from(["rounds_a_seconds".to_owned()]));
}

#[tokio::test]
async fn the_dashboard_over_prometheus_shows_each_metric_and_no_other() {
    let queries = queries(PROMETHEUS, "expr");
    let shown: BTreeSet<String> = queries.iter().flat_map(|query| named(&promql(&query.text))).collect();
    let mut known: BTreeSet<String> = written().await.into_keys().collect();
    assert_eq!(known.len(), 6, "{known:?}");
    // node_exporter's own: when a file was written.
    known.insert("node_textfile_mtime_seconds".to_owned());
    assert_eq!(shown, known);
}

/// A query with Grafana's macros and variables replaced, as Grafana does it.
fn sql(text: &str) -> String {
    let mut text =
        text.replace("${schema}", "rounds").replace("$__interval", "5m").replace("$job", "'mark-no-shows', 'prune'");
    for (name, with) in [
        ("$__timeFilter(", "{} BETWEEN '2020-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'"),
        ("$__timeGroupAlias(", "floor(extract(epoch FROM {}) / 300) * 300 AS \"time\""),
    ] {
        while let Some(at) = text.find(name) {
            let end = at + text[at..].find(')').expect("an end");
            let column = text[at + name.len()..end].split(',').next().expect("a column").trim().to_owned();
            text.replace_range(at..=end, &with.replace("{}", &column));
        }
    }
    assert!(!text.contains('$'), "a macro that is not known: {text}");
    text
}

#[tokio::test]
async fn the_dashboard_over_postgresql_runs_in_the_role_for_dashboards() {
    let clinic = Clinic::with_visits(3).await;
    let run = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
    clinic.run(&[&run[..], &["--max-items", "1"]].concat()).await.expect(5);
    clinic.run(&run).await.expect(0);
    clinic.run(&["prune"]).await.expect(0);
    clinic.dead_run("1 s", "-1 hour").await;
    let sync = "INSERT INTO sync_logs (sync_type, started_at, run_id)
                VALUES ('automated_daily', clock_timestamp(), gen_random_uuid())";
    clinic.sql(sync).await;
    clinic
        .sql(&format!("SET search_path = rounds; {}", fs::read_to_string("docs/grafana/grants.sql").expect("is there")))
        .await;
    clinic.sql("SET ROLE rounds_dashboard; SET search_path = pg_catalog").await;
    for query in queries(POSTGRESQL, "rawSql") {
        let rows = clinic.rows(&sql(&query.text)).await;
        assert!(!rows.is_empty(), "{} shows nothing: {}", query.title, query.text);
    }
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(POSTGRESQL).expect("is there")).expect("JSON");
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let jobs = variables.iter().find(|variable| variable["name"] == "job").expect("the job");
    assert_eq!(clinic.rows(&sql(jobs["query"].as_str().expect("a query"))).await.len(), 2);
    // It reads no text about a person.
    for column in ["title", "body", "address", "recipient_id", "entity_id"] {
        let read = clinic.client.query(&format!("SELECT {column} FROM rounds.notifications"), &[]).await;
        assert!(read.is_err(), "notifications.{column}");
    }
    assert!(clinic.client.query("SELECT metadata, error_message FROM rounds.cron_job_runs", &[]).await.is_err());
}

/// The table of metrics of docs/metrics.md, from the declarations in the source.
fn reference() -> String {
    let source = fs::read_to_string("src/output/metrics/metric.rs").expect("is there");
    let of = |key: &str| {
        let begin = format!("        {key}: \"");
        source
            .lines()
            .filter_map(move |line| line.strip_prefix(&begin)?.strip_suffix("\",").map(str::to_owned))
            .collect()
    };
    let [names, otel, units, helps]: [Vec<String>; 4] = ["name", "otel", "unit", "help"].map(of);
    let columns = [&otel, &units, &helps];
    assert!(columns.iter().all(|column| column.len() == names.len()), "{source}");
    let row = |i: usize| {
        let unit = if units[i].is_empty() { String::new() } else { format!("{} ", units[i]) };
        format!("| `{}` | `{}` | {unit}| {} |\n", names[i], otel[i], helps[i])
    };
    let head = "| in the files of Prometheus | by OTLP | unit | what it says |\n|---|---|---|---|\n";
    (0..names.len()).fold(head.to_owned(), |table, i| table + &row(i))
}

#[tokio::test]
async fn the_reference_has_each_metric_that_is_written() {
    let (path, table) = ("docs/metrics.md", reference());
    let text = fs::read_to_string(path).expect("is there");
    let begin = text.find("| in the files of Prometheus").expect("a table");
    let end = begin + text[begin..].find("\n\n").expect("its end") + 1;
    if std::env::var_os("ROUNDS_UPDATE_DOCS").is_some() {
        fs::write(path, format!("{}{table}{}", &text[..begin], &text[end..])).expect("can be written");
    } else {
        assert_eq!(text[begin..end], table, "{path} is not up to date: make docs");
    }
    let rows: Vec<Vec<&str>> = table.lines().skip(2).map(|line| line.split('|').map(str::trim).collect()).collect();
    let written = written().await;
    assert_eq!(rows.len(), written.len());
    for row in &rows {
        let [_, name, otel, unit, help, _] = row[..] else { panic!("{row:?}") };
        let (name, otel) = (name.trim_matches('`'), otel.trim_matches('`'));
        assert_eq!(written.get(name).map(String::as_str), Some(help), "{name}");
        let suffix = if unit == "s" { "_seconds" } else { "" };
        assert_eq!(format!("{}{suffix}", otel.replace('.', "_")), name);
    }
}

/// An alarm, in the words of both systems.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// A lane that is not healthy in so many verdicts of `health` in a row.
    Unhealthy { verdicts: u64 },
    /// Nothing is known for so many seconds.
    NoData { seconds: u64 },
}

/// Between two verdicts of `rounds health`, in seconds.
const VERDICT: u64 = 300;

fn of_prometheus() -> BTreeSet<Alarm> {
    let rules = fs::read_to_string("docs/prometheus/rounds.rules.yml").expect("is there");
    let rules: yaml::Value = yaml::from_str(&rules).expect("YAML");
    let seconds = |text: &str| match text.split_at(text.len() - 1) {
        (number, "m") => number.parse::<u64>().expect("minutes") * 60,
        other => panic!("{other:?}"),
    };
    let rules = rules["groups"][0]["rules"].as_sequence().expect("rules");
    let alarm = |rule: &yaml::Value| {
        let (expr, wait) = (rule["expr"].as_str().expect("an expression"), rule["for"].as_str().map_or(0, seconds));
        assert_eq!(rule["labels"]["severity"], "critical", "{expr}");
        match rule["alert"].as_str().expect("a name") {
            // Longer than from one verdict to the next, so that a second one has said so.
            "RoundsUnhealthy" if expr.ends_with("(rounds_healthy) == 0") => {
                Alarm::Unhealthy { verdicts: wait.div_ceil(VERDICT) }
            }
            "RoundsSilent" => {
                Alarm::NoData { seconds: expr.rsplit_once("> ").expect("a limit").1.parse().expect("seconds") }
            }
            "RoundsGone" | "RoundsAbsent" => Alarm::NoData { seconds: wait },
            other => panic!("an alarm that terraform does not have: {other}"),
        }
    };
    rules.iter().map(alarm).collect()
}

fn of_terraform() -> BTreeSet<Alarm> {
    let alarms: Value = hcl::from_str(&fs::read_to_string("terraform/alarms.tf").expect("is there")).expect("HCL");
    let alarms = alarms["resource"]["aws_cloudwatch_metric_alarm"].as_object().expect("alarms").clone();
    let mut told = BTreeSet::new();
    for (name, alarm) in alarms {
        // What only EventBridge has: starts that it gave up.
        if alarm["namespace"] == "AWS/SQS" {
            continue;
        }
        assert_eq!(
            (&alarm["metric_name"], &alarm["statistic"]),
            (&"CronHealthStatus".into(), &"Minimum".into()),
            "{name}"
        );
        assert_eq!(
            (&alarm["threshold"], &alarm["comparison_operator"]),
            (&1.into(), &"LessThanThreshold".into()),
            "{name}"
        );
        let number = |key: &str| alarm[key].as_u64().unwrap_or_else(|| panic!("{name}: {key}"));
        let (verdicts, seconds) = (number("datapoints_to_alarm"), number("evaluation_periods") * number("period"));
        assert_eq!(number("period"), VERDICT, "{name}");
        told.insert(Alarm::Unhealthy { verdicts });
        if alarm["treat_missing_data"] == "breaching" {
            told.insert(Alarm::NoData { seconds });
        }
    }
    told
}

#[test]
fn the_alarms_of_prometheus_are_those_of_terraform() {
    let expected = BTreeSet::from([Alarm::Unhealthy { verdicts: 2 }, Alarm::NoData { seconds: 600 }]);
    assert_eq!(of_terraform(), expected);
    assert_eq!(of_prometheus(), expected);
}
