//! `rounds npi search` for names that exist, as a process, and by the server's own clock.

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::REPEATS;
use super::draw::mix;
use super::generate::{Registry, WEEKS};
use super::harness::{Harness, median};
use super::process::output;
use super::provider::{Kind, Provider};

const SEARCHES: u64 = 500;

/// Milliseconds.
#[derive(Default)]
pub struct Searches {
    /// A process that searches, from start to exit.
    search: Times,
    /// A process that looks one NPI up: it starts, connects and answers, and next to nothing else.
    verify: Times,
    /// The server's own figure for the statements of a search: parsed, bound and executed.
    server: Times,
    /// The words of the search, and the place.
    asked: Vec<String>,
}

/// Of all names, once a pass.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    /// Of each name the median of all passes: what is slow once only is the machine's doing.
    fn percentile(&self, percent: usize) -> f64 {
        percentile((0..SEARCHES as usize).map(|name| self.of_name(name)).collect(), percent)
    }

    fn of_name(&self, name: usize) -> f64 {
        median(self.0.iter().skip(name).step_by(SEARCHES as usize).copied())
    }

    fn print(&self, name: &str) {
        let (half, most) = (self.percentile(50), self.percentile(99));
        let first = percentile(self.0[..SEARCHES as usize].to_vec(), 99);
        println!("  {name:28} median {half:6.2} ms, p99 {most:6.2} ms; p99 of the first pass {first:6.2} ms");
    }
}

fn percentile(mut times: Vec<f64>, percent: usize) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[(times.len() * percent).div_ceil(100) - 1]
}

impl Searches {
    pub fn p99_above_idle(&self) -> f64 {
        self.search.percentile(99) - self.verify.percentile(50)
    }

    pub fn print(&self) {
        self.search.print("npi search, as a process");
        self.verify.print("npi verify, as a process");
        self.server.print("npi search, by the server");
        let mut slowest: Vec<_> =
            (0..SEARCHES as usize).map(|name| (self.server.of_name(name), &self.asked[name])).collect();
        slowest.sort_unstable_by(|(one, _), (other, _)| other.total_cmp(one));
        for (millis, asked) in &slowest[..5] {
            println!("    {millis:6.2} ms: {asked}");
        }
    }
}

/// Each search is followed by a process that does next to nothing, so that both meet the same neighbours.
pub fn measure(harness: &Harness, registry: Registry) -> Searches {
    harness.admin("ALTER DATABASE clinic SET log_min_duration_statement = 0");
    let before = fs::metadata(harness.log()).map_or(0, |meta| meta.len()) as usize;
    let mut searches = Searches::default();
    let timed = |command: &mut Command| {
        let began = Instant::now();
        let printed = output(command);
        (began.elapsed().as_secs_f64() * 1000.0, printed)
    };
    for number in (0..REPEATS).flat_map(|_| 0..SEARCHES) {
        let provider = somebody(registry, number);
        let mut question = question(&harness.url(), number, &provider);
        let (millis, found) = timed(&mut question);
        let words = question.get_args().skip_while(|word| *word != "search").skip(1);
        searches.asked.push(words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "));
        searches.search.0.push(millis);
        let found: Value = serde_json::from_str(&found).expect("it prints JSON");
        assert!(
            found["approximate"] == false && found["results"].as_array().is_some_and(|results| !results.is_empty()),
            "{} is there: {found}",
            provider.name()
        );
        let (millis, _) = timed(rounds_npi(&harness.url()).args(["verify", &provider.npi.to_string()]));
        searches.verify.0.push(millis);
    }
    harness.admin("ALTER DATABASE clinic RESET log_min_duration_statement");
    let log = fs::read(harness.log()).unwrap_or_else(|error| panic!("{}: {error}", harness.log().display()));
    searches.server.0 = by_session(&String::from_utf8_lossy(&log[before..]));
    assert_eq!(searches.server.0.len(), searches.search.0.len(), "each search is in the server's log");
    searches
}

fn rounds_npi(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rounds"));
    command.env_clear().env("DATABASE_URL", url).env("ROUNDS_CONFIG", "none").args([
        "--output",
        "json",
        "--log-level",
        "warn",
        "npi",
    ]);
    command
}

/// Of those whom no weekly file changes: an individual, or each fifth time an organization, with four letters at least.
fn somebody(registry: Registry, number: u64) -> Provider {
    let wanted = if number % 5 == 4 { Kind::Organization } else { Kind::Individual };
    let tries = (0..).map(|offset| mix(SEARCHES * offset + number) % (registry.rows / WEEKS));
    let mut providers = tries.map(|place| registry.provider(place * WEEKS + WEEKS - 1));
    let fits = |provider: &Provider| {
        provider.kind == wanted && provider.name().bytes().take(4).filter(u8::is_ascii_alphabetic).count() == 4
    };
    providers.find(fits).expect("there are many")
}

/// By four letters or more of the name; every other time where the provider is.
fn question(url: &str, number: u64, provider: &Provider) -> Command {
    let name = provider.name();
    // Nobody types the comma before INC.
    let name = name.split(',').next().unwrap_or_default();
    let letters = 4 + mix(number) as usize % (name.len() - 3);
    let mut command = rounds_npi(url);
    command.args(["search", name[..letters].trim_end()]);
    if provider.kind == Kind::Organization {
        command.arg("--facility");
    }
    if number % 2 == 1 {
        command.args(["--state", provider.practice_state()]);
    }
    command
}

/// Of each session in the log, one after the other, the time of the statements that search.
fn by_session(log: &str) -> Vec<f64> {
    let mut sessions: Vec<(&str, f64)> = Vec::new();
    // An entry begins with its time; its other lines are indented.
    let mut entry: Option<(&str, f64)> = None;
    for line in log.lines() {
        if !line.starts_with('\t') {
            entry = duration(line);
        }
        if line.contains("search_surgeon") || line.contains("search_facility") {
            // Once an entry, however often it says so.
            if let Some((session, millis)) = entry.take() {
                match sessions.last_mut() {
                    Some((last, sum)) if *last == session => *sum += millis,
                    _ => sessions.push((session, millis)),
                }
            }
        }
    }
    sessions.into_iter().map(|(_, millis)| millis).collect()
}

/// `TIME [PID] LOG:  duration: MS ms ...`
fn duration(line: &str) -> Option<(&str, f64)> {
    let (before, after) = line.split_once("duration: ")?;
    let session = before.split_once('[')?.1.split_once(']')?.0;
    Some((session, after.split_once(' ')?.0.parse().ok()?))
}
