//! `rounds runs`: what ran, and what one run left.

use serde_json::{Value, json};

use crate::support::Clinic;

/// A run of each job that completed, and one that met its brake; the last has a failed item.
async fn clinic() -> Clinic {
    let clinic = Clinic::with_visits(3).await;
    let at = ["--as-of", "2026-03-02T09:15:00-05:00"];
    clinic.run(&[&["stage-alerts"], &at[..]].concat()).await.expect(0);
    clinic.run(&[&["mark-no-shows", "--max-items", "1"], &at[..]].concat()).await.expect(5);
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'CANARY %', NEW; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON appointments FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION refuse()",
        )
        .await;
    clinic.run(&[&["mark-no-shows", "--source", "cron"], &at[..]].concat()).await.expect(3);
    clinic
}

async fn list(clinic: &Clinic, filter: &[&str]) -> Vec<(String, String)> {
    let report = clinic.run(&[&["runs", "list"], filter].concat()).await.expect(0).report();
    let text = |run: &Value, key: &str| run[key].as_str().unwrap_or_default().to_owned();
    report["runs"].as_array().expect("runs").iter().map(|run| (text(run, "job"), text(run, "status"))).collect()
}

#[tokio::test]
async fn runs_are_listed_the_newest_first_and_filtered() {
    let clinic = clinic().await;
    let run = |job: &str, status: &str| (job.to_owned(), status.to_owned());
    let [partial, brake, alerts] =
        [run("mark-no-shows", "COMPLETED"), run("mark-no-shows", "FAILED"), run("stage-alerts", "COMPLETED")];
    assert_eq!(list(&clinic, &[]).await, [partial.clone(), brake.clone(), alerts.clone()]);
    assert_eq!(list(&clinic, &["--job", "stage-alerts"]).await, std::slice::from_ref(&alerts));
    assert_eq!(list(&clinic, &["--status", "failed"]).await, std::slice::from_ref(&brake));
    assert_eq!(list(&clinic, &["--status", "COMPLETED", "--limit", "1"]).await, std::slice::from_ref(&partial));
    clinic
        .sql("UPDATE cron_job_runs SET started_at = started_at - interval '1 hour' WHERE job_name = 'stage-alerts'")
        .await;
    assert_eq!(list(&clinic, &["--since", "1h"]).await, [partial.clone(), brake.clone()]);
    assert_eq!(list(&clinic, &["--since", "61m"]).await, [partial.clone(), brake.clone(), alerts.clone()]);
    assert_eq!(list(&clinic, &["--since", "100y"]).await, [partial, brake, alerts], "longer than there are runs");
    let none = clinic.run(&["runs", "list", "--job", "refresh-npi", "--output", "text"]).await.expect(0).stdout;
    assert_eq!(none, "No run fits.\n");
}

#[tokio::test]
async fn one_run_is_shown_with_its_report_and_its_failed_items() {
    let clinic = clinic().await;
    let listed = clinic.run(&["runs", "list", "--limit", "1"]).await.expect(0).report();
    let id = listed["runs"][0]["id"].as_str().expect("an id").to_owned();
    let outcome = clinic.run(&["runs", "show", &id]).await.expect(0);
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    let mut shown = outcome.report();
    assert_eq!(shown["id"], id.as_str());
    assert_eq!(shown["report"]["errors"], json!([{"id": "2", "code": "P0001", "entity": "appointment"}]));
    for key in [
        "id",
        "started_at",
        "completed_at",
        "duration_ms",
        "host",
        "version",
        "heartbeat_at",
        "deadline_at",
        "os_user",
        "db_login",
    ] {
        assert!(!shown[key].is_null(), "{key}");
        shown[key] = json!(format!("[{key}]"));
    }
    insta::assert_snapshot!("run", serde_json::to_string_pretty(&shown).expect("JSON"));
    let text = clinic.run(&["runs", "show", &id, "--output", "text"]).await.expect(0).stdout;
    for words in ["job                mark-no-shows\n", "\nreport\n", "1 failed item\n", "appointment   2  P0001"] {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
}

#[tokio::test]
async fn a_run_is_found_by_the_beginning_of_its_id_and_the_latest_without_one() {
    let clinic = clinic().await;
    let shown = async |args: &[&str]| clinic.run(&[&["runs", "show"], args].concat()).await;
    let id = async |args: &[&str]| shown(args).await.expect(0).report()["id"].as_str().expect("an id").to_owned();
    let listed = clinic.run(&["runs", "list"]).await.expect(0).report();
    let ids: Vec<&str> = (0..3).map(|row| listed["runs"][row]["id"].as_str().expect("an id")).collect();
    assert_eq!(id(&["latest"]).await, ids[0]);
    assert_eq!(id(&["latest", "--job", "stage-alerts"]).await, ids[2]);
    assert_eq!(id(&[&ids[1][..13]]).await, ids[1]);
    assert_eq!(id(&[&ids[1].to_uppercase()]).await, ids[1]);
    let text =
        clinic.run(&["runs", "list", "--output", "text", "--schedule-zone", "America/Denver"]).await.expect(0).stdout;
    assert!(text.contains(&ids[1][..8]) && !text.contains(ids[1]), "{text}");
    assert!(text.contains("began (MST)") || text.contains("began (MDT)"), "{text}");
    clinic
        .sql(
            "SET session_replication_role = replica;
             UPDATE cron_job_runs SET id = ('abcd' || substr(id::text, 5))::uuid;
             RESET session_replication_role",
        )
        .await;
    let outcome = shown(&["abc"]).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "AMBIGUOUS_RUN");
    for words in ["stage-alerts COMPLETED", "mark-no-shows FAILED", "give more letters", &ids[0][4..]] {
        assert!(outcome.report()["error_message"].as_str().is_some_and(|why| why.contains(words)), "{outcome:?}");
    }
    assert_eq!(id(&["abc", "--job", "stage-alerts"]).await[4..], ids[2][4..]);
    for (args, code) in [(&["latest", "--job", "prune"][..], "UNKNOWN_RUN"), (&["1234"], "UNKNOWN_RUN")] {
        assert_eq!(shown(args).await.expect(2).report()["error_code"], code, "{args:?}");
    }
    let outcome = shown(&["newest"]).await.expect(2);
    assert!(outcome.stderr.contains("or its beginning, or latest"), "{outcome:?}");
}

#[tokio::test]
async fn a_run_that_is_not_there_is_said_so() {
    let clinic = Clinic::new().await;
    let outcome = clinic.run(&["runs", "show", "00000000-0000-4000-8000-000000000001"]).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "UNKNOWN_RUN");
    clinic.run(&["runs", "show", "17"]).await.expect(2);
    clinic.run(&["runs", "list", "--limit", "0"]).await.expect(2);
    let foreign = crate::support::database(None).await;
    let outcome =
        crate::support::Program::new(&crate::support::program_url(&foreign)).run(&["runs", "list"]).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "NOT_OUR_DATABASE");
}

#[tokio::test]
async fn a_job_that_nobody_has_is_a_usage_error_and_not_an_empty_list() {
    let clinic = Clinic::new().await;
    let outcome = clinic.run(&["runs", "list", "--job", "mark-no-show"]).await.expect(2);
    assert!(outcome.stderr.contains("there is no such job; there are mark-no-shows,"), "{outcome:?}");
    for job in ["mark-no-shows", "advance-billing-pending-payment", "sync-practiceq-patient:7"] {
        clinic.run(&["runs", "list", "--job", job]).await.expect(0);
    }
}
