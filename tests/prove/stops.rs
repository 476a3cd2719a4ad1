//! A run is stopped at a random moment, another takes over, the first goes on: it exits 4, and has written nothing
//! since.
//!
//! In half of the cases the brake of the other leaves the work undone, so that the first would find all of it.

use tokio::time::sleep;

use super::clinic::{Clinic, Site, things};
use super::form::Form;
use super::ledger;
use super::pace::Pace;
use super::tally::{Goal, Tally, units};
use super::work::{WORKS, Work};
use crate::support::program::{self, signal};

/// The batches within which a run is stopped.
const BATCHES: u32 = 8;
/// With the shortest lease a transaction that a stopped run left open is ended by the server after half a second.
const LEASE: [&str; 2] = ["--lease", "2s"];
/// A takeover may have to be tried again. The transaction of the first may still be open: the lease is made to be over
/// at once here, so the server has not had the time to end it. Or a heartbeat of the first was on its way.
const TAKEOVERS: usize = 3;

pub async fn prove(site: Site, form: &'static Form) -> Vec<Tally> {
    let paces = Pace::shared(site, form).await;
    let goal = Goal { proof: "stops", job: "all", of: form.counts.stops, each: 1, at_once: 2 };
    vec![units(form, goal, |seed| stop(site, form, paces, seed)).await]
}

async fn stop(site: Site, form: &Form, paces: &[Pace], seed: u64) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::new("stops", "all", seed);
    let job = rng.usize(..WORKS.len());
    let (work, things): (&'static Work, i64) = (WORKS[job], things(form));
    let clinic = site.clinic(work).await;
    let batch_rows = rng.u8(3..=20).to_string();
    let mut first = clinic.program.start(&[work.args, &LEASE, &["--batch-rows", &batch_rows]].concat());
    let moment = paces[job].moment_at_work(&mut rng, BATCHES);
    clinic.claimed(&mut first).await;
    sleep(moment).await;
    signal(&first, libc::SIGSTOP);
    if clinic.expire_leases().await == 0 {
        signal(&first, libc::SIGCONT);
        let outcome = program::finish(first).await;
        tally.note("ended before", 1);
        ledger::judge(&clinic, work, things, &[outcome], &mut tally).await;
        clinic.end().await;
        return tally;
    }
    let brake = rng.bool();
    let mut outcomes = vec![];
    take_over(&clinic, work, brake, &mut outcomes, &mut tally).await;
    let before = written(&clinic, work).await;
    signal(&first, libc::SIGCONT);
    let outcome = program::finish(first).await;
    if outcome.code != 4 {
        tally.breach(format_args!("{}: it exits {}, and not 4: {outcome:?}", work.name, outcome.code));
    }
    let after = written(&clinic, work).await;
    if after != before {
        tally.stale += after.abs_diff(before);
        tally.breach(format_args!("{}: {} rows were written after the takeover", work.name, after - before));
    }
    outcomes.push(outcome);
    let last = clinic.run(work, &[]).await;
    if last.code != 0 {
        tally.breach(format_args!("{}: a run afterwards exits {}: {last:?}", work.name, last.code));
    }
    outcomes.push(last);
    ledger::judge(&clinic, work, things, &outcomes, &mut tally).await;
    tally.done = 1;
    tally.note(if before > 0 { "between batches" } else { "before the first batch" }, 1);
    clinic.end().await;
    tally
}

/// Has another run take over; with `brake` it does nothing then.
async fn take_over(clinic: &Clinic, work: &Work, brake: bool, outcomes: &mut Vec<program::Outcome>, tally: &mut Tally) {
    let more: &[&str] = if brake { &["--max-items", "1"] } else { &[] };
    let over = "SELECT count(*) FROM cron_job_runs WHERE taken_over_by IS NOT NULL";
    for _ in 0..TAKEOVERS {
        outcomes.push(clinic.run(work, &[more, &LEASE].concat()).await);
        if clinic.count(over).await > 0 {
            tally.note(if brake { "work left" } else { "work done" }, 1);
            return;
        }
        let tried = outcomes.last().map(program::Outcome::report).unwrap_or_default();
        match tried["error_code"].as_str() {
            Some("TAKEOVER_BLOCKED") => tally.note("takeover blocked", 1),
            Some("ALREADY_RUNNING") => tally.note("alive again", clinic.expire_leases().await),
            _ => tally.breach(format_args!("{}: no takeover: {tried}", work.name)),
        }
    }
    tally.breach(format_args!("{}: nobody takes over: {:?}", work.name, outcomes.last()));
}

/// The rows that runs which were taken over have written.
async fn written(clinic: &Clinic, work: &Work) -> i64 {
    let over = "(SELECT id FROM cron_job_runs WHERE taken_over_by IS NOT NULL)";
    let query = format!(
        "SELECT (SELECT count(*) FROM {} WHERE run_id IN {over})
              + (SELECT count(*) FROM notifications WHERE run_id IN {over})",
        work.record.table
    );
    clinic.count(&query).await
}
