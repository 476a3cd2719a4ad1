//! `rounds notifications settle` and `retry`: a compare-and-set, so that of two people only one decides.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};
use serde_json::json;
use tokio_postgres::Transaction;

use super::message::{Channel, Status, unknown};
use crate::arg::{positive_duration, row_number};
use crate::clinic::actor::{ADMIN, Actor, SUPERVISORS, refused};
use crate::clinic::local_time::before;
use crate::command::limit::LimitArgs;
use crate::command::{CommandContext, Moment, Output, held, value_name};
use crate::db::{Key, Row, dropped, statements};
use crate::error::{Error, ErrorKind};
use crate::jobs::deliver_notifications::told;
use crate::output::{counted, folded};

statements! {
    LOCK_MESSAGE(INT8) = include_str!("lock.sql");
    SETTLE_SENT(INT8, TEXT, TIMESTAMPTZ) = include_str!("sent.sql");
    PUT_BACK(INT8_ARRAY, TEXT_ARRAY, TEXT, TIMESTAMPTZ, BOOL) = include_str!("put_back.sql");
    FAILED(TEXT, TIMESTAMPTZ, TEXT, TIMESTAMPTZ, INT8) = include_str!("failed.sql");
}

/// Say what became of an UNCERTAIN message: nobody but a person who has asked the provider knows
#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["sent", "resend"]))]
pub struct SettleArgs {
    /// As `rounds notifications list --status uncertain` shows it
    #[arg(value_name = "MESSAGE_ID", value_parser = row_number)]
    id: i64,
    /// It has left: it becomes SENT
    #[arg(long)]
    sent: bool,
    /// It has not left, or may come twice: it becomes PENDING, and is sent by the next run
    #[arg(long)]
    resend: bool,
}

/// Try FAILED or EXPIRED messages again: they become PENDING, as if they were new
#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["id", "failed"]))]
pub struct RetryArgs {
    /// As `rounds notifications list` shows it
    #[arg(value_name = "MESSAGE_ID", value_parser = row_number)]
    id: Option<i64>,
    /// All that FAILED of a channel since then, in the actor's facility; not what the provider had taken
    #[arg(long, requires_all = ["channel", "since"])]
    failed: bool,
    /// The channel, with --failed
    #[arg(long, value_enum, ignore_case = true, requires = "failed")]
    channel: Option<Channel>,
    /// How far back, with --failed
    #[arg(long, value_name = "DURATION", value_parser = positive_duration, requires = "failed")]
    since: Option<Duration>,
    #[command(flatten)]
    limit: LimitArgs,
}

impl SettleArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (Moment { actor, .. }, ()) = context
            .act(async |tx, moment| {
                let row = lock(tx, self.id, &moment.actor, "settling a message").await?;
                require_status(self.id, &row, &[Status::Uncertain])?;
                self.write(tx, moment).await
            })
            .await?;
        let (id, by, dry) = (self.id, &actor.id, context.not_changed());
        let (status, what) = match self.sent {
            true => ("SENT", "SENT".to_owned()),
            false => ("PENDING", "PENDING, and is sent by the next run".to_owned()),
        };
        let text = format!("Message {id} is {what}{dry}, says user {by}.\n");
        let json = json!({
            "ok": true, "dry_run": context.args.dry_run, "id": id, "status": status, "settled_by": by
        });
        Ok(Output::done(json, text))
    }

    async fn write(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<(), Error> {
        if !self.sent {
            return put_back(tx, &[self.id], &[Status::Uncertain], moment, false).await;
        }
        let Moment { now, actor } = moment;
        match SETTLE_SENT.execute(tx, &[&self.id, &actor.id.as_str(), now]).await? {
            1 => told::note(tx, &[self.id], *now).await,
            rows => Err(dropped("notifications", rows, 1).context("nothing was changed")),
        }
    }
}

