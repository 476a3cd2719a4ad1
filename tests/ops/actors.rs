//! `rounds actors`: whose a login is, what it may say then, and who may say so. Each test plays an attack.

use serde_json::{Value, json};

use super::refused;
use crate::support::keys::Kind;
use crate::support::program::Outcome;
use crate::support::role::JobRole;
use crate::support::{Clinic, Program, clinic, pooler, scratch, server};

const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
const OURS: &str = "rounds.actor_logins, rounds.actor_rule, rounds.actor_changes";

/// A visit that is due, an alert of a patient, two admins of the facility and a biller, and two logins that may do what
/// the application's people may.
struct Desk {
    clinic: Clinic,
    users: [String; 2],
    biller: String,
    logins: [String; 2],
}

impl Desk {
    async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let visit = clinic::Visit {
            facility,
            doctor,
            date: "2026-03-02",
            time: "09:00",
            status: "SCHEDULED",
            checked_in: None,
            vitals: None,
            slot: None,
        };
        let visit = kind.text(clinic.visit(visit).await);
        let alert = format!(
            "INSERT INTO stage_alerts (appointment_id, alert_type, message, triggered_at)
             VALUES ('{visit}', 'NO_VITALS', 'm', clock_timestamp())"
        );
        clinic.sql(&alert).await;
        let mut users = vec![];
        for role in ["HOSPITAL_ADMIN", "HOSPITAL_ADMIN", "BILLING"] {
            users.push(kind.text(clinic.user(facility, role).await));
        }
        // Of the group, for whom nothing is another facility's.
        clinic.sql("UPDATE users SET facility_id = NULL WHERE role = 'HOSPITAL_ADMIN'").await;
        let logins = ["a", "b"].map(|login| format!("{}_{login}", clinic.database));
        for login in &logins {
            clinic.sql(&format!("CREATE ROLE {login} LOGIN")).await;
            // All but the bindings, of which they may read whose the login is.
            let of_all = format!(
                "DO $$ DECLARE s text; BEGIN
                     FOREACH s IN ARRAY ARRAY['rounds', 'app'] LOOP
                         IF to_regnamespace(s) IS NOT NULL THEN
                             EXECUTE format('GRANT USAGE ON SCHEMA %I TO {login}', s);
                             EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO {login}', s);
                             EXECUTE format('GRANT ALL ON ALL SEQUENCES IN SCHEMA %I TO {login}', s);
                         END IF;
                     END LOOP;
                 END $$;
                 REVOKE ALL ON {OURS} FROM {login}; GRANT SELECT ON {OURS} TO {login}"
            );
            clinic.sql(&of_all).await;
        }
        let [first, second, biller] = users.try_into().expect("three");
        Self { clinic, users: [first, second], biller, logins }
    }

    /// The program as a login, directly at the server.
    fn program(&self, login: &str) -> Program {
        let url = server().url(&self.clinic.database);
        let url = url.replace(&format!("//{}@", scratch::USER), &format!("//{login}@"));
        self.clinic.program.clone().env("DATABASE_URL", &url)
    }

    /// The program as the owner.
    async fn owner(&self, args: &[&str]) -> Outcome {
        self.program(scratch::USER).run(&[&["actors"], args].concat()).await
    }

    async fn bind(&self, login: &str, user: &str) -> Outcome {
        self.owner(&["bind", login, "--user", user]).await
    }

    /// What acts, looks and runs have recorded, and what they did.
    async fn state(&self) -> Value {
        let tables = ["operator_actions", "phi_access_log", "cron_job_runs", "pauses", "no_show_logs"];
        let tables = tables.map(|table| format!("(SELECT jsonb_agg(t ORDER BY t.id) FROM {table} t) AS {table}"));
        self.clinic.json(&format!("SELECT {}", tables.join(", "))).await
    }

    async fn drop(self) {
        for login in &self.logins {
            self.clinic.sql(&format!("DROP OWNED BY {login}; DROP ROLE {login}")).await;
        }
    }
}

/// What a person does: an act, a look, a job by hand, a forced move.
const BY_HAND: [&[&str]; 5] = [
    &["pause", "prune", "--reason", "r"],
    &["alerts", "list", "--reveal"],
    &AT,
    &["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--dry-run"],
    &["advance-billing", "--case", "1", "--to", "10", "--force"],
];

