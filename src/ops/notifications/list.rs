//! `rounds notifications list`: the messages that wait, failed, or are uncertain, without their texts and addresses.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::message::{Channel, Status};
use crate::arg::positive_duration;
use crate::clinic::local_time::before;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Output, check_known, listing, shown, value_name};
use crate::db::{Key, Row, statements};
use crate::error::Error;
use crate::output::table::{Column, kept, minor};
use crate::output::{span, stamp};

statements! {
    LIST(TEXT_ARRAY, TEXT_ARRAY, TEXT, TIMESTAMPTZ, INT8) = include_str!("list.sql");
}

/// List messages, the newest first: ids and codes, no text and no address
#[derive(Args)]
pub struct ListArgs {
    /// Only messages of this status [default: PENDING, SENDING, UNCERTAIN and FAILED]
    #[arg(long, value_enum, ignore_case = true)]
    status: Option<Status>,
    /// Only messages of this channel [default: SMS, EMAIL and WEBHOOK]
    #[arg(long, value_enum, ignore_case = true)]
    channel: Option<Channel>,
    /// Only messages of this facility
    #[arg(long, value_name = "FACILITY_ID")]
    facility: Option<Key>,
    /// How far back those go that are over; what is open is listed however old it is
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = positive_duration)]
    since: Duration,
    #[command(flatten)]
    limit: LimitArgs,
}

const COLUMNS: [&str; 4] = ["type", "channel", "status", "reason"];

impl ListArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let statuses = match self.status {
            Some(status) => vec![status],
            None => vec![Status::Pending, Status::Sending, Status::Uncertain, Status::Failed],
        };
        let statuses: Vec<String> = statuses.into_iter().map(value_name).collect();
        let channels = match self.channel {
            Some(channel) => vec![channel],
            None => vec![Channel::Sms, Channel::Email, Channel::Webhook],
        };
        let channels: Vec<String> = channels.into_iter().map(value_name).collect();
        let (now, mut rows) = context
            .read(async |tx, now| {
                let [facility, _] = check_known(tx, self.facility.as_ref(), None).await?;
                let facility = facility.as_ref().map(Key::as_str);
                let oldest = before(now, self.since);
                let rows = LIST.all(tx, &[&statuses, &channels, &facility, &oldest, &self.limit.asked()]).await?;
                Ok((now, rows))
            })
            .await?;
        let more = self.limit.take_more(&mut rows);
        let messages: Vec<Value> = rows.iter().map(message).collect();
        let mut names = vec![kept("message")];
        names.extend(COLUMNS.map(Column::from));
        names.extend([minor("to"), minor("facility"), "attempts".into(), "age".into(), minor("next attempt")]);
        let cells: Vec<_> = rows.iter().map(|row| cells(row, now)).collect();
        let text = listing(&names, &cells, "No message fits.") + &limit::note(more, cells.len());
        Ok(Output::done(json!({ "messages": messages, "more": more }), text))
    }
}

/// What may be shown of a message to everybody.
pub fn message(row: &Row) -> Value {
    let text = |column| row.get::<_, Option<&str>>(column);
    let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map(stamp);
    json!({
        "id": row.get::<_, i64>("id"),
        "type": text("type"),
        "channel": text("channel"),
        "priority": text("priority"),
        "status": text("status"),
        "reason": text("reason"),
        "recipientKind": text("recipient_kind"),
        "recipientId": text("recipient_id"),
        "facilityId": text("facility_id"),
        "attempts": row.get::<_, i32>("attempts"),
        "createdAt": instant("created_at"),
        "nextAttemptAt": instant("next_attempt_at"),
        "sendingAt": instant("sending_at"),
        "sentAt": instant("sent_at"),
    })
}

fn cells(row: &Row, now: DateTime<Utc>) -> Vec<String> {
    let text = |column| shown(row.get::<_, Option<&str>>(column));
    let next: Option<DateTime<Utc>> = row.get("next_attempt_at");
    let waits = next.filter(|at| row.get::<_, &str>("status") == "PENDING" && *at > now);
    let to = [text("recipient_kind").to_lowercase(), text("recipient_id")].join(" ");
    let mut cells = vec![row.get::<_, i64>("id").to_string()];
    cells.extend(COLUMNS.map(text));
    cells.extend([
        to.trim_end().to_owned(),
        text("facility_id"),
        row.get::<_, i32>("attempts").to_string(),
        span(now - row.get::<_, DateTime<Utc>>("created_at")),
        shown(waits.map(|at| format!("in {}", span(at - now)))),
    ]);
    cells
}
