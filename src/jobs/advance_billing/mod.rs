//! `rounds advance-billing`: surgical cases take their next step towards being paid.
//!
//! Rule: a case is due if and only if it is active, its status is the one that the stage begins with, and at least
//! `--min-dwell` has passed since this job itself brought it to that status; so two timers that catch up together after an
//! outage cannot carry it two steps.
//!
//! Safe to run again: what was moved has another status; the change compares the status, and the history of a case says who
//! moved it. What the job may do are rows of `surgical_case_transitions`; nothing else is done without `--force`.
//!
//! Leaves alone: cases that it brought here lately (`skipped: dwell`), and cases that somebody holds even when they are waited
//! for. More than usual is not moved without a person's word: see `limit`.

mod stages;
mod bulk;
mod money;
mod report;
mod step;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

pub use self::stages::Stages;
use crate::clinic::actor::{ADMIN, refused};
use crate::error::{ErrorKind, Error};
use crate::run::{Halt, Job, Run, RunArgs, Source, as_text, count};
use money::Cents;
use report::Report;
use step::Step;

crate::db::statements! {}

const CANDIDATES: &str = include_str!("candidates.part.sql");
const BILLING: &str = "BILLING";
/// The lane of what a person asks for by id: it is no run of a stage, and must not be taken for one.
const BY_HAND: &str = "by-hand";

/// Whether the job itself brought a candidate `c` here less than so long ago, as a condition; `least` is that time.
fn held_back(least: &str) -> String {
    format!(include_str!("recently_moved.part.sql"), least = least)
}

/// The rule.
fn due() -> String {
    format!("{CANDIDATES}  AND NOT\n{}", held_back("$3"))
}

/// A step that a scheduler has cases take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    // No doc comments: they would make the whole help long.
    PendingPayment,
    Paid,
}

impl Stage {
    pub const ALL: [Self; 2] = [Self::PendingPayment, Self::Paid];

    pub fn name(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending-payment",
            Self::Paid => "paid",
        }
    }
}

/// Move surgical cases one step towards being paid; without --stage, say what each stage would do now
#[derive(Args, Debug, Serialize)]
#[command(group = ArgGroup::new("cases").args(["case", "cases_file"]).multiple(true))]
pub struct AdvanceBilling {
    /// The step: pending-payment (10 -> 15) or paid (15 -> 20); there is no default that moves money
    #[arg(long, value_enum)]
    pub stage: Option<Stage>,
    /// Leave alone what this job itself brought to a stage less than this long ago [default: 24h for paid, 0s for
    /// pending-payment]
    #[arg(long, env = "ROUNDS_MIN_DWELL", value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(serialize_with = "as_text")]
    pub min_dwell: Option<Duration>,
    /// Yes, up to so many cases: instead of the brake, which is 5 times the median of the stage's last 8 runs that moved
    /// something, at least 50, or --max-items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub confirm_items: Option<u32>,
    /// Only these cases, in this order, at most 10000; says of each what became of it
    #[arg(long, value_name = "CASE_ID", num_args = 1.., value_delimiter = ',', allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..))]
    #[serde(skip)]
    pub case: Vec<i64>,
    /// The same from a file: ids with spaces, commas or lines between; # begins a comment
    #[arg(long, value_name = "PATH", value_parser = bulk::read)]
    #[serde(skip)]
    pub cases_file: Option<bulk::Cases>,
    /// The status that the cases are to have, instead of the stage's
    #[arg(long, value_name = "STATUS", requires = "cases", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..))]
    pub to: Option<i32>,
    /// Do it also where no transition leads there, or backwards; needs --to, and an --actor whose role is BILLING
    #[arg(long, requires = "to")]
    pub force: bool,
}

impl Job for AdvanceBilling {
    const NAME: &'static str = "advance-billing";
    type Report = Report;

    fn lane(&self) -> String {
        match self.stage {
            Some(stage) if !self.is_bulk() => stage.name(),
            _ => BY_HAND,
        }
        .to_owned()
    }

    fn roles(&self) -> &'static [&'static str] {
        if self.force { &[BILLING] } else { &[ADMIN, "SUPERVISOR", BILLING] }
    }

    fn check(&self, run: &RunArgs) -> Result<(), Error> {
        let usage = |message: &str| Err(refused("USAGE", message.to_owned()));
        if self.is_bulk() && self.stage.is_none() && self.to.is_none() {
            return usage("--case and --cases-file need --stage, or --to STATUS");
        }
        if self.force && run.source != Source::Manual {
            return usage("--force is a person's word: no scheduled source (--source, ROUNDS_SOURCE) can give it");
        }
        if self.force && run.common.actor.is_none() {
            return usage("--force needs an --actor whose role is BILLING");
        }
        if self.is_bulk() { self.cases().map(drop) } else { Ok(()) }
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        report.began = Some(Instant::now());
        let outcome = match self.stage {
            Some(stage) if !self.is_bulk() => self.advance(run, stage, report).await,
            _ => bulk::advance(self, run, report).await,
        };
        report.log(&self.lane());
        outcome
    }
}

