//! `rounds schedule check`: what is installed, and how it differs from the schedule.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Case, FOLDERS, default};

impl Case {
    /// The differences, a line each.
    async fn drift(&self, args: &[&str], code: i32) -> Vec<String> {
        let report = self.program.run(&[&["schedule", "check"], args, self.zone].concat()).await.expect(code).report();
        let found = report["differences"].as_array().expect("a list").iter();
        found
            .map(|one| format!("{}: {}", one["name"].as_str().expect("text"), one["what"].as_str().expect("text")))
            .collect()
    }
}

fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(path, text.replace(from, to)).expect("a file");
}

#[tokio::test]
async fn units_that_differ_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let over = tempfile::tempdir().expect("a directory");
    let [units, local] = [&dir, &over].map(|dir| dir.path().to_str().expect("UTF-8"));
    let case = default();
    case.render("systemd", dir.path(), &[]).await;
    assert_eq!(case.drift(&["--systemd", units], 0).await, [""; 0]);
    assert_eq!(case.drift(&["--systemd", "systemd"], 0).await, [""; 0], "the folder of the repository");
    // What rounds-schedule-zone writes counts, where both directories are given.
    let drop_in = over.path().join("rounds-prune.timer.d");
    fs::create_dir(&drop_in).expect("a directory");
    let zone = "[Timer]\nOnCalendar=\nOnCalendar=*-*-* 04..08:30 America/Chicago\n";
    fs::write(drop_in.join("20-schedule-zone.conf"), zone).expect("a file");
    assert_eq!(
        case.drift(&["--systemd", units, "--systemd", local], 1).await,
        ["prune: OnCalendar is `*-*-* 04..08:30 America/Chicago`, should be `*-*-* 04..08:30 America/New_York`"]
    );
    change(&dir.path().join("rounds@prune.service.d/10-job.conf"), "31min", "5min");
    fs::remove_file(dir.path().join("rounds-escalate-sla.timer")).expect("it is there");
    fs::write(dir.path().join("rounds-tidy.timer"), "[Timer]\nOnCalendar=hourly\n").expect("a file");
    assert_eq!(
        case.drift(&["--systemd", units], 1).await,
        [
            "escalate-sla: OnCalendar is not there, should be `*-*-* *:00/15 UTC`",
            "escalate-sla: Unit is not there, should be `rounds@escalate-sla.service`",
            "prune: TimeoutStartSec is `5min`, should be `31min`",
            "tidy: is installed, and not in the schedule",
        ]
    );
    case.program.run(&["schedule", "check", "--systemd", "/nowhere"]).await.expect(2);
    // Where it is known which timers are enabled, the others of a package do not count.
    let wants = over.path().join("rounds.target.wants");
    fs::create_dir(&wants).and_then(|()| fs::remove_dir_all(&drop_in)).expect("directories");
    fs::write(dir.path().join("rounds-escalate-sla.timer"), "[Timer]\nOnCalendar=hourly\n").expect("a file");
    let own = "zone = \"America/New_York\"\n[[job]]\nname = \"prune\"\ncadence = \"daily 04:30\"\n[[job]]\nname = \
               \"escalate-tickets\"\ncadence = \"every 30 minutes from minute 7\"\nnote = \"Beside others.\"\n";
    let own = Case { program: default().program.env("ROUNDS_SCHEDULE", own), zone: &[], ..default() };
    for name in ["prune", "health", "tidy"] {
        std::os::unix::fs::symlink("/elsewhere", wants.join(format!("rounds-{name}.timer"))).expect("a link");
    }
    assert_eq!(
        own.drift(&["--systemd", units, "--systemd", local], 1).await,
        [
            "escalate-tickets: the timer is `not enabled`, should be `enabled`",
            "prune: TimeoutStartSec is `5min`, should be `31min`",
            "rounds@: is not installed",
            "tidy: is installed, and not in the schedule",
        ]
    );
    case.program.run(&["schedule", "check"]).await.expect(2);
}

#[tokio::test]
async fn cron_jobs_that_differ_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let case = default();
    case.render("k8s", dir.path(), &[]).await;
    // As the cluster tells them.
    let files =
        fs::read_dir(dir.path().join("cronjobs")).expect("a directory").map(|file| file.expect("readable").path());
    let read = |path: std::path::PathBuf| -> Value {
        serde_yaml_ng::from_str(&fs::read_to_string(path).expect("a file")).expect("YAML")
    };
    let mut list = json!({ "kind": "List", "items": files.map(read).collect::<Vec<_>>() });
    let file = dir.path().join("cronjobs.json");
    let path = file.to_str().expect("UTF-8").to_owned();
    let write = |list: &Value| fs::write(&file, list.to_string()).expect("a file");
    write(&list);
    assert_eq!(case.drift(&["--k8s", &path], 0).await, [""; 0]);
    let items = list["items"].as_array_mut().expect("a list");
    items.retain(|item| item["metadata"]["name"] != "rounds-sync-practiceq-incremental-last");
    for item in items {
        if item["metadata"]["name"] == "rounds-prune" {
            item["spec"]["suspend"] = json!(true);
            item["spec"]["timeZone"] = json!("America/Chicago");
        }
    }
    write(&list);
    assert_eq!(
        case.drift(&["--k8s", &path], 1).await,
        [
            "prune: suspend is `true`, should be `false`",
            "prune: timeZone is `America/Chicago`, should be `America/New_York`",
            "sync-practiceq-incremental-last: is not installed",
        ]
    );
    let yaml = dir.path().join("kustomization.yaml");
    let refused = case.program.run(&["schedule", "check", "--k8s", yaml.to_str().expect("UTF-8")]).await.expect(2);
    assert!(refused.stderr.contains("it is no JSON"), "{}", refused.stderr);
}

