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
use crate::run::{Halt, count};

statements! {
    WORTH(TIMESTAMPTZ, INT4, FLOAT8) =
        format!("SELECT count(*) AS cases,\n{}FROM surgical_cases c\n{}", step::WORTH, due());
    HELD_BACK(TIMESTAMPTZ, INT4, FLOAT8) =
        format!("SELECT count(*) AS cases FROM surgical_cases c\n{CANDIDATES}  AND\n{}", held_back("$3"));
    HELD_BACK_IDS(TIMESTAMPTZ, INT4, FLOAT8, INT8) = format!(
        "SELECT c.id::text AS id FROM surgical_cases c\n{CANDIDATES}  AND\n{}AND c.id IS NOT NULL ORDER BY c.id LIMIT $4",
        held_back("$3")
    );
    SCAN(TIMESTAMPTZ, INT4, FLOAT8, INT8) =
        format!("SELECT c.id::text AS id FROM surgical_cases c\n{}AND c.id IS NOT NULL ORDER BY c.id LIMIT $4", due());
    USUAL_ITEMS(TEXT, TEXT) = include_str!("usual_items.sql");
}

/// The cases that a run of a stage would advance.
pub struct Outlook {
    pub step: Step,
    pub due: u64,
    pub worth: Cents,
    pub held_back: u64,
    /// The number of cases that may advance without a person's confirmation.
    pub limit: u32,
}

impl Outlook {
    /// Reads the outlook of a stage. `confirmed` is the number of cases that a person or the configuration allows.
    pub async fn of(
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        stage: Stage,
        min_dwell: Option<Duration>,
        confirmed: Option<u32>,
    ) -> Result<Self, Error> {
        let step = Step::of(tx, stage, min_dwell).await?;
        let worth = WORTH.one(tx, &[&now, &step.from, &step.dwell]).await?;
        let held_back = HELD_BACK.one(tx, &[&now, &step.from, &step.dwell]).await?;
        let limit = limit(tx, stage.name(), confirmed).await?;
        Ok(Self {
            step,
            due: count(&worth, "cases"),
            worth: Cents::of(&worth),
            held_back: count(&held_back, "cases"),
            limit,
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
        let rows = HELD_BACK_IDS.all(tx, &[&now, &self.step.from, &self.step.dwell, &limit]).await?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
    }

    /// The ids of the due cases, at most as many as may advance, and so many that are not tried.
    pub async fn ids(&self, tx: &Transaction<'_>, now: DateTime<Utc>, waiting: u64) -> Result<Vec<Key>, Error> {
        let limit = i64::from(self.limit) + waiting as i64;
        let rows = SCAN.all(tx, &[&now, &self.step.from, &self.step.dwell, &limit]).await?;
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
