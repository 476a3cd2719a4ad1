//! `rounds escalate-tickets`: conditions at their boundaries, episodes, and everything a job owes.

mod actions;
mod awkward;
mod episodes;
mod keys;
mod looks;
mod properties;
mod responses;

use serde_json::{Value, json};

use super::owed::{self, Owed, Subject};
use crate::support::keys::Kind;
use crate::support::program::{self, Outcome};
use crate::support::tickets::{TICKET, Ticket};
use crate::support::{Clinic, gate};

const NOON: &str = "2026-03-02T12:00:00Z";

pub async fn escalate(clinic: &Clinic, as_of: &str) -> Outcome {
    clinic.run(&["escalate-tickets", "--as-of", as_of]).await
}

/// Adds a follower: harmless, and easy to count.
async fn follow(clinic: &Clinic) -> (&'static str, Value) {
    let user = clinic.agent().await;
    ("add_follower", json!({ "userIds": [clinic.kind.text(user)] }))
}

/// How often rules have fired, by the history.
async fn fired(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM ticket_history WHERE action = 'escalation_executed'").await
}

/// Fails unless the condition does not hold a millisecond before noon, and holds at noon.
async fn begins_at_noon(condition: (&str, Value), ticket: Ticket<'_>, comments: &[(&str, bool)]) {
    let clinic = Clinic::new().await;
    let what = format!("{condition:?}");
    let action = follow(&clinic).await;
    clinic.rule(condition, action).await;
    let (ticket, agent) = (clinic.ticket(ticket).await, clinic.agent().await);
    for (at, visible) in comments {
        clinic
            .sql(&format!(
                "INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
                 VALUES ({ticket}, {agent}, 'b', {visible}, '{at}')"
            ))
            .await;
    }
    assert_eq!(escalate(&clinic, "2026-03-02T11:59:59.999Z").await.expect(0).count("executed"), 0, "{what}");
    let report = escalate(&clinic, NOON).await.expect(0).report();
    assert_eq!([&report["executed"], &report["tickets_evaluated"], &report["rules_evaluated"]], [1, 1, 1], "{what}");
}

#[tokio::test]
async fn conditions_hold_from_their_instant_on() {
    // A breach is a breach once the time is over, so a millisecond after it.
    let breached = Ticket { due: Some("2026-03-02T09:59:59.999Z"), ..TICKET };
    begins_at_noon(("sla_breach", json!({"thresholdHours": 2})), breached, &[]).await;
    let breached = Ticket { due: Some("2026-03-02T11:59:59.999Z"), ..TICKET };
    begins_at_noon(("sla_breach", json!({"thresholdHours": 0})), breached, &[]).await;
    // Hours before the breach.
    let promised = Ticket { due: Some("2026-03-02T13:29:59.999Z"), ..TICKET };
    begins_at_noon(("sla_breach", json!({"thresholdHours": -1.5})), promised, &[]).await;
    let waiting = Ticket { status: "WAITING", status_changed: "2026-03-02T10:30:00Z", ..TICKET };
    begins_at_noon(("time_in_status", json!({"status": "WAITING", "hours": 1.5})), waiting, &[]).await;
    let silent = ("no_response", json!({"hours": 12}));
    begins_at_noon(silent, TICKET, &[("2026-03-02T11:00:00Z", false)]).await;
    let comments = [("2026-03-02T08:00:00Z", true), ("2026-03-02T10:00:00Z", true), ("2026-03-02T11:00:00Z", false)];
    begins_at_noon(("no_response", json!({"hours": 2})), TICKET, &comments).await;
}

#[tokio::test]
async fn other_statuses_and_priorities_are_left_alone() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    clinic.rule(("time_in_status", json!({"status": "WAITING", "hours": 0})), action.clone()).await;
    clinic.rule(("priority_level", json!({"priorities": ["HIGH", "URGENT"]})), action).await;
    for status in ["OPEN", "IN_PROGRESS", "WAITING", "RESOLVED", "CLOSED"] {
        for priority in ["LOW", "HIGH"] {
            clinic.ticket(Ticket { status, priority, ..TICKET }).await;
        }
    }
    let report = escalate(&clinic, NOON).await.expect(0).report();
    assert_eq!([&report["tickets_evaluated"], &report["executed"]], [6, 2 + 3]);
}

