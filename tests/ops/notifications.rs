//! `rounds notifications`, and what health, pauses and restored backups make of messages.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ROLES, at_once, everything, refused, state};
use crate::support::program::Outcome;
use crate::support::provider::{ProviderServer, Reply};
use crate::support::{Clinic, Database, Program, connect, server};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const DELIVER: [&str; 3] = ["deliver-notifications", "--channel", "webhook"];

/// Two facilities with a supervisor each, a patient, and an admin of the group.
struct Outbox {
    clinic: Clinic,
    facilities: [i64; 2],
    supervisors: [String; 2],
    admin: String,
    patient: i64,
}

impl Outbox {
    async fn new() -> Self {
        let clinic = Clinic::new().await;
        let mut facilities = [0; 2];
        let mut supervisors = [String::new(), String::new()];
        for place in 0..2 {
            facilities[place] = clinic.facility("America/New_York", None).await;
            supervisors[place] = clinic.user(facilities[place], "SUPERVISOR").await.to_string();
        }
        let (admin, patient) = (clinic.of_the_group().await.to_string(), clinic.patient().await);
        clinic.sql("UPDATE patients SET phone = '+12125550199'").await;
        Self { clinic, facilities, supervisors, admin, patient }
    }

    /// A message to the patient; returns its id.
    async fn message(&self, status: &str, channel: &str, place: Option<usize>, more: &str) -> i64 {
        let facility = place.map_or("NULL".to_owned(), |place| format!("'{}'", self.facilities[place]));
        let sent_at = if status == "SENT" { "clock_timestamp()" } else { "NULL" };
        let insert = format!(
            "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, placeholders, entity,
                                        entity_id, dedupe_key, status, sent_at, created_at, facility_id, attempts,
                                        sending_at)
             VALUES ('PATIENT', '{patient}', '{channel}', 'REMINDER', 'CANARY-T', 'CANARY-B', '{{\"who\": \"CANARY-W\"}}',
                     'thing', '1', gen_random_uuid()::text, '{status}', {sent_at},
                     clock_timestamp() - interval '30 hours', {facility}, 3, clock_timestamp() - interval '29 hours')
             RETURNING id",
            patient = self.patient
        );
        let id: i64 = self.clinic.row(&insert, &[]).await.get(0);
        if !more.is_empty() {
            self.clinic.sql(&format!("UPDATE notifications SET {more} WHERE id = {id}")).await;
        }
        id
    }

    async fn run(&self, args: &[&str]) -> Outcome {
        self.clinic.run(&[&["notifications"], args].concat()).await
    }

    async fn listed(&self, more: &[&str]) -> Vec<i64> {
        let report = self.run(&[&["list"], more].concat()).await.expect(0).report();
        let ids = report["messages"].as_array().expect("a list").iter();
        ids.map(|message| message["id"].as_i64().expect("an id")).collect()
    }

    async fn of(&self, id: i64) -> Value {
        let query = "SELECT status, reason, attempts, settled_by, sent_at = sending_at AS sent_then, next_attempt_at,
                            put_back_at IS NOT NULL AS put_back FROM notifications WHERE id = ";
        self.clinic.json(&format!("{query}{id}")).await
    }
}

#[tokio::test]
async fn a_list_has_what_waits_or_failed_and_neither_text_nor_address() {
    let outbox = Outbox::new().await;
    let pending = outbox.message("PENDING", "SMS", Some(0), "").await;
    let uncertain = outbox.message("UNCERTAIN", "EMAIL", Some(1), "created_at = '2025-01-01'").await;
    let failed = outbox.message("FAILED", "SMS", None, "reason = 'TWILIO_21211'").await;
    let old = outbox.message("FAILED", "SMS", None, "created_at = clock_timestamp() - interval '8 days'").await;
    let sent = outbox.message("SENT", "SMS", Some(0), "").await;
    outbox.message("SENT", "IN_APP", Some(0), "").await;
    assert_eq!(outbox.listed(&[]).await, [failed, uncertain, pending]);
    assert_eq!(outbox.listed(&["--since", "9d"]).await, [old, failed, uncertain, pending]);
    assert_eq!(outbox.listed(&["--status", "uncertain"]).await, [uncertain]);
    assert_eq!(outbox.listed(&["--status", "sent"]).await, [sent]);
    assert_eq!(outbox.listed(&["--channel", "email"]).await, [uncertain]);
    assert_eq!(outbox.listed(&["--facility", &outbox.facilities[0].to_string()]).await, [pending]);
    assert_eq!(outbox.listed(&["--limit", "1"]).await, [failed]);
    let report = outbox.run(&["list", "--limit", "1"]).await.expect(0).report();
    assert_eq!((&report["more"], &report["messages"][0]["reason"]), (&json!(true), &json!("TWILIO_21211")));
    refused(outbox.run(&["list", "--facility", "999"]).await, 2, "UNKNOWN_FACILITY");
    let id = uncertain.to_string();
    let said = everything(&outbox.clinic, &[&["notifications", "list"], &["notifications", "show", &id]]).await;
    assert!(said.contains("UNCERTAIN") && !said.contains("CANARY") && !said.contains("2125550199"), "{said}");
}

