//! What goes out and comes in: money, requests to the account, messages, the registry.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Transaction;

use super::period::Period;
use crate::db::{Key, Keys, Row, statements};
use crate::error::{Error, ErrorKind};
use crate::jobs::advance_billing::WORTH;

statements! {
    MONEY_CASES(TIMESTAMPTZ, TIMESTAMPTZ, INT8) =
        "SELECT DISTINCT h.case_id AS id FROM surgical_case_status_history h
         WHERE h.created_at >= $1 AND h.created_at < $2 LIMIT $3";
    MONEY(KEYS, TIMESTAMPTZ, TIMESTAMPTZ, TEXT) = format!(include_str!("money.sql"), worth = WORTH);
    STATUSES() = "SELECT s.status::int AS status, s.name::text AS name FROM surgical_case_statuses s";
    REQUESTS(TIMESTAMPTZ, TIMESTAMPTZ, TEXT) = include_str!("requests.sql");
    // What the last run of the sync was told of the account's limit.
    LIMIT() =
        "SELECT r.metadata -> 'arguments' AS arguments FROM cron_job_runs r
         WHERE r.job_name = 'sync-practiceq' AND r.lane IN ('full', 'incremental')
         ORDER BY r.started_at DESC LIMIT 1";
    MESSAGES(TIMESTAMPTZ, TIMESTAMPTZ) = include_str!("messages.sql");
    // Each NPI was inserted once, and none is ever deleted: so the ledger has the size of the registry.
    REGISTRY() = "SELECT COALESCE(sum(f.inserted), 0)::bigint AS providers, max(f.period_end) AS up_to FROM npi_files f";
    FILES(TIMESTAMPTZ, TIMESTAMPTZ) =
        "SELECT f.kind, f.period_end, f.rows, f.inserted, f.updated, f.deactivated, f.rejected FROM npi_files f
         WHERE f.processed_at >= $1 AND f.processed_at < $2 ORDER BY f.id";
}

/// The most cases of which the worth is asked.
const CASES_MAX: i64 = 200_000;

/// Surgical cases that came to a status.
#[derive(Serialize)]
pub struct Money {
    pub by_status: Vec<Moved>,
    pub by_week: Vec<Moved>,
}

#[derive(Clone, Serialize)]
pub struct Moved {
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week: Option<NaiveDate>,
    pub cases: i64,
    pub cents: i64,
}

impl Money {
    pub async fn read(tx: &Transaction<'_>, period: &Period, zone_name: &str) -> Result<Self, Error> {
        let Period { from, until, .. } = period;
        let cases = MONEY_CASES.all(tx, &[from, until, &(CASES_MAX + 1)]).await?;
        if cases.len() as i64 > CASES_MAX {
            let message = format!("more than {CASES_MAX} cases changed their status: take a shorter --since");
            return Err(Error::new("TOO_MANY_CASES", ErrorKind::Refused, message));
        }
        let keys: Vec<Key> = cases.iter().map(|row| row.get("id")).collect();
        let names = STATUSES.all(tx, &[]).await?;
        let name = |status: i32| {
            let row = names.iter().find(|row| row.get::<_, Option<i32>>("status") == Some(status));
            row.and_then(|row| row.get("name")).unwrap_or(format!("status {status}"))
        };
        let rows = MONEY.all(tx, &[&Keys(&keys), from, until, &zone_name]).await?;
        let moved = |row: &Row| Moved {
            status: name(row.get("to_status")),
            week: Some(row.get("week")),
            cases: row.get("cases"),
            cents: row.get("cents"),
        };
        let by_week: Vec<Moved> = rows.iter().map(moved).collect();
        let mut by_status: Vec<Moved> = vec![];
        for one in &by_week {
            match by_status.iter_mut().find(|sum| sum.status == one.status) {
                Some(sum) => {
                    sum.cases += one.cases;
                    sum.cents = sum.cents.saturating_add(one.cents);
                }
                None => by_status.push(Moved { week: None, ..one.clone() }),
            }
        }
        Ok(Self { by_status, by_week })
    }
}

/// The requests to accounts by day.
#[derive(Serialize)]
pub struct Requests {
    pub per_day_max: Option<i64>,
    pub days: Vec<RequestDay>,
}

#[derive(Serialize)]
pub struct RequestDay {
    pub account: String,
    pub day: NaiveDate,
    pub requests: i64,
    pub by_hand: i64,
    pub of_events: i64,
}

impl Requests {
    pub async fn read(tx: &Transaction<'_>, period: &Period, zone_name: &str) -> Result<Self, Error> {
        let rows = REQUESTS.all(tx, &[&period.from, &period.until, &zone_name]).await?;
        let day = |row: &Row| RequestDay {
            account: row.get("account"),
            day: row.get("day"),
            requests: row.get("requests"),
            by_hand: row.get("by_hand"),
            of_events: row.get("of_events"),
        };
        Ok(Self { per_day_max: per_day_max(tx).await?, days: rows.iter().map(day).collect() })
    }

    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }
}

/// How many requests a day the account allows, as the last run of the sync was told.
pub async fn per_day_max(tx: &Transaction<'_>) -> Result<Option<i64>, Error> {
    let arguments = LIMIT.opt(tx, &[]).await?.and_then(|row| row.get::<_, Option<Value>>("arguments"));
    Ok(arguments.and_then(|arguments| arguments["requests_per_day"].as_i64()))
}

/// The messages of a channel in a state.
#[derive(Serialize)]
pub struct Messages {
    pub channel: String,
    pub status: String,
    pub messages: i64,
}

pub async fn messages(tx: &Transaction<'_>, period: &Period) -> Result<Vec<Messages>, Error> {
    let rows = MESSAGES.all(tx, &[&period.from, &period.until]).await?;
    let messages =
        |row: &Row| Messages { channel: row.get("channel"), status: row.get("status"), messages: row.get("messages") };
    Ok(rows.iter().map(messages).collect())
}

/// The provider registry.
#[derive(Serialize)]
pub struct Registry {
    pub providers: i64,
    pub up_to: Option<NaiveDate>,
    pub files: Vec<File>,
}

/// A file that was loaded.
#[derive(Serialize)]
pub struct File {
    pub kind: String,
    pub period_end: NaiveDate,
    pub rows: i64,
    pub inserted: i64,
    pub updated: i64,
    pub deactivated: i64,
    pub rejected: i64,
}

impl Registry {
    pub async fn read(tx: &Transaction<'_>, period: &Period) -> Result<Self, Error> {
        let size = REGISTRY.one(tx, &[]).await?;
        let rows = FILES.all(tx, &[&period.from, &period.until]).await?;
        let file = |row: &Row| File {
            kind: row.get("kind"),
            period_end: row.get("period_end"),
            rows: row.get("rows"),
            inserted: row.get("inserted"),
            updated: row.get("updated"),
            deactivated: row.get("deactivated"),
            rejected: row.get("rejected"),
        };
        Ok(Self { providers: size.get("providers"), up_to: size.get("up_to"), files: rows.iter().map(file).collect() })
    }
}
