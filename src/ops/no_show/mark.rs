//! `rounds no-show mark`: marks a visit as a no-show by hand.
//!
//! Rule: a visit is marked by hand if and only if it is LOCAL, and SCHEDULED, CONFIRMED or CHECKED_IN, and the actor
//! may: for MANUAL_STAFF and PATIENT_CALLED a RECEPTIONIST, NURSE or admin of its facility, for MANUAL_DOCTOR its
//! doctor. The change is made by the job's own statement. An absence of the doctor is no obstacle: a person decides.

use clap::Args;
use serde_json::json;
use tokio_postgres::Transaction;

use crate::clinic::actor::{ADMIN, Actor, refused};
use crate::clinic::local_time::{unreadable_start, unreadable_zone, unreadable_zones};
use crate::command::notes::NotesArgs;
use crate::command::{CommandContext, Moment, Output, held, locked};
use crate::db::{Key, Row, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::jobs::mark_no_shows::{ByHand, Reason};
use crate::output::{counted, local_stamp, stamp};
use crate::run::count;
use crate::time_zone::Tz;

statements! {
    pub LOCK_VISIT(KEY) = include_str!("visit.sql");
    LAST_LOG(TEXT) = include_str!("last_log.sql");
}

/// The roles that may say who came.
pub const STAFF: &[&str] = &["RECEPTIONIST", "NURSE", ADMIN];

/// Mark a visit as a no-show: frees its slot while that lasts, and tells the patient as the job does
#[derive(Args)]
pub struct MarkArgs {
    /// The visit
    #[arg(value_name = "APPOINTMENT_ID")]
    visit: Key,
    /// MANUAL_STAFF, MANUAL_DOCTOR (the visit's own doctor), or PATIENT_CALLED (the patient gets no notice)
    #[arg(long, value_enum, ignore_case = true, value_parser = by_hand)]
    reason: Reason,
    #[command(flatten)]
    notes: NotesArgs,
}

/// The visit that is marked.
struct Visit {
    /// In the server's own form.
    id: Key,
    facility: Option<Key>,
}

impl MarkArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let notes = self.notes.read(context).await?;
        let (moment, (visit, row)) = context
            .act(async |tx, moment| {
                let visit = self.check(tx, &moment.actor).await?;
                let row = self.mark(tx, &visit, moment, notes.as_deref()).await?;
                Ok((visit.id, row))
            })
            .await?;
        let released = count(&row, "slots_released") > 0;
        let (notices, suppressed, late) =
            ["notifications", "notices_suppressed", "notices_expired"].map(|column| count(&row, column)).into();
        let json = json!({
            "ok": true,
            "dry_run": context.args.dry_run,
            "appointment_id": visit,
            "status": "NO_SHOW",
            "reason": self.reason.as_str(),
            "marked_by": moment.actor.id,
            "marked_at": stamp(moment.now),
            "slot_released": released,
            "notifications": notices,
            "notices_suppressed": suppressed,
            "notices_expired": late,
        });
        let dry = context.not_changed();
        // A visit without a row in doctor_slots takes its time all the same.
        let slot = match (released, count(&row, "slot_rows_released")) {
            (true, 1..) => "its slot is free again",
            (true, 0) => "its time is free again: it had no slot",
            (false, _) => "its slot is not released: it is over",
        };
        let notified = match (self.reason, notices, late) {
            (Reason::PatientCalled, ..) => "the patient knows".to_owned(),
            (_, _, 1..) => "too late to tell the patient".to_owned(),
            _ => format!("{} staged for the patient", counted(notices, "notice")),
        };
        Ok(Output::done(json, format!("Visit {visit} is a no-show{dry}; {slot}; {notified}.\n")))
    }

    /// Refuses an unknown visit, an actor who may not mark it, and a visit that cannot become a no-show; in this order,
    /// so that nobody learns the state of another facility's visits. The visit stays locked.
    async fn check(&self, tx: &Transaction<'_>, actor: &Actor) -> Result<Visit, Error> {
        let found = no_such_key(LOCK_VISIT.opt(tx, &[&self.visit]).await);
        let row = found.map_err(|error| held(error, format_args!("visit {}", self.visit)))?;
        let Some(row) = row else {
            let message = format!("there is no visit {}; nothing was changed", self.visit);
            return Err(refused("UNKNOWN_APPOINTMENT", message));
        };
        let visit = Visit { id: row.get("id"), facility: row.get("facility_id") };
        match self.reason {
            Reason::ManualDoctor if row.get::<_, Option<Key>>("doctor_user_id").as_ref() != Some(&actor.id) => {
                let message = format!("--actor: user {} is not the doctor of visit {}", actor.id, visit.id);
                return Err(refused("ACTOR_NOT_ALLOWED", message));
            }
            Reason::ManualDoctor => {}
            _ => {
                actor.require(STAFF, self.reason.as_str())?;
                let Some(facility) = &visit.facility else { return Err(not_markable(&visit.id, "has no facility")) };
                actor.require_facility(facility, "visit")?;
            }
        }
        refuse_state(tx, &visit.id, &row).await?;
        Ok(visit)
    }

    async fn mark(
        &self,
        tx: &Transaction<'_>,
        visit: &Visit,
        moment: &Moment,
        notes: Option<&str>,
    ) -> Result<Row, Error> {
        let Moment { now, actor } = moment;
        let what = format!("visit {} or its slot", visit.id);
        let act = ByHand { visit: &visit.id, now: *now, reason: self.reason, author: &actor.id, notes };
        let row = act.mark(tx).await.map_err(|error| held(error, &what))?;
        match (count(&row, "marked"), row.get::<_, Vec<String>>("locked").is_empty()) {
            (1, _) => Ok(row),
            (_, false) => Err(locked(what)),
            _ => Err(visit.unreadable(tx).await?.context(format_args!("visit {}", visit.id))),
        }
    }
}

