//! The record of the items that a run could not do: those that it could not judge, and those that the database refused.

use std::fmt::Display;

use serde::Serialize;
use tokio_postgres::types::ToSql;
use tracing::warn;

use super::code::TOO_MANY_REFUSED;
use super::halt::Halt;
use super::item_errors;
use super::job::Run;
use super::refusals::{Coverage, FAULT_MIN, Fault, Known, KnownItems};
use super::report::NotDone;
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::output::counted;

statements! {
    REFUSED_ITEMS(TEXT, TEXT, TIMESTAMPTZ) = include_str!("refused_items.sql");
    KEEP_REFUSALS(TEXT, TEXT, TEXT, TEXT, TEXT_ARRAY, TEXT, TEXT, TIMESTAMPTZ, UUID) =
        include_str!("keep_refusals.sql");
    FORGET_REFUSALS(TEXT, TEXT, INT8_ARRAY) =
        "DELETE FROM item_refusals WHERE job_name = $1 AND lane = $2 AND id = ANY ($3)";
}

/// What is to be recorded of items with one error.
struct Record<'a> {
    entity: &'static str,
    part: &'a str,
    ids: Vec<String>,
    error: &'a Error,
    /// In `cron_job_run_errors`.
    as_errors: bool,
    /// In `item_refusals`.
    to_keep: bool,
}

impl Run {
    /// Reads the items of the lane that were refused.
    pub(super) async fn read_refusals(&self) -> Result<(), Halt> {
        if self.coverage == Coverage::Named {
            return Ok(());
        }
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.job, &self.lane, &self.now];
        let rows = self.read("reading what was refused", async |tx| REFUSED_ITEMS.all(tx, &parameters).await).await?;
        let mut items = KnownItems::new();
        for row in &rows {
            let known = Known {
                row: row.get("id"),
                code: row.get("error_code"),
                waits: row.get::<_, bool>("waits") && !self.args.retry_refused,
                is_overdue: row.get("is_overdue"),
            };
            items.entry((row.get("entity"), row.get("part"))).or_default().insert(row.get("entity_id"), known);
        }
        self.refusals.know(items);
        Ok(())
    }

    /// Counts and records items that cannot be judged, and their error; the run continues. They are judged anew at each
    /// run, and recorded anew when their next try has come.
    pub async fn items_failed<I: Display + Serialize>(
        &self,
        not_done: &mut NotDone,
        entity: &'static str,
        ids: &[I],
        error: &Error,
    ) -> Result<(), Halt> {
        for id in ids {
            not_done.fail(entity, id, &error.code);
            if self.refusals.says() {
                warn!(run_id = %self.id, entity, %id, error_code = %error.code, "{entity} {id}: {}", error.message);
            }
        }
        let ids = self.refusals.unjudged(entity, &error.code, ids);
        let to_keep = self.coverage != Coverage::Named;
        self.record(Record { entity, part: &error.code, ids, error, as_errors: true, to_keep }).await
    }

    /// Counts and records an item that the database refused.
    pub(super) async fn item_refused<I: Display + Serialize>(
        &self,
        not_done: &mut NotDone,
        (entity, part): (&'static str, &str),
        id: &I,
        error: &Error,
    ) -> Result<(), Halt> {
        not_done.fail(entity, id, &error.code);
        let ids = vec![id.to_string()];
        let to_write = self.refusals.refused(entity, &ids[0], error);
        if to_write.line {
            warn!(run_id = %self.id, entity, %id, error_code = %error.code, "{entity} {id}: {}", error.message);
        }
        let to_keep = self.coverage == Coverage::All;
        self.record(Record { entity, part, ids, error, as_errors: to_write.error, to_keep }).await
    }

    async fn record(&self, Record { entity, part, ids, error, as_errors, to_keep }: Record<'_>) -> Result<(), Halt> {
        if self.dry_run() || ids.is_empty() {
            return Ok(());
        }
        let (code, message) = (error.code.as_ref(), &error.message);
        let (job, lane) = (self.job, &self.lane);
        let refusal: [&(dyn ToSql + Sync); 9] = [&job, lane, &entity, &part, &ids, &code, message, &self.now, &self.id];
        item_errors::write(self, async |tx| {
            if as_errors {
                item_errors::insert(tx, self.id, entity, &ids, (code, message)).await?;
            }
            if to_keep {
                KEEP_REFUSALS.execute(tx, &refusal).await?;
            }
            Ok(())
        })
        .await
    }

    /// Ends the work of a job that has done so many items: forgets the refused items that are done or no longer due,
    /// and tells what was left out. A run that did nothing because nearly all was refused for one reason does not
    /// succeed.
    pub(super) async fn settle(&self, processed: u64, failed: u64) -> Result<(), Halt> {
        let (settled, faults) = (self.refusals.settled(self.coverage), self.refusals.faults());
        for fault in &faults {
            warn!(run_id = %self.id, entity = fault.entity, error_code = TOO_MANY_REFUSED, "{}", self.told(fault));
        }
        let (unsaid, unisolated) = (self.refusals.unsaid(), self.refusals.unisolated());
        if unsaid > 0 {
            let which = "failed, or were done and nobody could be told";
            warn!(run_id = %self.id, "{} {which}: rounds runs show names them", counted(unsaid, "further item"));
        }
        if unisolated > 0 {
            let items = counted(unisolated, "item");
            warn!(run_id = %self.id, "not tried alone: {items} in refused batches; the next run does");
        }
        let nothing_to_write = settled.is_empty() && faults.is_empty();
        if !nothing_to_write && !self.dry_run() {
            item_errors::write(self, async |tx| {
                FORGET_REFUSALS.execute(tx, &[&self.job, &self.lane, &settled]).await?;
                for fault in &faults {
                    let (ids, told) = ([fault.id.clone()], self.told(fault));
                    item_errors::insert(tx, self.id, fault.entity, &ids, (TOO_MANY_REFUSED, &told)).await?;
                }
                Ok(())
            })
            .await?;
        }
        match (faults.first(), self.refusals.most_waiting()) {
            _ if processed > 0 => Ok(()),
            (Some(fault), _) => Err(Error::new(TOO_MANY_REFUSED, ErrorKind::Other, self.told(fault)).into()),
            (None, Some((code, items))) if failed == 0 && items >= FAULT_MIN => Err(Halt::StillRefused(format!(
                "{items} items that were refused with {code} wait for their next try, and nothing else was to be done. \
                 Mend the cause, then run {} with --retry-refused",
                self.job
            ))),
            _ => Ok(()),
        }
    }

    fn told(&self, fault: &Fault) -> String {
        let Fault { entity, code, message, items, .. } = fault;
        format!(
            "{} in a row were refused with {code}, which is one fault: {message}. They wait in \
             item_refusals, and stop nobody. Mend the cause, then run {} with --retry-refused",
            counted(*items, entity),
            self.job
        )
    }
}
