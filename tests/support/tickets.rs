//! Tickets, and the teams and rules of a help desk, for a test's database.

use serde_json::Value;

use super::Clinic;

/// A ticket to be filed; instants as the database reads them.
#[derive(Clone, Copy)]
pub struct Ticket<'a> {
    pub status: &'a str,
    pub status_changed: &'a str,
    pub priority: &'a str,
    pub created: &'a str,
    pub due: Option<&'a str>,
    pub team: Option<i64>,
    pub assignee: Option<i64>,
    pub rating: Option<i32>,
}

/// Open, of medium priority, filed at midnight UTC of 2026-03-02, with nothing promised.
pub const TICKET: Ticket = Ticket {
    status: "OPEN",
    status_changed: "2026-03-02T00:00:00Z",
    priority: "MEDIUM",
    created: "2026-03-02T00:00:00Z",
    due: None,
    team: None,
    assignee: None,
    rating: None,
};

impl Clinic {
    pub async fn ticket(&self, ticket: Ticket<'_>) -> i64 {
        let Ticket { status, status_changed, priority, created, due, team, assignee, rating } = ticket;
        let insert = format!(
            "INSERT INTO tickets (number, title, status, status_changed_at, priority, created_at, sla_due_at, team_id,
                                  assignee_id, customer_rating)
             SELECT 'T' || n, 'help', '{status}', $1::text::timestamptz, '{priority}', $2::text::timestamptz,
                    $3::text::timestamptz, k($4), k($5), $6::int
             FROM (SELECT count(*) + 1 AS n FROM tickets) number RETURNING n(id)"
        );
        self.row(&insert, &[&status_changed, &created, &due, &team, &assignee, &rating]).await.get(0)
    }

    /// An active rule, behind those that are there.
    pub async fn rule(&self, condition: (&str, Value), action: (&str, Value)) -> i64 {
        let insert = "INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action)
                      SELECT 'R', count(*), $1, $2, $3, $4 FROM escalation_rules RETURNING n(id)";
        self.row(insert, &[&condition.0, &condition.1, &action.0, &action.1]).await.get(0)
    }

    /// A team with one leader and one other member: (team, leader, member).
    pub async fn team(&self) -> (i64, i64, i64) {
        let team: i64 = self.row("INSERT INTO teams (name) VALUES ('T') RETURNING n(id)", &[]).await.get(0);
        let (leader, member) = (self.agent().await, self.agent().await);
        self.sql(&format!(
            "INSERT INTO team_members VALUES (k({team}), k({leader}), true), (k({team}), k({member}), false)"
        ))
        .await;
        (team, leader, member)
    }

    /// A user of the help desk, of no facility.
    pub async fn agent(&self) -> i64 {
        let insert = "INSERT INTO users (name, role, email) VALUES ('A', 'AGENT', 'agent@example.org') RETURNING n(id)";
        self.row(insert, &[]).await.get(0)
    }
}
