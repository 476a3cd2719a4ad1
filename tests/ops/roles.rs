//! `rounds grants --apply`: a role for each job and each group of commands, which may do what it needs and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::role::{JobRole, grants, of_url, roles};
use crate::support::{Clinic, Program, connect, server};

/// The prefix of the roles of a test: the server has those of all tests.
fn prefix(clinic: &Clinic) -> String {
    format!("{}_", clinic.database)
}

async fn apply(clinic: &Clinic, more: &[&str]) -> Value {
    apply_as(clinic, &clinic.program, more).await.expect(0).report()
}

async fn apply_as(clinic: &Clinic, program: &Program, more: &[&str]) -> crate::support::program::Outcome {
    program.run(&[&["grants", "--apply", "--prefix", &prefix(clinic)], more].concat()).await
}

/// Takes the roles away, which would stay with the server.
async fn drop_roles(clinic: &Clinic) {
    let drop = format!(
        "DO $$ DECLARE name text; BEGIN
             FOR name IN SELECT quote_ident(rolname) FROM pg_roles WHERE rolname LIKE '{}%' LOOP
                 EXECUTE format('DROP OWNED BY %s; DROP ROLE %s', name, name);
             END LOOP;
         END $$",
        prefix(clinic).replace('_', "\\_")
    );
    clinic.sql(&drop).await;
}

/// Whether the session may do that; anything but a missing privilege is an answer of what came after it.
async fn may(session: &Client, sql: &str) -> bool {
    match session.batch_execute(&format!("BEGIN; {sql}; ROLLBACK")).await {
        Ok(()) => true,
        Err(error) => {
            session.batch_execute("ROLLBACK").await.expect("an answer");
            // A view through which nothing can be written says that first.
            error.code().is_none_or(|code| !["42501", "55000"].contains(&code.code()))
        }
    }
}

