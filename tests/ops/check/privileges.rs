//! The privileges of the role, and of the owners of views.

use super::{Checked, drop_role, role};
use crate::support::Clinic;
use crate::support::role::{JobRole, jobs};

/// `check` belongs to no role of its own: it says what the role of a job may do, as that role. `health` and `runs` are
/// another's, so that a job's role cannot read them is no fault.
#[tokio::test]
async fn the_role_that_was_made_for_a_job_is_ready_for_it_and_lacks_nothing() {
    let clinic = Clinic::new().await;
    for job in jobs() {
        let role = JobRole::new(&clinic, &job).await;
        let checked = Checked::by(&role.program, &[&job, "--read-only"]).await;
        let of_privileges = checked.findings().filter(|one| one["topic"] == "privileges");
        let of_privileges: Vec<_> = of_privileges.map(|one| (one["level"].clone(), one["what"].to_string())).collect();
        assert!(of_privileges.iter().all(|(level, _)| level == "ok" || level == "skipped"), "{job}: {of_privileges:?}");
        let said = format!("is for {job} alone; health and runs have a role of their own, for watch");
        assert!(of_privileges.iter().any(|(_, what)| what.contains(&said)), "{job}: {of_privileges:?}");
        role.drop(&clinic).await;
    }
}

/// By the server, a view that reads as its invoker does so for the current role, also beneath another view.
#[tokio::test]
async fn the_policies_that_count_are_those_for_whom_the_view_next_to_the_table_reads() {
    let clinic = Clinic::new().await;
    let (role, program) = role(&clinic).await;
    clinic
        .sql(&format!(
            "CREATE SCHEMA app; ALTER TABLE doctors SET SCHEMA app; ALTER TABLE app.doctors ENABLE ROW LEVEL SECURITY;
             CREATE VIEW app.seen WITH (security_invoker = true) AS SELECT * FROM app.doctors;
             CREATE VIEW doctors AS SELECT * FROM app.seen;
             GRANT USAGE ON SCHEMA rounds, app TO {role};
             GRANT ALL ON ALL TABLES IN SCHEMA rounds TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA app TO {role}"
        ))
        .await;
    let marks = Some("mark-no-shows");
    Checked::by(&program, &["mark-no-shows", "--read-only"]).await.fault(
        marks,
        "policies",
        "failure",
        &["app.doctors", &role],
    );
    clinic.sql("ALTER VIEW app.seen SET (security_invoker = false)").await;
    Checked::by(&program, &["mark-no-shows", "--read-only"]).await.ready();
    drop_role(&clinic, &role).await;
}

#[tokio::test]
async fn a_role_is_told_each_grant_that_it_lacks() {
    let clinic = Clinic::new().await;
    let (role, program) = role(&clinic).await;
    let owner = format!("owner_of_{}", &*clinic.database);
    clinic
        .sql(&format!(
            "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC;
             CREATE ROLE {owner}; GRANT USAGE, CREATE ON SCHEMA rounds TO {owner};
             CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO {owner}; ALTER TABLE tickets SET SCHEMA app;
             SET ROLE {owner}; CREATE VIEW rounds.tickets AS SELECT * FROM app.tickets; RESET ROLE;
             REVOKE CREATE ON SCHEMA rounds FROM {owner};
             ALTER TABLE doctors ENABLE ROW LEVEL SECURITY; ALTER TABLE app.tickets ENABLE ROW LEVEL SECURITY",
            clinic.database
        ))
        .await;
    let usage = Checked::by(&program, &[]).await;
    usage.fault(None, "privileges", "failure", &["no USAGE on schema rounds"]);
    assert!(!usage.faults().iter().any(|one| one["topic"] == "schema"), "it can be compared all the same");
    let writing = usage.findings().filter(|one| one["job"] == "escalate-tickets" && one["topic"] == "writing");
    for one in writing {
        let is_said = one["what"].as_str().expect("a text").contains("tickets");
        assert_eq!(is_said, one["level"] == "skipped", "no view was tried: {one}");
    }
    let marks = usage.fault(Some("mark-no-shows"), "privileges", "failure", &["SELECT, UPDATE rounds.appointments"]);
    let grant = marks["remedy"]["text"].as_str().expect("a text");
    assert!(grant.starts_with("GRANT SELECT (id, ") && grant.contains(") ON rounds.appointments TO "), "{grant}");
    let policies = usage.fault(Some("mark-no-shows"), "policies", "failure", &["rounds.doctors", &role]);
    assert_eq!(policies["remedy"]["text"], format!("ALTER ROLE {role} BYPASSRLS;"));
    // A view is read with the rights of its owner.
    usage.fault(Some("escalate-tickets"), "policies", "failure", &["app.tickets", &owner]);
    // Its owner may be the application's login, which keeps its policies.
    let own = usage.fault(Some("escalate-tickets"), "policies", "failure", &["app.tickets", &owner]);
    assert_eq!(own["remedy"]["kind"], "advice", "{own}");
    clinic.sql(&format!("ALTER ROLE {owner} BYPASSRLS")).await;
    usage.fault(Some("refresh-npi"), "privileges", "failure", &["TEMPORARY ON DATABASE"]);
    usage.fault(Some("refresh-npi"), "privileges", "failure", &["CREATE ON SCHEMA rounds_staging"]);
    usage.fault(Some("escalate-tickets"), "privileges", "failure", &[&owner, "may not UPDATE on app.tickets beneath"]);
    // With what is printed, and nothing else, every job is ready, and its dry run works.
    assert!(usage.mend(&clinic).await > 20);
    let checked = Checked::by(&program, &[]).await.ready();
    assert!(
        checked.findings().all(|one| one["level"] == "ok" || one["level"] == "skipped"),
        "no superuser: {:#}",
        checked.report
    );
    // Whoever only locks rows needs UPDATE of any column.
    clinic.sql(&format!("REVOKE UPDATE (id) ON appointments FROM {role}")).await;
    Checked::by(&program, &["stage-alerts"]).await.ready();
    clinic.sql(&format!("REVOKE UPDATE ON appointments FROM {role}")).await;
    let locks = Checked::by(&program, &["stage-alerts"]).await;
    let lock = locks.fault(Some("stage-alerts"), "privileges", "failure", &["may not UPDATE rounds.appointments"]);
    assert_eq!(lock["remedy"]["text"], format!("GRANT UPDATE (id) ON rounds.appointments TO {role};"));
    // What only a look at the runs needs stops no job.
    clinic.sql(&format!("REVOKE SELECT (applied_on) ON rounds.rounds_migrations FROM {role}")).await;
    let looks = Checked::by(&program, &["prune"]).await;
    let words = ["may not SELECT rounds.rounds_migrations, which health and runs need; no job does"];
    let look = looks.fault(None, "privileges", "warning", &words);
    assert_eq!(look["remedy"]["text"], format!("GRANT SELECT (applied_on) ON rounds.rounds_migrations TO {role};"));
    assert_eq!((looks.code, looks.faults().len()), (0, 1), "{:#?}", looks.faults());
    assert_eq!(looks.mend(&clinic).await, 1);
    clinic.sql(&format!("REVOKE SELECT ON rounds.rounds_schema FROM {role}")).await;
    let again = Checked::by(&program, &["prune"]).await;
    again.fault(None, "privileges", "failure", &["may not SELECT rounds.rounds_schema"]);
    assert_eq!(again.faults().len(), 1, "{:#?}", again.faults());
    clinic.sql("DROP VIEW tickets").await;
    drop_role(&clinic, &role).await;
    drop_role(&clinic, &owner).await;
}
