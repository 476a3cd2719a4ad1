//! `rounds practiceq clients`: whose the clients of the account are known to be, and the correction where that is wrong.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::corrected::{Client, may_take_back};
use crate::clinic::actor::refused;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Moment, Output, listing, shown};
use crate::db::{Key, Row, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::output::table::kept;
use crate::output::{folded, stamp};

statements! {
    // $1 patient text; NULL: of all · $2 how many bigint
    LIST(TEXT, INT8) = "SELECT client_id, patient_id, linked_by, waits, created_at FROM practiceq_clients
                        WHERE $1 IS NULL OR patient_id = $1 ORDER BY created_at DESC, client_id LIMIT $2";
    KNOWN_PATIENT(KEY) = "SELECT p.id::text FROM patients p WHERE p.id = $1";
}

/// Whose the clients of the account are known to be
#[derive(Args)]
pub struct ClientsArgs {
    #[command(subcommand)]
    command: Clients,
}

#[derive(Subcommand)]
enum Clients {
    List(ListArgs),
    Unlink(UnlinkArgs),
}

/// List the clients that are known, the newest first
#[derive(Args)]
struct ListArgs {
    /// Only those of this patient
    #[arg(long, value_name = "PATIENT_ID")]
    patient: Option<Key>,
    #[command(flatten)]
    limit: LimitArgs,
}

/// Take back whose a client is: its visits leave the chart, and wait for a person's decision when they were read again
#[derive(Args)]
struct UnlinkArgs {
    /// The id of the client in the account
    #[arg(value_name = "CLIENT_ID")]
    client: String,
}

impl ClientsArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            Clients::List(args) => args.execute(context).await,
            Clients::Unlink(args) => args.execute(context).await,
        }
    }
}

impl ListArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let mut rows = context.read(async |tx, _| self.read(tx).await).await?;
        let more = self.limit.take_more(&mut rows);
        let clients: Vec<Value> = rows.iter().map(object).collect();
        let cells: Vec<_> = rows.iter().map(cells).collect();
        let columns = [kept("client"), kept("patient"), "state".into(), "by".into(), "since".into()];
        let text = listing(&columns, &cells, "No client is known.") + &limit::note(more, cells.len());
        Ok(Output::done(json!({ "clients": clients, "more": more }), text))
    }
}

impl ListArgs {
    async fn read(&self, tx: &Transaction<'_>) -> Result<Vec<Row>, Error> {
        let mut patient: Option<Key> = None;
        if let Some(id) = &self.patient {
            let row = no_such_key(KNOWN_PATIENT.opt(tx, &[id]).await)?;
            let row = row.ok_or_else(|| refused("UNKNOWN_PATIENT", format!("--patient: there is no patient {id}")))?;
            patient = Some(row.get("id"));
        }
        LIST.all(tx, &[&patient, &self.limit.asked()]).await
    }
}

fn object(row: &Row) -> Value {
    json!({
        "client_id": row.get::<_, &str>("client_id"),
        "patient_id": row.get::<_, Option<Key>>("patient_id"),
        "state": state(row),
        "linked_by": row.get::<_, Option<Key>>("linked_by"),
        "created_at": stamp(row.get("created_at")),
    })
}

fn cells(row: &Row) -> Vec<String> {
    let by = row.get::<_, Option<Key>>("linked_by");
    vec![
        row.get("client_id"),
        shown(row.get::<_, Option<Key>>("patient_id")),
        state(row).to_owned(),
        by.map_or_else(|| "job".to_owned(), |by| by.to_string()),
        stamp(row.get("created_at")),
    ]
}

fn state(row: &Row) -> &'static str {
    match (row.get::<_, Option<&str>>("patient_id"), row.get("waits")) {
        (Some(_), _) => "linked",
        (None, true) => "waits",
        (None, false) => "nobody",
    }
}

impl UnlinkArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let id = &self.client;
        let (moment, (patient, appointments, visits)) =
            context.act(async |tx, moment| self.unlink(tx, moment).await).await?;
        let dry = context.not_changed();
        let text = format!(
            "Client {id} is nobody's any more{dry}, by user {}; {visits} visits out of the chart, {appointments} decisions \
             open again. Its appointments wait for a decision when they were read again: rounds sync-practiceq\n",
            moment.actor.id
        );
        let json = json!({
            "ok": true,
            "dry_run": context.args.dry_run,
            "client_id": id,
            "patient_id": patient,
            "appointments": appointments,
            "visits": visits,
        });
        Ok(Output::done(json, folded(&text)))
    }

    /// Returns the former patient, and how many decisions and visits went with the link.
    async fn unlink(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<(Option<Key>, u64, u64), Error> {
        let id = &self.client;
        let Some(client) = Client::lock(tx, id).await? else {
            return Err(refused("UNKNOWN_CLIENT", format!("client {id} is not known; nothing was changed")));
        };
        let whose = (client.patient.as_ref(), client.linked_by.as_ref());
        may_take_back(tx, moment, whose, &format!("the link of client {id}")).await?;
        if client.waits {
            let message = format!("client {id} is linked to nobody already, and waits; nothing was changed");
            return Err(Error::new("NOT_LINKED", ErrorKind::Other, message));
        }
        let (appointments, visits) = client.take_back(tx, moment).await?;
        Ok((client.patient, appointments, visits))
    }
}
