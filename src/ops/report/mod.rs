//! `rounds report`: what the jobs and the clinic did in a period, for a director: a page to forward, text or JSON.
//!
//! `lanes`, `visits`, `work` and `business` read the figures, each question by a statement of its own that adds up in the
//! database and finds the period by an index. `jobs_view` and `clinic_view` say what a reader sees of them, `sentences` the
//! first lines; `text` and `page` write it. Nothing in it names a patient, and doctors have names only with `--names`.

mod business;
mod business_view;
mod clinic_view;
mod jobs_view;
mod lanes;
mod page;
mod period;
mod section;
mod sentences;
mod text;
mod view;
mod visits;
mod words;
mod work;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::Transaction;

use crate::arg::duration_within;
use crate::clinic::local_time::known_zones;
use crate::command::{CommandContext, Operation, Output};
use crate::db::statements;
use crate::error::{Error, ErrorKind, file_error};
use crate::file::replace;
use crate::output::stamp;
use crate::schedule::ZoneArgs;
use crate::time_zone::Tz;
pub use business::per_day_max;
use business::{Messages, Money, Registry, Requests};
use lanes::Jobs;
use period::Period;
use section::Section;
use view::View;
use visits::{NoShows, Waits};
use work::{Alerts, Queue};

statements! {
    of business, lanes, visits, work;
}

/// The shortest period, and the longest: beyond it runs are pruned.
const HOUR: Duration = Duration::from_secs(3600);
const SINCE_MAX: Duration = Duration::from_secs(400 * 24 * 3600);

/// The page is of the person who asked for it.
const MODE: u32 = 0o600;

/// Write a report on jobs and clinic: a page to forward (--html), text or JSON
///
/// It reads only, names no patient, and has doctors by id unless --names is given. Each section says which rows it counts;
/// one whose tables are not there, or may not be read, is left out with a line that says why. docs/report.md explains the
/// figures.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// How far back it goes
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = since)]
    since: Duration,
    /// Write the page to this file: one file without scripts, which loads nothing from anywhere
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Set as much time before the period beside it
    #[arg(long)]
    compare: bool,
    /// Doctors by their names
    #[arg(long)]
    names: bool,
    #[command(flatten)]
    zone: ZoneArgs,
}

/// All figures.
#[derive(Serialize)]
struct Report {
    generated_at: String,
    sentences: Vec<String>,
    period: Figures,
    /// As much time before, with --compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Figures>,
    /// What is open at the end of the period.
    cases: Section<Queue>,
    tickets: Section<Queue>,
    /// The no-shows of as much time before, which the first sentences compare with.
    #[serde(skip)]
    no_shows_before: Option<visits::Share>,
}

/// The figures of a period.
#[derive(Serialize)]
struct Figures {
    #[serde(flatten)]
    period: Period,
    jobs: Section<Jobs>,
    no_shows: Section<NoShows>,
    waits: Section<Waits>,
    alerts: Section<Alerts>,
    money: Section<Money>,
    requests: Section<Requests>,
    messages: Section<Vec<Messages>>,
    registry: Section<Registry>,
}

impl Operation for ReportArgs {
    const NAME: &'static str = "report";
    /// A dozen questions, of which each has the time of any command's statement.
    const LIMIT: Duration = Duration::from_secs(300);

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let zone = self.zone.zone()?;
        let report = context.read(async |tx, now| self.read(tx, zone, now).await).await?;
        let views = report.views();
        let mut text = text::write(&report, &views);
        if let Some(path) = &self.html {
            write(path, &page::write(&report, &views))?;
            text.push_str(&format!("\nThe page is {}.\n", path.display()));
        }
        let mut json = json!(report);
        json["html"] = json!(self.html);
        Ok(Output::done(json, text))
    }
}

impl ReportArgs {
    /// A report for the end of the demo.
    #[cfg(feature = "demo")]
    pub fn of_demo(html: PathBuf) -> Self {
        Self {
            since: Duration::from_secs(30 * 24 * 3600),
            html: Some(html),
            compare: false,
            names: false,
            zone: ZoneArgs::default(),
        }
    }

