//! A job against what the database itself needs, against a transaction a row, and against the limit, in one run on one
//! machine; the first and the last also with the other kinds of keys.

use std::time::Duration;

use crate::harness::{BATCH_ROWS, Harness, Verdict, ids, median};
use crate::process::{output, psql, rounds, run};
use crate::recording::{self, Change, ScriptFile};

const REPEATS: usize = 3;

/// A job, and what it does.
pub struct Contest<'a> {
    pub job: &'static str,
    /// Its arguments.
    pub args: &'a [&'a str],
    /// The numbers of the items that a run has changed, in order, on bigint keys.
    pub changed: &'a str,
    /// Some of them one by one: how many, and how long that took.
    pub singles: fn(&str, &[i64]) -> (usize, Duration),
    /// The result, in one line.
    pub effects: &'a str,
    /// What a run writes where, for the limit.
    pub changes: &'a [Change],
}

/// The scripts of a run, from a recording of it.
struct Scripts {
    replay: ScriptFile,
    limit: ScriptFile,
}

/// The seconds of one round.
#[derive(Clone, Copy)]
struct Round {
    program: f64,
    replay: f64,
    limit: f64,
}

/// Whether the targets are met.
pub fn hold(harness: &Harness, contest: &Contest<'_>) -> bool {
    let changed = harness.on_copy(|url| {
        run(rounds(url, contest.job).args(contest.args));
        ids(url, contest.changed)
    });
    assert!(!changed.is_empty(), "{}: nothing was due", contest.job);
    println!("{}: {} items; medians of {REPEATS}; times are of this machine only", contest.job, changed.len());
    let mut verdict = Verdict::begin();
    let bigint = contest.rounds(harness, "clinic", changed.len());
    let singles = harness.on_copy(|url| (contest.singles)(url, some(&changed)));
    let single = singles.1.as_secs_f64() / singles.0 as f64;
    let each = median(bigint.iter().map(|round| round.program)) / changed.len() as f64;
    println!("  rounds {:.1} us, a transaction a row {:.1} us an item", each * 1e6, single * 1e6);
    verdict.judge("bigint", &bigint);
    let faster = single / each;
    verdict.row("speed, against a transaction a row", format!("{faster:.1}x"), ">= 15x", faster >= 15.0);
    for kind in ["uuid", "text"] {
        let name = harness.with_keys(kind);
        verdict.judge(kind, &contest.rounds(harness, &name, changed.len()));
    }
    verdict.met
}

impl Contest<'_> {
    fn rounds(&self, harness: &Harness, template: &str, items: usize) -> Vec<Round> {
        let scripts = self.record(harness, template, items);
        (1..=REPEATS).map(|number| self.round(harness, template, &scripts, number)).collect()
    }

    /// Records a run on a copy, and prepares the limit in the template itself.
    fn record(&self, harness: &Harness, template: &str, items: usize) -> Scripts {
        let batches = items.div_ceil(BATCH_ROWS);
        let before = harness.server_url(template);
        let replay = harness.on_copy_of(template, |url| {
            let log = harness.logged(url, || {
                run(rounds(url, self.job).args(self.args));
            });
            recording::prepare(url, &before, self.changes, batches);
            recording::script(&log, url)
        });
        Scripts { replay, limit: recording::limit(&before, self.changes, batches) }
    }

    fn round(&self, harness: &Harness, template: &str, scripts: &Scripts, number: usize) -> Round {
        let effects = |url: &str| output(psql(url).args(["-c", self.effects])).trim().to_owned();
        let (program, after) = harness.on_copy_of(template, |url| {
            let wall = run(rounds(url, self.job).args(self.args)).wall;
            (wall, effects(url))
        });
        let by_psql = |script: &ScriptFile| {
            harness.on_copy_of(template, |url| {
                let wall = run(psql(url).arg("-f").arg(&script.0)).wall;
                assert_eq!(after, effects(url), "both must have done the same");
                wall
            })
        };
        let (replay, limit) = (by_psql(&scripts.replay), by_psql(&scripts.limit));
        eprintln!(
            "{} {template} {number}: rounds {program:.2?}, psql {replay:.2?}, limit {limit:.2?}; {after}",
            self.job
        );
        Round { program: program.as_secs_f64(), replay: replay.as_secs_f64(), limit: limit.as_secs_f64() }
    }
}

impl Verdict {
    /// Ratios are taken within a round, between neighbours in time.
    fn judge(&mut self, keys: &str, rounds: &[Round]) {
        let replay = median(rounds.iter().map(|round| round.program / round.replay));
        let limit = median(rounds.iter().map(|round| round.program / round.limit));
        self.at_most(&format!("{keys}: time, against its statements by psql"), replay, 1.3);
        self.at_most(&format!("{keys}: time, against the limit"), limit, 1.5);
    }
}

/// Neighbours, so that a page that is written again costs a loop no more than the others.
fn some(ids: &[i64]) -> &[i64] {
    const SINGLES: usize = 3000;
    &ids[ids.len() / 2..][..SINGLES.min(ids.len() / 2)]
}
