//! The question before much is told at once: a brake beside `--max-items`, for the jobs that tell people.
//!
//! Rule: a run is asked about if and only if its job tells people, `--max-items` is not given, and either its lane has
//! never completed a run and more than `--first-run-max` items are due; or more than five times the median of the last
//! eight completed runs of the lane that did something (0 if none did) are due, and more than 500. Every completed run
//! of the lane counts, also one by hand, of a part, or that found nothing due. A run that was asked for by name is not
//! asked about, and neither is the sync: it knows what changed only as it stores it, and has a brake for deletions.
//!
//! The history is read only where so much is due that it matters, so an idle run does not pay for it.

use tokio_postgres::Transaction;

use super::clock::has_passed;
use crate::db::statements;
use crate::error::Error;

statements! {
    HABITS(TEXT, TEXT) = format!(include_str!("habits.sql"), has_passed = has_passed("r.completed_at"));
}

/// So much is never too much for a lane that has completed a run.
const USUAL: usize = 500;
/// How many times the median is too much.
const TIMES: f64 = 5.0;

/// What a lane has done so far.
#[derive(Clone, Copy)]
pub struct Habits {
    has_completed: bool,
    /// The median of what its last runs did that did something.
    median: Option<f64>,
}

/// More is due than a lane may tell without a person's word.
#[derive(Clone, Debug, PartialEq)]
pub struct Flood {
    due: usize,
    /// The median that it exceeds; None: the lane has never completed a run.
    median: Option<f64>,
}

impl Habits {
    pub async fn read(tx: &Transaction<'_>, job: &str, lane: &str) -> Result<Self, Error> {
        let row = HABITS.one(tx, &[&job, &lane]).await?;
        Ok(Self { has_completed: row.get("has_completed"), median: row.get("median") })
    }

    /// What is too much, if so much is.
    pub fn flood(self, due: usize, first_run_max: usize) -> Option<Flood> {
        if !self.has_completed {
            return (due > first_run_max).then_some(Flood { due, median: None });
        }
        // A lane that has completed runs and done nothing yet is used to nothing.
        let median = self.median.unwrap_or(0.0);
        (due > USUAL && due as f64 > TIMES * median).then_some(Flood { due, median: Some(median) })
    }
}

/// Whether so much may be too much, so that the history has to be read.
pub fn is_worth_a_look(due: usize, first_run_max: usize) -> bool {
    due > first_run_max.min(USUAL)
}

impl Flood {
    /// What is unusual. `since` is the instant since which the oldest is due, if the job can say it.
    pub fn what(&self, since: Option<&str>) -> String {
        let since = since.map_or(String::new(), |since| format!(" (the oldest since {since})"));
        let due = self.due;
        match self.median {
            None => format!("{due} items are due{since}, and this lane has never completed a run"),
            Some(median) => format!(
                "{due} items are due{since}, more than five times what the last runs of this lane did (median {median})"
            ),
        }
    }

    /// What is unusual, and how to go on. The command is that of the lane.
    pub fn message(&self, command: &str, look: &str, since: Option<&str>) -> String {
        // A few more may have become due until then.
        let enough = self.due + self.due / 10 + 1;
        format!(
            "{}: people are told only after somebody has looked, and nothing was changed. Look at them with {look}; \
             if they are right, run once with --max-items: `rounds {command} --max-items {enough}`",
            self.what(since)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_is_asked_about_above_its_limit() {
        let new = Habits { has_completed: false, median: None };
        assert_eq!(new.flood(100, 100), None);
        assert_eq!(new.flood(101, 100), Some(Flood { due: 101, median: None }));
        assert_eq!(new.flood(1, 0), Some(Flood { due: 1, median: None }));
        assert!(!is_worth_a_look(100, 100) && is_worth_a_look(101, 100));
    }

    #[test]
    fn the_advice_is_the_command_of_the_lane() {
        let flood = Flood { due: 200, median: None };
        let message = flood.message("deliver-notifications --channel sms", "--dry-run", None);
        assert!(message.ends_with("`rounds deliver-notifications --channel sms --max-items 221`"), "{message}");
    }

    #[test]
    fn later_runs_are_asked_about_above_five_medians_and_five_hundred() {
        let used_to = |median| Habits { has_completed: true, median };
        assert_eq!(used_to(Some(10.0)).flood(500, 100), None, "never too much");
        assert_eq!(used_to(Some(10.0)).flood(501, 100), Some(Flood { due: 501, median: Some(10.0) }));
        assert_eq!(used_to(Some(200.0)).flood(1000, 100), None, "five times as much");
        assert!(used_to(Some(200.0)).flood(1001, 100).is_some());
        assert_eq!(used_to(None).flood(500, 100), None);
        assert!(used_to(None).flood(501, 100).is_some(), "it is used to nothing");
        assert!(!is_worth_a_look(500, 10_000) && is_worth_a_look(501, 10_000));
    }
}
