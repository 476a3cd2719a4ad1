//! `rounds practiceq`: who may look at what matched nobody, who decides it, and what the runs of the sync add up to.

use serde_json::{Value, json};

use super::{ROLES, application, at_once, everything, group_user, plant, refused, through};
use crate::support::practiceq::{Client, Sync, appointment};
use crate::support::program::Outcome;
use crate::support::proxy::Act;
use crate::support::terminal::ATTACK;

const MAY: [&str; 3] = ["HOSPITAL_ADMIN", "SUPERVISOR", "CASE_MANAGER"];
const NEW: Client = Client { id: 900, name: "Newt Unknown", email: "newt@home.example", date_of_birth: "1990-09-09" };
const LIST: [&str; 3] = ["practiceq", "unmatched", "list"];

/// A clinic with one patient, and three visits that wait for a person: n1 and n2 of an unknown client, g1 of a group.
struct Unmatched {
    sync: Sync,
    patient: i64,
}

impl Unmatched {
    async fn new() -> Self {
        let sync = Sync::new().await;
        let patient = sync.patient("Pat", "Doe", Some("pat@home.example"), Some("1980-04-02")).await;
        sync.upstream.put(appointment("n1", &NEW, "2026-03-10T18:00:00Z"));
        sync.upstream.put(appointment("n2", &NEW, "2026-03-11T18:00:00Z"));
        let mut group = appointment("g1", &NEW, "2026-03-12T18:00:00Z");
        group["AdditionalClients"] = json!([{"ClientId": 901, "ClientName": "Other Unknown"}]);
        group["Status"] = json!("Canceled");
        sync.upstream.put(group);
        assert_eq!(sync.run(&[]).await.expect(0).count("unmatched"), 3);
        Self { sync, patient }
    }

    async fn run(&self, args: &[&str]) -> Outcome {
        self.sync.clinic.run(args).await
    }

    async fn list(&self, more: &[&str]) -> Value {
        self.run(&[&LIST, more].concat()).await.expect(0).report()["unmatched"].clone()
    }

    /// The account's ids of what is listed.
    async fn listed(&self, more: &[&str]) -> Vec<String> {
        let listed = self.list(more).await;
        let id = |row: &Value| row["external_id"].as_str().expect("an id").to_owned();
        listed.as_array().expect("a list").iter().map(id).collect()
    }

    async fn reveal(&self, actor: i64, more: &[&str]) -> Outcome {
        self.run(&[&LIST, &["--reveal", "--actor", &actor.to_string()], more].concat()).await
    }

    async fn id(&self, external_id: &str) -> i64 {
        let query = "SELECT id FROM practiceq_unmatched WHERE external_id = $1";
        self.sync.clinic.row(query, &[&external_id]).await.get(0)
    }

    async fn link(&self, id: i64, actor: i64, more: &[&str]) -> Outcome {
        let (id, patient, actor) = (id.to_string(), self.patient.to_string(), actor.to_string());
        let args = ["practiceq", "unmatched", "link", &id, "--patient", &patient, "--actor", &actor];
        self.run(&[&args, more].concat()).await
    }

    async fn ignore(&self, id: i64, actor: i64, more: &[&str]) -> Outcome {
        let (id, actor) = (id.to_string(), actor.to_string());
        self.run(&[&["practiceq", "unmatched", "ignore", &id, "--actor", &actor], more].concat()).await
    }

    /// All that the commands could change.
    async fn state(&self) -> Value {
        let tables = [
            "appointments",
            "practiceq_visits",
            "practiceq_clients",
            "practiceq_unmatched",
            "phi_access_log",
            "notifications",
            "cron_job_runs",
            "sync_logs",
        ];
        let all = tables.map(|table| format!("(SELECT jsonb_agg(t ORDER BY t.*::text) FROM {table} t) AS {table}"));
        self.sync.clinic.json(&format!("SELECT {}", all.join(", "))).await
    }