impl Visit {
    /// The error of a visit that is locked, in a state that permits marking, and not marked: its start is not known.
    async fn unreadable(&self, tx: &Transaction<'_>) -> Result<Error, Error> {
        let zones = unreadable_zones(tx).await?;
        let zone = self.facility.as_ref().is_some_and(|facility| zones.contains(facility));
        Ok(if zone { unreadable_zone() } else { unreadable_start() })
    }
}

/// The reasons that a person may give.
fn by_hand(text: &str) -> Result<Reason, String> {
    let known = [Reason::ManualStaff, Reason::ManualDoctor, Reason::PatientCalled];
    let found = known.into_iter().find(|reason| reason.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("must be {}", known.map(Reason::as_str).join(", ")))
}

/// Refuses a visit whose state does not permit marking, with the reason.
async fn refuse_state(tx: &Transaction<'_>, visit: &Key, row: &Row) -> Result<(), Error> {
    let text = |column| row.get::<_, Option<&str>>(column).unwrap_or("of no known state");
    let reason = match (text("status"), text("source")) {
        ("SCHEDULED" | "CONFIRMED" | "CHECKED_IN", "LOCAL") if row.get("has_doctor") => return Ok(()),
        ("SCHEDULED" | "CONFIRMED" | "CHECKED_IN", "LOCAL") => "has no doctor".to_owned(),
        ("SCHEDULED" | "CONFIRMED" | "CHECKED_IN", other) => {
            format!("comes from another system ({other}), which says who came")
        }
        ("NO_SHOW", _) => {
            let log = LAST_LOG.opt(tx, &[visit]).await?;
            // Where that mark was undone, another program has made it a no-show again.
            let by = log.filter(|log| !log.get::<_, bool>("is_undone")).map_or(String::new(), |log| {
                let by = match log.get::<_, Option<&str>>("created_by") {
                    Some(user) => format!("user {user} ({})", log.get::<_, &str>("reason")),
                    None => "the job".to_owned(),
                };
                format!(", marked by {by} at {}", local_stamp(log.get("triggered_at"), Tz::UTC))
            });
            format!("is a no-show already{by}")
        }
        (status, _) => format!("is {status}, so it cannot become a no-show"),
    };
    Err(not_markable(visit, &reason))
}

fn not_markable(visit: &Key, reason: &str) -> Error {
    Error::new("NOT_MARKABLE", ErrorKind::Other, format!("visit {visit} {reason}; nothing was changed"))
}
