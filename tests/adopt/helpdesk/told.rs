//! What the application goes on seeing: its own history and its own notices.

use serde_json::{Value, json};

use super::{NOBODY, helpdesk, rule, tickets, user};
use crate::support::Clinic;

const NOON: &str = "2026-03-02T12:00:00Z";

/// The application's history, with numbers for keys.
async fn history(clinic: &Clinic) -> Value {
    let query =
        "SELECT jsonb_agg(jsonb_build_array(n(\"ticketId\"), n(\"userId\"), action, \"fieldName\", \"oldValue\",
                            CASE WHEN \"fieldName\" IS NULL THEN \"newValue\"::jsonb ->> 'action'
                                 ELSE \"newValue\" END,
                            \"createdAt\") ORDER BY n(\"ticketId\"), \"newValue\") AS h FROM public.ticket_history";
    clinic.json(query).await["h"].clone()
}

/// The application's notices, with numbers for keys.
async fn notices(clinic: &Clinic) -> Value {
    let query = "SELECT jsonb_agg(jsonb_build_array(n(\"userId\"), type, title, message, n(\"ticketId\"), \"isRead\",
                                                    \"createdAt\") ORDER BY n(\"userId\"), n(\"ticketId\"), title) AS n
                 FROM public.notifications";
    clinic.json(query).await["n"].clone()
}

#[tokio::test]
async fn its_history_tells_what_was_done_and_by_whom() {
    let clinic = helpdesk().await;
    tickets(&clinic, 1).await;
    user(&clinic, 2).await;
    clinic.sql("INSERT INTO public.teams (id, name, \"updatedAt\") VALUES (k(5), 'T', '2026-03-02')").await;
    clinic
        .sql(
            "INSERT INTO public.roles (id, name, \"updatedAt\") VALUES (k(1), 'Admin/Manager', '2026-03-02');
             UPDATE public.users SET \"roleId\" = k(1), \"teamId\" = k(5) WHERE id = k(2)",
        )
        .await;
    let silent = ("no_response", json!({"hours": 1}));
    for action in [
        ("increase_priority", json!({})),
        ("reassign_ticket", json!({"userId": "k00000002"})),
        ("reassign_ticket", json!({"teamId": "k00000005"})),
        ("reassign_ticket", json!({"teamId": "k00000006"})),
        ("add_follower", json!({"userIds": ["k00000002"]})),
    ] {
        rule(&clinic, silent.clone(), action).await;
    }
    let run = ["escalate-tickets", "--as-of", NOON, "--actor", "k00000002"];
    assert_eq!(clinic.run(&run).await.expect(3).count("executed"), 4);
    let at = "2026-03-02T12:00:00";
    assert_eq!(
        history(&clinic).await,
        json!([
            [1, 2, "escalation_executed", "priority", "MEDIUM", "HIGH", at],
            [1, 2, "escalation_executed", "assignedTo", "k00000001", "k00000002", at],
            [1, 2, "escalation_executed", "teamId", null, "k00000005", at],
            [1, 2, "escalation_executed", null, null, "add_follower", at],
            [1, 2, "escalation_failed", null, null, "reassign_ticket", at],
        ])
    );
    // What nobody caused is of the user whom a person named.
    clinic.sql("DELETE FROM public.ticket_history; UPDATE public.tickets SET \"slaDueAt\" = '2026-03-02 11:00'").await;
    clinic.run(&["monitor-ticket-sla", "--as-of", NOON]).await.expect(0);
    assert_eq!(history(&clinic).await, json!([[1, NOBODY, "sla_status_checked", null, null, null, at]]));
    let told = clinic.json("SELECT \"newValue\"::jsonb ->> 'breachRisk' AS risk FROM public.ticket_history").await;
    assert_eq!(told["risk"], "high");
}

