//! The tables whose old rows are deleted, and how many of each were.

use serde::Serialize;

use crate::run::{lane_durations, lane_totals};

const RUNS: &str = include_str!("runs.part.sql");

/// A table whose old rows are deleted.
#[derive(Clone, Copy)]
pub enum History {
    Errors,
    Runs,
    Notifications,
    Refusals,
    Cancellations,
    ScheduleFlags,
    ScheduleVersions,
    BlockedSlots,
    SyncLogs,
}

impl History {
    /// All, in order. Failed items are deleted first, because with their run they would be deleted without being counted.
    pub const ALL: [Self; 9] = [
        Self::Errors,
        Self::Runs,
        Self::Notifications,
        Self::Refusals,
        Self::Cancellations,
        Self::ScheduleFlags,
        Self::ScheduleVersions,
        Self::BlockedSlots,
        Self::SyncLogs,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Errors => "cron_job_run_errors",
            Self::Runs => "cron_job_runs",
            Self::Notifications => "notifications",
            Self::Refusals => "item_refusals",
            Self::Cancellations => "visit_cancellations",
            Self::ScheduleFlags => "schedule_flags",
            Self::ScheduleVersions => "schedule_versions",
            Self::BlockedSlots => "blocked_slots",
            Self::SyncLogs => "sync_logs",
        }
    }

    /// The name of a row in errors.
    pub fn entity(self) -> &'static str {
        match self {
            Self::Errors => "run_error",
            Self::Runs => "run",
            Self::Notifications => "notification",
            Self::Refusals => "refusal",
            Self::Cancellations => "cancellation",
            Self::ScheduleFlags => "schedule_flag",
            Self::ScheduleVersions => "schedule_version",
            Self::BlockedSlots => "blocked_slot",
            Self::SyncLogs => "sync_log",
        }
    }

    /// The WHERE clause of the rows that are deleted, in SQL. The rule of failed items includes that of runs.
    pub fn rule(self) -> String {
        match self {
            Self::Errors => format!(include_str!("errors.part.sql"), runs = RUNS),
            Self::Runs => RUNS.to_owned(),
            Self::Notifications => include_str!("notifications.part.sql").to_owned(),
            Self::Refusals => include_str!("refusals.part.sql").to_owned(),
            Self::Cancellations => include_str!("cancellations.part.sql").to_owned(),
            Self::ScheduleFlags => include_str!("schedule_flags.part.sql").to_owned(),
            Self::ScheduleVersions => include_str!("schedule_versions.part.sql").to_owned(),
            Self::BlockedSlots => include_str!("blocked_slots.part.sql").to_owned(),
            Self::SyncLogs => include_str!("sync_logs.part.sql").to_owned(),
        }
    }

    /// What the deletion returns, in SQL: of a row of which something is kept all columns.
    pub fn returned(self) -> &'static str {
        if matches!(self, Self::Runs) { "x.*" } else { "x.id" }
    }

    /// The CTEs, in SQL, that keep something of the deleted rows.
    pub fn kept(self) -> String {
        if !matches!(self, Self::Runs) {
            return String::new();
        }
        let (totals, durations) = (lane_totals("deleted"), lane_durations("deleted"));
        format!(include_str!("totals.part.sql"), totals = totals, durations = durations)
    }

    /// Where the report counts them.
    pub fn count(self, pruned: &mut Pruned) -> &mut u64 {
        match self {
            Self::Errors => &mut pruned.run_errors,
            Self::Runs => &mut pruned.runs,
            Self::Notifications => &mut pruned.notifications,
            Self::Refusals => &mut pruned.refusals,
            Self::Cancellations => &mut pruned.cancellations,
            Self::ScheduleFlags => &mut pruned.schedule_flags,
            Self::ScheduleVersions => &mut pruned.schedule_versions,
            Self::BlockedSlots => &mut pruned.blocked_slots,
            Self::SyncLogs => &mut pruned.sync_logs,
        }
    }
}

/// The rows that were deleted.
#[derive(Debug, Default, Serialize)]
pub struct Pruned {
    /// Rows of `cron_job_runs`.
    runs: u64,
    /// Rows of `cron_job_run_errors`.
    run_errors: u64,
    /// Messages that are sent or settled.
    notifications: u64,
    /// The refused items that no run tries any more.
    refusals: u64,
    /// The rows of the ledger of cancelled visits.
    cancellations: u64,
    /// The flags of visits that were cleared long ago.
    schedule_flags: u64,
    /// The hours of doctors that ended long ago.
    schedule_versions: u64,
    /// What is kept of slots that were blocked for a leave, and are long over.
    blocked_slots: u64,
    /// The logs of syncs.
    sync_logs: u64,
    /// The requests to the PracticeQ account.
    pub requests: u64,
    /// The events of the account.
    pub events: u64,
    /// The notes that a client of the account is nobody's.
    pub clients: u64,
    /// The appointments of clients whose patient nobody knows that were deleted, or of which only the decision is left.
    pub unmatched: u64,
}

impl Pruned {
    pub fn all(&self) -> u64 {
        let history = self.runs + self.run_errors + self.notifications + self.refusals;
        let ledgers = self.cancellations + self.schedule_flags + self.schedule_versions + self.blocked_slots;
        let account = self.sync_logs + self.requests + self.events + self.clients + self.unmatched;
        history + ledgers + account
    }
}
