//! `rounds no-show logs`: lists the log of no-shows with their reasons.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::filter::Filter;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Output, listing};
use crate::db::statements;
use crate::error::Error;
use crate::jobs::mark_no_shows::Reason;
use crate::ops::places::Places;
use crate::ops::visits::{Entry, places};
use crate::output::stamp;
use crate::output::table::{Column, kept, minor};

statements! {
    LOGS(INT8, TEXT, INT8) = include_str!("logs.sql");
}

/// List why visits became no-shows, the newest first
#[derive(Args, Debug)]
pub struct LogsArgs {
    #[command(flatten)]
    filter: Filter,
    /// Only those marked for this reason
    #[arg(long, value_enum, ignore_case = true)]
    reason: Option<Reason>,
    #[command(flatten)]
    limit: LimitArgs,
}

impl LogsArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let reason = self.reason.map(Reason::as_str);
        let (entries, places, more) = context
            .read(async |tx, _| {
                self.filter.check(tx).await?;
                let page = async |before, rows| LOGS.all(tx, &[&before, &reason, &rows]).await;
                let mut entries = self.filter.visits().newest(tx, self.limit.asked(), page).await?;
                let more = self.limit.take_more(&mut entries);
                let places = places(tx, &entries).await?;
                Ok((entries, places, more))
            })
            .await?;
        let mut names: Vec<Column<'_>> = vec![kept("log"), kept("visit"), "facility".into(), "doctor".into()];
        names.extend([kept("reason"), kept("slot")]);
        names.extend(["marked", "by", "released", "notes", "undone"].map(minor));
        let cells: Vec<_> = entries.iter().map(|entry| cells(entry, &places)).collect();
        let text = listing(&names, &cells, "No no-show fits.") + &limit::note(more, cells.len());
        let logs: Vec<Value> = entries.iter().map(|entry| log(entry, &places)).collect();
        Ok(Output::done(json!({ "logs": logs, "more": more }), text))
    }
}

fn log(Entry { row, visit }: &Entry, places: &Places) -> Value {
    let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map(stamp);
    json!({
        "id": row.get::<_, i64>("id"),
        "appointment_id": row.get::<_, &str>("appointment_id"),
        "facility_id": visit.facility,
        "facility_name": places.facility_name(visit.facility.as_ref()),
        "time_zone": places.zone_name(visit.facility.as_ref()),
        "doctor_id": visit.doctor,
        "doctor_name": places.doctor_name(visit.doctor.as_ref()),
        "patient_id": visit.patient,
        "reason": row.get::<_, &str>("reason"),
        "slot_time": instant("slot_time"),
        "timeout_minutes": row.get::<_, Option<i32>>("timeout_minutes"),
        "triggered_at": instant("triggered_at"),
        "slot_released": row.get::<_, bool>("slot_released"),
        "slot_released_at": instant("slot_released_at"),
        "created_by": row.get::<_, Option<&str>>("created_by"),
        "has_notes": row.get::<_, bool>("has_notes"),
        "run_id": row.get::<_, Option<Uuid>>("run_id"),
        "status_before": row.get::<_, Option<&str>>("status_before"),
        "undone_at": instant("undone_at"),
        "undone_by": row.get::<_, Option<&str>>("undone_by"),
    })
}

fn cells(Entry { row, visit }: &Entry, places: &Places) -> Vec<String> {
    let instant = |column| places.time_cell(visit.facility.as_ref(), row.get(column));
    let undone_by: Option<&str> = row.get("undone_by");
    let yes = |column| if row.get(column) { "yes" } else { "" }.to_owned();
    vec![
        row.get::<_, i64>("id").to_string(),
        row.get("appointment_id"),
        places.facility_cell(visit.facility.as_ref()),
        places.doctor_cell(visit.doctor.as_ref()),
        format!("{}{}", row.get::<_, &str>("reason"), if undone_by.is_some() { ", undone" } else { "" }),
        instant("slot_time"),
        instant("triggered_at"),
        row.get::<_, Option<&str>>("created_by").map_or("job".to_owned(), |user| format!("user {user}")),
        yes("slot_released"),
        yes("has_notes"),
        undone_by.map_or(String::new(), |user| format!("by user {user}")),
    ]
}
