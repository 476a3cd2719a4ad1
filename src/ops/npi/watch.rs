//! `rounds npi watch`: the providers whose changes in the registry the admins of a facility are told of.
//!
//! Rule: who acts for a facility watches for that facility; who belongs to the group, for the group, or for the facility
//! that `--facility` names. The doctors of the clinic are watched for their own facilities.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::get::npi;
use crate::clinic::actor::{ADMIN, Actor, refused};
use crate::clinic::{facility, npi as number};
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, Moment, Output, listing, shown};
use crate::db::{Key, Row, UNREADABLE, statements, unless};
use crate::error::Error;
use crate::exit::Exit;

statements! {
    // $1 the NPIs bigint[] · $2 facility text, empty: the group · $3 doctor text, or NULL · $4 user text · $5 now
    ADD(INT8_ARRAY, TEXT, TEXT, TEXT, TIMESTAMPTZ) =
        "INSERT INTO npi_watch (npi, facility_id, doctor_id, added_by, added_at)
         SELECT DISTINCT n.npi, $2, $3, $4, $5 FROM unnest($1) AS n (npi)
         ON CONFLICT (npi, facility_id) DO NOTHING";
    // $1 the NPIs bigint[] · $2 facility text, empty: the group
    REMOVE(INT8_ARRAY, TEXT) = "DELETE FROM npi_watch w WHERE w.npi = ANY ($1) AND w.facility_id = $2";
    // $1 the NPIs bigint[]
    KNOWN(INT8_ARRAY) = "SELECT k.npi FROM npi_key k WHERE k.npi = ANY ($1)";
    // Whether the clinic's doctors have an NPI is the application's affair: the column may be there or not.
    DOCTORS() =
        "SELECT d.id::text AS id, d.facility_id::text AS facility, to_jsonb(d) ->> 'npi' AS npi FROM doctors d ORDER BY d.id";
    // $1 how many rows bigint
    LIST(INT8) = format!(
        "SELECT w.npi, NULLIF(w.facility_id, '') AS facility, w.doctor_id, w.added_by, w.added_at::date AS added_on,
                NULLIF(concat_ws(' ', d.organization_name, d.first_name, d.last_name), '') AS name, d.npi IS NOT NULL AS known,
                {active} AS active
         FROM npi_watch w LEFT JOIN npi_data d ON d.npi = w.npi
         ORDER BY w.npi, w.facility_id LIMIT $1",
        active = include_str!("active.part.sql")
    );
    // $1 how many rows bigint
    CHANGES(INT8) =
        "SELECT f.name AS file, f.period_end, c.npi, c.change, c.was, c.is_now
         FROM npi_changes c JOIN npi_files f ON f.id = c.file_id ORDER BY c.file_id DESC, c.id LIMIT $1";
}

/// Watch providers: the facility's admins are told when the registry changes them
#[derive(Args, Debug)]
pub struct WatchArgs {
    #[command(subcommand)]
    command: WatchCommand,
}

#[derive(Subcommand, Debug)]
enum WatchCommand {
    Add(AddArgs),
    Remove(RemoveArgs),
    List(ListArgs),
    Changes(ChangesArgs),
}

/// Watch these providers, or the clinic's doctors; needs an --actor who is HOSPITAL_ADMIN
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("whom").required(true).args(["npis", "doctors"]))]
struct AddArgs {
    #[arg(value_name = "NPI", num_args = 1..=10_000, value_parser = npi)]
    npis: Vec<i64>,
    /// The doctors of the clinic, by the column npi of its table doctors
    #[arg(long)]
    doctors: bool,
    #[command(flatten)]
    whose: Whose,
}

/// Watch these providers no more; needs an --actor who is HOSPITAL_ADMIN
#[derive(Args, Debug)]
struct RemoveArgs {
    #[arg(value_name = "NPI", required = true, num_args = 1..=10_000, value_parser = npi)]
    npis: Vec<i64>,
    #[command(flatten)]
    whose: Whose,
}

/// List the providers that are watched
#[derive(Args, Debug)]
struct ListArgs {
    #[command(flatten)]
    limit: LimitArgs,
}