#[tokio::test]
async fn schedules_of_terraform_that_differ_are_told() {
    let case = default();
    let (_, folder) = FOLDERS[2];
    assert_eq!(case.drift(&["--terraform", &format!("{folder}/schedules.tf")], 0).await, [""; 0]);
    let dir = tempfile::tempdir().expect("a directory");
    case.render("terraform", dir.path(), &[]).await;
    let file = dir.path().join("schedules.tf");
    change(&file, "cron(30 4-8 * * ? *)", "cron(30 4 * * ? *)");
    assert_eq!(
        case.drift(&["--terraform", file.to_str().expect("UTF-8")], 1).await,
        ["prune: schedule_expressions is `cron(30 4 * * ? *)`, should be `cron(30 4-8 * * ? *)`"]
    );
}

/// The state has the schedules of the module by their whole names, and the tasks by the jobs.
#[tokio::test]
async fn the_state_of_terraform_is_read_too() {
    let own = r#"zone = "UTC"
[[job]]
name = "prune"
cadence = "daily 04:30"
[[job]]
name = "escalate-sla"
cadence = "every 15 minutes, 06:00-20:00"
"#;
    let case = Case { program: default().program.env("ROUNDS_SCHEDULE", own), zone: &[], ..default() };
    let task = |job: &str, command: &[&str]| {
        let containers = json!([{ "name": "rounds", "command": command }]).to_string();
        json!({ "type": "aws_ecs_task_definition", "index": job, "values": { "container_definitions": containers } })
    };
    let schedule = |name: &str, expression: &str, state: &str| {
        let values = json!({ "name": name, "schedule_expression": expression, "schedule_expression_timezone": "UTC",
                             "state": state });
        json!({ "type": "aws_scheduler_schedule", "index": name, "values": values })
    };
    let resources = json!([
        task("prune", &["prune", "--unless-succeeded-within", "6h"]),
        task("escalate-sla", &["escalate-sla"]),
        task("health", &["health", "--metrics", "emf"]),
        task("migrate", &["migrate"]),
        schedule("rounds-escalate-sla-2-prod", "cron(0 20 * * ? *)", "ENABLED"),
        schedule("rounds-escalate-sla-prod", "cron(0/15 6-19 * * ? *)", "ENABLED"),
        schedule("rounds-prune-prod", "cron(30 4-8 * * ? *)", "ENABLED"),
        schedule("hms-cron-health-check-prod", "cron(0/5 * * * ? *)", "ENABLED"),
    ]);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("state.json");
    let state = |resources: &Value| {
        let state = json!({ "values": { "root_module": { "child_modules": [{ "resources": resources }] } } });
        fs::write(&file, state.to_string()).expect("a file");
        file.to_str().expect("UTF-8").to_owned()
    };
    assert_eq!(case.drift(&["--terraform", &state(&resources)], 0).await, [""; 0]);
    let mut changed = resources.clone();
    changed[6] = schedule("rounds-prune-prod", "cron(30 4-8 * * ? *)", "DISABLED");
    changed[0] = task("prune", &["prune"]);
    assert_eq!(
        case.drift(&["--terraform", &state(&changed)], 1).await,
        [
            "prune: command is `prune`, should be `prune --unless-succeeded-within 6h`",
            "prune: state is `DISABLED`, should be not there",
        ]
    );
}

#[tokio::test]
async fn a_crontab_that_differs_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let case = default();
    case.render("crontab", dir.path(), &[]).await;
    let file = dir.path().join("rounds.crontab");
    let path = file.to_str().expect("UTF-8");
    assert_eq!(case.drift(&["--crontab", path], 0).await, [""; 0]);
    change(&file, "7,37 * * * *", "*/30 * * * *");
    change(&file, "ROUNDS_PARTIAL_OK=true\n", "MAILTO=on-call@clinic.example\n");
    change(&file, "rounds stage-alerts", "rounds stage-alerts --dry-run");
    let found = case.drift(&["--crontab", path], 1).await;
    let starts: Vec<&str> = found.iter().map(|line| line.split("out=").next().expect("a text")).collect();
    assert_eq!(
        starts,
        [
            "escalate-tickets: its line is `*/30 * * * *  ",
            "rounds stage-alerts --dry-run: is installed, and not in the schedule",
            "stage-alerts: is not installed",
            "variables: ROUNDS_PARTIAL_OK is not there, should be `true`",
        ]
    );
}
