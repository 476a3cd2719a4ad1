//! The flags that no longer hold.

use std::collections::HashMap;

use tokio_postgres::Transaction;

use super::report::Report;
use super::rule::{Scope, joins_of_fit};
use crate::clinic::local_time::{clock_time, day};
use crate::clinic::visits;
use crate::db::{Key, Keys, Row, statements};
use crate::error::Error;
use crate::run::{Batch, Halt, Run, apply, count, skipped_columns};

/// The name of a flag in errors.
pub const FLAG: &str = "schedule_flag";
/// The number of open flags that are looked at together.
const PAGE: i64 = 10_000;

statements! {
    OPEN(INT8, INT8, TEXT) = include_str!("open.sql");
    pub ENDED(TIMESTAMPTZ, DATE, KEYS, KEYS, KEY, KEYS, KEYS) =
        format!(include_str!("ended.sql"), ended = ended_rule());
    CLEAR(TIMESTAMPTZ, DATE, KEYS, KEYS, KEY, KEYS, KEYS) = format!(
        include_str!("clear.sql"),
        ended = ended_rule(),
        skipped_columns = skipped_columns("$7", "locked", "cleared", "schedule_flags"),
    );
}

/// The joins and the conditions of a flag that no longer holds.
fn ended_rule() -> String {
    let start = format!("({} + {})", day("a.appointment_date"), clock_time("a.start_time"));
    format!(include_str!("ended.part.sql"), joins = joins_of_fit(), start = start)
}

/// A flag that no longer holds, and its visit, unless that is deleted.
pub struct Ended {
    pub id: Key,
    pub visit: Option<Key>,
}

/// The open flags that no longer hold. The search ends with the page that reaches `limit`.
pub async fn ended(scope: &Scope, tx: &Transaction<'_>, limit: i64) -> Result<Vec<Ended>, Error> {
    let facility = scope.facility();
    let mut found = vec![];
    let mut last = 0_i64;
    while (found.len() as i64) < limit {
        let page = OPEN.all(tx, &[&last, &PAGE, &facility]).await?;
        let Some(row) = page.last() else { break };
        last = row.get("id");
        let flags: Vec<Key> = page.iter().map(|row| Key::from(row.get::<_, i64>("id").to_string())).collect();
        let named: Vec<Key> = page.iter().map(|row| row.get("appointment_id")).collect();
        let rows = of_visits(scope, tx, &flags, &named).await?;
        found.extend(rows.iter().map(|row| Ended { id: row.get("id"), visit: row.get("visit") }));
    }
    Ok(found)
}

/// Those of the flags that no longer hold, where some of the visits may be no values of the key's type.
async fn of_visits(scope: &Scope, tx: &Transaction<'_>, flags: &[Key], visits: &[Key]) -> Result<Vec<Row>, Error> {
    let found = async |visits: &[Key]| {
        let (zones, doctors) = scope.keys();
        let [now, first, zones, doctors, facility, _] = scope.parameters(&zones, &doctors);
        ENDED.all(tx, &[now, first, zones, doctors, facility, &Keys(visits), &Keys(flags)]).await
    };
    visits::read_by(tx, visits, found).await
}

/// Clears flags that no longer hold.
pub async fn clear(run: &Run, scope: &Scope, ended: &[Ended], report: &mut Report) -> Result<(), Halt> {
    let visits: HashMap<&Key, &Key> = ended.iter().filter_map(|flag| Some((&flag.id, flag.visit.as_ref()?))).collect();
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
        let visits: Vec<Key> = ids.iter().filter_map(|id| visits.get(id).map(|visit| (*visit).clone())).collect();
        let (zones, doctors) = scope.keys();
        let [now, first, zones, doctors, facility, _] = scope.parameters(&zones, &doctors);
        CLEAR.one(tx, &[now, first, zones, doctors, facility, &Keys(&visits), &Keys(ids)]).await
    };
    let ids: Vec<Key> = ended.iter().map(|flag| flag.id.clone()).collect();
    let batch = Batch { entity: FLAG, part: "", ids: &ids };
    apply(run, batch, &mut report.not_done, statement, |row| report.cleared += count(row, "cleared")).await
}
