//! What a run reads, and in which order; where one that had to stop goes on.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::SyncPracticeq;
use super::scope::Scope;
use crate::clients::practiceq::ACCOUNT_ZONE;
use crate::db::statements;
use crate::error::Error;

statements! {
    STATE() = "SELECT watermark, sweep_pages FROM practiceq_state";
    CURSOR(TEXT) = "SELECT query, page FROM practiceq_cursors
        WHERE lane = $1 AND saved_at > clock_timestamp() - interval '1 day'";
    SAVE_CURSOR(TEXT, JSONB, INT4, UUID) = "INSERT INTO practiceq_cursors (lane, query, page, saved_at, run_id)
        VALUES ($1, $2, $3, clock_timestamp(), $4)
        ON CONFLICT (lane) DO UPDATE
        SET query = excluded.query, page = excluded.page, saved_at = excluded.saved_at, run_id = excluded.run_id";
    DELETE_CURSOR(TEXT) = "DELETE FROM practiceq_cursors WHERE lane = $1";
}

/// An organization with so few patients is read patient by patient, however small the account is.
const FEW: usize = 10;
/// What lies so far from the edges of a window surely belongs to it, whatever the zone and whether or not the edges do.
const SURELY: Days = Days::new(2);

/// A list of the account's, page by page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "list", rename_all = "snake_case")]
pub enum Query {
    Window { from: NaiveDate, to: NaiveDate },
    Client { patient: i64, from: NaiveDate, to: NaiveDate },
    Since { date: NaiveDate },
    Deleted,
}

impl Query {
    /// For the record.
    pub fn purpose(&self, page: u32) -> String {
        match self {
            Self::Window { .. } => format!("window, page {page}"),
            Self::Client { patient, .. } => format!("patient {patient}, page {page}"),
            Self::Since { .. } => format!("changes, page {page}"),
            Self::Deleted => format!("deletions, page {page}"),
        }
    }

    pub fn patient(&self) -> Option<i64> {
        if let Self::Client { patient, .. } = self { Some(*patient) } else { None }
    }
}

/// What is left to be read.
pub struct Plan {
    pub queries: Vec<Query>,
    /// Of the first of them.
    pub page: u32,
    /// Whether an earlier run began it.
    pub resumed: bool,
    pub window: Window,
    /// The highest LastModified of what was read of it.
    pub modified: Option<DateTime<Utc>>,
    /// When it was begun.
    pub began: DateTime<Utc>,
    /// Days before and after today that were asked for.
    days: (u32, u32),
    /// How many pages the last complete sweep had.
    pub pages: Option<u32>,
}

/// The days that are asked for.
#[derive(Clone, Copy)]
pub struct Window {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

impl Window {
    /// Around the account's today.
    fn around(now: DateTime<Utc>, job: &SyncPracticeq) -> Self {
        let today = now.with_timezone(&ACCOUNT_ZONE).date_naive();
        let (back, ahead) = (Days::new(job.back_days.into()), Days::new(job.ahead_days.into()));
        Self { from: today - back, to: today + ahead }
    }

    /// From when until when an appointment surely lies in it.
    pub fn surely(self) -> (DateTime<Utc>, DateTime<Utc>) {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        (midnight(self.from + SURELY), midnight(self.to + Days::new(1) - SURELY))
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    queries: Vec<Query>,
    modified: Option<DateTime<Utc>>,
    began: DateTime<Utc>,
    days: (u32, u32),
}

impl Plan {
    /// What an earlier run of the lane left within a day, or all.
    pub async fn of(
        tx: &Transaction<'_>,
        job: &SyncPracticeq,
        (lane, now): (&str, DateTime<Utc>),
        scope: &Scope,
    ) -> Result<Self, Error> {
        let state = STATE.one(tx, &[]).await?;
        let pages = state.get::<_, Option<i32>>("sweep_pages").map(i32::unsigned_abs);
        let window = Window::around(now, job);
        let cursor = CURSOR.opt(tx, &[&lane]).await?;
        let days = (job.back_days, job.ahead_days);
        // What another version saved, or was asked otherwise, begins anew.
        let saved = cursor
            .and_then(|row| Some((serde_json::from_value::<Saved>(row.get("query")).ok()?, row.get::<_, i32>("page"))));
        if let Some((Saved { queries, modified, began, .. }, page)) = saved.filter(|(saved, _)| saved.days == days) {
            let window = queries.iter().find_map(Query::window).unwrap_or(window);
            let page = page.unsigned_abs();
            return Ok(Self { queries, page, resumed: true, window, modified, began, days, pages });
        }
        let queries = Self::queries(job, scope, window, state.get("watermark"), pages);
        Ok(Self { queries, page: 1, resumed: false, window, modified: None, began: now, days, pages })
    }

