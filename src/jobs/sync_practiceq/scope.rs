//! Whose appointments a run is to bring.

use tokio_postgres::Transaction;

use super::SyncPracticeq;
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
    /// Those of them who cannot be found in the account: without an e-mail, and no client is known.
    pub unknown: Vec<i64>,
}

impl Scope {
    /// Refuses what is not there, and a case manager who asks for others than their own.
    pub async fn of(tx: &Transaction<'_>, job: &SyncPracticeq, actor: Option<i64>) -> Result<Self, Error> {
        let (organization, patient) = (job.organization, job.patient);
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
            [.., false] if job.is_by_hand() => {
                let message = format!("--actor: user {} is no case manager there", actor.unwrap_or_default());
                return refuse("ACTOR_NOT_ALLOWED", message);
            }
            _ => {}
        }
        let rows = SCOPE.all(tx, &[&organization, &patient]).await?;
        let ids = |unknown: bool| {
            let rows = rows.iter().filter(move |row| !unknown || row.get("unknown"));
            rows.map(|row| row.get("id")).collect()
        };
        let of_one = job.appointment.is_some();
        Ok(if of_one {
            Self { patients: vec![], unknown: vec![] }
        } else {
            Self { patients: ids(false), unknown: ids(true) }
        })
    }
}
