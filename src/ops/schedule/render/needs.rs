//! What the jobs need of a machine. Nearly all need next to nothing: they wait for the database.

use std::time::Duration;

use crate::jobs;
use crate::ops::groups::WATCH;
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
    /// Whether it asks somebody by HTTPS.
    pub https: bool,
}

/// The name of the role that it has in the database, without its prefix: that of the job, or of who watches them.
pub fn role(start: &ScheduledStart) -> &'static str {
    start.job.unwrap_or(WATCH)
}

pub fn needs(start: &ScheduledStart) -> Needs {
    let https = start.job.is_some_and(|job| jobs::asks(job).is_some());
    match start.job {
        // The first load, and one with --full, take up to 4 hours. Two connections copy a file of a gigabyte, for a
        // minute a week; measured memory: 17 MB.
        Some("refresh-npi") => Needs {
            longest: Some(Duration::from_secs(4 * 3600)),
            memory_mib: 128,
            computes: true,
            disk_gib: Some(4),
            https,
        },
        _ => Needs { longest: None, memory_mib: 64, computes: false, disk_gib: None, https },
    }
}