#[tokio::test]
async fn a_text_is_shown_to_supervisors_of_its_facility_alone_and_that_is_recorded() {
    let outbox = Outbox::new().await;
    let id = outbox.message("FAILED", "SMS", Some(0), "reason = 'HTTP_500'").await;
    let text = id.to_string();
    let shown = outbox.run(&["show", &text]).await.expect(0).report();
    assert_eq!((&shown["status"], &shown["attempts"], &shown["body"]), (&json!("FAILED"), &json!(3), &Value::Null));
    let reveal = async |actor: &str| outbox.run(&["show", &text, "--reveal", "--actor", actor]).await;
    let before = state(&outbox.clinic).await;
    for role in ROLES {
        let user = outbox.clinic.user(outbox.facilities[0], role).await.to_string();
        if !["HOSPITAL_ADMIN", "SUPERVISOR"].contains(&role) {
            refused(reveal(&user).await, 2, "ACTOR_NOT_ALLOWED");
        }
    }
    refused(reveal(&outbox.supervisors[1]).await, 2, "ACTOR_NOT_ALLOWED");
    refused(outbox.run(&["show", &text, "--reveal"]).await, 2, "NO_ACTOR");
    assert_eq!(state(&outbox.clinic).await["phi_access_log"], before["phi_access_log"]);
    let report = reveal(&outbox.supervisors[0]).await.expect(0).report();
    assert_eq!(
        (&report["body"], &report["title"], &report["address"], &report["placeholders"]["who"]),
        (&json!("CANARY-B"), &json!("CANARY-T"), &json!("+12125550199"), &json!("CANARY-W"))
    );
    let looks = "SELECT jsonb_agg(jsonb_build_array(user_id, patient_id, command, entity, entity_id)) AS l
                 FROM phi_access_log";
    let patient = outbox.patient.to_string();
    let expected = json!([[outbox.supervisors[0], patient, "notifications show", "notification", text]]);
    assert_eq!(outbox.clinic.json(looks).await["l"], expected);
    // Of no facility: the group's alone.
    let of_none = outbox.message("FAILED", "SMS", None, "").await.to_string();
    refused(
        outbox.run(&["show", &of_none, "--reveal", "--actor", &outbox.supervisors[0]]).await,
        2,
        "ACTOR_NOT_ALLOWED",
    );
    outbox.run(&["show", &of_none, "--reveal", "--actor", &outbox.admin]).await.expect(0);
    refused(outbox.run(&["show", "999"]).await, 2, "UNKNOWN_MESSAGE");
}

