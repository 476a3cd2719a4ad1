//! `rounds practiceq patients`: patients without an e-mail who are known not to be in the account, so that not every
//! sync says that they failed.
//!
//! Rule: the sync leaves out a patient if and only if a person has said so, and the patient has neither an e-mail nor a
//! known client. A run that asks for that one patient asks all the same.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::staff::STAFF;
use crate::clinic::actor::refused;
use crate::clinic::channels::has_one;
use crate::clinic::organizations::organizations_of;
use crate::command::limit::{self, LimitArgs};
use crate::command::notes::reason;
use crate::command::{CommandContext, Moment, Output, listing};
use crate::db::{Key, Row, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::output::stamp;

statements! {
    SKIPPABLE(KEY, KEY) = format!(
        include_str!("skippable.sql"),
        organizations = organizations_of("$2"),
        has_email = has_one("p.email")
    );
    // $1 patient text · $2 reason text · $3 the user text · $4 now timestamptz
    SKIP(TEXT, TEXT, TEXT, TIMESTAMPTZ) = "INSERT INTO practiceq_skipped_patients (patient_id, reason, skipped_by, skipped_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT (patient_id) DO NOTHING";
    UNSKIP(TEXT) = "DELETE FROM practiceq_skipped_patients WHERE patient_id = $1";
    SKIPPED(INT8) = format!(include_str!("skipped.sql"), has_email = has_one("p.email"));
}

/// Patients without an e-mail whom the sync leaves out
#[derive(Args)]
pub struct PatientsArgs {
    #[command(subcommand)]
    command: Patients,
}

#[derive(Subcommand)]
enum Patients {
    List(ListArgs),
    Skip(SkipArgs),
    Unskip(UnskipArgs),
}

/// List the patients whom the sync leaves out, the last first
#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    limit: LimitArgs,
}

/// Say that a patient without an e-mail is not in the account: the sync leaves the patient out, and does not fail for it
#[derive(Args)]
struct SkipArgs {
    /// The patient
    #[arg(value_name = "PATIENT_ID")]
    patient: Key,
    /// Why; kept with the record, and shown by no command. Other users of the machine see arguments (ps): --reason-file
    /// is better
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "reason_file")]
    #[arg(required_unless_present = "reason_file")]
    reason: Option<String>,
    /// File that says why; - is the standard input
    #[arg(long, value_name = "PATH")]
    reason_file: Option<PathBuf>,
}

/// Take that back: a sync that cannot find the patient says so
#[derive(Args)]
struct UnskipArgs {
    /// The patient
    #[arg(value_name = "PATIENT_ID")]
    patient: Key,
}

impl PatientsArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            Patients::List(args) => args.execute(context).await,
            Patients::Skip(args) => args.execute(context).await,
            Patients::Unskip(args) => args.execute(context).await,
        }
    }
}

impl ListArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let mut rows = context.read(async |tx, _| SKIPPED.all(tx, &[&self.limit.asked()]).await).await?;
        let more = self.limit.take_more(&mut rows);
        let object = |row: &Row| {
            json!({
                "patient_id": row.get::<_, Key>("patient_id"),
                "in_effect": row.get::<_, bool>("in_effect"),
                "skipped_by": row.get::<_, Key>("skipped_by"),
                "skipped_at": stamp(row.get("skipped_at")),
            })
        };
        let cells = |row: &Row| {
            vec![
                row.get::<_, Key>("patient_id").to_string(),
                if row.get("in_effect") { "left out" } else { "synced" }.to_owned(),
                row.get::<_, Key>("skipped_by").to_string(),
                stamp(row.get("skipped_at")),
            ]
        };
        let lines: Vec<_> = rows.iter().map(cells).collect();
        let text = listing(&["patient", "now", "by user", "since"], &lines, "The sync leaves out no patient.")
            + &limit::note(more, lines.len());
        Ok(Output::done(json!({ "patients": rows.iter().map(object).collect::<Value>(), "more": more }), text))
    }
}

impl SkipArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let reason = &reason(self.reason.as_deref(), self.reason_file.as_deref(), context).await?;
        let (_, patient) = context.act(async |tx, moment| self.skip(tx, moment, reason).await).await?;
        Ok(said(context, &patient, "skipped", "is left out by the sync"))
    }

    async fn skip(&self, tx: &Transaction<'_>, moment: &Moment, reason: &str) -> Result<Key, Error> {
        let (patient, row) = allowed(tx, moment, &self.patient).await?;
        if row.get("has_email") || row.get("has_client") {
            let message =
                format!("patient {patient} has an e-mail or a known client, and is synced; nothing was changed");
            return Err(refused("CAN_BE_SYNCED", message));
        }
        if SKIP.execute(tx, &[&patient.as_str(), &reason, &moment.actor.id.as_str(), &moment.now]).await? == 0 {
            let message = format!("patient {patient} is left out already; nothing was changed");
            return Err(Error::new("SKIPPED_ALREADY", ErrorKind::Other, message));
        }
        Ok(patient)
    }
}

impl UnskipArgs {
    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let unskip = async |tx: &Transaction<'_>, moment: &Moment| {
            let (patient, _) = allowed(tx, moment, &self.patient).await?;
            match UNSKIP.execute(tx, &[&patient.as_str()]).await? {
                0 => {
                    let message = format!("patient {patient} was not left out; nothing was changed");
                    Err(Error::new("NOT_SKIPPED", ErrorKind::Other, message))
                }
                _ => Ok(patient),
            }
        };
        let (_, patient) = context.act(unskip).await?;
        Ok(said(context, &patient, "synced", "is not left out any more"))
    }
}

fn said(context: &CommandContext<'_>, patient: &Key, status: &str, what: &str) -> Output {
    let json = json!({ "ok": true, "dry_run": context.args.dry_run, "patient_id": patient, "status": status });
    Output::done(json, format!("Patient {patient} {what}{}.\n", context.not_changed()))
}

/// The patient in the server's form, and what is known of the patient; refuses who may not decide.
async fn allowed(tx: &Transaction<'_>, moment: &Moment, id: &Key) -> Result<(Key, Row), Error> {
    let actor = &moment.actor;
    actor.require(STAFF, "leaving a patient out of the sync")?;
    let row = no_such_key(SKIPPABLE.opt(tx, &[id, &actor.id]).await)?;
    let Some(row) = row else {
        return Err(refused("UNKNOWN_PATIENT", format!("there is no patient {id}; nothing was changed")));
    };
    let patient: Key = row.get("patient");
    if !row.get::<_, bool>("in_scope") {
        return Err(refused("NOT_IN_SCOPE", format!("patient {patient} has no active affiliation")));
    }
    if !row.get::<_, bool>("allowed") {
        let message = format!("--actor: patient {patient} is of no organization of user {}", actor.id);
        return Err(refused("ACTOR_NOT_ALLOWED", message));
    }
    Ok((patient, row))
}
