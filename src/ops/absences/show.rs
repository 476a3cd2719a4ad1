//! `rounds absences show`: what was done for an absence.

use chrono::{DateTime, NaiveDateTime, Utc};
use clap::Args;
use tokio_postgres::Transaction;

use super::preview::kept;
use super::shape::{self, Absence, Shape, Warning};
use crate::command::{CommandContext, Output};
use crate::db::{Key, Row, statements};
use crate::error::Error;
use crate::jobs::apply_absences::preview as job;
use crate::output::counted;

statements! {
    DONE(TEXT) =
        "SELECT (SELECT count(*) FROM blocked_slots b WHERE b.absence_id = $1 AND b.unblocked_at IS NULL) AS slots,
                count(*) FILTER (WHERE v.outcome = 'CANCELLED') AS cancelled,
                count(*) FILTER (WHERE v.outcome = 'CANCELLED' AND v.told) AS told
         FROM absence_visits v WHERE v.absence_id = $1";
    OUTSIDE(TEXT) =
        "SELECT v.appointment_id AS id, v.visit_start FROM absence_visits v
         WHERE v.absence_id = $1 AND v.outside_at IS NOT NULL ORDER BY v.visit_start, v.id";
    EFFECT(TEXT) =
        "SELECT e.doctor_id, e.facility_id, e.type, e.applied_at FROM absence_effects e WHERE e.absence_id = $1";
}

/// Show what was done for an absence: slots, cancelled visits, patients who were told
#[derive(Args)]
pub struct ShowArgs {
    /// The absence, as the clinic's table has it
    #[arg(value_name = "ABSENCE_ID")]
    id: Key,
}

impl ShowArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let shape = context.read(async |tx, now| self.read(tx, now).await).await?;
        Ok(shape.output(false))
    }

    async fn read(&self, tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<Shape, Error> {
        let saved = shape::saved(tx, &self.id).await?;
        let id = saved.as_ref().and_then(|absence| absence.id.clone()).unwrap_or_else(|| self.id.clone());
        let effect = EFFECT.opt(tx, &[&id]).await?;
        let absence = match (saved, &effect) {
            (Some(absence), _) => absence,
            (None, Some(effect)) => gone(&id, effect),
            (None, None) => return Err(shape::unknown(&id)),
        };
        let done = DONE.one(tx, &[&id]).await?;
        let outside = OUTSIDE.all(tx, &[&id]).await?;
        let mut warnings = vec![];
        if absence.is_active() {
            warnings = kept(&job::effects(tx, now, &job::Absence::Saved(&id)).await?);
        }
        if !outside.is_empty() {
            let visits: Vec<(Key, NaiveDateTime)> =
                outside.iter().map(|row| (row.get("id"), row.get("visit_start"))).collect();
            let visits_said = counted(visits.len(), "visit");
            let message = format!("{visits_said} that the absence covers no more, and that stay cancelled");
            warnings.push(Warning::new("VISITS_STAY_CANCELLED", message, visits));
        }
        let is_applied = effect.is_some_and(|row| row.get::<_, Option<DateTime<Utc>>>("applied_at").is_some());
        if absence.is_active() && !is_applied {
            let message = "no run has applied it completely".to_owned();
            warnings.push(Warning::new("NOT_APPLIED", message, vec![]));
        }
        Ok(Shape {
            absence,
            slots_blocked: done.get("slots"),
            cancelled: done.get("cancelled"),
            notified: done.get("told"),
            warnings,
        })
    }
}

/// An absence that is in the table no more, as it was applied last.
fn gone(id: &Key, effect: &Row) -> Absence {
    Absence {
        id: Some(id.clone()),
        doctor: effect.get("doctor_id"),
        facility: effect.get("facility_id"),
        kind: effect.get("type"),
        status: "GONE".to_owned(),
        days: [None, None],
        times: [None, None],
    }
}
