//! How much of each proof is done, and which of them.

use std::env;

/// What the full form does.
const FULL: Counts =
    Counts { kills: 1000, crashes: 100, stops: 500, crowds: 100, crowd: 50, messages: 10_000, transactions: 50_000 };
/// What `make test` does.
const SHORT: Counts =
    Counts { kills: 10, crashes: 1, stops: 5, crowds: 2, crowd: 20, messages: 200, transactions: 500 };

#[derive(Clone, Copy)]
pub struct Counts {
    /// Of each job.
    pub kills: u64,
    pub crashes: u64,
    pub stops: u64,
    /// Rounds.
    pub crowds: u64,
    /// Processes of a round.
    pub crowd: usize,
    /// Of each channel.
    pub messages: u64,
    pub transactions: u64,
}

/// One unit that is to be repeated.
pub struct Replay {
    pub proof: String,
    pub job: String,
    pub seed: u64,
}

pub struct Form {
    pub counts: Counts,
    /// None: the short form.
    percent: Option<u64>,
    /// The proofs that were named; none: all.
    named: Vec<String>,
    pub seed: u64,
    pub replay: Option<Replay>,
}

impl Form {
    pub fn of_env() -> Result<Self, String> {
        let percent = match env::var("ROUNDS_PROVE").ok().as_deref() {
            None | Some("" | "short") => None,
            Some("full") => Some(100),
            Some(number) => Some(number.parse().map_err(|_| "ROUNDS_PROVE is full, short, or a number of percent")?),
        };
        let (seed, replay) = match env::var("ROUNDS_PROVE_SEED") {
            Err(_) => (if percent.is_some() { fastrand::u32(..).into() } else { 1 }, None),
            Ok(text) => read_seed(&text).ok_or("ROUNDS_PROVE_SEED is a number, or PROOF/JOB/NUMBER")?,
        };
        let part = |of: u64| percent.map_or(of, |percent| (of * percent / 100).max(1));
        let full = if percent.is_some() { FULL } else { SHORT };
        let counts = Counts {
            kills: part(full.kills),
            crashes: part(full.crashes),
            stops: part(full.stops),
            crowds: part(full.crowds),
            crowd: full.crowd,
            messages: part(full.messages),
            transactions: part(full.transactions),
        };
        Ok(Self { counts, percent, named: named(env::args().skip(1)), seed, replay })
    }

    pub fn is_short(&self) -> bool {
        self.percent.is_none()
    }

    /// The value of ROUNDS_PROVE.
    pub fn name(&self) -> String {
        self.percent.map_or("short".to_owned(), |percent| percent.to_string())
    }

    pub fn chosen(&self, proof: &str) -> bool {
        match &self.replay {
            Some(replay) => replay.proof == proof,
            None => self.named.is_empty() || self.named.iter().any(|name| name == proof),
        }
    }
}

/// The arguments that name proofs. Options are those of the usual harness, which this is not; some have a value.
fn named(args: impl Iterator<Item = String>) -> Vec<String> {
    let (mut named, mut is_value) = (vec![], false);
    for arg in args {
        let option = arg.starts_with('-');
        if !option && !is_value {
            named.push(arg.clone());
        }
        is_value = ["--skip", "--test-threads", "--format", "--color", "--logfile"].contains(&arg.as_str());
    }
    named
}

fn read_seed(text: &str) -> Option<(u64, Option<Replay>)> {
    if let Ok(seed) = text.parse() {
        return Some((seed, None));
    }
    let [proof, job, number] = text.split('/').collect::<Vec<_>>().try_into().ok()?;
    let seed = number.parse().ok()?;
    Some((seed, Some(Replay { proof: proof.to_owned(), job: job.to_owned(), seed })))
}
