//! The stages: the two steps that a scheduler has cases take.

use clap::ValueEnum;
use serde::Serialize;

/// The job's name, which is also that of its runs.
pub const JOB: &str = "advance-billing";

/// A step that a scheduler has cases take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    // No doc comments: they would make the whole help long.
    PendingPayment,
    Paid,
}

impl Stage {
    pub const ALL: [Self; 2] = [Self::PendingPayment, Self::Paid];

    pub fn name(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending-payment",
            Self::Paid => "paid",
        }
    }
}
