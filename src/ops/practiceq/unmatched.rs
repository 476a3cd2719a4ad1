//! `rounds practiceq unmatched`: appointments that matched no patient or several, for a person to decide.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio_postgres::{Row, Transaction};

use crate::clinic::actor::{ADMIN, refused};
use crate::command::{CommandContext, Moment, Output, held, listing, shown};
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::jobs::sync_practiceq::StoreContext;
use crate::output::stamp;

statements! {
    LIST(BOOL, INT8, TIMESTAMPTZ) = include_str!("unmatched.sql");
    REVEAL(INT8_ARRAY, INT8) = include_str!("reveal.sql");
    LOCK(INT8, BOOL) = include_str!("lock.sql");
    LINKABLE(INT8, TEXT, INT8) = include_str!("linkable.sql");
    LINK(INT8_ARRAY, INT8, INT8, TIMESTAMPTZ, INT8) = include_str!("link.sql");
    IGNORE(INT8_ARRAY, INT8, TIMESTAMPTZ, BOOL, INT8) = include_str!("ignore.sql");
    KNOWN_CLIENT(TEXT) = "SELECT FROM practiceq_clients WHERE client_id = $1 AND patient_id IS NOT NULL";
}

/// The roles that may decide, and may see the names.
const STAFF: &[&str] = &[ADMIN, "SUPERVISOR", "CASE_MANAGER"];

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
    /// How many to list
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
}

/// Say whose an appointment is: it is in that patient's chart at once, and so is what else waits of the same client
#[derive(Args)]
struct LinkArgs {
    /// The id of the appointment in `rounds practiceq unmatched list`
    #[arg(value_name = "UNMATCHED_ID")]
    id: i64,
    /// Whose it is
    #[arg(long, value_name = "PATIENT_ID")]
    patient: i64,
}

/// Say that an appointment is nobody's of ours
#[derive(Args)]
struct IgnoreArgs {
    /// The id of the appointment in `rounds practiceq unmatched list`
    #[arg(value_name = "UNMATCHED_ID")]
    id: i64,
    /// All of the same client, now and later
    #[arg(long)]
    client: bool,
}

impl UnmatchedArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            Unmatched::List(args) => args.execute(context).await,
            Unmatched::Link(args) => args.execute(context).await,
            Unmatched::Ignore(args) => args.execute(context).await,
        }
    }
}

impl ListArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (rows, people) = if self.reveal {
            let reveal = async |tx: &Transaction<'_>, moment: &Moment| {
                moment.actor.require(STAFF, "--reveal")?;
                let rows = self.rows(tx, moment.now).await?;
                let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
                let people = REVEAL.all(tx, &[&ids, &moment.actor.id]).await?;
                Ok((rows, people.into_iter().map(|row| (row.get::<_, i64>("id"), row)).collect()))
            };
            context.reveal(reveal).await?
        } else {
            (context.read(async |tx, now| self.rows(tx, now).await).await?, HashMap::new())
        };
        let found: Vec<Value> = rows.iter().map(|row| object(row, people.get(&row.get("id")))).collect();
        let mut names = vec!["id", "visit", "starts", "client", "reason", "status", "may be patient"];
        if self.reveal {
            names.extend(["name", "e-mail", "born"]);
        }
        let cells: Vec<_> = rows.iter().map(|row| cells(row, people.get(&row.get("id")))).collect();
        Ok(Output::done(json!({ "unmatched": found }), listing(&names, &cells, "Nothing waits for a decision.")))
    }

    async fn rows(&self, tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<Vec<Row>, Error> {
        LIST.all(tx, &[&self.all, &self.limit, &now]).await
    }
}

const PERSON: [&str; 3] = ["client_name", "client_email", "client_date_of_birth"];

fn object(row: &Row, person: Option<&Row>) -> Value {
    let mut object = json!({
        "id": row.get::<_, i64>("id"),
        "external_id": row.get::<_, &str>("external_id"),
        "client_id": row.get::<_, Option<&str>>("client_id"),
        "reason": row.get::<_, &str>("reason"),
        "status": row.get::<_, &str>("status"),
        "starts_at": stamp(row.get("starts_at")),
        "first_seen": stamp(row.get("first_seen")),
        "candidates": row.get::<_, Vec<i64>>("candidates"),
    });
    for key in PERSON {
        if let Some(person) = person {
            object[key] = person.get::<_, Option<&str>>(key).into();
        }
    }
    object
}

