//! The limits that keep each transaction of a run shorter than its lease.

use std::time::Duration;

use crate::db::Limits;

/// The wait of a change of a run's status for a fenced transaction.
pub const STATUS_LOCK: Duration = Duration::from_secs(5);

/// The limits of a run's transactions.
pub fn limits(lease: Duration) -> Limits {
    Limits {
        statement: (lease / 2).min(Duration::from_secs(30)),
        lock: (lease / 12).min(Duration::from_secs(2)),
        idle: (lease / 4).min(Duration::from_secs(15)),
    }
}
