//! `rounds sync-practiceq`: the appointments of an IntakeQ/PracticeQ account, fresh every morning and through the day.
//!
//! Rule: an appointment of the account is in a patient's chart if and only if its client is known to be that patient, or it has
//! the e-mail of that patient alone together with the date of birth or the name, it is for one client, and the patient has an
//! active affiliation when it is read. It is written if and only if what was read differs from what is stored and is not older. It is marked as
//! deleted if and only if the account lists it as deleted, does not know it when asked for it, or gives it to somebody else.
//!
//! Safe to run again: a row is compared with what is stored before it is written; each page is a transaction; the requests of all
//! processes are counted in one place before they are sent; a run that had to stop says where the next goes on.
//!
//! Leaves alone: what people here write of a visit, and its status once they have moved it on; visits that somebody holds right
//! now; and what it cannot tell whose it is, which waits for a person (`practiceq_unmatched`).

mod absence;
mod budget;
mod log;
mod plan;
mod read;
mod scope;
mod show;
mod store;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use reqwest::Url;
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::clients::address;
use crate::clients::practiceq::PracticeQ;
use crate::clinic::actor::{ADMIN, SUPERVISORS};
use crate::error::{Error, ErrorKind};
use crate::run::{Counts, Halt, Job, NotDone, Run, RunArgs};
pub use store::{Stored, store_one};

crate::db::statements! {
    of absence, budget, log, plan, read, scope, store;
}

/// While a person waits.
const BY_HAND: Duration = Duration::from_secs(5 * 60);

/// Bring the appointments of an IntakeQ/PracticeQ account; without a choice, all of the window
#[derive(Args, Serialize)]
#[command(group = ArgGroup::new("what").args(["incremental", "patient", "organization", "appointment"]))]
pub struct SyncPracticeq {
    /// Only what changed since the last time, and what was deleted
    #[arg(long)]
    pub incremental: bool,
    /// Only this patient, now
    #[arg(long, value_name = "PATIENT_ID", value_parser = clap::value_parser!(i64).range(1..))]
    pub patient: Option<i64>,
    /// Only the patients of this organization, now
    #[arg(long, value_name = "ORGANIZATION_ID", value_parser = clap::value_parser!(i64).range(1..))]
    pub organization: Option<i64>,
    /// Only this appointment, by the account's id of it
    #[arg(long, value_name = "EXTERNAL_ID", value_parser = external_id)]
    pub appointment: Option<String>,
    /// Where the API is
    #[arg(long, env = "ROUNDS_PRACTICEQ_URL", hide_env_values = true, value_name = "URL", default_value = "https://intakeq.com/api/v1/", value_parser = base)]
    #[serde(skip)]
    pub base_url: Url,
    /// The key of the account's API; better in the environment, or in a file
    #[arg(long, env = "ROUNDS_PRACTICEQ_KEY", hide_env_values = true, value_name = "KEY", hide = true)]
    #[serde(skip)]
    pub api_key: Option<String>,
    /// File that holds the key of the account's API, such as a mounted secret; instead of ROUNDS_PRACTICEQ_KEY
    #[arg(long, env = "ROUNDS_PRACTICEQ_KEY_FILE", value_name = "PATH")]
    #[serde(skip)]
    pub api_key_file: Option<PathBuf>,
    /// How many days before today the window begins
    #[arg(long, env = "ROUNDS_PRACTICEQ_BACK_DAYS", value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub back_days: u32,
    /// How many days after today the window ends
    #[arg(long, env = "ROUNDS_PRACTICEQ_AHEAD_DAYS", value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub ahead_days: u32,
    #[command(flatten)]
    pub limits: budget::Limits,
}

/// scanned = new + updated + deleted + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    sync_log_id: Option<i64>,
    /// In scope of the run, each once.
    total_patients: u64,
    patients_processed: u64,
    patients_failed: u64,
    total_appointments: Appointments,
    deleted: u64,
    /// For a person to decide.
    unmatched: u64,
    /// It did not come to its end.
    #[serde(skip)]
    stopped: bool,
    /// Of practitioners whose doctor is not known; their visits have none.
    unknown_practitioners: u64,
    notifications: u64,
    pages: u64,
    requests: u64,
    scanned: u64,
    /// `unchanged`; `unmatched` and `ignored`, what a person decides and has decided; `out_of_scope`, of patients without an active
    /// affiliation; `other_patient`, not asked for; `older` than what is stored.
    #[serde(flatten)]
    not_done: NotDone,
    #[serde(skip)]
    practitioners: BTreeSet<String>,
}

