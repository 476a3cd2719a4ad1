//! The codes in `cron_job_runs.error_code` that the program itself reads.

/// A signal ended the run. It does not count as a failure of the job.
pub const INTERRUPTED: &str = "INTERRUPTED";
/// Another run of the lane was running. `refresh-npi --dry-run` uses the code too.
pub const ALREADY_RUNNING: &str = "ALREADY_RUNNING";
/// Many refusals in a row with one code: of a run that could do nothing else, and of the item in its record.
pub const TOO_MANY_REFUSED: &str = "TOO_MANY_REFUSED";
