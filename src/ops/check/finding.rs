//! A finding, and the report of all: a line each for a person, an object each for a script.
//!
//! A finding names relations, columns, keys and counts, never a value of a row.

use serde_json::{Value, json};

use crate::ops::names;
use crate::output::table::painted;

/// What a finding means for the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    /// Not looked at, on purpose.
    Skipped,
    /// A job runs, but not as well or not on all rows.
    Warning,
    /// A job cannot run.
    Failure,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Connection,
    Tls,
    Role,
    Clocks,
    Schema,
    Columns,
    Statements,
    Writing,
    Triggers,
    Privileges,
    RowSecurity,
    Rows,
    Indexes,
    Runs,
    Registry,
    Requests,
    Scheduler,
    Outlook,
}

/// What mends a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// SQL that can be sent as it is.
    Sql(String),
    /// A command line.
    Command(String),
    /// What a person has to decide or to write.
    Advice(String),
}

#[derive(Clone, Debug)]
pub struct Finding {
    /// None if it is about all jobs.
    pub job: Option<&'static str>,
    pub topic: Topic,
    pub level: Level,
    pub what: String,
    pub remedy: Option<Remedy>,
}

/// All findings, in the order in which they are shown.
#[derive(Default)]
pub struct Findings(Vec<Finding>);

/// The findings of one topic of a job.
pub struct Section<'a> {
    findings: &'a mut Findings,
    job: Option<&'static str>,
    topic: Topic,
}

impl Findings {
    pub fn section(&mut self, job: Option<&'static str>, topic: Topic) -> Section<'_> {
        Section { findings: self, job, topic }
    }

    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// Whether something keeps this job from running.
    pub fn stops(&self, job: &str) -> bool {
        self.0.iter().any(|one| one.level == Level::Failure && one.job.is_none_or(|of| of == job))
    }

    /// Whether a job has a failure of this topic.
    pub fn has_failure(&self, job: &str, topic: Topic) -> bool {
        self.0.iter().any(|one| one.job == Some(job) && one.topic == topic && one.level == Level::Failure)
    }

    /// Whether a failure of a job, or of all jobs, is about this relation.
    pub fn blame(&self, job: Option<&str>, relation: &str) -> bool {
        let is_word = |c: char| !c.is_alphanumeric() && c != '_';
        let failed = self.0.iter().filter(|one| one.level == Level::Failure && (one.job.is_none() || one.job == job));
        failed.flat_map(|one| one.relation_words()).any(|text| text.split(is_word).any(|word| word == relation))
    }

    pub fn json(&self) -> Vec<Value> {
        self.0.iter().map(Finding::json).collect()
    }

    /// A line each, in groups: all jobs, then each job. What mends a fault is indented beneath it.
    pub fn text(&self, jobs: &[&'static str], width: usize, colour: bool) -> String {
        let mut out = String::new();
        for group in std::iter::once(None).chain(jobs.iter().copied().map(Some)) {
            let mut own = self.0.iter().filter(|finding| finding.job == group).peekable();
            if own.peek().is_none() {
                continue;
            }
            out += &format!("{}\n", group.unwrap_or("All jobs"));
            own.for_each(|finding| out += &finding.text(width, colour));
            out.push('\n');
        }
        out
    }
}

impl Section<'_> {
    pub fn ok(&mut self, what: impl Into<String>) {
        self.add(Level::Ok, what.into(), None);
    }

    pub fn skip(&mut self, what: impl Into<String>) {
        self.add(Level::Skipped, what.into(), None);
    }

    pub fn warn(&mut self, what: impl Into<String>, remedy: Option<Remedy>) {
        self.add(Level::Warning, what.into(), remedy);
    }

    pub fn fail(&mut self, what: impl Into<String>, remedy: Option<Remedy>) {
        self.add(Level::Failure, what.into(), remedy);
    }

    fn add(&mut self, level: Level, what: String, remedy: Option<Remedy>) {
        let (job, topic) = (self.job, self.topic);
        self.findings.0.push(Finding { job, topic, level, what, remedy });
    }
}

/// The columns of a line before its text.
const MARGIN: usize = 2 + 9 + 12;

impl Finding {
    /// The texts that name relations.
    fn relation_words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.what.as_str()).chain(self.remedy.as_ref().map(Remedy::text))
    }

    fn json(&self) -> Value {
        let remedy = self.remedy.as_ref().map(|remedy| json!({ "kind": remedy.kind(), "text": remedy.text() }));
        let level = self.level.name().to_lowercase();
        json!({ "job": self.job, "topic": self.topic.name(), "level": level, "what": self.what, "remedy": remedy })
    }

    fn text(&self, width: usize, colour: bool) -> String {
        let margin = " ".repeat(MARGIN);
        let mut lines = wrapped(&self.what, width.saturating_sub(MARGIN)).into_iter();
        let level = painted(&format!("{:9}", self.level.name()), colour);
        let mut out = format!("  {level}{:12}{}\n", self.topic.name(), lines.next().unwrap_or_default());
        let beneath = self.remedy.iter().flat_map(|remedy| {
            let lines = wrapped(remedy.text(), width.saturating_sub(MARGIN + 2));
            lines.into_iter().map(|line| format!("  {line}"))
        });
        lines.chain(beneath).for_each(|line| out += &format!("{margin}{line}\n"));
        out
    }
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failure => "FAILURE",
        }
    }
}

