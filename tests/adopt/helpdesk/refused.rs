//! What the application refuses, holds or takes away concerns one ticket alone.

use serde_json::{Value, json};

use super::{helpdesk, rule, tickets, user};
use crate::support::Clinic;
use crate::support::program::Outcome;

async fn escalate(clinic: &Clinic) -> Outcome {
    clinic.run(&["escalate-tickets", "--as-of", "2026-03-02T12:00:00Z", "--retry-refused"]).await
}

/// Five tickets of user 1 that are breached, and a rule that raises their priority.
async fn five() -> Clinic {
    let clinic = helpdesk().await;
    tickets(&clinic, 5).await;
    clinic.sql("UPDATE public.tickets SET \"slaDueAt\" = '2026-03-02 11:00'").await;
    rule(&clinic, ("no_response", json!({"hours": 1})), ("increase_priority", json!({}))).await;
    clinic
}

/// The errors of a report: id and code.
fn errors(outcome: &Outcome) -> Vec<(String, String)> {
    let report = outcome.report();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    report["errors"].as_array().into_iter().flatten().map(|error| (text(&error["id"]), text(&error["code"]))).collect()
}

fn only_third(code: &str) -> Vec<(String, String)> {
    vec![("k00000003".to_owned(), code.to_owned())]
}

