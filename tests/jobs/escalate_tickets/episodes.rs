//! What an episode does when the action was refused, and when its rule is switched off.

use serde_json::{Value, json};

use super::{NOON, escalate, fired, follow};
use crate::support::program::finish;
use crate::support::tickets::{TICKET, Ticket};
use crate::support::{Clinic, gate};

/// How often a run recorded that an action was refused: in the history, and as a failed item.
async fn refusals(clinic: &Clinic) -> (i64, i64) {
    let history = clinic.count("SELECT count(*) FROM ticket_history WHERE action = 'escalation_failed'").await;
    (history, clinic.count("SELECT count(*) FROM cron_job_run_errors WHERE error_code LIKE 'RULE_%'").await)
}

/// What health says of refused items.
async fn refused(clinic: &Clinic) -> Value {
    let report = clinic.run(&["health", "escalate-tickets"]).await.report();
    report["jobs"][0]["refusedItems"].clone()
}

#[tokio::test]
async fn a_refused_action_is_tried_by_each_run_and_recorded_once_an_episode() {
    let clinic = Clinic::new().await;
    let (team, _, member) = clinic.team().await;
    let follower = clinic.agent().await;
    let urgent = || ("priority_level", json!({"priorities": ["URGENT"]}));
    clinic.rule(urgent(), ("reassign_ticket", json!({"userId": member, "teamId": team}))).await;
    clinic.rule(urgent(), ("add_follower", json!({"userIds": [follower]}))).await;
    clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    let off = |what: &str| format!("{what}; UPDATE users SET active = false WHERE id = {follower}");
    let on = format!("UPDATE users SET active = true; UPDATE teams SET active = true; DELETE FROM team_members
                      WHERE team_id = {team} AND user_id = {member}; INSERT INTO team_members VALUES ({team}, {member})");
    for (episode, refuse) in [
        format!("UPDATE users SET active = false WHERE id = {member}"),
        "UPDATE teams SET active = false".to_owned(),
        format!("DELETE FROM team_members WHERE user_id = {member}"),
    ]
    .iter()
    .enumerate()
    {
        let episode = episode as i64;
        clinic.sql(&off(refuse)).await;
        let report = escalate(&clinic, NOON).await.expect(3).report();
        assert_eq!([&report["failed"], &report["executed"], &report["scanned"]], [2, 0, 2], "{refuse}");
        for _ in 0..2 {
            let report = escalate(&clinic, NOON).await.expect(0).report();
            assert_eq!([&report["failed"], &report["executed"], &report["scanned"]], [0, 0, 2], "{refuse}");
            assert_eq!(report["skipped_by_reason"], json!({"refused": 2}), "{refuse}");
        }
        let dry = clinic.run(&["escalate-tickets", "--as-of", NOON, "--dry-run"]).await.expect(0).report();
        assert_eq!(dry["skipped_by_reason"], json!({"refused": 2}), "{refuse}");
        assert_eq!(refused(&clinic).await, json!({"count": 2, "byCode": {"RULE_1_REFUSED": 1, "RULE_2_REFUSED": 1}}));
        assert_eq!(refusals(&clinic).await, (2 * (episode + 1), 2 * (episode + 1)), "{refuse}");
        let check = clinic.run(&["escalation-rules", "check", "--as-of", NOON]).await.report();
        assert_eq!(check["rules"][0]["would_fire"], 1, "{refuse}: it would be tried");
        clinic.sql(&on).await;
        for executed in [2, 0] {
            assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), executed, "{refuse}");
        }
        assert_eq!(fired(&clinic).await, 2 * (episode + 1), "{refuse}");
        assert_eq!(refused(&clinic).await, json!({"count": 0, "byCode": {}}), "{refuse}");
        assert_eq!(clinic.count("SELECT assignee_id FROM tickets").await, member, "{refuse}");
        clinic.sql("UPDATE tickets SET priority = 'LOW', assignee_id = NULL, team_id = NULL").await;
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), 2, "{refuse}");
        clinic.sql("UPDATE tickets SET priority = 'URGENT'").await;
    }
}

#[tokio::test]
async fn a_refusal_after_a_cooldown_is_tried_again_too() {
    let clinic = Clinic::new().await;
    let follower = clinic.agent().await;
    let urgent = ("priority_level", json!({"priorities": ["URGENT"]}));
    clinic.rule(urgent, ("add_follower", json!({"userIds": [follower]}))).await;
    clinic.sql("UPDATE escalation_rules SET cooldown_hours = 1").await;
    clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    let active = async |active: bool| clinic.sql(&format!("UPDATE users SET active = {active}")).await;
    // (the time, whether the user is active; executed, failed, skipped)
    for (at, is_active, expected) in [
        ("12:00", true, [1, 0, 0]),
        ("12:30", false, [0, 0, 0]),
        ("13:00", false, [0, 1, 0]),
        ("13:01", false, [0, 0, 1]),
        ("13:02", true, [1, 0, 0]),
        // The cooldown counts from what was done.
        ("14:01", true, [0, 0, 0]),
        ("14:02", true, [1, 0, 0]),
    ] {
        active(is_active).await;
        let report = escalate(&clinic, &format!("2026-03-02T{at}:00Z")).await.report();
        assert_eq!(["executed", "failed", "skipped"].map(|key| report[key].clone()), expected, "{at}");
    }
}

