//! What came of a proof: counts, breaches with the seed that repeats them, a line while it goes, a table at the end.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::form::Form;

/// A proof is given up after so many breaches: they are the same defect, most likely.
const BREACHES_MAX: usize = 5;
/// The characters of a breach that are printed.
const TEXT_MAX: usize = 1000;

#[derive(Clone, Default)]
pub struct Tally {
    pub proof: &'static str,
    pub job: &'static str,
    pub seed: u64,
    pub done: u64,
    pub of: u64,
    /// Things that were due and were not done.
    pub lost: u64,
    /// Rows that are there once more than they should.
    pub doubled: u64,
    /// Runs that reported what is not so.
    pub false_reports: u64,
    /// Rows that a run wrote when it was no more at work, or beside another.
    pub stale: u64,
    pub deadlocks: u64,
    pub longest_wait: Option<Duration>,
    /// What else is to be known, by name.
    pub notes: BTreeMap<&'static str, u64>,
    pub breaches: Vec<String>,
    pub took: Duration,
}

impl Tally {
    pub fn new(proof: &'static str, job: &'static str, seed: u64) -> Self {
        Self { proof, job, seed, ..Self::default() }
    }

    pub fn note(&mut self, name: &'static str, times: u64) {
        *self.notes.entry(name).or_default() += times;
    }

    /// Something that must not be.
    pub fn breach(&mut self, what: impl Display) {
        let mut text = what.to_string();
        if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
            text.truncate(end);
        }
        self.breaches.push(format!("ROUNDS_PROVE_SEED='{}/{}/{}': {text}", self.proof, self.job, self.seed));
    }

    pub fn add(&mut self, other: Self) {
        self.done += other.done;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.false_reports += other.false_reports;
        self.stale += other.stale;
        self.deadlocks += other.deadlocks;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        for (name, times) in other.notes {
            // The longest of all is no sum.
            let before = self.notes.entry(name).or_default();
            *before = if name.starts_with("longest") { (*before).max(times) } else { *before + times };
        }
        self.breaches.extend(other.breaches);
    }

    pub fn line(&self) -> String {
        let notes: Vec<String> = self.notes.iter().map(|(name, times)| format!("{name} {times}")).collect();
        let wait = self.longest_wait.map_or("-".to_owned(), |wait| format!("{} ms", wait.as_millis()));
        format!(
            "{:11} {:31} {:>13} {:>10} {:>5} {:>8} {:>6} {:>6} {:>10} {:>8} {:>6}  {}",
            self.proof,
            self.job,
            format!("{}/{}", self.done, self.of),
            self.seed,
            self.lost,
            self.doubled,
            self.false_reports,
            self.stale,
            self.deadlocks,
            wait,
            format!("{} s", self.took.as_secs()),
            notes.join(", ")
        )
    }
}

const HEAD: &str = "proof       job                                   done/of       seed  lost  doubled  false  stale  \
                    deadlocks  longest   time  what else";

/// All proofs, and the breaches of each.
pub fn print_table(tallies: &[Tally], form: &str, took: Duration) {
    println!("\n{HEAD}");
    tallies.iter().for_each(|tally| println!("{}", tally.line()));
    for breach in tallies.iter().flat_map(|tally| &tally.breaches) {
        println!("BREACH ROUNDS_PROVE={form} {breach}");
    }
    let breaches: usize = tallies.iter().map(|tally| tally.breaches.len()).sum();
    println!(
        "{} in {} s",
        if breaches == 0 { "proved".to_owned() } else { format!("{breaches} breaches") },
        took.as_secs()
    );
}

/// How much is to be done: so much in all, about so much by a unit, by so many units at once.
pub struct Goal {
    pub proof: &'static str,
    pub job: &'static str,
    pub of: u64,
    pub each: u64,
    pub at_once: usize,
}

/// Does units, each with a seed of its own, until enough is done; or the one that is to be repeated.
pub async fn units<F>(form: &Form, goal: Goal, unit: impl Fn(u64) -> F) -> Tally
where
    F: Future<Output = Tally> + Send + 'static,
{
    let began = Instant::now();
    let Goal { proof, job, of, each, at_once } = goal;
    let mut total = Tally { of, ..Tally::new(proof, job, form.seed) };
    let mut seeds = fastrand::Rng::with_seed(form.seed ^ name_hash(proof) ^ name_hash(job).rotate_left(32));
    let (mut running, mut begun, mut told) = (JoinSet::new(), 0, 0);
    let enough = |total: &Tally| match form.replay {
        Some(_) => total.done > 0 || !total.breaches.is_empty(),
        None => total.done >= of || total.breaches.len() >= BREACHES_MAX,
    };
    while !enough(&total) {
        // Units that come to nothing are counted, and are not repeated without end.
        if begun > 3 * of + 20 {
            let done = total.done;
            total.breach(format_args!("{begun} units made {done} of {of}"));
            break;
        }
        let wanted = |running: &JoinSet<Tally>| total.done + each * (running.len() as u64) < of;
        while running.is_empty() || (running.len() < at_once && wanted(&running)) {
            let seed = form.replay.as_ref().map_or_else(|| seeds.u32(..).into(), |replay| replay.seed);
            running.spawn(caught(unit(seed), Tally::new(proof, job, seed)));
            begun += 1;
        }
        let Some(Ok(tally)) = running.join_next().await else { break };
        total.add(tally);
        total.took = began.elapsed();
        if !form.is_short() && (total.done * 5 / of.max(1) > told) {
            told = total.done * 5 / of.max(1);
            println!("{}", total.line());
        }
    }
    for tally in running.join_all().await {
        total.add(tally);
    }
    total.took = began.elapsed();
    if form.is_short() {
        println!("{}", total.line());
    }
    total
}

/// A unit that panics, such as by an answer that a server did not give, is a breach.
async fn caught(unit: impl Future<Output = Tally> + Send, mut blank: Tally) -> Tally {
    match futures_util::FutureExt::catch_unwind(AssertUnwindSafe(unit)).await {
        Ok(tally) => tally,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            blank.breach(text.unwrap_or("a panic"));
            blank
        }
    }
}

fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
