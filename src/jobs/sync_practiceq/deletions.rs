//! Marks visits as deleted: those that the account lists as deleted, those that it does not know when it is asked for
//! them, and those that are nobody's in scope any more. To be missing from a list is no proof: a visit that two
//! complete sweeps have missed is asked for by its id. So is one that the account lists as deleted while something else
//! speaks for it (`contradictions`). The mark is in the ledger, `practiceq_visits`, by external id; the clinic's row
//! stays as it is.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::contradictions::{self, Against, Judged, Listed, judge};
use super::query::Period;
use super::report::Report;
use super::store::change_notices;
use crate::clients::practiceq::{id, modified_at};
use crate::clinic::outbox;
use crate::db::{CLOCK, Key, Keys, statements};
use crate::error::Error;
use crate::run::{Batch, Halt, NotDone, Run, WriteOptions, apply, count, has_passed, skipped_columns};

statements! {
    LIVE(TEXT_ARRAY) = include_str!("live.sql");
    MISSING(TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, TIMESTAMPTZ, TEXT) = format!(include_str!("missing.sql"), has_passed = has_passed("v.read_at"));
    COUNT_VISITS(TIMESTAMPTZ, TIMESTAMPTZ) = "SELECT count(*) FROM practiceq_visits
        WHERE deleted_at IS NULL AND starts_at >= $1 AND starts_at < $2";
    NOTE_MISSED(TEXT_ARRAY, INT8) = include_str!("note_missed.sql");
    DELETE(TEXT_ARRAY, TIMESTAMPTZ, UUID, TIMESTAMPTZ, KEYS) = format!(
        include_str!("delete.sql"),
        has_passed = has_passed("read_at"),
        change_notices = change_notices(),
        outbox = outbox::notified(),
        skipped_columns = skipped_columns("$1", "locked", "due", "visits")
    );
    // $1 external id text
    IS_KNOWN(TEXT) = "SELECT EXISTS (SELECT FROM practiceq_visits WHERE external_id = $1)
                             OR EXISTS (SELECT FROM practiceq_unmatched WHERE external_id = $1) AS is_known";
    DISCARD_DELETED(TEXT_ARRAY) = include_str!("discard_deleted.sql");
    DISCARD_UNSEEN(TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, TIMESTAMPTZ) = format!(
        include_str!("discard_unseen.sql"),
        has_passed = has_passed("(u.content ->> 'read_at')::timestamptz")
    );
}

/// How many visits a run asks for at most; the next run asks for the rest.
const ASKED_FOR_MAX: usize = 50;
/// The limit while a person waits.
const ASKED_FOR_BY_HAND_MAX: usize = 10;
/// The brake lets so many deletions pass, however few visits there are.
const UNBRAKED: i64 = 5;

/// A part of the account that was read from the first page to the last: what was not read of it is missing.
pub struct Coverage<'a> {
    pub part: Part,
    /// When its reading began.
    pub began: DateTime<Utc>,
    /// The external ids that were read.
    pub seen: &'a [&'a String],
    /// Why it is not taken for complete all the same.
    pub shortfall: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// All of the window.
    Window,
    /// The visits of a patient, for a person who waits.
    Patient(Key),
}

/// A visit that should have been read, and was not.
struct Missing {
    external_id: Key,
    /// Whether it is to be asked for: an earlier sweep missed it, too, or a person waits.
    is_due: bool,
}

/// An appointment that is to be asked for by its id.
pub struct Doubtful {
    pub external_id: Key,
    /// Whether the account lists it as deleted; else it was missed.
    pub is_listed: bool,
}

impl Doubtful {
    /// The purpose of the request, as `api_requests` records it.
    pub fn purpose(&self) -> &'static str {
        if self.is_listed { "appointment listed as deleted" } else { "missing appointment" }
    }
}

/// The visits, by external id, that a page showed to be nobody's in scope.
struct Unowned {
    ids: Vec<Key>,
    asked_at: DateTime<Utc>,
}

pub struct Deletions<'a> {
    run: &'a Run,
    /// The run's row in `sync_logs`.
    log: Option<i64>,
    /// The period that the window covers for certain.
    period: Period,
    /// Facilities whose time zone cannot be read.
    zoneless: Vec<Key>,
    /// What the account lists as deleted.
    listed: Vec<Listed>,
    /// When the first page of that list was asked for.
    listed_at: Option<DateTime<Utc>>,
    unowned: Vec<Unowned>,
}

impl<'a> Deletions<'a> {
    pub fn new(run: &'a Run, log: Option<i64>, period: Period, zoneless: Vec<Key>) -> Self {
        Self { run, log, period, zoneless, listed: vec![], listed_at: None, unowned: vec![] }
    }

