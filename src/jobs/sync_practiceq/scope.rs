//! The scope of a run: the patients whose appointments it brings.

use tokio_postgres::Transaction;

use super::lane::Lane;
use crate::clinic::actor::refused;
use crate::db::statements;
use crate::error::Error;

statements! {
    ALLOWED(INT8, INT8, INT8) = include_str!("allowed.sql");
    SCOPE(INT8, INT8) = include_str!("scope.sql");
}

pub struct Scope {
    /// Patients with an active affiliation, each once.
    pub patients: Vec<i64>,
    /// Those of them who cannot be found in the account: without an e-mail, and without a known client.
    pub unknown: Vec<i64>,
}

impl Scope {
    /// Refuses a patient or an organization that does not exist, and a case manager who asks for those of others.
    pub async fn find(tx: &Transaction<'_>, lane: &Lane, actor: Option<i64>) -> Result<Self, Error> {
        let (organization, patient) = (lane.organization(), lane.patient());
        let row = ALLOWED.one(tx, &[&organization, &patient, &actor]).await?;
        let id = organization.or(patient).unwrap_or_default();
        let refuse = |code, message| Err(refused(code, message));
        match ["organization", "patient", "in_scope", "allowed"].map(|column| row.get::<_, bool>(column)) {
            [false, ..] => {
                return refuse("UNKNOWN_ORGANIZATION", format!("--organization: there is no organization {id}"));
            }
            [_, false, ..] => return refuse("UNKNOWN_PATIENT", format!("--patient: there is no patient {id}")),
            [_, _, false, _] => {
                return refuse("NOT_IN_SCOPE", format!("--patient: patient {id} has no active affiliation"));
            }
            [.., false] if lane.is_by_hand() => {
                let message = format!("--actor: user {} is no case manager there", actor.unwrap_or_default());
                return refuse("ACTOR_NOT_ALLOWED", message);
            }
            _ => {}
        }
        // Whose the one appointment is shows when it is read.
        if lane.appointment().is_some() {
            return Ok(Self { patients: vec![], unknown: vec![] });
        }
        let rows = SCOPE.all(tx, &[&organization, &patient]).await?;
        let patients = rows.iter().map(|row| row.get("id")).collect();
        let unknown = rows.iter().filter(|row| row.get("unknown")).map(|row| row.get("id")).collect();
        Ok(Self { patients, unknown })
    }
}
