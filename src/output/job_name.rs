//! What others call a job: the names on dashboards and in alarms that are older than `rounds`.

use std::str::FromStr;

/// The longest value of a dimension that CloudWatch takes.
const LENGTH_MAX: usize = 1024;

/// `NAME=JOB` or `NAME=JOB-LANE`; `NAME` alone is the name of whatever job is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobName {
    name: String,
    job: Option<String>,
}

impl JobName {
    /// The job or the lane that is named.
    pub fn job(&self) -> Option<&str> {
        self.job.as_deref()
    }

    /// The name of a job or a lane that the schedule calls so, if this names it.
    pub fn of(&self, called: &str) -> Option<&str> {
        self.job().is_none_or(|job| has(job, called)).then_some(self.name.as_str())
    }

    /// Whether this says that the job or the lane has that name.
    pub fn says(&self, name: &str, called: &str) -> bool {
        self.name == name && self.job().is_some_and(|job| has(job, called))
    }
}

/// Whether a lane is the named one, or one of the named job.
fn has(job: &str, called: &str) -> bool {
    called.strip_prefix(job).is_some_and(|lane| lane.is_empty() || lane.starts_with('-'))
}

impl FromStr for JobName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, job) = text.split_once('=').map_or((text, None), |(name, job)| (name, Some(job)));
        let is_word = |word: &str| (1..=LENGTH_MAX).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
        if !is_word(name) || name.starts_with(':') || !job.is_none_or(is_word) {
            return Err("a name of a job looks like NO_SHOW_CHECK=mark-no-shows".to_owned());
        }
        Ok(Self { name: name.to_owned(), job: job.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_a_job_of_a_lane_or_of_all() {
        let parsed = |text: &str| text.parse::<JobName>();
        let name = parsed("NO_SHOW_CHECK=mark-no-shows").expect("a name");
        assert_eq!((name.of("mark-no-shows"), name.of("prune")), (Some("NO_SHOW_CHECK"), None));
        assert!(name.says("NO_SHOW_CHECK", "mark-no-shows") && !name.says("OTHER", "mark-no-shows"));
        let billing = parsed("BILLING=advance-billing").expect("a name");
        assert_eq!(billing.of("advance-billing-paid"), Some("BILLING"));
        let lane = parsed("PAID=advance-billing-paid").expect("a name");
        assert_eq!((lane.of("advance-billing-paid"), lane.of("advance-billing-pending-payment")), (Some("PAID"), None));
        let any = parsed("ALL").expect("a name");
        assert!(any.of("prune") == Some("ALL") && !any.says("ALL", "prune"));
        for bad in ["", "=prune", "a b=prune", ":x", "X=", "X=a b"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
