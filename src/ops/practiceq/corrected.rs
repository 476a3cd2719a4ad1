//! A decision, or the link of a client, that a person takes back: what depends on it leaves the charts and waits again.
//!
//! Rule: with the link of a client all go that follow from it: its visits in the chart of that patient, and the decisions
//! that say the same; not those that say something of one visit alone. Until the next decision the client waits: the sync
//! would else find the same link again. What was read of an appointment is gone by then, or may be old, so it is decided
//! about when it was read again.

use tokio_postgres::Transaction;

use super::staff::may_decide;
use crate::clinic::actor::refused;
use crate::clinic::local_time::unreadable_zones;
use crate::clinic::organizations::organizations_of;
use crate::command::{Moment, held, locked};
use crate::db::{Key, Row, statements, unless_no_key};
use crate::error::Error;
use crate::jobs::sync_practiceq::take_out;

statements! {
    CLIENT(TEXT) =
        "SELECT client_id, patient_id, linked_by, waits FROM practiceq_clients WHERE client_id = $1 FOR NO KEY UPDATE";
    // $1 patient, a key · $2 the user who acts, a key
    PATIENT_OF(KEY, KEY) = format!(
        "WITH own AS (\n{})\nSELECT FROM own o
         JOIN patient_organization_affiliations l ON l.organization_id = o.id AND l.status = 'active'
         WHERE l.patient_id = $1 LIMIT 1",
        organizations_of("$2"),
    );
    TAKE_BACK(TEXT, TEXT, TIMESTAMPTZ) = "UPDATE practiceq_clients
        SET patient_id = NULL, waits = true, linked_by = $2, created_at = $3, run_id = NULL WHERE client_id = $1";
    OPEN_WITH_CLIENT(TEXT, TEXT) = "UPDATE practiceq_unmatched
        SET status = 'open', patient_id = NULL, decided_by = NULL, decided_at = NULL, content = '{}'
        WHERE client_id = $1 AND reason <> 'GROUP'
          AND ((status = 'linked' AND patient_id = $2) OR (status = 'ignored' AND $2 IS NULL))";
    // Of what a person has linked by itself the decision stays.
    VISITS_OF_CLIENT(TEXT, TEXT) = "SELECT v.external_id FROM practiceq_visits v
        WHERE v.client_id = $1 AND v.patient_id = $2 AND v.deleted_at IS NULL
          AND NOT EXISTS (SELECT FROM practiceq_unmatched u WHERE u.external_id = v.external_id AND u.status = 'linked')
        ORDER BY v.external_id";
}

/// What is known of a client.
pub struct Client {
    pub id: String,
    /// Its patient; None: nobody of the clinic, or nobody knows.
    pub patient: Option<Key>,
    /// Who said so; None: the sync found it.
    pub linked_by: Option<Key>,
    /// Whether its link was taken back already.
    pub waits: bool,
}

impl Client {
    /// Locks it, if it is known.
    pub async fn lock(tx: &Transaction<'_>, id: &str) -> Result<Option<Self>, Error> {
        let row = CLIENT.opt(tx, &[&id]).await.map_err(|error| held(error, format_args!("client {id}")))?;
        Ok(row.map(|row: Row| Self {
            id: row.get("client_id"),
            patient: row.get("patient_id"),
            linked_by: row.get("linked_by"),
            waits: row.get("waits"),
        }))
    }

    /// Takes its link back. Returns how many appointments are open again, and how many visits have left the chart.
    pub async fn take_back(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<(u64, u64), Error> {
        let Moment { now, actor } = moment;
        TAKE_BACK.execute(tx, &[&self.id, &actor.id, now]).await?;
        let opened = OPEN_WITH_CLIENT.execute(tx, &[&self.id, &self.patient]).await?;
        let visits = VISITS_OF_CLIENT.all(tx, &[&self.id, &self.patient]).await?;
        let visits: Vec<Key> = visits.iter().map(|row| row.get("external_id")).collect();
        Ok((opened, leave_charts(tx, &visits, moment).await?))
    }
}

/// Takes visits out of their charts, all or none.
pub async fn leave_charts(tx: &Transaction<'_>, visits: &[Key], moment: &Moment) -> Result<u64, Error> {
    let zoneless = unreadable_zones(tx).await?;
    let taken_out = take_out(tx, visits, moment.now, &zoneless).await?;
    if taken_out == visits.len() as u64 { Ok(taken_out) } else { Err(locked("a visit of it")) }
}

/// Refuses a user who may not take back a decision about this patient, by this user; None is nobody. Whoever decided may,
/// and whose organization looks after the patient; of what is left that says neither, the group.
pub async fn may_take_back(
    tx: &Transaction<'_>,
    moment: &Moment,
    (patient, decided_by): (Option<&Key>, Option<&Key>),
    what: &str,
) -> Result<(), Error> {
    let actor = &moment.actor;
    may_decide(tx, actor, "taking back whose an appointment is").await?;
    if actor.is_of_the_group() || decided_by == Some(&actor.id) {
        return Ok(());
    }
    if let Some(patient) = patient {
        // A text of ours may be no key of the clinic's any more.
        let own = unless_no_key(tx, async || PATIENT_OF.opt(tx, &[patient, &actor.id]).await).await?;
        if own.flatten().is_some() {
            return Ok(());
        }
    }
    let message = format!(
        "--actor: {what} was neither decided by user {}, nor is it of a patient of that user's organizations; nothing \
         was changed",
        actor.id
    );
    Err(refused("ACTOR_NOT_ALLOWED", message))
}
