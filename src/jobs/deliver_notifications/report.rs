//! What a run reports.

use serde::Serialize;

use super::settle::{Outcome, Status};
use crate::run::{Counts, NotDone};

/// scanned = sent + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The messages that were due.
    pub scanned: u64,
    /// Accepted by the provider.
    pub sent: u64,
    /// What dead runs had left, and this run settled.
    #[serde(skip_serializing_if = "is_zero")]
    pub settled: u64,
    /// Accepted by earlier runs: how many the provider was asked about.
    #[serde(skip_serializing_if = "is_zero")]
    pub asked: u64,
    /// Of those that the provider was asked about, the ones that have arrived.
    #[serde(skip_serializing_if = "is_zero")]
    pub delivered: u64,
    /// UNCERTAIN messages that were found with the provider, and so were sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub found: u64,
    /// Too old or over before they were looked at; not among the scanned.
    #[serde(skip_serializing_if = "is_zero")]
    pub expired: u64,
    #[serde(flatten)]
    pub not_done: NotDone,
}

/// A count of zero is left out where it is the rule.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Report {
    /// Counts the outcome of a message.
    pub fn note(&mut self, outcome: &Outcome) {
        match outcome.status {
            Status::Sent => self.sent += 1,
            Status::Quiet => self.not_done.skip("quiet_hours", 1),
            Status::Pending => self.not_done.skip("tried_again_later", 1),
            Status::Expired => self.not_done.skip("expired", 1),
            Status::Suppressed => self.not_done.skip("suppressed", 1),
            Status::Failed => {
                self.not_done.fail("notification", outcome.id, outcome.reason.as_deref().unwrap_or_default());
            }
            Status::Uncertain => self.not_done.fail("notification", outcome.id, "UNCERTAIN"),
        }
    }
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.sent, not_done: &self.not_done }
    }
}