impl Topic {
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Role => "role",
            Self::Clocks => "clocks",
            Self::Schema => "schema",
            Self::Columns => "columns",
            Self::Statements => "statements",
            Self::Writing => "writing",
            Self::Triggers => "triggers",
            Self::Privileges => "privileges",
            Self::RowSecurity => "policies",
            Self::Rows => "rows",
            Self::Indexes => "indexes",
            Self::Runs => "runs",
            Self::Registry => "registry",
            Self::Requests => "requests",
            Self::Scheduler => "scheduler",
            Self::Outlook => "outlook",
        }
    }
}

impl Remedy {
    pub fn advice(text: impl Into<String>) -> Option<Self> {
        Some(Self::Advice(text.into()))
    }

    pub fn sql(text: impl Into<String>) -> Option<Self> {
        Some(Self::Sql(text.into()))
    }

    pub fn command(text: impl Into<String>) -> Option<Self> {
        Some(Self::Command(text.into()))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Sql(_) => "sql",
            Self::Command(_) => "command",
            Self::Advice(_) => "advice",
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Sql(text) | Self::Command(text) | Self::Advice(text) => text,
        }
    }
}

/// Lines of at most `width` characters; each line of a comment begins as one.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let lines = text.split('\n').flat_map(|line| match line.strip_prefix("-- ") {
        Some(comment) => names::wrapped(comment, width, "-- ", "-- "),
        None => names::wrapped(line, width, "", ""),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_width_and_never_in_a_quotation() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("x = 'a b c' AND y", 6), ["x =", "'a b c'", "AND y"]);
        assert_eq!(wrapped("the role's \"own name\" z", 9), ["the", "role's", "\"own name\"", "z"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("SELECT 1;\n-- a bc de", 6), ["SELECT", "1;", "-- a", "-- bc", "-- de"]);
    }

    #[test]
    fn a_line_each_and_the_remedy_beneath() {
        let mut findings = Findings::default();
        findings.section(None, Topic::Schema).ok("version 9");
        findings.section(Some("prune"), Topic::Privileges).fail("no DELETE", Remedy::sql("GRANT DELETE ON t TO r;"));
        let text = "All jobs\n  ok       schema      version 9\n\nprune\n  FAILURE  privileges  no DELETE\n\
                    \x20                        GRANT DELETE ON t TO r;\n\n";
        assert_eq!(findings.text(&["prune"], 80, false), text);
        assert!(findings.stops("prune") && !findings.stops("other"));
        assert_eq!((findings.count(Level::Ok), findings.count(Level::Failure)), (1, 1));
    }
}