#[tokio::test]
async fn a_bound_login_acts_as_its_user_and_can_name_nobody_else() {
    let desk = Desk::new().await;
    let ([a, _], [first, second]) = (&desk.logins, &desk.users);
    let report = desk.bind(a, first).await.expect(0).report();
    assert_eq!((&report["login"], &report["user_id"]), (&json!(a), &json!(first)));
    let (program, before) = (desk.program(a), desk.state().await);
    for command in BY_HAND {
        for other in [second.as_str(), "4711", "x"] {
            let message = refused_run(program.run(&[command, &["--actor", other]].concat()).await, "ACTOR_NOT_YOU");
            assert!(message.contains(&format!("login {a} is bound to user {first}")), "{message}");
            refused_run(program.clone().env("ROUNDS_ACTOR", other).run(command).await, "ACTOR_NOT_YOU");
        }
    }
    // The user of the login is no biller, and says nothing of it.
    refused_run(program.run(BY_HAND[4]).await, "ACTOR_NOT_ALLOWED");
    assert_eq!(desk.state().await, before, "nothing was done");

    let report = program.run(BY_HAND[0]).await.expect(0).report();
    assert_eq!(report["paused_by"], json!(first));
    program.run(&["resume", "prune", "--actor", first]).await.expect(0);
    program.run(BY_HAND[1]).await.expect(0);
    // A schedule's word does not make it a scheduler's.
    let run = program.run(&[&AT[..], &["--source", "cron"]].concat()).await.expect(0).report();
    assert_eq!(run["marked"], 1);
    let recorded = desk.clinic.json(
        "SELECT (SELECT jsonb_agg(jsonb_build_array(command, actor, db_login) ORDER BY acted_at) FROM operator_actions) AS acts,
                (SELECT jsonb_agg(jsonb_build_array(user_id, db_login)) FROM phi_access_log) AS looks,
                (SELECT jsonb_agg(jsonb_build_array(actor, db_login, source)) FROM cron_job_runs) AS runs,
                (SELECT bool_and(os_user <> '' AND host <> '') FROM
                    (SELECT os_user, host FROM operator_actions UNION ALL SELECT os_user, host FROM phi_access_log
                     UNION ALL SELECT os_user, host FROM cron_job_runs) all_of_them) AS said",
    );
    let expected = json!({
        "acts": [["pause", first, a], ["resume", first, a], ["alerts", first, a]],
        "looks": [[first, a]],
        "runs": [[first, a, "manual"]],
        "said": true,
    });
    assert_eq!(recorded.await, expected);
    let shown = program.run(&["runs", "show", run["run_id"].as_str().expect("an id")]).await.expect(0).report();
    assert_eq!((&shown["db_login"], &shown["actor"]), (&json!(a), &json!(first)));
    assert!(shown["os_user"].as_str().is_some_and(|user| !user.is_empty()), "{shown}");
    desk.drop().await;
}

/// Fails unless a command or a run was refused with this code; returns what it said.
#[track_caller]
fn refused_run(outcome: Outcome, code: &str) -> String {
    let report = outcome.expect(2).report();
    assert_eq!(report["error_code"], code, "{report}");
    report["error_message"].as_str().expect("it says why").to_owned()
}

#[tokio::test]
async fn a_key_may_be_written_in_another_way_and_a_user_who_is_gone_acts_no_more() {
    let desk = Desk::of(Kind::Uuid).await;
    let ([a, _], [first, second]) = (&desk.logins, &desk.users);
    refused(desk.bind(a, "x").await, 2, "ACTOR_UNKNOWN");
    desk.bind(a, &first.to_uppercase()).await.expect(0);
    let program = desk.program(a);
    program.run(&[BY_HAND[0], &["--actor", &first.to_uppercase()]].concat()).await.expect(0);
    refused_run(program.run(&["resume", "prune", "--actor", &second.to_uppercase()]).await, "ACTOR_NOT_YOU");
    let before = desk.state().await;
    for (change, code) in [
        (format!("UPDATE users SET active = false WHERE id::text = '{first}'"), "ACTOR_INACTIVE"),
        ("UPDATE actor_logins SET user_id = 'gone'".to_owned(), "ACTOR_UNKNOWN"),
    ] {
        desk.clinic.sql(&change).await;
        for command in [&["resume", "prune"][..], &AT, &["mark-no-shows", "--source", "cron"]] {
            let message = refused_run(program.run(command).await, code);
            assert!(message.contains(&format!("login {a} is bound to user ")), "{message}");
        }
    }
    assert_eq!(desk.state().await, before);
    desk.drop().await;
}

