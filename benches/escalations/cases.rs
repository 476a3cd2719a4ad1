//! `escalate-sla`: the loop that an application would have.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_postgres::{Error, NoTls};

use crate::AS_OF;

const FIND: &str = "SELECT status, escalation_level, assigned_department_id, due_at FROM px_cases
                    WHERE id = $1 AND status IN ('OPEN', 'IN_PROGRESS') AND due_at < $2 AND active IS NOT FALSE
                      AND escalation_level < 3 FOR NO KEY UPDATE";
const RAISE: &str =
    "UPDATE px_cases SET status = 'ESCALATED', escalation_level = $3, escalated_at = $2, updated_at = $2
                     WHERE id = $1";
const AUDIT: &str = "INSERT INTO px_case_audits (case_id, actor, action, before, after, created_at)
                     VALUES ($1::bigint::text, 'system', 'ESCALATED', jsonb_build_object('status', $3::text, 'escalationLevel', $4::int),
                             jsonb_build_object('status', 'ESCALATED', 'escalationLevel', $4::int + 1), $2)";
const NOTIFY: &str =
    "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, priority, title, body, metadata,
                                                 entity, entity_id, dedupe_key, status, sent_at, created_at)
    VALUES ('DEPARTMENT', $3::bigint::text, 'IN_APP', 'PX_CASE_ESCALATED', 'HIGH', 'Case escalated',
            format('Case has been escalated due to SLA overdue (Level %s). Immediate attention required.', $4::int),
            jsonb_build_object('level', $4::int, 'due_at', $5::timestamptz), 'px_case', $1::bigint::text,
            concat_ws(':', 'px_case_escalated', $1::bigint, $2::timestamptz), 'SENT', $2, $2)";

/// One transaction a case, all statements prepared.
pub fn one_by_one(url: &str, ids: &[i64]) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let began = Instant::now();
    runtime.block_on(escalate(url, ids)).expect("the loop works");
    (ids.len(), began.elapsed())
}

async fn escalate(url: &str, ids: &[i64]) -> Result<(), Error> {
    let now: DateTime<Utc> = AS_OF.parse().expect("an instant");
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET search_path = rounds").await?;
    let (find, raise) = (client.prepare(FIND).await?, client.prepare(RAISE).await?);
    let (audit, notify) = (client.prepare(AUDIT).await?, client.prepare(NOTIFY).await?);
    for id in ids {
        let tx = client.transaction().await?;
        let case = tx.query_one(&find, &[id, &now]).await?;
        let (status, level): (&str, i32) = (case.get(0), case.get(1));
        tx.execute(&raise, &[id, &now, &(level + 1)]).await?;
        tx.execute(&audit, &[id, &now, &status, &level]).await?;
        if let Some(department) = case.get::<_, Option<i64>>(2) {
            tx.execute(&notify, &[id, &now, &department, &(level + 1), &case.get::<_, DateTime<Utc>>(3)]).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
