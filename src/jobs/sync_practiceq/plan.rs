//! The plan of a run: the lists that it reads, in their order, and the page at which it starts. A run that had to stop
//! saves the rest of its plan, and the next run of the lane continues with that.

use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::lane::Lane;
use super::query::{Query, Window, WindowDays};
use super::scope::Scope;
use crate::db::{Key, statements};
use crate::error::Error;
use crate::run::has_passed;

statements! {
    // $1 how many days a window has text
    STATE(TEXT) = "SELECT watermark, sweep_pages, CASE WHEN sweep_days = $1 THEN sweep_rows END AS sweep_rows, page_rows
        FROM practiceq_state";
    // $1 watermark timestamptz · $2 the sweep, an id of sync_logs, bigint; NULL: the run was none · $3 to $5 its pages, its
    // rows, the rows of its longest page integer · $6 how many days its window had text
    SAVE_STATE(TIMESTAMPTZ, INT8, INT4, INT4, INT4, TEXT) = "UPDATE practiceq_state
        SET watermark = greatest(watermark, $1), sweep = coalesce($2, sweep), sweep_pages = coalesce($3, sweep_pages),
            sweep_rows = coalesce($4, sweep_rows), page_rows = coalesce($5, page_rows),
            sweep_days = CASE WHEN $2 IS NULL THEN sweep_days ELSE $6 END";
    CURSOR(TEXT) = format!(
        "SELECT query, page FROM practiceq_cursors
         WHERE lane = $1 AND saved_at > clock_timestamp() - interval '1 day' AND {}",
        has_passed("saved_at")
    );
    SAVE_CURSOR(TEXT, JSONB, INT4, UUID) = "INSERT INTO practiceq_cursors (lane, query, page, saved_at, run_id)
        VALUES ($1, $2, $3, clock_timestamp(), $4)
        ON CONFLICT (lane) DO UPDATE
        SET query = excluded.query, page = excluded.page, saved_at = excluded.saved_at, run_id = excluded.run_id";
    DELETE_CURSOR(TEXT) = "DELETE FROM practiceq_cursors WHERE lane = $1";
}

/// An organization of at most so many patients is read patient by patient, however small the account is.
const FEW_PATIENTS: usize = 10;
/// A sweep that lacks so many appointments, and half of the last sweep's, is not taken for complete.
const SHORTFALL: usize = 6;

pub struct Plan {
    pub lane: Lane,
    /// The lists that are left to be read.
    pub queries: Vec<Query>,
    /// The next page of the first of them.
    pub page: u32,
    /// The length of the longest page before it; 0: not known.
    pub page_rows: usize,
    /// Whether an earlier run began it.
    pub is_resumed: bool,
    pub window: Window,
    /// The highest LastModified that was read by the runs of the plan.
    pub modified_at: Option<DateTime<Utc>>,
    /// The start of the first run of the plan.
    pub began: DateTime<Utc>,
    days: WindowDays,
    pub last_sweep: LastSweep,
}

/// What is known of the last complete sweep.
#[derive(Clone, Copy, Default)]
pub struct LastSweep {
    pub pages: Option<u32>,
    /// How many appointments a window of as many days had.
    pub rows: Option<usize>,
    /// The length of its longest page; 0: not known.
    pub page_rows: usize,
}

/// The rest of a plan, as `practiceq_cursors` keeps it.
#[derive(Serialize, Deserialize)]
struct Saved {
    queries: Vec<Query>,
    #[serde(rename = "modified")]
    modified_at: Option<DateTime<Utc>>,
    began: DateTime<Utc>,
    days: WindowDays,
    #[serde(default, skip_serializing_if = "is_unknown")]
    page_rows: usize,
}

fn is_unknown(page_rows: &usize) -> bool {
    *page_rows == 0
}

/// The facts by which the lists are chosen.
struct Basis<'a> {
    lane: &'a Lane,
    scope: &'a Scope,
    window: Window,
    /// The highest LastModified that the runs before have read.
    watermark: Option<DateTime<Utc>>,
    last_sweep_pages: Option<u32>,
}

