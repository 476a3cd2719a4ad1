//! A file a job.

mod mark_no_shows;
mod properties;
mod prune;
mod stage_alerts;
