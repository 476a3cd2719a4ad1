//! The outlook of a stage: the number of due cases, their worth, and the number that may advance without confirmation.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::money::Cents;
use super::report::CASES_WARNED;
use super::stage::{JOB, Stage};
use super::step::{self, CANDIDATES, Step, due, held_back};
use crate::db::{Key, statements};
use crate::error::Error;
use crate::run::{Halt, count, lane_within};

statements! {
    // $1 to $3 are the parameters of the rule · $4 only of this facility, a key or NULL · $5 limit bigint
    WORTH(TIMESTAMPTZ, INT4, FLOAT8, KEY) =
        format!("SELECT count(*) AS cases,\n{}FROM surgical_cases c\n{}{WITHIN}", step::WORTH, due());
    HELD_BACK(TIMESTAMPTZ, INT4, FLOAT8, KEY) =
        format!("SELECT count(*) AS cases FROM surgical_cases c\n{CANDIDATES}  AND\n{}{WITHIN}", held_back("$3"));
    HELD_BACK_IDS(TIMESTAMPTZ, INT4, FLOAT8, KEY, INT8) = format!(
        "SELECT c.id::text AS id FROM surgical_cases c\n{CANDIDATES}  AND\n{}{WITHIN}
         AND c.id IS NOT NULL ORDER BY c.id LIMIT $5",
        held_back("$3")
    );
    SCAN(TIMESTAMPTZ, INT4, FLOAT8, KEY, INT8) = format!(
        "SELECT c.id::text AS id FROM surgical_cases c\n{}{WITHIN}\nAND c.id IS NOT NULL ORDER BY c.id LIMIT $5",
        due()
    );
    USUAL_ITEMS(TEXT, TEXT) = include_str!("usual_items.sql");
}

/// The condition that a case `c` is of the facility to which a run is kept.
const WITHIN: &str = "AND (c.facility_id = $4 OR $4 IS NULL)";

/// The cases that a run of a stage would advance.
pub struct Outlook {
    pub step: Step,
    pub due: u64,
    pub worth: Cents,
    pub held_back: u64,
    /// The number of cases that may advance without a person's confirmation.
    pub limit: u32,
    /// The facility to which the run is kept.
    facility: Option<Key>,
}

impl Outlook {
    /// Reads the outlook of a stage, for a facility if there is one. `confirmed` is the number of cases that a person or the configuration allows.
    pub async fn of(
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        stage: Stage,
        min_dwell: Option<Duration>,
        confirmed: Option<u32>,
        facility: Option<&Key>,
    ) -> Result<Self, Error> {
        let step = Step::of(tx, stage, min_dwell).await?;
        let worth = WORTH.one(tx, &[&now, &step.from, &step.dwell, &facility]).await?;
        let held_back = HELD_BACK.one(tx, &[&now, &step.from, &step.dwell, &facility]).await?;
        let lane = lane_within(stage.name().to_owned(), facility);
        let limit = limit(tx, &lane, confirmed).await?;
        Ok(Self {
            step,
            due: count(&worth, "cases"),
            worth: Cents::of(&worth),
            held_back: count(&held_back, "cases"),
            limit,
            facility: facility.cloned(),
        })
    }

    /// Whether more cases are due than may advance, beside so many that are not tried.
    pub fn exceeds_limit(&self, waiting: u64) -> bool {
        self.due > u64::from(self.limit) + waiting
    }

    /// The ids of the first cases that are held back, for a warning of each.
    pub async fn held_back_ids(&self, tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<Vec<Key>, Error> {
        if self.held_back == 0 {
            return Ok(vec![]);
        }
        let limit = CASES_WARNED as i64;
        let rows = HELD_BACK_IDS.all(tx, &[&now, &self.step.from, &self.step.dwell, &self.facility, &limit]).await?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
    }

    /// The ids of the due cases, at most as many as may advance, and so many that are not tried.
    pub async fn ids(&self, tx: &Transaction<'_>, now: DateTime<Utc>, waiting: u64) -> Result<Vec<Key>, Error> {
        let limit = i64::from(self.limit) + waiting as i64;
        let rows = SCAN.all(tx, &[&now, &self.step.from, &self.step.dwell, &self.facility, &limit]).await?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
    }
}

/// The number of cases that may advance: the confirmed number, or five times the usual number, at least 50.
pub async fn limit(tx: &Transaction<'_>, lane: &str, confirmed: Option<u32>) -> Result<u32, Error> {
    if let Some(confirmed) = confirmed {
        return Ok(confirmed);
    }
    let usual = USUAL_ITEMS.one(tx, &[&JOB, &lane]).await?;
    Ok(u32::try_from(count(&usual, "cases")).unwrap_or(u32::MAX))
}

pub fn brake(due: u64, limit: u32, worth: &str) -> Halt {
    let message = format!(
        "{due} cases are due{worth}, and at most {limit} may move unasked; nothing was changed. Look at them with \
         --dry-run --list; if they are right, run once with --confirm-items {due}"
    );
    Halt::Brake { message, notify_at_once: true }
}