#[tokio::test]
async fn ratings_are_compared_as_the_operator_says() {
    let clinic = Clinic::new().await;
    for rating in [Some(1), Some(2), Some(3), Some(4), Some(5), None] {
        clinic.ticket(Ticket { rating, ..TICKET }).await;
    }
    let mut expected = vec![];
    for (operator, count) in [("<", 2), ("lte", 3), ("=", 1), ("gte", 3), (">", 2)] {
        let action = follow(&clinic).await;
        let rule = clinic.rule(("customer_rating", json!({"rating": 3, "operator": operator})), action).await;
        expected.push((rule, count));
    }
    escalate(&clinic, NOON).await.expect(0);
    let counts = clinic.rows("SELECT n(rule_id), count(*) FROM escalation_episodes GROUP BY 1 ORDER BY 1").await;
    assert_eq!(counts.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(i64, i64)>>(), expected);
}

#[tokio::test]
async fn a_rule_fires_once_until_its_condition_has_been_false() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    clinic.rule(("priority_level", json!({"priorities": ["HIGH"]})), action).await;
    clinic.ticket(Ticket { priority: "HIGH", ..TICKET }).await;
    for expected in [1, 1] {
        escalate(&clinic, NOON).await.expect(0);
        assert_eq!(fired(&clinic).await, expected);
    }
    // Gone, or closed: either ends the episode, and a run must have seen it.
    for (away, back) in [("priority = 'LOW'", "priority = 'HIGH'"), ("status = 'CLOSED'", "status = 'OPEN'")] {
        let before = fired(&clinic).await;
        clinic.sql(&format!("UPDATE tickets SET {away}; UPDATE tickets SET {back}")).await;
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("scanned"), 0, "nobody saw it");
        clinic.sql(&format!("UPDATE tickets SET {away}")).await;
        let report = escalate(&clinic, NOON).await.expect(0).report();
        assert_eq!([&report["episodes_ended"], &report["executed"], &report["scanned"]], [1, 0, 1], "{away}");
        clinic.sql(&format!("UPDATE tickets SET {back}")).await;
        escalate(&clinic, NOON).await.expect(0);
        assert_eq!(fired(&clinic).await, before + 1, "{back}");
    }
}

#[tokio::test]
async fn a_cooldown_lets_it_fire_again_though_the_condition_held_all_along() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    clinic.rule(("priority_level", json!({"priorities": ["MEDIUM"]})), action).await;
    clinic.sql("UPDATE escalation_rules SET cooldown_hours = 1.5").await;
    clinic.ticket(TICKET).await;
    for (at, expected) in [
        (NOON, 1),
        ("2026-03-02T13:29:59.999Z", 1),
        ("2026-03-02T13:30:00Z", 2),
        ("2026-03-02T14:59:59Z", 2),
        ("2026-03-02T15:00:00Z", 3),
    ] {
        escalate(&clinic, at).await.expect(0);
        assert_eq!(fired(&clinic).await, expected, "{at}");
    }
}

