//! `rounds practiceq unmatched`: appointments that matched no patient or several, for a person to decide.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::decision::{concerns, own};
use super::ignore::IgnoreArgs;
use super::link::LinkArgs;
use super::reopen::ReopenArgs;
use super::staff::may_decide;
use crate::clients::practiceq::ACCOUNT_ZONE;
use crate::clinic::actor::Actor;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Moment, Output, check_recorded, listing, shown};
use crate::db::{Key, Row, decodable_name, statements};
use crate::error::Error;
use crate::machine;
use crate::ops::places::Places;
use crate::output::table::{Column, kept, minor};
use crate::output::{local_stamp, stamp};

statements! {
    LIST(BOOL, INT8, TIMESTAMPTZ) = format!(include_str!("unmatched.sql"), own = "", concerns = "true");
    // $4 the user who looks, a key · $5 whether the user belongs to the group boolean
    LIST_OF(BOOL, INT8, TIMESTAMPTZ, KEY, BOOL) = format!(
        include_str!("unmatched.sql"),
        own = own("$4"),
        concerns = concerns("$4", "$5"),
    );
    REVEAL(INT8_ARRAY, TEXT, TEXT, TEXT) = format!(
        include_str!("reveal.sql"),
        name = decodable_name("client_name"),
        email = decodable_name("client_email"),
        birth = decodable_name("client_date_of_birth"),
    );
}

/// Appointments that matched nobody or several
#[derive(Args)]
pub struct UnmatchedArgs {
    #[command(subcommand)]
    command: Unmatched,
}

#[derive(Subcommand)]
enum Unmatched {
    List(ListArgs),
    Link(LinkArgs),
    Ignore(IgnoreArgs),
    Reopen(ReopenArgs),
}

/// List appointments that wait for a decision, first what is still to come
#[derive(Args)]
struct ListArgs {
    /// Also those that were decided
    #[arg(long)]
    all: bool,
    /// Show whom they are about; needs --actor, and is recorded
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    limit: LimitArgs,
}

impl UnmatchedArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            Unmatched::List(args) => args.execute(context).await,
            Unmatched::Link(args) => args.execute(context).await,
            Unmatched::Ignore(args) => args.execute(context).await,
            Unmatched::Reopen(args) => args.execute(context).await,
        }
    }
}

impl ListArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (Waiting { rows, places, more }, people) = if self.reveal {
            let reveal = async |tx: &Transaction<'_>, moment: &Moment| {
                may_decide(tx, &moment.actor, "--reveal").await?;
                let waiting = self.waiting(tx, moment.now, Some(&moment.actor)).await?;
                let ids: Vec<i64> = waiting.rows.iter().map(|row| row.get("id")).collect();
                let by = [machine::os_user(), machine::host()];
                let people = REVEAL.all(tx, &[&ids, &moment.actor.id, &by[0], &by[1]]).await?;
                check_recorded(&people)?;
                Ok((waiting, people.into_iter().map(|row| (row.get::<_, i64>("id"), row)).collect()))
            };
            context.reveal(reveal).await?
        } else {
            (context.read(async |tx, now| self.waiting(tx, now, None).await).await?, HashMap::new())
        };
        let found: Vec<Value> = rows.iter().map(|row| object(row, &places, people.get(&row.get("id")))).collect();
        let mut names = ["id", "visit", "starts", "doctor"].map(Column::from).to_vec();
        names.extend([minor("client"), "reason".into(), "status".into(), "may be patient".into()]);
        if self.reveal {
            names.extend([kept("name"), "e-mail".into(), "born".into()]);
        }
        let cells: Vec<_> = rows.iter().map(|row| cells(row, &places, people.get(&row.get("id")))).collect();
        let text = listing(&names, &cells, "Nothing waits for a decision.") + &limit::note(more, cells.len());
        Ok(Output::done(json!({ "unmatched": found, "more": more }), text))
    }

    /// What waits; for a person who is shown names, what concerns that person.
    async fn waiting(&self, tx: &Transaction<'_>, now: DateTime<Utc>, actor: Option<&Actor>) -> Result<Waiting, Error> {
        let mut rows = match actor {
            None => LIST.all(tx, &[&self.all, &self.limit.asked(), &now]).await?,
            Some(actor) => {
                let is_of_the_group = actor.is_of_the_group();
                LIST_OF.all(tx, &[&self.all, &self.limit.asked(), &now, &actor.id, &is_of_the_group]).await?
            }
        };
        let more = self.limit.take_more(&mut rows);
        let doctors: Vec<Key> = rows.iter().filter_map(|row| row.get("doctor_id")).collect();
        Ok(Waiting { places: Places::read(tx, std::iter::empty(), doctors.iter()).await?, rows, more })
    }
}

/// Appointments that wait for a decision, and what their doctors are called.
struct Waiting {
    rows: Vec<Row>,
    places: Places,
    more: bool,
}

const PERSON: [&str; 3] = ["client_name", "client_email", "client_date_of_birth"];

fn object(row: &Row, places: &Places, person: Option<&Row>) -> Value {
    let mut object = json!({
        "id": row.get::<_, i64>("id"),
        "external_id": row.get::<_, &str>("external_id"),
        "client_id": row.get::<_, Option<&str>>("client_id"),
        "reason": row.get::<_, &str>("reason"),
        "status": row.get::<_, &str>("status"),
        "starts_at": stamp(row.get("starts_at")),
        "time_zone": ACCOUNT_ZONE.name(),
        "doctor_id": row.get::<_, Option<Key>>("doctor_id"),
        "doctor_name": places.doctor_name(row.get::<_, Option<Key>>("doctor_id").as_ref()),
        "first_seen": stamp(row.get("first_seen")),
        "candidates": row.get::<_, Vec<Key>>("candidates"),
    });
    for key in PERSON {
        if let Some(person) = person {
            object[key] = person.get::<_, Option<&str>>(key).into();
        }
    }
    object
}

fn cells(row: &Row, places: &Places, person: Option<&Row>) -> Vec<String> {
    let candidates: Vec<String> = row.get::<_, Vec<Key>>("candidates").iter().map(Key::to_string).collect();
    let mut cells = vec![
        row.get::<_, i64>("id").to_string(),
        row.get("external_id"),
        local_stamp(row.get("starts_at"), ACCOUNT_ZONE),
        places.doctor_cell(row.get::<_, Option<Key>>("doctor_id").as_ref()),
        shown(row.get::<_, Option<&str>>("client_id")),
        row.get("reason"),
        row.get("status"),
        candidates.join(" "),
    ];
    if let Some(person) = person {
        cells.extend(PERSON.map(|key| shown(person.get::<_, Option<&str>>(key))));
    }
    cells
}
