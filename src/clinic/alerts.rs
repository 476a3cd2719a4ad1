//! The types of the alerts that `stage-alerts` raises, and the roles that deal with them.

use clap::ValueEnum;

use crate::clinic::actor::ADMIN;

/// The roles that deal with alerts.
pub const STAFF: &[&str] = &["NURSE", "DOCTOR", "RECEPTIONIST", ADMIN];

/// The types in `stage_alerts.alert_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlertType {
    NoVitals,
    NoDoctor,
    WaitingTooLong,
}

impl AlertType {
    /// All types, in the order in which they are raised.
    pub const ALL: [Self; 3] = [Self::NoVitals, Self::NoDoctor, Self::WaitingTooLong];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoVitals => "NO_VITALS",
            Self::NoDoctor => "NO_DOCTOR",
            Self::WaitingTooLong => "WAITING_TOO_LONG",
        }
    }
}
