//! `rounds grants`: what it prints is enough for each job, and nothing of it can be left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::Clinic;
use crate::support::role::{JobRole, grants, jobs, nowhere, roles};

#[tokio::test]
async fn sql_and_json_say_the_same() {
    let clinic = Clinic::new().await;
    for job in &roles() {
        let role = JobRole::printed(&clinic, job).await;
        for grant in grants(job).await {
            let revoke = match grant.object.as_str() {
                "database" => format!("{} ON DATABASE {}", grant.verb, clinic.database),
                "schema" => format!("{} ON SCHEMA rounds", grant.verb),
                "staging schema" => format!("{} ON SCHEMA rounds_staging", grant.verb),
                _ => grant.of(&grant.columns),
            };
            let left = format!("SELECT count(*) FROM pg_shdepend WHERE refobjid = '{}'::regrole", role.name);
            assert_ne!(clinic.count(&left).await, 0, "{job}: {revoke}");
            clinic.sql(&format!("REVOKE {revoke} FROM {}", role.name)).await;
        }
        // A role with a privilege that only the SQL grants cannot be dropped.
        clinic.sql(&format!("DROP ROLE {}", role.name)).await;
    }
}

#[tokio::test]
async fn both_stages_of_billing_run_with_what_is_printed_and_the_rest_is_named() {
    let clinic = Clinic::new().await;
    let (facility, patient) = (clinic.facility("America/New_York", None).await, clinic.patient().await);
    let insert = format!(
        "INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
         VALUES ({facility}, {patient}, 10, 10.01), ({facility}, {patient}, 15, 10.01)"
    );
    clinic.sql(&insert).await;
    let role = JobRole::new(&clinic, "advance-billing").await;
    let at = ["--as-of", "2026-03-02T08:00:00Z"];
    for stage in ["paid", "pending-payment"] {
        let outcome = role.program.run(&[&["advance-billing", "--stage", stage][..], &at].concat()).await.expect(0);
        assert_eq!(outcome.count("advanced"), 1, "{stage}: {outcome:?}");
    }
    let cases = clinic.json("SELECT array_agg(case_status ORDER BY id) AS s FROM surgical_cases").await;
    assert_eq!(cases["s"], json!([15, 20]));
    // The column of another status is a person's to grant, as a comment says.
    let printed = nowhere().run(&["grants", "advance-billing"]).await.expect(0).stdout;
    assert!(printed.contains("-- advance-billing writes the column") && !printed.contains("billable_ts"), "{printed}");
    assert!(!nowhere().run(&["grants", "prune"]).await.expect(0).stdout.contains("surgical_cases"));
    role.drop(&clinic).await;
}

#[tokio::test]
async fn without_a_privilege_a_run_changes_nothing_and_names_the_relation() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 1).await;
    let role = JobRole::new(&clinic, "mark-no-shows").await;
    let mut logged = BTreeSet::new();
    for grant in grants("mark-no-shows").await {
        let (privilege, object) = match grant.object.as_str() {
            "schema" => ("USAGE ON SCHEMA rounds".to_owned(), "schema"),
            "relation" => (grant.of(&grant.columns), grant.relation.as_str()),
            _ => continue,
        };
        clinic.sql(&format!("REVOKE {privilege} FROM {}", role.name)).await;
        let outcome = role.program.run(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"]).await;
        let is_named = outcome.stderr.contains(&format!(" {object}")) && outcome.stderr.contains("rounds grants");
        match outcome.code {
            0 => assert!(logged.insert((format!("{} {object}", grant.verb), is_named)), "{privilege}: {outcome:?}"),
            _ => {
                assert!([1, 2].contains(&outcome.code) && is_named, "{privilege}: {outcome:?}");
                // The close deletes the evidence, when the work is done.
                let done = if privilege.starts_with("DELETE ON rounds.run_batches") { (1, 1, 2) } else { (0, 0, 0) };
                assert_eq!(clinic.effects().await, done, "{privilege}");
            }
        }
        let again = format!(
            "GRANT {privilege} TO {}; UPDATE appointments SET status = 'SCHEDULED';
             DELETE FROM no_show_logs; DELETE FROM notifications; DELETE FROM cron_job_runs WHERE status = 'RUNNING'",
            role.name
        );
        clinic.sql(&again).await;
    }
    // No item failed or was refused, and nobody looks at those of a run. Users are looked for when a run has failed
    // before, and the run is done without them; where their preferences cannot be read they are told in the
    // application. The first run has recorded the database, and nobody was promoted.
    let expected = [
        ("INSERT cron_job_run_errors", false),
        ("SELECT cron_job_run_errors", false),
        ("INSERT item_refusals", false),
        ("UPDATE item_refusals", false),
        ("DELETE item_refusals", false),
        ("SELECT notification_preferences", false),
        ("SELECT users", true),
        ("INSERT database_identity", false),
        ("UPDATE database_identity", false),
    ];
    assert_eq!(logged, expected.map(|(what, is_named)| (what.to_owned(), is_named)).into());
    let outcome = role.program.run(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"]).await.expect(0);
    assert_eq!(outcome.count("marked"), 1);
    role.drop(&clinic).await;
}

#[tokio::test]
async fn what_a_trigger_says_of_a_missing_privilege_is_not_repeated() {
    let clinic = Clinic::with_visits(1).await;
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'permission denied for CANARY' USING ERRCODE = '42501';
             END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON no_show_logs FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    let outcome = clinic.mark("2026-03-02T09:15:00-05:00").await;
    assert_eq!((outcome.code, outcome.report()["error_code"].clone()), (1, json!("42501")), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
}

/// All Rust files below a folder.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            found.push(entry);
        }
    }
}

