//! Who may decide about the account's appointments, and may see whose they are.

use tokio_postgres::Transaction;

use crate::clinic::actor::{ADMIN, Actor, refused};
use crate::clinic::organizations::organizations_of;
use crate::db::statements;
use crate::error::Error;

statements! {
    OF_NONE(KEY) = format!("SELECT NOT EXISTS ({}) AS of_none", organizations_of("$1"));
}

/// The roles that may decide, and may see the names.
pub const STAFF: &[&str] = &[ADMIN, "SUPERVISOR", CASE_MANAGER];
const CASE_MANAGER: &str = "CASE_MANAGER";

/// Refuses a user who may decide nothing: of another role, or of no facility and no organization.
pub async fn may_decide(tx: &Transaction<'_>, actor: &Actor, what: &str) -> Result<(), Error> {
    actor.require(STAFF, what)?;
    if actor.is_of_the_group() || (actor.role != CASE_MANAGER && actor.own_facility(what).is_ok()) {
        return Ok(());
    }
    if OF_NONE.one(tx, &[&actor.id]).await?.get("of_none") {
        let (id, role) = (&actor.id, &actor.role);
        let message =
            format!("--actor: user {id} is {role} of no organization and no facility, so {what} is not allowed");
        return Err(refused("ACTOR_NOT_ALLOWED", message));
    }
    Ok(())
}
