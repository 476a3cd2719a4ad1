//! `rounds escalate-tickets`: what each action does, writes and refuses.

use serde_json::{Value, json};

use super::escalate;
use crate::support::Clinic;
use crate::support::tickets::{TICKET, Ticket};

const NOON: &str = "2026-03-02T12:00:00Z";

/// A condition that holds for every open ticket.
fn always() -> (&'static str, Value) {
    ("no_response", json!({"hours": 0}))
}

/// The one history row.
async fn history(clinic: &Clinic) -> Value {
    clinic.json("SELECT action, actor_id, actor, details, created_at FROM ticket_history").await
}

/// The users who were told, in order, and in which words.
async fn told(clinic: &Clinic) -> Vec<(i64, String)> {
    let query = "SELECT n(recipient_id), concat_ws('|', channel, type, title, body) FROM notifications ORDER BY 1";
    clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn the_leaders_of_the_team_are_told() {
    let clinic = Clinic::new().await;
    let (team, leader, _) = clinic.team().await;
    let second = clinic.agent().await;
    let gone = clinic.agent().await;
    clinic
        .sql(&format!(
            "INSERT INTO team_members VALUES ({team}, {second}, true), ({team}, {gone}, true);
             UPDATE users SET active = false WHERE id = {gone};
             INSERT INTO users (name, role) VALUES ('M', 'MANAGER')"
        ))
        .await;
    let rule = clinic.rule(always(), ("notify_manager", json!({"message": "Look at it."}))).await;
    let ticket = clinic.ticket(Ticket { team: Some(team), ..TICKET }).await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("notifications"), 2);
    let words = "IN_APP|TICKET_ESCALATED|Ticket #T1 escalated|Look at it.".to_owned();
    assert_eq!(told(&clinic).await, [(leader, words.clone()), (second, words)]);
    let expected = json!({
        "action": "escalation_executed",
        "actor_id": null,
        "actor": "system",
        "details": {"ruleId": rule.to_string(), "condition": "no_response", "action": "notify_manager", "notified": 2},
        "created_at": "2026-03-02T12:00:00+00:00",
    });
    assert_eq!(history(&clinic).await, expected);
    let notice = clinic.json("SELECT DISTINCT priority, entity, entity_id, metadata FROM notifications").await;
    let metadata = json!({"ticket_id": ticket.to_string(), "rule_id": rule.to_string()});
    assert_eq!(
        notice,
        json!({"priority": "NORMAL", "entity": "ticket", "entity_id": ticket.to_string(), "metadata": metadata})
    );
}

#[tokio::test]
async fn without_a_leader_the_managers_are_told_and_without_those_nobody() {
    let clinic = Clinic::new().await;
    let (facility, other) =
        (clinic.facility("America/Denver", None).await, clinic.facility("America/New_York", None).await);
    let (team, leader, _) = clinic.team().await;
    clinic.sql(&format!("UPDATE users SET active = false WHERE id = {leader}")).await;
    clinic.rule(always(), ("notify_manager", json!({"message": "m"}))).await;
    let ticket = clinic.ticket(Ticket { team: Some(team), ..TICKET }).await;
    clinic.sql(&format!("UPDATE tickets SET facility_id = {facility} WHERE id = {ticket}")).await;
    let report = escalate(&clinic, NOON).await.expect(3).report();
    assert_eq!([&report["executed"], &report["undeliverable"], &report["notifications"]], [1, 1, 0]);
    let (manager, admin) = (clinic.user(facility, "MANAGER").await, clinic.user(facility, "HOSPITAL_ADMIN").await);
    clinic.user(other, "MANAGER").await;
    clinic.user(facility, "SUPERVISOR").await;
    clinic.sql("DELETE FROM escalation_episodes").await;
    let report = escalate(&clinic, NOON).await.expect(0).report();
    assert_eq!([&report["undeliverable"], &report["notifications"]], [0, 2]);
    assert_eq!(told(&clinic).await.iter().map(|told| told.0).collect::<Vec<_>>(), [manager, admin]);
}

