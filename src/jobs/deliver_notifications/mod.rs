//! `rounds deliver-notifications`: sends what was staged for SMS, e-mail and webhooks, once.
//!
//! Rule: a message is sent if and only if it is PENDING, its next attempt is due, it is younger than `--max-age` and
//! not over, what it is about still holds, its recipient has an address and may be written to there, a NORMAL one to a
//! patient is within `--patient-cap` and not in the facility's quiet hours, and its address is on the allow-list, if
//! there is one.
//!
//! Safe to run again: a message becomes SENDING in a transaction behind the fence, just before its own request leaves,
//! and SENT when the provider has accepted it. What a run that died left SENDING is looked up, or sent again where the
//! provider knows doubles; else it is UNCERTAIN, and a person decides. So a kill leaves at most one message uncertain
//! for each request that was under way.
//!
//! Leaves alone: IN_APP, which the clinic's application shows; UNCERTAIN messages; and rows that are locked by another
//! session, which are left to the next run.
//!
//! `deliver` runs the steps: `stranded` (what dead runs left), `outgoing` (all that is due), `follow_up` (what the
//! provider says later). `pages` reads messages (`due`) with `facts` and decides (`decide`) what becomes of each;
//! `marked` marks those that leave, `sending` has their requests, `settle` their outcomes, `told` who was told, `sought`
//! what may have been sent. `gateway` knows the providers and their options.

mod args;
mod decide;
mod deliver;
mod due;
mod facts;
mod follow_up;
pub mod gateway;
mod marked;
pub mod number;
mod outgoing;
mod pages;
mod quiet;
mod report;
mod sending;
mod settle;
mod sms_text;
mod sought;
mod stranded;
pub mod told;

use chrono::{DateTime, Utc};
use clap::ValueEnum as _;
use tokio_postgres::Transaction;

use crate::db::{Key, statements};
use crate::error::Error;
use crate::run::{Halt, Job, Run, RunArgs};
pub use args::DeliverNotifications;
use deliver::Delivery;
use pages::Pages;
use report::Report;

statements! {
    of deliver, due, facts, follow_up, marked, settle, sought, stranded, told;
    OLDEST(TEXT, TIMESTAMPTZ) =
        // For each priority, so that the index has the answer.
        "SELECT min(x.due_since) AS due_since
         FROM (VALUES ('HIGH'), ('NORMAL')) p (priority)
         CROSS JOIN LATERAL (
             SELECT COALESCE(n.next_attempt_at, n.created_at) AS due_since FROM notifications n
             WHERE n.status = 'PENDING' AND n.channel = $1 AND n.priority = p.priority
               AND COALESCE(n.next_attempt_at, n.created_at) <= $2
             ORDER BY COALESCE(n.next_attempt_at, n.created_at) LIMIT 1
         ) x";
}

impl Job for DeliverNotifications {
    const NAME: &'static str = "deliver-notifications";
    const TELLS: bool = true;
    type Report = Report;
    const DELIVERS: bool = true;
    const ASKS: Option<&'static str> = Some("the providers of messages");

    fn lane(&self) -> String {
        self.channel.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn lane_options(&self) -> Vec<String> {
        vec!["--channel".to_owned(), self.lane()]
    }

    fn check(&self, run: &RunArgs) -> Result<(), Error> {
        self.texts()?;
        if run.common.dry_run { Ok(()) } else { self.gateway().map(drop) }
    }

    async fn oldest_due(
        &self,
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        _facility: Option<&Key>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        Ok(OLDEST.one(tx, &[&self.channel.stored(), &now]).await?.get("due_since"))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        Delivery(Pages::new(self, run)?).deliver(report).await
    }
}
