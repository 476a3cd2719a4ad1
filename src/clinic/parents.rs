//! The rows that the foreign keys of a batch's changes look at.
//!
//! Rule: they are locked FOR KEY SHARE, without a wait, before the changes. Otherwise the server would wait for them
//! while the batch holds its rows, and an application that holds a parent and waits for one of those rows would end in a
//! deadlock. Where one is locked by another session, the batch is left to the next run.
//!
//! A role needs UPDATE of a column for such a lock, and a view must be one that the server can write through. Where
//! either is missing, the parents are left alone: the server then waits for them at most as long as a batch may.

use std::sync::OnceLock;

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::db::{Statement, unless};
use crate::error::Error;

/// The SQLSTATEs of rows that cannot be locked: a missing privilege, a view of joins or groups, a materialized view.
const CANNOT_BE_LOCKED: [&str; 3] = ["42501", "0A000", "42809"];

/// Whether a statement only locks parents. A run does its work also where the server refuses it.
pub fn only_holds(statement: &Statement) -> bool {
    statement.name.ends_with("::HOLD_PARENTS")
}

/// The parents of the batches of a run.
pub struct Parents {
    /// Locks them. It returns `all_held`, whether all of them could be locked.
    hold: &'static Statement,
    /// Whether they can be locked at all, once it is known.
    can_be_locked: OnceLock<bool>,
}

impl Parents {
    pub fn new(hold: &'static Statement) -> Self {
        Self { hold, can_be_locked: OnceLock::new() }
    }

    /// Locks them until the transaction ends. Returns false if another session has locked one of them.
    pub async fn hold(&self, tx: &Transaction<'_>, parents: &[&(dyn ToSql + Sync)]) -> Result<bool, Error> {
        let held = async || Ok(self.hold.one(tx, parents).await?.get("all_held"));
        match self.can_be_locked.get() {
            Some(true) => held().await,
            Some(false) => Ok(true),
            None => {
                let found = unless(tx, &CANNOT_BE_LOCKED, held).await?;
                let _ = self.can_be_locked.set(found.is_some());
                Ok(found.unwrap_or(true))
            }
        }
    }
}
