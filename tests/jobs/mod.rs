//! A file a job.

mod mark_no_shows;
