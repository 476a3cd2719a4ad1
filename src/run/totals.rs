//! The runs of a lane added up, and the histogram of their durations: what `prune` keeps of the runs that it deletes,
//! and what `rounds runs stats` counts.
//!
//! Rule: runs that were deleted are counted as those that are there, by the same text. So a percentile is read from the
//! histogram in both cases, and is the same before and after.

/// The lane in SQL, of a row `x`, without the id that it may name.
fn lane() -> &'static str {
    include_str!("lane_word.part.sql")
}

/// The totals of each lane, as a SELECT; `runs` is a relation with the columns of `cron_job_runs`.
pub fn lane_totals(runs: &str) -> String {
    format!(include_str!("lane_totals.part.sql"), runs = runs, lane = lane())
}

/// The histogram of each lane, as a SELECT.
pub fn lane_durations(runs: &str) -> String {
    format!(include_str!("lane_durations.part.sql"), runs = runs, lane = lane())
}

/// The share of successes, from 0 to 1; runs that were skipped or interrupted are in no total.
pub fn success_rate(succeeded: i64, failed: i64) -> Option<f64> {
    let all = succeeded + failed;
    (all > 0).then(|| succeeded as f64 / all as f64)
}

/// The bucket of the longest duration that the database has.
const BUCKET_MAX: i32 = 959;

/// The durations of a bucket of the histogram in milliseconds: the least and the greatest.
pub fn durations_of(bucket: i32) -> (i64, i64) {
    let bucket = i64::from(bucket.clamp(0, BUCKET_MAX));
    let shift = (bucket / 16 - 1).clamp(0, 58);
    let least = (bucket - 16 * shift) << shift;
    (least, least + ((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the SQL says it.
    fn bucket_of(duration: i64) -> i32 {
        let digits = 64 - duration.leading_zeros() as i64;
        let shift = (digits - 5).max(0);
        i32::try_from(16 * shift + (duration >> shift)).unwrap()
    }

    #[test]
    fn each_duration_is_in_its_bucket_and_buckets_are_narrow() {
        for duration in (0..5_000).chain([86_399_999, 86_400_000, i64::MAX >> 1, i64::MAX]) {
            let (least, greatest) = durations_of(bucket_of(duration));
            assert!((least..=greatest).contains(&duration), "{duration}: {least} to {greatest}");
            assert!(greatest - least <= least / 16, "{duration}: {least} to {greatest}");
        }
        let bounds: Vec<_> = (0..600).map(durations_of).collect();
        assert!(bounds.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "no gap, no overlap");
    }
}