/// List what files have changed of watched providers, the last file first
#[derive(Args, Debug)]
struct ChangesArgs {
    #[command(flatten)]
    limit: LimitArgs,
}

#[derive(Args, Debug)]
struct Whose {
    /// For this facility; default: the actor's own, or the group
    #[arg(long, value_name = "FACILITY_ID")]
    facility: Option<Key>,
}

impl Whose {
    /// The facility that watches; none is the group.
    async fn facility(&self, tx: &Transaction<'_>, actor: &Actor) -> Result<Option<Key>, Error> {
        actor.require(&[ADMIN], "watching providers")?;
        match &self.facility {
            Some(id) => {
                let id = facility::known(tx, id).await?;
                actor.require_facility(&id, "watch").map(|()| Some(id))
            }
            None if actor.is_of_the_group() => Ok(None),
            None => actor.own_facility("watching providers").map(|id| Some(id.clone())),
        }
    }
}

impl WatchArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            WatchCommand::Add(args) if args.doctors => args.add_doctors(context).await,
            WatchCommand::Add(args) => args.add(context).await,
            WatchCommand::Remove(args) => args.execute(context).await,
            WatchCommand::List(args) => args.execute(context).await,
            WatchCommand::Changes(args) => args.execute(context).await,
        }
    }
}

fn text_of(facility: Option<&Key>) -> &str {
    facility.map_or("", Key::as_str)
}

impl AddArgs {
    async fn add(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let body = async |tx: &Transaction<'_>, Moment { now, actor }: &Moment| {
            let facility = self.whose.facility(tx, actor).await?;
            let none: Option<&str> = None;
            let whose = text_of(facility.as_ref());
            let added = ADD.execute(tx, &[&self.npis, &whose, &none, &actor.id.as_str(), now]).await?;
            let known: Vec<i64> = KNOWN.all(tx, &[&self.npis]).await?.iter().map(|row| row.get(0)).collect();
            Ok((facility, added, known))
        };
        let (_, (facility, added, known)) = context.act(body).await?;
        let unknown: Vec<i64> = self.npis.iter().copied().filter(|npi| !known.contains(npi)).collect();
        let dry = context.not_changed();
        let mut text = format!("Added{dry}: {added}; the others were watched before.\n");
        if !unknown.is_empty() {
            let list: Vec<String> = unknown.iter().map(i64::to_string).collect();
            text += &format!("The registry does not know {}; you are told when it does.\n", list.join(", "));
        }
        let json = json!({ "facility": facility.as_ref().map(Key::as_str), "added": added, "unknown": unknown });
        Ok(Output::done(json, text))
    }

    async fn add_doctors(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let body = async |tx: &Transaction<'_>, Moment { now, actor }: &Moment| {
            actor.require(&[ADMIN], "watching providers")?;
            let only = match &self.whose.facility {
                None if actor.is_of_the_group() => None,
                _ => self.whose.facility(tx, actor).await?,
            };
            let mut counts = Doctors::default();
            for row in doctors(tx).await? {
                let (id, facility): (Key, Key) = (row.get("id"), row.get("facility"));
                if only.as_ref().is_some_and(|only| *only != facility) {
                    continue;
                }
                let npi = row.get::<_, Option<&str>>("npi").and_then(|text| number::parse(text.trim()));
                let Some(npi) = npi else {
                    counts.without.push(id);
                    continue;
                };
                let parameters = (vec![npi], facility.as_str(), Some(id.as_str()), actor.id.as_str());
                let added = ADD.execute(tx, &[&parameters.0, &parameters.1, &parameters.2, &parameters.3, now]).await?;
                counts.added += added;
                counts.doctors += 1;
            }
            Ok(counts)
        };
        let (_, counts) = context.act(body).await?;
        Ok(counts.output(context.not_changed()))
    }
}

