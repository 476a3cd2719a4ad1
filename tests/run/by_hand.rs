//! A run that a person starts, and one that stands in for another scheduler's.

use serde_json::json;

use crate::support::{Clinic, gate, program};

const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

async fn runs(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM cron_job_runs").await
}

#[tokio::test]
async fn only_an_active_admin_or_supervisor_may_start_a_job() {
    let clinic = Clinic::with_visits(1).await;
    let roles = ["RECEPTIONIST", "NURSE", "DOCTOR", "BILLING", "CASE_MANAGER", "AGENT", "MANAGER"];
    for role in roles {
        let user = clinic.user(1, role).await.to_string();
        let outcome = clinic.run(&[&AT[..], &["--actor", &user]].concat()).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "ACTOR_NOT_ALLOWED", "{role}");
        assert!(outcome.stderr.contains(&format!("user {user} is {role}")), "{}", outcome.stderr);
    }
    let gone = clinic.user(1, "HOSPITAL_ADMIN").await;
    clinic.sql(&format!("UPDATE users SET active = false WHERE id = {gone}")).await;
    for (user, code) in [(gone.to_string(), "ACTOR_INACTIVE"), ("4711".into(), "ACTOR_UNKNOWN")] {
        for more in [&[][..], &["--dry-run"]] {
            let args = [&AT[..], &["--actor", user.as_str()], more].concat();
            assert_eq!(clinic.run(&args).await.expect(2).report()["error_code"], code);
        }
    }
    assert_eq!((runs(&clinic).await, clinic.effects().await), (0, (0, 0, 0)), "nothing was recorded or changed");
    for bad in ["0", "-1", "me"] {
        clinic.run(&[&AT[..], &["--actor", bad]].concat()).await.expect(2);
    }
}

#[tokio::test]
async fn who_ran_it_is_in_the_run_row_and_in_what_it_wrote() {
    for role in ["HOSPITAL_ADMIN", "SUPERVISOR"] {
        let clinic = Clinic::with_visits(2).await;
        let user = clinic.user(1, role).await;
        // A container whose arguments say cron is used by a person all the same.
        clinic.run(&[&AT[..], &["--source", "cron", "--actor", &user.to_string()]].concat()).await.expect(0);
        let run = clinic.json("SELECT source, actor, status FROM cron_job_runs").await;
        assert_eq!(run, json!({"source": "manual", "actor": user.to_string(), "status": "COMPLETED"}));
        let logs = clinic.json("SELECT jsonb_agg(jsonb_build_array(reason, created_by)) AS l FROM no_show_logs").await;
        assert_eq!(logs["l"], json!([["AUTO_TIMEOUT", user.to_string()], ["AUTO_TIMEOUT", user.to_string()]]));
    }
}

#[tokio::test]
async fn a_stand_in_does_nothing_where_the_job_succeeded_lately() {
    let clinic = Clinic::with_visits(1).await;
    let stand_in = [&AT[..], &["--source", "external", "--unless-succeeded-within", "10m"]].concat();
    clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    let age = async |by: &str| {
        let update = format!(
            "UPDATE cron_job_runs SET completed_at = clock_timestamp() - interval '{by}' WHERE status = 'COMPLETED'"
        );
        clinic.sql(&update).await;
    };
    for more in [&["--dry-run"][..], &[], &["--fail-if-running"]] {
        // Each time anew: three runs may take longer than five seconds.
        age("9 minutes 55 seconds").await;
        let outcome = clinic.run(&[&stand_in[..], more].concat()).await.expect(0);
        let report = outcome.report();
        assert_eq!(
            (&report["status"], &report["error_code"]),
            (&json!("SKIPPED"), &json!("SUCCEEDED_LATELY")),
            "{more:?}"
        );
    }
    assert_eq!(clinic.effects().await, (0, 0, 0));
    let skipped = clinic
        .json("SELECT source, error_code, error_message FROM cron_job_runs WHERE status = 'SKIPPED' LIMIT 1")
        .await;
    assert_eq!((&skipped["source"], &skipped["error_code"]), (&json!("external"), &json!("SUCCEEDED_LATELY")));
    assert!(skipped["error_message"].as_str().is_some_and(|why| why.contains("succeeded lately")), "{skipped}");
    assert_eq!(runs(&clinic).await, 3, "the dry run is not recorded");
    age("10 minutes 1 second").await;
    assert_eq!(clinic.run(&stand_in).await.expect(0).count("marked"), 1);
}

#[tokio::test]
async fn what_failed_lately_or_another_job_did_is_no_reason_to_stand_aside() {
    let clinic = Clinic::with_visits(2).await;
    let stand_in = [&AT[..], &["--unless-succeeded-within", "10m"]].concat();
    clinic.run(&["stage-alerts"]).await.expect(0);
    clinic.sql("ALTER TABLE no_show_logs RENAME TO elsewhere").await;
    assert_eq!(clinic.run(&AT).await.report()["status"], "FAILED");
    clinic.sql("ALTER TABLE elsewhere RENAME TO no_show_logs").await;
    assert_eq!(clinic.run(&stand_in).await.expect(0).count("marked"), 2);
}

#[tokio::test]
async fn ten_stand_ins_at_once_do_it_once() {
    let clinic = Clinic::with_visits(1).await;
    gate::close(&clinic, 1).await;
    let stand_in = [&AT[..], &["--unless-succeeded-within", "10m"]].concat();
    let children: Vec<_> = (0..10).map(|_| clinic.program.start(&stand_in)).collect();
    gate::reached(&clinic).await;
    gate::open(&clinic).await;
    for child in children {
        program::finish(child).await.expect(0);
    }
    let completed = "SELECT count(*) FROM cron_job_runs WHERE status = 'COMPLETED'";
    assert_eq!((clinic.count(completed).await, clinic.effects().await.1), (1, 1));
}

#[tokio::test]
async fn a_stand_in_that_finds_a_dead_run_closes_it_first() {
    let clinic = Clinic::with_visits(1).await;
    clinic.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    clinic.dead_run("1 hour", "0 s").await;
    let outcome = clinic.run(&[&AT[..], &["--unless-succeeded-within", "10m"]].concat()).await.expect(0);
    assert_eq!(outcome.report()["error_code"], "SUCCEEDED_LATELY");
    let codes = clinic.rows("SELECT coalesce(error_code, status) FROM cron_job_runs ORDER BY completed_at").await;
    let codes: Vec<String> = codes.iter().map(|row| row.get(0)).collect();
    assert_eq!(codes, ["COMPLETED", "LEASE_EXPIRED", "SUCCEEDED_LATELY"]);
}

#[tokio::test]
async fn a_user_of_whom_a_view_says_nothing_may_not_act() {
    let clinic = Clinic::with_visits(1).await;
    let user = clinic.user(1, "HOSPITAL_ADMIN").await;
    for (column, code) in [("active", "ACTOR_INACTIVE"), ("role", "ACTOR_NOT_ALLOWED")] {
        let columns = ["active", "role"].map(|name| match name == column {
            true => format!("NULLIF({name}, {name}) AS {name}"),
            false => name.to_owned(),
        });
        clinic
            .sql(&format!(
                "ALTER TABLE users RENAME TO app_users;
                 CREATE VIEW users AS SELECT id, facility_id, name, email, {} FROM app_users",
                columns.join(", ")
            ))
            .await;
        let outcome = clinic.run(&["mark-no-shows", "--actor", &user.to_string()]).await.expect(2);
        assert_eq!(outcome.report()["error_code"], code, "{outcome:?}");
        clinic.sql("DROP VIEW users; ALTER TABLE app_users RENAME TO users").await;
    }
}
