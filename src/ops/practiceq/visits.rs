//! `rounds practiceq visits`: the visits of an organization that are to come, with the link and the place of each, so that
//! one without a link is seen before it is needed.
//!
//! A visit without a link is listed whatever its place of service says: an account may have a wrong one, and then the
//! link is missed too late.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::staff::STAFF;
use crate::clinic::actor::{Actor, refused};
use crate::clinic::organizations::organizations_of;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Output, check_recorded, listing, shown};
use crate::db::{Key, Keys, Row, decodable, decodable_name, no_such_key, statements};
use crate::error::Error;
use crate::machine;
use crate::ops::places::Places;
use crate::output::stamp;
use crate::output::table::{kept, minor};

statements! {
    VISITS(KEY, TIMESTAMPTZ, BOOL, INT8) = format!(
        include_str!("visits.sql"),
        location_name = decodable("v.location_name"),
        place_of_service = decodable("v.place_of_service"),
        meeting_url = decodable("v.meeting_url"),
    );
    // $1 organization, a key · $2 the user who looks, a key
    ORGANIZATION_OF(KEY, KEY) = format!(
        "WITH own AS (\n{})\nSELECT EXISTS (SELECT FROM own o WHERE o.id = $1) AS own",
        organizations_of("$2"),
    );
    ORGANIZATION(KEY) = "SELECT o.id::text FROM organizations o WHERE o.id = $1";
    REVEAL_VISITS(KEYS, TEXT, TEXT, TEXT) = format!(
        include_str!("reveal_visits.sql"),
        first_name = decodable_name("first_name"),
        last_name = decodable_name("last_name"),
    );
}

/// List the visits of an organization's patients that are to come, with link and place, the next first
#[derive(Args)]
pub struct VisitsArgs {
    /// Whose patients they are
    #[arg(long, value_name = "ORGANIZATION_ID")]
    organization: Key,
    /// Only those without a link
    #[arg(long)]
    without_link: bool,
    /// Show whose they are; needs --actor, and is recorded
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    limit: LimitArgs,
}

/// Visits, what their places are called, and the names of their patients by visit.
struct Listed {
    rows: Vec<Row>,
    places: Places,
    names: HashMap<Key, String>,
    more: bool,
}

