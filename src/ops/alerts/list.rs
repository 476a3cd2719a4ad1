//! `rounds alerts list`: lists alerts with ids and codes. With `--reveal` it shows identifying data to the actors who
//! may see it, and records that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio_postgres::{Row, Transaction};

use crate::clinic::actor::{Actor, refused};
use crate::clinic::alerts::{AlertType, STAFF};
use crate::command::{CommandContext, Output, check_known, check_recorded, listing, shown, value_name};
use crate::db::{Key, Keys, decodable, statements};
use crate::error::Error;
use crate::ops::visits::{Entry, VisitFilter};
use crate::output::stamp;

statements! {
    LIST(INT8, TEXT, TEXT, INT8) = include_str!("list.sql");
    REVEAL(INT8_ARRAY, KEYS, TEXT) = format!(
        include_str!("reveal.sql"),
        message = decodable("message"),
        patient_name = decodable("patient_name"),
        mrn = decodable("mrn"),
        doctor_name = decodable("doctor_name"),
    );
}

/// List alerts, the newest first
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only alerts at this facility
    #[arg(long, value_name = "FACILITY_ID")]
    facility: Option<Key>,
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

/// The identifying data of an alert; of a deleted visit only the message. It has neither Debug nor Display, because it
/// is written to stdout only.
struct Revealed {
    message: String,
    patient_name: String,
    mrn: String,
    doctor_name: String,
}

impl ListArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (entries, revealed) = if self.reveal {
            context.reveal(async |tx, moment| self.reveal(tx, &moment.actor).await).await?
        } else {
            (context.read(async |tx, _| self.known(tx).await).await?, HashMap::new())
        };
        let of = |entry: &Entry| revealed.get(&entry.row.get("id"));
        let alerts: Vec<Value> = entries.iter().map(|entry| alert(entry, of(entry))).collect();
        let mut names = vec!["alert", "type", "status", "triggered", "facility", "visit", "doctor", "patient", "by"];
        if self.reveal {
            names.extend(["who", "MRN", "doctor's name", "message"]);
        }
        let cells: Vec<_> = entries.iter().map(|entry| cells(entry, of(entry))).collect();
        Ok(Output::done(json!({ "alerts": alerts }), listing(&names, &cells, "No alert fits.")))
    }

    async fn known(&self, tx: &Transaction<'_>) -> Result<Vec<Entry>, Error> {
        let [facility, _] = check_known(tx, self.facility.as_ref(), None).await?;
        self.entries(tx, facility.as_ref()).await
    }

    async fn entries(&self, tx: &Transaction<'_>, facility: Option<&Key>) -> Result<Vec<Entry>, Error> {
        let (kind, status) = (self.kind.map(AlertType::as_str), self.status.map(value_name));
        let filter = VisitFilter { facility, ..VisitFilter::default() };
        let page = async |before, rows| LIST.all(tx, &[&before, &kind, &status, &rows]).await;
        filter.newest(tx, self.limit, page).await
    }

    /// The alerts of the given facility, or of the actor's, with their identifying data. The alerts of deleted visits
    /// have no facility, so only an admin of the whole group is shown them.
    async fn reveal(&self, tx: &Transaction<'_>, actor: &Actor) -> Result<(Vec<Entry>, HashMap<i64, Revealed>), Error> {
        actor.require(STAFF, "--reveal")?;
        let facility = match check_known(tx, self.facility.as_ref(), None).await? {
            [Some(facility), _] => {
                actor.require_facility(&facility, "alert")?;
                Some(facility)
            }
            _ if actor.facility.is_none() && !actor.is_of_the_group() => {
                let message =
                    format!("--actor: user {} belongs to no facility, so there is nothing to reveal", actor.id);
                return Err(refused("ACTOR_NOT_ALLOWED", message));
            }
            _ => actor.facility.clone(),
        };
        let entries = self.entries(tx, facility.as_ref()).await?;
        let ids: Vec<i64> = entries.iter().map(|entry| entry.row.get("id")).collect();
        let visits: Vec<Key> = entries.iter().map(|entry| entry.row.get("appointment_id")).collect();
        let names = REVEAL.all(tx, &[&ids, &Keys(&visits), &actor.id]).await?;
        check_recorded(&names)?;
        let revealed = |row: &Row| {
            let [message, patient_name, mrn, doctor_name] =
                ["message", "patient_name", "mrn", "doctor_name"].map(|column| row.get(column));
            (row.get("id"), Revealed { message, patient_name, mrn, doctor_name })
        };
        Ok((entries, names.iter().map(revealed).collect()))
    }
}

fn alert(Entry { row, visit }: &Entry, revealed: Option<&Revealed>) -> Value {
    let user = |column| row.get::<_, Option<&str>>(column);
    let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map(stamp);
    let mut alert = json!({
        "id": row.get::<_, i64>("id"),
        "alertType": row.get::<_, &str>("alert_type"),
        "status": row.get::<_, &str>("status"),
        "triggeredAt": instant("triggered_at"),
        "facilityId": visit.facility,
        "appointmentId": row.get::<_, &str>("appointment_id"),
        "doctorId": visit.doctor,
        "patientId": visit.patient,
        "acknowledgedBy": user("acknowledged_by"),
        "acknowledgedAt": instant("acknowledged_at"),
        "resolvedBy": user("resolved_by"),
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

fn cells(Entry { row, visit }: &Entry, revealed: Option<&Revealed>) -> Vec<String> {
    let user = |column| row.get::<_, Option<&str>>(column);
    let by = match row.get("status") {
        "ACKNOWLEDGED" => shown(user("acknowledged_by")),
        "RESOLVED" => user("resolved_by").unwrap_or("job").to_owned(),
        _ => String::new(),
    };
    let mut cells = vec![
        row.get::<_, i64>("id").to_string(),
        row.get("alert_type"),
        row.get("status"),
        row.get::<_, DateTime<Utc>>("triggered_at").format("%F %H:%MZ").to_string(),
        shown(visit.facility.as_ref()),
        row.get("appointment_id"),
        shown(visit.doctor.as_ref()),
        shown(visit.patient.as_ref()),
        by,
    ];
    if let Some(Revealed { message, patient_name, mrn, doctor_name }) = revealed {
        cells.extend([patient_name, mrn, doctor_name, message].map(String::clone));
    }
    cells
}
