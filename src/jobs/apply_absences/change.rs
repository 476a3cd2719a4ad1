//! What a run changes, batch by batch: slots are blocked and unblocked, visits cancelled, absences recorded.

use std::sync::OnceLock;

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::rule::{ABSENCES, CANCELS, FREED, ON_LEAVE, Rule, blocked, leaves, slots_of_leaves, visits_of_leaves};
use crate::clinic::absences::absences;
use crate::clinic::channels::{as_preferred, has_one};
use crate::clinic::local_time::{clock_time, day};
use crate::clinic::outbox;
use crate::clinic::own_blocks::own_blocks_recorded;
use crate::clinic::words::{clock, short_day};
use crate::db::{Key, Keys, Row, cut_name, statements};
use crate::error::Error;
use crate::run::{UNDELIVERABLE_COLUMN, skipped_columns, undeliverable_recorded};

/// What is appended to the notes of a visit that is cancelled.
const NOTE: &str = "Auto-cancelled due to doctor emergency leave";

/// Whether the clinic's table keeps the instant at which a visit was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelledAt {
    Kept,
    NotKept,
}

impl CancelledAt {
    const ALL: [Self; 2] = [Self::Kept, Self::NotKept];

    fn sql(self) -> &'static str {
        match self {
            Self::Kept => "cancelled_at = $1,",
            Self::NotKept => "",
        }
    }
}

statements! {
    BLOCK(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEYS, UUID) = format!(
        include_str!("block.sql"),
        slots = slots_of_leaves(ABSENCES, "locked"),
        blocked = blocked(),
        freed = FREED,
        own_blocks_recorded = own_blocks_recorded("$1", "$8"),
        skipped_columns = skipped_columns("$7", "locked", "blocked", "doctor_slots"),
    );
    /// A view may have an expression in its place.
    KEEPS_CANCELLED_AT() =
        "SELECT pg_column_is_updatable(a.attrelid, a.attnum, true) AS is_kept
         FROM pg_attribute a WHERE a.attrelid = to_regclass('appointments') AND a.attname = 'cancelled_at'";
    END_CANCELLATIONS(TIMESTAMPTZ, KEYS) = include_str!("end_cancellations.sql");
    CANCEL[cancelled_at: CancelledAt = CancelledAt::ALL.to_vec()]
        (TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEYS, UUID) = cancel(*cancelled_at);
    UNBLOCK(TIMESTAMPTZ, KEYS, KEYS, TEXT_ARRAY, UUID) = format!(
        include_str!("unblock.sql"),
        slot_day = day("s.slot_date"),
        slot_start = clock_time("s.start_time"),
        slot_end = clock_time("s.end_time"),
        absences = absences("s.doctor_id", "s.zone", "s.day - 1"),
    );
    CANCELLED_OF(TIMESTAMPTZ, TEXT_ARRAY) = include_str!("cancelled_of.sql");
    RECORD(TIMESTAMPTZ, KEYS, DATE, KEYS, KEY, KEY, KEYS, TEXT_ARRAY, KEYS, UUID) = record();
}

fn cancel(cancelled_at: CancelledAt) -> String {
    format!(
        include_str!("cancel.sql"),
        doctor = cut_name("d.last_name"),
        first_name = cut_name("p.first_name"),
        last_name = cut_name("p.last_name"),
        mrn = cut_name("p.mrn"),
        visits = visits_of_leaves(ABSENCES, "pairs"),
        cancels = CANCELS,
        on_leave = ON_LEAVE,
        note = NOTE,
        cancelled_at = cancelled_at.sql(),
        slot_day = day("l.slot_date"),
        slot_start = clock_time("l.start_time"),
        channels = as_preferred("'HIGH'"),
        day = short_day("c.day"),
        start = clock("c.start_time"),
        has_phone = has_one("p.phone"),
        outbox = outbox::notified(),
        own_blocks_recorded = own_blocks_recorded("$1", "$8"),
        undeliverable_recorded = undeliverable_recorded("$8", "appointment"),
        undeliverable_column = UNDELIVERABLE_COLUMN,
        skipped_columns = skipped_columns("$7", "pairs", "cancelled", "appointments"),
    )
}

