//! The report of a run of `escalate-tickets`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::run::{Counts, NotDone};

/// scanned = executed + episodes_ended + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The open tickets.
    pub tickets_evaluated: u64,
    /// The rules that could be carried out.
    pub rules_evaluated: u64,
    /// The firings and ends of episodes that were due, the malformed rules, and the policies that cannot be read.
    pub scanned: u64,
    /// The firings of rules that were carried out.
    pub executed: u64,
    /// The same by the action of the rule.
    pub executed_by_action: BTreeMap<&'static str, u64>,
    /// The episodes that ended, so that the rule may fire again.
    pub episodes_ended: u64,
    /// The messages that were staged.
    pub notifications: u64,
    /// The tickets without a manager to notify.
    pub undeliverable: u64,
    #[serde(flatten)]
    pub not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.executed + self.episodes_ended, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }

    fn undeliverable(&self) -> u64 {
        self.undeliverable
    }
}

impl Report {
    /// Adds the counts of a rehearsal.
    pub fn add(&mut self, other: Self) {
        self.scanned += other.scanned;
        self.executed = other.executed;
        self.executed_by_action = other.executed_by_action;
        self.episodes_ended += other.episodes_ended;
        self.notifications = other.notifications;
        self.undeliverable = other.undeliverable;
        self.not_done.merge(other.not_done);
    }
}
