//! Clients of the account whom the search for a patient's own e-mail address may miss: a person linked them, or either
//! side has another address now. They are searched for by what the account calls them, which is nowhere stored: a row
//! of theirs says it, that the run has read or asks for.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tokio_postgres::Transaction;

use super::store::client_marks;
use crate::clients::practiceq::{Filter, client_id, client_term};
use crate::clinic::channels::has_one;
use crate::db::{Key, Keys, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, Run};

statements! {
    OTHER_CLIENTS(KEYS) = format!(
        include_str!("other_clients.sql"),
        address_marks = client_marks("NULL::text", "lower(btrim(p.email))", "NULL::date"),
        has_email = has_one("p.email")
    );
    VISITS_OF_CLIENT(TEXT, TEXT) = include_str!("visits_of_client.sql");
}

/// The clients of each of these patients whom the search for the patient may miss.
pub async fn other_clients(tx: &Transaction<'_>, patients: &[Key]) -> Result<HashMap<Key, Vec<String>>, Error> {
    let mut clients = HashMap::<Key, Vec<String>>::new();
    for row in OTHER_CLIENTS.all(tx, &[&Keys(patients)]).await? {
        clients.entry(row.get("patient_id")).or_default().push(row.get("client_id"));
    }
    Ok(clients)
}

/// The external ids of visits by which it can be asked what the account calls a client.
pub async fn visits_of(run: &Run, client: &str, patient: &Key) -> Result<Vec<Key>, Halt> {
    let look = async |tx: &Transaction<'_>| VISITS_OF_CLIENT.all(tx, &[&client, &patient.as_str()]).await;
    let rows = run.read("looking for visits of a client", look).await?;
    Ok(rows.iter().map(|row| row.get("external_id")).collect())
}

/// What the account calls its clients, as far as the run has read it, and what it was searched for.
#[derive(Default)]
pub struct Terms {
    of_clients: HashMap<String, String>,
    searched: HashSet<String>,
}

impl Terms {
    pub fn add(&mut self, rows: &[Value]) {
        let named = rows.iter().filter_map(|row| Some((client_id(row)?, client_term(row)?)));
        self.of_clients.extend(named);
    }

    pub fn of(&self, client: &str) -> Option<&String> {
        self.of_clients.get(client)
    }

    pub fn was_searched(&self, term: &str) -> bool {
        self.searched.contains(&folded(term))
    }

    /// Notes that a list was read to its end.
    pub fn add_search(&mut self, filter: &Filter) {
        let terms = filter.iter().filter(|(name, _)| *name == "client");
        self.searched.extend(terms.map(|(_, term)| folded(term)));
    }
}

/// A term as the account compares it.
fn folded(term: &str) -> String {
    term.trim().to_lowercase()
}

/// Of a client of whom no visit is known the account cannot be asked.
pub fn unknown_client() -> Error {
    Error::new(
        "CLIENT_UNKNOWN",
        ErrorKind::Data,
        "no visit is known by which to ask what the account calls this client, so its visits were not searched for; \
         the next full sync reads them",
    )
}