#[tokio::test]
async fn where_it_is_required_an_unbound_login_does_nothing_by_hand() {
    let desk = Desk::new().await;
    let ([a, b], [first, second]) = (&desk.logins, &desk.users);
    let [one, other] = [desk.program(a), desk.program(b)];
    other.run(&[BY_HAND[0], &["--actor", second]].concat()).await.expect(0);
    other.run(&["resume", "prune", "--actor", second]).await.expect(0);
    desk.bind(a, first).await.expect(0);
    desk.owner(&["require", "--dry-run"]).await.expect(0);
    let oldest = "SELECT min_binary_schema::bigint FROM rounds_schema";
    assert_eq!(desk.clinic.count(oldest).await, 1, "a dry run");
    let report = desk.owner(&["require"]).await.expect(0).report();
    assert_eq!((&report["required"], &report["logins"]), (&json!(true), &json!(1)));
    let newest = desk.clinic.count("SELECT max(version)::bigint FROM rounds_migrations").await;
    assert_eq!(desk.clinic.count(oldest).await, newest, "a binary that knows no bindings is refused");
    let before = desk.state().await;
    for command in BY_HAND {
        for actor in [first, second, &desk.biller] {
            let message = refused_run(other.run(&[command, &["--actor", actor]].concat()).await, "ACTOR_NOT_BOUND");
            assert!(message.contains(b) && message.contains("rounds actors bind LOGIN --user ID"), "{message}");
        }
    }
    for act in &BY_HAND[..2] {
        refused(other.run(act).await, 2, "ACTOR_NOT_BOUND");
    }
    refused_run(other.run(BY_HAND[4]).await, "ACTOR_NOT_BOUND");
    refused_run(other.run(&["mark-no-shows", "--even-if-paused"]).await, "ACTOR_NOT_BOUND");
    assert_eq!(desk.state().await, before);
    // The owner is bound to nobody, too.
    refused(desk.clinic.run(&[BY_HAND[0], &["--actor", first]].concat()).await, 2, "ACTOR_NOT_BOUND");

    one.run(BY_HAND[0]).await.expect(0);
    let run = other.run(&[&AT[..], &["--source", "cron"]].concat()).await.expect(0).report();
    assert_eq!(run["marked"], 1, "a scheduler's job has no actor, and goes on");
    // A rule that is gone is the strict one.
    desk.clinic.sql("DELETE FROM actor_rule").await;
    refused(other.run(&["resume", "prune", "--actor", second]).await, 2, "ACTOR_NOT_BOUND");
    desk.owner(&["require", "--off"]).await.expect(0);
    other.run(&["resume", "prune", "--actor", second]).await.expect(0);
    let changes = format!(
        "SELECT jsonb_agg(jsonb_build_array(change, login, user_id) ORDER BY id) AS changes,
                bool_and(changed_by = '{}' AND os_user <> '' AND host <> '') AS said FROM actor_changes",
        scratch::USER
    );
    let expected = json!([["BIND", a, first], ["REQUIRE", null, null], ["REQUIRE_OFF", null, null]]);
    assert_eq!(desk.clinic.json(&changes).await, json!({ "changes": expected, "said": true }));
    desk.drop().await;
}