#[tokio::test]
async fn a_ticket_is_given_to_a_user_or_a_team() {
    let clinic = Clinic::new().await;
    let (team, leader, member) = clinic.team().await;
    let (other, stranger, _) = clinic.team().await;
    // (team and assignee before, the action, both after, or why not)
    let cases = [
        (None, None, json!({"userId": member}), Ok((None, Some(member)))),
        (None, None, json!({"teamId": team}), Ok((Some(team), None))),
        (Some(team), Some(leader), json!({"userId": member}), Ok((Some(team), Some(member)))),
        (Some(other), Some(stranger), json!({"teamId": team}), Ok((Some(team), None))),
        (Some(other), Some(member), json!({"teamId": team}), Ok((Some(team), Some(member)))),
        (Some(other), None, json!({"userId": member, "teamId": team}), Ok((Some(team), Some(member)))),
        (Some(team), None, json!({"userId": stranger}), Err(format!("user {stranger} does not belong to team {team}"))),
        (
            None,
            None,
            json!({"userId": stranger, "teamId": team}),
            Err(format!("user {stranger} does not belong to team {team}")),
        ),
        (None, None, json!({"userId": 4711}), Err("user 4711 does not exist or is not active".into())),
        (None, None, json!({"teamId": 4711}), Err("team 4711 does not exist or is not active".into())),
    ];
    let text = |id: Option<i64>| id.map(|id| id.to_string());
    for (team, assignee, action, expected) in cases {
        clinic.sql("TRUNCATE ticket_history, escalation_episodes, tickets, escalation_rules CASCADE").await;
        let rule = clinic.rule(always(), ("reassign_ticket", action.clone())).await;
        let ticket = clinic.ticket(Ticket { team, assignee, ..TICKET }).await;
        // A dry run says why, too: the row of the history that says it is rolled back.
        let dry = clinic.run(&["escalate-tickets", "--as-of", NOON, "--dry-run"]).await;
        if let Err(reason) = &expected {
            assert_eq!(dry.report()["errors"][0]["message"], json!(reason));
            assert!(dry.stderr.contains(reason.as_str()) && !dry.stderr.contains("ticket_history"), "{dry:?}");
        }
        let outcome = escalate(&clinic, NOON).await.expect(if expected.is_ok() { 0 } else { 3 });
        let now = clinic.row("SELECT team_id, assignee_id FROM tickets", &[]).await;
        let (history, after) = (history(&clinic).await, (now.get(0), now.get(1)));
        match expected {
            Ok(expected) => {
                assert_eq!(after, expected, "{action}");
                assert_eq!(
                    history["details"]["to"],
                    json!({"teamId": text(after.0), "userId": text(after.1)}),
                    "{action}"
                );
            }
            Err(reason) => {
                assert_eq!(after, (team, assignee), "{action}");
                assert_eq!(
                    (&history["action"], &history["details"]["reason"]),
                    (&json!("escalation_failed"), &json!(reason))
                );
                assert_eq!(
                    outcome.report()["errors"],
                    json!([{"entity": "ticket", "id": ticket.to_string(), "code": format!("RULE_{rule}_REFUSED"),
                            "message": reason}])
                );
                assert!(outcome.stderr.contains(reason.as_str()), "the warning says why: {outcome:?}");
                let again = escalate(&clinic, NOON).await.expect(0).report();
                assert_eq!(again["skipped_by_reason"], json!({"refused": 1}), "told once an episode, too");
                let recorded = clinic.json("SELECT message FROM cron_job_run_errors ORDER BY id DESC LIMIT 1").await;
                assert_eq!(recorded["message"], reason);
                let check = clinic.run(&["escalation-rules", "check"]).await.report();
                let wrong = check["rules"][0]["wrong"].as_str().unwrap_or_default();
                assert_eq!(wrong.is_empty(), reason.contains("does not belong"), "{check}: without a ticket");
            }
        }
    }
}

