//! A restored backup of the database: the jobs that tell people wait for a person's word.

use serde_json::{Value, json};

use crate::support::program::Outcome;
use crate::support::role::JobRole;
use crate::support::{Clinic, Database, connect, server};

const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
const TELL: [&str; 7] = [
    "mark-no-shows",
    "stage-alerts",
    "notify-cancellations",
    "flag-schedule-conflicts",
    "escalate-sla",
    "monitor-ticket-sla",
    "escalate-tickets",
];

/// A clinic whose first run has recorded its database, and an admin.
async fn clinic() -> (Clinic, String) {
    let clinic = Clinic::with_visits(2).await;
    let user = clinic.of_the_group().await.to_string();
    assert_eq!(identity(&clinic).await, Value::Null, "a copy of the tests' template has none");
    clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    (clinic, user)
}

async fn identity(clinic: &Clinic) -> Value {
    clinic.json("SELECT (SELECT to_jsonb(i) - 'recorded_at' FROM database_identity i) AS i").await["i"].clone()
}

/// The message of a run that was skipped.
#[track_caller]
fn restored(outcome: Outcome) -> String {
    let report = outcome.expect(0).report();
    assert_eq!((&report["status"], &report["error_code"]), (&json!("SKIPPED"), &json!("RESTORED")), "{report}");
    report["error_message"].as_str().expect("it says why").to_owned()
}

#[tokio::test]
async fn the_first_run_records_the_database_and_migrate_does() {
    let (clinic, _) = clinic().await;
    let found = clinic
        .json(
            "SELECT true AS only_row, current_database() AS database_name, d.oid::bigint AS database_oid,
                    (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier, 1 AS timeline,
                    NULL AS recorded_by
             FROM pg_database d WHERE d.datname = current_database()",
        )
        .await;
    assert_eq!(identity(&clinic).await, found);
    let empty = Clinic::empty().await;
    empty.run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    assert_eq!(identity(&empty).await["database_name"], json!(&*empty.database));
}

#[tokio::test]
async fn a_copy_of_the_database_tells_nobody_until_a_person_accepts_it() {
    let (clinic, user) = clinic().await;
    // Nobody is connected to what is copied.
    let Clinic { database, client, program, kind } = clinic;
    drop((client, program));
    let (admin, name) = (connect(&server().url("postgres")).await, format!("{database}_restored"));
    let copy = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}';
         CREATE DATABASE {name} TEMPLATE {database} STRATEGY file_copy"
    );
    for statement in copy.split(';') {
        admin.batch_execute(statement).await.expect("can be copied");
    }
    let copy = Clinic::on(Database::not_ours(&name), kind).await;

    for job in TELL {
        let message = restored(copy.run(&[job]).await);
        for word in [&format!("its name was {database} and is {name}"), "`rounds resume --restored --actor USER`"] {
            assert!(message.contains(word), "{word} is missing in {message}");
        }
    }
    restored(copy.run(&[&AT[..], &["--max-items", "9", "--actor", &user]].concat()).await);
    assert_eq!(copy.effects().await, (0, 0, 0));
    copy.run(&["prune"]).await.expect(0);
    copy.run(&["migrate"]).await.expect(0);
    assert_eq!(copy.run(&[&AT[..], &["--dry-run"]].concat()).await.expect(0).count("marked"), 2, "it tells nobody");
    let health = copy.run(&["health", "mark-no-shows", "prune"]).await.expect(1).report();
    let (tells, prune) = (&health["jobs"][0], &health["jobs"][1]);
    assert_eq!((&tells["isHealthy"], &tells["healthCodes"]), (&json!(false), &json!(["RESTORED"])), "{health}");
    assert_eq!(prune["isHealthy"], true, "it tells nobody: {health}");

    let check = copy.run(&["check", "mark-no-shows", "prune", "--as-of", AT[2]]).await.expect(1).report();
    let findings: Vec<_> = check["findings"].as_array().expect("a list").iter().collect();
    let failures: Vec<_> = findings.iter().filter(|finding| finding["level"] == "failure").collect();
    let [failure] = failures[..] else { panic!("of the job that tells people alone: {check}") };
    assert_eq!(failure["job"], "mark-no-shows");
    assert!(
        failure["what"].as_str().is_some_and(|what| what.contains("[RESTORED]") && what.contains(&name)),
        "{check}"
    );
    let remedy = json!({"kind": "command", "text": "rounds resume --restored --actor USER"});
    assert_eq!(failure["remedy"], remedy);
    let outlook = |finding: &&Value| finding["job"] == "mark-no-shows" && finding["topic"] == "outlook";
    let outlook = findings.iter().copied().find(outlook).expect("it is tried all the same");
    assert!(outlook["what"].as_str().is_some_and(|what| what.contains("would change 2 items")), "{check}");

    let report = copy.run(&["resume", "--restored", "--actor", &user]).await.expect(0).report();
    assert!(report["accepted"].as_str().is_some_and(|what| what.contains(&name)), "{report}");
    let now = identity(&copy).await;
    assert_eq!((&now["database_name"], &now["recorded_by"]), (&json!(name), &json!(user)));
    assert_eq!(copy.run(&AT).await.expect(0).count("marked"), 2);
    let again = copy.run(&["resume", "--restored", "--actor", &user]).await.expect(1).report();
    assert_eq!(again["error_code"], "NOT_RESTORED");
    drop(copy);
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("nobody needs it");
    drop(database);
}