    /// Neither decision is made, and nothing is shown or recorded.
    async fn refuse(&self, actor: i64, error_code: &str) {
        let (before, id) = (self.state().await, self.id("n1").await);
        for outcome in
            [self.link(id, actor, &[]).await, self.ignore(id, actor, &[]).await, self.reveal(actor, &[]).await]
        {
            assert!(!format!("{outcome:?}").contains("Newt"), "{outcome:?}");
            refused(outcome, 2, error_code);
        }
        let text = self.reveal(actor, &["--output", "text"]).await.expect(2);
        assert!(!format!("{text:?}").contains("Newt"), "{text:?}");
        assert_eq!(self.state().await, before, "nothing was changed: {error_code}");
    }

    /// The log of names that were shown: to whom, and of whom.
    async fn looks(&self) -> Value {
        let look = "jsonb_build_array(n(user_id), n(patient_id), entity, entity_id)";
        let query = &format!("SELECT coalesce(jsonb_agg({look} ORDER BY id), '[]') AS l FROM phi_access_log");
        self.sync.clinic.json(query).await["l"].clone()
    }
}

#[tokio::test]
async fn what_waits_is_listed_without_a_name() {
    let unmatched = Unmatched::new().await;
    let listed = unmatched.list(&[]).await;
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 3, "{listed:?}");
    let of = |external_id: &str| listed.iter().find(|row| row["external_id"] == external_id).expect("it is there");
    let first_seen = of("n1")["first_seen"].clone();
    let expected = json!({
        "id": unmatched.id("n1").await,
        "external_id": "n1",
        "client_id": "900",
        "reason": "NOBODY",
        "status": "open",
        "starts_at": of("n1")["starts_at"],
        "time_zone": "America/Denver",
        "doctor_id": of("n1")["doctor_id"],
        "doctor_name": "Ada Stone",
        "first_seen": first_seen,
        "candidates": [],
    });
    assert_eq!(of("n1"), &expected);
    assert!(of("n1")["starts_at"].as_str().is_some_and(|at| at.starts_with("2026-03-10T18:00:00")), "{listed:?}");
    assert!(first_seen.is_string(), "{listed:?}");
    assert_eq!((&of("g1")["reason"], &of("g1")["status"]), (&json!("GROUP"), &json!("open")));
    assert_eq!(unmatched.looks().await, json!([]), "nobody was shown anybody");
    let text = unmatched.run(&[&LIST[..], &["--output", "text"]].concat()).await.expect(0).stdout;
    assert!(text.contains("2026-03-10 12:00 MDT") && text.contains("Ada Stone"), "{text}");
    assert!(text.contains("n1") && text.contains("GROUP") && !text.contains("Newt"), "{text}");
}

#[tokio::test]
async fn what_is_decided_is_listed_only_where_all_is_asked_for() {
    let unmatched = Unmatched::new().await;
    let admin = unmatched.sync.admin;
    unmatched.ignore(unmatched.id("g1").await, admin, &[]).await.expect(0);
    let mut open = unmatched.listed(&[]).await;
    open.sort();
    assert_eq!(open, ["n1", "n2"]);
    let mut all = unmatched.listed(&["--all"]).await;
    all.sort();
    assert_eq!(all, ["g1", "n1", "n2"]);
    unmatched.link(unmatched.id("n1").await, admin, &[]).await.expect(0);
    assert_eq!(unmatched.listed(&[]).await, [""; 0]);
    assert_eq!(unmatched.listed(&["--all"]).await.len(), 3);
    assert_eq!(unmatched.listed(&["--all", "--limit", "2"]).await.len(), 2);
    let text = unmatched.run(&[&LIST[..], &["--output", "text"]].concat()).await.expect(0).stdout;
    assert!(!text.is_empty(), "it says that there is nothing");
}

#[tokio::test]
async fn candidates_are_those_at_the_same_address() {
    let unmatched = Unmatched::new().await;
    let mut expected = vec![];
    for (address, candidate) in [
        ("newt@home.example", true),
        (" NEWT@home.example", true),
        ("newt@home.example.org", false),
        ("anewt@home.example", false),
    ] {
        let id = unmatched.sync.patient("Some", "Body", Some(address), None).await;
        if candidate {
            expected.push(id);
        }
    }
    for row in unmatched.list(&[]).await.as_array().expect("a list") {
        let mut candidates: Vec<_> = row["candidates"]
            .as_array()
            .expect("ids")
            .iter()
            .filter_map(|id| id.as_str()?.parse::<i64>().ok())
            .collect();
        candidates.sort_unstable();
        assert_eq!(candidates, expected, "{row}");
    }
    for _ in 0..12 {
        unmatched.sync.patient("Some", "Body", Some("newt@home.example"), None).await;
    }
    assert_eq!(unmatched.list(&["--limit", "1"]).await[0]["candidates"].as_array().map(Vec::len), Some(10));
}

