//! The guard of a restored backup: in a database that is not the recorded one, a job that tells people does not run.
//!
//! Rule: a run is SKIPPED as RESTORED if and only if its job tells people and the database is another one than the
//! recorded (`db::identity`), and not by a promotion alone with `--trust-promotions`. Where none is recorded, the first
//! run records it. A dry run tells nobody, so it asks for none.

use std::time::Duration;

use tokio_postgres::Transaction;
use tracing::warn;

use super::limits::limits;
use crate::db::identity::Identities;
use crate::db::{Db, schema};
use crate::error::{Error, ErrorKind};

/// Checks the schema in `tx` and reads the identity at the same time, so that it takes no round trip of its own. Returns
/// None if the server does not tell it, and the transaction can be used no more.
pub async fn check_served(tx: &Transaction<'_>) -> Result<Option<Identities>, Error> {
    let (served, identities) = tokio::join!(schema::check_served(tx), Identities::read(tx));
    match identities {
        Err(error) if error.kind != ErrorKind::Transient => Ok(None),
        identities => served.and(identities.map(Some)),
    }
}

/// Checks the schema, and reads the identity where the server does not tell about itself.
pub async fn check_served_by_name(tx: &Transaction<'_>) -> Result<Identities, Error> {
    schema::check_served(tx).await?;
    Identities::read_by_name(tx).await
}

/// The message that the database is another one. None if it is not, or if it is a promotion that is trusted: then this is
/// the recorded one from now on.
pub async fn strange(
    identities: &Identities,
    trusts_promotions: bool,
    db: &Db,
    lease: Duration,
) -> Result<Option<String>, Error> {
    let Some(difference) = identities.difference() else { return Ok(None) };
    if !(trusts_promotions && identities.is_promotion()) {
        return Ok(Some(message(&difference)));
    }
    let mut client = db.client().await?;
    let tx = limits(lease).begin(&mut client).await?;
    identities.now.accept(&tx, None).await?;
    tx.commit().await?;
    warn!(error_code = "PROMOTED", "{difference}: taken as a promotion (--trust-promotions), and recorded");
    Ok(None)
}

/// The message that the database differs so from the recorded one.
pub fn message(difference: &str) -> String {
    format!(
        "this is another database than the one in which people are told ({difference}): as in a restored backup, nobody \
         is told until a person says that it is the clinic's; `rounds resume --restored --actor USER` says it"
    )
}
