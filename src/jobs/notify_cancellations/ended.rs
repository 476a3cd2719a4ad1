//! The rows of the ledger whose visit was booked again: they end, so that its next cancellation is told of.

use std::collections::HashMap;

use chrono::NaiveDate;
use tokio_postgres::Transaction;

use crate::clinic::visits;
use crate::db::{Key, Keys, Row, statements};
use crate::error::Error;
use crate::run::{Batch, Halt, NotDone, Run, apply, skipped_columns};

const ENDED: &str = include_str!("ended.part.sql");

statements! {
    of visits;
    OPEN(INT8, DATE, INT8) = include_str!("open.sql");
    ENDED_ROWS(KEYS, KEYS, KEY) = format!(include_str!("ended.sql"), ended = ENDED);
    END(KEYS, KEYS, TIMESTAMPTZ, KEY) = format!(
        include_str!("end.sql"),
        ended = ENDED,
        skipped_columns = skipped_columns("$2", "locked", "ended", "visit_cancellations"),
    );
}

/// The name of a row of the ledger in errors.
pub const CANCELLATION: &str = "visit_cancellation";
/// The number of open rows that are looked at together.
const PAGE: i64 = 10_000;

/// A row of the ledger that is to be ended, and its visit.
pub struct Ended {
    pub id: Key,
    visit: Key,
}

/// Those of these rows, each of the visit in the same place, whose visit is CANCELLED no more.
pub async fn among(
    tx: &Transaction<'_>,
    rows: &[Key],
    visits: &[Key],
    facility: Option<&Key>,
) -> Result<Vec<Ended>, Error> {
    let look = async |visits: &[Key]| ENDED_ROWS.all(tx, &[&Keys(visits), &Keys(rows), &facility]).await;
    let found = visits::read_by(tx, visits, look).await?;
    Ok(found.iter().map(|row| Ended { id: row.get("id"), visit: row.get("visit") }).collect())
}

/// The rows that are to be ended, of visits from this day on. The search ends with the page that reaches `limit`.
pub async fn find(
    tx: &Transaction<'_>,
    first: NaiveDate,
    limit: i64,
    facility: Option<&Key>,
) -> Result<Vec<Ended>, Error> {
    let mut ended = vec![];
    let mut last = 0_i64;
    while (ended.len() as i64) < limit {
        let page = OPEN.all(tx, &[&last, &first, &PAGE]).await?;
        let Some(row) = page.last() else { break };
        last = row.get("id");
        let rows: Vec<Key> = page.iter().map(|row| Key::from(row.get::<_, i64>("id").to_string())).collect();
        let visits: Vec<Key> = page.iter().map(|row| row.get("appointment_id")).collect();
        ended.extend(among(tx, &rows, &visits, facility).await?);
    }
    Ok(ended)
}

/// Ends the rows.
pub async fn end(run: &Run, ended: &[Ended], not_done: &mut NotDone, count: impl FnMut(&Row)) -> Result<(), Halt> {
    let visits: HashMap<&Key, &Key> = ended.iter().map(|row| (&row.id, &row.visit)).collect();
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
        let visits: Vec<Key> = ids.iter().filter_map(|id| visits.get(id).map(|visit| (*visit).clone())).collect();
        END.one(tx, &[&Keys(&visits), &Keys(ids), &run.now, &run.facility()]).await
    };
    let ids: Vec<Key> = ended.iter().map(|row| row.id.clone()).collect();
    apply(run, Batch { entity: CANCELLATION, part: "", ids: &ids }, not_done, statement, count).await
}
