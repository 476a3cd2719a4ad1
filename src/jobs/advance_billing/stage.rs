//! The stages: the two steps that a scheduler starts.

use clap::ValueEnum;
use serde::Serialize;

/// The name of the job and of its runs. `Job::NAME` in mod.rs repeats it as a literal, by which a reader finds the job.
pub const JOB: &str = "advance-billing";
/// The name of a case in errors.
pub const CASE: &str = "surgical_case";

/// A step that a scheduler starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    // The variants have no doc comments, because these would lengthen the help.
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

    /// The column with the instant at which a case got the status of this stage, by the reference tables: `rounds
    /// grants` names it. A run writes the column that surgical_case_statuses names.
    pub fn usual_timestamp(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment_ts",
            Self::Paid => "paid_to_provider_ts",
        }
    }
}