/// What no schedule asks for is a person's act, also where no actor is named.
#[tokio::test]
async fn where_it_is_required_what_only_a_person_asks_for_is_refused_without_a_bound_login() {
    let desk = Desk::new().await;
    let ([a, b], [first, _]) = (&desk.logins, &desk.users);
    let cases = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(cases.path(), "1").expect("it can be written");
    let (cases, url) = (cases.path().to_str().expect("UTF-8"), "http://127.0.0.1:9/");
    let acts: [(&str, &[&str]); 7] = [
        ("--case", &["advance-billing", "--case", "1", "--stage", "paid"]),
        ("--cases-file", &["advance-billing", "--cases-file", cases, "--stage", "paid"]),
        ("--confirm-items", &["advance-billing", "--stage", "paid", "--confirm-items", "5"]),
        ("--patient", &["sync-practiceq", "--patient", "1", "--base-url", url]),
        ("--organization", &["sync-practiceq", "--organization", "1", "--base-url", url]),
        ("--appointment", &["sync-practiceq", "--appointment", "a1", "--base-url", url]),
        ("--file", &["refresh-npi", "--file", "/nonexistent/npi.zip"]),
    ];
    let program = |login: &str| desk.program(login).env("ROUNDS_PRACTICEQ_KEY", "key");
    let code = |outcome: &Outcome| outcome.report()["error_code"].clone();
    for (option, act) in acts {
        let outcome = program(b).run(act).await;
        assert_ne!(code(&outcome), "ACTOR_NOT_BOUND", "{option}: an operator's, as long as the owner says nothing");
    }
    desk.bind(a, first).await.expect(0);
    desk.owner(&["require"]).await.expect(0);
    let before = desk.state().await;
    for (option, act) in acts {
        for more in [&[][..], &["--dry-run"], &["--source", "cron"]] {
            let message = refused_run(program(b).run(&[act, more].concat()).await, "ACTOR_NOT_BOUND");
            assert!(message.contains(&format!("{option} is a person's act")), "{message}");
        }
    }
    assert_eq!(desk.state().await, before, "nothing was done");
    for (option, act) in acts {
        assert_ne!(code(&program(a).run(act).await), "ACTOR_NOT_BOUND", "{option}");
    }
    // Schedules go on.
    for job in [&["advance-billing", "--stage", "paid"][..], &["mark-no-shows"], &["prune"]] {
        program(b).run(&[job, &["--source", "cron"]].concat()).await.expect(0);
    }
    desk.drop().await;
}

#[tokio::test]
async fn a_login_that_is_not_one_persons_alone_cannot_be_bound() {
    let desk = Desk::new().await;
    let ([a, b], [first, second]) = (&desk.logins, &desk.users);
    let unfit = async |login: &str, code: &str, why: &str| {
        let message = refused(desk.bind(login, first).await, 2, code);
        assert!(message.contains(why) && message.contains("nothing was changed"), "{message}");
        assert_eq!(desk.clinic.count("SELECT count(*) FROM actor_logins").await, 0, "{login}");
    };
    unfit("nobody_of_the_server", "UNKNOWN_LOGIN", "no such role").await;
    unfit(&a.to_uppercase(), "UNKNOWN_LOGIN", "no such role").await;
    unfit("pg_monitor", "LOGIN_UNFIT", "may not log in").await;
    unfit(scratch::USER, "LOGIN_UNFIT", "superuser").await;
    let change = async |sql: String| desk.clinic.sql(&sql).await;
    // Of the owner's kin, and with privileges by which it could bind itself anew.
    let owner = format!("{}_owner", desk.clinic.database);
    change(format!("CREATE ROLE {owner} LOGIN; GRANT {owner} TO {a}; ALTER TABLE actor_logins OWNER TO {owner}")).await;
    unfit(&owner, "LOGIN_UNFIT", "the owner").await;
    unfit(a, "LOGIN_UNFIT", "a member of it").await;
    change(format!("ALTER TABLE actor_logins OWNER TO {}; REVOKE {owner} FROM {a}; DROP ROLE {owner}", scratch::USER))
        .await;
    for privilege in ["INSERT", "UPDATE (user_id)", "DELETE", "TRUNCATE", "TRIGGER"] {
        for table in ["actor_logins", if privilege.contains('(') { "actor_logins" } else { "actor_rule" }] {
            change(format!("GRANT {privilege} ON {table} TO {a}")).await;
            unfit(a, "LOGIN_UNFIT", "could bind itself anew").await;
            change(format!("REVOKE {privilege} ON {table} FROM {a}")).await;
        }
    }
    // A scheduler uses it.
    desk.program(a).run(&["mark-no-shows", "--source", "external"]).await.expect(0);
    unfit(a, "LOGIN_UNFIT", "schedulers have run 1 jobs with it").await;
    // Two people of two machines use it: an act by one, a look by the other.
    desk.program(b).run(&[BY_HAND[0], &["--actor", second]].concat()).await.expect(0);
    desk.program(b).run(&[BY_HAND[1], &["--actor", second]].concat()).await.expect(0);
    change("UPDATE phi_access_log SET os_user = 'somebody else'".to_owned()).await;
    unfit(b, "LOGIN_UNFIT", "2 users of machines have used it").await;
    change("UPDATE phi_access_log SET os_user = (SELECT min(os_user) FROM operator_actions)".to_owned()).await;
    // Nor for a user who could not act.
    change(format!("UPDATE users SET active = false WHERE id = {second}")).await;
    for (user, code) in [(second.as_str(), "ACTOR_INACTIVE"), ("4711", "ACTOR_UNKNOWN"), ("x", "ACTOR_UNKNOWN")] {
        let message = refused(desk.bind(b, user).await, 2, code);
        assert!(message.starts_with("--user:"), "{message}");
    }
    desk.owner(&["bind", b, "--user", first, "--dry-run"]).await.expect(0);
    assert_eq!(desk.clinic.count("SELECT count(*) FROM actor_changes").await, 0);
    desk.bind(b, first).await.expect(0);
    refused(desk.bind(b, first).await, 1, "ALREADY_BOUND");
    let report = desk.owner(&["list"]).await.expect(0).report();
    let bound = &report["logins"][0];
    assert_eq!((&bound["login"], &bound["user_id"], &bound["can_login"]), (&json!(b), &json!(first), &json!(true)));
    assert_eq!((&bound["bound_by"], &report["required"]), (&json!(scratch::USER), &json!(false)));
    desk.owner(&["unbind", b]).await.expect(0);
    refused(desk.owner(&["unbind", b]).await, 2, "LOGIN_NOT_BOUND");
    desk.drop().await;
}