#[tokio::test]
async fn what_was_refused_stops_nothing_else() {
    let clinic = Clinic::new().await;
    let follower = clinic.agent().await;
    clinic.sql(&format!("UPDATE users SET active = false WHERE id = {follower}")).await;
    let urgent = || ("priority_level", json!({"priorities": ["URGENT"]}));
    clinic.rule(urgent(), ("add_follower", json!({"userIds": [follower]}))).await;
    let other = follow(&clinic).await;
    clinic.rule(("priority_level", json!({"priorities": ["HIGH"]})), other).await;
    for _ in 0..5 {
        clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    }
    let run = async || clinic.run(&["escalate-tickets", "--as-of", NOON, "--max-items", "5"]).await;
    assert_eq!(run().await.expect(3).count("failed"), 5);
    // Behind them, as many as the brake allows; then more.
    for _ in 0..5 {
        clinic.ticket(Ticket { priority: "HIGH", ..TICKET }).await;
    }
    let report = run().await.expect(0).report();
    assert_eq!([&report["executed"], &report["skipped"]], [5, 5]);
    for _ in 0..6 {
        clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    }
    run().await.expect(5);
}

#[tokio::test]
async fn a_rule_that_is_switched_off_forgets_its_episodes() {
    let clinic = Clinic::new().await;
    let (action, other) = (follow(&clinic).await, follow(&clinic).await);
    let urgent = || ("priority_level", json!({"priorities": ["URGENT"]}));
    let rule = clinic.rule(urgent(), action).await;
    clinic.rule(urgent(), other).await;
    clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 2);
    let set = async |active: bool| {
        clinic.sql(&format!("UPDATE escalation_rules SET active = {active} WHERE id = {rule}")).await;
    };
    set(false).await;
    set(true).await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("scanned"), 0, "no run saw that it was off");
    set(false).await;
    let dry = clinic.run(&["escalate-tickets", "--as-of", NOON, "--dry-run"]).await.expect(0);
    for outcome in [dry, escalate(&clinic, NOON).await.expect(0)] {
        let report = outcome.report();
        assert_eq!([&report["episodes_ended"], &report["executed"], &report["scanned"]], [1, 0, 1]);
    }
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("scanned"), 0);
    set(true).await;
    for executed in [1, 0] {
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), executed);
    }
    assert_eq!(fired(&clinic).await, 3, "the other rule fired once");
}

#[tokio::test]
async fn what_a_rule_was_refused_is_forgotten_with_it() {
    let clinic = Clinic::new().await;
    let urgent = ("priority_level", json!({"priorities": ["URGENT"]}));
    clinic.rule(urgent, ("add_follower", json!({"userIds": [4711]}))).await;
    clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    escalate(&clinic, NOON).await.expect(3);
    for (active, exit) in [(false, 0), (true, 3), (true, 0)] {
        clinic.sql(&format!("UPDATE escalation_rules SET active = {active}")).await;
        escalate(&clinic, NOON).await.expect(exit);
    }
    assert_eq!(refusals(&clinic).await, (2, 2));
}

#[tokio::test]
async fn a_rule_that_is_switched_on_while_a_run_looks_keeps_its_episodes() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    let urgent = || ("priority_level", json!({"priorities": ["URGENT"]}));
    let rule = clinic.rule(urgent(), action.clone()).await;
    clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 1);
    // A malformed rule is recorded between the look for what is gone and its end: the run waits there.
    let malformed = clinic.rule(urgent(), ("add_follower", json!({}))).await;
    gate::build_for(&clinic, "cron_job_run_errors", "entity_id").await;
    gate::close(&clinic, malformed).await;
    clinic.sql(&format!("UPDATE escalation_rules SET active = false WHERE n(id) = {rule}")).await;
    let run = clinic.program.start(&["escalate-tickets", "--as-of", NOON]);
    gate::reached(&clinic).await;
    clinic.sql(&format!("UPDATE escalation_rules SET active = true WHERE n(id) = {rule}")).await;
    gate::open(&clinic).await;
    assert_eq!(finish(run).await.expect(3).count("episodes_ended"), 0);
    assert_eq!(escalate(&clinic, NOON).await.expect(3).count("executed"), 0, "it knows what it did before");
    assert_eq!(fired(&clinic).await, 1);
}

#[tokio::test]
async fn what_failed_of_a_ticket_is_told_though_more_failed_of_a_rule_with_its_id() {
    let clinic = Clinic::new().await;
    let ticket = clinic.ticket(TICKET).await;
    let id = clinic.kind.text(ticket);
    let action = follow(&clinic).await;
    clinic.rule(("priority_level", json!({"priorities": ["URGENT"]})), action).await;
    escalate(&clinic, NOON).await.expect(0);
    let failed = async |entity: &str, times: i64| {
        clinic
            .sql(&format!(
                "INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message)
                 SELECT r.id, '{entity}', '{id}', 'SAMPLE_' || n, 'of a {entity}'
                 FROM cron_job_runs r, generate_series(1, {times}) n"
            ))
            .await;
    };
    failed("ticket", 1).await;
    failed("escalation_rule", 25).await;
    let report = clinic.run(&["escalate-tickets", "--as-of", NOON, "--explain", &id]).await.expect(0).report();
    let told = report["explanation"].as_str().expect("a text");
    assert!(told.contains("it failed: of a ticket [SAMPLE_1]") && !told.contains("of a escalation_rule"), "{told}");
}
