//! What shows that somebody was told: the logs of what messages are about.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use crate::db::statements;
use crate::error::Error;

statements! {
    TOLD(INT8_ARRAY, TIMESTAMPTZ) = include_str!("told.sql");
}

/// Notes it of messages that are SENT in this transaction; others among the ids are left alone.
pub async fn note(tx: &Transaction<'_>, ids: &[i64], now: DateTime<Utc>) -> Result<(), Error> {
    if !ids.is_empty() {
        TOLD.execute(tx, &[&ids, &now]).await?;
    }
    Ok(())
}
