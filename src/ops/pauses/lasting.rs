//! What is paused, and the pauses that last.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::clinic::actor::refused;
use crate::db::{CLOCK, Row, statements};
use crate::error::Error;
use crate::jobs;
use crate::output::visible::is_active;
use crate::output::{local_stamp, stamp};
use crate::schedule;
use crate::time_zone::Tz;

statements! {
    // $1 now timestamptz
    LASTING(TIMESTAMPTZ) =
        "SELECT p.job_name, p.lane, p.paused_by, p.paused_at, p.until FROM pauses p
         WHERE p.resumed_at IS NULL AND (p.until IS NULL OR p.until > $1) ORDER BY p.id";
}

/// What is paused: a lane, a job with all its lanes, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub job: Option<String>,
    pub lane: Option<String>,
}

impl Scope {
    pub const ALL: Self = Self { job: None, lane: None };

    /// What the name of a job, or of a job and a lane, stands for.
    pub fn named(name: &str) -> Result<Self, Error> {
        // A job or a lane that is not in the clinic's schedule may be started all the same. The default schedule has
        // every job.
        let default = jobs::NAMES.iter().flat_map(|job| schedule::default_rows(job));
        if let Some(row) = schedule::table().iter().chain(default).find(|row| row.is_called(name)) {
            let lane = (name != row.job).then(|| row.lane.to_owned());
            return Ok(Self { job: Some(row.job.to_owned()), lane });
        }
        let message = format!("no job in the schedule is called {name}; there are {}", schedule::known());
        Err(refused("UNKNOWN_JOB", message))
    }

    /// As a person names it.
    pub fn name(&self) -> String {
        let lane = self.lane.as_deref().unwrap_or_default();
        self.job.as_ref().map_or("everything".to_owned(), |job| schedule::name(job, lane))
    }

    /// As the commands take it.
    pub fn argument(&self) -> String {
        if *self == Self::ALL { "--all".to_owned() } else { self.name() }
    }
}

/// A pause that lasts.
pub struct Lasting {
    pub scope: Scope,
    pub by: String,
    pub since: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
}

impl Lasting {
    pub async fn all(tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<Vec<Self>, Error> {
        let of = |row: &Row| Self {
            scope: Scope { job: row.get("job_name"), lane: row.get("lane") },
            by: row.get("paused_by"),
            since: row.get("paused_at"),
            until: row.get("until"),
        };
        Ok(LASTING.all(tx, &[&now]).await?.iter().map(of).collect())
    }

    /// Who, since when and until when.
    pub fn describe(&self, zone: Tz) -> String {
        let until = self.until.map_or(String::new(), |until| format!(" until {}", local_stamp(until, zone)));
        format!("by user {} since {}{until}", self.by, local_stamp(self.since, zone))
    }

    pub fn name(&self) -> String {
        if self.scope == Scope::ALL { "everything (--all)".to_owned() } else { self.scope.name() }
    }

    pub fn json(&self) -> Value {
        json!({
            "job": self.scope.job,
            "lane": self.scope.lane,
            "paused_by": self.by,
            "paused_at": stamp(self.since),
            "until": self.until.map(stamp),
        })
    }
}

/// The pauses that last, as one sentence.
pub async fn lasting(tx: &Transaction<'_>, zone: Tz) -> Result<Option<String>, Error> {
    let now = CLOCK.one(tx, &[]).await?.get(0);
    let lasting = Lasting::all(tx, now).await?;
    Ok((!lasting.is_empty()).then(|| sentence(&lasting, zone)))
}

/// A list of pauses, as one sentence.
pub fn sentence(pauses: &[Lasting], zone: Tz) -> String {
    let each = pauses.iter().map(|pause| format!("{}, {}", pause.name(), pause.describe(zone)));
    each.collect::<Vec<_>>().join("; ")
}

/// A reason that says something.
pub fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, in a few words".to_owned()),
        text if text.contains(is_active) => Err("a reason is one line, without control characters".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_job_with_its_lanes_or_one_lane() {
        let scope = |name| Scope::named(name).expect("in the schedule");
        let of = |job: &str, lane: Option<&str>| Scope { job: Some(job.to_owned()), lane: lane.map(str::to_owned) };
        assert_eq!(scope("prune"), of("prune", None));
        assert_eq!(scope("advance-billing"), of("advance-billing", None));
        assert_eq!(scope("advance-billing-paid"), of("advance-billing", Some("paid")));
        let arguments = [scope("advance-billing-paid"), Scope::ALL].map(|scope| scope.argument());
        assert_eq!(arguments, ["advance-billing-paid", "--all"]);
        assert!(Scope::named("advance").is_err());
    }
}
