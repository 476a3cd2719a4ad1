//! The jobs: one file each, none knows another.

pub mod mark_no_shows;
pub mod prune;
pub mod stage_alerts;