/// The columns of each relation of the schema, which a role could name.
async fn relations(clinic: &Clinic) -> BTreeMap<String, Vec<String>> {
    let query = "SELECT c.relname::text, array_agg(quote_ident(a.attname) ORDER BY a.attnum)
                 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 WHERE c.relnamespace = 'rounds'::regnamespace AND c.relkind IN ('r', 'p', 'v') GROUP BY 1";
    clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn each_role_is_denied_every_table_and_every_write_that_it_does_not_need() {
    let clinic = Clinic::new().await;
    apply(&clinic, &[]).await;
    let (relations, mut denied) = (relations(&clinic).await, 0);
    assert!(relations.len() > 50, "{relations:?}");
    for name in roles() {
        let role = format!("{}{}", prefix(&clinic), name.replace('-', "_"));
        let session = connect(&of_url(&server().url(&clinic.database), &role)).await;
        let needed: BTreeSet<(String, String)> =
            grants(&name).await.into_iter().map(|grant| (grant.relation, grant.verb)).collect();
        for (relation, columns) in &relations {
            let updates: Vec<String> =
                columns.iter().map(|column| format!("UPDATE rounds.{relation} SET {column} = DEFAULT")).collect();
            for (verb, tries) in [
                // Whoever may see a column may count the rows.
                ("SELECT", vec![format!("SELECT FROM rounds.{relation} LIMIT 0")]),
                ("INSERT", vec![format!("INSERT INTO rounds.{relation} DEFAULT VALUES")]),
                ("UPDATE", updates),
                ("DELETE", vec![format!("DELETE FROM rounds.{relation}")]),
            ] {
                if needed.contains(&(relation.clone(), verb.to_owned())) {
                    continue;
                }
                for sql in &tries {
                    assert!(!may(&session, sql).await, "{name}: {sql}");
                    denied += 1;
                }
            }
        }
        assert!(!may(&session, "CREATE TABLE rounds.mine ()").await || name == "refresh-npi", "{name}");
    }
    assert!(denied > 1000, "{denied}");
    drop_roles(&clinic).await;
}

#[tokio::test]
async fn again_it_changes_nothing_and_what_is_not_needed_is_taken_back() {
    let clinic = Clinic::new().await;
    let is_there = format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{}%'", prefix(&clinic));
    let dry = apply(&clinic, &["--dry-run"]).await;
    assert_eq!((dry["dry_run"].clone(), clinic.count(&is_there).await), (json!(true), 0));
    let first = apply(&clinic, &[]).await;
    let all = first["roles"].as_array().expect("a list");
    assert_eq!((all.len(), clinic.count(&is_there).await), (roles().len(), roles().len() as i64));
    for one in all {
        assert_eq!(
            (&one["created"], &one["revoked"], &one["missing"]),
            (&json!(true), &json!([]), &json!([])),
            "{one}"
        );
        assert!(one["granted"].as_array().is_some_and(|granted| granted.len() > 3), "{one}");
    }
    let unchanged = |one: &Value| one["created"] == false && one["granted"] == json!([]) && one["revoked"] == json!([]);
    let again = apply(&clinic, &[]).await;
    assert!(again["roles"].as_array().expect("a list").iter().all(unchanged), "{again}");
    let role = format!("{}prune", prefix(&clinic));
    let change = format!(
        "GRANT DELETE, SELECT (name) ON users TO {role}; GRANT CREATE ON SCHEMA rounds TO {role};
         REVOKE DELETE ON cron_job_runs FROM {role}"
    );
    clinic.sql(&change).await;
    let outcome = clinic.run(&["grants", "--apply", "--prefix", &prefix(&clinic), "--output", "text"]).await.expect(0);
    for line in [
        &format!("{role} (for prune): granted on 1 object, revoked on 2 objects\n"),
        "  granted DELETE ON rounds.cron_job_runs\n",
        "  revoked CREATE ON SCHEMA rounds\n",
        "  revoked DELETE, SELECT (name) ON rounds.users\n",
    ] {
        assert!(outcome.stdout.contains(line), "{line}{}", outcome.stdout);
    }
    assert_eq!(outcome.stdout.matches(": unchanged").count(), roles().len() - 1, "{}", outcome.stdout);
    // Of a password nothing is said, and none is set.
    let query = format!(
        "SELECT count(*) FROM pg_authid WHERE rolname LIKE '{}%' AND rolpassword IS NULL AND rolcanlogin
                         AND NOT rolsuper",
        prefix(&clinic)
    );
    assert_eq!(clinic.count(&query).await, roles().len() as i64);
    drop_roles(&clinic).await;
}

#[tokio::test]
async fn a_role_that_is_somebody_elses_is_refused() {
    let clinic = Clinic::new().await;
    let (role, other) = (format!("{}prune", prefix(&clinic)), format!("{}other", prefix(&clinic)));
    let refused = async |why: &str| {
        let outcome = apply_as(&clinic, &clinic.program, &["prune", "npi"]).await.expect(2);
        assert!(outcome.stdout.contains("ROLE_IN_THE_WAY") && outcome.stdout.contains(why), "{why}: {outcome:?}");
        let npi = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{}npi'", prefix(&clinic));
        assert_eq!(clinic.count(&npi).await, 0, "nothing was done");
    };
    clinic.sql(&format!("CREATE ROLE {other}; CREATE ROLE {role} LOGIN")).await;
    refused("was not made by rounds").await;
    clinic.sql(&format!("DROP ROLE {role}")).await;
    apply(&clinic, &["prune"]).await;
    for (grant, revoke, why) in [
        (format!("ALTER ROLE {role} SUPERUSER"), format!("ALTER ROLE {role} NOSUPERUSER"), "may do more than log in"),
        (format!("ALTER ROLE {role} BYPASSRLS"), format!("ALTER ROLE {role} NOBYPASSRLS"), "may do more than log in"),
        (format!("GRANT {other} TO {role}"), format!("REVOKE {other} FROM {role}"), "is a member of another role"),
        (
            format!("CREATE TABLE public.mine (); ALTER TABLE public.mine OWNER TO {role}"),
            "DROP TABLE public.mine".to_owned(),
            "owns something",
        ),
    ] {
        clinic.sql(&grant).await;
        refused(why).await;
        clinic.sql(&revoke).await;
    }
    // It is for one job, whatever the prefix.
    let prefix = format!("{}pr", prefix(&clinic));
    clinic.sql(&format!("ALTER ROLE {role} RENAME TO {prefix}npi")).await;
    let outcome = clinic.run(&["grants", "--apply", "--prefix", &prefix, "npi"]).await.expect(2);
    assert!(outcome.stdout.contains("was not made by rounds"), "{outcome:?}");
    drop_roles(&clinic).await;
}

#[tokio::test]
async fn who_is_not_the_owner_or_may_not_create_roles_hears_what_to_do() {
    let clinic = Clinic::new().await;
    let owner = format!("{}owner", prefix(&clinic));
    clinic.sql(&format!("CREATE ROLE {owner} LOGIN; GRANT USAGE ON SCHEMA rounds TO {owner}")).await;
    let url = of_url(&server().url(&clinic.database), &owner);
    let program = clinic.program.clone().env("DATABASE_URL", &url);
    let outcome = apply_as(&clinic, &program, &["prune"]).await.expect(2);
    assert!(outcome.stdout.contains(&format!("role {owner} is not the owner of schema rounds")), "{outcome:?}");
    clinic.sql(&format!("ALTER SCHEMA rounds OWNER TO {owner}")).await;
    let outcome = apply_as(&clinic, &program, &["prune"]).await.expect(2);
    assert!(outcome.stdout.contains("may not create roles: have an administrator execute this"), "{outcome:?}");
    // What is printed is what an administrator executes.
    let message = outcome.report()["error_message"].as_str().expect("a text").to_owned();
    clinic.sql(message.split_once("the same again: ").expect("SQL").1).await;
    let outcome = apply_as(&clinic, &program, &["prune"]).await.expect(2);
    assert!(outcome.stdout.contains("cannot grant privileges on what is another's: "), "{outcome:?}");
    clinic
        .sql(&format!(
            "DO $$ DECLARE r record; BEGIN
             FOR r IN SELECT oid::regclass AS name FROM pg_class
                      WHERE relnamespace = 'rounds'::regnamespace AND relkind IN ('r', 'v') LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO {owner}', r.name);
             END LOOP;
         END $$"
        ))
        .await;
    let report = apply_as(&clinic, &program, &["prune"]).await.expect(0).report();
    assert_eq!(
        (&report["roles"][0]["created"], &report["roles"][0]["missing"]),
        (&json!(false), &json!([])),
        "{report}"
    );
    // The database is another's, and is closed to everybody: only its owner opens it.
    clinic
        .sql(&format!(
            "REVOKE ALL ON DATABASE {} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} TO {owner}",
            clinic.database
        ))
        .await;
    let report = apply_as(&clinic, &program, &["prune"]).await.expect(0).report();
    assert!(report["roles"][0]["missing"].to_string().contains("CONNECT ON DATABASE"), "{report}");
    clinic.sql(&format!("REASSIGN OWNED BY {owner} TO CURRENT_USER")).await;
    drop_roles(&clinic).await;
}

#[tokio::test]
async fn sequences_stages_and_what_is_not_there_are_found_in_the_database() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "CREATE SEQUENCE public.numbers; CREATE SEQUENCE public.others;
             ALTER TABLE ticket_history ALTER id DROP IDENTITY;
             ALTER TABLE ticket_history ALTER id SET DEFAULT nextval('public.numbers');
             ALTER TABLE surgical_cases ADD billed_ts timestamptz;
             UPDATE surgical_case_statuses SET timestamp_field = 'billed_ts' WHERE status = 20;
             GRANT SELECT ON teams TO PUBLIC;
             DROP TABLE doctor_absences CASCADE",
        )
        .await;
    let report = apply(&clinic, &["mark-no-shows", "escalate-tickets", "advance-billing", "prune"]).await;
    let of = |name: &str| {
        let all = report["roles"].as_array().expect("a list");
        all.iter().find(|one| one["of"] == name).expect("the role").clone()
    };
    assert_eq!(of("mark-no-shows")["missing"], json!(["relation doctor_absences is not there"]), "{report}");
    let sequence = "USAGE ON SEQUENCE public.numbers";
    assert!(of("escalate-tickets")["granted"].as_array().expect("a list").contains(&json!(sequence)), "{report}");
    assert!(!of("prune")["granted"].to_string().contains("SEQUENCE"), "{report}");
    assert!(of("advance-billing")["granted"].to_string().contains("billed_ts"), "{report}");
    assert_eq!(report["everybody"], json!(["SELECT ON rounds.teams"]));
    drop_roles(&clinic).await;
}

