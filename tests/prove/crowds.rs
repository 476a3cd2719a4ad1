//! Many processes of one job at once: one works at a time, the others say that it does.
//!
//! In half of the rounds the lease of whoever is at work is made to be over, again and again, so that others of the
//! crowd take over from runs that live.

use std::time::Duration;

use tokio::time::sleep;

use super::clinic::{Site, things};
use super::form::Form;
use super::ledger;
use super::tally::{Goal, Tally, units};
use super::work::WORKS;
use crate::support::program;

pub async fn prove(site: Site, form: &'static Form) -> Vec<Tally> {
    let goal = Goal { proof: "crowds", job: "all", of: form.counts.crowds, each: 1, at_once: 1 };
    vec![units(form, goal, |seed| round(site, form, seed)).await]
}

async fn round(site: Site, form: &Form, seed: u64) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::new("crowds", "all", seed);
    let work = WORKS[rng.usize(..WORKS.len())];
    let (clinic, things) = (site.clinic(work).await, things(form));
    let shaken = rng.bool();
    let starts = (0..form.counts.crowd).map(|_| {
        let batch_rows = rng.u8(3..=20).to_string();
        clinic.program.start(&[work.args, &["--batch-rows", &batch_rows]].concat())
    });
    let runs: Vec<_> = starts.collect();
    if shaken {
        for _ in 0..rng.u8(2..=8) {
            sleep(Duration::from_millis(rng.u64(10..=150))).await;
            tally.note("leases ended", clinic.expire_leases().await);
        }
    }
    let mut outcomes = vec![];
    for run in runs {
        let outcome = program::finish(run).await;
        // A takeover waits for the batch at work, not without end.
        let blocked = shaken && outcome.code == 1 && outcome.stdout.contains("TAKEOVER_BLOCKED");
        match outcome.code {
            0 if outcome.stdout.contains("SKIPPED") => tally.note("skipped", 1),
            0 => tally.note("worked", 1),
            4 if shaken => tally.note("fenced", 1),
            _ if blocked => tally.note("blocked", 1),
            code => tally.breach(format_args!("{}: exit {code}: {outcome:?}", work.name)),
        }
        outcomes.push(outcome);
    }
    outcomes.push(clinic.run(work, &[]).await.expect(0));
    ledger::judge(&clinic, work, things, &outcomes, &mut tally).await;
    tally.done = 1;
    clinic.end().await;
    tally
}
