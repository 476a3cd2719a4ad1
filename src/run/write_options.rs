//! The options of one transaction of a run.

use std::time::Duration;

use super::limits::BATCH_LOCK;
use crate::db::Limits;

/// The lock wait of a transaction with `at_length`.
const LOCK_WAIT_AT_LENGTH: Duration = Duration::from_secs(60);

/// The options of one fenced transaction. The default keeps the limits of the lease, and refuses after a stop.
#[derive(Clone, Copy, Default)]
pub struct WriteOptions {
    /// The wait for each lock after the fence, instead of the limit of the lease.
    pub lock_wait: Option<Duration>,
    /// The time limit of the run is that of each statement, and locks are waited for longer.
    pub at_length: bool,
    /// The transaction is made also after the run was stopped.
    pub after_stop: bool,
    /// The number of items that it is to change, where it is a batch of them.
    pub items: Option<usize>,
}

impl WriteOptions {
    /// The options of a batch, which holds locks of the clinic's rows while it waits for others.
    pub const BATCH: Self = Self { lock_wait: Some(BATCH_LOCK), at_length: false, after_stop: false, items: None };

    /// The options of a last word, which is written also after the run was stopped.
    pub const AFTER_STOP: Self = Self { lock_wait: None, at_length: false, after_stop: true, items: None };

    /// The same, of so many items.
    pub(super) fn of_items(self, items: usize) -> Self {
        Self { items: Some(items), ..self }
    }

    /// Its limits, in a run that has these.
    pub(super) fn limits(self, of_run: Limits, time_limit: Duration) -> Limits {
        let limits = match self.at_length {
            true => Limits { statement: time_limit, ..of_run }.with_lock(LOCK_WAIT_AT_LENGTH),
            false => of_run,
        };
        self.lock_wait.map_or(limits, |wait| limits.with_lock(wait))
    }
}
