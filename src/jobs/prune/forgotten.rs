//! What is forgotten of the PracticeQ account: counts, marks and notes that are no evidence. Nothing of it is archived,
//! and the brake does not count it.

use tokio_postgres::Transaction;

use super::history::Pruned;
use crate::db::statements;
use crate::run::{Halt, Run, WriteOptions, count};
use chrono::{DateTime, Utc};

/// The rows of each kind that a run forgets at most: the next run does the rest.
pub const MAX_FORGOTTEN: u32 = 10_000;

statements! {
    FORGET(TIMESTAMPTZ, INT8) = include_str!("forget.sql");
    FORGET_ROWS[rows: Rows = Rows::ALL.to_vec()](TIMESTAMPTZ, INT8) = format!(
        include_str!("forget_rows.sql"),
        table = rows.table(),
        key = rows.key(),
        old = rows.old(),
    );
}

/// The instants before which something is old.
pub struct Before {
    /// A visit or a decision of somebody whom nobody knows.
    pub unmatched: DateTime<Utc>,
    /// A request, or an event.
    pub request: DateTime<Utc>,
    /// A note that a client is nobody's, since the client was seen.
    pub client: DateTime<Utc>,
}

/// Rows that are forgotten whole.
#[derive(Clone, Copy)]
enum Rows {
    Requests,
    Events,
    Clients,
}

impl Rows {
    const ALL: [Self; 3] = [Self::Requests, Self::Events, Self::Clients];

    fn table(self) -> &'static str {
        match self {
            Self::Requests => "api_requests",
            Self::Events => "practiceq_inbox",
            Self::Clients => "practiceq_clients",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Requests | Self::Events => "id",
            Self::Clients => "client_id",
        }
    }

    /// The condition on an old row, in SQL.
    fn old(self) -> &'static str {
        match self {
            // The limit of a day counts those of a minute more.
            Self::Requests => "x.requested_at < $1 - interval '1 hour'",
            // One that still waits, too: what it was about was read long ago.
            Self::Events => "x.received_at < $1",
            // A link stays: it says whose the visits in a chart are. So does one that a person took back: without it the
            // sync would find it again.
            Self::Clients => "x.patient_id IS NULL AND NOT x.waits AND x.seen_at < $1",
        }
    }

    fn before(self, before: &Before) -> DateTime<Utc> {
        match self {
            Self::Requests | Self::Events => before.request,
            Self::Clients => before.client,
        }
    }

    /// Where the report counts them.
    fn count(self, pruned: &mut Pruned) -> &mut u64 {
        match self {
            Self::Requests => &mut pruned.requests,
            Self::Events => &mut pruned.events,
            Self::Clients => &mut pruned.clients,
        }
    }
}

/// Forgets what is old. Returns how many rows.
pub async fn forget(run: &Run, before: &Before, pruned: &mut Pruned) -> Result<u64, Halt> {
    let limit = i64::from(MAX_FORGOTTEN);
    let forget =
        async |tx: &Transaction<'_>| Ok(count(&FORGET.one(tx, &[&before.unmatched, &limit]).await?, "forgotten"));
    let unmatched = run.write("forgetting unmatched appointments", WriteOptions::default(), forget).await?;
    pruned.unmatched += unmatched;
    let mut all = unmatched;
    for rows in Rows::ALL {
        let (statement, before) = (FORGET_ROWS.with(&rows), rows.before(before));
        let forget = async |tx: &Transaction<'_>| Ok(count(&statement.one(tx, &[&before, &limit]).await?, "forgotten"));
        let what = format!("forgetting old rows of {}", rows.table());
        let forgotten = run.write(&what, WriteOptions::default(), forget).await?;
        *rows.count(pruned) += forgotten;
        all += forgotten;
    }
    Ok(all)
}