#[tokio::test]
async fn rules_run_by_position_and_see_what_the_one_before_changed() {
    let clinic = Clinic::new().await;
    // Filed in the other order than they are to run in.
    let late =
        clinic.rule(("priority_level", json!({"priorities": ["URGENT"]})), ("increase_priority", json!({}))).await;
    for priority in ["HIGH", "MEDIUM", "LOW"] {
        clinic.rule(("priority_level", json!({"priorities": [priority]})), ("increase_priority", json!({}))).await;
    }
    clinic.sql("UPDATE escalation_rules SET position = -position").await;
    clinic.ticket(Ticket { priority: "LOW", ..TICKET }).await;
    let dry = clinic.run(&["escalate-tickets", "--as-of", NOON, "--dry-run"]).await.expect(0).report();
    assert_eq!((fired(&clinic).await, clinic.count("SELECT count(*) FROM escalation_episodes").await), (0, 0));
    let real = escalate(&clinic, NOON).await.expect(0).report();
    for key in ["scanned", "executed", "executed_by_action", "episodes_ended", "notifications", "skipped", "failed"] {
        assert_eq!(dry[key], real[key], "{key}: the rules see each other in a dry run, too");
    }
    assert_eq!(real["executed"], 4);
    let steps =
        "SELECT jsonb_agg(jsonb_build_array(details -> 'from', details -> 'to') ORDER BY id) AS s FROM ticket_history";
    let expected = json!([["LOW", "MEDIUM"], ["MEDIUM", "HIGH"], ["HIGH", "URGENT"], ["URGENT", "URGENT"]]);
    assert_eq!(clinic.json(steps).await["s"], expected);
    assert_eq!(clinic.count(&format!("SELECT count(*) FROM escalation_episodes WHERE n(rule_id) = {late}")).await, 1);
    // The three whose condition is gone may fire again one day.
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), 3);
}

#[tokio::test]
async fn malformed_rules_are_named_and_the_others_run() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    let bad = clinic.rule(("no_response", json!({"hours": "CANARY"})), action.clone()).await;
    let worse = clinic.rule(("no_response", json!({"hours": 1})), ("notify_manager", json!({"CANARY": 1}))).await;
    clinic.rule(("no_response", json!({"hours": 1})), action.clone()).await;
    let off = clinic.rule(("CANARY", json!({})), action).await;
    clinic.sql(&format!("UPDATE escalation_rules SET active = false WHERE id = {off}")).await;
    clinic.ticket(TICKET).await;
    let outcome = escalate(&clinic, NOON).await.expect(3);
    let report = outcome.report();
    assert_eq!([&report["rules_evaluated"], &report["executed"], &report["failed"]], [1, 1, 2]);
    let named = |id: i64| json!({"entity": "escalation_rule", "id": id.to_string(), "code": "MALFORMED_RULE"});
    assert_eq!(report["errors"], json!([named(bad), named(worse)]));
    assert!(
        outcome.stderr.contains("condition: hours must be a number of hours from 0 to 87600"),
        "{}",
        outcome.stderr
    );
    let recorded = clinic.json("SELECT jsonb_agg(message ORDER BY id) AS m FROM cron_job_run_errors").await.to_string();
    assert!(!format!("{outcome:?}{recorded}").contains("CANARY"), "{outcome:?}{recorded}");
}

#[tokio::test]
async fn what_only_the_database_can_read_is_malformed() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    for _ in 0..4 {
        clinic.rule(("no_response", json!({"hours": 1})), action.clone()).await;
    }
    clinic
        .sql(
            "ALTER TABLE escalation_rules DROP CONSTRAINT escalation_rules_cooldown_hours_check;
             UPDATE escalation_rules SET cooldown_hours = 'Infinity' WHERE id = 1;
             UPDATE escalation_rules SET cooldown_hours = 'NaN' WHERE id = 2;
             UPDATE escalation_rules SET condition = '{\"hours\": 1e400}' WHERE id = 3",
        )
        .await;
    clinic.ticket(TICKET).await;
    let report = escalate(&clinic, NOON).await.expect(3).report();
    assert_eq!([&report["failed"], &report["executed"]], [3, 1]);
    assert_eq!(clinic.run(&["escalation-rules", "check"]).await.expect(3).report()["wrong"], 3);
}

#[tokio::test]
async fn what_earlier_rules_make_due_is_braked_too() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    clinic.rule(("priority_level", json!({"priorities": ["HIGH"]})), ("increase_priority", json!({}))).await;
    clinic.rule(("priority_level", json!({"priorities": ["URGENT"]})), action).await;
    for priority in ["HIGH", "HIGH", "URGENT"] {
        clinic.ticket(Ticket { priority, ..TICKET }).await;
    }
    let outcome = clinic.run(&["escalate-tickets", "--as-of", NOON, "--max-items", "3"]).await.expect(5);
    assert!(outcome.stderr.contains("became due by what this run changed"), "{}", outcome.stderr);
    assert_eq!((outcome.count("executed"), fired(&clinic).await), (2, 2));
    assert_eq!(
        clinic.run(&["escalate-tickets", "--as-of", NOON, "--max-items", "5"]).await.expect(0).count("executed"),
        3
    );
}

