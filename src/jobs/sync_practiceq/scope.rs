//! The scope of a run: the patients whose appointments it brings.

use std::collections::HashMap;

use tokio_postgres::Transaction;

use super::clients::other_clients;
use super::lane::Lane;
use crate::clinic::actor::refused;
use crate::clinic::channels::has_one;
use crate::clinic::local_time::unreadable_zones;
use crate::clinic::organizations::organizations_of;
use crate::db::{Key, no_such_key, statements};
use crate::error::Error;

statements! {
    ALLOWED(KEY, KEY, KEY) = format!(include_str!("allowed.sql"), organizations = organizations_of("$3"));
    SCOPE(KEY, KEY) = format!(include_str!("scope.sql"), has_email = has_one("p.email"));
}

#[derive(Default)]
pub struct Scope {
    /// Patients with an active affiliation, each once.
    pub patients: Vec<Key>,
    /// Those of them who cannot be found in the account: without an e-mail, and without a known client. Nobody has said
    /// so of them.
    pub unknown: Vec<Key>,
    /// Those of whom a person has said that they cannot.
    pub skipped: Vec<Key>,
    /// The clients of the account, of patients who are read one by one, whom a search for the patient may miss.
    pub other_clients: HashMap<Key, Vec<String>>,
    /// Facilities whose time zone cannot be read.
    pub zoneless: Vec<Key>,
}

impl Scope {
    pub fn cannot_be_found(&self, patient: &Key) -> bool {
        self.unknown.contains(patient) || self.skipped.contains(patient)
    }

    /// Refuses a patient or an organization that does not exist, and an actor who asks for those of others. The
    /// lane gets the server's form of its id.
    pub async fn find(tx: &Transaction<'_>, lane: &mut Lane, actor: Option<&Key>) -> Result<Self, Error> {
        let allowed = no_such_key(ALLOWED.opt(tx, &[&lane.organization(), &lane.patient(), &actor]).await)?;
        let known = |column: &str| allowed.as_ref().and_then(|row| row.get::<_, Option<Key>>(column));
        let is_so = |column: &str| allowed.as_ref().is_some_and(|row| row.get(column));
        match lane {
            Lane::Organization(id) => {
                let unknown =
                    || refused("UNKNOWN_ORGANIZATION", format!("--organization: there is no organization {id}"));
                *id = known("organization").ok_or_else(unknown)?;
            }
            Lane::Patient(id) => {
                let unknown = || refused("UNKNOWN_PATIENT", format!("--patient: there is no patient {id}"));
                *id = known("patient").ok_or_else(unknown)?;
                if !is_so("in_scope") {
                    return Err(refused("NOT_IN_SCOPE", format!("--patient: patient {id} has no active affiliation")));
                }
            }
            Lane::Full | Lane::Incremental | Lane::Appointment(_) | Lane::Inbox => {}
        }
        if let (Lane::Patient(_) | Lane::Organization(_), Some(actor), false) = (&*lane, actor, is_so("allowed")) {
            let message = format!(
                "--actor: user {actor} is neither a case manager there, nor a HOSPITAL_ADMIN or SUPERVISOR of its facility"
            );
            return Err(refused("ACTOR_NOT_ALLOWED", message));
        }
        let zoneless = unreadable_zones(tx).await?;
        // Whose a single appointment is shows when it is read.
        if !lane.reads_lists() {
            return Ok(Self { zoneless, ..Self::default() });
        }
        let rows = SCOPE.all(tx, &[&lane.organization(), &lane.patient()]).await?;
        let patients: Vec<Key> = rows.iter().map(|row| row.get("id")).collect();
        // Whoever asks for one patient is told all the same.
        let (skipped, unknown): (Vec<_>, Vec<_>) = rows
            .iter()
            .filter(|row| row.get("unknown"))
            .partition(|row| lane.patient().is_none() && row.get("skipped"));
        let [unknown, skipped] = [unknown, skipped].map(|rows| rows.iter().map(|row| row.get("id")).collect());
        let other_clients = match lane {
            Lane::Patient(_) | Lane::Organization(_) => other_clients(tx, &patients).await?,
            Lane::Full | Lane::Incremental | Lane::Appointment(_) | Lane::Inbox => HashMap::new(),
        };
        Ok(Self { patients, unknown, skipped, other_clients, zoneless })
    }
}
