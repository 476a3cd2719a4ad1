//! The episodes of rules and tickets that are gone, and of rules that are switched off. The application changes its rows
//! without asking, so their episodes are looked for. What a rule knew before it was switched off is of no use when it is
//! switched on again, so it begins anew.

use std::collections::BTreeSet;

use tokio_postgres::Transaction;

use crate::db::{Key, Keys, read_by, statements};
use crate::error::Error;

statements! {
    GONE_RULES() = include_str!("gone_rules.sql");
    EPISODE_TICKETS() = "SELECT DISTINCT e.ticket_id FROM escalation_episodes e";
    PRESENT(KEYS) = "SELECT t.id::text FROM tickets t WHERE t.id = ANY ($1)";
    // For a ledger that is older than the type of the keys. It reads all tickets.
    PRESENT_AS_TEXT(TEXT_ARRAY) = "SELECT t.id::text FROM tickets t WHERE t.id::text = ANY ($1)";
    END_GONE(TEXT_ARRAY, TEXT_ARRAY) = include_str!("end_gone.sql");
}

/// The rules and tickets of episodes that are gone; also the rules that are switched off.
pub struct Gone {
    rules: Vec<String>,
    pub tickets: BTreeSet<Key>,
}

impl Gone {
    pub async fn read(tx: &Transaction<'_>) -> Result<Self, Error> {
        let rules = GONE_RULES.all(tx, &[]).await?.iter().map(|row| row.get(0)).collect();
        let episodes = EPISODE_TICKETS.all(tx, &[]).await?;
        let named: Vec<Key> = episodes.iter().map(|row| row.get(0)).collect();
        if named.is_empty() {
            return Ok(Self { rules, tickets: BTreeSet::new() });
        }
        let read = async |named: &[Key]| PRESENT.all(tx, &[&Keys(named)]).await;
        let present = read_by(tx, &named, &PRESENT_AS_TEXT, read).await?;
        let mut tickets: BTreeSet<Key> = named.into_iter().collect();
        for row in &present {
            tickets.remove(&row.get(0));
        }
        Ok(Self { rules, tickets })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.tickets.is_empty()
    }

    /// Ends the episodes, and returns how many there were.
    pub async fn end(&self, tx: &Transaction<'_>) -> Result<u64, Error> {
        let tickets: Vec<&str> = self.tickets.iter().map(Key::as_str).collect();
        END_GONE.execute(tx, &[&self.rules, &tickets]).await
    }
}
