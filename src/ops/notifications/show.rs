//! `rounds notifications show`: the history of a message. Its text and address only with `--reveal`.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::message::unknown;
use super::reveal::{self, Revealed};
use super::{change, list};
use crate::arg::row_number;
use crate::clinic::actor::SUPERVISORS;
use crate::command::{CommandContext, Output};
use crate::db::{Row, statements};
use crate::error::Error;
use crate::output::{local_stamp, stamp};
use crate::schedule::ZoneArgs;
use crate::time_zone::Tz;

statements! {
    SHOW(INT8) = include_str!("show.sql");
    HISTORY(TEXT, INT8) = include_str!("history.sql");
}

/// The most records of runs that are shown.
const HISTORY_MAX: i64 = 50;

/// Show the history of a message: attempts, the provider's words, runs
#[derive(Args)]
pub struct ShowArgs {
    /// As `rounds notifications list` shows it
    #[arg(value_name = "MESSAGE_ID", value_parser = row_number)]
    id: i64,
    /// Show its text and address. Needs an --actor who is HOSPITAL_ADMIN or SUPERVISOR of its facility, and is recorded
    /// in phi_access_log
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    zone: ZoneArgs,
}

struct Shown {
    row: Row,
    history: Vec<Row>,
    revealed: Option<Revealed>,
}

impl ShowArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let zone = self.zone.zone()?;
        let shown = match self.reveal {
            false => context.read(async |tx, _| self.read(tx).await).await?,
            true => {
                let reveal = context.reveal(async |tx, moment| {
                    let shown = self.read(tx).await?;
                    moment.actor.require(SUPERVISORS, "--reveal")?;
                    change::check_facility(self.id, &shown.row, &moment.actor)?;
                    let revealed = Some(reveal::of(tx, &shown.row, &moment.actor).await?);
                    Ok(Shown { revealed, ..shown })
                });
                reveal.await?
            }
        };
        Ok(Output::done(shown.json(), shown.text(zone)))
    }

    async fn read(&self, tx: &Transaction<'_>) -> Result<Shown, Error> {
        let row = SHOW.opt(tx, &[&self.id]).await?.ok_or_else(|| unknown(self.id))?;
        let history = HISTORY.all(tx, &[&self.id.to_string(), &HISTORY_MAX]).await?;
        Ok(Shown { row, history, revealed: None })
    }
}

impl Shown {
    fn json(&self) -> Value {
        let row = &self.row;
        let text = |column| row.get::<_, Option<&str>>(column);
        let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map(stamp);
        let run = |column| row.get::<_, Option<Uuid>>(column);
        let mut json = list::message(row);
        for (key, value) in [
            ("entity", json!(text("entity"))),
            ("entityId", json!(text("entity_id"))),
            ("metadata", row.get("metadata")),
            ("expiresAt", json!(instant("expires_at"))),
            ("putBackAt", json!(instant("put_back_at"))),
            ("runId", json!(run("run_id"))),
            ("sendingRunId", json!(run("sending_run"))),
            ("providerId", json!(text("provider_id"))),
            ("providerStatus", json!(text("provider_status"))),
            ("providerAskedAt", json!(instant("provider_asked_at"))),
            ("deliveredAt", json!(instant("delivered_at"))),
            ("readAt", json!(instant("read_at"))),
            ("settledBy", json!(text("settled_by"))),
        ] {
            json[key] = value;
        }
        json["errors"] = self.history.iter().map(error).collect();
        if let Some(revealed) = &self.revealed {
            json["address"] = json!(revealed.address);
            json["title"] = json!(revealed.title);
            json["body"] = json!(revealed.body);
            json["placeholders"] = revealed.placeholders.clone();
        }
        json
    }

    fn text(&self, zone: Tz) -> String {
        let row = &self.row;
        let text = |column: &str| row.get::<_, Option<String>>(column);
        let instant = |column: &str| row.get::<_, Option<DateTime<Utc>>>(column).map(|at| local_stamp(at, zone));
        let run = |column: &str| row.get::<_, Option<Uuid>>(column).map(|id| id.to_string());
        let about = [text("entity"), text("entity_id")].map(Option::unwrap_or_default).join(" ");
        let to = [text("recipient_kind"), text("recipient_id")].map(Option::unwrap_or_default).join(" ");
        let lines = [
            ("type", text("type")),
            ("channel", text("channel")),
            ("priority", text("priority")),
            ("status", text("status")),
            ("reason", text("reason")),
            ("to", Some(to.trim_end().to_owned())),
            ("about", Some(about)),
            ("facility", text("facility_id")),
            ("attempts", Some(row.get::<_, i32>("attempts").to_string())),
            ("created", instant("created_at")),
            ("by run", run("run_id")),
            ("put back", instant("put_back_at")),
            ("next attempt", instant("next_attempt_at")),
            ("expires", instant("expires_at")),
            ("last sending", instant("sending_at")),
            ("by run", run("sending_run")),
            ("sent", instant("sent_at")),
            ("provider's id", text("provider_id")),
            ("provider says", text("provider_status")),
            ("asked", instant("provider_asked_at")),
            ("delivered", instant("delivered_at")),
            ("read", instant("read_at")),
            ("settled by", text("settled_by").map(|user| format!("user {user}"))),
            ("address", self.revealed.as_ref().and_then(|revealed| revealed.address.clone())),
            ("title", self.revealed.as_ref().map(|revealed| revealed.title.clone())),
            ("body", self.revealed.as_ref().map(|revealed| revealed.body.clone())),
        ];
        let mut out = format!("Message {}\n", row.get::<_, i64>("id"));
        for (name, value) in lines {
            if let Some(value) = value {
                out += &format!("  {name:<14} {value}\n");
            }
        }
        for one in &self.history {
            let at = local_stamp(one.get("created_at"), zone);
            let (code, run): (&str, Uuid) = (one.get("error_code"), one.get("run_id"));
            out += &format!("  {at}: {code} in run {run}\n");
        }
        out
    }
}

fn error(row: &Row) -> Value {
    json!({
        "runId": row.get::<_, Uuid>("run_id"),
        "code": row.get::<_, &str>("error_code"),
        "at": stamp(row.get("created_at")),
    })
}
