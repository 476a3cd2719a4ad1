//! What is not there any more. Absence is no proof: what is missing from two complete sweeps is asked for by its id.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::End;
use super::read::Reading;
use super::store::TOLD;
use crate::clients::practiceq::{Answer, Ask};
use crate::clinic::outbox;
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{Batch, Halt, WriteOptions, apply, count, skipped_columns};

statements! {
    LIVE(TEXT_ARRAY) = include_str!("listed.sql");
    MISSING(TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, TIMESTAMPTZ, INT8) = include_str!("missing.sql");
    VISITS(TIMESTAMPTZ, TIMESTAMPTZ) = "SELECT count(*) FROM appointments
        WHERE source = 'PRACTICEQ' AND deleted_at IS NULL AND starts_at >= $1 AND starts_at < $2";
    NOTE_MISSED(INT8_ARRAY, INT8) = include_str!("missed.sql");
    DELETE(INT8_ARRAY, TIMESTAMPTZ, UUID, TIMESTAMPTZ) = format!(
        include_str!("delete.sql"),
        told = TOLD,
        outbox = outbox::NOTIFIED,
        skipped_columns = skipped_columns("$1", "locked", "due", "appointments")
    );
    DISCARD_UNMATCHED(TEXT_ARRAY) = include_str!("forgotten.sql");
    DISCARD_UNSEEN(TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, TIMESTAMPTZ) = include_str!("unseen.sql");
}

/// How many are asked for by their id, at most; the rest is the next run's.
const ASKED_FOR: usize = 50;
/// The same while a person waits.
const ASKED_FOR_BY_HAND: usize = 10;
/// So many may go without a person's word, however few there are.
const FEW: i64 = 5;

/// A visit that should have been read, and was not.
struct Missing {
    id: i64,
    external_id: String,
    /// Whether an earlier sweep missed it, too.
    again: bool,
}

