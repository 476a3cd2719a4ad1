//! `rounds alerts list`: lists the open alerts, with facilities and doctors by name. With `--reveal` it shows
//! identifying data of patients to the actors who may see it, and records that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::listed::{Listed, Revealed};
use super::shape::{self, Shape};
use crate::clinic::actor::{Actor, refused};
use crate::clinic::alerts::{AlertType, STAFF};
use crate::clinic::visits;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Output, check_known, check_recorded, listing, shown, value_name};
use crate::db::{Key, Keys, Row, cut, decodable, decodable_name, statements};
use crate::error::Error;
use crate::machine;
use crate::ops::visits::{Entry, VisitFilter, places};
use crate::output::stamp;
use crate::output::table::{Column, kept, minor};
use crate::output::visible;

statements! {
    LIST(INT8, TEXT, TEXT_ARRAY, INT8) = include_str!("list.sql");
    REVEAL(INT8_ARRAY, KEYS, TEXT, TEXT, TEXT) = format!(
        include_str!("reveal.sql"),
        message = decodable(&cut("message", MESSAGE_MAX)),
        patient_first_name = decodable_name("patient_first_name"),
        patient_last_name = decodable_name("patient_last_name"),
        mrn = decodable_name("mrn"),
    );
}

/// The longest message that is shown, in characters; stage-alerts writes no longer one.
const MESSAGE_MAX: usize = 2_000;

/// List the open alerts, the newest first
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only alerts at this facility
    #[arg(long, value_name = "FACILITY_ID")]
    facility: Option<Key>,
    /// Only alerts of this type
    #[arg(long = "type", value_enum, ignore_case = true, value_name = "TYPE")]
    kind: Option<AlertType>,
    /// Also the resolved ones
    #[arg(long, conflicts_with = "status")]
    all: bool,
    /// Only alerts of this status [default: ACTIVE and ACKNOWLEDGED; with --shape ACTIVE]
    #[arg(long, value_enum, ignore_case = true)]
    status: Option<Status>,
    /// Show whom they are about: message, patient, MRN. Needs --actor, shows that user's facility alone, and is recorded
    /// in phi_access_log
    #[arg(long)]
    reveal: bool,
    /// As JSON in the shape that an old dashboard reads; it names patients, so it needs --reveal
    #[arg(long, value_enum, requires = "reveal")]
    shape: Option<Shape>,
    #[command(flatten)]
    limit: LimitArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Active,
    Acknowledged,
    Resolved,
}

