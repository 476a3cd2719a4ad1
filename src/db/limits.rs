//! The limits and settings with which every transaction begins.

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
    /// These limits with another lock wait. It is at most a third of the statement's limit, so that the lock wait ends
    /// first even if a row is waited for twice: in the queue, and at its head.
    pub fn with_lock(self, lock: Duration) -> Self {
        Self { lock: lock.min(self.statement / 3), ..self }
    }

    /// Begins a transaction with these limits. No transaction begins without them.
    pub async fn begin(self, client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let tx = client.transaction().await?;
        self.apply(&tx).await?;
        Ok(tx)
    }

    /// Begins a read-only transaction with these limits.
    pub async fn begin_reading(self, client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let tx = client.build_transaction().read_only(true).start().await?;
        self.apply(&tx).await?;
        Ok(tx)
    }

    /// Applies the limits and settings to a transaction. READ COMMITTED is set so that a statement sees the committed
    /// rows after it waited for a lock, whatever the database's default is. The connection check ends a statement
    /// within half a second after its client has gone. JIT compilation is off because it never pays for statements this
    /// short.
    async fn apply(self, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        tx.batch_execute(&format!(
            "SET LOCAL transaction_isolation = 'read committed'; \
             SET LOCAL statement_timeout = {}; \
             SET LOCAL lock_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; \
             SET LOCAL client_connection_check_interval = 500; SET LOCAL jit = off",
            self.statement.as_millis(),
            self.lock.as_millis(),
            self.idle.as_millis()
        ))
        .await
    }
}