    fn queries(
        job: &SyncPracticeq,
        scope: &Scope,
        Window { from, to }: Window,
        watermark: Option<DateTime<Utc>>,
        pages: Option<u32>,
    ) -> Vec<Query> {
        let since = |date: DateTime<Utc>| Query::Since { date: date.date_naive() - Days::new(1) };
        if job.appointment.is_some() {
            return vec![];
        }
        let by_patient = job.patient.is_some()
            || (job.organization.is_some() && scope.patients.len() <= FEW.max(pages.unwrap_or(0) as usize));
        if by_patient {
            let patients = scope.patients.iter().filter(|id| !scope.unknown.contains(id));
            return patients.map(|patient| Query::Client { patient: *patient, from, to }).collect();
        }
        if job.organization.is_some() {
            return vec![Query::Window { from, to }];
        }
        if job.incremental {
            return vec![watermark.map_or(Query::Since { date: from }, since), Query::Deleted];
        }
        [Query::Window { from, to }].into_iter().chain(watermark.map(since)).chain([Query::Deleted]).collect()
    }

    /// Says where the next run of the lane goes on, or that it begins anew.
    pub async fn save(&self, tx: &Transaction<'_>, lane: &str, run: Uuid, go_on: bool) -> Result<(), Error> {
        if !go_on || self.queries.is_empty() {
            DELETE_CURSOR.execute(tx, &[&lane]).await?;
            return Ok(());
        }
        // What is deleted is decided over all of the list.
        let page = if self.queries[0] == Query::Deleted { 1 } else { i32::try_from(self.page).unwrap_or(1) };
        let Self { modified, began, days, .. } = *self;
        let query = json!(Saved { queries: self.queries.clone(), modified, began, days });
        SAVE_CURSOR.execute(tx, &[&lane, &query, &page, &run]).await?;
        Ok(())
    }
}

impl Query {
    fn window(&self) -> Option<Window> {
        match *self {
            Self::Window { from, to } | Self::Client { from, to, .. } => Some(Window { from, to }),
            Self::Since { .. } | Self::Deleted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        job: SyncPracticeq,
    }

    fn queries(args: &[&str], patients: i64, watermark: Option<&str>, pages: Option<u32>) -> Vec<Query> {
        let Line { job } = Line::parse_from([&["sync-practiceq"], args].concat());
        let scope = Scope { patients: (1..=patients).collect(), unknown: vec![] };
        let now = "2026-03-02T06:59:59Z".parse().expect("an instant");
        let watermark = watermark.map(|text| text.parse().expect("an instant"));
        Plan::queries(&job, &scope, Window::around(now, &job), watermark, pages)
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn the_window_is_around_the_accounts_day() {
        let [Query::Window { from, to }, Query::Deleted] =
            queries(&["--back-days", "1", "--ahead-days", "2"], 0, None, None)[..]
        else {
            panic!("the window, and what was deleted");
        };
        assert_eq!((from, to), (day("2026-02-28"), day("2026-03-03")), "in Denver it is still March 1");
    }

    #[test]
    fn changes_are_asked_for_from_the_day_before_the_last() {
        let since = Query::Since { date: day("2026-02-19") };
        let watermark = Some("2026-02-20T00:00:00Z");
        assert_eq!(queries(&["--incremental"], 0, watermark, None), [since.clone(), Query::Deleted]);
        assert_eq!(queries(&[], 0, watermark, None)[1..], [since, Query::Deleted]);
        let first = queries(&["--incremental"], 0, None, None);
        assert_eq!(first, [Query::Since { date: day("2025-12-01") }, Query::Deleted], "nothing is known yet");
    }

    #[test]
    fn an_organization_is_read_in_the_cheaper_way() {
        let by_patient = |patients, pages| queries(&["--organization", "1"], patients, None, pages).len() > 1;
        assert!(by_patient(10, None) && !by_patient(11, None));
        assert!(by_patient(40, Some(40)) && !by_patient(41, Some(40)));
    }

    #[test]
    fn surely_is_two_days_inside() {
        let window = Window { from: day("2026-01-01"), to: day("2026-01-31") };
        let [from, to] = ["2026-01-03T00:00:00Z", "2026-01-30T00:00:00Z"].map(|text| text.parse().expect("an instant"));
        assert_eq!(window.surely(), (from, to));
    }
}
