//! The marks of messages that are about to leave: committed just before their requests do, so that a run that dies
//! leaves behind which of them may have left.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::db::statements;
use crate::error::Error;

statements! {
    MARK(INT8_ARRAY, UUID, TIMESTAMPTZ, TEXT) = include_str!("mark.sql");
    STILL_TO_BE_SENT(INT8_ARRAY, TIMESTAMPTZ) =
        "SELECT n.id FROM notifications n
         WHERE n.id = ANY ($1) AND n.status = 'PENDING' AND (n.expires_at IS NULL OR n.expires_at > $2)";
    LET_GO(INT8_ARRAY, UUID) =
        "UPDATE notifications n SET is_held = false
         WHERE n.id = ANY ($1) AND n.status = 'SENDING' AND n.sending_run = $2
         RETURNING n.id";
}

/// What became of a message that was to be marked, and that is still to be sent.
pub enum Mark {
    Made,
    /// Another session holds its row.
    Locked,
}

/// Notes that the texts of those that were asked for leave, and marks the next ones. Returns those of which it is so.
pub async fn write(
    tx: &Transaction<'_>,
    (asked, next): (&[i64], &[i64]),
    run: Uuid,
    now: DateTime<Utc>,
    holds: bool,
) -> Result<(Vec<i64>, HashMap<i64, Mark>), Error> {
    Ok((let_go(tx, asked, run).await?, mark(tx, next, run, now, holds).await?))
}

async fn mark(
    tx: &Transaction<'_>,
    ids: &[i64],
    run: Uuid,
    now: DateTime<Utc>,
    holds: bool,
) -> Result<HashMap<i64, Mark>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let held = if holds { "held" } else { "" };
    let made = MARK.all(tx, &[&ids, &run, &now, &held]).await?;
    let mut marks: HashMap<i64, Mark> = made.iter().map(|row| (row.get("id"), Mark::Made)).collect();
    if marks.len() < ids.len() {
        let missed: Vec<i64> = ids.iter().copied().filter(|id| !marks.contains_key(id)).collect();
        let rows = STILL_TO_BE_SENT.all(tx, &[&missed, &now]).await?;
        marks.extend(rows.iter().map(|row| (row.get("id"), Mark::Locked)));
    }
    Ok(marks)
}

/// Notes that the texts of these messages leave; returns those of which it is so.
async fn let_go(tx: &Transaction<'_>, ids: &[i64], run: Uuid) -> Result<Vec<i64>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    Ok(LET_GO.all(tx, &[&ids, &run]).await?.iter().map(|row| row.get("id")).collect())
}
