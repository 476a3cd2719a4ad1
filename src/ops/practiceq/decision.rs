//! An unmatched appointment about which a person decides, and what is known of its client.

use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::staff::may_decide;
use crate::clinic::actor::refused;
use crate::clinic::organizations::organizations_of;
use crate::command::{Moment, held};
use crate::db::{Key, Row, statements};
use crate::error::{Error, ErrorKind};

statements! {
    // $1 id bigint · $2 the user who decides, a key · $3 whether the user belongs to the group boolean
    CONCERNS(INT8, KEY, BOOL) = format!(
        "{}SELECT {} AS concerns FROM practiceq_unmatched u WHERE u.id = $1",
        own("$2"),
        concerns("$2", "$3"),
    );
    LOCK(INT8, BOOL) = include_str!("lock.sql");
    KNOWN_CLIENT(TEXT) = "SELECT patient_id FROM practiceq_clients WHERE client_id = $1 AND NOT waits";
    PATIENT(KEY) = "SELECT p.id::text FROM patients p WHERE p.id = $1";
}

/// The organizations of a user as the relation `own`, in SQL.
pub fn own(user: &str) -> String {
    format!("WITH own AS (\n{})\n", organizations_of(user))
}

/// The condition that an unmatched appointment `u` concerns a user, in SQL.
pub fn concerns(user: &str, group: &str) -> String {
    format!(include_str!("concerns.part.sql"), user = user, group = group)
}

/// Whether nothing is left of what was read of an appointment.
pub fn is_empty(row: &Row) -> bool {
    row.get::<_, Value>("content") == json!({})
}

/// Locks the open rows that a decision is about; the one that the user named is the first.
pub async fn lock(tx: &Transaction<'_>, id: i64, with_client: bool, moment: &Moment) -> Result<Vec<Row>, Error> {
    may_decide(tx, &moment.actor, "deciding whose an appointment is").await?;
    let rows = LOCK.all(tx, &[&id, &with_client]).await;
    let rows = rows.map_err(|error| held(error, format_args!("unmatched appointment {id}")))?;
    let Some(first) = rows.first() else {
        let message = format!("there is no unmatched appointment {id}; nothing was changed");
        return Err(refused("UNKNOWN_UNMATCHED", message));
    };
    let status: &str = first.get("status");
    if status != "open" {
        let by = first.get::<_, Option<&str>>("decided_by").unwrap_or_default();
        let message = format!("appointment {id} was {status} by user {by}; nothing was changed");
        return Err(Error::new("NOT_OPEN", ErrorKind::Other, message));
    }
    if is_empty(first) {
        let external_id: &str = first.get("external_id");
        let message = format!(
            "what was read of appointment {id} is gone, and it waits to be read again; nothing was changed; read it \
             with rounds sync-practiceq --appointment {external_id}"
        );
        return Err(Error::new("NOT_READ", ErrorKind::Other, message));
    }
    // Of a decision nothing is left that says whom it concerns.
    let actor = &moment.actor;
    let concerns = CONCERNS.opt(tx, &[&id, &actor.id, &actor.is_of_the_group()]).await?;
    if !concerns.is_some_and(|row| row.get("concerns")) {
        let message = format!(
            "--actor: appointment {id} concerns neither the organizations nor the facility of user {}; nothing was \
             changed",
            actor.id
        );
        return Err(refused("ACTOR_NOT_ALLOWED", message));
    }
    Ok(rows)
}

/// What is known of a client of the account.
pub enum ClientLink {
    Unknown,
    /// A person said that it is no patient of the clinic.
    Nobody,
    Patient(Key),
    /// A patient whom the clinic has deleted: as good as unknown.
    Gone(Key),
}

impl ClientLink {
    pub async fn find(tx: &Transaction<'_>, client: Option<&str>) -> Result<Self, Error> {
        let Some(row) = KNOWN_CLIENT.opt(tx, &[&client]).await? else { return Ok(Self::Unknown) };
        let Some(patient) = row.get::<_, Option<Key>>("patient_id") else { return Ok(Self::Nobody) };
        Ok(match PATIENT.opt(tx, &[&patient]).await? {
            Some(_) => Self::Patient(patient),
            None => Self::Gone(patient),
        })
    }

    /// Whether the client is known to be somebody other than this patient.
    pub fn is_elsewhere(&self, patient: &Key) -> bool {
        match self {
            Self::Unknown | Self::Gone(_) => false,
            Self::Nobody => true,
            Self::Patient(other) => other != patient,
        }
    }

    pub fn gone(&self) -> Option<&Key> {
        if let Self::Gone(patient) = self { Some(patient) } else { None }
    }
}