impl RetryArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (Moment { actor, .. }, (ids, more)) = context
            .act(async |tx, moment| {
                let (ids, more) = match self.id {
                    Some(id) => (self.one(tx, id, moment).await?, false),
                    None => self.all(tx, moment).await?,
                };
                put_back(tx, &ids, &[Status::Failed, Status::Expired], moment, true).await?;
                Ok((ids, more))
            })
            .await?;
        let (by, dry) = (&actor.id, context.not_changed());
        let verb = if ids.len() == 1 { "is" } else { "are" };
        let mut text = format!(
            "{} {verb} PENDING again{dry}, says user {by}; the next run of the channel sends what can be sent.\n",
            counted(ids.len(), "message")
        );
        if more {
            text += "There are more: say it again, or with a larger --limit.\n";
        }
        let json = json!({
            "ok": true, "dry_run": context.args.dry_run, "ids": ids, "more": more, "status": "PENDING", "settled_by": by
        });
        Ok(Output::done(json, folded(&text)))
    }

    async fn one(&self, tx: &Transaction<'_>, id: i64, Moment { now, actor }: &Moment) -> Result<Vec<i64>, Error> {
        let row = lock(tx, id, actor, "trying a message again").await?;
        require_status(id, &row, &[Status::Failed, Status::Expired])?;
        if row.get::<_, Option<DateTime<Utc>>>("expires_at").is_some_and(|end| end <= *now) {
            let message = format!("message {id} is of no use any more: its time is over; nothing was changed");
            return Err(Error::new("OVER", ErrorKind::Other, message));
        }
        Ok(vec![id])
    }

    async fn all(&self, tx: &Transaction<'_>, Moment { now, actor }: &Moment) -> Result<(Vec<i64>, bool), Error> {
        actor.require(SUPERVISORS, "trying messages again")?;
        let facility = match actor.is_of_the_group() {
            true => None,
            false => Some(actor.own_facility("messages")?.as_str()),
        };
        let (channel, since) = match (self.channel, self.since) {
            (Some(channel), Some(since)) => (value_name(channel), before(*now, since)),
            _ => return Err(refused("USAGE", "--failed needs --channel and --since".to_owned())),
        };
        let rows = FAILED.all(tx, &[&channel, &since, &facility, now, &self.limit.asked()]).await?;
        let mut ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
        let more = self.limit.take_more(&mut ids);
        Ok((ids, more))
    }
}

/// Locks a message, and refuses an actor who may not decide about it. It waits for another session's lock, so that the
/// message can say what that made of it.
async fn lock(tx: &Transaction<'_>, id: i64, actor: &Actor, what: &str) -> Result<Row, Error> {
    let row = LOCK_MESSAGE.opt(tx, &[&id]).await.map_err(|error| held(error, format_args!("message {id}")))?;
    let row = row.ok_or_else(|| unknown(id))?;
    actor.require(SUPERVISORS, what)?;
    check_facility(id, &row, actor)?;
    Ok(row)
}

/// Refuses an actor of another facility than the message's; of a message without one, all but an admin of the group.
pub fn check_facility(id: i64, row: &Row, actor: &Actor) -> Result<(), Error> {
    match row.get::<_, Option<Key>>("facility_id") {
        Some(facility) => actor.require_facility(&facility, "message"),
        None if actor.is_of_the_group() => Ok(()),
        None => {
            let message = format!(
                "--actor: message {id} is of no facility; user {} may not see or change it, only a {ADMIN} of the whole \
                 group may",
                actor.id
            );
            Err(refused("ACTOR_NOT_ALLOWED", message))
        }
    }
}

fn require_status(id: i64, row: &Row, allowed: &[Status]) -> Result<(), Error> {
    let status: &str = row.get("status");
    let allowed: Vec<String> = allowed.iter().copied().map(value_name).collect();
    if allowed.iter().any(|one| one == status) {
        return Ok(());
    }
    let by = row.get::<_, Option<&str>>("settled_by").map_or(String::new(), |user| format!(", by user {user}"));
    let message = format!("message {id} is {status}{by}, and not {}; nothing was changed", allowed.join(" or "));
    Err(Error::new("WRONG_STATUS", ErrorKind::Other, message))
}

async fn put_back(
    tx: &Transaction<'_>,
    ids: &[i64],
    from: &[Status],
    Moment { now, actor }: &Moment,
    anew: bool,
) -> Result<(), Error> {
    let from: Vec<String> = from.iter().copied().map(value_name).collect();
    let rows = PUT_BACK.all(tx, &[&ids, &from, &actor.id.as_str(), now, &anew]).await?;
    if rows.len() == ids.len() {
        return Ok(());
    }
    Err(dropped("notifications", rows.len() as u64, ids.len() as u64).context("nothing was changed"))
}
