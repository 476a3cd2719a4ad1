//! The report of a run of `advance-billing`: counts, money, and the outcome of each case that a person asked for.

use std::time::Instant;

use serde::{Serialize, Serializer};
use tracing::{info, warn};
use uuid::Uuid;

use super::money::Cents;
use super::stage::CASE;
use crate::db::Key;
use crate::run::{Counts, NotDone};

/// The number of cases that a run warns of one by one.
pub const CASES_WARNED: usize = 20;

/// scanned = advanced + skipped + failed.
#[derive(Debug, Default)]
pub struct Report {
    pub began: Option<Instant>,
    /// The cases of the stage, or the requested cases.
    pub scanned: u64,
    pub advanced: u64,
    /// The sum of the amounts that their providers are paid.
    pub money_moved: Cents,
    /// The advanced cases whose amount is none, such as NaN. They count as nothing in `money_moved`.
    pub amounts_unreadable: u64,
    /// The outcomes of a run by hand.
    pub cases: Option<Outcomes>,
    pub not_done: NotDone,
}

/// The outcome of each requested case.
#[derive(Debug, Default)]
pub struct Outcomes {
    pub updated: Vec<Updated>,
    pub exceptions: Vec<Exception>,
}

#[derive(Debug, Serialize)]
pub struct Updated {
    /// The case.
    pub case_id: Key,
    /// Its status before.
    pub previous_status: i32,
    /// Its status now.
    pub new_status: i32,
    /// Whether a person moved it against the transitions.
    pub forced: bool,
    /// The column with the instant of the change.
    pub timestamp_field: String,
}

#[derive(Debug, Serialize)]
pub struct Exception {
    /// The id, or the line of the file with an id that no case has.
    pub case_id: Key,
    /// Why it stays where it is.
    pub reason: &'static str,
    /// None if the case does not exist, or its status is none.
    pub current_status: Option<i32>,
    /// Where it should have gone.
    pub attempted_status: i32,
    /// Whether it is a failed item, which has a warning of its own.
    #[serde(skip)]
    pub failed: bool,
}

/// Warns of cases that stay where they are: of each, or of the first and of how many more there are. `cases` are ids
/// with their reasons, and there are so many in `all`.
pub fn warn_of<'a>(run_id: Uuid, cases: impl Iterator<Item = (&'a Key, &'a str)>, all: u64) {
    let mut said = 0;
    for (id, reason) in cases.take(CASES_WARNED) {
        warn!(%run_id, entity = CASE, %id, "{CASE} {id}: {reason}");
        said += 1;
    }
    if all > said {
        warn!(%run_id, entity = CASE, "{} more cases stay where they are", all - said);
    }
}

/// The metrics of one stage, for dashboards.
#[derive(Serialize)]
struct Metrics {
    /// As scanned.
    found: u64,
    /// As advanced.
    updated: u64,
    /// What stays where it is: skipped and failed.
    excepted: u64,
    /// How long the stage took.
    duration_ms: u64,
    /// The sum of the amounts that their providers are paid.
    money_moved: Cents,
    /// The advanced cases whose amount is none; they count as nothing.
    #[serde(skip_serializing_if = "is_none")]
    amounts_unreadable: u64,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

impl Report {
    fn metrics(&self) -> Metrics {
        Metrics {
            found: self.scanned,
            updated: self.advanced,
            excepted: self.not_done.skipped + self.not_done.failed,
            duration_ms: self.began.map_or(0, |began| began.elapsed().as_millis() as u64),
            money_moved: self.money_moved,
            amounts_unreadable: self.amounts_unreadable,
        }
    }

    /// Logs one line with the metrics as fields.
    pub fn log(&self, stage: &str) {
        let Metrics { found, updated, excepted, duration_ms, money_moved, amounts_unreadable } = self.metrics();
        if amounts_unreadable > 0 {
            warn!(
                stage,
                "{amounts_unreadable} of the advanced cases have a pay_amount that is none; counted as nothing"
            );
        }
        info!(stage, found, updated, excepted, duration_ms, %money_moved, "stage {stage}");
    }
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.advanced, not_done: &self.not_done }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            /// The cases of the stage, or the requested cases.
            scanned: u64,
            /// The cases that were moved.
            advanced: u64,
            /// The same for dashboards.
            metrics: Metrics,
            /// Of a run by hand, the cases that were moved.
            #[serde(skip_serializing_if = "Option::is_none")]
            updated: Option<&'a [Updated]>,
            /// Of a run by hand, the cases that stay where they are.
            #[serde(skip_serializing_if = "Option::is_none")]
            exceptions: Option<&'a [Exception]>,
            #[serde(flatten)]
            not_done: &'a NotDone,
        }
        let Self { scanned, advanced, not_done, .. } = self;
        let updated = self.cases.as_ref().map(|cases| cases.updated.as_slice());
        let exceptions = self.cases.as_ref().map(|cases| cases.exceptions.as_slice());
        let metrics = self.metrics();
        Shown { scanned: *scanned, advanced: *advanced, metrics, updated, exceptions, not_done }.serialize(serializer)
    }
}