    async fn read(&self, tx: &Transaction<'_>, zone: Tz, now: DateTime<Utc>) -> Result<Report, Error> {
        // The server's list of zones is not ours.
        let is_known = !known_zones(tx, BTreeSet::from([zone.name().to_owned()])).await?.is_empty();
        let zone = if is_known { zone } else { Tz::UTC };
        let period = Period::before(now, self.since, zone);
        let figures = Figures::read(tx, period, true, self.names).await?;
        let before = match self.compare {
            true => Some(Figures::read(tx, period.one_before(), false, self.names).await?),
            false => None,
        };
        let no_shows_before = match &before {
            Some(before) => before.no_shows.told().map(|of| of.total.clone()),
            None => {
                let read = async || NoShows::read(tx, &period.one_before(), false).await;
                Section::read(tx, "no-shows before", read).await?.told().map(|of| of.total.clone())
            }
        };
        let cases = async || Queue::read(tx, &work::CASES, now, &clinic_view::LEVELS).await;
        let tickets = async || Queue::read(tx, &work::TICKETS, now, &clinic_view::PRIORITIES).await;
        let mut report = Report {
            generated_at: stamp(now),
            sentences: vec![],
            period: figures,
            before,
            cases: Section::read(tx, "cases", cases).await?,
            tickets: Section::read(tx, "tickets", tickets).await?,
            no_shows_before,
        };
        report.sentences = sentences::of(&report);
        Ok(report)
    }
}

impl Figures {
    async fn read(tx: &Transaction<'_>, period: Period, is_now: bool, with_names: bool) -> Result<Self, Error> {
        let (of, zone) = (&period, period.zone.name());
        Ok(Self {
            jobs: Section::read(tx, "jobs", async || Jobs::read(tx, of, is_now).await).await?,
            no_shows: Section::read(tx, "no-shows", async || NoShows::read(tx, of, with_names).await).await?,
            waits: Section::read(tx, "waits", async || Waits::read(tx, of).await).await?,
            alerts: Section::read(tx, "alerts", async || Alerts::read(tx, of).await).await?,
            money: Section::read(tx, "money", async || Money::read(tx, of, zone).await).await?,
            requests: Section::read(tx, "requests", async || Requests::read(tx, of, zone).await).await?,
            messages: Section::read(tx, "messages", async || business::messages(tx, of).await).await?,
            registry: Section::read(tx, "registry", async || Registry::read(tx, of).await).await?,
            period,
        })
    }
}

impl Report {
    /// What a reader sees, in order.
    fn views(&self) -> Vec<View> {
        let (now, before) = (&self.period, self.before.as_ref());
        vec![
            jobs_view::jobs(now, before),
            clinic_view::no_shows(&now.no_shows, before.map(|before| &before.no_shows)),
            clinic_view::waits(&now.waits, before.map(|before| &before.waits)),
            clinic_view::alerts(&now.alerts, before.map(|before| &before.alerts)),
            clinic_view::queue(clinic_view::cases_view(), &self.cases),
            clinic_view::queue(clinic_view::tickets_view(), &self.tickets),
            business_view::money(&now.money, before.map(|before| &before.money)),
            business_view::messages(&now.messages, before.map(|before| &before.messages)),
            business_view::requests(&now.requests),
            business_view::registry(&now.registry),
        ]
    }
}

/// Writes the page: as a whole, or not at all.
fn write(path: &Path, page: &str) -> Result<(), Error> {
    replace(path, page.as_bytes(), MODE).map_err(|error| {
        let message = format!("--html {}: {}; no page was written", path.display(), file_error(&error));
        Error::new("PAGE_NOT_WRITTEN", ErrorKind::Refused, message)
    })
}

/// How far back a report may go.
fn since(text: &str) -> Result<Duration, String> {
    duration_within(text, HOUR..=SINCE_MAX)
}