#[tokio::test]
async fn the_jobs_that_create_tables_may_create_them() {
    for job in &jobs() {
        let mut found = vec![];
        files(&Path::new("src/jobs").join(job.replace('-', "_")), &mut found);
        let texts: Vec<String> = found.iter().map(|path| fs::read_to_string(path).expect("UTF-8")).collect();
        let creates = |kind: &str| texts.iter().any(|text| text.contains(kind));
        let printed = grants(job).await;
        let may = |verb: &str| printed.iter().any(|grant| grant.verb == verb);
        assert_eq!(creates("CREATE UNLOGGED TABLE") || creates("\"CREATE TABLE"), may("CREATE"), "{job}");
        assert_eq!(creates("CREATE TEMPORARY TABLE"), may("TEMPORARY"), "{job}");
    }
}

#[tokio::test]
async fn it_is_sql_for_all_jobs_a_role_and_a_schema() {
    let all = nowhere().run(&["grants"]).await.expect(0).stdout;
    assert!(
        all.starts_with("-- What all jobs, health and runs need of the") && all.contains("TO \"rounds\";"),
        "{all}"
    );
    assert!(all.lines().all(|line| line.len() <= 80), "{all}");
    let jobs = jobs();
    let named: Vec<&str> = jobs.iter().map(String::as_str).chain(["watch"]).collect();
    let named = nowhere().run(&[&["grants"][..], &named].concat()).await.expect(0).stdout;
    let statements = |text: &str| text.split_once("\n\n").expect("a comment").1.to_owned();
    assert_eq!(statements(&named), statements(&all));
    let odd = ["grants", "prune", "stage-alerts", "--role", "O'Hara \"x\"", "--schema", "Clinic"];
    let odd = nowhere().run(&odd).await.expect(0).stdout;
    assert!(odd.contains("What stage-alerts and prune need"), "{odd}");
    let clinic = Clinic::empty().await;
    clinic.sql("CREATE SCHEMA \"Clinic\"; CREATE ROLE \"O'Hara \"\"x\"\"\"").await;
    clinic.run(&["migrate", "--with-clinic-tables", "--schema", "Clinic"]).await.expect(0);
    clinic.sql(&odd).await;
    clinic.sql("DROP OWNED BY \"O'Hara \"\"x\"\"\"; DROP ROLE \"O'Hara \"\"x\"\"\"").await;
    for (args, why) in [
        (&["grants", "mark-no-show"][..], "mark-no-shows"),
        (&["grants", "--role", "public"], "public is everybody"),
        (&["grants", "--role", ""], "--role"),
    ] {
        let outcome = nowhere().run(args).await.expect(2);
        assert!(outcome.stderr.contains(why) && outcome.stdout.is_empty(), "{outcome:?}");
    }
}