/// PostgreSQL wants UPDATE on a column for a row lock. Where the relation has one for that, it is not the key.
#[tokio::test]
async fn a_row_lock_takes_the_column_that_is_there_for_it_also_of_a_view() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "ALTER TABLE teams RENAME TO teams_beneath;
             CREATE VIEW teams AS SELECT t.id, t.active, NULL::boolean AS row_lock FROM teams_beneath t",
        )
        .await;
    let report = apply(&clinic, &["escalate-tickets"]).await;
    let granted = report["roles"][0]["granted"].to_string();
    assert!(granted.contains("UPDATE (row_lock) ON rounds.teams\""), "{granted}");
    assert!(granted.contains("UPDATE (row_lock) ON rounds.users\""), "{granted}");
    let role = format!("{}escalate_tickets", prefix(&clinic));
    let session = connect(&of_url(&server().url(&clinic.database), &role)).await;
    for relation in ["teams", "users"] {
        assert!(may(&session, &format!("SELECT id FROM rounds.{relation} FOR UPDATE")).await, "{relation}");
        assert!(!may(&session, &format!("UPDATE rounds.{relation} SET active = active")).await, "{relation}");
    }
    drop_roles(&clinic).await;
}

/// In the reference set each relation that some job only locks has that column.
#[tokio::test]
async fn a_role_that_only_locks_a_row_can_change_nothing_of_it() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", None).await;
    clinic.user(facility, "NURSE").await;
    clinic.sql("INSERT INTO teams (name) VALUES ('t')").await;
    let all = relations(&clinic).await;
    let mut locked = 0;
    for job in ["escalate-tickets", "monitor-ticket-sla", "stage-alerts", "advance-billing"] {
        let report = apply(&clinic, &[job]).await;
        let granted = report["roles"][0]["granted"].as_array().expect("a list").clone();
        let role = format!("{}{}", prefix(&clinic), job.replace('-', "_"));
        let session = connect(&of_url(&server().url(&clinic.database), &role)).await;
        for relation in ["users", "teams", "tickets", "appointments", "surgical_case_statuses"] {
            let on_it = format!(" ON rounds.{relation}");
            let Some(one) = granted.iter().filter_map(Value::as_str).find(|one| one.ends_with(&on_it)) else {
                continue;
            };
            if !one.contains("UPDATE (row_lock)") {
                assert!(!one.contains("UPDATE") || job == "escalate-tickets" && relation == "tickets", "{job}: {one}");
                continue;
            }
            locked += 1;
            assert!(may(&session, &format!("SELECT FROM rounds.{relation} FOR KEY SHARE")).await, "{job} {relation}");
            for column in all[relation].iter().filter(|column| *column != "row_lock") {
                let change = format!("UPDATE rounds.{relation} SET {column} = DEFAULT");
                assert!(!may(&session, &change).await, "{job}: {change}");
            }
        }
        // Nor can anything be written into the column itself.
        for relation in ["users", "teams"].into_iter().filter(|_| job == "escalate-tickets") {
            let change = format!("UPDATE rounds.{relation} SET row_lock = true");
            let refused = session.batch_execute(&change).await.expect_err("a CHECK");
            assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("23514"), "{relation}");
        }
    }
    assert_eq!(locked, 5, "users, teams, tickets, appointments and statuses");
    drop_roles(&clinic).await;
}

