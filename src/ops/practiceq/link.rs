//! `rounds practiceq unmatched link`: a person says whose an appointment is.

use clap::Args;
use serde_json::json;
use tokio_postgres::Transaction;

use super::decision::{ClientLink, is_empty, lock};
use crate::arg::row_number;
use crate::clinic::actor::refused;
use crate::clinic::local_time::unreadable_zones;
use crate::clinic::organizations::organizations_of;
use crate::command::{CommandContext, Moment, Output};
use crate::db::{Key, Row, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::jobs::sync_practiceq::StoreContext;

statements! {
    LINKABLE(KEY, KEY) = format!(include_str!("linkable.sql"), organizations = organizations_of("$2"));
    LINK(INT8_ARRAY, TEXT, TEXT, TIMESTAMPTZ, INT8, TEXT) = include_str!("link.sql");
}

/// Say whose an appointment is: it is in that patient's chart at once, and so is what else waits of the same client
#[derive(Args)]
pub struct LinkArgs {
    /// The id of the appointment in `rounds practiceq unmatched list`
    #[arg(value_name = "UNMATCHED_ID", value_parser = row_number)]
    id: i64,
    /// Whose it is
    #[arg(long, value_name = "PATIENT_ID")]
    patient: Key,
}

impl LinkArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let id = self.id;
        let (moment, (patient, appointments)) = context.act(async |tx, moment| self.link(tx, moment).await).await?;
        let dry = context.not_changed();
        let by = &moment.actor.id;
        let text =
            format!("Appointment {id} is patient {patient}'s{dry}, by user {by}; {appointments} in the chart.\n");
        let json = json!({
            "ok": true,
            "dry_run": context.args.dry_run,
            "id": id,
            "status": "linked",
            "patient_id": patient,
            "appointments": appointments,
        });
        Ok(Output::done(json, text))
    }

    /// Returns the patient in the server's form, and how many visits are in the chart.
    async fn link(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<(Key, u64), Error> {
        let rows = lock(tx, self.id, true, moment).await?;
        let client = ClientLink::find(tx, rows[0].get("client_id")).await?;
        // A client of whom the row says two things at once may be known as anybody.
        let is_conflict = rows[0].get::<_, &str>("reason") == "CONFLICT";
        let client_says = if is_conflict { &ClientLink::Unknown } else { &client };
        let patient = self.check(tx, client_says, &moment.actor.id).await?;
        // What was not read again is in the chart when it is: its client is known then.
        let rows: Vec<Row> = rows.into_iter().filter(|row| !is_empty(row)).collect();
        let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
        LINK.execute(tx, &[&ids, &patient, &moment.actor.id, &moment.now, &self.id, &client.gone()]).await?;
        let zoneless = &unreadable_zones(tx).await?;
        let context = StoreContext {
            now: moment.now,
            run: None,
            log: None,
            only_patients: None,
            zoneless,
            queued_from: moment.now,
        };
        let mut appointments = 0;
        for row in &rows {
            appointments += context.store_kept(tx, &row.get("content")).await?;
        }
        if appointments == rows.len() as u64 {
            return Ok((patient, appointments));
        }
        let message = "a visit of the client is held by somebody else, or newer than what was read; \
                       nothing was changed; try again";
        Err(Error::new("CHANGED", ErrorKind::Other, message))
    }

    /// The patient in the server's form.
    async fn check(&self, tx: &Transaction<'_>, client: &ClientLink, actor: &Key) -> Result<Key, Error> {
        let id = &self.patient;
        let row = no_such_key(LINKABLE.opt(tx, &[id, actor]).await)?;
        let known = row.and_then(|row| Some((row.get::<_, Option<Key>>("patient")?, row)));
        let Some((patient, row)) = known else {
            return Err(refused("UNKNOWN_PATIENT", format!("--patient: there is no patient {id}")));
        };
        if !row.get::<_, bool>("in_scope") {
            return Err(refused("NOT_IN_SCOPE", format!("--patient: patient {id} has no active affiliation")));
        }
        if !row.get::<_, bool>("allowed") {
            let message = format!("--actor: patient {id} is of no organization of user {actor}");
            return Err(refused("ACTOR_NOT_ALLOWED", message));
        }
        if client.is_elsewhere(&patient) {
            let message = "the client of the appointment is known to be somebody else; nothing was changed; if that is \
                           wrong: rounds practiceq clients unlink";
            return Err(refused("CLIENT_ELSEWHERE", message.into()));
        }
        Ok(patient)
    }
}
