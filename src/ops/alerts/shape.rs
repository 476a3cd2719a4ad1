//! The alerts in the shape that an old dashboard reads.

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::listed::Listed;
use crate::ops::visits::Entry;
use crate::output::stamp;

/// A shape of JSON other than our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// {success, data: [...]}, as the alerts page of a hospital's application asks for
    NoShowAlerts,
}

/// Exactly the keys that the page knows; null where the visit is deleted.
pub fn no_show_alerts(listed: &Listed) -> Value {
    let alert = |entry: &Entry| {
        let revealed = listed.revealed(entry);
        let doctor = listed.places.doctor(entry.visit.doctor.as_ref());
        json!({
            "id": entry.row.get::<_, i64>("id"),
            "alertType": entry.row.get::<_, &str>("alert_type"),
            "status": entry.row.get::<_, &str>("status"),
            "message": revealed.map(|revealed| &revealed.message),
            "triggeredAt": stamp(entry.row.get::<_, DateTime<Utc>>("triggered_at")),
            "patient": {
                "firstName": revealed.map(|revealed| &revealed.first_name),
                "lastName": revealed.map(|revealed| &revealed.last_name),
                "mrn": revealed.map(|revealed| &revealed.mrn),
            },
            "doctor": { "user": { "firstName": doctor.first, "lastName": doctor.last } },
        })
    };
    json!({ "success": true, "data": listed.entries.iter().map(alert).collect::<Vec<_>>() })
}
