//! The limits that keep each transaction of a run shorter than its lease.

use std::time::Duration;

use crate::db::Limits;

/// The wait of a change of a run's status for a fenced transaction.
pub const STATUS_LOCK: Duration = Duration::from_secs(5);

/// The wait of a batch for a lock, while it holds others: far below the server's `deadlock_timeout`, 1 s, so that it gives
/// up before the application, which may wait for the batch, is found in a deadlock and loses.
pub const BATCH_LOCK: Duration = Duration::from_millis(100);

/// The limits of a run's transactions.
pub fn limits(lease: Duration) -> Limits {
    Limits {
        statement: (lease / 2).min(Duration::from_secs(30)),
        lock: (lease / 12).min(Duration::from_secs(2)),
        idle: (lease / 4).min(Duration::from_secs(15)),
    }
}