impl Plan {
    /// The plan that a run of the lane saved within a day, or a new one.
    pub async fn load(
        tx: &Transaction<'_>,
        lane: &Lane,
        days: WindowDays,
        now: DateTime<Utc>,
        scope: &Scope,
    ) -> Result<Self, Error> {
        let state = STATE.one(tx, &[&days.to_string()]).await?;
        let number = |column: &str| state.get::<_, Option<i32>>(column).map(i32::unsigned_abs);
        let last_sweep = LastSweep {
            pages: number("sweep_pages"),
            rows: number("sweep_rows").map(|rows| rows as usize),
            page_rows: number("page_rows").unwrap_or(0) as usize,
        };
        let window = Window::around(now, days);
        let cursor = CURSOR.opt(tx, &[&lane.to_string()]).await?;
        // A plan that another version saved, or that has another window, is not continued.
        let saved = cursor
            .and_then(|row| Some((serde_json::from_value::<Saved>(row.get("query")).ok()?, row.get::<_, i32>("page"))));
        let lane = lane.clone();
        if let Some((saved, page)) = saved.filter(|(saved, _)| saved.days == days) {
            let Saved { queries, modified_at, began, page_rows, .. } = saved;
            let window = queries.iter().find_map(Query::window).unwrap_or(window);
            let page = page.unsigned_abs();
            return Ok(Self {
                lane,
                queries,
                page,
                page_rows,
                is_resumed: true,
                window,
                modified_at,
                began,
                days,
                last_sweep,
            });
        }
        // A watermark in the future must not hide the changes until then.
        let watermark = state.get::<_, Option<DateTime<Utc>>>("watermark").map(|at| at.min(now));
        let basis = Basis { lane: &lane, scope, window, watermark, last_sweep_pages: last_sweep.pages };
        let queries = basis.queries();
        let (page, page_rows, is_resumed, modified_at, began) = (1, 0, false, None, now);
        Ok(Self { lane, queries, page, page_rows, is_resumed, window, modified_at, began, days, last_sweep })
    }

    /// Whether the run reads all of the window, from the first page.
    pub fn is_sweep(&self) -> bool {
        self.lane == Lane::Full && !self.is_resumed
    }

    /// The number of pages that is to be expected, where one is known.
    pub fn expected_pages(&self) -> Option<u64> {
        let pages = self.last_sweep.pages.filter(|_| self.lane == Lane::Full);
        pages.map(|pages| u64::from(pages) + 2)
    }

    /// Why a sweep that read so many appointments is not complete: the last one had far more.
    pub fn shortfall(&self, rows: usize) -> Option<String> {
        let last = self.last_sweep.rows.filter(|last| rows * 2 < *last && last - rows >= SHORTFALL)?;
        Some(format!("the window has {rows} appointments now, and the last complete sweep read {last}"))
    }

    /// The first list was read.
    pub fn next_query(&mut self) {
        self.queries.remove(0);
        (self.page, self.page_rows) = (1, 0);
    }

    /// Notes what is known after everything was read. `log` is the id of the run in `sync_logs`.
    pub async fn save_state(&self, tx: &Transaction<'_>, log: Option<i64>, read: LastSweep) -> Result<(), Error> {
        if !matches!(self.lane, Lane::Full | Lane::Incremental) {
            return Ok(());
        }
        let sweep = log.filter(|_| self.is_sweep());
        let whole = |number: Option<usize>| number.and_then(|n| i32::try_from(n).ok()).filter(|_| sweep.is_some());
        let pages = whole(read.pages.map(|pages| pages as usize));
        let (rows, page_rows) = (whole(read.rows), whole(Some(read.page_rows)));
        let days = self.days.to_string();
        SAVE_STATE.execute(tx, &[&self.modified_at, &sweep, &pages, &rows, &page_rows, &days]).await.map(drop)
    }

    /// Saves the rest of the plan for the next run of the lane; or, where that does not continue, removes what is
    /// saved.
    pub async fn save(&self, tx: &Transaction<'_>, run: Uuid, continues: bool) -> Result<(), Error> {
        let lane = self.lane.to_string();
        let Some(query) = self.queries.first().filter(|_| continues) else {
            return DELETE_CURSOR.execute(tx, &[&lane]).await.map(drop);
        };
        // Deletions are decided by all of the list, so it is read from its first page again.
        let page = if *query == Query::Deleted { 1 } else { i32::try_from(self.page).unwrap_or(1) };
        let Self { modified_at, began, days, page_rows, .. } = *self;
        let rest = json!(Saved { queries: self.queries.clone(), modified_at, began, days, page_rows });
        SAVE_CURSOR.execute(tx, &[&lane, &rest, &page, &run]).await.map(drop)
    }
}

