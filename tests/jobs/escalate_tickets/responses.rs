//! Whose comments are a response to a ticket, for the condition no_response.

use serde_json::json;

use super::{NOON, escalate, follow};
use crate::support::Clinic;
use crate::support::keys::Kind;
use crate::support::tickets::{TICKET, Ticket};

/// Who made a ticket, who has it, and who writes in it; and whether that is a response.
struct Case {
    created_by: Option<i64>,
    assignee: Option<i64>,
    team: Option<i64>,
    author: Option<i64>,
    is_response: bool,
}

#[tokio::test]
async fn only_what_the_staff_write_is_a_response() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (team, leader, member) = clinic.team().await;
        let (customer, agent) = (clinic.agent().await, clinic.agent().await);
        let case = Case { created_by: Some(customer), assignee: None, team: None, author: None, is_response: false };
        let cases = [
            Case { ..case },
            Case { author: Some(customer), ..case },
            Case { author: Some(customer), assignee: Some(agent), team: Some(team), ..case },
            Case { author: Some(agent), is_response: true, ..case },
            // Who makes a ticket for a customer and works on it.
            Case { author: Some(customer), assignee: Some(customer), is_response: true, ..case },
            Case { created_by: Some(member), author: Some(member), team: Some(team), is_response: true, ..case },
            Case { created_by: Some(leader), author: Some(leader), team: Some(team), is_response: true, ..case },
            Case { created_by: Some(member), author: Some(member), ..case },
            Case { created_by: None, author: Some(agent), is_response: true, ..case },
            Case { created_by: None, ..case },
        ];
        let action = follow(&clinic).await;
        clinic.rule(("no_response", json!({"hours": 2})), action).await;
        let mut silent = vec![];
        for Case { created_by, assignee, team, author, is_response } in cases {
            let ticket = clinic.ticket(Ticket { team, assignee, ..TICKET }).await;
            silent.extend((!is_response).then_some(ticket));
            let key = |user: Option<i64>| user.map_or("NULL".to_owned(), |user| format!("k({user})"));
            clinic
                .sql(&format!(
                    "UPDATE tickets SET created_by = {} WHERE id = k({ticket});
                     INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
                     VALUES (k({ticket}), {}, 'b', true, '2026-03-02T11:00:00Z')",
                    key(created_by),
                    key(author)
                ))
                .await;
        }
        escalate(&clinic, NOON).await.expect(0);
        let fired = clinic.rows("SELECT n(ticket_id) FROM escalation_episodes ORDER BY 1").await;
        assert_eq!(fired.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), silent, "{kind:?}");
        // An answer ends the episode; what the customer says then does not begin another before its time.
        clinic
            .sql(&format!(
                "INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
                 SELECT id, k({agent}), 'b', true, '2026-03-02T11:30:00Z' FROM tickets;
                 INSERT INTO ticket_comments (ticket_id, body, visible_to_customer, created_at)
                 SELECT id, 'b', true, '2026-03-02T11:45:00Z' FROM tickets"
            ))
            .await;
        assert_eq!(escalate(&clinic, NOON).await.expect(0).count("episodes_ended"), silent.len() as u64, "{kind:?}");
        for (at, executed) in [("2026-03-02T13:29:59.999Z", 0), ("2026-03-02T13:30:00Z", 10)] {
            assert_eq!(escalate(&clinic, at).await.expect(0).count("executed"), executed, "{kind:?}, {at}");
        }
    }
}
