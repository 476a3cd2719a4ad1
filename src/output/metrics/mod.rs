//! Metrics, which have to survive a process that is gone before anybody asks it: each kind is a file here, and gets what
//! was collected once.

mod emf;
mod metric;
mod textfile;
mod told;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use super::JobName;
use super::telling::Telling;

pub use metric::METRICS;
pub use told::{By, Figures, History, Told};

#[derive(Args, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsArgs {
    /// Tell metrics at the end; several with commas between
    #[arg(long, global = true, env = "ROUNDS_METRICS", value_name = "KIND", value_enum, value_delimiter = ',')]
    pub metrics: Vec<Kind>,
    /// The directory of node_exporter's textfile collector: `rounds_JOB_LANE.prom` for each lane. It alone is enough,
    /// whatever --metrics says
    #[arg(long, global = true, env = "ROUNDS_METRICS_DIR", value_name = "DIR")]
    pub metrics_dir: Option<PathBuf>,
    /// The namespace of the metrics for CloudWatch
    #[arg(long, global = true, env = "ROUNDS_METRICS_NAMESPACE", value_name = "NAME")]
    #[arg(default_value = "HMS/CronJobs", value_parser = namespace)]
    pub metrics_namespace: String,
    /// What the metrics for CloudWatch call a job, where alarms know it by an older name: NAME=JOB or NAME=JOB-LANE;
    /// NAME alone is of any job
    #[arg(long, global = true, env = "ROUNDS_METRICS_JOB_NAME", value_name = "NAME=JOB", value_delimiter = ',')]
    pub metrics_job_name: Vec<JobName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// CloudWatch's Embedded Metric Format: one line of JSON on stdout
    Emf,
    /// Files for Prometheus, in --metrics-dir
    Textfile,
}

impl Kind {
    /// What is to be done for it, if it is wanted.
    fn telling(self, args: &MetricsArgs, told: &[Told]) -> Option<Telling> {
        let (told, now) = (told.to_vec(), published());
        match self {
            Self::Emf => {
                let names = args.metrics.contains(&self).then(|| args.names())?;
                Some(Telling::new("metrics on stdout", move || emf::write(&names, &told, now)))
            }
            Self::Textfile => {
                let directory = args.metrics_dir.clone()?;
                Some(Telling::new("metrics in files", move || textfile::write(&directory, &told, now)))
            }
        }
    }
}

impl MetricsArgs {
    fn names(&self) -> emf::Names {
        emf::Names { namespace: self.metrics_namespace.clone(), jobs: self.metrics_job_name.clone() }
    }

    /// Refuses options that are wrong in combination.
    pub fn check(&self) -> Result<(), &'static str> {
        match self.metrics_dir {
            None if self.metrics.contains(&Kind::Textfile) => {
                Err("--metrics textfile: say where, with --metrics-dir DIR (ROUNDS_METRICS_DIR)")
            }
            _ => Ok(()),
        }
    }

    /// Whether somebody wants to know for how long messages have been waiting.
    pub fn asks_what_waits(&self) -> bool {
        self.metrics_dir.is_some()
    }

    /// What is to be done for each kind that is wanted, each once.
    pub fn tellings(&self, told: &[Told]) -> Vec<Telling> {
        let kinds = if told.is_empty() { &[] } else { Kind::value_variants() };
        kinds.iter().filter_map(|kind| kind.telling(self, told)).collect()
    }
}

/// The instant of publication, which is needed even if no database was reached.
#[expect(clippy::disallowed_methods, reason = "it decides nothing")]
pub fn published() -> DateTime<Utc> {
    Utc::now()
}

/// Parses a namespace that CloudWatch accepts.
fn namespace(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte);
    let good = (1..=255).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with(':');
    if good { Ok(text.to_owned()) } else { Err("has up to 255 letters, digits and . - _ / # :".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_what_cloudwatch_takes() {
        for good in ["HMS/CronJobs", "a", "A.b-c_d/e#f:g"] {
            assert!(namespace(good).is_ok(), "{good}");
        }
        for bad in ["", ":a", "a b", "é", &"a".repeat(256)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }
}
