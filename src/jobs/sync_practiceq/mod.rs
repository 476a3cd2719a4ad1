//! `rounds sync-practiceq`: brings the appointments of an IntakeQ/PracticeQ account, every morning and through the day.
//!
//! Rule: an appointment of the account is in a patient's chart if and only if its client is known to be that patient,
//! or it has the e-mail of that patient alone together with the date of birth or the name, it is for one client, and
//! the patient has an active affiliation when it is read. It is written if and only if what was read differs from what
//! is stored and is not older. It is marked as deleted if and only if the account lists it as deleted and nothing else of
//! it speaks for it, does not know it when asked for it, or gives it to somebody else.
//!
//! Safe to run again: a row is compared with what is stored before it is written; each page is a transaction; the
//! requests of all processes are counted in one place before they are sent; a run that had to stop saves where the next
//! one continues.
//!
//! Leaves alone: the fields of a visit that the clinic's people write, and its status once they have changed it; visits
//! that somebody else holds; and appointments of which it cannot tell whose they are, which wait for a person
//! (`practiceq_unmatched`).
//!
//! `session` runs the steps. It calls `scope` and `clients` (whose appointments), `plan` and `query` (which lists), `fetch`
//! with `rate_limit`, `progress` and `pages` (the requests), `store` with `seen` (the pages), `deletions` with
//! `contradictions`, and `log` with `outcome`.
//! `event` reads what a webhook sent, and `inbox` keeps it before the run begins.

mod clients;
mod contradictions;
mod deletions;
mod done;
mod end;
mod event;
mod fetch;
mod inbox;
mod lane;
mod log;
mod outcome;
mod pages;
mod plan;
mod progress;
mod query;
mod rate_limit;
mod report;
mod scope;
mod seen;
mod session;
mod store;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use clap::{ArgGroup, Args};
use reqwest::Url;
use serde::Serialize;
use tokio_postgres::Transaction;

use self::inbox::{Due, Events};
use self::lane::Lane;
use self::query::WindowDays;
use self::rate_limit::RateLimits;
use self::report::Report;
use self::session::{Session, Task};
use crate::arg::{positive_duration, whole};
use crate::clients::base;
use crate::clients::practiceq::PracticeQ;
use crate::clinic::actor::{ADMIN, SUPERVISORS};
use crate::clinic::local_time::before;
use crate::db::{Db, Key, Limits, statements};
use crate::error::{Error, ErrorKind};
use crate::file;
use crate::run::{ByHand, Coverage, Halt, Job, Reach, Run, RunArgs, as_text};
use crate::schedule;

pub use self::deletions::take_out;
pub use self::store::StoreContext;

statements! {
    of clients, contradictions, deletions, inbox, log, plan, query, rate_limit, scope, store;
}

/// The time limit of a run for which a person waits.
const BY_HAND_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Bring the appointments of an IntakeQ/PracticeQ account; without a choice, all of the window
#[derive(Args, Serialize)]
#[command(group = ArgGroup::new("what").args(["incremental", "patient", "organization", "appointment", "event", "inbox"]))]
pub struct SyncPracticeq {
    /// Only what changed since the last time, and what was deleted
    #[arg(long)]
    pub incremental: bool,
    /// Only this patient, now
    #[arg(long, value_name = "PATIENT_ID")]
    pub patient: Option<Key>,
    /// Only the patients of this organization, now
    #[arg(long, value_name = "ORGANIZATION_ID")]
    pub organization: Option<Key>,
    /// Only this appointment, by the account's id of it
    #[arg(long, value_name = "EXTERNAL_ID", value_parser = external_id)]
    pub appointment: Option<String>,
    /// Only the appointment of this event and of those that wait: the body of a webhook, of which only the id is trusted;
    /// - is the standard input
    #[arg(long, value_name = "PATH")]
    pub event: Option<PathBuf>,
    /// Only the appointments of the events that wait in practiceq_inbox
    #[arg(long)]
    pub inbox: bool,
    /// The appointment of --event, once it was read.
    #[arg(skip)]
    #[serde(skip)]
    event_id: OnceLock<String>,
    /// Where the API is
    #[arg(long, env = "ROUNDS_PRACTICEQ_URL", hide_env_values = true, value_name = "URL", default_value = "https://intakeq.com/api/v1/", value_parser = base)]
    #[serde(skip)]
    pub base_url: Url,
    /// The key of the account's API, only as the variable: on the command line it is refused
    #[arg(long, env = "ROUNDS_PRACTICEQ_KEY", hide_env_values = true, value_name = "KEY", hide = true)]
    #[serde(skip)]
    pub api_key: Option<String>,
    /// File that holds the key of the account's API, such as a mounted secret; instead of ROUNDS_PRACTICEQ_KEY
    #[arg(long, env = "ROUNDS_PRACTICEQ_KEY_FILE", value_name = "PATH")]
    #[serde(skip)]
    pub api_key_file: Option<PathBuf>,
    /// How many days before today the window begins
    #[arg(long, env = "ROUNDS_PRACTICEQ_BACK_DAYS", value_name = "DAYS", default_value_t = 90, value_parser = whole::<u32>(0..=3650))]
    pub back_days: u32,
    /// How many days after today the window ends
    #[arg(long, env = "ROUNDS_PRACTICEQ_AHEAD_DAYS", value_name = "DAYS", default_value_t = 90, value_parser = whole::<u32>(0..=3650))]
    pub ahead_days: u32,
    /// Queue nothing for a person whose visit began longer ago: `rounds prune` forgets it then
    #[arg(long, env = "ROUNDS_KEEP_UNMATCHED", value_name = "DURATION", default_value = "30d")]
    #[arg(value_parser = positive_duration)]
    #[serde(serialize_with = "as_text")]
    pub keep_unmatched: Duration,
    #[command(flatten)]
    pub limits: RateLimits,
}

