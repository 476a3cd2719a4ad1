//! The server's time for a run, from its log.

use std::collections::HashMap;

use crate::harness::median;

/// The beginnings of the statements with which a message is claimed: its page, what must be known of it, and the mark.
const PAGE: [&str; 4] = [
    "-- Returns the messages of a channel that are due",
    "-- Returns how patients can be reached",
    "-- Returns how many NORMAL messages of a channel",
    "-- Returns those of the addresses that may not be written to",
];
const MARK: &str = "-- Marks messages as SENDING";
/// The messages of a page.
const PAGE_ROWS: f64 = 64.0;

/// Microseconds for a message.
pub struct ServerTime {
    pub claim: f64,
    /// All statements of the run, and their transactions.
    pub all: f64,
}

impl ServerTime {
    /// From the log of a run that sent so many messages, one at a time.
    pub fn of(log: &str, messages: usize) -> Self {
        let runs = by_beginning(log);
        let usual = |beginning: &str| {
            let (_, times) = runs.iter().find(|(text, _)| text.starts_with(beginning)).expect("it was sent");
            median(times.iter().copied())
        };
        let page: f64 = PAGE.iter().map(|beginning| usual(beginning)).sum();
        let all: f64 = runs.values().flatten().sum();
        Self { claim: usual(MARK) + page / PAGE_ROWS, all: all / messages as f64 }
    }
}

/// The time of each execution of a statement with its parse and bind, by the first line of its text, in microseconds.
fn by_beginning(log: &str) -> HashMap<&str, Vec<f64>> {
    let (mut times, mut before) = (HashMap::<&str, Vec<f64>>::new(), 0.0);
    for line in log.lines() {
        let Some((_, rest)) = line.split_once("LOG:  duration: ") else { continue };
        let Some((millis, rest)) = rest.split_once(" ms  ") else { continue };
        let micros = millis.parse::<f64>().expect("a duration") * 1000.0;
        match rest.split_once(": ").expect("what took it") {
            ("execute <unnamed>" | "statement", text) => {
                times.entry(text).or_default().push(before + micros);
                before = 0.0;
            }
            _ => before += micros,
        }
    }
    times
}
