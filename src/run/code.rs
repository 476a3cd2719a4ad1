//! Codes in `cron_job_runs.error_code` that are read again.

/// A signal ended the run. It is no failure of the job.
pub const INTERRUPTED: &str = "INTERRUPTED";
/// Another run of the lane was at work. `refresh-npi --dry-run` says it too.
pub const ALREADY_RUNNING: &str = "ALREADY_RUNNING";