/// `--facility` is looked up in facilities, which the rules of some jobs do not read.
#[tokio::test]
async fn a_job_is_kept_to_a_facility_in_its_own_role() {
    for printed in [false, true] {
        // A pooler keeps sessions of a role, so none is made again under the same name.
        let clinic = Clinic::new().await;
        let facility = clinic.facility("America/New_York", None).await.to_string();
        for job in [
            &["monitor-ticket-sla"][..],
            &["escalate-tickets"],
            &["advance-billing", "--stage", "paid"],
            &["escalate-sla"],
            &["mark-no-shows"],
            &["stage-alerts"],
            &["notify-cancellations"],
            &["apply-absences"],
            &["flag-schedule-conflicts"],
        ] {
            let role = match printed {
                false => JobRole::new(&clinic, job[0]).await,
                true => JobRole::printed(&clinic, job[0]).await,
            };
            let report = role.program.run(&[job, &["--facility", &facility]].concat()).await.expect(0).report();
            let lane = report["lane"].as_str().unwrap_or_default().to_owned();
            assert!(lane.ends_with(&format!("facility:{facility}")), "{job:?}: {report}");
            role.drop(&clinic).await;
        }
    }
}

/// A help desk need not have facilities, and people act there all the same.
#[tokio::test]
async fn who_may_act_is_known_without_facilities_too() {
    let clinic = Clinic::new().await;
    let admin = clinic.of_the_group().await.to_string();
    clinic.sql("ALTER TABLE facilities RENAME TO sites").await;
    let own = "INSERT INTO sites (name, time_zone) VALUES ('s', 'UTC') RETURNING id";
    let own: i64 = clinic.row(own, &[]).await.get(0);
    let local = clinic.user(own, "HOSPITAL_ADMIN").await.to_string();
    let role = JobRole::printed(&clinic, "pauses").await;
    let pause = ["pause", "prune", "--reason", "r", "--actor"];
    role.program.run(&[&pause[..], &[&admin]].concat()).await.expect(0);
    role.program.run(&["resume", "prune", "--actor", &admin]).await.expect(0);
    let refused = role.program.run(&[&pause[..], &[&local]].concat()).await.expect(2);
    assert_eq!(refused.report()["error_code"], "ACTOR_NOT_ALLOWED", "whether it is the only one is not known");
    role.drop(&clinic).await;
}

/// Who asks why is told local times, also where the job itself needs no zone.
#[tokio::test]
async fn an_explanation_in_the_role_of_the_job_has_local_times() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", None).await;
    let case = format!(
        "INSERT INTO px_cases (facility_id, due_at) VALUES ({facility}, '2026-03-02T14:00:00Z') RETURNING id::text"
    );
    let case: String = clinic.row(&case, &[]).await.get(0);
    let role = JobRole::new(&clinic, "escalate-sla").await;
    let explain = ["escalate-sla", "--explain", &case, "--output", "text", "--as-of", "2026-03-02T12:00:00Z"];
    let outcome = role.program.run(&explain).await.expect(0);
    assert!(outcome.stdout.contains("2026-03-02 09:00 EST"), "{outcome:?}");
    role.drop(&clinic).await;
}
