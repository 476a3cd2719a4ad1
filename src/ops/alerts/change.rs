//! `rounds alerts acknowledge` and `resolve`: a compare-and-set, so that of two people only one makes the change, and
//! the other is shown who did.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;

use crate::clinic::actor::{ADMIN, Actor, refused};
use crate::clinic::alerts::STAFF;
use crate::command::{CommandContext, Moment, Output, held};
use crate::db::{Key, Row, statements, unless_no_key};
use crate::error::{Error, ErrorKind};
use crate::output::{local_stamp, stamp};
use crate::time_zone::Tz;

statements! {
    LOCK_ALERT(INT8) = include_str!("alert.sql");
    VISIT_FACILITY(KEY) = "SELECT a.facility_id::text FROM appointments a WHERE a.id = $1";
    ACKNOWLEDGE(INT8, TEXT, TIMESTAMPTZ) = include_str!("acknowledge.sql");
    RESOLVE(INT8, TEXT, TIMESTAMPTZ, TEXT) = include_str!("resolve.sql");
}

/// A change that a person makes to an alert.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    Acknowledge,
    Resolve { notes: Option<&'a str> },
}

impl Change<'_> {
    /// The resulting state. In lower case it is the prefix of the columns with the user and the instant of the change.
    fn to(self) -> &'static str {
        match self {
            Self::Acknowledge => "ACKNOWLEDGED",
            Self::Resolve { .. } => "RESOLVED",
        }
    }

    fn is_possible_from(self, status: &str) -> bool {
        match self {
            Self::Acknowledge => status == "ACTIVE",
            Self::Resolve { .. } => ["ACTIVE", "ACKNOWLEDGED"].contains(&status),
        }
    }

    pub async fn execute(self, context: &CommandContext<'_>, id: i64, zone: Tz) -> Result<Output, Error> {
        let (moment, ()) = context
            .act(async |tx, moment| {
                let alert = lock_alert(tx, id, &moment.actor).await?;
                if !self.is_possible_from(alert.get("status")) {
                    return Err(already_changed(id, &alert, zone));
                }
                self.write(tx, id, moment).await
            })
            .await?;
        Ok(self.output(context, id, zone, &moment))
    }

    async fn write(self, tx: &Transaction<'_>, id: i64, Moment { now, actor }: &Moment) -> Result<(), Error> {
        let rows = match &self {
            Self::Acknowledge => ACKNOWLEDGE.execute(tx, &[&id, &actor.id, now]).await?,
            Self::Resolve { notes } => RESOLVE.execute(tx, &[&id, &actor.id, now, notes]).await?,
        };
        let message = format!("alert {id} changed at the same moment; nothing was changed");
        if rows == 1 { Ok(()) } else { Err(Error::new("CHANGED", ErrorKind::Other, message)) }
    }

    fn output(self, context: &CommandContext<'_>, id: i64, zone: Tz, Moment { now, actor }: &Moment) -> Output {
        let dry = context.not_changed();
        let (by, at, stem) = (&actor.id, local_stamp(*now, zone), self.to().to_lowercase());
        let text = format!("Alert {id} is {stem}{dry}, by user {by} at {at}.\n");
        let mut json = json!({ "ok": true, "dry_run": context.args.dry_run, "id": id, "status": self.to() });
        json[format!("{stem}_by")] = json!(by);
        json[format!("{stem}_at")] = stamp(*now).into();
        Output::done(json, text)
    }
}

/// Locks the alert, and refuses an actor who may not change it. It waits for another session's lock, so that the
/// message can name the user who was first.
async fn lock_alert(tx: &Transaction<'_>, id: i64, actor: &Actor) -> Result<Row, Error> {
    let row = LOCK_ALERT.opt(tx, &[&id]).await.map_err(|error| held(error, format_args!("alert {id}")))?;
    let Some(row) = row else {
        return Err(refused("UNKNOWN_ALERT", format!("there is no alert {id}; nothing was changed")));
    };
    actor.require(STAFF, "changing an alert")?;
    let visit: Key = row.get("appointment_id");
    let visit = unless_no_key(tx, async || VISIT_FACILITY.opt(tx, &[&visit]).await).await?.flatten();
    match visit.and_then(|visit| visit.get::<_, Option<Key>>("facility_id")) {
        Some(facility) => actor.require_facility(&facility, "alert")?,
        None if actor.is_of_the_group() => {}
        None => return Err(without_facility(id, actor)),
    }
    Ok(row)
}

/// The error of an actor of one facility, for an alert whose facility nobody knows any more.
fn without_facility(id: i64, actor: &Actor) -> Error {
    let message = format!(
        "--actor: the visit of alert {id} is deleted, so its facility is not known; user {} may not change the alert, \
         only a {ADMIN} of the whole group may",
        actor.id
    );
    refused("ACTOR_NOT_ALLOWED", message)
}

/// The error that names the user who was first.
fn already_changed(id: i64, row: &Row, zone: Tz) -> Error {
    let (code, stem) = match row.get("status") {
        "ACKNOWLEDGED" => ("ALREADY_ACKNOWLEDGED", "acknowledged"),
        _ => ("ALREADY_RESOLVED", "resolved"),
    };
    let by = row.get::<_, Option<&str>>(format!("{stem}_by").as_str());
    let by = by.map_or("the job".to_owned(), |user| format!("user {user}"));
    let at: Option<DateTime<Utc>> = row.get(format!("{stem}_at").as_str());
    let at = at.map_or(String::new(), |at| local_stamp(at, zone));
    Error::new(code, ErrorKind::Other, format!("alert {id} was {stem} by {by} at {at}; nothing was changed"))
}
