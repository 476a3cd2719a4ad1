//! `rounds practiceq unmatched reopen`: a decision about an appointment is taken back.

use clap::Args;
use serde_json::json;
use tokio_postgres::Transaction;

use super::corrected::{Client, leave_charts, may_take_back};
use crate::arg::row_number;
use crate::clinic::actor::refused;
use crate::command::{CommandContext, Moment, Output, held};
use crate::db::{Key, statements};
use crate::error::{Error, ErrorKind};

statements! {
    DECIDED(INT8) = "SELECT id, external_id, client_id, reason, status, patient_id, decided_by FROM practiceq_unmatched
                     WHERE id = $1 FOR NO KEY UPDATE";
    OPEN_AGAIN(INT8) = "UPDATE practiceq_unmatched
        SET status = 'open', patient_id = NULL, decided_by = NULL, decided_at = NULL, content = '{}' WHERE id = $1";
    IN_CHART(TEXT) = "SELECT external_id FROM practiceq_visits WHERE external_id = $1 AND deleted_at IS NULL";
}

/// Take a decision back: the appointment waits again, and so does what was decided with it of the same client; what is in
/// a chart by it leaves the chart
#[derive(Args)]
pub struct ReopenArgs {
    /// The id of the appointment in `rounds practiceq unmatched list --all`
    #[arg(value_name = "UNMATCHED_ID", value_parser = row_number)]
    id: i64,
}

/// What was taken back.
struct Reopened {
    external_id: String,
    /// The client whose link went with it.
    client: Option<String>,
    appointments: u64,
    visits: u64,
}

impl ReopenArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let id = self.id;
        let (moment, done) = context.act(async |tx, moment| self.reopen(tx, moment).await).await?;
        let Reopened { external_id, client, appointments, visits } = done;
        let dry = context.not_changed();
        let text = format!(
            "Appointment {id} is open again{dry}, by user {}; {appointments} in all, and {visits} out of the chart. It is \
             decided when it was read again: rounds sync-practiceq --appointment {external_id}\n",
            moment.actor.id
        );
        let json = json!({
            "ok": true,
            "dry_run": context.args.dry_run,
            "id": id,
            "status": "open",
            "external_id": external_id,
            "client_id": client,
            "appointments": appointments,
            "visits": visits,
        });
        Ok(Output::done(json, crate::output::folded(&text)))
    }

    async fn reopen(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<Reopened, Error> {
        let id = self.id;
        let what = format!("unmatched appointment {id}");
        let row = DECIDED.opt(tx, &[&id]).await.map_err(|error| held(error, &what))?;
        let row =
            row.ok_or_else(|| refused("UNKNOWN_UNMATCHED", format!("there is no {what}; nothing was changed")))?;
        if row.get::<_, &str>("status") == "open" {
            let message = format!("appointment {id} is open: nothing is decided of it; nothing was changed");
            return Err(Error::new("NOT_DECIDED", ErrorKind::Other, message));
        }
        let patient: Option<Key> = row.get("patient_id");
        let decided_by: Option<Key> = row.get("decided_by");
        may_take_back(tx, moment, (patient.as_ref(), decided_by.as_ref()), &format!("appointment {id}")).await?;
        let external_id: String = row.get("external_id");
        let client = match (row.get::<_, Option<&str>>("client_id"), row.get("reason")) {
            (Some(client), "NOBODY" | "SEVERAL") => Client::lock(tx, client).await?,
            // The visit of several people says nothing of one of them.
            _ => None,
        };
        // Where the client is known to be the same, the sync would decide the same again.
        if let Some(client) = client.filter(|client| !client.waits && client.patient == patient) {
            let (appointments, visits) = client.take_back(tx, moment).await?;
            return Ok(Reopened { external_id, client: Some(client.id), appointments, visits });
        }
        OPEN_AGAIN.execute(tx, &[&id]).await?;
        let visits = IN_CHART.all(tx, &[&external_id]).await?;
        let visits: Vec<Key> = visits.iter().map(|row| row.get("external_id")).collect();
        let visits = leave_charts(tx, &visits, moment).await?;
        Ok(Reopened { external_id, client: None, appointments: 1, visits })
    }
}
