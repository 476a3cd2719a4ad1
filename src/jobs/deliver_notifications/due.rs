//! The messages that are due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;

use super::gateway::Channel;
use super::sms_text;
use crate::clients::provider::Message;
use crate::clients::word::Word;
use crate::clinic::templates::Templates;
use crate::db::{Key, Row, statements};
use crate::error::Error;

/// The columns that [`Due::of`] reads.
pub const MESSAGE: &str = include_str!("message.part.sql");

statements! {
    DUE(TEXT, TIMESTAMPTZ, INT8_ARRAY, INT8) = format!(include_str!("due.sql"), message = MESSAGE);
    COUNT(TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8) = include_str!("count.sql");
}

/// A row of the outbox. It holds what a patient is told, so it has no Debug.
pub struct Due {
    pub id: i64,
    pub recipient: Recipient,
    pub kind: String,
    pub is_high: bool,
    pub title: String,
    pub body: String,
    pub html: Option<String>,
    pub placeholders: Value,
    pub metadata: Value,
    pub entity: [String; 2],
    pub facility: Option<Key>,
    pub attempts: u32,
    pub created_at: DateTime<Utc>,
    /// When a person made it PENDING again.
    pub put_back_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Recipient {
    User(Key),
    Patient(Key),
    /// An address, or the name of an endpoint.
    Address(String),
    /// Nobody can be reached: a department, for the application alone.
    Nobody,
}

impl Due {
    /// Reads a row with the columns of `message.part.sql`.
    pub fn of(row: &Row) -> Self {
        let key = || row.get::<_, Option<Key>>("recipient_id");
        let recipient = match row.get("recipient_kind") {
            "USER" => key().map(Recipient::User),
            "PATIENT" => key().map(Recipient::Patient),
            "ADDRESS" => row.get::<_, Option<String>>("address").map(Recipient::Address),
            _ => None,
        };
        Self {
            id: row.get("id"),
            recipient: recipient.unwrap_or(Recipient::Nobody),
            kind: row.get("type"),
            is_high: row.get::<_, &str>("priority") == "HIGH",
            title: row.get("title"),
            body: row.get("body"),
            html: None,
            placeholders: row.get("placeholders"),
            metadata: row.get("metadata"),
            entity: [row.get("entity"), row.get("entity_id")],
            facility: row.get("facility_id"),
            attempts: row.get::<_, i32>("attempts").unsigned_abs(),
            created_at: row.get("created_at"),
            put_back_at: row.get("put_back_at"),
            expires_at: row.get("expires_at"),
        }
    }

    /// The message as its template has it. A row of a type that is none of ours has a text of its own.
    pub fn rendered(mut self, templates: &Templates, channel: Channel) -> Self {
        if let Some(text) = templates.render(&self.kind, channel.stored(), &self.placeholders) {
            self.title = text.title.unwrap_or(self.title);
            (self.body, self.html) = (text.body, text.html);
        }
        self
    }

    /// The patient whose NORMAL messages are counted.
    pub fn counted_patient(&self) -> Option<&Key> {
        match &self.recipient {
            Recipient::Patient(id) if !self.is_high => Some(id),
            _ => None,
        }
    }

    /// A page of what is due, without those that are under way.
    pub async fn page(
        tx: &Transaction<'_>,
        channel: Channel,
        now: DateTime<Utc>,
        underway: &[i64],
        limit: i64,
    ) -> Result<Vec<Self>, Error> {
        let rows = DUE.all(tx, &[&channel.stored(), &now, &underway, &limit]).await?;
        Ok(rows.iter().map(Self::of).collect())
    }

    /// How many are due and young enough, up to a limit.
    pub async fn count(
        tx: &Transaction<'_>,
        channel: Channel,
        now: DateTime<Utc>,
        oldest: DateTime<Utc>,
        limit: i64,
    ) -> Result<usize, Error> {
        let row = COUNT.one(tx, &[&channel.stored(), &now, &oldest, &limit]).await?;
        Ok(usize::try_from(row.get::<_, i64>("due")).unwrap_or(0))
    }

    /// The message as it leaves now for an address.
    pub fn message(&self, channel: Channel, to: String, now: DateTime<Utc>) -> Message {
        let valid_for = self.expires_at.map(|end| (end - now).to_std().unwrap_or(Duration::ZERO));
        Message {
            id: self.id,
            to,
            title: self.title.clone(),
            body: if channel == Channel::Sms { sms_text::fit(&self.body) } else { self.body.clone() },
            html: self.html.clone(),
            kind: self.kind.clone(),
            metadata: self.metadata.clone(),
            entity: self.entity.clone(),
            created_at: self.created_at,
            sent_at: now,
            valid_for,
            may_unsubscribe: self.counted_patient().is_some(),
            word: Word::Given,
        }
    }
}
