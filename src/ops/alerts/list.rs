//! `rounds alerts list`: lists alerts with ids and codes. With `--reveal` it shows identifying data to the actors who
//! may see it, and records that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio_postgres::{Row, Transaction};

use crate::clinic::actor::{Actor, refused};
use crate::clinic::alerts::{AlertType, STAFF};
use crate::command::{CommandContext, Output, check_known, listing, shown, value_name};
use crate::db::statements;
use crate::error::Error;
use crate::output::stamp;

statements! {
    LIST(INT8, TEXT, TEXT, INT8) = include_str!("list.sql");
    REVEAL(INT8_ARRAY, INT8) = include_str!("reveal.sql");
}

/// List alerts, the newest first
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only alerts at this facility
    #[arg(long, value_name = "FACILITY_ID")]
    facility: Option<i64>,
    /// Only alerts of this type
    #[arg(long = "type", value_enum, ignore_case = true, value_name = "TYPE")]
    kind: Option<AlertType>,
    /// Only alerts of this status
    #[arg(long, value_enum, ignore_case = true)]
    status: Option<Status>,
    /// Show whom they are about: message, patient, MRN, doctor. Needs --actor, shows that user's facility alone, and is
    /// recorded in phi_access_log
    #[arg(long)]
    reveal: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Active,
    Acknowledged,
    Resolved,
}

/// The identifying data of an alert. It has neither Debug nor Display, because it is written to stdout only.
struct Revealed {
    message: String,
    patient_name: String,
    mrn: String,
    doctor_name: String,
}

impl ListArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (rows, revealed) = if self.reveal {
            context.reveal(async |tx, moment| self.reveal(tx, &moment.actor).await).await?
        } else {
            (context.read(async |tx, _| self.rows(tx, self.facility).await).await?, HashMap::new())
        };
        let alerts: Vec<Value> = rows.iter().map(|row| alert(row, revealed.get(&row.get("id")))).collect();
        let mut names = vec!["alert", "type", "status", "triggered", "facility", "visit", "doctor", "patient", "by"];
        if self.reveal {
            names.extend(["who", "MRN", "doctor's name", "message"]);
        }
        let cells: Vec<_> = rows.iter().map(|row| cells(row, revealed.get(&row.get("id")))).collect();
        Ok(Output::done(json!({ "alerts": alerts }), listing(&names, &cells, "No alert fits.")))
    }

    async fn rows(&self, tx: &Transaction<'_>, facility: Option<i64>) -> Result<Vec<Row>, Error> {
        check_known(tx, self.facility.map(crate::db::Key::of).as_ref(), None).await?;
        let (kind, status) = (self.kind.map(AlertType::as_str), self.status.map(value_name));
        LIST.all(tx, &[&facility, &kind, &status, &self.limit]).await
    }

    /// The alerts of the given facility, or of the actor's, with their identifying data.
    async fn reveal(&self, tx: &Transaction<'_>, actor: &Actor) -> Result<(Vec<Row>, HashMap<i64, Revealed>), Error> {
        actor.require(STAFF, "--reveal")?;
        let facility = match self.facility {
            Some(facility) => {
                actor.require_facility(&crate::db::Key::of(facility), "alert")?;
                Some(facility)
            }
            None if actor.facility.is_none() && !actor.is_of_the_group() => {
                let message =
                    format!("--actor: user {} belongs to no facility, so there is nothing to reveal", actor.id);
                return Err(refused("ACTOR_NOT_ALLOWED", message));
            }
            None => actor.facility.as_ref().map(crate::db::Key::number),
        };
        let rows = self.rows(tx, facility).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
        let names = REVEAL.all(tx, &[&ids, &actor.id]).await?;
        let revealed = |row: &Row| {
            let [message, patient_name, mrn, doctor_name] =
                ["message", "patient_name", "mrn", "doctor_name"].map(|column| row.get(column));
            (row.get("id"), Revealed { message, patient_name, mrn, doctor_name })
        };
        Ok((rows, names.iter().map(revealed).collect()))
    }
}

fn alert(row: &Row, revealed: Option<&Revealed>) -> Value {
    let number = |column| row.get::<_, Option<i64>>(column);
    let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map(stamp);
    let mut alert = json!({
        "id": number("id"),
        "alertType": row.get::<_, &str>("alert_type"),
        "status": row.get::<_, &str>("status"),
        "triggeredAt": instant("triggered_at"),
        "facilityId": number("facility_id"),
        "appointmentId": number("appointment_id"),
        "doctorId": number("doctor_id"),
        "patientId": number("patient_id"),
        "acknowledgedBy": number("acknowledged_by"),
        "acknowledgedAt": instant("acknowledged_at"),
        "resolvedBy": number("resolved_by"),
        "resolvedAt": instant("resolved_at"),
    });
    if let Some(revealed) = revealed {
        alert["message"] = revealed.message.as_str().into();
        alert["patientName"] = revealed.patient_name.as_str().into();
        alert["patientMrn"] = revealed.mrn.as_str().into();
        alert["doctorName"] = revealed.doctor_name.as_str().into();
    }
    alert
}

fn cells(row: &Row, revealed: Option<&Revealed>) -> Vec<String> {
    let number = |column| shown(row.get::<_, Option<i64>>(column));
    let by = match row.get("status") {
        "ACKNOWLEDGED" => number("acknowledged_by"),
        "RESOLVED" => row.get::<_, Option<i64>>("resolved_by").map_or("job".to_owned(), |user| user.to_string()),
        _ => String::new(),
    };
    let mut cells = vec![
        number("id"),
        row.get("alert_type"),
        row.get("status"),
        row.get::<_, DateTime<Utc>>("triggered_at").format("%F %H:%MZ").to_string(),
        number("facility_id"),
        number("appointment_id"),
        number("doctor_id"),
        number("patient_id"),
        by,
    ];
    if let Some(Revealed { message, patient_name, mrn, doctor_name }) = revealed {
        cells.extend([patient_name, mrn, doctor_name, message].map(String::clone));
    }
    cells
}
