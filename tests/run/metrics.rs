//! `--metrics emf`: one line a job at the end, by CloudWatch's specification, whatever becomes of it.

use serde_json::{Value, json};

use crate::support::program::Outcome;
use crate::support::{Clinic, Program};

/// The lines of stdout that are metrics.
fn lines(outcome: &Outcome) -> Vec<Value> {
    let json = outcome.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    json.filter(|line| line.get("_aws").is_some()).collect()
}

/// Fails unless CloudWatch would take the line: the names of the directive are members, dimensions are texts, and
/// values numbers.
#[track_caller]
fn valid(line: &Value, namespace: &str) {
    let aws = &line["_aws"];
    assert!(aws["Timestamp"].as_i64().is_some_and(|at| at > 1_700_000_000_000), "{line}");
    let directive = &aws["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], namespace);
    for dimension in directive["Dimensions"][0].as_array().expect("a set of dimensions") {
        assert!(line[dimension.as_str().expect("a name")].is_string(), "{line}");
    }
    let metrics = directive["Metrics"].as_array().expect("metrics");
    assert!((1..=100).contains(&metrics.len()), "{line}");
    for metric in metrics {
        assert!(line[metric["Name"].as_str().expect("a name")].is_number(), "{line}");
        let unit = metric["Unit"].as_str().expect("a unit");
        assert!(["None", "Milliseconds", "Count"].contains(&unit), "{line}");
    }
}

#[tokio::test]
async fn a_run_ends_with_a_line_of_its_metrics() {
    let clinic = Clinic::with_visits(3).await;
    let args = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--metrics", "emf"];
    let outcome = clinic.run(&args).await.expect(0);
    let [line] = &lines(&outcome)[..] else { panic!("one line: {outcome:?}") };
    valid(line, "HMS/CronJobs");
    assert_eq!(line["JobName"], "mark-no-shows");
    assert_eq!(
        (&line["CronHealthStatus"], &line["ItemsProcessed"], &line["ItemsFailed"]),
        (&json!(1), &json!(3), &json!(0))
    );
    let report: Value = serde_json::from_str(outcome.stdout.lines().next().expect("a report")).expect("JSON");
    assert_eq!(line["CronExecutionDuration"], report["duration_ms"]);
    assert!(lines(&clinic.run(&args[..3]).await).is_empty(), "only where they are wanted");
}

#[tokio::test]
async fn an_alarm_knows_a_job_by_its_older_name() {
    let clinic = Clinic::with_visits(1).await;
    let run = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--metrics", "emf"];
    let outcome =
        clinic.run(&[&run[..], &["--metrics-job-name", "NO_SHOW_CHECK=mark-no-shows"]].concat()).await.expect(0);
    assert_eq!(lines(&outcome)[0]["JobName"], "NO_SHOW_CHECK");
    let named = clinic.program.clone().env("ROUNDS_METRICS_JOB_NAME", "NO_SHOW_CHECK=mark-no-shows,CLEAN_UP=prune");
    let outcome = named.run(&["health", "mark-no-shows", "stage-alerts", "prune", "--metrics", "emf"]).await;
    let names: Vec<_> = lines(&outcome).iter().map(|line| line["JobName"].clone()).collect();
    assert_eq!(names, ["NO_SHOW_CHECK", "stage-alerts", "CLEAN_UP"]);
    clinic.run(&[&run[..], &["--metrics-job-name", "NO_SHOW_CHECK=no-such-job"]].concat()).await.expect(2);
}

#[tokio::test]
async fn a_failure_has_a_line_too_and_a_lane_its_name() {
    let clinic = Clinic::with_visits(3).await;
    let braked = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--max-items", "1", "--metrics", "emf"];
    let outcome = clinic.run(&braked).await.expect(5);
    assert_eq!(lines(&outcome)[0]["CronHealthStatus"], 0);
    let billing = ["advance-billing", "--stage", "paid", "--metrics", "emf", "--metrics-namespace", "Clinic/Jobs"];
    let outcome = clinic.run(&billing).await.expect(0);
    valid(&lines(&outcome)[0], "Clinic/Jobs");
    assert_eq!(lines(&outcome)[0]["JobName"], "advance-billing-paid");
    let nowhere = Program::new("postgresql://rounds@localhost:1/none?connect_timeout=1");
    let outcome = nowhere.run(&["prune", "--metrics", "emf", "--attempts", "1"]).await.expect(1);
    assert_eq!((&lines(&outcome)[0]["JobName"], &lines(&outcome)[0]["CronHealthStatus"]), (&json!("prune"), &json!(0)));
    nowhere.run(&["prune", "--metrics", "emf", "--metrics-namespace", "a b"]).await.expect(2);
}

#[tokio::test]
async fn health_has_a_line_for_each_job_also_for_one_that_never_ran() {
    let clinic = Clinic::new().await;
    let outcome = clinic.run(&["health", "--metrics", "emf"]).await;
    let lines = lines(&outcome);
    let names: Vec<&str> = lines.iter().filter_map(|line| line["JobName"].as_str()).collect();
    for name in ["mark-no-shows", "advance-billing-paid", "sync-practiceq-full", "prune"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    lines.iter().for_each(|line| valid(line, "HMS/CronJobs"));
}

/// A brake settles the slot of what is started again each hour.
#[tokio::test]
async fn a_stop_by_the_brake_is_final_for_the_slot() {
    let clinic = Clinic::with_visits(3).await;
    let run = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--unless-succeeded-within", "1h"];
    clinic.run(&[&run[..], &["--max-items", "1"]].concat()).await.expect(5);
    let again = clinic.run(&run).await.expect(0).report();
    assert_eq!((&again["status"], &again["error_code"]), (&json!("SKIPPED"), &json!("BRAKED_LATELY")), "{again}");
    let dry = clinic.run(&[&run[..], &["--dry-run"]].concat()).await.expect(0).report();
    assert_eq!(dry["error_code"], "BRAKED_LATELY", "{dry}");
    // A person, who has looked.
    assert_eq!(clinic.run(&run[..3]).await.expect(0).count("marked"), 3);
    assert_eq!(clinic.run(&run).await.expect(0).report()["error_code"], "SUCCEEDED_LATELY");
    // Another failure is tried again.
    let clinic = Clinic::with_visits(3).await;
    clinic.sql("ALTER TABLE no_show_logs RENAME TO elsewhere").await;
    clinic.run(&run).await;
    clinic.sql("ALTER TABLE elsewhere RENAME TO no_show_logs").await;
    assert_eq!(clinic.run(&run).await.expect(0).count("marked"), 3);
}

#[tokio::test]
async fn where_the_database_cannot_be_asked_each_lane_is_said_to_be_unhealthy() {
    let nowhere = Program::new("postgresql://rounds@localhost:1/none?connect_timeout=1");
    let names = |outcome: &Outcome| -> Vec<String> {
        lines(outcome)
            .iter()
            .map(|line| {
                valid(line, "HMS/CronJobs");
                assert_eq!(line["CronHealthStatus"], 0, "{line}");
                line["JobName"].as_str().expect("a name").to_owned()
            })
            .collect()
    };
    let reached = names(&{
        let clinic = Clinic::new().await;
        clinic.sql("DROP TABLE rounds_migrations CASCADE").await;
        clinic.run(&["health", "--metrics", "emf"]).await
    });
    for output in ["json", "text"] {
        let outcome = nowhere.run(&["health", "--metrics", "emf", "--output", output]).await.expect(1);
        let named = names(&outcome);
        assert_eq!(named, reached, "whatever the reason is");
        assert!(named.len() >= 11 && named.contains(&"sync-practiceq-full".to_owned()), "{named:?}");
        let some = nowhere.run(&["health", "advance-billing", "--metrics", "emf", "--output", output]).await.expect(1);
        assert_eq!(names(&some), ["advance-billing-pending-payment", "advance-billing-paid"]);
    }
    assert!(lines(&nowhere.run(&["health"]).await.expect(1)).is_empty(), "only where they are wanted");
    assert!(lines(&nowhere.run(&["health", "no-such-job", "--metrics", "emf"]).await.expect(2)).is_empty());
    // Every job, too, has its line.
    for job in crate::support::role::jobs() {
        let more: &[&str] = match &*job {
            "advance-billing" => &["--stage", "paid"],
            "deliver-notifications" => &["--channel", "webhook", "--dry-run"],
            _ => &[],
        };
        let args = [&[&*job, "--metrics", "emf", "--attempts", "1"], more].concat();
        let outcome = nowhere.clone().env("ROUNDS_PRACTICEQ_KEY", "k").run(&args).await.expect(1);
        assert_eq!(names(&outcome).len(), 1, "{outcome:?}");
    }
}
