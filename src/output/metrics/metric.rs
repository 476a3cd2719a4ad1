//! The metrics of a lane, as the files of Prometheus and OTLP tell them, and what is known of each at the end of a
//! process.

use chrono::{DateTime, Utc};

use super::told::{By, Figures, History, Told};

/// A metric, which is a gauge.
pub struct Metric {
    /// Its name in the files of Prometheus.
    pub name: &'static str,
    /// Its name by OTLP: what Prometheus makes of that and the unit is the name in the files.
    pub otel: &'static str,
    /// Its unit by UCUM; nothing where there is none.
    pub unit: &'static str,
    /// Its description, which has to be the same in each file.
    pub help: &'static str,
    /// Whether what was known of it before is true as long as nothing newer is known.
    pub lasts: bool,
    value: fn(&Known) -> Option<f64>,
}

/// All of them, in the order of the files.
pub const METRICS: [Metric; 6] = [
    Metric {
        name: "rounds_healthy",
        otel: "rounds.healthy",
        unit: "",
        help: "Whether the lane is healthy (1) or not (0): by its last run, and by rounds health.",
        lasts: true,
        value: |known| known.healthy.map(|healthy| f64::from(u8::from(healthy))),
    },
    Metric {
        name: "rounds_run_duration_seconds",
        otel: "rounds.run.duration",
        unit: "s",
        help: "The duration of the last run of the lane.",
        lasts: true,
        value: |known| known.figures.map(|run| run.duration_ms as f64 / 1000.0),
    },
    Metric {
        name: "rounds_items_processed",
        otel: "rounds.items.processed",
        unit: "{item}",
        help: "The number of items that the last run of the lane processed.",
        lasts: true,
        value: |known| known.figures.map(|run| run.processed as f64),
    },
    Metric {
        name: "rounds_items_failed",
        otel: "rounds.items.failed",
        unit: "{item}",
        help: "The number of items at which the last run of the lane failed.",
        lasts: true,
        value: |known| known.figures.map(|run| run.failed as f64),
    },
    Metric {
        name: "rounds_last_success_timestamp_seconds",
        otel: "rounds.last_success.timestamp",
        unit: "s",
        help: "When the last run of the lane that succeeded ended, in seconds since 1970.",
        lasts: true,
        value: |known| known.succeeded_at,
    },
    Metric {
        name: "rounds_notifications_pending_oldest_seconds",
        otel: "rounds.notifications.pending.oldest",
        unit: "s",
        help: "For how long the oldest message of the lane's channel has been due and not sent.",
        lasts: false,
        value: |known| known.oldest_pending,
    },
];

impl Metric {
    /// What is known of it now; None where nothing is.
    pub fn value(&self, told: &Told, now: DateTime<Utc>) -> Option<f64> {
        (self.value)(&Known::of(told, now))
    }
}

/// What is known of a lane now; None: as it was.
struct Known {
    healthy: Option<bool>,
    figures: Option<Figures>,
    succeeded_at: Option<f64>,
    oldest_pending: Option<f64>,
}

impl Known {
    fn of(told: &Told, now: DateTime<Utc>) -> Self {
        let seconds = |at: DateTime<Utc>| at.timestamp_millis() as f64 / 1000.0;
        let nothing = Self {
            healthy: Some(told.healthy),
            figures: None,
            succeeded_at: None,
            oldest_pending: told.oldest_pending_seconds.map(|seconds| seconds as f64),
        };
        match &told.by {
            By::Run(figures) => {
                Self { figures: Some(*figures), succeeded_at: told.healthy.then(|| seconds(now)), ..nothing }
            }
            // It says nothing of the lane, unless that is why nothing was done.
            By::Skipped(_) => Self { healthy: nothing.healthy.filter(|healthy| !healthy), ..nothing },
            By::Health(None) => nothing,
            By::Health(Some(History { last, succeeded_at })) => {
                Self { figures: *last, succeeded_at: succeeded_at.map(seconds), ..nothing }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Prometheus reads OTLP: dots become underscores, and a unit is written out.
    #[test]
    fn each_metric_has_one_name_however_it_is_told() {
        for metric in &METRICS {
            let unit = if metric.unit == "s" { "_seconds" } else { "" };
            assert_eq!(format!("{}{unit}", metric.otel.replace('.', "_")), metric.name);
        }
    }
}
