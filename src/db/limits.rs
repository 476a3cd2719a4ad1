//! The limits and settings with which every transaction begins.

use std::time::Duration;

use tokio_postgres::Transaction;

use super::connection::Connection;

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
    pub async fn begin(self, connection: &mut Connection) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let settings = self.settings(connection);
        let tx = connection.transaction().await?;
        tx.batch_execute(&settings).await?;
        Ok(tx)
    }

    /// Begins a read-only transaction with these limits.
    pub async fn begin_reading(self, connection: &mut Connection) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let settings = self.settings(connection);
        let tx = connection.build_transaction().read_only(true).start().await?;
        tx.batch_execute(&settings).await?;
        Ok(tx)
    }

    /// The settings of a transaction, whatever role, database and server say.
    ///
    /// The names in a statement mean the server's own or those of our schema: in another schema anybody could make a
    /// function or a table that is taken instead. Text becomes an instant, and an instant text, in UTC and in ISO form.
    /// A policy that would hide rows is an error. READ COMMITTED is set so that a statement sees the committed rows
    /// after it waited for a lock. The connection check ends a statement within half a second after its client has
    /// gone. JIT compilation is off because it never pays for statements this short.
    fn settings(self, connection: &Connection) -> String {
        format!(
            "SET LOCAL search_path = pg_catalog, {}, pg_temp; \
             SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; \
             SET LOCAL standard_conforming_strings = on; SET LOCAL array_nulls = on; \
             SET LOCAL transform_null_equals = off; SET LOCAL extra_float_digits = 1; \
             SET LOCAL row_security = off; SET LOCAL transaction_isolation = 'read committed'; \
             SET LOCAL statement_timeout = {}; \
             SET LOCAL lock_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; \
             SET LOCAL client_connection_check_interval = 500; SET LOCAL jit = off",
            connection.schema.quoted(),
            self.statement.as_millis(),
            self.lock.as_millis(),
            self.idle.as_millis()
        )
    }
}