fn cells(row: &Row, person: Option<&Row>) -> Vec<String> {
    let candidates: Vec<String> = row.get::<_, Vec<i64>>("candidates").iter().map(i64::to_string).collect();
    let mut cells = vec![
        row.get::<_, i64>("id").to_string(),
        row.get("external_id"),
        row.get::<_, DateTime<Utc>>("starts_at").format("%F %H:%MZ").to_string(),
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

/// Locks the open rows that a decision is about; the one that the user named is the first.
async fn lock(tx: &Transaction<'_>, id: i64, with_client: bool, moment: &Moment) -> Result<Vec<Row>, Error> {
    moment.actor.require(STAFF, "deciding whose an appointment is")?;
    let rows = LOCK.all(tx, &[&id, &with_client]).await;
    let rows = rows.map_err(|error| held(error, format_args!("unmatched appointment {id}")))?;
    let Some(first) = rows.first() else {
        let message = format!("there is no unmatched appointment {id}; nothing was changed");
        return Err(refused("UNKNOWN_UNMATCHED", message));
    };
    let status: &str = first.get("status");
    if status != "open" {
        let by = first.get::<_, Option<i64>>("decided_by").unwrap_or_default();
        let message = format!("appointment {id} was {status} by user {by}; nothing was changed");
        return Err(Error::new("NOT_OPEN", ErrorKind::Other, message));
    }
    Ok(rows)
}

impl LinkArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let (id, patient) = (self.id, self.patient);
        let (moment, appointments) = context.act(async |tx, moment| self.link(tx, moment).await).await?;
        let dry = if context.args.dry_run { " (dry run: nothing was changed)" } else { "" };
        let by = moment.actor.id;
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

    async fn link(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<u64, Error> {
        let rows = lock(tx, self.id, true, moment).await?;
        self.check(tx, rows[0].get("client_id"), moment.actor.id.number()).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
        LINK.execute(tx, &[&ids, &self.patient, &moment.actor.id, &moment.now, &self.id]).await?;
        let context = StoreContext { now: moment.now, run: None, log: None, only_patients: None };
        let mut appointments = 0;
        for row in &rows {
            appointments += context.store_kept(tx, &row.get("content")).await?;
        }
        if appointments == rows.len() as u64 {
            return Ok(appointments);
        }
        let message = "a visit of the client is held by somebody else, or newer than what was read; \
                       nothing was changed; try again";
        Err(Error::new("CHANGED", ErrorKind::Other, message))
    }

    async fn check(&self, tx: &Transaction<'_>, client: Option<&str>, actor: i64) -> Result<(), Error> {
        let row = LINKABLE.one(tx, &[&self.patient, &client, &actor]).await?;
        let id = self.patient;
        match ["patient", "in_scope", "allowed", "elsewhere"].map(|column| row.get::<_, bool>(column)) {
            [false, ..] => Err(refused("UNKNOWN_PATIENT", format!("--patient: there is no patient {id}"))),
            [_, false, ..] => {
                Err(refused("NOT_IN_SCOPE", format!("--patient: patient {id} has no active affiliation")))
            }
            [_, _, false, _] => {
                let message = format!("--actor: user {actor} is no case manager of patient {id}");
                Err(refused("ACTOR_NOT_ALLOWED", message))
            }
            [.., true] => {
                let message = "the client of the appointment is known to be somebody else; nothing was changed";
                Err(refused("CLIENT_ELSEWHERE", message.into()))
            }
            _ => Ok(()),
        }
    }
}

impl IgnoreArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let id = self.id;
        let (moment, rows) = context.act(async |tx, moment| self.ignore(tx, moment).await).await?;
        let dry = if context.args.dry_run { " (dry run: nothing was changed)" } else { "" };
        let text = format!("Appointment {id} is ignored{dry}, by user {}; {rows} in all.\n", moment.actor.id);
        let json = json!({ "ok": true, "dry_run": context.args.dry_run, "id": id, "status": "ignored", "rows": rows });
        Ok(Output::done(json, text))
    }

    async fn ignore(&self, tx: &Transaction<'_>, moment: &Moment) -> Result<u64, Error> {
        let rows = lock(tx, self.id, self.client, moment).await?;
        if self.client && rows[0].get::<_, Option<&str>>("client_id").is_none() {
            return Err(refused("NO_CLIENT", format!("--client: appointment {} names no client", self.id)));
        }
        let client: Option<&str> = rows[0].get("client_id");
        if self.client && KNOWN_CLIENT.opt(tx, &[&client]).await?.is_some() {
            let message = "--client: the client of the appointment is known to be a patient; nothing was changed";
            return Err(refused("CLIENT_ELSEWHERE", message.into()));
        }
        let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
        IGNORE.execute(tx, &[&ids, &moment.actor.id, &moment.now, &self.client, &self.id]).await?;
        Ok(ids.len() as u64)
    }
}