    /// Adds a page of the account's list of deletions.
    pub fn add_listed(&mut self, rows: &[Value], asked_at: DateTime<Utc>) {
        self.listed_at.get_or_insert(asked_at);
        let listed = |row| Some(Listed { external_id: id(row)?, modified_at: modified_at(row, asked_at) });
        self.listed.extend(rows.iter().filter_map(listed));
    }

    /// Adds visits that a page showed to be nobody's in scope.
    pub fn add_unowned(&mut self, ids: Vec<Key>, asked_at: DateTime<Utc>) {
        self.unowned.push(Unowned { ids, asked_at });
    }

    /// Deletes the visits that the account lists as deleted, and notes which are missing. Returns what has to be asked
    /// for by its id. `seen` is what the run has read.
    pub async fn delete_listed(
        &mut self,
        coverage: Option<&Coverage<'_>>,
        seen: &[&String],
        report: &mut Report,
    ) -> Result<Vec<Doubtful>, Halt> {
        let is_by_hand = coverage.is_some_and(|coverage| coverage.part != Part::Window);
        let listed = self.judge_listed(seen, coverage.is_some() && !is_by_hand).await?;
        let mut missing = match coverage {
            Some(coverage) => self.missing(coverage).await?,
            None => vec![],
        };
        missing.retain(|visit| !listed.names(&visit.external_id));
        // What is asked for one by one, and only a few of it, the brake does not count.
        let braked = if is_by_hand { 0 } else { missing.len() };
        let due = listed.visits + braked + self.unowned();
        self.brake(due).await?;
        self.brake_on_shortfall(coverage, due)?;
        let (due, first): (Vec<_>, Vec<_>) = missing.into_iter().partition(|visit| visit.is_due);
        self.note_missed(&first).await?;
        if let Some(coverage) = coverage.filter(|coverage| coverage.part == Part::Window) {
            self.discard_unseen(coverage).await?;
        }
        if let Some(asked_at) = self.listed_at.filter(|_| !listed.gone.is_empty()) {
            self.delete(&listed.gone, asked_at, report).await?;
        }
        let max = if is_by_hand { ASKED_FOR_BY_HAND_MAX } else { ASKED_FOR_MAX };
        let due = due.into_iter().map(|visit| Doubtful { external_id: visit.external_id, is_listed: false });
        let doubtful = listed.doubtful.into_iter().map(|external_id| Doubtful { external_id, is_listed: true });
        Ok(due.chain(doubtful).take(max).collect())
    }

    /// Judges what the account lists as deleted.
    async fn judge_listed(&mut self, seen: &[&String], is_sweep: bool) -> Result<Judged, Halt> {
        let listed = std::mem::take(&mut self.listed);
        let Some(listed_at) = self.listed_at.filter(|_| !listed.is_empty()) else { return Ok(Judged::default()) };
        let seen = &seen.iter().map(|id| id.as_str()).collect();
        judge(self.run, &listed, &Against { seen, is_sweep, listed_at }).await
    }

    /// Notes that the account has an appointment that it lists as deleted.
    pub async fn note_found(&self, external_id: &Key, asked_at: DateTime<Utc>) -> Result<(), Halt> {
        contradictions::note_found(self.run, external_id, asked_at).await
    }

