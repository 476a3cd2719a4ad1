//! A session of the application: transactions one after another, each statement timed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::order::{Step, Strength, Table};

/// What sessions have come to.
#[derive(Default)]
pub struct Seen {
    pub transactions: u64,
    pub deadlocks: u64,
    /// The longest statement, and what it was.
    pub longest: (Duration, String),
    /// How often rows of a table were counted up.
    pub counted: HashMap<Table, i64>,
    /// The visits whose patients came.
    pub checked_in: Vec<i64>,
    pub errors: Vec<String>,
}

impl Seen {
    pub fn add(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.deadlocks += other.deadlocks;
        if other.longest.0 > self.longest.0 {
            self.longest = other.longest;
        }
        for (table, times) in other.counted {
            *self.counted.entry(table).or_default() += times;
        }
        self.checked_in.extend(other.checked_in);
        self.errors.extend(other.errors);
    }
}

pub struct Session {
    pub client: Client,
    pub seen: Seen,
}

impl Session {
    /// One transaction. What a deadlock undid is not done again.
    pub async fn transaction(&mut self, steps: &[Step]) {
        let mut counted: Vec<Table> = vec![];
        let mut checked_in = vec![];
        match self.carry_out(steps, &mut counted, &mut checked_in).await {
            Ok(()) => {
                self.seen.transactions += 1;
                self.seen.checked_in.append(&mut checked_in);
                for table in counted {
                    *self.seen.counted.entry(table).or_default() += 1;
                }
                return;
            }
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => self.seen.deadlocks += 1,
            Err(error) => self.seen.errors.push(format!("{error:?}")),
        }
        self.seen.transactions += 1;
        let _ = self.client.batch_execute("ROLLBACK").await;
    }

    async fn carry_out(
        &mut self,
        steps: &[Step],
        counted: &mut Vec<Table>,
        checked_in: &mut Vec<i64>,
    ) -> Result<(), Error> {
        self.statement("BEGIN").await?;
        for step in steps {
            match step {
                Step::Hold(time) => tokio::time::sleep(*time).await,
                Step::Lock { table, id, strength } => {
                    if self.lock(*table, *id, *strength).await? {
                        counted.push(*table);
                    }
                }
                Step::CheckIn { visit } => {
                    let update = format!(
                        "UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '2026-03-02T13:55Z'
                         WHERE id = {visit} AND status = 'SCHEDULED' RETURNING id"
                    );
                    checked_in.extend(self.statement(&update).await?);
                }
                Step::Comment { ticket, author } => {
                    let insert = format!(
                        "INSERT INTO ticket_comments (ticket_id, author_id, body) VALUES ({ticket}, {author}, 'b')"
                    );
                    self.statement(&insert).await?;
                }
                Step::Follower { ticket, user } => {
                    let insert = format!(
                        "INSERT INTO ticket_followers (ticket_id, user_id) SELECT {ticket}, {user}
                         WHERE EXISTS (SELECT FROM tickets WHERE id = {ticket}) ON CONFLICT DO NOTHING"
                    );
                    self.statement(&insert).await?;
                }
                Step::Note { slot } => {
                    let insert =
                        format!("INSERT INTO slot_notes (slot_id) SELECT id FROM doctor_slots WHERE id = {slot}");
                    self.statement(&insert).await?;
                }
            }
        }
        self.statement("COMMIT").await.map(drop)
    }

    /// Locks a row, and counts it up where the lock allows it. Returns whether it did. A value that was read before the
    /// lock and written after it would be the loss of another's: the count is read under the lock.
    async fn lock(&mut self, table: Table, id: i64, strength: Strength) -> Result<bool, Error> {
        let name = table.name();
        if strength == Strength::Change {
            let update = format!("UPDATE {name} SET app_count = app_count + 1 WHERE id = {id} RETURNING app_count");
            return Ok(self.statement(&update).await?.is_some());
        }
        let look = format!("SELECT app_count FROM {name} WHERE id = {id} {}", strength.sql());
        let found = self.statement(&look).await?;
        let (Some(count), true) = (found, strength.writes()) else { return Ok(false) };
        self.statement(&format!("UPDATE {name} SET app_count = {} WHERE id = {id}", count + 1)).await?;
        Ok(true)
    }

    /// Sends a statement, takes its time, and returns the number that it gives.
    async fn statement(&mut self, sql: &str) -> Result<Option<i64>, Error> {
        let began = Instant::now();
        let answer = self.client.simple_query(sql).await;
        let took = began.elapsed();
        if took > self.seen.longest.0 {
            self.seen.longest = (took, sql.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let number = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().and_then(|text: &str| text.parse().ok()),
            _ => None,
        };
        Ok(answer?.iter().find_map(number))
    }
}