impl VisitsArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let listed = match self.reveal {
            true => context.reveal(async |tx, moment| self.reveal(tx, &moment.actor, moment.now).await).await?,
            false => context.read(async |tx, now| self.read(tx, now).await).await?,
        };
        let visits: Vec<Value> = listed.rows.iter().map(|row| self.object(row, &listed)).collect();
        // An address is longer than a narrow terminal has room for: whether there is one is told apart.
        let mut columns = vec![kept("visit"), kept("starts"), kept("link")];
        columns.push(if self.reveal { kept("patient") } else { minor("patient id") });
        columns.extend(["place".into(), "address".into(), minor("doctor"), minor("status")]);
        let cells: Vec<_> = listed.rows.iter().map(|row| self.cells(row, &listed)).collect();
        let empty = if self.without_link { "Every visit to come has a link." } else { "No visit is to come." };
        let text = listing(&columns, &cells, empty) + &limit::note(listed.more, cells.len());
        Ok(Output::done(json!({ "visits": visits, "more": listed.more }), text))
    }

    async fn read(&self, tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<Listed, Error> {
        let id = &self.organization;
        if no_such_key(ORGANIZATION.opt(tx, &[id]).await)?.is_none() {
            let message = format!("--organization: there is no organization {id}");
            return Err(refused("UNKNOWN_ORGANIZATION", message));
        }
        let mut rows = VISITS.all(tx, &[id, &now, &self.without_link, &self.limit.asked()]).await?;
        let more = self.limit.take_more(&mut rows);
        let keys = |column| -> Vec<Key> { rows.iter().filter_map(|row| row.get(column)).collect() };
        let places = Places::read(tx, keys("facility_id").iter(), keys("doctor_id").iter()).await?;
        Ok(Listed { rows, places, names: HashMap::new(), more })
    }

    /// The same with names, for whoever drives the patients of the organization.
    async fn reveal(&self, tx: &Transaction<'_>, actor: &Actor, now: DateTime<Utc>) -> Result<Listed, Error> {
        actor.require(STAFF, "--reveal")?;
        let listed = self.read(tx, now).await?;
        let id = &self.organization;
        let is_own = ORGANIZATION_OF.one(tx, &[id, &actor.id]).await?.get::<_, bool>("own");
        if !is_own && !actor.is_of_the_group() {
            let message = format!("--actor: organization {id} is none of user {}; nothing is shown", actor.id);
            return Err(refused("ACTOR_NOT_ALLOWED", message));
        }
        let visits: Vec<Key> = listed.rows.iter().map(|row| row.get("id")).collect();
        let by = [machine::os_user(), machine::host()];
        let found = REVEAL_VISITS.all(tx, &[&Keys(&visits), &actor.id, &by[0], &by[1]]).await?;
        check_recorded(&found)?;
        let name = |row: &Row| {
            let words = ["first_name", "last_name"].map(|column| row.get::<_, Option<String>>(column));
            let words: Vec<String> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
            (row.get("id"), words.join(" "))
        };
        Ok(Listed { names: found.iter().map(name).collect(), ..listed })
    }

    fn object(&self, row: &Row, listed: &Listed) -> Value {
        let [facility, doctor] = ["facility_id", "doctor_id"].map(|column| row.get::<_, Option<Key>>(column));
        let text = |column| row.get::<_, Option<&str>>(column);
        let place = text("place_of_service");
        let mut object = json!({
            "appointment_id": row.get::<_, Key>("id"),
            "external_id": text("external_id"),
            "patient_id": row.get::<_, Key>("patient_id"),
            "status": text("status"),
            "starts_at": stamp(row.get("starts_at")),
            "ends_at": row.get::<_, Option<DateTime<Utc>>>("ends_at").map(stamp),
            "facility_id": facility,
            "facility_name": listed.places.facility_name(facility.as_ref()),
            "time_zone": listed.places.zone_name(facility.as_ref()),
            "doctor_id": doctor,
            "doctor_name": listed.places.doctor_name(doctor.as_ref()),
            "meeting_url": text("meeting_url"),
            "place_of_service": place,
            "telehealth": place.map(|place| ["02", "10"].contains(&place)),
            "location_name": text("location_name"),
        });
        if self.reveal {
            object["patient_name"] = listed.names.get(&row.get("id")).map(String::as_str).into();
        }
        object
    }

    fn cells(&self, row: &Row, listed: &Listed) -> Vec<String> {
        let [facility, doctor] = ["facility_id", "doctor_id"].map(|column| row.get::<_, Option<Key>>(column));
        let text = |column| row.get::<_, Option<&str>>(column);
        let patient = match self.reveal {
            true => shown(listed.names.get(&row.get("id"))),
            false => row.get::<_, Key>("patient_id").to_string(),
        };
        let place = [text("place_of_service").map(place), text("location_name")];
        vec![
            row.get::<_, Key>("id").to_string(),
            listed.places.time_cell(facility.as_ref(), row.get("starts_at")),
            if text("meeting_url").is_some() { "yes" } else { "none" }.to_owned(),
            patient,
            place.into_iter().flatten().collect::<Vec<_>>().join(", "),
            shown(text("meeting_url")),
            listed.places.doctor_cell(doctor.as_ref()),
            shown(text("status")),
        ]
    }
}

/// The words for the usual codes of a place of service.
fn place(code: &str) -> &str {
    match code {
        "02" => "telehealth",
        "10" => "telehealth at home",
        "11" => "office",
        "12" => "home",
        code => code,
    }
}
