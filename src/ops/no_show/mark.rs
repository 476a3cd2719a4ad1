//! `rounds no-show mark`: marks a visit as a no-show by hand.
//!
//! Rule: a visit is marked by hand if and only if it is LOCAL, and SCHEDULED, CONFIRMED or CHECKED_IN, and the actor
//! may: for MANUAL_STAFF and PATIENT_CALLED a RECEPTIONIST, NURSE or admin of its facility, for MANUAL_DOCTOR its
//! doctor. The change is made by the job's own statement.

use clap::Args;
use serde_json::json;
use tokio_postgres::{Row, Transaction};

use crate::clinic::actor::{ADMIN, Actor, refused};
use crate::command::{CommandContext, Moment, Output, held, locked};
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::jobs::mark_no_shows::{ByHand, Reason};
use crate::output::stamp;
use crate::run::count;

statements! {
    LOCK_VISIT(INT8) = include_str!("visit.sql");
    LAST_LOG(INT8) = include_str!("last_log.sql");
}

const STAFF: &[&str] = &["RECEPTIONIST", "NURSE", ADMIN];

/// Mark a visit as a no-show: frees its slot while that lasts, and tells the patient as the job does
#[derive(Args)]
pub struct MarkArgs {
    /// The visit
    #[arg(value_name = "APPOINTMENT_ID")]
    visit: i64,
    /// MANUAL_STAFF, MANUAL_DOCTOR (the visit's own doctor), or PATIENT_CALLED (who is not told then)
    #[arg(long, value_enum, ignore_case = true, value_parser = by_hand)]
    reason: Reason,
    /// Kept with the log row, and shown by no command
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    notes: Option<String>,
}

impl MarkArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (moment, row) = context
            .act(async |tx, moment| {
                self.check(tx, &moment.actor).await?;
                self.mark(tx, moment).await
            })
            .await?;
        let released = count(&row, "slots_released") > 0;
        let (notices, suppressed, late) =
            ["notifications", "notices_suppressed", "notices_expired"].map(|column| count(&row, column)).into();
        let json = json!({
            "ok": true,
            "dry_run": context.args.dry_run,
            "appointment_id": self.visit,
            "status": "NO_SHOW",
            "reason": self.reason.as_str(),
            "marked_by": moment.actor.id,
            "marked_at": stamp(moment.now),
            "slot_released": released,
            "notifications": notices,
            "notices_suppressed": suppressed,
            "notices_expired": late,
        });
        let dry = if context.args.dry_run { " (dry run: nothing was changed)" } else { "" };
        let slot = if released { "its slot is free again" } else { "its slot is not released: it is over" };
        let notified = match (self.reason, notices, late) {
            (Reason::PatientCalled, ..) => "the patient knows".to_owned(),
            (_, _, 1..) => "too late to tell the patient".to_owned(),
            _ => format!("{notices} notice(s) staged for the patient"),
        };
        Ok(Output::done(json, format!("Visit {} is a no-show{dry}; {slot}; {notified}.\n", self.visit)))
    }

    /// Refuses an unknown visit, an actor who may not mark it, and a visit that cannot become a no-show; in this order,
    /// so that nobody learns the state of another facility's visits. The visit stays locked.
    async fn check(&self, tx: &Transaction<'_>, actor: &Actor) -> Result<(), Error> {
        let visit = self.visit;
        let row = LOCK_VISIT.opt(tx, &[&visit]).await.map_err(|error| held(error, format_args!("visit {visit}")))?;
        let Some(row) = row else {
            return Err(refused("UNKNOWN_APPOINTMENT", format!("there is no visit {visit}; nothing was changed")));
        };
        match self.reason {
            Reason::ManualDoctor if row.get::<_, Option<i64>>("doctor_user_id") != Some(actor.id.number()) => {
                let message = format!("--actor: user {} is not the doctor of visit {visit}", actor.id);
                return Err(refused("ACTOR_NOT_ALLOWED", message));
            }
            Reason::ManualDoctor => {}
            _ => {
                actor.require(STAFF, self.reason.as_str())?;
                actor.require_facility(&crate::db::Key::of(row.get("facility_id")), "visit")?;
            }
        }
        refuse_state(tx, visit, &row).await
    }

    async fn mark(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<Row, Error> {
        let Moment { now, actor } = moment;
        let what = format!("visit {} or its slot", self.visit);
        let notes = self.notes.as_deref().filter(|notes| !notes.trim().is_empty());
        let act = ByHand {
            visit: &crate::db::Key::of(self.visit),
            now: *now,
            reason: self.reason,
            author: &actor.id,
            notes,
        };
        let row = act.mark(tx).await.map_err(|error| held(error, &what))?;
        match (count(&row, "marked"), row.get::<_, Vec<String>>("locked").is_empty()) {
            (1, _) => Ok(row),
            (_, false) => Err(locked(what)),
            // The visit is locked and its state is known, so the time zone is the only remaining cause.
            _ => Err(crate::clinic::local_time::unreadable_zone().context(format_args!("visit {}", self.visit))),
        }
    }
}

/// The reasons that a person may give.
fn by_hand(text: &str) -> Result<Reason, String> {
    let known = [Reason::ManualStaff, Reason::ManualDoctor, Reason::PatientCalled];
    let found = known.into_iter().find(|reason| reason.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("must be {}", known.map(Reason::as_str).join(", ")))
}

/// Refuses a visit whose state does not permit marking, with the reason.
async fn refuse_state(tx: &Transaction<'_>, visit: i64, row: &Row) -> Result<(), Error> {
    let reason = match (row.get("status"), row.get("source")) {
        ("SCHEDULED" | "CONFIRMED" | "CHECKED_IN", "LOCAL") => return Ok(()),
        ("SCHEDULED" | "CONFIRMED" | "CHECKED_IN", other) => {
            format!("comes from another system ({other}), which says who came")
        }
        ("NO_SHOW", _) => {
            let log = LAST_LOG.opt(tx, &[&visit]).await?;
            let by = log.map_or(String::new(), |log| {
                let by = match log.get::<_, Option<i64>>("created_by") {
                    Some(user) => format!("user {user} ({})", log.get::<_, &str>("reason")),
                    None => "the job".to_owned(),
                };
                format!(", marked by {by} at {}", stamp(log.get("triggered_at")))
            });
            format!("is a no-show already{by}")
        }
        (status, _) => format!("is {status}, so it cannot become a no-show"),
    };
    Err(Error::new("NOT_MARKABLE", ErrorKind::Other, format!("visit {visit} {reason}; nothing was changed")))
}