impl Reading<'_> {
    /// Deletes what the account lists as deleted, and looks after what is missing.
    pub(super) async fn absences(&mut self) -> Result<(), End> {
        let listed = self.listed().await?;
        let mut missing = self.missing().await?;
        missing.retain(|visit| !listed.contains(&visit.id));
        // What a person asks for is asked for one by one, and no more of it.
        let missed = if self.job.is_by_hand() { 0 } else { missing.len() };
        let strays: usize = self.strays.iter().map(|(_, ids)| ids.len()).sum();
        self.brake(listed.len() + missed + strays).await?;
        let (again, first): (Vec<_>, Vec<_>) = missing.into_iter().partition(|visit| visit.again);
        self.miss(&first).await?;
        self.forget_unseen().await?;
        if let Some(asked_at) = self.gone_at {
            let gone = std::mem::take(&mut self.gone);
            self.delete(&gone, asked_at).await?;
        }
        let most = if self.job.is_by_hand() { ASKED_FOR_BY_HAND } else { ASKED_FOR };
        for visit in again.iter().take(most) {
            let (answer, asked_at) = match self.ask(&Ask::One(&visit.external_id), "missing appointment").await {
                Ok(heard) => heard,
                // All lists were read: what is left is the next run's.
                Err(End::Stop { code, message }) => {
                    self.report.scanned += 1;
                    let error = Error::new(code, ErrorKind::Other, message);
                    let ids = [&visit.external_id];
                    self.run.items_failed(&mut self.report.not_done, "appointment", &ids, &error).await?;
                    break;
                }
                Err(end) => return Err(end),
            };
            match answer {
                Answer::Rows(rows) => self.store(&rows, asked_at).await?,
                _ => self.delete(std::slice::from_ref(&visit.external_id), asked_at).await?,
            }
        }
        Ok(())
    }

    /// Visits that are here, and that the account lists as deleted.
    async fn listed(&self) -> Result<HashSet<i64>, Halt> {
        let listed = async |tx: &Transaction<'_>| live(tx, &self.gone).await;
        Ok(self.run.read("looking for visits that were deleted", listed).await?.into_iter().collect())
    }

    /// Visits of the window, or to come of the patient, that were not read. Who has not read all from page 1 knows nothing.
    async fn missing(&self) -> Result<Vec<Missing>, Halt> {
        let Some(began) = self.began.filter(|_| {
            self.is_sweep() || (self.job.patient.is_some() && !self.plan.resumed && self.unread.is_empty())
        }) else {
            return Ok(vec![]);
        };
        let (from, until) = self.plan.window.surely();
        let from = if self.job.patient.is_some() { from.max(self.run.now) } else { from };
        let seen: Vec<&String> = self.seen.keys().collect();
        let look =
            async |tx: &Transaction<'_>| MISSING.all(tx, &[&from, &until, &seen, &began, &self.job.patient]).await;
        let rows = self.run.read("looking for visits that are missing", look).await?;
        let by_hand = self.job.patient.is_some();
        Ok(rows
            .iter()
            .map(|row| Missing {
                id: row.get("id"),
                external_id: row.get("external_id"),
                again: by_hand || row.get::<_, Option<i64>>("missed_sweep").is_some(),
            })
            .collect())
    }

    /// More than is usual is no matter of single visits.
    async fn brake(&self, due: usize) -> Result<(), Halt> {
        if due == 0 {
            return Ok(());
        }
        let (from, until) = self.plan.window.surely();
        let count_them = async |tx: &Transaction<'_>| Ok(VISITS.one(tx, &[&from, &until]).await?.get::<_, i64>(0));
        let visits = self.run.read("counting the visits of the window", count_them).await?;
        let usual = FEW.max(visits / 10);
        let max = self.run.max_items().map_or(usual, i64::from);
        if due as i64 <= max {
            return Ok(());
        }
        let message = format!(
            "{due} of {visits} visits of the window are deleted in the account, missing from it or nobody's any more, and at most \
             {max} may go unasked; none was marked, what was read of the others stays. Look at the account; if they are right, run once with \
             --max-items {due}"
        );
        Err(Halt::Brake { message, news: true })
    }

    /// Notes that a complete sweep missed them.
    async fn miss(&self, missing: &[Missing]) -> Result<(), Halt> {
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = missing.iter().map(|visit| visit.id).collect();
        let note = async |tx: &Transaction<'_>| NOTE_MISSED.execute(tx, &[&ids, &self.log]).await;
        self.run.write("noting visits that are missing", WriteOptions::default(), note).await.map(drop)
    }

    /// Takes visits out of a chart that are nobody's any more.
    pub(super) async fn take_out(&mut self) -> Result<(), End> {
        let strays = std::mem::take(&mut self.strays);
        self.brake(strays.iter().map(|(_, ids)| ids.len()).sum()).await?;
        for (asked_at, ids) in strays {
            self.mark(&ids, asked_at).await?;
        }
        Ok(())
    }

    /// Marks visits as deleted that the account does not have.
    pub(super) async fn delete(&mut self, external_ids: &[String], asked_at: DateTime<Utc>) -> Result<(), End> {
        let run = self.run;
        let live = async |tx: &Transaction<'_>| live(tx, external_ids).await;
        let ids = run.read("looking for visits that were deleted", live).await?;
        self.mark(&ids, asked_at).await?;
        let forget = async |tx: &Transaction<'_>| DISCARD_UNMATCHED.execute(tx, &[&external_ids]).await;
        run.write("forgetting what need not be decided any more", WriteOptions::default(), forget).await?;
        Ok(())
    }

    /// Marks visits as deleted that were not read again since then.
    async fn mark(&mut self, ids: &[i64], asked_at: DateTime<Utc>) -> Result<(), End> {
        if ids.is_empty() {
            return Ok(());
        }
        let run = self.run;
        let statement =
            async |tx: &Transaction<'_>, ids: &[i64]| DELETE.one(tx, &[&ids, &run.now, &run.id, &asked_at]).await;
        let report = &mut *self.report;
        report.scanned += ids.len() as u64;
        let batch = Batch { entity: "appointment", ids };
        apply(run, batch, &mut report.not_done, statement, |row| {
            report.deleted += count(row, "deleted");
            report.notifications += count(row, "notifications");
        })
        .await?;
        Ok(())
    }

    /// Whether it reads all of the window from page 1.
    pub(super) fn is_sweep(&self) -> bool {
        self.lane == "full" && !self.plan.resumed
    }

    /// What waits for a decision, lies in the window and was not read: it comes again if it is there again.
    async fn forget_unseen(&self) -> Result<(), Halt> {
        let Some(began) = self.began.filter(|_| self.is_sweep()) else { return Ok(()) };
        let (from, until) = self.plan.window.surely();
        let seen: Vec<&String> = self.seen.keys().collect();
        let forget = async |tx: &Transaction<'_>| DISCARD_UNSEEN.execute(tx, &[&from, &until, &seen, &began]).await;
        self.run.write("forgetting what need not be decided any more", WriteOptions::default(), forget).await.map(drop)
    }
}

/// The visits with these external ids that are not deleted here.
async fn live(tx: &Transaction<'_>, external_ids: &[String]) -> Result<Vec<i64>, Error> {
    let rows = LIVE.all(tx, &[&external_ids]).await?;
    Ok(rows.iter().map(|row| row.get("id")).collect())
}