#[tokio::test]
async fn what_is_uncertain_is_settled_once_by_one_person() {
    let outbox = Outbox::new().await;
    let [sent, again] =
        [outbox.message("UNCERTAIN", "SMS", Some(0), "").await, outbox.message("UNCERTAIN", "SMS", Some(0), "").await];
    let settle = async |id: i64, how: &str, actor: &str, more: &[&str]| {
        outbox.run(&[&["settle", &id.to_string(), how, "--actor", actor], more].concat()).await
    };
    let own = &outbox.supervisors[0];
    let nurse = outbox.clinic.user(outbox.facilities[0], "NURSE").await.to_string();
    for actor in [&nurse, &outbox.supervisors[1]] {
        refused(settle(sent, "--sent", actor, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    }
    settle(sent, "--sent", own, &["--dry-run"]).await.expect(0);
    assert_eq!(outbox.of(sent).await["status"], "UNCERTAIN");
    settle(sent, "--sent", own, &[]).await.expect(0);
    let now = outbox.of(sent).await;
    assert_eq!((&now["status"], &now["settled_by"], &now["sent_then"]), (&json!("SENT"), &json!(own), &json!(true)));
    let message = refused(settle(sent, "--resend", own, &[]).await, 1, "WRONG_STATUS");
    assert!(message.contains(&format!("is SENT, by user {own}")), "{message}");
    let id = again.to_string();
    let one = ["notifications", "settle", &id, "--resend", "--actor", own];
    let two = ["notifications", "settle", &id, "--sent", "--actor", &outbox.admin];
    let held = format!("SELECT FROM notifications WHERE id = {again} FOR NO KEY UPDATE");
    let outcomes = at_once(&outbox.clinic, &held, &one, &two).await;
    let mut codes = outcomes.map(|outcome| outcome.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 1], "one of two people is told of the other");
    let resent = outbox.message("UNCERTAIN", "SMS", Some(0), "next_attempt_at = clock_timestamp()").await;
    settle(resent, "--resend", own, &[]).await.expect(0);
    let now = outbox.of(resent).await;
    assert_eq!(
        (&now["status"], &now["attempts"], &now["next_attempt_at"]),
        (&json!("PENDING"), &json!(3), &Value::Null)
    );
    let acts = "SELECT count(*) FROM operator_actions WHERE command = 'notifications'";
    assert_eq!(outbox.clinic.count(acts).await, 3);
}

#[tokio::test]
async fn what_failed_is_tried_again_as_if_it_were_new() {
    let outbox = Outbox::new().await;
    let failed = outbox.message("FAILED", "SMS", Some(0), "reason = 'HTTP_500'").await;
    let expired = outbox.message("EXPIRED", "SMS", Some(0), "reason = 'TOO_OLD'").await;
    let over = outbox.message("EXPIRED", "SMS", Some(0), "expires_at = clock_timestamp()").await;
    let others = outbox.message("FAILED", "SMS", Some(1), "").await;
    let accepted = outbox.message("FAILED", "SMS", Some(0), "provider_id = 'SM1'").await;
    let early = outbox.message("FAILED", "SMS", Some(0), "created_at = clock_timestamp() - interval '3 days'").await;
    let email = outbox.message("FAILED", "EMAIL", Some(0), "").await;
    let own = outbox.supervisors[0].clone();
    let retry = async |more: &[&str]| outbox.run(&[&["retry", "--actor", &own], more].concat()).await;
    retry(&[&expired.to_string()]).await.expect(0);
    let now = outbox.of(expired).await;
    assert_eq!((&now["status"], &now["attempts"], &now["put_back"]), (&json!("PENDING"), &json!(0), &json!(true)));
    refused(retry(&[&over.to_string()]).await, 1, "OVER");
    refused(retry(&[&others.to_string()]).await, 2, "ACTOR_NOT_ALLOWED");
    refused(retry(&[&expired.to_string()]).await, 1, "WRONG_STATUS");
    retry(&["--failed"]).await.expect(2);
    let report = retry(&["--failed", "--channel", "sms", "--since", "2d"]).await.expect(0).report();
    assert_eq!(report["ids"], json!([failed]), "of the own facility, young, and not taken by the provider");
    for id in [others, accepted, early, email] {
        assert_eq!(outbox.of(id).await["status"], "FAILED", "{id}");
    }
    let all = ["retry", "--failed", "--channel", "sms", "--since", "2d", "--actor", &outbox.admin];
    assert_eq!(outbox.run(&all).await.expect(0).report()["ids"], json!([others]));
}

/// An endpoint `pager`, and the program that knows it.
struct Pager {
    server: ProviderServer,
    program: Program,
    _place: TempDir,
}

impl Pager {
    async fn new(clinic: &Clinic) -> Self {
        let (server, place) = (ProviderServer::start().await, tempfile::tempdir().expect("a place for files"));
        let file = place.path().join("endpoints.toml");
        fs::write(&file, format!("[pager]\nurl = \"{}/hook\"\nsecret = \"{SECRET}\"\n", server.url())).expect("a file");
        let program = clinic.program.clone().env("ROUNDS_WEBHOOK_ENDPOINTS", file.to_str().expect("a path"));
        Self { server, program, _place: place }
    }
}

/// So many messages to the pager that are due.
async fn to_the_pager(clinic: &Clinic, messages: i64) {
    clinic
        .sql(&format!(
            "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, created_at)
             SELECT 'ADDRESS', 'pager', 'WEBHOOK', 'JOB_FAILING', 't', 'b', 'cron_job_run', n::text, 'k' || n, 'PENDING',
                    clock_timestamp() FROM generate_series(1, {messages}) n"
        ))
        .await;
}

#[tokio::test]
async fn a_test_says_what_the_provider_says_and_is_recorded_before_it_leaves() {
    let outbox = Outbox::new().await;
    let Pager { server, program, _place } = Pager::new(&outbox.clinic).await;
    let test = ["notifications", "test", "--channel", "webhook", "--actor", &outbox.admin, "--to"];
    let run = async |to: &str, more: &[&str]| program.run(&[&test[..], &[to], more].concat()).await;
    run("pager", &["--dry-run"]).await.expect(0);
    assert_eq!((server.requests().len(), outbox.listed(&[]).await), (0, vec![]));
    let report = run("pager", &[]).await.expect(0).report();
    assert_eq!((&report["status"], server.requests().len()), (&json!("SENT"), 1), "{report}");
    let body: Value = serde_json::from_str(&server.requests()[0].body).expect("JSON");
    assert_eq!(body["type"], "TEST");
    for (reply, code, status) in [
        (Reply::Status(400, String::new()), "HTTP_400", "FAILED"),
        (Reply::Status(503, String::new()), "HTTP_503", "FAILED"),
        (Reply::Status(401, String::new()), "HTTP_401", "FAILED"),
        (Reply::Drop, "WEBHOOK_NO_ANSWER", "UNCERTAIN"),
    ] {
        server.replies([reply]);
        let report = run("pager", &[]).await.expect(1).report();
        assert_eq!((&report["reason"], &report["status"]), (&json!(code), &json!(status)), "{report}");
    }
    let asked = server.requests().len();
    refused(run("pager", &["--only-to", "other"]).await, 2, "NOT_ON_ALLOW_LIST");
    let nurse = outbox.clinic.user(outbox.facilities[0], "NURSE").await.to_string();
    let as_nurse = ["notifications", "test", "--channel", "webhook", "--to", "pager", "--actor", &nurse];
    refused(program.run(&as_nurse).await, 2, "ACTOR_NOT_ALLOWED");
    // No run sends it again, nor settles it.
    program.run(&DELIVER).await.expect(0);
    assert_eq!(server.requests().len(), asked);
    let states = "SELECT jsonb_object_agg(status, n) AS s
                  FROM (SELECT status, count(*) AS n FROM notifications WHERE type = 'TEST' GROUP BY status) t";
    assert_eq!(outbox.clinic.json(states).await["s"], json!({"FAILED": 3, "SENT": 1, "UNCERTAIN": 1}));
}

#[tokio::test]
async fn health_tells_of_messages_that_are_not_delivered() {
    let outbox = Outbox::new().await;
    let pager = Pager::new(&outbox.clinic).await;
    let lane = async || {
        let outcome = outbox.clinic.run(&["health", "deliver-notifications-webhook", "--output", "json"]).await;
        let report = outcome.report();
        (outcome.code, report["jobs"][0].clone())
    };
    pager.program.run(&DELIVER).await.expect(0);
    let (code, well) = lane().await;
    assert_eq!((code, &well["isHealthy"], &well["delivery"]["dueSince"]), (0, &json!(true), &Value::Null), "{well}");
    outbox.message("UNCERTAIN", "WEBHOOK", Some(0), "").await;
    outbox.message("UNCERTAIN", "SMS", Some(0), "").await;
    let (code, unsure) = lane().await;
    assert_eq!(
        (code, &unsure["isDegraded"], &unsure["delivery"]["uncertain"]),
        (0, &json!(true), &json!(1)),
        "{unsure}"
    );
    to_the_pager(&outbox.clinic, 2).await;
    outbox
        .clinic
        .sql("UPDATE notifications SET created_at = clock_timestamp() - interval '11 min' WHERE status = 'PENDING'")
        .await;
    let (code, late) = lane().await;
    assert_eq!((code, &late["healthCodes"]), (1, &json!(["BACKLOG", "UNCERTAIN"])), "{late}");
    outbox
        .clinic
        .sql("UPDATE notifications SET next_attempt_at = 'infinity' WHERE id % 2 = 0 AND status = 'PENDING'")
        .await;
    pager.server.always(Reply::Status(401, String::new()));
    pager.program.run(&DELIVER).await.expect(1);
    let (code, stopped) = lane().await;
    let codes: Vec<&str> = stopped["healthCodes"].as_array().expect("codes").iter().flat_map(Value::as_str).collect();
    assert!(code == 1 && codes.contains(&"CHANNEL_STOPPED"), "{stopped}");
    let text = outbox.clinic.run(&["health", "deliver-notifications-webhook", "--output", "text"]).await.expect(1);
    assert!(text.stdout.contains("CHANNEL_STOPPED"), "{}", text.stdout);
    pager.server.always(Reply::Status(200, String::new()));
    outbox.clinic.sql("UPDATE notifications SET next_attempt_at = NULL").await;
    pager.program.run(&DELIVER).await.expect(0);
    assert_eq!(lane().await.0, 0, "it is over");
    let prune = outbox.clinic.run(&["health", "prune"]).await.report();
    assert_eq!(prune["jobs"][0]["delivery"], Value::Null);
}

#[tokio::test]
async fn a_paused_lane_sends_nothing_and_the_others_go_on() {
    let outbox = Outbox::new().await;
    let pager = Pager::new(&outbox.clinic).await;
    to_the_pager(&outbox.clinic, 2).await;
    let pause = |what: &str| ["pause", what, "--reason", "r", "--actor", &outbox.admin].map(str::to_owned);
    let act = async |args: [String; 6]| outbox.clinic.run(&args.each_ref().map(String::as_str)).await.expect(0);
    act(pause("deliver-notifications-webhook")).await;
    let skipped = pager.program.run(&DELIVER).await.expect(0).report();
    assert_eq!((&skipped["status"], &skipped["error_code"]), (&json!("SKIPPED"), &json!("PAUSED")), "{skipped}");
    assert_eq!(pager.server.requests().len(), 0);
    outbox.clinic.run(&["resume", "deliver-notifications-webhook", "--actor", &outbox.admin]).await.expect(0);
    act(pause("deliver-notifications-sms")).await;
    assert_eq!(pager.program.run(&DELIVER).await.expect(0).count("sent"), 2, "another lane's pause");
}

/// A copy of the clinic's database, after a first run has recorded the original.
async fn copied(outbox: Outbox) -> (Clinic, Database, String, String) {
    outbox.clinic.run(&["mark-no-shows"]).await.expect(0);
    let Outbox { clinic: Clinic { database, client, program, kind }, admin, .. } = outbox;
    drop((client, program));
    let (superuser, name) = (connect(&server().url("postgres")).await, format!("{database}_restored"));
    for statement in [
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"),
        format!("CREATE DATABASE {name} TEMPLATE {database} STRATEGY file_copy"),
    ] {
        superuser.batch_execute(&statement).await.expect("can be copied");
    }
    (Clinic::on(Database::not_ours(&name), kind).await, database, admin, name)
}

#[tokio::test]
async fn a_restored_backup_sends_nothing_and_its_backlog_may_be_ended() {
    for discard in [false, true] {
        let outbox = Outbox::new().await;
        to_the_pager(&outbox.clinic, 3).await;
        outbox
            .clinic
            .sql("UPDATE notifications SET created_at = created_at - interval '25 hours' WHERE id % 3 = 0")
            .await;
        let (copy, database, admin, name) = copied(outbox).await;
        let pager = Pager::new(&copy).await;
        copy.sql(
            "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, created_at, sending_at, sending_run, is_held)
             VALUES ('ADDRESS', 'a@x.example', 'EMAIL', 'RULE_EMAIL', 't', 'b', 'rule', '1', 'held', 'SENDING',
                     clock_timestamp(), clock_timestamp(), gen_random_uuid(), true)",
        )
        .await;
        let waits = pager.program.run(&DELIVER).await.expect(0).report();
        assert_eq!((&waits["status"], &waits["error_code"]), (&json!("SKIPPED"), &json!("RESTORED")), "{waits}");
        let resume = ["resume", "--restored", "--actor", &admin];
        let dry = copy.run(&[&resume[..], &["--dry-run", "--discard-pending"]].concat()).await.expect(0).report();
        assert_eq!((&dry["pending_messages"], &dry["discarded_messages"]), (&json!(3), &json!(3)), "{dry}");
        let more: &[&str] = if discard { &["--discard-pending", "--output", "text"] } else { &["--output", "text"] };
        let said = copy.run(&[&resume[..], more].concat()).await.expect(0).stdout;
        let held = "DELETE FROM notifications WHERE dedupe_key = 'held' RETURNING is_held";
        assert!(!copy.row(held, &[]).await.get::<_, bool>(0), "it may have been sent since the backup");
        let sent = pager.program.run(&DELIVER).await.expect(0).count("sent");
        let states = "SELECT jsonb_object_agg(concat_ws(' ', status, reason), n) AS s
                      FROM (SELECT status, reason, count(*) AS n FROM notifications GROUP BY 1, 2) t";
        let states = copy.json(states).await["s"].clone();
        match discard {
            true => {
                assert!(said.contains("3 messages of the backup ended"), "{said}");
                assert_eq!((sent, states), (0, json!({"EXPIRED RESTORED": 3})));
            }
            false => {
                assert!(said.contains("3 messages of the backup will be sent"), "{said}");
                assert_eq!((sent, states), (2, json!({"EXPIRED TOO_OLD": 1, "SENT": 2})));
            }
        }
        drop((copy, pager));
        let superuser = connect(&server().url("postgres")).await;
        superuser.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("nobody needs it");
        drop(database);
    }
}
