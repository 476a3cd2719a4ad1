//! What shows that somebody was told: the logs of what messages are about.
//!
//! Rule: a log that another session holds is left to the next run of the channel, which finds its message by `is_untold`.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::gateway::Channel;
use crate::db::statements;
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions};

statements! {
    TOLD(INT8_ARRAY, TIMESTAMPTZ) = include_str!("told.sql");
    LEAVE_UNTOLD(INT8_ARRAY) =
        "UPDATE notifications n SET is_untold = true WHERE n.id = ANY ($1) AND n.status = 'SENT'";
    UNTOLD(TEXT, INT8) =
        "SELECT n.id FROM notifications n WHERE n.is_untold AND n.channel = $1 ORDER BY n.id LIMIT $2";
    NO_MORE_UNTOLD(INT8_ARRAY) = "UPDATE notifications n SET is_untold = false WHERE n.id = ANY ($1)";
}

/// How many messages of earlier runs are looked at.
const PAGE: i64 = 256;

/// Notes it of messages that are SENT in this transaction; others among the ids are left alone.
pub async fn note(tx: &Transaction<'_>, ids: &[i64], now: DateTime<Utc>) -> Result<(), Error> {
    if !ids.is_empty() && TOLD.one(tx, &[&ids, &now]).await?.get::<_, i64>("held") > 0 {
        LEAVE_UNTOLD.execute(tx, &[&ids]).await?;
    }
    Ok(())
}

/// Notes it of messages of earlier runs whose logs were held then.
pub async fn note_again(run: &Run, channel: Channel, now: DateTime<Utc>) -> Result<(), Halt> {
    let untold = run
        .read("looking for messages whose logs were held", async |tx| {
            let rows = UNTOLD.all(tx, &[&channel.stored(), &PAGE]).await?;
            Ok(rows.iter().map(|row| row.get("id")).collect::<Vec<i64>>())
        })
        .await?;
    if untold.is_empty() {
        return Ok(());
    }
    run.write("noting who was told", WriteOptions::default(), async |tx| {
        NO_MORE_UNTOLD.execute(tx, &[&untold]).await?;
        note(tx, &untold, now).await
    })
    .await
}
