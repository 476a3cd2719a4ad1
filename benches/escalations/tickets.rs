//! `escalate-tickets`: the loop that an application would have.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_postgres::{Error, NoTls};

use crate::AS_OF;

/// A ticket is looked at again before anything is done to it; the rule itself costs the loop nothing.
const FIND: &str =
    "SELECT t.id FROM tickets t WHERE t.id = $1 AND t.status NOT IN ('RESOLVED', 'CLOSED') FOR NO KEY UPDATE";
const FOLLOW: &str = "INSERT INTO ticket_followers (ticket_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const REASSIGN: &str = "UPDATE tickets SET team_id = $2, assignee_id = NULL, updated_at = $3 WHERE id = $1";
const NOTIFY: &str =
    "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, priority, title, body, metadata,
                                                 entity, entity_id, dedupe_key, status, sent_at, created_at)
    SELECT 'USER', m.user_id::text, 'IN_APP', 'TICKET_ESCALATED', 'HIGH', format('Ticket #%s escalated', t.number),
           'Please look at this ticket.', jsonb_build_object('ticket_id', $1::bigint, 'rule_id', $2::bigint), 'ticket',
           $1::bigint::text, concat_ws(':', 'ticket_escalation', $2::bigint, $1::bigint, m.user_id), 'SENT', $3, $3
    FROM tickets t JOIN team_members m ON m.team_id = t.team_id AND m.is_leader WHERE t.id = $1
    ON CONFLICT (dedupe_key) DO NOTHING";
const EMAIL: &str = "INSERT INTO notifications (recipient_kind, address, channel, type, priority, title, body, metadata, entity,
                                                entity_id, dedupe_key, status, created_at)
    SELECT 'ADDRESS', 'desk@example.org', 'EMAIL', 'TICKET_ESCALATED', 'HIGH', format('Escalated (ticket #%s)', t.number),
           'Please look.', jsonb_build_object('ticket_id', $1::bigint, 'rule_id', $2::bigint), 'ticket', $1::bigint::text,
           concat_ws(':', 'ticket_escalation', $2::bigint, $1::bigint), 'PENDING', $3
    FROM tickets t WHERE t.id = $1
    ON CONFLICT (dedupe_key) DO NOTHING";
const HISTORY: &str = "INSERT INTO ticket_history (ticket_id, action, actor, details, created_at)
                       VALUES ($1::bigint::text, 'escalation_executed', 'system', jsonb_build_object('ruleId', $2::bigint), $3)";
const EPISODE: &str = "INSERT INTO escalation_episodes (rule_id, ticket_id, definition, fired_at) VALUES ($2::bigint::text, $1::bigint::text, 'd', $3) ON CONFLICT DO NOTHING";

/// One transaction a ticket and rule, all statements prepared.
pub fn one_by_one(url: &str, ids: &[i64]) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let began = Instant::now();
    runtime.block_on(fire(url, ids)).expect("the loop works");
    (ids.len(), began.elapsed())
}

/// Each ticket gets one of the four actions in turn.
async fn fire(url: &str, ids: &[i64]) -> Result<(), Error> {
    let now: DateTime<Utc> = AS_OF.parse().expect("an instant");
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET search_path = rounds").await?;
    let find = client.prepare(FIND).await?;
    let actions = [
        client.prepare(FOLLOW).await?,
        client.prepare(REASSIGN).await?,
        client.prepare(NOTIFY).await?,
        client.prepare(EMAIL).await?,
    ];
    let (history, episode) = (client.prepare(HISTORY).await?, client.prepare(EPISODE).await?);
    for (turn, id) in ids.iter().enumerate() {
        let (action, rule) = (turn % actions.len(), 1 + (turn % actions.len()) as i64);
        let tx = client.transaction().await?;
        tx.query_one(&find, &[id]).await?;
        match action {
            0 => tx.execute(&actions[action], &[id, &rule]).await?,
            _ => tx.execute(&actions[action], &[id, &rule, &now]).await?,
        };
        tx.execute(&history, &[id, &rule, &now]).await?;
        tx.execute(&episode, &[id, &rule, &now]).await?;
        tx.commit().await?;
    }
    Ok(())
}