impl Basis<'_> {
    fn queries(&self) -> Vec<Query> {
        let Window { from, to } = self.window;
        let since = |date: DateTime<Utc>| Query::Since { date: date.date_naive() - Days::new(1) };
        match self.lane {
            Lane::Appointment(_) | Lane::Inbox => vec![],
            Lane::Patient(_) => self.by_patient(),
            Lane::Organization(_) if self.is_small() => self.by_patient(),
            Lane::Organization(_) => vec![Query::Window { from, to }],
            Lane::Incremental => {
                vec![self.watermark.map_or(Query::Since { date: from }, since), Query::Deleted]
            }
            Lane::Full => {
                let changes = self.watermark.map(since);
                [Query::Window { from, to }].into_iter().chain(changes).chain([Query::Deleted]).collect()
            }
        }
    }

    /// Whether reading patient by patient takes no more requests than reading the window.
    fn is_small(&self) -> bool {
        self.scope.patients.len() <= FEW_PATIENTS.max(self.last_sweep_pages.unwrap_or(0) as usize)
    }

    fn by_patient(&self) -> Vec<Query> {
        let Window { from, to } = self.window;
        let patients = self.scope.patients.iter().filter(|id| !self.scope.cannot_be_found(id));
        let of_patient = |patient: &Key| {
            let others = self.scope.other_clients.get(patient).cloned().unwrap_or_default();
            let other = |client| Query::OtherClient { patient: patient.clone(), client, from, to };
            std::iter::once(Query::Client { patient: patient.clone(), from, to })
                .chain(others.into_iter().map(other))
                .collect::<Vec<_>>()
        };
        patients.flat_map(of_patient).collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    const DAYS: WindowDays = WindowDays { back: 90, ahead: 90 };

    fn queries(
        lane: &Lane,
        days: WindowDays,
        patients: i64,
        watermark: Option<&str>,
        last_sweep_pages: Option<u32>,
    ) -> Vec<Query> {
        let key = |number: i64| Key::from(number.to_string());
        let scope = Scope { patients: (1..=patients).map(key).collect(), ..Scope::default() };
        let now = "2026-03-02T06:59:59Z".parse().expect("an instant");
        let watermark = watermark.map(|text| text.parse().expect("an instant"));
        Basis { lane, scope: &scope, window: Window::around(now, days), watermark, last_sweep_pages }.queries()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn the_window_is_around_the_accounts_day() {
        let [Query::Window { from, to }, Query::Deleted] =
            queries(&Lane::Full, WindowDays { back: 1, ahead: 2 }, 0, None, None)[..]
        else {
            panic!("the window, and what was deleted");
        };
        assert_eq!((from, to), (day("2026-02-28"), day("2026-03-03")), "in Denver it is still March 1");
    }

    #[test]
    fn changes_are_asked_for_from_the_day_before_the_last() {
        let since = Query::Since { date: day("2026-02-19") };
        let watermark = Some("2026-02-20T00:00:00Z");
        assert_eq!(queries(&Lane::Incremental, DAYS, 0, watermark, None), [since.clone(), Query::Deleted]);
        assert_eq!(queries(&Lane::Full, DAYS, 0, watermark, None)[1..], [since, Query::Deleted]);
        let first = queries(&Lane::Incremental, DAYS, 0, None, None);
        assert_eq!(first, [Query::Since { date: day("2025-12-01") }, Query::Deleted], "nothing is known yet");
    }

    #[test]
    fn an_organization_is_read_in_the_cheaper_way() {
        let organization = Lane::Organization(Key::from("1".to_owned()));
        let by_patient = |patients, pages| queries(&organization, DAYS, patients, None, pages).len() > 1;
        assert!(by_patient(10, None) && !by_patient(11, None));
        assert!(by_patient(40, Some(40)) && !by_patient(41, Some(40)));
    }

    #[test]
    fn a_saved_plan_has_the_form_that_earlier_versions_read() {
        let saved = r#"{"queries":[{"list":"deleted"}],"modified":null,"began":"2026-03-02T06:59:59Z","days":[90,80]}"#;
        let read: Saved = serde_json::from_str(saved).expect("a saved plan");
        assert_eq!(read.days, WindowDays { back: 90, ahead: 80 });
        assert_eq!(serde_json::to_string(&read).expect("JSON"), saved);
    }
}
