//! The list for the admins of a facility: the visits that a run flagged.

use std::collections::BTreeMap;

use serde_json::json;
use tokio_postgres::Transaction;

use super::report::{OnlyCounted, Report, Visit, Warning};
use crate::clinic::channels::as_preferred;
use crate::clinic::outbox;
use crate::clinic::words::{clock, moment};
use crate::db::{Key, Row, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{
    Halt, Run, UNDELIVERABLE, UNDELIVERABLE_COLUMN, WriteOptions, count, undeliverable, undeliverable_recorded,
};

/// The visits that a text names.
const NAMED_MAX: usize = 20;

statements! {
    pub UNLISTED(TEXT) =
        format!(include_str!("unlisted.sql"), clock = clock("x.visit_start"), moment = moment("x.visit_start"));
    TELL_ADMINS(TIMESTAMPTZ, KEY, JSONB, TEXT, TEXT, JSONB, TEXT_ARRAY, UUID, TEXT) = format!(
        include_str!("tell_admins.sql"),
        channels = as_preferred("'NORMAL'"),
        email = "format('The schedules of doctors have changed. Visits that no longer fit: %s.', $6 ->> 'visits')",
        outbox = outbox::notified(),
        undeliverable_recorded = undeliverable_recorded("$8", "facility"),
        undeliverable_column = UNDELIVERABLE_COLUMN,
    );
}

/// Tells the admins of each facility of its visits. A facility whose admins cannot be told for a fault of their rows
/// stops no other; the next run tries it again.
pub async fn tell<'a>(
    run: &Run,
    visits: impl Iterator<Item = &'a Visit>,
    counts: &BTreeMap<Key, OnlyCounted>,
    report: &mut Report,
) -> Result<(), Halt> {
    let mut lists: BTreeMap<&Key, Vec<&Visit>> = BTreeMap::new();
    for visit in visits {
        lists.entry(&visit.facility).or_default().push(visit);
    }
    for (facility, visits) in lists {
        let only_counted = counts.get(facility).cloned().unwrap_or_default();
        let what = format!("telling the admins of facility {facility}");
        let told = async |tx: &Transaction<'_>| tell_one(run, tx, facility, &visits, &only_counted).await;
        match run.write(&what, WriteOptions::default(), told).await {
            Ok(row) => {
                report.admin_notices += count(&row, "notifications");
                for _ in 0..undeliverable(&row) {
                    report.undeliverable += 1;
                    report.not_done.list("facility", facility, UNDELIVERABLE);
                }
            }
            Err(Halt::Failed(error)) if error.kind == ErrorKind::Data => {
                report.scanned += 1;
                run.items_failed(&mut report.not_done, "facility", std::slice::from_ref(facility), &error).await?;
            }
            Err(halt) => return Err(halt),
        }
    }
    Ok(())
}

async fn tell_one(
    run: &Run,
    tx: &Transaction<'_>,
    facility: &Key,
    visits: &[&Visit],
    only_counted: &OnlyCounted,
) -> Result<Row, Error> {
    let warning = Warning::of(visits);
    let title = warning.message.clone();
    let metadata = json!({ "warning": warning, "not_told": only_counted });
    let placeholders = json!({ "warning": title, "visits": named(visits, |visit| visit.id.to_string()) });
    let of_visit = |visit: &Visit| format!("{} ({})", visit.id, visit.moment);
    let body = format!("{title} by a change of schedule: {}.", named(visits, of_visit));
    let ids: Vec<&str> = visits.iter().map(|visit| visit.id.as_str()).collect();
    let name = facility.as_str();
    TELL_ADMINS.one(tx, &[&run.now, facility, &metadata, &title, &body, &placeholders, &ids, &run.id, &name]).await
}

/// The first visits in a text, and how many more there are.
fn named(visits: &[&Visit], name: impl Fn(&Visit) -> String) -> String {
    let names: Vec<String> = visits.iter().take(NAMED_MAX).map(|visit| name(visit)).collect();
    let more = visits.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &more
}
