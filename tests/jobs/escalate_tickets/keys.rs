//! `rounds escalate-tickets` on keys of each kind: every condition and every action, ids in rules that are no keys, and
//! episodes of what is gone.

use serde_json::{Value, json};

use super::{NOON, escalate, fired};
use crate::support::Clinic;
use crate::support::keys::Kind;
use crate::support::tickets::{TICKET, Ticket};

fn always() -> (&'static str, Value) {
    ("no_response", json!({"hours": 0}))
}

async fn episodes(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM escalation_episodes").await
}

#[tokio::test]
async fn every_condition_is_judged_on_keys_of_each_kind() {
    let late = Some("2026-03-02T10:00:00Z");
    // A ticket for which the condition holds; TICKET is one for which it does not.
    let cases = [
        ("sla_breach", json!({"thresholdHours": 2}), Ticket { due: Some("2026-03-02T09:59:59Z"), ..TICKET }),
        ("sla_breach", json!({"thresholdHours": 1}), Ticket { priority: "HIGH", ..TICKET }),
        ("time_in_status", json!({"status": "WAITING", "hours": 12}), Ticket { status: "WAITING", ..TICKET }),
        ("priority_level", json!({"priorities": ["URGENT"]}), Ticket { priority: "URGENT", ..TICKET }),
        ("no_response", json!({"hours": 13}), Ticket { created: "2026-03-01T23:00:00Z", ..TICKET }),
        ("customer_rating", json!({"rating": 2, "operator": "<="}), Ticket { rating: Some(2), ..TICKET }),
    ];
    for kind in Kind::ALL {
        for (condition, json, ticket) in &cases {
            let clinic = Clinic::of(kind).await;
            let user = clinic.agent().await;
            clinic.sql("INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('HIGH', 600)").await;
            let action = ("add_follower", json!({"userIds": [kind.text(user)]}));
            let rule = clinic.rule((condition, json.clone()), action).await;
            let holds = clinic.ticket(*ticket).await;
            clinic.ticket(Ticket { due: late.filter(|_| *condition != "sla_breach"), ..TICKET }).await;
            let what = format!("{kind:?} {condition}");
            assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 1, "{what}");
            let episode = clinic.json("SELECT rule_id, ticket_id FROM escalation_episodes").await;
            assert_eq!(episode, json!({"rule_id": kind.text(rule), "ticket_id": kind.text(holds)}), "{what}");
            assert_eq!(escalate(&clinic, NOON).await.expect(0).count("scanned"), 0, "{what}");
            clinic.sql("UPDATE tickets SET status = 'CLOSED'").await;
            assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), 1, "{what}");
        }
    }
}