fn record() -> String {
    format!(
        include_str!("record.sql"),
        leaves = leaves(ABSENCES, ""),
        visits = visits_of_leaves(ABSENCES, "appointments"),
        cancels = CANCELS,
        on_leave = ON_LEAVE,
        doctor = cut_name("d.last_name"),
        absences = absences("a.doctor_id", "tz.zone", "v.visit_start::date - 1"),
        channels = as_preferred("'NORMAL'"),
        list_kept = list("k"),
        json_kept = listed("k"),
        list_outside = list("o"),
        json_outside = listed("o"),
        outbox = outbox::notified(),
        undeliverable_recorded = undeliverable_recorded("$10", "absence"),
        undeliverable_column = UNDELIVERABLE_COLUMN,
    )
}

/// The visits of a relation as people read them, in SQL.
fn list(relation: &str) -> String {
    let (day, start) = (short_day(&format!("{relation}.visit_start")), clock(&format!("{relation}.visit_start")));
    format!(
        "string_agg(format('%s at %s', {day}, {start}), ', ' ORDER BY {relation}.visit_start, {relation}.appointment_id)"
    )
}

/// The visits of a relation as programs read them, in SQL.
fn listed(relation: &str) -> String {
    let start = clock(&format!("{relation}.visit_start"));
    format!(
        "jsonb_agg(jsonb_build_object('id', {relation}.appointment_id, 'date', {relation}.visit_start::date,
                                      'time', {start})
                   ORDER BY {relation}.visit_start, {relation}.appointment_id)"
    )
}

/// The changes of a run.
pub struct Change<'a> {
    pub rule: &'a Rule,
    pub run: Uuid,
    cancelled_at: OnceLock<CancelledAt>,
}

impl<'a> Change<'a> {
    pub fn new(rule: &'a Rule, run: Uuid) -> Self {
        Self { rule, run, cancelled_at: OnceLock::new() }
    }

    pub async fn block(&self, tx: &Transaction<'_>, slots: &[Key]) -> Result<Row, Error> {
        let keys = self.rule.keys();
        let more: [&(dyn ToSql + Sync); 2] = [&Keys(slots), &self.run];
        BLOCK.one(tx, &[&self.rule.parameters(&keys)[..], &more].concat()).await
    }

    pub async fn cancel(&self, tx: &Transaction<'_>, visits: &[Key]) -> Result<Row, Error> {
        let cancelled_at = match self.cancelled_at.get() {
            Some(known) => *known,
            None => {
                let is_kept = KEEPS_CANCELLED_AT.opt(tx, &[]).await?.is_some_and(|row| row.get("is_kept"));
                let kept = if is_kept { CancelledAt::Kept } else { CancelledAt::NotKept };
                *self.cancelled_at.get_or_init(|| kept)
            }
        };
        let visits = Keys(visits);
        END_CANCELLATIONS.execute(tx, &[&self.rule.now, &visits]).await?;
        let keys = self.rule.keys();
        let more: [&(dyn ToSql + Sync); 2] = [&visits, &self.run];
        CANCEL.with(&cancelled_at).one(tx, &[&self.rule.parameters(&keys)[..], &more].concat()).await
    }

    pub async fn unblock(&self, tx: &Transaction<'_>, slots: &[Key]) -> Result<Row, Error> {
        let texts: Vec<&str> = slots.iter().map(Key::as_str).collect();
        let [zones, _] = self.rule.keys();
        UNBLOCK.one(tx, &[&self.rule.now, &zones, &Keys(slots), &texts, &self.run]).await
    }

    pub async fn record(&self, tx: &Transaction<'_>, absences: &[Key]) -> Result<Row, Error> {
        let rule = self.rule.of_any_day();
        let texts: Vec<&str> = absences.iter().map(Key::as_str).collect();
        let cancelled = CANCELLED_OF.all(tx, &[&rule.now, &texts]).await?;
        let cancelled: Vec<Key> = cancelled.iter().map(|row| row.get("id")).collect();
        let keys = rule.keys();
        let more: [&(dyn ToSql + Sync); 4] = [&Keys(absences), &texts, &Keys(&cancelled), &self.run];
        RECORD.one(tx, &[&rule.parameters(&keys)[..], &more].concat()).await
    }
}
