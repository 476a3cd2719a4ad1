//! `rounds advance-billing`: advances surgical cases to the next status towards being paid.
//!
//! Rule: a case is due if and only if it is active, its status is the one that the stage begins with, and at least
//! `--min-dwell` has passed since this job itself brought it to that status; so two timers that catch up together after
//! an outage cannot advance it by two steps.
//!
//! Safe to run again: an advanced case has another status, the change compares the status, and the history of a case
//! records the run that changed it. The permitted steps are rows of `surgical_case_transitions`; any other step needs
//! `--force`.
//!
//! Leaves alone: cases within their dwell time (`skipped: dwell`), and cases that stay locked although their lock is
//! waited for. More cases than usual need a person's confirmation: see `limit`. The history of a case that the
//! application deletes stays.

mod by_hand;
mod case_list;
mod explain;
mod money;
mod outlook;
mod report;
mod stage;
pub mod stages;
mod step;

use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::arg::{duration, whole};
use crate::clinic::actor::{ADMIN, refused};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{ByHand, Coverage, FacilityArgs, Halt, Job, Reach, Run, RunArgs, Source, as_text};
use by_hand::Request;
use case_list::{CaseFile, Requested, case_list};
use outlook::{Outlook, brake};
use report::{Report, warn_of};
use stage::{CASE, Stage};
pub use step::WORTH;

const BILLING: &str = "BILLING";

statements! {
    of by_hand, outlook, step;
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
    #[arg(long, env = "ROUNDS_MIN_DWELL", value_name = "DURATION", value_parser = duration)]
    #[serde(serialize_with = "as_text")]
    pub min_dwell: Option<Duration>,
    /// Allow up to N cases in this run: instead of the brake, which is 5 times the median of the stage's last 8 runs that
    /// moved something, at least 50, or --max-items
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1..=10_000_000))]
    pub confirm_items: Option<u32>,
    /// Only these cases, in this order, at most 10000; says of each what became of it
    #[arg(long, value_name = "CASE_ID", num_args = 1.., value_delimiter = ',', allow_negative_numbers = true)]
    #[serde(skip)]
    pub case: Vec<Key>,
    /// Case ids from a file, with spaces, commas or lines between; # begins a comment
    #[arg(long, value_name = "PATH", value_parser = case_list::read)]
    #[serde(skip)]
    pub cases_file: Option<CaseFile>,
    /// The status that the cases are to have, instead of the stage's
    #[arg(long, value_name = "STATUS", requires = "cases", allow_negative_numbers = true)]
    #[arg(value_parser = whole::<i32>(0..=i32::MAX))]
    pub to: Option<i32>,
    /// Do it also where no transition leads there, or backwards; needs --to, and an --actor whose role is BILLING
    #[arg(long, requires = "to")]
    pub force: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

impl Job for AdvanceBilling {
    const NAME: &'static str = "advance-billing";
    const TELLS: bool = false;
    type Report = Report;

    fn lane(&self) -> String {
        match self.stage {
            Some(stage) if !self.is_by_hand() => stage.name(),
            _ => by_hand::LANE,
        }
        .to_owned()
    }

    fn coverage(&self) -> Coverage {
        if self.is_by_hand() { Coverage::Named } else { Coverage::All }
    }

