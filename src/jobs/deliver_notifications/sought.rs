//! Messages whose fate is not known, and the search for them in the provider's list.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::due::Due;
use super::facts;
use super::gateway::{Channel, Gateway};
use super::number::Country;
use crate::clients::provider::{Found, Provider as _};
use crate::clinic::templates::Templates;
use crate::db::{Row, statements};
use crate::error::Error;

statements! {
    TAKEN(TEXT_ARRAY) = include_str!("taken.sql");
}

/// What a search depends on, beside the message.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    pub gateway: &'a Gateway,
    pub templates: &'a Templates,
    pub channel: Channel,
    pub country: Country,
}

/// A message that may have been sent, as it was sent.
pub struct Sought {
    pub due: Due,
    sent_at: DateTime<Utc>,
    to: Option<String>,
}

impl Search<'_> {
    /// The messages of these rows, with the addresses to which they would go.
    pub async fn messages(&self, tx: &Transaction<'_>, rows: &[Row]) -> Result<Vec<Sought>, Error> {
        let messages: Vec<Due> = rows.iter().map(|row| Due::of(row).rendered(self.templates, self.channel)).collect();
        let addresses = facts::addresses(tx, self.channel, self.country, &messages).await?;
        let sent_at = rows.iter().map(|row| row.get("sending_at"));
        let sought = messages.into_iter().zip(sent_at).zip(addresses);
        Ok(sought.map(|((due, sent_at), to)| Sought { due, sent_at, to }).collect())
    }

    /// Whether the provider's list has it. Without an address nobody knows.
    pub async fn find(&self, Sought { due, sent_at, to }: &Sought) -> Found {
        match to {
            Some(to) => self.gateway.find(&due.message(self.channel, to.clone(), *sent_at)).await,
            None => Found::Unclear,
        }
    }
}

/// Those of the provider's ids that say nothing, since another message has them already, or several of these would.
pub async fn taken(tx: &Transaction<'_>, sids: &[Option<&str>]) -> Result<HashSet<String>, Error> {
    let (mut distinct, mut taken) = (HashSet::new(), HashSet::new());
    for sid in sids.iter().flatten() {
        if !distinct.insert(*sid) {
            taken.insert((*sid).to_owned());
        }
    }
    if !distinct.is_empty() {
        let sids: Vec<&str> = distinct.into_iter().collect();
        taken.extend(TAKEN.all(tx, &[&sids]).await?.iter().map(|row| row.get::<_, String>("provider_id")));
    }
    Ok(taken)
}