#[tokio::test]
async fn only_the_owner_says_whose_a_login_is() {
    let desk = Desk::new().await;
    let ([a, b], [first, second]) = (&desk.logins, &desk.users);
    desk.bind(a, first).await.expect(0);
    let program = desk.program(a);
    let attacks: [&[&str]; 4] =
        [&["bind", b, "--user", second], &["unbind", a], &["require"], &["require", "--off", "--actor", first]];
    let kept = "SELECT (SELECT jsonb_agg(l) FROM actor_logins l) AS l, (SELECT jsonb_agg(r) FROM actor_rule r) AS r,
                       (SELECT count(*) FROM actor_changes) AS n";
    let before = desk.clinic.json(kept).await;
    for attack in attacks {
        let message = refused(program.run(&[&["actors"], attack].concat()).await, 2, "NOT_OWNER");
        assert!(message.contains(&format!("that is {}, and this is {a}", scratch::USER)), "{message}");
    }
    // With what `rounds grants` prints, and with the privileges of another table, a role can read and not write.
    let job = JobRole::new(&desk.clinic, "mark-no-shows").await;
    desk.clinic.sql(&format!("GRANT CONNECT ON DATABASE {} TO {a}, {b}", desk.clinic.database)).await;
    for role in [&job.name, a] {
        for write in [
            format!("INSERT INTO actor_logins VALUES ('{role}', '{second}', now(), 'x')"),
            format!("UPDATE actor_logins SET user_id = '{second}'"),
            "DELETE FROM actor_logins".to_owned(),
            "UPDATE actor_rule SET required = false".to_owned(),
            "DELETE FROM actor_rule".to_owned(),
            "TRUNCATE actor_logins".to_owned(),
            "ALTER TABLE actor_logins DISABLE TRIGGER ALL".to_owned(),
            "CREATE TABLE rounds.actor_logins_of_mine (x int)".to_owned(),
            format!("SET SESSION AUTHORIZATION {}", scratch::USER),
        ] {
            // A session of the role itself.
            let url = server().url(&desk.clinic.database);
            let url = url.replace(&format!("//{}@", scratch::USER), &format!("//{role}@"));
            let session = crate::support::connect(&url).await;
            session.batch_execute("SET search_path = rounds").await.expect("a setting");
            let error = session.batch_execute(&write).await.expect_err(&write);
            assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{role}: {write}: {error:?}");
        }
    }
    // Who was granted to write them is not the owner either.
    desk.clinic.sql(&format!("GRANT ALL ON {OURS} TO {b}")).await;
    refused(desk.program(b).run(&["actors", "bind", b, "--user", second]).await, 2, "NOT_OWNER");
    assert_eq!(desk.clinic.json(kept).await, before);
    job.drop(&desk.clinic).await;
    desk.drop().await;
}