    fn reach(&self) -> Reach<'_> {
        if self.is_by_hand() { Reach::Named } else { self.only.reach() }
    }

    fn roles(&self) -> &'static [&'static str] {
        if self.force { &[BILLING] } else { &[ADMIN, "SUPERVISOR", BILLING] }
    }

    fn by_hand(&self) -> Option<ByHand> {
        let acts = [
            (!self.case.is_empty(), "--case"),
            (self.cases_file.is_some(), "--cases-file"),
            (self.confirm_items.is_some(), "--confirm-items"),
        ];
        let act = acts.into_iter().find_map(|(is_given, option)| is_given.then_some(ByHand::Act(option)));
        self.force.then_some(ByHand::Word("--force")).or(act)
    }

    fn check(&self, run: &RunArgs) -> Result<(), Error> {
        let usage = |message: &str| Err(refused("USAGE", message.to_owned()));
        if self.is_by_hand() && self.stage.is_none() && self.to.is_none() {
            return usage("--case and --cases-file need --stage, or --to STATUS");
        }
        if self.is_by_hand() && self.only.facility.is_some() {
            return usage("--facility is of the stages: --case and --cases-file name the cases");
        }
        if self.force && run.source != Source::Manual {
            return usage("--force is a person's word: no scheduled source (--source, ROUNDS_SOURCE) can give it");
        }
        if self.is_by_hand() { self.cases().map(drop) } else { Ok(()) }
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        report.began = Some(Instant::now());
        let outcome = match self.stage {
            Some(stage) if !self.is_by_hand() => self.advance(run, stage, report).await,
            _ => self.advance_by_hand(run, report).await,
        };
        report.log(run.lane());
        outcome
    }
}

impl AdvanceBilling {
    fn is_by_hand(&self) -> bool {
        !self.case.is_empty() || self.cases_file.is_some()
    }

    /// Whether the arguments name neither a stage nor cases.
    pub fn selects_nothing(&self) -> bool {
        self.stage.is_none() && !self.is_by_hand()
    }

    async fn advance(&self, run: &Run, stage: Stage, report: &mut Report) -> Result<(), Halt> {
        let confirmed = self.confirm_items.or(run.max_items());
        let scan = async |tx: &Transaction<'_>| {
            let outlook = Outlook::of(tx, run.now, stage, self.min_dwell, confirmed, run.facility()).await?;
            // Cases that wait after a refusal do not count for the brake. Far above the limit they are not looked at
            // closely.
            let waiting = run.waiting() as u64;
            let exceeds = outlook.exceeds_limit(waiting);
            if exceeds && !run.dry_run() {
                return Ok((outlook, vec![], vec![], waiting));
            }
            // A dry run shows what is due beyond the brake.
            let beyond = if exceeds { run.scan_limit().unsigned_abs() } else { 0 };
            let ids = outlook.ids(tx, run.now, waiting.max(beyond)).await?;
            let waiting = ids.len() - run.to_try(CASE, "", &ids);
            let held_back = outlook.held_back_ids(tx, run.now).await?;
            Ok((outlook, ids, held_back, waiting as u64))
        };
        let (outlook, ids, held_back, waiting) = run.read("looking for cases that are due", scan).await?;
        if outlook.exceeds_limit(waiting) {
            report.scanned = outlook.held_back + outlook.due;
            let due = outlook.due - waiting;
            run.stop_at(brake(due, outlook.limit, &format!(", worth {} in all", outlook.worth)))?;
        }
        report.scanned = outlook.held_back + ids.len() as u64;
        report.not_done.skip("dwell", outlook.held_back);
        let reason = "held back: this job brought it to this status less than the dwell time ago";
        warn_of(run.id, held_back.iter().map(|id| (id, reason)), outlook.held_back);
        let locked = outlook.step.apply(run, &ids, run.facility(), report).await?;
        if !ids.is_empty() && locked.len() == ids.len() {
            let message = "every case that is due is held by somebody else, or the table is; nothing was changed. \
                           Run it again when that is over (pg_locks)";
            return Err(Error::new("55P03", ErrorKind::Other, message).into());
        }
        Ok(())
    }

    async fn advance_by_hand(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let request = Request {
            stage: self.stage,
            to: self.to,
            force: self.force,
            min_dwell: self.min_dwell,
            confirmed: self.confirm_items.or(run.max_items()),
            ids: self.cases()?,
        };
        by_hand::advance(&request, run, report).await
    }

    /// The requested ids.
    fn cases(&self) -> Result<Vec<Requested>, Error> {
        case_list(&self.case, self.cases_file.as_ref())
    }
}
