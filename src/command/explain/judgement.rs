//! What a job finds of a row, and how it is said.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::history::Event;
use crate::db::Key;
use crate::output::{counted, local_stamp};
use crate::run::{Item, Records};
use crate::time_zone::Tz;

/// A row as a job sees it at an instant.
pub struct Judgement {
    /// The id in the server's own form.
    pub id: Key,
    pub facility: Option<Key>,
    /// The zone of the facility.
    pub zone: Tz,
    /// The instant by which people know the row, such as the beginning of a visit.
    pub at: Option<DateTime<Utc>>,
    /// What the row is, a sentence.
    pub state: String,
    /// What is said where no event is known.
    pub no_history: &'static str,
    pub verdicts: Vec<Verdict>,
}

/// Whether a run would do one thing with a row, and why.
#[derive(Default)]
pub struct Verdict {
    /// The item of a run.
    pub item: Item,
    /// The thing, if there are several: the type of an alert, a rule.
    pub name: String,
    /// What the job's rule says.
    pub due: bool,
    /// What a run would do: it follows "A run now would".
    pub action: String,
    /// Why it would, in few words.
    pub why: String,
    /// All reasons against it; none if it is due.
    pub reasons: Vec<String>,
    /// The instants at which the answer may change.
    pub candidates: Vec<DateTime<Utc>>,
    /// The first instant at which it is due, if nothing else changes: it is found by `Explain`.
    pub due_at: Option<DateTime<Utc>>,
}

/// The exact text of an instant, from which it can be read again.
pub fn exact(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl Judgement {
    pub fn local(&self, instant: DateTime<Utc>) -> String {
        local_stamp(instant, self.zone)
    }

    /// As a run that is kept to a facility judges it.
    pub fn keep_to(&mut self, facility: &Key) {
        if self.facility.as_ref() == Some(facility) {
            return;
        }
        for verdict in &mut self.verdicts {
            verdict.due = false;
            verdict.candidates.clear();
            verdict.reasons.push("it belongs to another facility than --facility".to_owned());
        }
    }

    pub fn verdict(&self, item: &Item, name: &str) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.item == *item && verdict.name == name)
    }

    /// The paragraph, with a line for each verdict if there are several.
    pub fn text(&self, events: &[Event], records: &Records) -> String {
        let mut text = self.state.clone();
        for event in events {
            text += &format!(" {}.", event.sentence);
        }
        if events.is_empty() && !self.no_history.is_empty() {
            text += &format!(" {}", self.no_history);
        }
        for verdict in &self.verdicts {
            let sentences = self.sentences(verdict, records);
            text += &match &verdict.name[..] {
                "" => format!(" {sentences}"),
                name => format!("\n{name}: {sentences}"),
            };
        }
        text
    }

    fn sentences(&self, verdict: &Verdict, records: &Records) -> String {
        let mut text = match verdict.due {
            true => format!("A run now would {}.", verdict.action),
            false => {
                let reasons = match &verdict.reasons[..] {
                    [] => "its rule does not hold".to_owned(),
                    reasons => reasons.join("; "),
                };
                format!("A run now would leave it alone: {reasons}.")
            }
        };
        if let Some(due_at) = verdict.due_at {
            text += &format!(" If nothing else changes, a run from {} on would do it.", self.local(due_at));
        }
        if let Some(refusal) = records.refusal(&verdict.item) {
            let (code, times) = (&refusal.code, counted(refusal.times, "time"));
            let last = self.local(refusal.last);
            text += &format!(" The database refused it {times}, last at {last}: {} [{code}]", refusal.message);
            text += &match refusal.next_try {
                Some(next) => {
                    format!("; until {} no run tries it, but one with --retry-refused.", self.local(next))
                }
                None => "; the next run tries it again.".to_owned(),
            };
        }
        text
    }
}

impl Verdict {
    pub fn json(&self, records: &Records) -> Value {
        let refusal = records.refusal(&self.item);
        json!({
            "name": (!self.name.is_empty()).then_some(&self.name),
            "due": self.due,
            "due_at": self.due_at.map(exact),
            "would": self.due.then_some(&self.action),
            "why": self.due.then_some(&self.why),
            "reasons": self.reasons,
            "refused": refusal.map(|refusal| json!({
                "error_code": refusal.code,
                "times": refusal.times,
                "next_try_at": refusal.next_try.map(exact),
            })),
        })
    }
}
