//! `--explain ID` of the jobs that judge rows: why a run did something with a row, or did not, or when it would.
//!
//! A job says what it finds of a row (`Judge`); everything else is here. `due` is the job's own rule in SQL, never a
//! second writing of it. So is the instant at which a row would be due: of the instants that the job proposes it is the
//! first at which the rule itself says so.

mod history;
mod judgement;

use clap::Args;
use serde_json::json;
use tokio_postgres::Transaction;

use crate::arg::whole;
use crate::clinic::actor::refused;
use crate::clinic::facility;
use crate::command::look::{Look, Zones};
use crate::command::{CommandContext, Mode, Operation, Output};
use crate::db::Key;
use crate::error::Error;
use crate::run::{Item, Job, JobArgs, Reach, Records};

pub use history::Event;
pub use judgement::{Judgement, Verdict};

/// The number of items that `--list` without a number lists.
const LISTED: &str = "20";

// Options of every job that judges rows. A doc comment would become the help of each.
#[derive(Args, Debug, Default)]
pub struct ExplainArgs {
    /// With --dry-run: list the first N items that the run would change, each with its local time and the reason
    /// [default: 20]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = LISTED, conflicts_with = "explain")]
    #[arg(value_parser = whole::<u32>(1..=1000))]
    pub list: Option<u32>,
    /// Change nothing: say why a run with these options does something with this row, or does not, or when it would
    #[arg(long, value_name = "ID")]
    pub explain: Option<Key>,
}

/// What a job judges, in the words of people.
pub struct Kind {
    /// As in "there is no case 7".
    pub name: &'static str,
    /// The key of its id in JSON.
    pub key: &'static str,
    /// The error code of an id that no row has.
    pub unknown: &'static str,
}

impl Kind {
    pub const VISIT: Self = Self { name: "visit", key: "appointment_id", unknown: "UNKNOWN_APPOINTMENT" };
    pub const CASE: Self = Self { name: "case", key: "case_id", unknown: "UNKNOWN_CASE" };
    pub const TICKET: Self = Self { name: "ticket", key: "ticket_id", unknown: "UNKNOWN_TICKET" };
}

/// A job that judges rows: whether it would do something with one, and why.
pub trait Judge: Job {
    const KIND: Kind;
    /// What it reads once for all rows.
    type Scope;

    /// The options of its arguments.
    fn asked(&self) -> &ExplainArgs;

    async fn scope(&self, tx: &Transaction<'_>) -> Result<Self::Scope, Error>;

    /// What it finds of a row at `look.now`; None if no row has the id.
    async fn judge(&self, look: &Look<'_>, scope: &Self::Scope, id: &Key) -> Result<Option<Judgement>, Error>;

    /// What it finds of an item of a run: of the verdicts on its row at least the one that is about it.
    async fn judge_item(
        &self,
        look: &Look<'_>,
        scope: &Self::Scope,
        id: &Key,
        _item: &Item,
    ) -> Result<Option<Judgement>, Error> {
        self.judge(look, scope, id).await
    }

    /// Whether the verdict would be that it is due at `look.now`. A job whose rows have many verdicts asks for this one
    /// alone.
    async fn is_due(&self, look: &Look<'_>, scope: &Self::Scope, id: &Key, verdict: &Verdict) -> Result<bool, Error> {
        let then = self.judge(look, scope, id).await?;
        Ok(then.is_some_and(|then| then.verdict(&verdict.item, &verdict.name).is_some_and(|then| then.due)))
    }

    /// What it did with the row, in the order of time.
    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error>;

    /// The row that an item of a run is about. None if it is gone.
    async fn row_of(&self, _look: &Look<'_>, item: &Item) -> Result<Option<Key>, Error> {
        Ok(Some(Key::from(item.id.clone())))
    }
}

/// The job with its arguments, and the row to be explained.
pub struct Explain<J> {
    job: J,
    id: Key,
}

impl<J: Judge + Args> Mode for Explain<J> {
    type Job = J;

    fn of(args: Box<JobArgs<J>>) -> Result<Self, Box<JobArgs<J>>> {
        match args.job.asked().explain.clone() {
            Some(id) => Ok(Self { job: args.job, id }),
            None => Err(args),
        }
    }
}

impl<J: Judge> Operation for Explain<J> {
    const NAME: &'static str = J::NAME;

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let zones = Zones::default();
        let explained = context.read(async |tx, now| self.explained(&Look::new(tx, now, &zones)).await).await?;
        let Some(Explained { judged, events, records }) = explained else {
            return Err(refused(J::KIND.unknown, format!("there is no {} {}", J::KIND.name, self.id)));
        };
        let due_at = judged.verdicts.iter().filter_map(|verdict| verdict.due_at).min();
        let paragraph = judged.text(&events, &records);
        let json = json!({
            J::KIND.key: judged.id,
            "due": judged.verdicts.iter().any(|verdict| verdict.due),
            "due_at": due_at.map(judgement::exact),
            "explanation": paragraph,
            "verdicts": judged.verdicts.iter().map(|verdict| verdict.json(&records)).collect::<Vec<_>>(),
            "history": events.iter().map(|event| event.json.clone()).collect::<Vec<_>>(),
        });
        Ok(Output::done(json, paragraph + "\n"))
    }
}

/// A row, judged, with what happened to it before.
struct Explained {
    judged: Judgement,
    events: Vec<Event>,
    records: Records,
}

impl<J: Judge> Explain<J> {
    async fn explained(&self, look: &Look<'_>) -> Result<Option<Explained>, Error> {
        let scope = self.job.scope(look.tx).await?;
        // After a text that is no key the transaction is over.
        let Some(mut judged) = self.job.judge(look, &scope, &self.id).await? else { return Ok(None) };
        if let Reach::Facility(Some(asked)) = self.job.reach() {
            judged.keep_to(&facility::known(look.tx, asked).await?);
        }
        self.find_when(look, &scope, &mut judged).await?;
        let mut items: Vec<&Item> = judged.verdicts.iter().map(|verdict| &verdict.item).collect();
        items.dedup();
        let records = Records::of(look.tx, J::NAME, &items, look.now).await?;
        let events = self.job.history(look, &judged).await?;
        Ok(Some(Explained { events: history::with_records(events, &records, judged.zone), judged, records }))
    }

    /// Finds the instant at which each verdict would become true, if nothing else changes.
    async fn find_when(&self, look: &Look<'_>, scope: &J::Scope, judged: &mut Judgement) -> Result<(), Error> {
        let Judgement { id, verdicts, .. } = judged;
        for verdict in verdicts.iter_mut().filter(|verdict| !verdict.due) {
            let mut instants = verdict.candidates.clone();
            instants.retain(|instant| *instant > look.now);
            instants.sort_unstable();
            instants.dedup();
            for instant in instants {
                if self.job.is_due(&look.at(instant), scope, id, verdict).await? {
                    verdict.due_at = Some(instant);
                    break;
                }
            }
        }
        Ok(())
    }
}
