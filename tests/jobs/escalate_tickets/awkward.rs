//! `rounds escalate-tickets` where the clinic's columns hold what the reference set forbids: the rest is done.

use serde_json::{Value, json};

use super::{NOON, escalate, follow};
use crate::support::Clinic;
use crate::support::tickets::{TICKET, Ticket};

/// The tickets for which rules have fired, in order.
async fn fired_for(clinic: &Clinic) -> Value {
    clinic.json("SELECT array_agg(n(ticket_id) ORDER BY n(ticket_id)) AS t FROM escalation_episodes").await["t"].clone()
}

#[tokio::test]
async fn a_ticket_that_cannot_be_judged_leaves_the_others_untouched() {
    let conditions = [
        ("sla_breach", json!({"thresholdHours": 1})),
        ("time_in_status", json!({"status": "OPEN", "hours": 1})),
        ("priority_level", json!({"priorities": ["MEDIUM"]})),
        ("no_response", json!({"hours": 1})),
        ("customer_rating", json!({"rating": 3, "operator": "<"})),
    ];
    for condition in conditions {
        let clinic = Clinic::new().await;
        clinic
            .sql(
                "ALTER TABLE tickets DROP CONSTRAINT tickets_priority_check, DROP CONSTRAINT tickets_status_check,
                     DROP CONSTRAINT tickets_customer_rating_check, ALTER priority DROP NOT NULL,
                     ALTER status DROP NOT NULL, ALTER created_at DROP NOT NULL, ALTER number DROP NOT NULL,
                     ALTER customer_rating TYPE bigint",
            )
            .await;
        let action = follow(&clinic).await;
        clinic.rule((condition.0, condition.1.clone()), action).await;
        let due = Ticket { due: Some("2026-03-02T01:00:00Z"), rating: Some(1), ..TICKET };
        let odd = "status = NULL;status_changed_at = NULL, priority = 'P1', created_at = NULL, sla_due_at = NULL,
                   customer_rating = NULL;status_changed_at = 'infinity', priority = NULL, created_at = 'infinity',
                   sla_due_at = 'infinity', customer_rating = 9223372036854775807, number = NULL";
        for changes in odd.split(';') {
            let ticket = clinic.ticket(due).await;
            clinic.sql(&format!("UPDATE tickets SET {changes} WHERE id = {ticket}")).await;
        }
        let sound = clinic.ticket(due).await;
        let outcome = escalate(&clinic, NOON).await.expect(0);
        assert_eq!((outcome.count("executed"), fired_for(&clinic).await), (1, json!([sound])), "{condition:?}");
        // Of one that was judged and cannot be judged any more, the episode ends.
        clinic.sql(&format!("UPDATE tickets SET {} WHERE id = {sound}", odd.split(';').nth(1).expect("three"))).await;
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), 1, "{condition:?}");
    }
}

#[tokio::test]
async fn a_status_whose_beginning_is_not_known_has_not_lasted() {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    clinic.rule(("time_in_status", json!({"status": "OPEN", "hours": 0})), action).await;
    for _ in 0..2 {
        clinic.ticket(TICKET).await;
    }
    clinic.sql("UPDATE tickets SET status_changed_at = NULL WHERE id = 1").await;
    escalate(&clinic, NOON).await.expect(0);
    assert_eq!(fired_for(&clinic).await, json!([2]));
}

