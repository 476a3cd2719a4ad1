//! Appointments that the account lists as deleted, and has all the same: its list of deletions goes back ten days, and
//! keeps what was restored since.
//!
//! Rule: the list alone deletes what nothing else speaks for. What a live list of the run has shown, what was found to
//! be there before, and what another lane may have read since the list was asked for, is asked for by its id. What was
//! found to be there is asked for again when the account says that it has changed since, or after [`SETTLED`].

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Transaction;

use crate::db::{Key, statements};
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions, has_passed};

statements! {
    LISTED(TEXT_ARRAY) = include_str!("listed.sql");
    // $1 when the list was asked for timestamptz · $2 run id uuid
    OTHERS_READ(TIMESTAMPTZ, UUID) = format!(
        "SELECT EXISTS (SELECT FROM api_requests r
                        WHERE r.account = 'practiceq' AND r.requested_at > $1 AND r.run_id <> $2
                          AND r.purpose NOT LIKE 'deletions%' AND {}) AS others_read",
        has_passed("r.requested_at")
    );
    NOTE_FOUND(TEXT, TIMESTAMPTZ) = format!(include_str!("note_found.sql"), has_passed = has_passed("c.found_at"));
}

/// For so long nobody asks again for what was found to be there: the day's requests are few.
const SETTLED: TimeDelta = TimeDelta::hours(6);

/// An appointment in the account's list of deletions.
pub struct Listed {
    pub external_id: String,
    /// Its LastModified.
    pub modified_at: Option<DateTime<Utc>>,
}

/// The appointments of the list that the clinic has, by what is to be done with them.
#[derive(Default)]
pub struct Judged {
    /// Gone for certain: how many of them are visits, and all of them.
    pub visits: usize,
    pub gone: Vec<String>,
    /// To be asked for by id.
    pub doubtful: Vec<Key>,
    /// Found to be there not long ago.
    pub settled: Vec<Key>,
}

impl Judged {
    /// Whether the list has this visit, or has it wrongly.
    pub fn names(&self, external_id: &Key) -> bool {
        self.gone.iter().any(|gone| gone == external_id.as_str())
            || self.doubtful.iter().chain(&self.settled).any(|listed| listed == external_id)
    }
}

/// What speaks against the list of a run.
pub struct Against<'a> {
    /// The external ids that the run has read, or asked for.
    pub seen: &'a HashSet<&'a str>,
    /// Whether the run has read all of the window, so that what it has not seen is not there.
    pub is_sweep: bool,
    /// When the first page of the list was asked for.
    pub listed_at: DateTime<Utc>,
}

/// Judges the account's list of deletions.
pub async fn judge(run: &Run, listed: &[Listed], against: &Against<'_>) -> Result<Judged, Halt> {
    let ids: Vec<&str> = listed.iter().map(|row| row.external_id.as_str()).collect();
    let look = async |tx: &Transaction<'_>| -> Result<_, Error> {
        let others_read = OTHERS_READ.one(tx, &[&against.listed_at, &run.id]).await?.get("others_read");
        Ok((LISTED.all(tx, &[&ids]).await?, others_read))
    };
    let (rows, others_read): (_, bool) = run.read("looking for visits that were deleted", look).await?;
    let mut judged = Judged::default();
    for row in rows {
        let external_id: Key = row.get("external_id");
        let id = external_id.as_str();
        let is_seen = against.seen.contains(id);
        let found_at: Option<DateTime<Utc>> = row.get("found_at");
        if !is_seen && found_at.is_none() && !others_read {
            judged.visits += usize::from(row.get::<_, bool>("is_visit"));
            judged.gone.push(id.to_owned());
            continue;
        }
        let changed_since =
            |found_at| listed.iter().any(|row| row.external_id == id && row.modified_at > Some(found_at));
        let is_settled = found_at.is_some_and(|found_at| {
            (is_seen || !against.is_sweep)
                && (found_at..found_at + SETTLED).contains(&against.listed_at)
                && !changed_since(found_at)
        });
        if is_settled { judged.settled.push(external_id) } else { judged.doubtful.push(external_id) }
    }
    Ok(judged)
}

/// Notes that the account has an appointment that it lists as deleted.
pub async fn note_found(run: &Run, external_id: &Key, asked_at: DateTime<Utc>) -> Result<(), Halt> {
    let note = async |tx: &Transaction<'_>| NOTE_FOUND.execute(tx, &[&external_id.as_str(), &asked_at]).await;
    run.write("noting an appointment that is there all the same", WriteOptions::default(), note).await.map(drop)
}
