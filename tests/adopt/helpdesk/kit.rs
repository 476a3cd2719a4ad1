//! The kit itself: what it asks for, what it makes, and what the role of the jobs needs.

use serde_json::json;

use super::{application, helpdesk, psql, rule, tickets};
use crate::adopt::support::faults;
use crate::sql::only_open_tickets_are_read;
use crate::support::role::JobRole;
use crate::support::{Database, connect, server};

#[tokio::test]
async fn without_a_user_of_the_application_nothing_is_made() {
    let database = Database::empty().await;
    application(&database).await;
    let made = "SELECT count(*) FROM pg_class
                WHERE relnamespace = 'rounds'::regnamespace AND relkind = 'v' AND relname <> 'v_recent_sync_activity'
                   OR relnamespace = 'public'::regnamespace AND relname LIKE 'rounds%'";
    let client = connect(&server().url(&database)).await;
    let made = async || client.query_one(made, &[]).await.expect("a count").get::<_, i64>(0);
    for variables in [&[][..], &["history_user="], &["history_user=k1'; DROP TABLE users; --"]] {
        let output = psql(&database, variables).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(3) && said.contains("psql -v history_user=ID"), "{output:?}");
        assert_eq!(made().await, 0, "{variables:?}");
    }
    assert!(psql(&database, &["history_user=k99999999"]).await.status.success());
    assert_eq!(made().await, 9 + 4, "views and indexes");
}

#[tokio::test]
async fn the_scans_read_what_is_open_and_not_what_is_done() {
    let clinic = helpdesk().await;
    tickets(&clinic, 50_200).await;
    clinic
        .sql(
            "UPDATE public.tickets SET status = 'CLOSED' WHERE \"ticketNumber\" <= 50000;
             INSERT INTO public.comments (id, content, \"ticketId\", \"authorId\", \"updatedAt\")
             SELECT id, 'c', id, k(1), '2026-03-02' FROM public.tickets;
             INSERT INTO public.ticket_history (id, \"ticketId\", \"userId\", action)
             SELECT id, id, k(1), 'status_changed' FROM public.tickets;
             INSERT INTO public.sla_policies (id, name, priority, \"responseTimeHours\", \"resolutionTimeHours\",
                                              \"updatedAt\") VALUES (k(1), 'P', 'MEDIUM', 1, 1, '2026-03-02')",
        )
        .await;
    // The index and the statistics hold what is there now, as after a night of autovacuum.
    clinic.sql("VACUUM ANALYZE").await;
    // A comment's view looks at the ticket's customer.
    only_open_tickets_are_read(&clinic, 2.0).await;
}

#[tokio::test]
async fn the_role_of_the_jobs_needs_no_right_in_public() {
    let clinic = helpdesk().await;
    tickets(&clinic, 3).await;
    rule(&clinic, ("no_response", json!({"hours": 1})), ("add_follower", json!({"userIds": ["k00000001"]}))).await;
    rule(&clinic, ("no_response", json!({"hours": 1})), ("increase_priority", json!({}))).await;
    clinic.sql("UPDATE public.tickets SET \"slaDueAt\" = '2026-03-02 10:00'").await;
    for (job, done, tickets) in [("monitor-ticket-sla", "recorded", 3), ("escalate-tickets", "executed", 6)] {
        let role = JobRole::new(&clinic, job).await;
        // Whom a job only locks it can change nothing of.
        let table = if job == "monitor-ticket-sla" { "tickets" } else { "users" };
        for (column, may) in [("row_lock", true), ("id", false)] {
            let query = format!("SELECT has_column_privilege('{}', 'rounds.{table}', '{column}', 'UPDATE')", role.name);
            assert_eq!(clinic.row(&query, &[]).await.get::<_, bool>(0), may, "{table}.{column}");
        }
        let outcome = role.program.run(&[job, "--as-of", "2026-03-02T12:00:00Z"]).await.expect(0);
        assert_eq!(outcome.count(done), tickets, "{outcome:?}");
        role.drop(&clinic).await;
    }
    assert_eq!(clinic.count("SELECT count(*) FROM public.ticket_history").await, 3 + 6);
    assert_eq!(clinic.count("SELECT count(*) FROM public.tickets WHERE priority = 'HIGH'").await, 3);
}

#[tokio::test]
async fn rounds_check_finds_it_ready() {
    let clinic = helpdesk().await;
    // The one thing that a job cannot do here.
    let one = "warning escalate-tickets writing reassign_ticket to a team without a user fails for each ticket whose \
               assignee is not of the team: public.tickets.\"assignedTo\" may not be NULL";
    assert_eq!(faults(&clinic, &["monitor-ticket-sla", "escalate-tickets"]).await, [one]);
}
