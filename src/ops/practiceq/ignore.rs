//! `rounds practiceq unmatched ignore`: a person says that an appointment is nobody's of the clinic.

use clap::Args;
use serde_json::json;
use tokio_postgres::Transaction;

use super::decision::{ClientLink, lock};
use crate::arg::row_number;
use crate::clinic::actor::refused;
use crate::command::{CommandContext, Moment, Output};
use crate::db::statements;
use crate::error::Error;

statements! {
    IGNORE(INT8_ARRAY, TEXT, TIMESTAMPTZ, BOOL, INT8, TEXT) = include_str!("ignore.sql");
}

/// Say that an appointment is nobody's of ours: what was kept of it goes at once
#[derive(Args)]
pub struct IgnoreArgs {
    /// The id of the appointment in `rounds practiceq unmatched list`
    #[arg(value_name = "UNMATCHED_ID", value_parser = row_number)]
    id: i64,
    /// All of the same client, now and later
    #[arg(long)]
    client: bool,
}

impl IgnoreArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let id = self.id;
        let (moment, rows) = context.act(async |tx, moment| self.ignore(tx, moment).await).await?;
        let dry = context.not_changed();
        let text = format!("Appointment {id} is ignored{dry}, by user {}; {rows} in all.\n", moment.actor.id);
        let json = json!({ "ok": true, "dry_run": context.args.dry_run, "id": id, "status": "ignored", "rows": rows });
        Ok(Output::done(json, text))
    }

    async fn ignore(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<u64, Error> {
        let rows = lock(tx, self.id, self.client, moment).await?;
        if self.client && rows[0].get::<_, Option<&str>>("client_id").is_none() {
            return Err(refused("NO_CLIENT", format!("--client: appointment {} names no client", self.id)));
        }
        let client = ClientLink::find(tx, rows[0].get("client_id")).await?;
        if self.client && matches!(client, ClientLink::Patient(_)) {
            let message = "--client: the client of the appointment is known to be a patient; nothing was changed; if \
                           that is wrong: rounds practiceq clients unlink";
            return Err(refused("CLIENT_ELSEWHERE", message.into()));
        }
        let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
        IGNORE.execute(tx, &[&ids, &moment.actor.id, &moment.now, &self.client, &self.id, &client.gone()]).await?;
        Ok(ids.len() as u64)
    }
}