#[tokio::test]
async fn an_assignee_that_may_not_be_null_is_refused_for_that_ticket_alone() {
    let clinic = helpdesk().await;
    tickets(&clinic, 5).await;
    let other = user(&clinic, 2).await;
    clinic
        .sql(&format!(
            "INSERT INTO public.teams (id, name, \"updatedAt\") VALUES (k(1), 'T', '2026-03-02');
             INSERT INTO public.team_leaders (id, \"userId\", \"teamId\", \"updatedAt\")
             VALUES (k(1), k(1), k(1), '2026-03-02');
             UPDATE public.tickets SET \"assignedTo\" = k({other}) WHERE id = k(3)"
        ))
        .await;
    // User 1 belongs to the team, as its leader, and user 2 does not.
    rule(&clinic, ("no_response", json!({"hours": 1})), ("reassign_ticket", json!({"teamId": "k00000001"}))).await;
    rule(&clinic, ("no_response", json!({"hours": 1})), ("add_follower", json!({"userIds": ["k00000001"]}))).await;
    for executed in [4 + 5, 0] {
        let outcome = escalate(&clinic).await.expect(3);
        assert_eq!((outcome.count("executed"), errors(&outcome)), (executed, only_third("23502")), "{outcome:?}");
    }
    let teams = clinic.json("SELECT array_agg(n(\"teamId\") ORDER BY id) AS t FROM public.tickets").await;
    assert_eq!(teams["t"], json!([1, 1, null, 1, 1]));
    // A rule that names a user needs no empty assignee.
    clinic
        .sql(
            "UPDATE public.escalation_rules
             SET \"actionConfig\" = '{\"teamId\": \"k00000001\", \"userId\": \"k00000001\"}' WHERE id = k(1)",
        )
        .await;
    let run = ["escalate-tickets", "--as-of", "2026-03-02T12:00:00Z"];
    assert_eq!(clinic.run(&run).await.expect(0).count("executed"), 5, "a changed rule does not wait");
    assert_eq!(clinic.count("SELECT count(*) FROM item_refusals").await, 0);
}

#[tokio::test]
async fn a_trigger_of_the_application_that_refuses_a_row_stops_one_ticket() {
    let places = [
        ("UPDATE", "tickets", "NEW.\"ticketNumber\" = 3"),
        ("INSERT", "ticket_history", "NEW.\"ticketId\" LIKE '%3'"),
        ("INSERT", "notifications", "NEW.\"ticketId\" LIKE '%3'"),
        ("INSERT", "ticket_followers", "NEW.\"ticketId\" LIKE '%3'"),
    ];
    for (event, table, when) in places {
        let clinic = five().await;
        let follower = ("add_follower", json!({"userIds": ["k00000001"]}));
        rule(&clinic, ("priority_level", json!({"priorities": ["HIGH"]})), follower).await;
        super::refuse(&clinic, event, table, when).await;
        for (job, done) in [("escalate-tickets", "executed"), ("monitor-ticket-sla", "recorded")] {
            let outcome = clinic.run(&[job, "--as-of", "2026-03-02T12:00:00Z"]).await;
            let errors = errors(&outcome);
            let concerned = match (job, table) {
                ("monitor-ticket-sla", "tickets" | "ticket_followers") | ("escalate-tickets", "notifications") => {
                    vec![]
                }
                _ => only_third("22000"),
            };
            assert_eq!((outcome.code, &errors), (if concerned.is_empty() { 0 } else { 3 }, &concerned), "{outcome:?}");
            assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
            // Where the priority is not raised, the second rule does not see the ticket.
            let all = if job == "monitor-ticket-sla" { 5 } else { 10 };
            let less = match (job, table) {
                ("escalate-tickets", "tickets" | "ticket_history") => 2,
                _ => concerned.len() as u64,
            };
            assert_eq!(outcome.count(done), all - less, "{table} {outcome:?}");
        }
        clinic.sql(&format!("DROP TRIGGER refuse ON public.{table}")).await;
        escalate(&clinic).await.expect(0);
        clinic.run(&["monitor-ticket-sla", "--as-of", "2026-03-02T12:00:00Z", "--retry-refused"]).await.expect(0);
        assert_eq!(clinic.count("SELECT count(DISTINCT ticket_id) FROM rounds.ticket_history").await, 5);
        assert_eq!(clinic.count("SELECT count(*) FROM public.ticket_history").await, 10 + 5, "{table}");
    }
}

#[tokio::test]
async fn a_trigger_of_the_application_finds_its_tables_without_their_schema() {
    let clinic = five().await;
    clinic
        .sql(
            "CREATE TABLE public.seen (what text);
             CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO seen SELECT TG_TABLE_NAME FROM users LIMIT 1;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER see BEFORE INSERT ON public.ticket_history FOR EACH ROW EXECUTE FUNCTION public.see();
             CREATE TRIGGER see BEFORE INSERT ON public.notifications FOR EACH ROW EXECUTE FUNCTION public.see()",
        )
        .await;
    escalate(&clinic).await.expect(0);
    clinic.run(&["monitor-ticket-sla", "--as-of", "2026-03-02T12:00:00Z"]).await.expect(0);
    assert_eq!(clinic.count("SELECT count(*) FROM public.seen").await, 5 + 5 + 5);
}

#[tokio::test]
async fn a_user_who_is_being_deleted_holds_up_the_tickets_that_tell_him_and_no_others() {
    let clinic = five().await;
    let leaver = user(&clinic, 2).await;
    clinic
        .sql(&format!(
            "INSERT INTO public.ticket_followers (id, \"ticketId\", \"userId\", \"updatedAt\")
                         VALUES (k(1), k(3), k({leaver}), '2026-03-02')"
        ))
        .await;
    let run = ["monitor-ticket-sla", "--as-of", "2026-03-02T12:00:00Z"];
    let delete = format!(
        "DELETE FROM public.ticket_followers WHERE \"userId\" = k({leaver});
                          DELETE FROM public.users WHERE id = k({leaver})"
    );
    clinic.sql(&format!("BEGIN; {delete}")).await;
    let outcome = clinic.run(&run).await.expect(0);
    assert_eq!(
        (outcome.count("recorded"), &outcome.report()["skipped_by_reason"]),
        (4, &json!({"locked": 1})),
        "{outcome:?}"
    );
    clinic.sql("COMMIT").await;
    assert_eq!(clinic.run(&run).await.expect(0).count("recorded"), 1);
    assert_eq!(clinic.count("SELECT count(*) FROM public.notifications").await, 5);
    assert_eq!(clinic.count("SELECT count(*) FROM public.ticket_history").await, 5);
}

#[tokio::test]
async fn users_who_are_being_changed_or_referred_to_hold_up_nothing() {
    for held in ["UPDATE public.users SET name = 'N'", "SELECT FROM public.users FOR KEY SHARE"] {
        let clinic = five().await;
        let follower = ("add_follower", json!({"userIds": ["k00000001"]}));
        rule(&clinic, ("no_response", json!({"hours": 1})), follower).await;
        clinic.sql(&format!("BEGIN; {held}")).await;
        assert_eq!(escalate(&clinic).await.expect(0).count("executed"), 10, "{held}");
        let run = ["monitor-ticket-sla", "--as-of", "2026-03-02T12:00:00Z"];
        assert_eq!(clinic.run(&run).await.expect(0).count("recorded"), 5, "{held}");
    }
}
