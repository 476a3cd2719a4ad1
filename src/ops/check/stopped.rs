//! What waits for a person: pauses, and a database that is not the recorded one.

use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Topic};
use crate::db::identity::Identities;
use crate::db::tried;
use crate::error::Error;
use crate::jobs;
use crate::ops::pauses;
use crate::run::RESTORED;
use crate::time_zone::Tz;

/// Looks at both; returns how the database differs from the recorded one, if it does. A privilege that is missing is
/// found elsewhere.
pub async fn look(tx: &Transaction<'_>, findings: &mut Findings) -> Result<Option<String>, Error> {
    let mut section = findings.section(None, Topic::Schema);
    let identities = tried(tx, async || Identities::read_anyhow(tx).await).await?;
    let difference = identities.ok().and_then(|identities| identities.difference());
    if let Ok(Some(lasting)) = tried(tx, async || pauses::lasting(tx, Tz::UTC).await).await? {
        section.warn(format!("paused: {lasting}"), Remedy::advice("rounds health says why, rounds resume ends it"));
    }
    Ok(difference)
}

/// The jobs that tell people do nothing in another database than the recorded one. Called after the dry runs, which tell
/// nobody and are made there all the same.
pub fn tell_restored(difference: &str, jobs: &[&'static str], findings: &mut Findings) {
    for job in jobs.iter().copied().filter(|job| jobs::tells(job)) {
        let what = format!(
            "its runs do nothing [{RESTORED}]: this is another database than the one in which people are told \
             ({difference}), until a person says that it is the clinic's"
        );
        let remedy = Remedy::command("rounds resume --restored --actor USER");
        findings.section(Some(job), Topic::Schema).fail(what, remedy);
    }
}
