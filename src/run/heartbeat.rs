//! The heartbeat, by which other runs know that this one is alive.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, warn};
use uuid::Uuid;

use super::halt::Halt;
use super::limits::limits;
use super::pause::paused;
use super::watched;
use crate::db::{Connection, Db, Limits, statements};
use crate::error::Error;

statements! {
    BEAT(UUID, BOOL) = format!(include_str!("heartbeat.sql"), paused = paused("r.job_name", "r.lane"));
}

/// Sends a heartbeat every sixth of the lease until it is dropped, on a connection of its own that the first one opens.
/// Sets `stop` when the run has been taken over, when its lane is paused and `heeds_pauses`, or when no heartbeat has
/// succeeded for two thirds of the lease.
pub async fn heartbeat(db: Db, run: Uuid, lease: Duration, heeds_pauses: bool, stop: watch::Sender<Option<Halt>>) {
    let (beat, lost) = (lease / 6, lease * 2 / 3);
    let mut last = Instant::now();
    watched::beat(lost);
    let mut ticks = tokio::time::interval_at(last + beat, beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    loop {
        ticks.tick().await;
        match tokio::time::timeout(beat, beat_once(&db, limits(lease), &mut connection, run, heeds_pauses)).await {
            Ok(Ok(Some(paused))) => {
                last = Instant::now();
                watched::beat(lost);
                debug!(run_id = %run, "heartbeat");
                if let Some(message) = paused {
                    stop_once(&stop, Halt::Paused(message));
                }
                continue;
            }
            Ok(Ok(None)) => {
                stop.send_replace(Some(Halt::Fenced));
                return;
            }
            Ok(Err(error)) => warn!(error_code = %error.code, "heartbeat: {}", error.message),
            Err(_) => warn!(error_code = "CONNECTION", "heartbeat: no answer in time"),
        }
        // A connection that failed, or that has not answered yet, is not used again.
        connection = None;
        if last.elapsed() > lost {
            stop_once(&stop, Halt::HeartbeatLost);
        }
    }
}

/// Stops the run unless something else has.
fn stop_once(stop: &watch::Sender<Option<Halt>>, reason: Halt) {
    stop.send_if_modified(|halt| {
        let first = halt.is_none();
        halt.get_or_insert(reason);
        first
    });
}

/// One heartbeat. Returns None if the run has been taken over, else the message of a pause, if there is one.
async fn beat_once(
    db: &Db,
    limits: Limits,
    connection: &mut Option<Connection>,
    run: Uuid,
    heeds_pauses: bool,
) -> Result<Option<Option<String>>, Error> {
    let client = match connection {
        Some(client) => client,
        // It is not in the pool, so dropping it closes it.
        None => connection.insert(db.client().await?.alone()),
    };
    let tx = limits.begin(client).await?;
    let row = BEAT.opt(&tx, &[&run, &heeds_pauses]).await?;
    tx.commit().await?;
    Ok(row.map(|row| row.get("paused")))
}
