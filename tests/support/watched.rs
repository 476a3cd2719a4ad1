//! A clinic all of whose ways to be told of a run are looked at: metrics of each kind, a trace, a dead man's switch.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::collector::Collector;
use super::program::Outcome;
use super::provider::ProviderServer;
use super::{Clinic, Program, exposition};

pub struct Watched {
    pub clinic: Clinic,
    pub collector: Collector,
    pub switch: ProviderServer,
    place: TempDir,
}

/// What a run left, in words: `-` where there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traces {
    /// Status and code in `cron_job_runs`.
    pub row: String,
    pub exit: i32,
    /// Level and code of the last line.
    pub log: String,
    /// Health, and the items that were processed and that failed.
    pub emf: String,
    pub textfile: String,
    pub otlp: String,
    /// Whether the run's span says that it failed, and by which code.
    pub span: String,
    /// The words that the switch heard.
    pub ping: String,
}

impl Watched {
    pub async fn of(clinic: Clinic) -> Self {
        let (collector, switch) = (Collector::start().await, ProviderServer::start().await);
        Self { clinic, collector, switch, place: tempfile::tempdir().expect("a place") }
    }

    /// A program that tells everything of its runs.
    pub fn told_by(&self, program: &Program) -> Program {
        let place = self.place.path().to_str().expect("UTF-8");
        let program = self.collector.told_by(program).env("ROUNDS_METRICS", "emf").env("ROUNDS_METRICS_DIR", place);
        program.env("ROUNDS_PING_URL", &self.switch.url()).env("ROUNDS_LOG_FORMAT", "json")
    }

    /// What the run of `job` left.
    pub async fn traces(&self, job: &str, outcome: &Outcome) -> Traces {
        let row = "SELECT concat_ws(' ', status, error_code) FROM cron_job_runs WHERE host <> 'h'
                   ORDER BY started_at DESC LIMIT 1";
        let row = self.clinic.rows(row).await.first().map_or("-".to_owned(), |row| row.get(0));
        Traces {
            row,
            exit: outcome.code,
            log: last_line(&outcome.stderr),
            emf: self.of_emf(outcome),
            textfile: self.of_textfile(job),
            otlp: self.of_otlp(),
            span: self.of_span(job),
            ping: self.of_switch(),
        }
    }

    fn of_emf(&self, outcome: &Outcome) -> String {
        let json = outcome.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let Some(line) = json.into_iter().find(|line| line.get("_aws").is_some()) else { return "-".to_owned() };
        let figures = ["CronHealthStatus", "ItemsProcessed", "ItemsFailed"].map(|name| line[name].as_f64());
        in_words(figures)
    }

    fn of_textfile(&self, job: &str) -> String {
        let entries = self.place.path().read_dir().expect("is there").map(|entry| entry.expect("can be read").path());
        let files: Vec<_> = entries.filter(|path| path.to_string_lossy().contains(job)).collect();
        let Some(text) = files.first().map(|path| fs::read_to_string(path).expect("UTF-8")) else {
            return "-".to_owned();
        };
        let value = |name: &str| if text.is_empty() { None } else { exposition::value(&text, name) };
        in_words(["rounds_healthy", "rounds_items_processed", "rounds_items_failed"].map(value))
    }

    fn of_otlp(&self) -> String {
        in_words(
            ["rounds.healthy", "rounds.items.processed", "rounds.items.failed"].map(|name| self.collector.value(name)),
        )
    }

    fn of_span(&self, job: &str) -> String {
        let spans = self.collector.spans();
        match &spans.iter().filter(|span| span.name == job).collect::<Vec<_>>()[..] {
            [] => "-".to_owned(),
            [run] if run.status == 2 => format!("failed {}", run.attributes["error.type"]),
            [run] => {
                assert_eq!(run.attributes.get("error.type"), None, "{run:?}");
                "well".to_owned()
            }
            several => panic!("one span of the run: {several:?}"),
        }
    }

    fn of_switch(&self) -> String {
        let word = |path: String| path.split('?').next().expect("a path").to_owned();
        let words: Vec<_> = self.switch.requests().into_iter().map(|request| word(request.path)).collect();
        if words.is_empty() { "-".to_owned() } else { words.join(" ") }
    }
}

fn in_words(figures: [Option<f64>; 3]) -> String {
    let known: Vec<_> = figures.iter().flatten().map(f64::to_string).collect();
    if known.is_empty() { "-".to_owned() } else { known.join(" ") }
}

/// Level and code of the last event; a message of the command line is none.
fn last_line(stderr: &str) -> String {
    let Some(Ok(event)) = stderr.lines().last().map(serde_json::from_str::<Value>) else { return "-".to_owned() };
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    [text("level"), text("error_code")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
