//! What a run finds: the visits to be cancelled, the slots to be blocked and unblocked, the absences whose state is not
//! applied yet.

use std::collections::BTreeSet;

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::rule::{ABSENCES, CANCELS, ON_LEAVE, Rule, blocked, leaves, slots_of_leaves, visits_of_leaves};
use crate::clinic::local_time;
use crate::db::{Key, Keys, Row, Statement, no_such_key, read_by, statements};
use crate::error::Error;

/// The slots that a run changes at most: the next run does the rest.
const SLOTS_MAX: i64 = 100_000;

statements! {
    of local_time;
    HELD(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, INT8) = of_visits(include_str!("held.sql"));
    VISITS(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, INT8) = of_visits(include_str!("visits.sql"));
    UNLISTED(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY) = of_visits(include_str!("unlisted.sql"));
    SLOTS(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, INT8) = include_str!("slots.sql")
        .replace("{slots}", &slots_of_leaves(ABSENCES, "doctor_slots"))
        .replace("{blocked}", &blocked());
    UNREADABLE(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY) =
        include_str!("unreadable.sql").replace("{leaves}", &leaves(ABSENCES, ""));
    CHANGED(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEYS) =
        include_str!("changed.sql").replace("{leaves}", &leaves(ABSENCES, ""));
    OPEN(TEXT, TEXT, TIMESTAMPTZ) =
        "SELECT e.absence_id AS id FROM absence_effects e
         WHERE e.ended_at IS NULL AND (e.ends_at > $3 OR e.ends_at IS NULL) AND (e.absence_id = $1 OR $1 IS NULL)
           AND (e.facility_id = $2 OR $2 IS NULL)
         ORDER BY e.absence_id";
    GONE(KEYS, TEXT_ARRAY) = include_str!("gone.sql");
    // For a ledger that is older than the type of the keys. It reads all absences.
    EXISTING_AS_TEXT(TEXT_ARRAY) = "SELECT x.id::text AS id FROM doctor_absences x WHERE x.id::text = ANY ($1)";
    TO_UNBLOCK(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEYS, TEXT_ARRAY, INT8) =
        include_str!("to_unblock.sql").replace("{leaves}", &leaves(ABSENCES, ""));
    KNOWN(KEY, KEY) =
        "SELECT x.id::text AS id FROM doctor_absences x JOIN doctors d ON d.id = x.doctor_id
         WHERE x.id = $1 AND (d.facility_id = $2 OR $2 IS NULL)";
}

/// A statement about the visits of absences.
fn of_visits(text: &str) -> String {
    text.replace("{visits}", &visits_of_leaves(ABSENCES, "appointments"))
        .replace("{cancels}", CANCELS)
        .replace("{on_leave}", ON_LEAVE)
}

/// The ids that the scan found.
pub struct Found {
    /// Absences with a day or a time that cannot be read.
    pub unreadable: Vec<Key>,
    /// Visits and slots whose start cannot be read.
    pub unreadable_visits: Vec<Key>,
    pub unreadable_slots: Vec<Key>,
    /// Visits that are to be cancelled, with their slots.
    pub visits: Vec<Key>,
    /// Slots that are to be blocked, but those of these visits.
    pub slots: Vec<Key>,
    /// Slots that are outside the leave for which they are blocked.
    pub to_unblock: Vec<Key>,
    /// Absences that are not recorded in the state that they have, or with visits of which nobody was told.
    pub absences: Vec<Key>,
}

/// The absences that would cancel more than `most` visits.
pub async fn held(tx: &Transaction<'_>, rule: &Rule, most: i64) -> Result<Vec<Key>, Error> {
    ids(tx, &HELD, rule, &[&most]).await
}

/// Whether there is an absence of that id, of a doctor of that facility if there is one. Returns the server's own form.
pub async fn known(tx: &Transaction<'_>, id: &Key, facility: Option<&Key>) -> Result<Option<Key>, Error> {
    let row = no_such_key(KNOWN.opt(tx, &[id, &facility]).await)?;
    Ok(row.map(|row| row.get("id")))
}

