//! A run that systemd watches: its state in a line, and a word to the watchdog as long as the run gets on.
//!
//! Rule: the watchdog hears of a run if and only if its last heartbeat is not older than that after which the run stops
//! by itself. A dry run has no heartbeat, and is heard of as long as it is not stuck.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::report::lane_suffix;
use crate::output::counted;
use crate::systemd;

/// The last heartbeat of the run of this process, and how old it may be.
static LAST: Mutex<Option<(Instant, Duration)>> = Mutex::new(None);

/// Notes a heartbeat, or the begin of a run, which may be followed by the next one after `within`.
pub fn beat(within: Duration) {
    if let Ok(mut last) = LAST.lock() {
        *last = Some((Instant::now(), within));
    }
}

/// Whether the run gets on at an instant, as far as is known.
fn gets_on(at: Instant) -> bool {
    LAST.lock().is_ok_and(|last| last.is_none_or(|(beat, within)| at <= beat + within))
}

/// Tells the watchdog that the run gets on, until it is dropped.
pub async fn feed() {
    let Some(time) = systemd::watchdog() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(time / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if gets_on(Instant::now()) {
            systemd::notify(|| "WATCHDOG=1".to_owned());
        }
    }
}

/// Says that a run has begun to work.
pub fn begun(job: &str, lane: &str) {
    systemd::notify(|| format!("READY=1\nSTATUS={job}{}: at work", lane_suffix(lane)));
}

/// Says how many batches a run has done.
pub fn done(job: &str, lane: &str, batches: i32) {
    systemd::notify(|| format!("STATUS={job}{}: {} done", lane_suffix(lane), counted(batches.unsigned_abs(), "batch")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gets_on_as_long_as_its_heart_beats() {
        assert!(gets_on(Instant::now()), "a dry run");
        beat(Duration::from_secs(40));
        assert!(gets_on(Instant::now() + Duration::from_secs(39)));
        assert!(!gets_on(Instant::now() + Duration::from_secs(41)));
    }
}
