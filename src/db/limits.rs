//! The limits and settings that every transaction begins with.

use std::time::Duration;

use tokio_postgres::{Client, Transaction};

/// The limits of one transaction.
#[derive(Clone, Copy)]
pub struct Limits {
    pub statement: Duration,
    pub lock: Duration,
    pub idle: Duration,
}

impl Limits {
    /// The same, but with more patience for locks; still so little that it is the lock that is reported, also where a row
    /// is waited for twice: in the queue, and at its head.
    pub fn with_lock(self, lock: Duration) -> Self {
        Self { lock: lock.min(self.statement / 3), ..self }
    }

    /// Begins a transaction that has them: there is none without.
    pub async fn begin(self, client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let tx = client.transaction().await?;
        self.apply(&tx).await?;
        Ok(tx)
    }

    /// The same, but nothing can be changed in it.
    pub async fn begin_reading(self, client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let tx = client.build_transaction().read_only(true).start().await?;
        self.apply(&tx).await?;
        Ok(tx)
    }

    /// Sets them for the transaction. What is read behind a lock is what is there then, whatever the database's own default is. A client that is gone ends its statement within half a second; JIT compilation
    /// never pays for statements this short.
    async fn apply(self, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        tx.batch_execute(&format!(
            "SET LOCAL transaction_isolation = 'read committed'; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; \
             SET LOCAL client_connection_check_interval = 500; SET LOCAL jit = off",
            self.statement.as_millis(),
            self.lock.as_millis(),
            self.idle.as_millis()
        ))
        .await
    }
}
