//! Runs are killed at random moments; the next start takes over, and is killed in turn, until all is done.

use tokio::time::sleep;

use super::clinic::{Clinic, Site, things};
use super::form::Form;
use super::ledger;
use super::pace::Pace;
use super::tally::{Goal, Tally, units};
use super::work::{WORKS, Work};
use crate::support::program::{self, Outcome};

/// What a process comes to that was killed.
const KILLED: i32 = -libc::SIGKILL;
/// The kills of one clinic, at most.
const OF_A_CLINIC: u64 = 25;
/// The batches among which a kill lands.
const BATCHES: i64 = 12;

pub async fn prove(site: Site, form: &'static Form) -> Vec<Tally> {
    let mut tallies = vec![];
    let works = WORKS.into_iter().zip(Pace::shared(site, form).await);
    for (work, pace) in works.filter(|(work, _)| form.replay.as_ref().is_none_or(|one| one.job == work.name)) {
        let kills = (form.counts.kills / 2).clamp(1, OF_A_CLINIC);
        let goal = Goal { proof: "kills", job: work.name, of: form.counts.kills, each: kills, at_once: 2 };
        tallies.push(units(form, goal, |seed| life(site, form, work, *pace, (seed, kills))).await);
    }
    tallies
}

/// One clinic from its first start to the end of its work, with so many kills on the way.
async fn life(site: Site, form: &Form, work: &'static Work, pace: Pace, (seed, kills): (u64, u64)) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::new("kills", work.name, seed);
    let (clinic, things) = (site.clinic(work).await, things(form));
    let mut outcomes: Vec<Outcome> = vec![];
    while tally.done < kills {
        let left = ledger::left(&clinic, work, things).await;
        if left <= 0 {
            break;
        }
        let batch_rows = rng.i64(3..=20);
        let mut run = clinic.program.start(&[work.args, &["--batch-rows", &batch_rows.to_string()]].concat());
        let batches = Pace::batches(left, batch_rows, BATCHES);
        // Every fourth at any moment of its life, the others at work for sure, however slow the machine is.
        if rng.u8(..4) == 0 {
            sleep(pace.moment(&mut rng, batches)).await;
        } else {
            clinic.claimed(&mut run).await;
            sleep(pace.moment_at_work(&mut rng, batches)).await;
        }
        let _ = run.start_kill();
        let outcome = program::finish(run).await;
        if outcome.code == KILLED {
            tally.done += 1;
            tally.note(landed(&clinic).await, 1);
            clinic.expire_leases().await;
        } else {
            tally.note("ended before", 1);
            outcomes.push(outcome);
        }
    }
    let last = clinic.run(work, &[]).await;
    if last.code != 0 {
        tally.breach(format_args!("after the kills a run exits {}: {last:?}", last.code));
    }
    outcomes.push(last);
    ledger::judge(&clinic, work, things, &outcomes, &mut tally).await;
    clinic.end().await;
    tally
}

/// Where in its run the last process was, as its row tells.
async fn landed(clinic: &Clinic) -> &'static str {
    let query =
        "SELECT CASE WHEN r.id IS NULL THEN -1 ELSE (SELECT count(*) FROM run_batches b WHERE b.run_id = r.id) END
                 FROM (SELECT) one LEFT JOIN cron_job_runs r ON r.status = 'RUNNING'";
    match clinic.count(query).await {
        -1 => "outside claim and close",
        0 => "before the first batch",
        _ => "between batches",
    }
}