#[tokio::test]
async fn every_action_works_on_keys_of_each_kind() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (team, leader, member) = clinic.team().await;
        let id = |number| kind.text(number);
        clinic.sql("INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('HIGH', 120), ('MEDIUM', 5)").await;
        for action in [
            ("reassign_ticket", json!({"teamId": id(team), "userId": id(member)})),
            ("notify_manager", json!({"message": "m"})),
            ("increase_priority", json!({})),
            ("add_follower", json!({"userIds": [id(leader), id(member), id(leader)]})),
            ("send_email", json!({"recipients": ["a@example.org"], "subject": "s", "message": "m"})),
        ] {
            clinic.rule(always(), action).await;
        }
        clinic.ticket(Ticket { due: Some("2026-03-05T00:00:00Z"), ..TICKET }).await;
        let report = escalate(&clinic, NOON).await.expect(0).report();
        assert_eq!([&report["executed"], &report["notifications"]], [5, 2], "{kind:?} {report}");
        let ticket = "SELECT n(team_id) AS team, n(assignee_id) AS assignee, priority, sla_due_at::text,
                             (SELECT array_agg(n(user_id) ORDER BY user_id) FROM ticket_followers) AS followers
                      FROM tickets";
        let ticket = clinic.json(ticket).await;
        assert!(ticket["sla_due_at"].as_str().expect("a date").starts_with("2026-03-02 02:00:00"), "{kind:?} {ticket}");
        let after = [&ticket["team"], &ticket["assignee"], &ticket["priority"], &ticket["followers"]];
        assert_eq!(after, [&json!(team), &json!(member), &json!("HIGH"), &json!([leader, member])], "{kind:?}");
        let details = clinic.json("SELECT jsonb_agg(details ORDER BY id) AS d FROM ticket_history").await;
        let from = json!({"userId": null, "teamId": null});
        let to = json!({"userId": id(member), "teamId": id(team)});
        assert_eq!((&details["d"][0]["from"], &details["d"][0]["to"]), (&from, &to), "{kind:?}");
        assert_eq!(details["d"][3]["userIds"], json!([id(leader), id(member)]), "{kind:?}");
        let told = clinic.json("SELECT recipient_id, metadata FROM notifications WHERE channel = 'IN_APP'").await;
        let expected = json!({"recipient_id": id(leader), "metadata": {"ticket_id": id(1), "rule_id": id(2)}});
        assert_eq!(told, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_no_key_refuses_its_rule_and_no_other() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (_, leader, _) = clinic.team().await;
        let mut refused = vec![];
        for name in [json!("x'y\"z"), json!(u64::MAX), json!("{1}"), json!(" NULL ")] {
            let shown = name.as_str().map_or(name.to_string(), |name| name.trim().to_owned());
            refused.push(format!("user {shown} does not exist or is not active"));
            clinic.rule(always(), ("reassign_ticket", json!({"userId": name}))).await;
            refused.push(format!("team {shown} does not exist or is not active"));
            clinic.rule(always(), ("reassign_ticket", json!({"teamId": name}))).await;
            refused.push(format!("not there or not active: users {shown}"));
            clinic.rule(always(), ("add_follower", json!({"userIds": [kind.text(leader), name]}))).await;
        }
        let good = clinic.rule(always(), ("reassign_ticket", json!({"userId": kind.text(leader)}))).await;
        clinic.ticket(TICKET).await;
        let check = clinic.run(&["escalation-rules", "check"]).await.expect(3).report();
        assert_eq!(check["wrong"], refused.len(), "{kind:?} {check}");
        let dry = clinic.run(&["escalate-tickets", "--as-of", NOON, "--dry-run"]).await.expect(3);
        let report = escalate(&clinic, NOON).await.expect(3).report();
        for report in [&dry.report(), &report] {
            assert_eq!([&report["executed"], &report["failed"]], [&json!(1), &json!(refused.len())], "{kind:?}");
        }
        let query = "SELECT jsonb_agg(details -> 'reason' ORDER BY id) AS r FROM ticket_history
                     WHERE action = 'escalation_failed'";
        assert_eq!(clinic.json(query).await["r"], json!(refused), "{kind:?}");
        let done = "SELECT details ->> 'ruleId' AS rule FROM ticket_history WHERE action = 'escalation_executed'";
        assert_eq!(clinic.json(done).await["rule"], kind.text(good), "{kind:?}");
        assert_eq!(clinic.count("SELECT count(*) FROM ticket_followers").await, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn an_id_in_another_form_names_the_same_user() {
    let clinic = Clinic::of(Kind::Uuid).await;
    clinic
        .sql("INSERT INTO users (id, name, role) VALUES ('abcdefab-0000-4000-8000-000000000001', 'U', 'AGENT')")
        .await;
    let forms = ["ABCDEFAB-0000-4000-8000-000000000001", "{abcdefab000040008000000000000001}"];
    clinic.rule(always(), ("add_follower", json!({"userIds": forms}))).await;
    clinic.rule(always(), ("reassign_ticket", json!({"userId": forms[0]}))).await;
    clinic.ticket(TICKET).await;
    clinic.run(&["escalation-rules", "check"]).await.expect(0);
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 2);
    let details = clinic.json("SELECT jsonb_agg(details ORDER BY id) AS d FROM ticket_history").await;
    let canonical = "abcdefab-0000-4000-8000-000000000001";
    assert_eq!(details["d"][0]["userIds"], json!([canonical]));
    assert_eq!(details["d"][1]["to"]["userId"], canonical);
    // In a bigint, zeros before a number.
    let clinic = Clinic::new().await;
    let user = clinic.agent().await;
    clinic.rule(always(), ("add_follower", json!({"userIds": [format!("00{user}")]}))).await;
    clinic.ticket(TICKET).await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 1);
}

