//! What shows that somebody was told: the logs of what messages are about.
//!
//! Rule: a message whose logs are not written yet is `is_untold`. A run writes them a page at a time, beside its requests;
//! what a dead run has left, or another session holds, is written by the next run of the channel.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::gateway::Channel;
use crate::db::statements;
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions};

statements! {
    TOLD(INT8_ARRAY, TIMESTAMPTZ) = include_str!("told.sql");
    STAY_UNTOLD(INT8_ARRAY, INT8_ARRAY) =
        "UPDATE notifications n SET is_untold = n.id = ANY ($2)
         WHERE n.id = ANY ($1) AND n.status = 'SENT' AND n.is_untold <> (n.id = ANY ($2))";
    UNTOLD(TEXT, INT8, INT8) =
        "SELECT n.id FROM notifications n WHERE n.is_untold AND n.channel = $1 AND n.id > $3 ORDER BY n.id LIMIT $2";
}

/// How many messages of earlier runs are looked at.
const PAGE: i64 = 256;

/// Notes it of messages that are SENT; others among the ids are left alone.
pub async fn note(tx: &Transaction<'_>, ids: &[i64], now: DateTime<Utc>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let held: Vec<i64> = TOLD.all(tx, &[&ids, &now]).await?.iter().map(|row| row.get("message")).collect();
    STAY_UNTOLD.execute(tx, &[&ids, &held]).await.map(drop)
}

/// Notes it of messages that a run has sent, when they are written as SENT.
pub async fn note_sent(run: &Run, ids: &[i64], now: DateTime<Utc>) -> Result<(), Halt> {
    if ids.is_empty() {
        return Ok(());
    }
    run.write("noting who was told", WriteOptions::AFTER_STOP, async |tx| note(tx, ids, now).await).await
}

/// Notes it of messages that earlier runs have left.
pub async fn note_again(run: &Run, channel: Channel, now: DateTime<Utc>) -> Result<(), Halt> {
    let mut last = 0;
    loop {
        let untold = run
            .read("looking for messages whose logs are not written", async |tx| {
                let rows = UNTOLD.all(tx, &[&channel.stored(), &PAGE, &last]).await?;
                Ok(rows.iter().map(|row| row.get("id")).collect::<Vec<i64>>())
            })
            .await?;
        note_sent(run, &untold, now).await?;
        match untold.last() {
            Some(id) if untold.len() == PAGE as usize => last = *id,
            _ => return Ok(()),
        }
    }
}