#[tokio::test]
async fn a_binding_that_cannot_be_read_lets_nobody_through() {
    let desk = Desk::new().await;
    let ([a, _], [first, second]) = (&desk.logins, &desk.users);
    desk.bind(a, first).await.expect(0);
    let (program, before) = (desk.program(a), desk.state().await);
    for table in ["actor_logins", "actor_rule"] {
        desk.clinic.sql(&format!("REVOKE SELECT ON {table} FROM {a}")).await;
        for command in BY_HAND {
            for more in [&[][..], &["--actor", first], &["--actor", second], &["--source", "manual"]] {
                if more.contains(&"manual") && command[0] != "mark-no-shows" {
                    continue;
                }
                let outcome = program.run(&[command, more].concat()).await;
                assert!(outcome.code != 0 && outcome.stderr.contains(table), "{table} {command:?}: {outcome:?}");
            }
        }
        desk.clinic.sql(&format!("GRANT SELECT ON {table} TO {a}")).await;
    }
    // A policy that hides the row is no way around it.
    desk.clinic.sql("ALTER TABLE actor_logins ENABLE ROW LEVEL SECURITY").await;
    let hidden = program.run(&[BY_HAND[0], &["--actor", second]].concat()).await;
    assert!(hidden.code != 0, "{hidden:?}");
    assert_eq!(desk.state().await, before);
    desk.drop().await;
}

#[tokio::test]
async fn behind_a_pooler_that_logs_in_as_its_clients_each_is_who_it_is() {
    let desk = Desk::new().await;
    let ([a, b], [first, second]) = (&desk.logins, &desk.users);
    // One login for all its clients is nobody's: whoever comes, comes with it.
    let shared = pooler::of_clients(&desk.clinic.database, Some(b), &["anna", "bert"]);
    for (client, os_user) in shared.1.iter().zip(["anna", "bert"]) {
        let program = desk.clinic.program.clone().env("DATABASE_URL", client);
        program.run(&[BY_HAND[1], &["--actor", second]].concat()).await.expect(0);
        let named =
            format!("UPDATE phi_access_log SET os_user = '{os_user}' WHERE id = (SELECT max(id) FROM phi_access_log)");
        desk.clinic.sql(&named).await;
    }
    let logins = desk.clinic.json("SELECT jsonb_agg(DISTINCT db_login) AS l FROM phi_access_log").await;
    assert_eq!(logins["l"], json!([b]), "the server knows the pooler's login");
    let message = refused(desk.bind(b, second).await, 2, "LOGIN_UNFIT");
    assert!(message.contains("as with the login of a pooler"), "{message}");
    stop(shared.0);

    // A user of the pool for each login: the session is the client's.
    let own = pooler::of_clients(&desk.clinic.database, None, &[a, b]);
    desk.bind(a, first).await.expect(0);
    desk.owner(&["require"]).await.expect(0);
    let [one, other] = [0, 1].map(|client| desk.clinic.program.clone().env("DATABASE_URL", &own.1[client]));
    refused(one.run(&[BY_HAND[0], &["--actor", second]].concat()).await, 2, "ACTOR_NOT_YOU");
    refused(other.run(&[BY_HAND[0], &["--actor", first]].concat()).await, 2, "ACTOR_NOT_BOUND");
    assert_eq!(one.run(BY_HAND[0]).await.expect(0).report()["paused_by"], json!(first));
    stop(own.0);
    desk.drop().await;
}

/// Ends a pooler by its pipe, so that the next can listen.
fn stop(mut pooler: std::process::Child) {
    drop(pooler.stdin.take());
    pooler.wait().expect("it ends");
}
