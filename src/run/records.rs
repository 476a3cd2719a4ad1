//! What runs recorded of single items: what the database refused, what failed, and what nobody could be told of.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::db::{Row, statements};
use crate::error::Error;

statements! {
    // $1 job_name text · $2 ids of items text[] · $3 now timestamptz
    REFUSALS(TEXT, TEXT_ARRAY, TIMESTAMPTZ) =
        "SELECT r.lane, r.entity, r.part, r.entity_id, r.error_code, r.message, r.refusals, r.last_refused_at,
                CASE WHEN r.next_try_at > $3 AND r.last_refused_at <= $3 THEN r.next_try_at END AS next_try_at
         FROM item_refusals r WHERE r.job_name = $1 AND r.entity_id = ANY ($2)";
    // The newest ones. $1 job_name text · $2 ids of items text[] · $3 their entities text[]
    FAILURES(TEXT, TEXT_ARRAY, TEXT_ARRAY) =
        "SELECT e.run_id, e.error_code, e.message, e.created_at
         FROM cron_job_run_errors e
         WHERE e.entity_id = ANY ($2)
           AND (e.entity_id, e.entity) IN (SELECT * FROM unnest($2, $3))
           AND EXISTS (SELECT FROM cron_job_runs r WHERE r.id = e.run_id AND r.job_name = $1)
         ORDER BY e.id DESC LIMIT 20";
}

/// An item of a run: a row, and what is done with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Item {
    #[serde(skip)]
    pub lane: String,
    pub entity: &'static str,
    #[serde(skip)]
    pub part: String,
    pub id: String,
}

/// An item that the database refused.
pub struct Refusal {
    lane: String,
    entity: String,
    part: String,
    id: String,
    pub code: String,
    /// Redacted.
    pub message: String,
    pub times: i32,
    pub last: DateTime<Utc>,
    /// Until when it waits, if it does.
    pub next_try: Option<DateTime<Utc>>,
}

/// An item that failed in a run, or of which nobody could be told.
pub struct Failure {
    pub run_id: Uuid,
    pub at: DateTime<Utc>,
    pub code: String,
    /// Redacted.
    pub message: String,
}

pub struct Records {
    refusals: Vec<Refusal>,
    pub failures: Vec<Failure>,
}

impl Records {
    /// The records of a job about these items.
    pub async fn of(tx: &Transaction<'_>, job: &str, items: &[&Item], now: DateTime<Utc>) -> Result<Self, Error> {
        let ids: Vec<&str> = items.iter().map(|item| &item.id[..]).collect();
        let refusal = |row: &Row| Refusal {
            lane: row.get("lane"),
            entity: row.get("entity"),
            part: row.get("part"),
            id: row.get("entity_id"),
            code: row.get("error_code"),
            message: row.get("message"),
            times: row.get("refusals"),
            last: row.get("last_refused_at"),
            next_try: row.get("next_try_at"),
        };
        let failure = |row: &Row| Failure {
            run_id: row.get("run_id"),
            at: row.get("created_at"),
            code: row.get("error_code"),
            message: row.get("message"),
        };
        let refusals = REFUSALS.all(tx, &[&job, &ids, &now]).await?.iter().map(refusal).collect();
        let entities: Vec<&str> = items.iter().map(|item| item.entity).collect();
        let failures = FAILURES.all(tx, &[&job, &ids, &entities]).await?.iter().map(failure).collect();
        Ok(Self { refusals, failures })
    }

    /// The refusal of an item; or that of its row, which could not be judged.
    pub fn refusal(&self, item: &Item) -> Option<&Refusal> {
        let of_row = |refusal: &&Refusal| refusal.entity == item.entity && refusal.id == item.id;
        let is_its = |refusal: &&Refusal| refusal.part == item.part && refusal.lane == item.lane;
        let unjudged = |refusal: &&Refusal| refusal.part == refusal.code && refusal.lane == item.lane;
        let find = |is: &dyn Fn(&&Refusal) -> bool| self.refusals.iter().filter(of_row).find(|refusal| is(refusal));
        find(&is_its).or_else(|| find(&unjudged))
    }
}
