//! `rounds practiceq unmatched`: appointments that matched no patient or several, for a person to decide.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::reopen::ReopenArgs;
use super::staff::may_decide;
use crate::arg::row_number;
use crate::clients::practiceq::ACCOUNT_ZONE;
use crate::clinic::actor::{Actor, refused};
use crate::clinic::local_time::unreadable_zones;
use crate::clinic::organizations::organizations_of;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Moment, Output, check_recorded, held, listing, shown};
use crate::db::{Key, Row, decodable_name, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::jobs::sync_practiceq::StoreContext;
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
    // $1 id bigint · $2 the user who decides, a key · $3 whether the user belongs to the group boolean
    CONCERNS(INT8, KEY, BOOL) = format!(
        "{}SELECT {} AS concerns FROM practiceq_unmatched u WHERE u.id = $1",
        own("$2"),
        concerns("$2", "$3"),
    );
    REVEAL(INT8_ARRAY, TEXT, TEXT, TEXT) = format!(
        include_str!("reveal.sql"),
        name = decodable_name("client_name"),
        email = decodable_name("client_email"),
        birth = decodable_name("client_date_of_birth"),
    );
    LOCK(INT8, BOOL) = include_str!("lock.sql");
    LINKABLE(KEY, KEY) = format!(include_str!("linkable.sql"), organizations = organizations_of("$2"));
    LINK(INT8_ARRAY, TEXT, TEXT, TIMESTAMPTZ, INT8, TEXT) = include_str!("link.sql");
    IGNORE(INT8_ARRAY, TEXT, TIMESTAMPTZ, BOOL, INT8, TEXT) = include_str!("ignore.sql");
    KNOWN_CLIENT(TEXT) = "SELECT patient_id FROM practiceq_clients WHERE client_id = $1 AND NOT waits";
    PATIENT(KEY) = "SELECT p.id::text FROM patients p WHERE p.id = $1";
}

/// The organizations of a user as the relation `own`, in SQL.
fn own(user: &str) -> String {
    format!("WITH own AS (\n{})\n", organizations_of(user))
}

/// The condition that an unmatched appointment `u` concerns a user, in SQL.
fn concerns(user: &str, group: &str) -> String {
    format!(include_str!("concerns.part.sql"), user = user, group = group)
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

/// Say whose an appointment is: it is in that patient's chart at once, and so is what else waits of the same client
#[derive(Args)]
struct LinkArgs {
    /// The id of the appointment in `rounds practiceq unmatched list`
    #[arg(value_name = "UNMATCHED_ID", value_parser = row_number)]
    id: i64,
    /// Whose it is
    #[arg(long, value_name = "PATIENT_ID")]
    patient: Key,
}

/// Say that an appointment is nobody's of ours: what was kept of it goes at once
#[derive(Args)]
struct IgnoreArgs {
    /// The id of the appointment in `rounds practiceq unmatched list`
    #[arg(value_name = "UNMATCHED_ID", value_parser = row_number)]
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

/// Whether nothing is left of what was read of an appointment.
fn is_empty(row: &Row) -> bool {
    row.get::<_, Value>("content") == json!({})
}

/// Locks the open rows that a decision is about; the one that the user named is the first.
async fn lock(tx: &Transaction<'_>, id: i64, with_client: bool, moment: &Moment) -> Result<Vec<Row>, Error> {
    may_decide(tx, &moment.actor, "deciding whose an appointment is").await?;
    let rows = LOCK.all(tx, &[&id, &with_client]).await;
    let rows = rows.map_err(|error| held(error, format_args!("unmatched appointment {id}")))?;
    let Some(first) = rows.first() else {
        let message = format!("there is no unmatched appointment {id}; nothing was changed");
        return Err(refused("UNKNOWN_UNMATCHED", message));
    };
    let status: &str = first.get("status");
    if status != "open" {
        let by = first.get::<_, Option<&str>>("decided_by").unwrap_or_default();
        let message = format!("appointment {id} was {status} by user {by}; nothing was changed");
        return Err(Error::new("NOT_OPEN", ErrorKind::Other, message));
    }
    if is_empty(first) {
        let external_id: &str = first.get("external_id");
        let message = format!(
            "what was read of appointment {id} is gone, and it waits to be read again; nothing was changed; read it \
             with rounds sync-practiceq --appointment {external_id}"
        );
        return Err(Error::new("NOT_READ", ErrorKind::Other, message));
    }
    // Of a decision nothing is left that says whom it concerns.
    let actor = &moment.actor;
    let concerns = CONCERNS.opt(tx, &[&id, &actor.id, &actor.is_of_the_group()]).await?;
    if !concerns.is_some_and(|row| row.get("concerns")) {
        let message = format!(
            "--actor: appointment {id} concerns neither the organizations nor the facility of user {}; nothing was \
             changed",
            actor.id
        );
        return Err(refused("ACTOR_NOT_ALLOWED", message));
    }
    Ok(rows)
}

impl LinkArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
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

/// What is known of a client of the account.
enum ClientLink {
    Unknown,
    /// A person said that it is no patient of the clinic.
    Nobody,
    Patient(Key),
    /// A patient whom the clinic has deleted: as good as unknown.
    Gone(Key),
}

impl ClientLink {
    async fn find(tx: &Transaction<'_>, client: Option<&str>) -> Result<Self, Error> {
        let Some(row) = KNOWN_CLIENT.opt(tx, &[&client]).await? else { return Ok(Self::Unknown) };
        let Some(patient) = row.get::<_, Option<Key>>("patient_id") else { return Ok(Self::Nobody) };
        Ok(match PATIENT.opt(tx, &[&patient]).await? {
            Some(_) => Self::Patient(patient),
            None => Self::Gone(patient),
        })
    }

    /// Whether the client is known to be somebody other than this patient.
    fn is_elsewhere(&self, patient: &Key) -> bool {
        match self {
            Self::Unknown | Self::Gone(_) => false,
            Self::Nobody => true,
            Self::Patient(other) => other != patient,
        }
    }

    fn gone(&self) -> Option<&Key> {
        if let Self::Gone(patient) = self { Some(patient) } else { None }
    }
}

impl IgnoreArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
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
