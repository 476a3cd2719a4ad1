//! What waits for a person: the lanes that somebody has paused, and those that tell people in a restored backup.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::db::statements;
use crate::db::{Row as SqlRow, identity::Identities};
use crate::error::Error;
use crate::jobs;
use crate::output::{local_stamp, stamp};
use crate::run::restored_message;
use crate::schedule::{self, Row};
use crate::time_zone::Tz;

statements! {
    // The pauses that reach beyond an instant. $1 the instant timestamptz
    PAUSES(TIMESTAMPTZ) =
        "SELECT p.job_name, p.lane, p.reason, p.paused_by, p.paused_at, p.until, p.resumed_at FROM pauses p
         WHERE COALESCE(LEAST(p.resumed_at, p.until), 'infinity') >= $1 ORDER BY p.id";
}

/// A pause, in progress or over.
#[derive(Clone, Debug)]
pub struct Pause {
    job: Option<String>,
    lane: Option<String>,
    reason: String,
    by: String,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    resumed_at: Option<DateTime<Utc>>,
}

impl Pause {
    fn of(row: &SqlRow) -> Self {
        Self {
            job: row.get("job_name"),
            lane: row.get("lane"),
            reason: row.get("reason"),
            by: row.get("paused_by"),
            from: row.get("paused_at"),
            until: row.get("until"),
            resumed_at: row.get("resumed_at"),
        }
    }

    /// When it was over, or will be by itself.
    fn end(&self) -> Option<DateTime<Utc>> {
        [self.until, self.resumed_at].into_iter().flatten().min()
    }

    fn covers(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.end().is_none_or(|end| at < end)
    }

    fn is_of(&self, row: &Row) -> bool {
        let is = |own: &Option<String>, name: &str| own.as_ref().is_none_or(|own| own == name);
        is(&self.job, row.job) && is(&self.lane, row.lane)
    }

    /// Who has paused it, since when, until when and why.
    pub fn describe(&self, at: impl Fn(DateTime<Utc>) -> String) -> String {
        let until = self.until.map_or(String::new(), |until| format!(" until {}", at(until)));
        format!("paused by user {} since {}{until}: {}", self.by, at(self.from), self.reason)
    }

    /// The name of what is paused; None if it is everything.
    fn of_what(&self) -> Option<String> {
        self.job.as_ref().map(|job| schedule::name(job, self.lane.as_deref().unwrap_or_default()))
    }

    /// A sentence below the table.
    pub fn note(&self, zone: Tz) -> String {
        let name = self.of_what().unwrap_or("everything".to_owned());
        format!("{name}: not scheduled, and {}", self.describe(|at| local_stamp(at, zone)))
    }

    pub fn json(&self) -> Value {
        json!({
            "of": self.of_what(),
            "pausedBy": self.by,
            "pausedAt": stamp(self.from),
            "until": self.until.map(stamp),
            "reason": self.reason,
        })
    }
}

/// What a person has paused of a lane, or has to say the word for.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// The pause that lasts.
    pub paused: Option<Pause>,
    /// Those that are over.
    over: Vec<Pause>,
    /// The message that the database is a restored backup.
    pub restored: Option<String>,
}

impl Stop {
    /// The instant from which a lane is expected to run that was expected from `at` on: not before its last pause ended.
    pub fn expected_from(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.over.iter().filter_map(Pause::end).fold(at, DateTime::max)
    }

    /// Whether the lane was paused at an instant.
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        self.paused.iter().chain(&self.over).any(|pause| pause.covers(at))
    }
}

/// What is stopped, of all lanes.
pub struct Stopped {
    pauses: Vec<Pause>,
    restored: Option<String>,
}

impl Stopped {
    /// Reads the pauses that reach beyond an instant, and whether the database is the recorded one.
    pub async fn read(tx: &Transaction<'_>, from: DateTime<Utc>) -> Result<Self, Error> {
        let pauses = PAUSES.all(tx, &[&from]).await?.iter().map(Pause::of).collect();
        let difference = Identities::read_anyhow(tx).await?.difference();
        Ok(Self { pauses, restored: difference.as_deref().map(restored_message) })
    }

    /// The pauses in progress that are of no row. Nothing else would tell that they last.
    pub fn of_none(&self, table: &[Row], now: DateTime<Utc>) -> Vec<Pause> {
        let is_of_none = |pause: &&Pause| pause.covers(now) && !table.iter().any(|row| pause.is_of(row));
        self.pauses.iter().filter(is_of_none).cloned().collect()
    }

    pub fn of(&self, row: &Row, now: DateTime<Utc>) -> Stop {
        let own = || self.pauses.iter().filter(|pause| pause.is_of(row));
        Stop {
            paused: own().find(|pause| pause.covers(now)).cloned(),
            over: own().filter(|pause| pause.end().is_some_and(|end| end <= now)).cloned().collect(),
            restored: self.restored.clone().filter(|_| jobs::tells(row.job)),
        }
    }
}