impl Job for SyncPracticeq {
    const NAME: &'static str = "sync-practiceq";
    const TELLS: bool = true;
    type Report = Report;
    const ASKS: Option<&'static str> = Some("the PracticeQ account");

    fn lane(&self) -> String {
        self.requested_lane().to_string()
    }

    fn coverage(&self) -> Coverage {
        match self.requested_lane() {
            Lane::Full | Lane::Incremental => Coverage::Brought,
            Lane::Patient(_) | Lane::Organization(_) | Lane::Appointment(_) | Lane::Inbox => Coverage::Named,
        }
    }

    fn reach(&self) -> Reach<'_> {
        match self.requested_lane() {
            Lane::Patient(_) | Lane::Organization(_) => Reach::Named,
            // Whose a single appointment is shows only when it is read.
            Lane::Full | Lane::Incremental | Lane::Appointment(_) | Lane::Inbox => Reach::Group,
        }
    }

    fn roles(&self) -> &'static [&'static str] {
        match self.requested_lane() {
            Lane::Patient(_) | Lane::Organization(_) => &[ADMIN, "SUPERVISOR", "CASE_MANAGER"],
            Lane::Full | Lane::Incremental | Lane::Appointment(_) | Lane::Inbox => SUPERVISORS,
        }
    }

    fn by_hand(&self) -> Option<ByHand> {
        match self.requested_lane() {
            Lane::Patient(_) => Some(ByHand::Act("--patient")),
            Lane::Organization(_) => Some(ByHand::Act("--organization")),
            Lane::Appointment(_) => Some(ByHand::Act("--appointment")),
            Lane::Full | Lane::Incremental | Lane::Inbox => None,
        }
    }

    /// An event is kept also where there is no key to ask by.
    fn check(&self, _run: &RunArgs) -> Result<(), Error> {
        if self.event.is_some() { Ok(()) } else { self.key().map(drop) }
    }

    async fn receive(&self, db: &Db, limits: Limits, dry_run: bool) -> Result<(), Error> {
        let Some(path) = &self.event else { return Ok(()) };
        // This may be tried again, and the standard input is read once.
        let id = match self.event_id.get() {
            Some(id) => id,
            None => {
                let id = event::appointment_of(path).await?;
                self.event_id.get_or_init(|| id)
            }
        };
        // If it is kept twice, it is asked for once all the same.
        if dry_run { Ok(()) } else { inbox::keep(db, limits, id).await }
    }

    async fn time_limit(&self, _tx: &Transaction<'_>) -> Result<Option<Duration>, Error> {
        let lane = self.requested_lane();
        let is_scheduled = schedule::has(Self::NAME, &lane.to_string());
        Ok((lane.is_by_hand() || (lane == Lane::Inbox && !is_scheduled)).then_some(BY_HAND_LIMIT))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let lane = self.requested_lane();
        let due = if lane == Lane::Inbox { self.due(run).await? } else { vec![] };
        if lane == Lane::Inbox && due.is_empty() {
            report.events = Some(Events { done: 0, waiting: inbox::waiting(run).await? });
            return Ok(());
        }
        let task = Task {
            lane,
            window_days: WindowDays { back: self.back_days, ahead: self.ahead_days },
            api: PracticeQ::new(&self.base_url, &self.key()?)?,
            limits: &self.limits,
            queued_from: before(run.now, self.keep_unmatched),
            due,
        };
        Session::open(run, task, report).await?.run().await
    }
}

impl SyncPracticeq {
    fn requested_lane(&self) -> Lane {
        match (&self.patient, &self.organization, &self.appointment) {
            (Some(id), ..) => Lane::Patient(id.clone()),
            (_, Some(id), _) => Lane::Organization(id.clone()),
            (.., Some(id)) => Lane::Appointment(id.clone()),
            _ if self.inbox || self.event.is_some() => Lane::Inbox,
            _ if self.incremental => Lane::Incremental,
            _ => Lane::Full,
        }
    }

    /// The appointments of the events that are due; in a dry run, which keeps none, also that of its own event.
    async fn due(&self, run: &Run) -> Result<Vec<Due>, Halt> {
        let mut due = inbox::due(run).await?;
        let own = self.event_id.get().filter(|_| run.dry_run());
        if let Some(id) = own.filter(|id| due.iter().all(|due| due.external_id != **id)) {
            due.push(Due { external_id: id.clone(), events: vec![] });
        }
        Ok(due)
    }

    fn key(&self) -> Result<String, Error> {
        let refuse = |message: String| Err(Error::new("CONFIGURATION", ErrorKind::Refused, message));
        let key = file::secret(
            ("ROUNDS_PRACTICEQ_KEY", self.api_key.as_ref()),
            ("--api-key-file", self.api_key_file.as_deref()),
        );
        let key = match key {
            Ok(Some(key)) => key,
            Ok(None) => return refuse("no key: set ROUNDS_PRACTICEQ_KEY or --api-key-file".into()),
            Err(why) => return refuse(why),
        };
        let key = key.trim();
        let readable = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if readable { Ok(key.to_owned()) } else { refuse("the key of the account is empty, or none".into()) }
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