/// The doctors of the clinic, which may be unreadable or have no NPIs.
async fn doctors(tx: &Transaction<'_>) -> Result<Vec<Row>, Error> {
    let rows = unless(tx, &UNREADABLE, async || DOCTORS.all(tx, &[]).await).await?;
    let rows = rows.unwrap_or_default();
    if rows.iter().all(|row| row.get::<_, Option<&str>>("npi").is_none()) {
        let message = "no doctor has an NPI that can be read: the table doctors needs a column npi, and this role SELECT \
                       on the whole table. Or name the NPIs: rounds npi watch add NPI ...";
        return Err(refused("NO_NPIS", message.into()));
    }
    Ok(rows)
}

#[derive(Default)]
struct Doctors {
    doctors: u64,
    added: u64,
    /// Those whose NPI is none.
    without: Vec<Key>,
}

impl Doctors {
    fn output(self, dry: &str) -> Output {
        let without: Vec<&str> = self.without.iter().map(Key::as_str).collect();
        let mut text = format!("Watched{dry}: {} doctors, {} of them new.\n", self.doctors, self.added);
        if !without.is_empty() {
            text += &format!("Without a well-formed NPI: doctors {}.\n", without.join(", "));
        }
        let exit = if without.is_empty() { Exit::Done } else { Exit::Partial };
        Output::new(exit, json!({ "doctors": self.doctors, "added": self.added, "without_npi": without }), text)
    }
}

impl RemoveArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let body = async |tx: &Transaction<'_>, Moment { actor, .. }: &Moment| {
            let facility = self.whose.facility(tx, actor).await?;
            REMOVE.execute(tx, &[&self.npis, &text_of(facility.as_ref())]).await
        };
        let (_, removed) = context.act(body).await?;
        let text = format!("Removed{}: {removed} of {}.\n", context.not_changed(), self.npis.len());
        Ok(Output::done(json!({ "removed": removed }), text))
    }
}

impl ListArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let mut rows = context.read(async |tx, _| LIST.all(tx, &[&self.limit.asked()]).await).await?;
        let more = self.limit.take_more(&mut rows);
        let state = |row: &Row| match (row.get("known"), row.get("active")) {
            (false, _) => "unknown",
            (true, true) => "active",
            (true, false) => "deactivated",
        };
        let watched: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "npi": row.get::<_, i64>("npi"),
                    "name": row.get::<_, Option<&str>>("name"),
                    "state": state(row),
                    "facility": row.get::<_, Option<&str>>("facility"),
                    "doctor": row.get::<_, Option<&str>>("doctor_id"),
                    "added_by": row.get::<_, &str>("added_by"),
                    "added_on": row.get::<_, chrono::NaiveDate>("added_on"),
                })
            })
            .collect();
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let text = |column| shown(row.get::<_, Option<&str>>(column));
                vec![
                    row.get::<_, i64>("npi").to_string(),
                    text("name"),
                    state(row).into(),
                    text("facility"),
                    text("doctor_id"),
                ]
            })
            .collect();
        let text = listing(&["npi", "name", "state", "facility", "doctor"], &cells, "Nobody is watched.");
        Ok(Output::done(json!({ "watched": watched, "more": more }), text + &limit::note(more, rows.len())))
    }
}

impl ChangesArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let mut rows = context.read(async |tx, _| CHANGES.all(tx, &[&self.limit.asked()]).await).await?;
        let more = self.limit.take_more(&mut rows);
        let text_of = |row: &Row, column| row.get::<_, Option<&str>>(column).map(str::to_owned);
        let changes: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "file": text_of(row, "file"),
                    "npi": row.get::<_, i64>("npi"),
                    "change": text_of(row, "change"),
                    "was": text_of(row, "was"),
                    "is_now": text_of(row, "is_now"),
                })
            })
            .collect();
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let text = |column| shown(row.get::<_, Option<&str>>(column));
                let end = row.get::<_, chrono::NaiveDate>("period_end").to_string();
                vec![
                    row.get::<_, i64>("npi").to_string(),
                    text("change").to_lowercase(),
                    text("was"),
                    text("is_now"),
                    end,
                ]
            })
            .collect();
        let text = listing(
            &["npi", "change", "was", "is now", "file to"],
            &cells,
            "Nothing has changed of those who are watched.",
        );
        Ok(Output::done(json!({ "changes": changes, "more": more }), text + &limit::note(more, rows.len())))
    }
}
