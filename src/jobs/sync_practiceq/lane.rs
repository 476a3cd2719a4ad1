//! The lanes of the sync: the sets of appointments that a run may be asked for. Runs of different lanes may run side by
//! side.

use std::fmt;

use crate::db::Key;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lane {
    /// All of the window, the changes since the last run, and the deletions.
    Full,
    /// The changes since the last run, and the deletions.
    Incremental,
    Patient(Key),
    Organization(Key),
    /// One appointment, by the account's id of it.
    Appointment(String),
    /// The appointments of the events in the inbox.
    Inbox,
}

impl Lane {
    /// Whether a person asked for it and waits.
    pub fn is_by_hand(&self) -> bool {
        match self {
            Self::Full | Self::Incremental | Self::Inbox => false,
            Self::Patient(_) | Self::Organization(_) | Self::Appointment(_) => true,
        }
    }

    /// Whether it reads lists of the account, and not single appointments.
    pub fn reads_lists(&self) -> bool {
        !matches!(self, Self::Appointment(_) | Self::Inbox)
    }

    pub fn patient(&self) -> Option<&Key> {
        if let Self::Patient(id) = self { Some(id) } else { None }
    }

    pub fn organization(&self) -> Option<&Key> {
        if let Self::Organization(id) = self { Some(id) } else { None }
    }

    pub fn appointment(&self) -> Option<&str> {
        if let Self::Appointment(id) = self { Some(id) } else { None }
    }
}

/// The lane as `cron_job_runs.lane` has it: with the id as it was given, because the lane is claimed before the server
/// is asked. `practiceq_cursors` has the id in the server's form. Two forms of one id are two lanes, which may run side
/// by side like any others.
impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Incremental => f.write_str("incremental"),
            Self::Patient(id) => write!(f, "patient:{id}"),
            Self::Organization(id) => write!(f, "organization:{id}"),
            Self::Appointment(id) => write!(f, "appointment:{id}"),
            Self::Inbox => f.write_str("inbox"),
        }
    }
}