#[tokio::test]
async fn an_episode_whose_ticket_or_rule_is_gone_ends_at_the_next_run() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let user = clinic.agent().await;
        let action = ("add_follower", json!({"userIds": [kind.text(user)]}));
        let rules = [clinic.rule(always(), action.clone()).await, clinic.rule(always(), action.clone()).await];
        let off = clinic.rule(always(), action).await;
        let tickets = [clinic.ticket(TICKET).await, clinic.ticket(TICKET).await];
        escalate(&clinic, NOON).await.expect(0);
        assert_eq!(episodes(&clinic).await, 6, "{kind:?}");
        // The application asks nobody. A rule that is out of use forgets the episodes of tickets that are there, too.
        clinic
            .sql(&format!(
                "DELETE FROM ticket_followers WHERE ticket_id = k({0}); DELETE FROM tickets WHERE id = k({0});
                 DELETE FROM escalation_rules WHERE id = k({1});
                 UPDATE escalation_rules SET active = false WHERE id = k({off})",
                tickets[0], rules[0]
            ))
            .await;
        let dry = clinic.run(&["escalate-tickets", "--as-of", NOON, "--dry-run"]).await.expect(0).report();
        assert_eq!(episodes(&clinic).await, 6, "{kind:?}");
        let report = escalate(&clinic, NOON).await.expect(0).report();
        for report in [dry, report] {
            let counts = [&report["scanned"], &report["episodes_ended"], &report["executed"]];
            assert_eq!(counts, [5, 5, 0], "{kind:?} {report}");
        }
        let left = clinic.json("SELECT array_agg(n(rule_id) ORDER BY n(rule_id)) AS r FROM escalation_episodes").await;
        assert_eq!(left["r"], json!([rules[1]]), "{kind:?}");
        assert_eq!(fired(&clinic).await, 6, "{kind:?}: the evidence stays");
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("scanned"), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_ticket_whose_episode_is_due_to_end_may_be_deleted_at_that_moment() {
    let clinic = Clinic::new().await;
    let user = clinic.agent().await;
    let urgent = ("priority_level", json!({"priorities": ["URGENT"]}));
    clinic.rule(urgent, ("add_follower", json!({"userIds": [user]}))).await;
    for _ in 0..2 {
        clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    }
    escalate(&clinic, NOON).await.expect(0);
    clinic.sql("UPDATE tickets SET priority = 'LOW'; DELETE FROM ticket_followers").await;
    clinic.sql("BEGIN; DELETE FROM tickets WHERE id = 1").await;
    let report = escalate(&clinic, NOON).await.expect(0).report();
    assert_eq!((&report["episodes_ended"], &report["skipped_by_reason"]), (&json!(1), &json!({"locked": 1})));
    clinic.sql("COMMIT").await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), 1);
    assert_eq!(episodes(&clinic).await, 0);
}

#[tokio::test]
async fn a_ledger_that_is_older_than_the_type_of_the_keys_stops_nobody() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let user = clinic.agent().await;
        let rule = clinic.rule(always(), ("add_follower", json!({"userIds": [kind.text(user)]}))).await;
        let ticket = clinic.ticket(TICKET).await;
        escalate(&clinic, NOON).await.expect(0);
        let (ticket, rule) = (kind.text(ticket), kind.text(rule));
        clinic
            .sql(&format!(
                "INSERT INTO escalation_episodes (rule_id, ticket_id, definition, fired_at) VALUES
                     ('{rule}', 'cm4x', 'd', '2026-03-01'), ('{rule}', '99999999999999999999', 'd', '2026-03-01'),
                     ('cm4y', '{ticket}', 'd', '2026-03-01')"
            ))
            .await;
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), 3, "{kind:?}");
        assert_eq!(episodes(&clinic).await, 1, "{kind:?}");
        clinic.sql("UPDATE tickets SET status = 'CLOSED'").await;
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), 1, "{kind:?}");
    }
}
