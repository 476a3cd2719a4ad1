//! A file a job.

mod mark_no_shows;
mod properties;
mod stage_alerts;