#[tokio::test]
async fn its_users_are_notified_in_the_application() {
    let clinic = helpdesk().await;
    tickets(&clinic, 1).await;
    for number in 2..=4 {
        user(&clinic, number).await;
    }
    clinic
        .sql(
            "UPDATE public.tickets SET \"createdBy\" = k(2), \"slaDueAt\" = '2026-03-02 11:59';
             INSERT INTO public.notification_preferences (id, \"userId\", \"inAppEnabled\", \"updatedAt\")
             VALUES (k(2), k(2), false, '2026-03-02');
             INSERT INTO public.roles (id, name, \"updatedAt\") VALUES (k(1), 'Admin/Manager', '2026-03-02');
             UPDATE public.users SET \"roleId\" = k(1) WHERE id IN (k(3), k(4));
             UPDATE public.users SET \"isDeleted\" = true WHERE id = k(4)",
        )
        .await;
    rule(&clinic, ("sla_breach", json!({"thresholdHours": 2})), ("notify_manager", json!({"message": "look"}))).await;
    clinic.run(&["monitor-ticket-sla", "--as-of", NOON]).await.expect(0);
    clinic.run(&["escalate-tickets", "--as-of", NOON]).await.expect(0);
    let at = "2026-03-02T12:00:00";
    let breached = "Ticket #1 has breached its SLA";
    // User 2 wants e-mails only: one waits in the outbox, and what is HIGH is in the application, too.
    let expected = json!([
        [1, "SLA_BREACH", "SLA breached", breached, 1, false, at],
        [2, "SLA_BREACH", "SLA breached", breached, 1, false, at],
        [3, "ESCALATION", "Ticket #1 escalated", "look", 1, false, at],
    ]);
    assert_eq!(notices(&clinic).await, expected);
    let waiting = "SELECT count(*) FROM notifications WHERE channel = 'EMAIL' AND n(recipient_id) = 2";
    assert_eq!(clinic.count(waiting).await, 1);
}

#[tokio::test]
async fn no_row_of_ours_makes_its_triggers_fail() {
    let clinic = helpdesk().await;
    tickets(&clinic, 1).await;
    // Tickets and users that are gone, notices of other kinds, and all of it in one statement.
    clinic
        .sql(
            "INSERT INTO rounds.ticket_history (ticket_id, action, actor_id, actor, details, created_at) VALUES
                 (k(4711), 'escalation_executed', NULL, 'system', '{}', '2026-03-02Z'),
                 (k(1), 'escalation_executed', k(4711), 'user', '{}', '2026-03-02Z'),
                 (k(1), 'escalation_executed', NULL, 'system', '[\"increase_priority\"]', '2026-03-02Z'),
                 (k(1), 'weather_changed', k(1), 'user', '{\"action\": \"increase_priority\"}', '2026-03-02Z');
             INSERT INTO rounds.notifications (recipient_kind, recipient_id, address, channel, type, title, body,
                                               entity, entity_id, dedupe_key, status, sent_at, created_at)
             SELECT kind, who, address, channel, type, 't', 'b', entity, entity_id, n::text, status,
                    CASE status WHEN 'SENT' THEN '2026-03-02Z'::timestamptz END, '2026-03-02Z'
             FROM (VALUES (1, 'USER', k(1), NULL, 'IN_APP', 'JOB_FAILING', 'job', 'prune', 'SENT'),
                          (2, 'USER', k(1), NULL, 'IN_APP', 'TICKET_SLA_AT_RISK', 'ticket', k(4711), 'SENT'),
                          (3, 'USER', k(4711), NULL, 'IN_APP', 'TICKET_ESCALATED', 'ticket', k(1), 'SENT'),
                          (4, 'USER', k(1), NULL, 'IN_APP', 'TICKET_ESCALATED', 'ticket', k(1), 'SUPPRESSED'),
                          (5, 'USER', k(1), NULL, 'EMAIL', 'TICKET_ESCALATED', 'ticket', k(1), 'SENT'),
                          (6, 'PATIENT', k(1), NULL, 'IN_APP', 'NO_SHOW', 'appointment', k(1), 'SENT'),
                          (7, 'ADDRESS', NULL, 'a@example.org', 'EMAIL', 'TICKET_ESCALATED', 'ticket', k(1), 'PENDING'),
                          (8, 'USER', k(1), NULL, 'IN_APP', 'TICKET_ESCALATED', 'alert', k(1), 'SENT'))
                  AS v (n, kind, who, address, channel, type, entity, entity_id, status)",
        )
        .await;
    let at = "2026-03-02T00:00:00";
    let told = "SELECT jsonb_agg(jsonb_build_array(n(\"userId\"), action, \"newValue\") ORDER BY action) AS h
                FROM public.ticket_history";
    assert_eq!(
        clinic.json(told).await["h"],
        json!([
            [NOBODY, "escalation_executed", "[\"increase_priority\"]"],
            [1, "weather_changed", "{\"action\": \"increase_priority\"}"],
        ])
    );
    let notice = |kind: &str| json!([1, kind, "t", "b", null, false, at]);
    let mut told = notices(&clinic).await.as_array().expect("a list").clone();
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, [notice("ESCALATION"), notice("ESCALATION"), notice("SLA_BREACH")]);
}
