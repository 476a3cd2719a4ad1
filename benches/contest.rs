//! A job against what the database itself needs and against a transaction a row, in one run on one machine.

use std::time::Duration;

use crate::harness::{Harness, ScriptFile, Verdict, median};
use crate::process::{output, psql, rounds, run};

const REPEATS: usize = 3;

/// A job, as psql would do it, and as a loop would.
pub struct Contest<'a> {
    pub job: &'static str,
    /// Its arguments.
    pub args: &'a [&'a str],
    /// How many items it changes.
    pub items: usize,
    pub script: &'a ScriptFile,
    /// Some of them one by one: how many, and how long that took.
    pub singles: &'a dyn Fn(&str) -> (usize, Duration),
    /// The result, in one line.
    pub effects: &'static str,
}

/// Whether the targets are met.
pub fn hold(harness: &Harness, contest: &Contest<'_>) -> bool {
    let round = |number: usize| {
        let effects = |url: &str| output(psql(url).args(["-c", contest.effects])).trim().to_owned();
        let (program, after) = harness.on_copy(|url| {
            let mut command = rounds(url, contest.job);
            command.args(contest.args);
            (run(&mut command).wall, effects(url))
        });
        let (script, by_psql) =
            harness.on_copy(|url| (run(psql(url).arg("-f").arg(&contest.script.0)).wall, effects(url)));
        assert_eq!(after, by_psql, "both must have done the same");
        let (count, singles) = harness.on_copy(contest.singles);
        eprintln!(
            "{} round {number}: rounds {program:.2?}, psql {script:.2?}, {count} one by one {singles:.2?}; {after}",
            contest.job
        );
        let each = |wall: Duration, items: usize| wall.as_secs_f64() / items as f64;
        (each(program, contest.items), each(script, contest.items), each(singles, count))
    };
    let work: Vec<_> = (1..=REPEATS).map(round).collect();
    let micros = |of: fn(&(f64, f64, f64)) -> f64| median(work.iter().map(of)) * 1e6;
    println!("{}: {} items; medians; times are of this machine only", contest.job, contest.items);
    println!(
        "  rounds {:.1} us, psql {:.1} us, a transaction a row {:.1} us an item",
        micros(|w| w.0),
        micros(|w| w.1),
        micros(|w| w.2)
    );
    let mut verdict = Verdict::begin();
    verdict.ratios(median(work.iter().map(|w| w.0 / w.1)), median(work.iter().map(|w| w.2 / w.0)));
    verdict.met
}