impl ListArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let listed = if self.reveal {
            context.reveal(async |tx, moment| self.reveal(tx, &moment.actor).await).await?
        } else {
            context.read(async |tx, _| self.known(tx).await).await?
        };
        if let Some(Shape::NoShowAlerts) = self.shape {
            let json = shape::no_show_alerts(&listed);
            return Ok(Output::done(json.clone(), visible::json(&json.to_string()).into_owned()));
        }
        let alerts: Vec<Value> = listed.entries.iter().map(|entry| alert(entry, &listed)).collect();
        let plain = ["type", "status", "triggered"].map(Column::from);
        let mut names = vec![kept("alert")];
        names.extend(plain);
        names.extend([kept("visit"), "facility".into(), "doctor".into(), minor("patient id"), minor("by")]);
        if self.reveal {
            names.extend([kept("patient"), "MRN".into(), "message".into()]);
        }
        let cells: Vec<_> = listed.entries.iter().map(|entry| cells(entry, &listed)).collect();
        let empty = if self.all || self.status.is_some() { "No alert fits." } else { "No open alert fits." };
        let text = listing(&names, &cells, empty) + &limit::note(listed.more, cells.len());
        Ok(Output::done(json!({ "alerts": alerts, "more": listed.more }), text))
    }

    /// The statuses that are listed.
    fn statuses(&self) -> Vec<String> {
        let statuses = match (self.status, self.all, self.shape) {
            (Some(status), _, _) => &[status][..],
            (None, true, _) => &[Status::Active, Status::Acknowledged, Status::Resolved],
            (None, false, None) => &[Status::Active, Status::Acknowledged],
            (None, false, Some(Shape::NoShowAlerts)) => &[Status::Active],
        };
        statuses.iter().copied().map(value_name).collect()
    }

    async fn known(&self, tx: &Transaction<'_>) -> Result<Listed, Error> {
        let [facility, _] = check_known(tx, self.facility.as_ref(), None).await?;
        let (entries, more) = self.entries(tx, facility.as_ref()).await?;
        Ok(Listed { places: places(tx, &entries).await?, entries, revealed: HashMap::new(), more })
    }

    async fn entries(&self, tx: &Transaction<'_>, facility: Option<&Key>) -> Result<(Vec<Entry>, bool), Error> {
        let (kind, statuses) = (self.kind.map(AlertType::as_str), self.statuses());
        let filter = VisitFilter { facility, ..VisitFilter::default() };
        let page = async |before, rows| LIST.all(tx, &[&before, &kind, &statuses, &rows]).await;
        let mut entries = filter.newest(tx, self.limit.asked(), page).await?;
        let more = self.limit.take_more(&mut entries);
        Ok((entries, more))
    }

    /// The alerts of the given facility, or of the actor's, with their identifying data. The alerts of deleted visits
    /// have no facility, so only an admin of the whole group is shown them.
    async fn reveal(&self, tx: &Transaction<'_>, actor: &Actor) -> Result<Listed, Error> {
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
        let (entries, more) = self.entries(tx, facility.as_ref()).await?;
        let places = places(tx, &entries).await?;
        let ids: Vec<i64> = entries.iter().map(|entry| entry.row.get("id")).collect();
        let named: Vec<Key> = entries.iter().map(|entry| entry.row.get("appointment_id")).collect();
        let by = [machine::os_user(), machine::host()];
        let read = async |visits: &[Key]| REVEAL.all(tx, &[&ids, &Keys(visits), &actor.id, &by[0], &by[1]]).await;
        // An alert may be older than the type of the keys.
        let names = visits::read_by(tx, &named, read).await?;
        check_recorded(&names)?;
        let revealed = |row: &Row| {
            let [first_name, last_name] = ["patient_first_name", "patient_last_name"].map(|column| row.get(column));
            (row.get("id"), Revealed { message: row.get("message"), first_name, last_name, mrn: row.get("mrn") })
        };
        Ok(Listed { entries, places, more, revealed: names.iter().map(revealed).collect() })
    }
}

fn alert(entry: &Entry, listed: &Listed) -> Value {
    let Entry { row, visit } = entry;
    let user = |column| row.get::<_, Option<&str>>(column);
    let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map(stamp);
    let (facility, doctor) = (visit.facility.as_ref(), visit.doctor.as_ref());
    let mut alert = json!({
        "id": row.get::<_, i64>("id"),
        "alertType": row.get::<_, &str>("alert_type"),
        "status": row.get::<_, &str>("status"),
        "triggeredAt": instant("triggered_at"),
        "facilityId": facility,
        "facilityName": listed.places.facility_name(facility),
        "timeZone": listed.places.zone_name(facility),
        "appointmentId": row.get::<_, &str>("appointment_id"),
        "doctorId": doctor,
        "doctorName": listed.places.doctor_name(doctor),
        "patientId": visit.patient,
        "acknowledgedBy": user("acknowledged_by"),
        "acknowledgedAt": instant("acknowledged_at"),
        "resolvedBy": user("resolved_by"),
        "resolvedAt": instant("resolved_at"),
    });
    if let Some(revealed) = listed.revealed(entry) {
        alert["message"] = revealed.message.as_str().into();
        alert["patientName"] = revealed.patient().into();
        alert["patientMrn"] = revealed.mrn.as_str().into();
    }
    alert
}

fn cells(entry: &Entry, listed: &Listed) -> Vec<String> {
    let Entry { row, visit } = entry;
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
        listed.places.time_cell(visit.facility.as_ref(), row.get("triggered_at")),
        row.get("appointment_id"),
        listed.places.facility_cell(visit.facility.as_ref()),
        listed.places.doctor_cell(visit.doctor.as_ref()),
        shown(visit.patient.as_ref()),
        by,
    ];
    if let Some(revealed) = listed.revealed(entry) {
        cells.extend([revealed.patient(), revealed.mrn.clone(), revealed.message.clone()]);
    }
    cells
}
