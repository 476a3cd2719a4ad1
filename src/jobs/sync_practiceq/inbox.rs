//! The inbox: the events of the account that were received, and the appointments that are asked for because of them.
//!
//! Rule: an event is done if and only if its appointment was asked for after it was received, and the answer is stored.
//! It is kept before the run begins, so that it waits where the run is skipped, and where it is killed.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::db::{Db, Limits, schema, statements};
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions, has_passed};

statements! {
    // $1 external id text. An application that receives events by itself may send the same.
    KEEP_EVENT(TEXT) = "INSERT INTO practiceq_inbox (external_id) VALUES ($1)";
    EVENTS_DUE(INT8) = format!(include_str!("events_due.sql"), has_passed = has_passed("d.asked_at"));
    EVENT_DONE(TEXT, INT8_ARRAY, TIMESTAMPTZ, UUID) = include_str!("event_done.sql");
    EVENT_FAILED(TEXT) = include_str!("event_failed.sql");
    EVENTS_WAITING() = "SELECT count(*) FROM practiceq_inbox WHERE done_at IS NULL";
}

/// How many appointments are looked for together.
const LOOKED_FOR: i64 = 50;
/// After so many appointments in a row for which there was no answer, the server is taken to be down.
const UNANSWERED_IN_A_ROW_MAX: u32 = 2;

/// The events of a run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Events {
    /// Their appointment was asked for, and the answer is stored.
    pub done: u64,
    /// They wait for the next run: it was asked for within the last minute, or could not be.
    pub waiting: u64,
}

/// An appointment, and the events for which it is asked for.
pub struct Due {
    pub external_id: String,
    pub events: Vec<i64>,
}

/// What became of asking for an appointment.
pub enum Answer {
    /// It is stored; when the account was asked.
    Stored(DateTime<Utc>),
    /// Somebody else holds the visit.
    NotStored,
    /// The server failed at each attempt.
    None,
    /// No request may be sent now.
    NoRequest,
}

/// Asks for the appointments of events, each once, until none is due. What cannot be asked for now waits.
pub async fn drain<E: From<Halt>>(
    run: &Run,
    mut all_due: Vec<Due>,
    mut ask: impl AsyncFnMut(&Due) -> Result<Answer, E>,
) -> Result<Events, E> {
    let (mut events, mut unanswered_in_a_row) = (0, 0);
    'drained: while !all_due.is_empty() {
        for due in &all_due {
            match ask(due).await? {
                Answer::Stored(asked_at) => {
                    events += done(run, due, asked_at).await?;
                    unanswered_in_a_row = 0;
                }
                Answer::NotStored => failed(run, due).await?,
                Answer::None => {
                    failed(run, due).await?;
                    unanswered_in_a_row += 1;
                }
                Answer::NoRequest => break 'drained,
            }
            if unanswered_in_a_row == UNANSWERED_IN_A_ROW_MAX {
                break 'drained;
            }
        }
        // In a dry run no event is done: the same would be found again.
        all_due = if run.dry_run() { vec![] } else { due(run).await? };
    }
    Ok(Events { done: events, waiting: waiting(run).await? })
}

/// Keeps an event, for whichever run comes to it.
pub async fn keep(db: &Db, limits: Limits, external_id: &str) -> Result<(), Error> {
    let mut client = db.client().await?;
    let tx = limits.begin(&mut client).await?;
    schema::check_served(&tx).await?;
    KEEP_EVENT.execute(&tx, &[&external_id]).await?;
    tx.commit().await?;
    Ok(())
}

/// The appointments to be asked for now.
pub async fn due(run: &Run) -> Result<Vec<Due>, Halt> {
    let look = async |tx: &Transaction<'_>| EVENTS_DUE.all(tx, &[&LOOKED_FOR]).await;
    let rows = run.read("looking for events", look).await?;
    Ok(rows.iter().map(|row| Due { external_id: row.get("external_id"), events: row.get("events") }).collect())
}

/// How many events wait.
pub async fn waiting(run: &Run) -> Result<u64, Halt> {
    let count = async |tx: &Transaction<'_>| Ok(EVENTS_WAITING.one(tx, &[]).await?.get::<_, i64>(0));
    Ok(run.read("counting the events that wait", count).await?.unsigned_abs())
}

/// Notes that the answer is stored. Returns for how many events.
async fn done(run: &Run, Due { external_id, events }: &Due, asked_at: DateTime<Utc>) -> Result<u64, Halt> {
    let note = async |tx: &Transaction<'_>| EVENT_DONE.execute(tx, &[external_id, events, &asked_at, &run.id]).await;
    run.write("noting that an event is done", WriteOptions::default(), note).await
}

/// Notes that the account was asked in vain, or the answer not stored.
async fn failed(run: &Run, due: &Due) -> Result<(), Halt> {
    let note = async |tx: &Transaction<'_>| EVENT_FAILED.execute(tx, &[&due.external_id]).await;
    run.write("noting when an event is tried again", WriteOptions::default(), note).await.map(drop)
}