#[derive(Debug, Default, Serialize)]
struct Appointments {
    new: u64,
    updated: u64,
    unchanged: u64,
    errors: u64,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        let Appointments { new, updated, .. } = self.total_appointments;
        Counts { scanned: self.scanned, processed: new + updated + self.deleted, not_done: &self.not_done }
    }

    fn sentence(&self) -> Option<String> {
        let Appointments { new, updated, unchanged, .. } = self.total_appointments;
        if self.stopped {
            return Some(format!("Stopped early. New: {new} | Updated: {updated} | Unchanged: {unchanged}"));
        }
        let patients = self.patients_processed;
        Some(format!(
            "Successfully synced {patients} patients. New: {new} | Updated: {updated} | Unchanged: {unchanged}"
        ))
    }
}

/// Why the reading ends before its end.
enum End {
    /// The next run goes on where this one was.
    Stop {
        code: &'static str,
        message: String,
    },
    Halt(Halt),
}

impl End {
    fn stop(code: &'static str, message: impl Into<String>) -> Self {
        Self::Stop { code, message: message.into() }
    }
}

impl From<Halt> for End {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Halt(error.into())
    }
}

impl Job for SyncPracticeq {
    const NAME: &'static str = "sync-practiceq";
    type Report = Report;

    fn lane(&self) -> String {
        match (self.patient, self.organization, &self.appointment) {
            (Some(id), ..) => format!("patient:{id}"),
            (_, Some(id), _) => format!("organization:{id}"),
            (.., Some(id)) => format!("appointment:{id}"),
            _ if self.incremental => "incremental".to_owned(),
            _ => "full".to_owned(),
        }
    }

    fn roles(&self) -> &'static [&'static str] {
        let of_an_organization = self.patient.is_some() || self.organization.is_some();
        if of_an_organization { &[ADMIN, "SUPERVISOR", "CASE_MANAGER"] } else { SUPERVISORS }
    }

    fn check(&self, _run: &RunArgs) -> Result<(), Error> {
        self.key().map(drop)
    }

    async fn time_limit(&self, _tx: &Transaction<'_>) -> Result<Option<Duration>, Error> {
        Ok(self.is_by_hand().then_some(BY_HAND))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let api = PracticeQ::new(&self.base_url, &self.key()?)?;
        let mut reading = read::Reading::open(self, run, api, report).await?;
        let outcome = reading.read().await;
        reading.close(outcome).await
    }
}

impl SyncPracticeq {
    fn is_by_hand(&self) -> bool {
        self.patient.is_some() || self.organization.is_some() || self.appointment.is_some()
    }

    fn key(&self) -> Result<String, Error> {
        let refuse = |message: String| Err(Error::new("CONFIGURATION", ErrorKind::Refused, message));
        let key = match (&self.api_key, &self.api_key_file) {
            (Some(_), Some(_)) => {
                return refuse("ROUNDS_PRACTICEQ_KEY and --api-key-file are both set; keep one of them".into());
            }
            (Some(key), None) => key.clone(),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(key) => key,
                Err(error) => return refuse(format!("--api-key-file {}: {}", path.display(), error.kind())),
            },
            (None, None) => return refuse("no key: set ROUNDS_PRACTICEQ_KEY or --api-key-file".into()),
        };
        let key = key.trim();
        let readable = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if readable { Ok(key.to_owned()) } else { refuse("the key of the account is empty, or none".into()) }
    }
}

/// A URL with a slash at its end; the key does not travel in clear.
fn base(text: &str) -> Result<Url, String> {
    let url = address(&format!("{}/", text.trim_end_matches('/')))?;
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        _ => Err("must begin with https://".to_owned()),
    }
}

fn external_id(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("has up to 64 letters, digits, - and _".to_owned())
    }
}
