//! A run as JSON, and the name of a job as an argument.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::db::Row;
use crate::jobs;
use crate::output::stamp;

/// A run's row as JSON.
pub fn run(row: &Row) -> Map<String, Value> {
    let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map(stamp);
    let text = |column| row.get::<_, Option<String>>(column);
    let number = |column| row.get::<_, Option<i64>>(column);
    let Value::Object(map) = json!({
        "id": row.get::<_, Uuid>("id"),
        "job": text("job_name"),
        "lane": text("lane"),
        "status": text("status"),
        "source": text("source"),
        "actor": text("actor"),
        "scheduled_for": instant("scheduled_for"),
        "started_at": instant("started_at"),
        "completed_at": instant("completed_at"),
        "duration_ms": number("duration_ms"),
        "items_processed": number("items_processed"),
        "items_failed": number("items_failed"),
        "error_code": text("error_code"),
        "error_message": text("error_message"),
        "host": text("host"),
        "os_user": text("os_user"),
        "db_login": text("db_login"),
        "version": text("version"),
    }) else {
        unreachable!("an object is written as one")
    };
    map
}

/// Parses the name of a job, or of a job and a lane.
pub fn job(text: &str) -> Result<String, String> {
    let is_named = |name: &str| text.strip_prefix(name).is_some_and(|lane| lane.is_empty() || lane.starts_with('-'));
    match jobs::NAMES.iter().any(|name| is_named(name)) {
        true => Ok(text.to_owned()),
        false => Err(format!("there is no such job; there are {}", jobs::NAMES.join(", "))),
    }
}
