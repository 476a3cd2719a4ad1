//! The date at which a ticket must be resolved, which the jobs of the help desk share.

use tokio_postgres::Transaction;

use crate::clinic::local_time::instant;
use crate::db::{Key, statements};
use crate::error::{Error, ErrorKind};

statements! {
    UNREADABLE_POLICIES() =
        format!("SELECT p.id::text FROM (\n{}\n) p WHERE p.minutes IS NULL ORDER BY p.id", policies_in_force());
}

/// The joins that add `sla.due_at` to a ticket `t`.
pub fn due_at() -> String {
    format!(include_str!("due_at.part.sql"), policies = policies_in_force(), filed_at = filed_at("t"))
}

/// The SLA policy in force for each priority, a SELECT.
pub fn policies_in_force() -> String {
    include_str!("policies_in_force.part.sql").trim_end().to_owned()
}

/// The instant at which a ticket was created, in SQL; NULL where no date can be computed from it.
pub fn filed_at(ticket: &str) -> String {
    instant(&format!("{ticket}.created_at"))
}

/// The policies in force from which no date can be computed.
pub async fn unreadable_policies(tx: &Transaction<'_>) -> Result<Vec<Key>, Error> {
    Ok(UNREADABLE_POLICIES.all(tx, &[]).await?.iter().map(|row| row.get("id")).collect())
}

/// The error of a policy in force from which no date can be computed.
pub fn unreadable_policy() -> Error {
    let message = "sla_policies.resolution_minutes is no number of minutes from 1 to 5256000; tickets that depend on \
                   it have no date";
    Error::new("UNREADABLE_POLICY", ErrorKind::Data, message)
}