/// Finds what is not as it should be. `rule.held` are left alone.
pub async fn scan(tx: &Transaction<'_>, rule: &Rule, most_visits: i64) -> Result<Found, Error> {
    let visits = rows(tx, &VISITS, rule, &[&most_visits]).await?;
    let (unreadable_visits, visits) = parted(visits.iter());
    let slots = rows(tx, &SLOTS, rule, &[&SLOTS_MAX]).await?;
    let with_visit: BTreeSet<&str> = visits.iter().map(Key::as_str).collect();
    let own = |row: &&Row| !row.get::<_, Option<&str>>("visit").is_some_and(|visit| with_visit.contains(visit));
    let (unreadable_slots, slots) = parted(slots.iter().filter(own));
    let Changed { standing, gone } = changed(tx, rule).await?;
    let changed: Vec<Key> = standing.iter().chain(&gone).cloned().collect();
    let ever = Rule { held: vec![], ..rule.of_any_day() };
    let to_unblock = ids(tx, &TO_UNBLOCK, &ever, &[&Keys(&standing), &texts(&changed), &SLOTS_MAX]).await?;
    let mut absences: BTreeSet<Key> = ids(tx, &UNLISTED, rule, &[]).await?.into_iter().collect();
    absences.extend(changed);
    let unreadable = ids(tx, &UNREADABLE, rule, &[]).await?;
    let absences = absences.into_iter().filter(|id| !unreadable.contains(id)).collect();
    Ok(Found { unreadable, unreadable_visits, unreadable_slots, visits, slots, to_unblock, absences })
}

/// The absences that are not recorded in the state that they have.
struct Changed {
    /// Those that are new or changed.
    standing: Vec<Key>,
    /// Those that are withdrawn or gone. An id of the ledger may be no key of an absence at all.
    gone: Vec<Key>,
}

async fn changed(tx: &Transaction<'_>, rule: &Rule) -> Result<Changed, Error> {
    let open = OPEN.all(tx, &[&rule.only, &rule.facility, &rule.now]).await?;
    let open: Vec<Key> = open.iter().map(|row| row.get("id")).filter(|id| !rule.held.contains(id)).collect();
    let none: Option<Keys<'_>> = None;
    let mut standing: BTreeSet<Key> = ids(tx, &CHANGED, rule, &[&none]).await?.into_iter().collect();
    let gone = if open.is_empty() { vec![] } else { gone(tx, &open).await? };
    let active: Vec<Key> = open.into_iter().filter(|id| !gone.contains(id)).collect();
    if !active.is_empty() {
        standing.extend(ids(tx, &CHANGED, &rule.of_any_day(), &[&Some(Keys(&active))]).await?);
    }
    Ok(Changed { standing: standing.into_iter().collect(), gone })
}

/// Those of the ids of the ledger whose absence is withdrawn or gone.
async fn gone(tx: &Transaction<'_>, ids: &[Key]) -> Result<Vec<Key>, Error> {
    let texts = texts(ids);
    let read = async |keys: &[Key]| GONE.all(tx, &[&Keys(keys), &texts]).await;
    let found = read_by(tx, ids, &EXISTING_AS_TEXT, read).await?;
    Ok(found.iter().map(|row| row.get("id")).collect())
}

fn texts(ids: &[Key]) -> Vec<&str> {
    ids.iter().map(Key::as_str).collect()
}

/// Those that cannot be read, and the others.
fn parted<'a>(rows: impl Iterator<Item = &'a Row>) -> (Vec<Key>, Vec<Key>) {
    let (unreadable, others): (Vec<&Row>, Vec<&Row>) = rows.partition(|row| row.get("is_unreadable"));
    let ids = |rows: Vec<&Row>| rows.iter().map(|row| row.get("id")).collect();
    (ids(unreadable), ids(others))
}

async fn rows(
    tx: &Transaction<'_>,
    statement: &Statement,
    rule: &Rule,
    more: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let keys = rule.keys();
    statement.all(tx, &[&rule.parameters(&keys)[..], more].concat()).await
}

async fn ids(
    tx: &Transaction<'_>,
    statement: &Statement,
    rule: &Rule,
    more: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Key>, Error> {
    Ok(rows(tx, statement, rule, more).await?.iter().map(|row| row.get("id")).collect())
}