#[tokio::test]
async fn another_server_number_or_timeline_is_another_database() {
    let (clinic, user) = clinic().await;
    for (change, word) in [
        ("system_identifier = '42'", "the server's system identifier was 42 and is "),
        ("database_oid = database_oid + 1", "its number on the server was "),
        ("timeline = 0", "the server's timeline was 0 and is 1"),
        ("timeline = 7", "the server's timeline was 7 and is 1"),
    ] {
        clinic.sql(&format!("UPDATE database_identity SET {change}")).await;
        let message = restored(clinic.run(&AT).await);
        assert!(message.contains(word), "{message}");
        clinic.run(&["resume", "--restored", "--actor", &user]).await.expect(0);
        clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    }
    clinic.sql("UPDATE database_identity SET system_identifier = NULL, timeline = NULL").await;
    assert_eq!(clinic.run(&AT).await.expect(0).count("marked"), 2, "what was not told then does not differ");
}

#[tokio::test]
async fn a_promotion_is_trusted_where_the_cluster_fails_over_by_itself() {
    let (clinic, _) = clinic().await;
    clinic.sql("UPDATE database_identity SET timeline = 0").await;
    restored(clinic.run(&AT).await);
    let outcome = clinic.run(&[&AT[..], &["--trust-promotions"]].concat()).await.expect(0);
    assert_eq!(outcome.count("marked"), 2);
    assert!(outcome.stderr.contains("PROMOTED"), "{}", outcome.stderr);
    assert_eq!(identity(&clinic).await["timeline"], 1);
    for change in ["timeline = 7", "timeline = 0, database_name = 'other'"] {
        clinic.sql(&format!("UPDATE database_identity SET {change}")).await;
        restored(clinic.run(&[&AT[..], &["--trust-promotions"]].concat()).await);
    }
}

#[tokio::test]
async fn a_server_that_does_not_tell_about_itself_is_known_by_the_name() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 2).await;
    clinic.sql("REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_current_wal_lsn() FROM PUBLIC").await;
    let role = JobRole::new(&clinic, "mark-no-shows").await;
    let outcome = role.program.run(&AT).await.expect(0);
    assert_eq!((outcome.count("marked"), outcome.stderr.contains("42501")), (2, false), "{outcome:?}");
    let now = identity(&clinic).await;
    assert_eq!((&now["system_identifier"], &now["timeline"]), (&Value::Null, &Value::Null));
    let watch = JobRole::new(&clinic, "watch").await;
    watch.program.run(&["health", "mark-no-shows"]).await.expect(0);
    watch.drop(&clinic).await;
    let check = role.program.run(&["check", "mark-no-shows", "--read-only"]).await.expect(0);
    assert!(!check.stdout.contains("pg_control"), "it is not asked: {check:?}");
    clinic.sql("UPDATE database_identity SET database_name = 'other'").await;
    restored(role.program.run(&AT).await);
    role.drop(&clinic).await;
}