#[tokio::test]
async fn whom_it_is_about_is_shown_to_those_who_may_and_that_is_recorded() {
    let unmatched = Unmatched::new().await;
    let manager = unmatched.sync.case_manager;
    let report = unmatched.reveal(manager, &[]).await.expect(0).report();
    let rows = report["unmatched"].as_array().expect("a list");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let said = ["client_name", "client_email", "client_date_of_birth"].map(|key| row[key].clone());
        assert_eq!(said, [NEW.name, NEW.email, NEW.date_of_birth], "{row}");
    }
    let look = |id: i64| json!([manager, null, "practiceq_unmatched", id.to_string()]);
    let looks = unmatched.looks().await;
    assert_eq!(looks.as_array().map(Vec::len), Some(3), "{looks}");
    for visit in ["n1", "n2", "g1"] {
        assert!(looks.as_array().expect("a list").contains(&look(unmatched.id(visit).await)), "{looks}");
    }
    unmatched.sync.clinic.sql("TRUNCATE phi_access_log").await;
    let shown = unmatched.reveal(manager, &["--limit", "1"]).await.expect(0).report();
    let id = shown["unmatched"][0]["id"].as_i64().expect("an id");
    assert_eq!(unmatched.looks().await, json!([look(id)]), "only those who are shown are recorded");
    let text = unmatched.reveal(manager, &["--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("Newt Unknown"), "{text}");
}

#[tokio::test]
async fn a_name_with_what_a_terminal_acts_upon_is_shown_as_text() {
    let unmatched = Unmatched::new().await;
    let attack = "UPDATE practiceq_unmatched SET content = replace(content::text, 'Newt Unknown', $1)::jsonb";
    let escaped = json!(ATTACK).to_string();
    unmatched.sync.clinic.client.execute(attack, &[&escaped.trim_matches('"')]).await.expect("can be changed");
    let actor = unmatched.sync.case_manager.to_string();
    unmatched.sync.clinic.program.shows_attack(3, &[&LIST[..], &["--reveal", "--actor", &actor]].concat()).await;
}

#[tokio::test]
async fn nothing_is_shown_that_cannot_be_recorded() {
    let unmatched = Unmatched::new().await;
    unmatched.sync.clinic.sql("ALTER TABLE phi_access_log ADD CHECK (user_id = '0') NOT VALID").await;
    let outcome = unmatched.reveal(unmatched.sync.admin, &[]).await.expect(1);
    assert!(!format!("{outcome:?}").contains("Newt"), "{outcome:?}");
    let outcome = unmatched.reveal(unmatched.sync.admin, &["--dry-run"]).await;
    assert!(outcome.code != 0 && !format!("{outcome:?}").contains("Newt"), "{outcome:?}");
    assert_eq!(unmatched.looks().await, json!([]));
}

#[tokio::test]
async fn admins_supervisors_and_case_managers_decide_and_nobody_else() {
    let unmatched = Unmatched::new().await;
    for role in ROLES {
        let user = unmatched.sync.clinic.user(unmatched.sync.facility, role).await;
        if MAY.contains(&role) {
            if role == "CASE_MANAGER" {
                // Of no organization: not even the list is shown.
                unmatched.refuse(user, "ACTOR_NOT_ALLOWED").await;
                let theirs = "INSERT INTO organization_users (organization_id, user_id) VALUES ($1, $2)";
                unmatched
                    .sync
                    .clinic
                    .client
                    .execute(theirs, &[&unmatched.sync.organization, &user])
                    .await
                    .expect("can be said");
            }
            assert_eq!(
                unmatched.reveal(user, &[]).await.expect(0).report()["unmatched"].as_array().map(Vec::len),
                Some(3)
            );
            unmatched.link(unmatched.id("n1").await, user, &["--dry-run"]).await.expect(0);
            unmatched.ignore(unmatched.id("n1").await, user, &["--dry-run"]).await.expect(0);
        } else {
            unmatched.refuse(user, "ACTOR_NOT_ALLOWED").await;
        }
        unmatched.sync.clinic.sql(&format!("UPDATE users SET active = false WHERE id = {user}")).await;
        unmatched.refuse(user, "ACTOR_INACTIVE").await;
    }
    unmatched.refuse(4711, "ACTOR_UNKNOWN").await;
    let group = group_user(&unmatched.sync.clinic, "HOSPITAL_ADMIN").await;
    unmatched.link(unmatched.id("n1").await, group, &[]).await.expect(0);
    unmatched.ignore(unmatched.id("g1").await, group, &[]).await.expect(0);
}

#[tokio::test]
async fn nobody_sees_or_decides_what_is_of_another_facility_or_organization() {
    let unmatched = Unmatched::new().await;
    let clinic = &unmatched.sync.clinic;
    let elsewhere = clinic.facility("America/Denver", None).await;
    let organization: i64 = clinic
        .row("INSERT INTO organizations (name, facility_id) VALUES ('Elsewhere', $1) RETURNING id", &[&elsewhere])
        .await
        .get(0);
    let manager = clinic.user(elsewhere, "CASE_MANAGER").await;
    clinic
        .sql(&format!("INSERT INTO organization_users (organization_id, user_id) VALUES ({organization}, {manager})"))
        .await;
    let supervisor = clinic.user(elsewhere, "SUPERVISOR").await;
    let id = unmatched.id("n1").await;
    for user in [manager, supervisor] {
        let shown = unmatched.reveal(user, &["--all"]).await.expect(0);
        assert_eq!(shown.report()["unmatched"], json!([]), "the doctor is of the other facility");
        for outcome in [unmatched.link(id, user, &[]).await, unmatched.ignore(id, user, &["--client"]).await] {
            refused(outcome, 2, "ACTOR_NOT_ALLOWED");
        }
    }
    assert_eq!(unmatched.looks().await, json!([]));
    // A client who may be a patient of theirs is theirs to decide, and no more ours.
    let patient = unmatched.sync.patient("Newt", "Other", Some("newt@home.example"), None).await;
    clinic
        .sql(&format!(
            "UPDATE patient_organization_affiliations SET organization_id = {organization} WHERE patient_id = {patient}"
        ))
        .await;
    let seen =
        async |user: i64| unmatched.reveal(user, &[]).await.expect(0).report()["unmatched"].as_array().map(Vec::len);
    let ours = unmatched.sync.case_manager;
    for (user, rows) in [(manager, 3), (supervisor, 3), (ours, 0), (unmatched.sync.admin, 0)] {
        assert_eq!(seen(user).await, Some(rows), "user {user}");
    }
    refused(unmatched.ignore(id, ours, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    let message = refused(unmatched.link(id, manager, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    assert!(message.contains("of no organization"), "the patient is of ours: {message}");
    // What nothing places is for the group.
    clinic.sql("DELETE FROM provider_intakeq_settings; UPDATE patients SET email = NULL").await;
    let group = group_user(clinic, "HOSPITAL_ADMIN").await;
    for (user, rows) in [(manager, 0), (ours, 0), (unmatched.sync.admin, 0), (group, 3)] {
        assert_eq!(seen(user).await, Some(rows), "user {user}");
    }
    let nowhere = group_user(clinic, "SUPERVISOR").await;
    unmatched.refuse(nowhere, "ACTOR_NOT_ALLOWED").await;
}

#[tokio::test]
async fn of_what_is_ignored_nothing_is_kept_but_the_decision() {
    let unmatched = Unmatched::new().await;
    unmatched.ignore(unmatched.id("n1").await, unmatched.sync.admin, &["--client"]).await.expect(0);
    let kept = "SELECT content::text FROM practiceq_unmatched WHERE status = 'ignored'";
    for row in unmatched.sync.clinic.rows(kept).await {
        assert_eq!(row.get::<_, &str>(0), "{}");
    }
    assert_eq!(unmatched.sync.run(&[]).await.expect(0).count("unmatched"), 1, "the decision holds: the group is left");
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let unmatched = Unmatched::new().await;
    let admin = unmatched.sync.admin;
    let before = unmatched.state().await;
    for outcome in [unmatched.link(4712, admin, &[]).await, unmatched.ignore(4712, admin, &[]).await] {
        let message = refused(outcome, 2, "UNKNOWN_UNMATCHED");
        assert!(message.contains("4712"), "{message}");
    }
    let patient = unmatched.patient.to_string();
    let id = unmatched.id("n1").await.to_string();
    for args in [&["link", &*id, "--patient", &*patient][..], &["ignore", &id], &["list", "--reveal"]] {
        refused(unmatched.run(&[&["practiceq", "unmatched"], args].concat()).await, 2, "NO_ACTOR");
    }
    let admin = admin.to_string();
    for args in [
        &["unmatched"][..],
        &["unmatched", "link"],
        &["unmatched", "link", &id, "--actor", &admin],
        &["unmatched", "link", "x", "--patient", &patient, "--actor", &admin],
        &["unmatched", "link", "0", "--patient", &patient, "--actor", &admin],
        &["unmatched", "link", &id, "--patient", "0", "--actor", &admin],
        &["unmatched", "link", &id, "--patient", "Pat", "--actor", &admin],
        &["unmatched", "ignore", "--actor", &admin],
        &["unmatched", "list", "--limit", "0"],
        &["report", "--days", "7"],
        &[],
    ] {
        unmatched.run(&[&["practiceq"], args].concat()).await.expect(2);
    }
    assert_eq!(unmatched.state().await, before);
}

#[tokio::test]
async fn of_two_people_at_once_one_is_first_and_the_other_hears_it() {
    let unmatched = Unmatched::new().await;
    let [id, patient, admin, manager] =
        [unmatched.id("n1").await, unmatched.patient, unmatched.sync.admin, unmatched.sync.case_manager]
            .map(|id| id.to_string());
    let link = ["practiceq", "unmatched", "link", &id, "--patient", &patient, "--actor", &admin];
    let ignore = ["practiceq", "unmatched", "ignore", &id, "--actor", &manager];
    let held = "SELECT FROM practiceq_unmatched FOR UPDATE";
    let [link, ignore] = at_once(&unmatched.sync.clinic, held, &link, &ignore).await;
    let (lost, status) = if link.code == 0 { (ignore, "linked") } else { (link, "ignored") };
    refused(lost, 1, "NOT_OPEN");
    let query = "SELECT status FROM practiceq_unmatched WHERE external_id = 'n1'";
    assert_eq!(unmatched.sync.clinic.json(query).await, json!({"status": status}));
}

#[tokio::test]
async fn what_somebody_keeps_is_said_to_be_locked() {
    let unmatched = Unmatched::new().await;
    let held =
        application(&unmatched.sync.clinic, "SELECT FROM practiceq_unmatched WHERE external_id = 'n1' FOR UPDATE")
            .await;
    let id = unmatched.id("n1").await;
    refused(unmatched.ignore(id, unmatched.sync.admin, &[]).await, 1, "LOCKED");
    held.batch_execute("COMMIT").await.expect("it lives");
    unmatched.ignore(id, unmatched.sync.admin, &[]).await.expect(0);
}

#[tokio::test]
async fn a_lost_reply_to_the_commit_is_no_failure() {
    for command in ["link", "ignore"] {
        let unmatched = Unmatched::new().await;
        let [id, patient, admin] =
            [unmatched.id("n1").await, unmatched.patient, unmatched.sync.admin].map(|id| id.to_string());
        let mut args = vec!["practiceq", "unmatched", command, &id, "--actor", &admin];
        if command == "link" {
            args.extend(["--patient", &patient]);
        }
        let report = through(Act::LoseReply, &unmatched.sync.clinic, &args).await.expect(0).report();
        assert_eq!(report["ok"], true, "{command}");
        let open = "SELECT count(*) FROM practiceq_unmatched WHERE external_id = 'n1' AND status = 'open'";
        assert_eq!(unmatched.sync.clinic.count(open).await, 0, "{command}");
    }
}

#[tokio::test]
async fn nobodys_name_comes_out_unless_it_is_revealed() {
    let unmatched = Unmatched::new().await;
    plant(&unmatched.sync.clinic).await;
    let canary = "UPDATE practiceq_unmatched
                  SET content = replace(replace(replace(content::text, 'Newt Unknown', 'CANARY Newt'),
                                                'newt@', 'CANARY@'), 'Canary', 'CANARY')::jsonb";
    unmatched.sync.clinic.sql(canary).await;
    let [first, second, group, patient, admin] = [
        unmatched.id("n1").await,
        unmatched.id("n2").await,
        unmatched.id("g1").await,
        unmatched.patient,
        unmatched.sync.admin,
    ]
    .map(|id| id.to_string());
    unmatched
        .sync
        .clinic
        .sql("ALTER TABLE appointments ADD CONSTRAINT no_visits CHECK (external_id IS NULL) NOT VALID")
        .await;
    let link = ["practiceq", "unmatched", "link", &first, "--patient", &patient, "--actor", &admin];
    let dry = [&link[..], &["--dry-run"]].concat();
    let mut out = everything(&unmatched.sync.clinic, &[&dry, &link]).await;
    assert!(out.contains("23514") && out.contains("no_visits"), "what the database quotes in its error: {out}");
    unmatched.sync.clinic.sql("ALTER TABLE appointments DROP CONSTRAINT no_visits").await;
    let ignore = ["practiceq", "unmatched", "ignore", &second, "--actor", &admin];
    let ignore_client = ["practiceq", "unmatched", "ignore", &group, "--client", "--actor", &admin];
    let commands =
        [&LIST[..], &["practiceq", "unmatched", "list", "--all"], &dry, &ignore, &link, &link, &ignore_client];
    out += &everything(&unmatched.sync.clinic, &commands).await;
    out += &everything(&unmatched.sync.clinic, &[&["practiceq", "report"], &["practiceq", "report", "--bars"]]).await;
    assert!(out.contains("NOT_OPEN") && out.contains("external_id"), "{out}");
    assert!(!out.contains("CANARY"), "{out}");
    let reveal = ["practiceq", "unmatched", "list", "--all", "--reveal", "--actor", &admin, "--log-level", "debug"];
    for output in ["text", "json"] {
        let program = unmatched.sync.clinic.program.clone().env("RUST_LOG", "trace");
        let Outcome { stdout, stderr, .. } =
            program.run(&[&reveal[..], &["--output", output]].concat()).await.expect(0);
        assert!(stdout.contains("CANARY Newt"), "{stdout}");
        assert!(!stderr.contains("CANARY"), "logs are no place for what is shown: {stderr}");
        assert!(!stdout.contains("host-CANARY") && !stdout.contains("CANARY-P"), "{stdout}");
    }
}

/// Rows of the log: type, status, hours ago, milliseconds, new visits.
async fn history(sync: &Sync, rows: &[(&str, &str, i32, i64, i64)]) {
    for (sync_type, status, hours, duration, new) in rows {
        let insert =
            "INSERT INTO sync_logs (sync_type, status, started_at, completed_at, duration_ms, appointments_new, run_id)
                      SELECT $1, $2, t, t, $4, $5, gen_random_uuid()
                      FROM (SELECT clock_timestamp() - make_interval(hours => $3) AS t) s RETURNING id";
        sync.clinic.row(insert, &[sync_type, status, hours, duration, new]).await;
    }
}

const DAY: i32 = 24;

#[tokio::test]
async fn the_report_adds_up_the_runs() {
    let sync = Sync::new().await;
    let report = async || sync.clinic.run(&["practiceq", "report"]).await.expect(0).report();
    let week = |[runs, completed, partial_success, failed]: [i32; 4], rate: Value| {
        let keys = ["runs", "completed", "partial_success", "failed", "success_rate"].map(str::to_owned);
        let values = [json!(runs), json!(completed), json!(partial_success), json!(failed), rate];
        Value::Object(keys.into_iter().zip(values).collect())
    };
    let empty = report().await;
    assert_eq!(empty["success_rate_7_days"], week([0, 0, 0, 0], Value::Null), "of nothing there is no share");
    assert_eq!((&empty["discovered"], &empty["durations_30_days"]), (&json!([]), &json!([])));
    let (full, incremental) = ("automated_daily", "automated_incremental");
    history(
        &sync,
        &[
            (full, "completed", 1, 1000, 3),
            (full, "partial_success", DAY, 2000, 2),
            (full, "failed", 2 * DAY, 6000, 0),
            (incremental, "completed", 2, 100, 1),
            (incremental, "completed", 7 * DAY - 1, 300, 5),
            // Before these seven days, and before these thirty.
            (full, "failed", 7 * DAY + 1, 3000, 0),
            ("manual_patient", "completed", 29 * DAY, 50, 7),
            (full, "completed", 31 * DAY, 999_999, 999),
        ],
    )
    .await;
    let told = report().await;
    assert_eq!(told["success_rate_7_days"], week([5, 3, 1, 1], json!(0.6)), "{told}");
    let durations = told["durations_30_days"].as_array().expect("a list");
    assert_eq!(durations.len(), 3, "{told}");
    for (sync_type, runs, average, min, max) in
        [(full, 4, 3000, 1000, 6000), (incremental, 2, 200, 100, 300), ("manual_patient", 1, 50, 50, 50)]
    {
        let row = durations.iter().find(|row| row["sync_type"] == sync_type).unwrap_or_else(|| panic!("{told}"));
        let numbers = ["runs", "average_ms", "min_ms", "max_ms"].map(|key| row[key].as_f64().expect("a number"));
        assert_eq!(numbers, [f64::from(runs), f64::from(average), f64::from(min), f64::from(max)], "{row}");
    }
    let days = "SELECT jsonb_agg(jsonb_build_object('day', day, 'appointments', n) ORDER BY day DESC) AS d FROM (
                    SELECT (started_at AT TIME ZONE 'America/Denver')::date AS day, sum(appointments_new) AS n
                    FROM sync_logs WHERE started_at > clock_timestamp() - interval '30 days' GROUP BY 1) s";
    assert_eq!(told["discovered"], sync.clinic.json(days).await["d"], "the newest day first");
}

#[tokio::test]
async fn a_day_of_the_report_is_one_of_denver() {
    let sync = Sync::new().await;
    sync.clinic
        .sql(
            "INSERT INTO sync_logs (sync_type, status, started_at, completed_at, duration_ms, appointments_new, run_id)
             SELECT 'automated_daily', 'completed', t, t, 0, n, gen_random_uuid()
             FROM (SELECT ((clock_timestamp() AT TIME ZONE 'America/Denver')::date - 3)::timestamp AS day) d,
                  LATERAL (VALUES (day - interval '1 second', 1), (day, 2),
                                  (day + interval '23 hours 59 minutes', 4)) v (wall, n),
                  LATERAL (SELECT wall AT TIME ZONE 'America/Denver' AS t) z",
        )
        .await;
    let report = sync.clinic.run(&["practiceq", "report"]).await.expect(0).report();
    let numbers: Vec<_> =
        report["discovered"].as_array().expect("a list").iter().map(|day| day["appointments"].clone()).collect();
    assert_eq!(numbers, [6, 1], "{report}");
}

#[tokio::test]
async fn the_report_is_a_table_or_bars_for_those_who_look() {
    let sync = Sync::new().await;
    let rows = [("automated_daily", "completed", 1, 1234, 30), ("automated_daily", "failed", 49, 500, 10)];
    history(&sync, &rows).await;
    let report = sync.clinic.run(&["practiceq", "report"]).await.expect(0).report();
    for (name, more) in [("report_text", &[][..]), ("report_bars", &["--bars"])] {
        let args = [&["practiceq", "report", "--output", "text"], more].concat();
        let mut text = sync.clinic.run(&args).await.expect(0).stdout;
        for (number, day) in report["discovered"].as_array().expect("a list").iter().enumerate() {
            text = text.replace(day["day"].as_str().expect("a day"), &format!("YYYY-MM-D{number}"));
        }
        insta::assert_snapshot!(name, text);
    }
}

#[tokio::test]
async fn whoever_may_only_read_can_ask_for_the_report() {
    let sync = Sync::new().await;
    let before = sync.clinic.json("SELECT count(*) AS n FROM cron_job_runs").await;
    let outcome = sync.clinic.run(&["practiceq", "report", "--bars"]).await.expect(0);
    assert!(!outcome.stdout.is_empty());
    assert_eq!(sync.clinic.json("SELECT count(*) AS n FROM cron_job_runs").await, before, "it is no run");
    assert!(sync.upstream.requests().is_empty(), "nor does it ask anybody");
}