/// Tickets that one rule fires for.
struct RuleFixture;

impl RuleFixture {
    /// With so many of them, as what every job owes sees it.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let clinic = Clinic::of(kind).await;
        let action = follow(&clinic).await;
        clinic.rule(("priority_level", json!({"priorities": ["MEDIUM"]})), action).await;
        clinic
            .sql(&format!(
                "INSERT INTO tickets (number, title, created_at)
                 SELECT 'T' || n, 'CANARY', '2026-03-02' FROM generate_series(1, {things}) n"
            ))
            .await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: &["escalate-tickets", "--as-of", NOON],
    table: "tickets",
    written: ("ticket_history", "ticket_id"),
    evidence: &[
        ("ticket_history", "ticket_id", 1),
        ("escalation_episodes", "ticket_id", 1),
        ("ticket_followers", "ticket_id", 1),
    ],
    entity: "ticket",
    done: "/executed",
    ..owed::SUBJECT
};

owed::owed_by_the_job!(RuleFixture);

/// A clinic with so many tickets that one rule fires for, and a gate before what it writes of each.
async fn many(tickets: i64) -> Clinic {
    let clinic = RuleFixture::owed(Kind::Bigint, tickets).await.clinic;
    gate::build_for(&clinic, "ticket_history", "ticket_id").await;
    clinic
}

/// How many tickets have an episode, a history row, and a follower: the three must never differ.
async fn effects(clinic: &Clinic) -> [i64; 3] {
    let mut effects = [0; 3];
    for (count, table) in effects.iter_mut().zip(["escalation_episodes", "ticket_history", "ticket_followers"]) {
        *count = clinic.count(&format!("SELECT count(*) FROM {table}")).await;
    }
    effects
}

#[tokio::test]
async fn a_ticket_that_changed_is_held_or_is_refused_stops_nobody() {
    let clinic = many(100).await;
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'CANARY'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON ticket_history FOR EACH ROW WHEN (n(NEW.ticket_id) = 61)
             EXECUTE FUNCTION refuse()",
        )
        .await;
    clinic.sql("BEGIN; SELECT FROM tickets WHERE id = 7 FOR NO KEY UPDATE").await;
    let args = ["escalate-tickets", "--as-of", NOON, "--log-level", "debug"];
    let dry = clinic.run(&[&args[..], &["--dry-run"]].concat()).await.expect(3);
    assert_eq!(effects(&clinic).await, [0; 3]);
    let outcome = clinic.run(&args).await.expect(3);
    clinic.sql("COMMIT").await;
    for outcome in [&dry, &outcome] {
        let report = outcome.report();
        assert_eq!([&report["scanned"], &report["executed"], &report["failed"]], [100, 98, 1]);
        assert_eq!(report["skipped_by_reason"], json!({"locked": 1}));
        assert_eq!(report["errors"], json!([{"entity": "ticket", "id": "61", "code": "P0001"}]));
        assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    }
    assert_eq!(effects(&clinic).await, [98; 3]);
}

#[tokio::test]
async fn a_ticket_that_a_person_changes_between_scan_and_effect_is_judged_anew() {
    let clinic = many(2).await;
    gate::close(&clinic, 1).await;
    let run = clinic.program.start(&["escalate-tickets", "--as-of", NOON, "--batch-rows", "1"]);
    gate::reached(&clinic).await;
    clinic.sql("UPDATE tickets SET priority = 'LOW' WHERE id = 2").await;
    gate::open(&clinic).await;
    let report = program::finish(run).await.expect(0).report();
    assert_eq!((&report["executed"], &report["skipped_by_reason"]), (&json!(1), &json!({"changed": 1})));
    assert_eq!(effects(&clinic).await, [1; 3]);
}

