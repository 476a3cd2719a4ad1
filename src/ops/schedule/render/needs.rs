//! What the jobs need of a machine. Nearly all need next to nothing: they wait for the database.

use std::time::Duration;

use crate::jobs::{self, deliver_notifications::DeliverNotifications};
use crate::ops::groups::WATCH;
use crate::run::Job as _;
use crate::schedule::ScheduledStart;

/// What a run may use.
pub struct Needs {
    /// The longest that a run may give itself, where that is more than the deadline of the schedule.
    pub longest: Option<Duration>,
    pub memory_mib: u32,
    /// Whether it computes, on up to two processors.
    pub computes: bool,
    /// The disk for a download, in GiB.
    pub disk_gib: Option<u32>,
    /// Whom it asks beside the database, if anybody.
    pub way_out: Option<WayOut>,
}

/// How a run reaches somebody beside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOut {
    Https,
    /// Submission of mail: ports 465 and 587.
    Smtp,
}

impl WayOut {
    /// The label by which a network policy knows it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Smtp => "smtp",
        }
    }
}

/// The name of the role that it has in the database, without its prefix: that of the job, or of who watches them.
pub fn role(start: &ScheduledStart) -> &'static str {
    start.job.unwrap_or(WATCH)
}

pub fn needs(start: &ScheduledStart) -> Needs {
    // One lane of the delivery sends mail; what else is asked is asked by HTTPS.
    let is_mail = start.job == Some(DeliverNotifications::NAME) && start.command.iter().any(|word| word == "email");
    let https = start.job.and_then(jobs::asks).map(|_| WayOut::Https);
    let way_out = if is_mail { Some(WayOut::Smtp) } else { https };
    match start.job {
        // The first load, and one with --full, take up to 4 hours. Two connections copy a file of a gigabyte, for a
        // minute a week; measured memory: 17 MB.
        Some("refresh-npi") => Needs {
            longest: Some(Duration::from_secs(4 * 3600)),
            memory_mib: 128,
            computes: true,
            disk_gib: Some(4),
            way_out,
        },
        _ => Needs { longest: None, memory_mib: 64, computes: false, disk_gib: None, way_out },
    }
}
