//! A look at rows at an instant, with the clocks of their facilities.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use crate::db::{Key, Keys, UNREADABLE, decodable, statements, unless};
use crate::error::Error;
use crate::time_zone::Tz;

statements! {
    pub ZONES(KEYS) = format!(
        "SELECT f.id::text AS id, {} AS time_zone FROM facilities f WHERE f.id = ANY ($1)",
        decodable("f.time_zone")
    );
}

/// A look at rows at an instant.
pub struct Look<'a> {
    pub tx: &'a Transaction<'a>,
    pub now: DateTime<Utc>,
    zones: &'a Zones,
}

/// The zones of facilities, once they were read.
#[derive(Default)]
pub struct Zones(Mutex<BTreeMap<Key, Tz>>);

impl<'a> Look<'a> {
    pub fn new(tx: &'a Transaction<'a>, now: DateTime<Utc>, zones: &'a Zones) -> Self {
        Self { tx, now, zones }
    }

    pub fn at(&self, now: DateTime<Utc>) -> Self {
        Self { now, ..*self }
    }

    /// The zone of a facility; UTC where there is none that can be read.
    pub async fn zone(&self, facility: Option<&Key>) -> Result<Tz, Error> {
        let Some(facility) = facility else { return Ok(Tz::UTC) };
        let known = self.zones.0.lock().unwrap_or_else(PoisonError::into_inner).get(facility).copied();
        if let Some(zone) = known {
            return Ok(zone);
        }
        let row =
            unless(self.tx, &UNREADABLE, async || ZONES.opt(self.tx, &[&Keys(std::slice::from_ref(facility))]).await)
                .await?;
        let row = row.flatten();
        let zone = row.and_then(|row| row.get::<_, Option<&str>>("time_zone")?.parse().ok()).unwrap_or(Tz::UTC);
        self.zones.0.lock().unwrap_or_else(PoisonError::into_inner).insert(facility.clone(), zone);
        Ok(zone)
    }
}