#[tokio::test]
async fn a_rule_that_is_put_out_of_use_or_changed_while_it_runs_stops_after_the_batch() {
    for change in ["active = false", "action = '{\"userIds\": [1, 2]}'"] {
        let clinic = many(30).await;
        gate::close(&clinic, 1).await;
        let run = clinic.program.start(&["escalate-tickets", "--as-of", NOON, "--batch-rows", "10"]);
        gate::reached(&clinic).await;
        clinic.sql(&format!("UPDATE escalation_rules SET {change}; DELETE FROM gate")).await;
        let report = program::finish(run).await.expect(0).report();
        assert_eq!(
            (&report["executed"], &report["skipped_by_reason"]),
            (&json!(10), &json!({"changed": 20})),
            "{change}"
        );
        assert_eq!(effects(&clinic).await, [10; 3], "{change}");
    }
}

#[tokio::test]
async fn a_rule_that_is_deleted_while_it_runs_is_no_error() {
    let clinic = many(30).await;
    gate::close(&clinic, 1).await;
    let run = clinic.program.start(&["escalate-tickets", "--as-of", NOON, "--batch-rows", "10"]);
    gate::reached(&clinic).await;
    // It comes before what the batch at work writes of the rule, or waits for it.
    let other = crate::support::connect(&crate::support::server().url(&clinic.database)).await;
    let deleted = tokio::spawn(async move { other.batch_execute("DELETE FROM escalation_rules").await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    gate::open(&clinic).await;
    deleted.await.expect("it ends").expect("nobody keeps it");
    let report = program::finish(run).await.expect(0).report();
    let [_, history, followers] = effects(&clinic).await;
    assert_eq!((&report["executed"], &report["failed"]), (&json!(history), &json!(0)), "{report}");
    assert_eq!(history, followers);
}

#[tokio::test]
async fn who_ran_it_by_hand_is_the_actor() {
    let clinic = many(3).await;
    let args = ["escalate-tickets", "--as-of", NOON];
    let admin = clinic.of_the_group().await;
    clinic.run(&[&args[..], &["--actor", &admin.to_string()]].concat()).await.expect(0);
    let actor = "SELECT DISTINCT actor_id, actor FROM ticket_history";
    assert_eq!(clinic.json(actor).await, json!({"actor_id": admin.to_string(), "actor": "user"}));
}

#[tokio::test]
async fn the_check_says_what_is_wrong_and_what_each_would_touch() {
    let clinic = many(3).await;
    let bad = clinic.rule(("no_response", json!({})), ("increase_priority", json!({}))).await;
    let outcome = clinic.run(&["escalation-rules", "check", "--as-of", NOON]).await.expect(3);
    let expected = json!({
        "tickets_open": 3,
        "wrong": 1,
        "rules": [
            {"id": "1", "name": "R", "active": true, "ok": true, "condition": "priority_level", "action": "add_follower", "would_fire": 3, "wrong": null},
            {"id": bad.to_string(), "name": "R", "active": true, "ok": false, "condition": null, "action": null, "would_fire": null,
             "wrong": "condition: hours must be a number of hours from 0 to 87600; the rule was skipped"},
        ],
    });
    assert_eq!(outcome.report(), expected);
    assert_eq!(effects(&clinic).await, [0; 3]);
    clinic.sql(&format!("UPDATE escalation_rules SET active = false WHERE id = {bad}")).await;
    escalate(&clinic, NOON).await.expect(0);
    // Before it is made active is when one wants to know.
    let report = clinic.run(&["escalation-rules", "check", "--as-of", NOON]).await.expect(3).report();
    assert_eq!((&report["rules"][0]["would_fire"], &report["rules"][1]["active"]), (&json!(0), &json!(false)));
    clinic.sql(&format!("UPDATE escalation_rules SET condition = '{{\"hours\": 1}}' WHERE id = {bad}")).await;
    let report = clinic.run(&["escalation-rules", "check", "--as-of", NOON]).await.expect(0).report();
    assert_eq!(report["rules"][1]["would_fire"], 3);
    let text = clinic.run(&["escalation-rules", "check", "--output", "text"]).await.expect(0).stdout;
    assert!(text.ends_with("2 rules, 0 wrong; 3 open tickets.\n"), "{text}");
}
