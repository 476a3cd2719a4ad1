//! What is seen as lines: one for each beginning and each end of a run.

use std::collections::HashMap;
use std::io::{self, Write as _};

use serde_json::Value;
use tracing::warn;
use uuid::Uuid;

use super::answer::Answer;
use super::look::{Look, Run};
use crate::output::{OutputFormat, counted, stamp, visible};

pub struct Lines {
    format: OutputFormat,
    /// The runs of the last look, and whether each was at work.
    known: HashMap<Uuid, bool>,
    is_lost: bool,
}

impl Lines {
    pub fn new(format: OutputFormat) -> Self {
        Self { format, known: HashMap::new(), is_lost: false }
    }

    /// Writes what has changed, and on stderr once that the database is gone and once that it is there again.
    pub fn show(&mut self, look: Option<Look>, answer: &Answer) -> io::Result<()> {
        match answer {
            Answer::Lost { error, .. } if !self.is_lost => {
                warn!(error_code = %error.code, "the database does not answer ({}); trying again", error.message);
            }
            Answer::Back(after) => warn!("the database answers again, after {}", humantime::format_duration(*after)),
            Answer::Lost { .. } | Answer::Up => {}
        }
        self.is_lost = matches!(answer, Answer::Lost { .. });
        let Some(look) = look else { return Ok(()) };
        let mut stdout = io::stdout().lock();
        // The oldest first, as they happened.
        for run in look.runs.iter().rev().filter(|run| self.known.get(&run.id) != Some(&run.is_running())) {
            writeln!(stdout, "{}", text(run, self.format))?;
            stdout.flush()?;
        }
        self.known = look.runs.iter().map(|run| (run.id, run.is_running())).collect();
        Ok(())
    }
}

fn text(run: &Run, format: OutputFormat) -> String {
    if format == OutputFormat::Json {
        return visible::json(&Value::Object(run.json.clone()).to_string()).into_owned();
    }
    let at = stamp(run.completed_at.unwrap_or(run.started_at));
    let mut line = format!("{at}  {}  {}  {}", run.id, run.name, run.status);
    if let Some(ms) = run.duration_ms {
        line += &format!("  {}, {} failed, {ms} ms", counted(run.items.unsigned_abs(), "item"), run.failed);
    }
    line.extend(run.error_code.iter().map(|code| format!("  {code}")));
    visible::report(&line, false).into_owned()
}