    async fn missing(&self, coverage: &Coverage<'_>) -> Result<Vec<Missing>, Halt> {
        let Period { from, until } = self.period;
        let (patient, from) = match &coverage.part {
            Part::Window => (None, from),
            // Only the visits that are still to come.
            Part::Patient(patient) => (Some(patient), from.max(self.run.now)),
        };
        let look = async |tx: &Transaction<'_>| {
            MISSING.all(tx, &[&from, &until, &coverage.seen, &coverage.began, &patient]).await
        };
        let rows = self.run.read("looking for visits that are missing", look).await?;
        let missing = rows.iter().map(|row| Missing {
            external_id: row.get("external_id"),
            is_due: patient.is_some() || row.get::<_, Option<i64>>("missed_sweep").is_some(),
        });
        Ok(missing.collect())
    }

    fn unowned(&self) -> usize {
        self.unowned.iter().map(|page| page.ids.len()).sum()
    }

    /// The brake: more than a tenth of the window's visits are not deleted without a person's word.
    async fn brake(&self, due: usize) -> Result<(), Halt> {
        if due == 0 {
            return Ok(());
        }
        let Period { from, until } = self.period;
        let visits = async |tx: &Transaction<'_>| Ok(COUNT_VISITS.one(tx, &[&from, &until]).await?.get::<_, i64>(0));
        let visits = self.run.read("counting the visits of the window", visits).await?;
        let usual = UNBRAKED.max(visits / 10);
        let max = self.run.max_items().map_or(usual, i64::from);
        if due as i64 <= max {
            return Ok(());
        }
        let message = format!(
            "{due} of {visits} visits of the window are deleted in the account, missing from it or nobody's any more, \
             and at most {max} may go unasked; none was marked, what was read of the others stays. Look at the \
             account; if they are right, run once with --max-items {due}"
        );
        self.run.stop_at(Halt::Brake { message, notify_at_once: true })
    }

    /// The brake: a window that has lost more than half of its appointments is not judged without a person's word.
    fn brake_on_shortfall(&self, coverage: Option<&Coverage<'_>>, due: usize) -> Result<(), Halt> {
        let shortfall = coverage.and_then(|coverage| coverage.shortfall.as_ref());
        let Some(shortfall) = shortfall.filter(|_| self.run.max_items().is_none()) else { return Ok(()) };
        let message = format!(
            "{shortfall}: this one is not taken for complete; nothing was marked as deleted, what was read stays. Look \
             at the account; if it is right, run once with --max-items {}",
            due.max(1)
        );
        self.run.stop_at(Halt::Brake { message, notify_at_once: true })
    }

    /// Notes that a complete sweep missed them.
    async fn note_missed(&self, missing: &[Missing]) -> Result<(), Halt> {
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = missing.iter().map(|visit| visit.external_id.as_str()).collect();
        let note = async |tx: &Transaction<'_>| NOTE_MISSED.execute(tx, &[&ids, &self.log]).await;
        self.run.write("noting visits that are missing", WriteOptions::default(), note).await.map(drop)
    }

    /// Discards queued appointments that the sweep did not read. One that exists after all is queued again.
    async fn discard_unseen(&self, coverage: &Coverage<'_>) -> Result<(), Halt> {
        let Period { from, until } = self.period;
        let Coverage { began, seen, .. } = coverage;
        self.discard(async |tx| DISCARD_UNSEEN.execute(tx, &[&from, &until, seen, began]).await).await
    }

    async fn discard(&self, body: impl AsyncFn(&Transaction<'_>) -> Result<u64, Error>) -> Result<(), Halt> {
        let what = "forgetting what need not be decided any more";
        self.run.write(what, WriteOptions::default(), body).await.map(drop)
    }

    /// Marks the visits of appointments that the account does not have, and discards those that are queued.
    pub async fn delete(
        &self,
        external_ids: &[String],
        asked_at: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<(), Halt> {
        let live = async |tx: &Transaction<'_>| live(tx, external_ids).await;
        let ids = self.run.read("looking for visits that were deleted", live).await?;
        self.mark(&ids, asked_at, report).await?;
        self.discard(async |tx| DISCARD_DELETED.execute(tx, &[&external_ids]).await).await
    }

    /// Whether an appointment was ever stored, or is queued.
    pub async fn is_known(&self, external_id: &str) -> Result<bool, Halt> {
        let look = async |tx: &Transaction<'_>| Ok(IS_KNOWN.one(tx, &[&external_id]).await?.get("is_known"));
        self.run.read("looking whether the appointment is known", look).await
    }

    /// Removes from their charts the visits that are nobody's in scope any more.
    pub async fn remove_unowned(&mut self, report: &mut Report) -> Result<(), Halt> {
        self.brake(self.unowned()).await?;
        for Unowned { ids, asked_at } in std::mem::take(&mut self.unowned) {
            self.mark(&ids, asked_at, report).await?;
        }
        Ok(())
    }

    /// Marks visits as deleted, except those that were read again since the account was asked.
    async fn mark(&self, ids: &[Key], asked_at: DateTime<Utc>, report: &mut Report) -> Result<(), Halt> {
        if ids.is_empty() {
            return Ok(());
        }
        let run = self.run;
        let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
            DELETE.one(tx, &[&Keys(ids), &run.now, &run.id, &asked_at, &Keys(&self.zoneless)]).await
        };
        report.scanned += ids.len() as u64;
        let mut not_done = NotDone::default();
        let outcome = apply(run, Batch { entity: "appointment", part: "", ids }, &mut not_done, statement, |row| {
            report.deleted += count(row, "deleted");
            report.notifications += count(row, "notifications");
        })
        .await;
        report.add_not_stored(not_done);
        outcome
    }
}

/// Marks visits as deleted that a person takes from their chart, and stages the notices. Returns how many were marked:
/// what somebody else holds is not.
pub async fn take_out(
    tx: &Transaction<'_>,
    external_ids: &[Key],
    now: DateTime<Utc>,
    zoneless: &[Key],
) -> Result<u64, Error> {
    let asked_at: DateTime<Utc> = CLOCK.one(tx, &[]).await?.get(0);
    let row = DELETE.one(tx, &[&Keys(external_ids), &now, &None::<Uuid>, &asked_at, &Keys(zoneless)]).await?;
    Ok(count(&row, "deleted"))
}

/// Those of these external ids whose visits are not marked as deleted.
async fn live(tx: &Transaction<'_>, external_ids: &[String]) -> Result<Vec<Key>, Error> {
    let rows = LIVE.all(tx, &[&external_ids]).await?;
    Ok(rows.iter().map(|row| row.get("external_id")).collect())
}