/// What a run of a stage would do.
pub struct Outlook {
    pub step: Step,
    pub due: u64,
    pub worth: Cents,
    pub held_back: u64,
    /// How many it may move without a person's word.
    pub limit: u32,
}

impl AdvanceBilling {
    fn is_bulk(&self) -> bool {
        !self.case.is_empty() || self.cases_file.is_some()
    }

    /// Whether it says nothing of what is to be done.
    pub fn is_bare(&self) -> bool {
        self.stage.is_none() && !self.is_bulk()
    }

    async fn advance(&self, run: &Run, stage: Stage, report: &mut Report) -> Result<(), Halt> {
        let confirmed = self.confirm_items.or(run.max_items());
        let scan = async |tx: &Transaction<'_>| {
            let outlook = self.outlook(tx, run.now, stage, confirmed).await?;
            let ids = if outlook.is_too_much() { vec![] } else { outlook.ids(tx, run.now).await? };
            Ok((outlook, ids))
        };
        let (outlook, ids) = run.read("looking for cases that are due", scan).await?;
        if outlook.is_too_much() {
            report.scanned = outlook.held_back + outlook.due;
            return Err(brake(outlook.due, outlook.limit, &format!(", worth {} in all", outlook.worth)));
        }
        report.scanned = outlook.held_back + ids.len() as u64;
        report.not_done.skip("dwell", outlook.held_back);
        let locked = outlook.step.take(run, &ids, report).await?;
        if !ids.is_empty() && locked.len() == ids.len() {
            let message = "every case that is due is held by somebody else, or the table is; nothing was changed. Run it again \
                           when that is over (pg_locks)";
            return Err(Error::new("55P03", ErrorKind::Other, message).into());
        }
        Ok(())
    }

    /// Looks at a stage; `confirmed` is how many cases a person, or the configuration, allows.
    pub async fn outlook(
        &self,
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        stage: Stage,
        confirmed: Option<u32>,
    ) -> Result<Outlook, Error> {
        let step = Step::of(tx, stage, self.min_dwell).await?;
        let worth = format!(
            "SELECT count(*) AS cases, (COALESCE(sum(c.pay_amount), 0) * 100)::bigint AS cents FROM surgical_cases c\n{}",
            due()
        );
        let worth = tx.query_typed_one(&worth, &step.rule(&now)).await?;
        let held_back =
            format!("SELECT count(*) AS cases FROM surgical_cases c\n{CANDIDATES}  AND\n{}", held_back("$3"));
        let held_back = tx.query_typed_one(&held_back, &step.rule(&now)).await?;
        let limit = limit(tx, stage.name(), confirmed).await?;
        Ok(Outlook {
            step,
            due: count(&worth, "cases"),
            worth: Cents::of(&worth),
            held_back: count(&held_back, "cases"),
            limit,
        })
    }
}

impl Outlook {
    /// Whether more is due than may be moved.
    pub fn is_too_much(&self) -> bool {
        self.due > u64::from(self.limit)
    }

    /// The ids of the cases that are due; no more than may be moved.
    async fn ids(&self, tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<Vec<i64>, Error> {
        let scan = format!("SELECT c.id FROM surgical_cases c\n{}ORDER BY c.id LIMIT $4", due());
        let limit = i64::from(self.limit);
        let mut parameters = self.step.rule(&now);
        parameters.push((&limit, Type::INT8));
        Ok(tx.query_typed(&scan, &parameters).await?.iter().map(|row| row.get(0)).collect())
    }
}

/// How many cases may move: what was confirmed, or five times what is usual, at least 50.
async fn limit(tx: &Transaction<'_>, lane: &str, confirmed: Option<u32>) -> Result<u32, Error> {
    if let Some(confirmed) = confirmed {
        return Ok(confirmed);
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&AdvanceBilling::NAME, Type::TEXT), (&lane, Type::TEXT)];
    let usual = tx.query_typed_one(include_str!("usual_items.sql"), &parameters).await?;
    Ok(u32::try_from(count(&usual, "cases")).unwrap_or(u32::MAX))
}

fn brake(due: u64, limit: u32, worth: &str) -> Halt {
    let message = format!(
        "{due} cases are due{worth}, and at most {limit} may move unasked; nothing was changed. Look at them with --dry-run \
         --confirm-items {due}; if they are right, run once with --confirm-items {due}"
    );
    Halt::Brake { message, news: true }
}
