//! What waits for a person: pauses, and a database that is not the recorded one.

use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Topic};
use crate::db::identity::Identities;
use crate::db::tried;
use crate::error::Error;
use crate::ops::pauses;
use crate::run::restored_message;
use crate::time_zone::Tz;

/// Looks at both. A privilege that is missing is found elsewhere.
pub async fn look(tx: &Transaction<'_>, findings: &mut Findings) -> Result<(), Error> {
    let mut section = findings.section(None, Topic::Schema);
    if let Ok(identities) = tried(tx, async || Identities::read_anyhow(tx).await).await?
        && let Some(difference) = identities.difference()
    {
        let remedy = Remedy::advice("if it is the clinic's: rounds resume --restored --actor USER");
        section.warn(restored_message(&difference), remedy);
    }
    if let Ok(Some(lasting)) = tried(tx, async || pauses::lasting(tx, Tz::UTC).await).await? {
        section.warn(format!("paused: {lasting}"), Remedy::advice("rounds health says why, rounds resume ends it"));
    }
    Ok(())
}