#[tokio::test]
async fn a_priority_that_is_none_of_the_four_stays() {
    let clinic = Clinic::new().await;
    clinic.sql("ALTER TABLE tickets DROP CONSTRAINT tickets_priority_check, ALTER priority DROP NOT NULL").await;
    clinic.rule(("no_response", json!({"hours": 0})), ("increase_priority", json!({}))).await;
    for priority in ["P1", "LOW", "HIGH"] {
        clinic.ticket(Ticket { priority, ..TICKET }).await;
    }
    clinic.ticket(TICKET).await;
    clinic.sql("UPDATE tickets SET priority = NULL WHERE id = 4").await;
    assert_eq!(escalate(&clinic, NOON).await.expect(0).count("executed"), 4);
    let after = clinic.json("SELECT array_agg(priority ORDER BY id) AS p FROM tickets").await;
    assert_eq!(after["p"], json!(["P1", "MEDIUM", "URGENT", null]));
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_named_where_a_rule_needs_it() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "ALTER TABLE sla_policies DROP CONSTRAINT sla_policies_resolution_minutes_check,
                 ALTER resolution_minutes TYPE bigint, ALTER resolution_minutes DROP NOT NULL,
                 ALTER created_at DROP NOT NULL;
             INSERT INTO sla_policies (priority, resolution_minutes, created_at) VALUES
                 ('LOW', 60, '2026-01-01'), ('LOW', 5, NULL), ('MEDIUM', 60, '2026-01-01'),
                 ('MEDIUM', 9223372036854775807, '2026-01-02'), ('HIGH', NULL, '2026-01-01')",
        )
        .await;
    for priority in ["LOW", "MEDIUM", "HIGH"] {
        clinic.ticket(Ticket { priority, ..TICKET }).await;
    }
    let action = follow(&clinic).await;
    clinic.rule(("priority_level", json!({"priorities": ["URGENT"]})), action.clone()).await;
    escalate(&clinic, NOON).await.expect(0);
    clinic.rule(("sla_breach", json!({"thresholdHours": 10.9})), action).await;
    let outcome = escalate(&clinic, NOON).await.expect(3);
    let named = |id| json!({"entity": "sla_policy", "id": id, "code": "UNREADABLE_POLICY"});
    assert_eq!(outcome.report()["errors"], json!([named("4"), named("5")]));
    assert_eq!((outcome.count("executed"), fired_for(&clinic).await), (1, json!([1])));
}

#[tokio::test]
async fn rules_in_columns_of_other_types_are_read_and_those_that_cannot_be_are_named() {
    for column_type in ["json", "jsonb"] {
        let clinic = Clinic::new().await;
        let action = follow(&clinic).await;
        clinic
            .sql(&format!(
                "ALTER TABLE escalation_rules DROP CONSTRAINT escalation_rules_cooldown_hours_check,
                     ALTER condition DROP DEFAULT, ALTER action DROP DEFAULT, ALTER condition DROP NOT NULL,
                     ALTER condition_type DROP NOT NULL, ALTER active DROP NOT NULL, ALTER position DROP NOT NULL,
                     ALTER condition TYPE {column_type} USING condition::text::{column_type},
                     ALTER action TYPE {column_type} USING action::text::{column_type},
                     ALTER cooldown_hours TYPE numeric, ALTER position TYPE smallint"
            ))
            .await;
        let insert = format!(
            "INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action)
             SELECT 'R', n, 'no_response', '{{\"hours\":  1}}', '{}', '{}' FROM generate_series(1, 9) n",
            action.0, action.1
        );
        clinic.sql(&insert).await;
        // A json column takes what no jsonb can be made of.
        let garbage = if column_type == "json" { r#"{"hours": "\u0000"}"# } else { r#"{"hours": 1e400}"# };
        let message = if column_type == "json" { "a\\u0000" } else { " " };
        clinic
            .sql(&format!(
                "UPDATE escalation_rules SET condition = '{garbage}' WHERE id = 1;
                 UPDATE escalation_rules SET condition = NULL WHERE id = 2;
                 UPDATE escalation_rules SET condition_type = NULL WHERE id = 3;
                 UPDATE escalation_rules SET cooldown_hours = '1e400' WHERE id = 4;
                 UPDATE escalation_rules SET cooldown_hours = 'NaN' WHERE id = 5;
                 UPDATE escalation_rules SET action_type = 'notify_manager', action = '{{\"message\": \"{message}\"}}'
                     WHERE id = 6;
                 UPDATE escalation_rules SET active = NULL WHERE id = 7;
                 UPDATE escalation_rules SET position = NULL, cooldown_hours = 0.25 WHERE id = 8"
            ))
            .await;
        let ticket = clinic.ticket(TICKET).await;
        let outcome = escalate(&clinic, NOON).await.expect(3);
        let report = outcome.report();
        let ids: Vec<&Value> = report["errors"].as_array().expect("a list").iter().map(|error| &error["id"]).collect();
        assert_eq!(ids, ["1", "2", "3", "4", "5", "6"], "{column_type}");
        let rules = clinic.json("SELECT array_agg(n(rule_id) ORDER BY n(rule_id)) AS r FROM escalation_episodes").await;
        assert_eq!((outcome.count("executed"), &rules["r"]), (2, &json!([8, 9])), "{column_type} {ticket}");
        assert_eq!(escalate(&clinic, NOON).await.expect(3).count("executed"), 0, "{column_type}: the same definition");
        let later = escalate(&clinic, "2026-03-02T12:15:00Z").await.expect(3);
        assert_eq!(later.count("executed"), 1, "{column_type}: after the cooldown");
    }
}