#[tokio::test]
async fn a_rule_that_is_repaired_or_changed_fires_anew() {
    let clinic = Clinic::new().await;
    let (_, leader, member) = clinic.team().await;
    clinic.rule(always(), ("reassign_ticket", json!({"userId": 4711}))).await;
    clinic.ticket(TICKET).await;
    escalate(&clinic, NOON).await.expect(3);
    for user in [leader, member] {
        clinic.sql(&format!("UPDATE escalation_rules SET action = '{{\"userId\": {user}}}'")).await;
        for executed in [1, 0] {
            assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), executed, "user {user}");
        }
        assert_eq!(clinic.count("SELECT assignee_id FROM tickets").await, user);
    }
    clinic.sql("UPDATE escalation_rules SET name = 'another', position = 7").await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 0, "it does the same as before");
}

#[tokio::test]
async fn nobody_who_is_not_active_gets_a_ticket() {
    let clinic = Clinic::new().await;
    let (team, leader, _) = clinic.team().await;
    clinic.sql(&format!("UPDATE users SET active = false WHERE id = {leader}; UPDATE teams SET active = false")).await;
    for action in [json!({"userId": leader}), json!({"teamId": team})] {
        clinic.rule(always(), ("reassign_ticket", action)).await;
    }
    clinic.ticket(TICKET).await;
    assert_eq!(escalate(&clinic, NOON).await.expect(3).count("failed"), 2);
}

#[tokio::test]
async fn a_priority_goes_up_one_step_and_its_date_with_it() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO sla_policies (priority, resolution_minutes, active, created_at) VALUES
                 ('MEDIUM', 600, true, '2026-01-01'), ('HIGH', 120, true, '2026-01-01'), ('HIGH', 90, true, '2026-01-02'),
                 ('HIGH', 10, false, '2026-01-03')",
        )
        .await;
    clinic.rule(always(), ("increase_priority", json!({}))).await;
    let dated = |priority| Ticket { priority, due: Some("2026-03-05T00:00:00Z"), ..TICKET };
    for ticket in
        [dated("LOW"), dated("MEDIUM"), dated("HIGH"), dated("URGENT"), Ticket { due: None, ..dated("MEDIUM") }]
    {
        clinic.ticket(ticket).await;
    }
    clinic.sql("UPDATE tickets SET custom_sla_due_at = '2026-03-04T00:00:00Z' WHERE id = 1").await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 5);
    let rows = clinic.rows("SELECT priority, sla_due_at::text, custom_sla_due_at::text FROM tickets ORDER BY id").await;
    let rows: Vec<(String, Option<String>, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let row = |priority: &str, due: Option<&str>, custom: Option<&str>| {
        (priority.to_owned(), due.map(str::to_owned), custom.map(str::to_owned))
    };
    let expected = [
        row("MEDIUM", Some("2026-03-02 10:00:00+00"), Some("2026-03-04 00:00:00+00")),
        // By the newest active policy.
        row("HIGH", Some("2026-03-02 01:30:00+00"), None),
        // No policy says otherwise.
        row("URGENT", Some("2026-03-05 00:00:00+00"), None),
        row("URGENT", Some("2026-03-05 00:00:00+00"), None),
        // Computed, and so not stored.
        row("HIGH", None, None),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_higher_priority_never_gives_a_ticket_more_time() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('LOW', 60), ('MEDIUM', 120), ('HIGH', 30)",
        )
        .await;
    clinic.rule(always(), ("increase_priority", json!({}))).await;
    // (priority and date before; the date after)
    let cases = [
        ("LOW", Some("2026-03-02 01:30:00+00"), Some("2026-03-02 01:30:00+00")),
        ("LOW", Some("2026-03-02 02:30:00+00"), Some("2026-03-02 02:00:00+00")),
        ("LOW", Some("infinity"), Some("2026-03-02 02:00:00+00")),
        ("LOW", Some("-infinity"), Some("-infinity")),
        // The date by the policies would be later, and would be none; so that of before is kept.
        ("LOW", None, Some("2026-03-02 01:00:00+00")),
        ("HIGH", None, Some("2026-03-02 00:30:00+00")),
        ("MEDIUM", None, None),
        ("URGENT", None, None),
    ];
    for (priority, due, _) in cases {
        clinic.ticket(Ticket { priority, due, ..TICKET }).await;
    }
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 8);
    let rows = clinic.rows("SELECT sla_due_at::text FROM tickets ORDER BY id").await;
    let after: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(after, cases.map(|(_, _, after)| after.map(str::to_owned)));
}

