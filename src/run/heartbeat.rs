//! The heartbeat, by which other runs know that this one is alive.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, warn};
use uuid::Uuid;

use super::halt::Halt;
use super::limits::limits;
use crate::db::{Connection, Db, Limits, statements};
use crate::error::Error;

statements! {
    BEAT(UUID) = include_str!("heartbeat.sql");
}

/// Sends a heartbeat every sixth of the lease until it is dropped, on a connection of its own that the first one opens.
/// Sets `stop` when the run has been taken over, or when no heartbeat has succeeded for two thirds of the lease.
pub async fn heartbeat(db: Db, run: Uuid, lease: Duration, stop: watch::Sender<Option<Halt>>) {
    let beat = lease / 6;
    let mut last = Instant::now();
    let mut ticks = tokio::time::interval_at(last + beat, beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    loop {
        ticks.tick().await;
        match tokio::time::timeout(beat, beat_once(&db, limits(lease), &mut connection, run)).await {
            Ok(Ok(true)) => {
                last = Instant::now();
                debug!(run_id = %run, "heartbeat");
                continue;
            }
            Ok(Ok(false)) => {
                stop.send_replace(Some(Halt::Fenced));
                return;
            }
            Ok(Err(error)) => warn!(error_code = %error.code, "heartbeat: {}", error.message),
            Err(_) => warn!(error_code = "CONNECTION", "heartbeat: no answer in time"),
        }
        // A connection that failed, or that has not answered yet, is not used again.
        connection = None;
        if last.elapsed() > lease * 2 / 3 {
            stop.send_if_modified(|halt| {
                let first = halt.is_none();
                halt.get_or_insert(Halt::HeartbeatLost);
                first
            });
        }
    }
}

async fn beat_once(db: &Db, limits: Limits, connection: &mut Option<Connection>, run: Uuid) -> Result<bool, Error> {
    let client = match connection {
        Some(client) => client,
        // It is not in the pool, so dropping it closes it.
        None => connection.insert(db.client().await?.alone()),
    };
    let tx = limits.begin(client).await?;
    let rows = BEAT.execute(&tx, &[&run]).await?;
    tx.commit().await?;
    Ok(rows == 1)
}