#[tokio::test]
async fn the_leader_of_a_team_out_of_use_is_not_told_and_nobody_keeps_a_ticket_who_has_left() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/Denver", None).await;
    let (team, leader, member) = clinic.team().await;
    let manager = clinic.user(facility, "MANAGER").await;
    clinic.rule(always(), ("notify_manager", json!({"message": "m"}))).await;
    let ticket = clinic.ticket(Ticket { team: Some(team), assignee: Some(member), ..TICKET }).await;
    clinic.sql(&format!("UPDATE tickets SET facility_id = {facility} WHERE id = {ticket}")).await;
    for (active, expected) in [("true", leader), ("false", manager)] {
        clinic.sql(&format!("TRUNCATE notifications, escalation_episodes; UPDATE teams SET active = {active}")).await;
        escalate(&clinic, NOON).await.expect(0);
        assert_eq!(told(&clinic).await.iter().map(|told| told.0).collect::<Vec<_>>(), [expected], "active: {active}");
    }
    clinic.sql(&format!("UPDATE users SET active = id <> {member}; UPDATE teams SET active = true")).await;
    clinic.rule(always(), ("reassign_ticket", json!({"teamId": team}))).await;
    escalate(&clinic, NOON).await.expect(0);
    let kept = clinic.json("SELECT team_id, assignee_id FROM tickets").await;
    assert_eq!(kept, json!({"team_id": team, "assignee_id": null}));
}

#[tokio::test]
async fn followers_are_added_all_or_none() {
    let clinic = Clinic::new().await;
    let (first, second, gone) = (clinic.agent().await, clinic.agent().await, clinic.agent().await);
    clinic.sql(&format!("UPDATE users SET active = false WHERE id = {gone}")).await;
    clinic.rule(always(), ("add_follower", json!({"userIds": [first, second, first]}))).await;
    clinic.rule(always(), ("add_follower", json!({"userIds": [second, gone, 4711]}))).await;
    let ticket = clinic.ticket(TICKET).await;
    clinic.sql(&format!("INSERT INTO ticket_followers VALUES ({ticket}, {first})")).await;
    let report = escalate(&clinic, NOON).await.expect(3).report();
    assert_eq!([&report["executed"], &report["failed"]], [1, 1]);
    let followers = clinic.json("SELECT array_agg(user_id ORDER BY user_id) AS u FROM ticket_followers").await;
    assert_eq!(followers["u"], json!([first, second]));
    let reason =
        clinic.json("SELECT details ->> 'reason' AS r FROM ticket_history WHERE action = 'escalation_failed'").await;
    assert_eq!(reason["r"], format!("not there or not active: users {gone}, 4711"));
}

#[tokio::test]
async fn an_email_is_staged_for_each_address_of_the_rule() {
    let clinic = Clinic::new().await;
    let email =
        json!({"recipients": ["a@example.org", "CANARY@example.org", "a@example.org"], "subject": "s", "message": "m"});
    clinic.rule(always(), ("send_email", email)).await;
    for _ in 0..2 {
        clinic.ticket(TICKET).await;
    }
    let outcome = escalate(&clinic, NOON).await.expect(0);
    assert_eq!(outcome.count("notifications"), 4);
    let staged = clinic
        .json(
            "SELECT jsonb_agg(jsonb_build_array(recipient_kind, address, channel, status, title, body) ORDER BY id) AS n
             FROM notifications WHERE entity_id = '1'",
        )
        .await;
    let row = |address: &str| json!(["ADDRESS", address, "EMAIL", "PENDING", "s (ticket #T1)", "m"]);
    assert_eq!(staged["n"], json!([row("a@example.org"), row("CANARY@example.org")]));
    let kept = clinic.json(
        "SELECT jsonb_agg(details) AS d, (SELECT jsonb_agg(dedupe_key) FROM notifications) AS k FROM ticket_history",
    );
    let kept = kept.await.to_string();
    assert!(!format!("{outcome:?}{kept}").contains("CANARY"), "{outcome:?}{kept}");
}
