//! The user who starts a run by hand.

use tokio_postgres::Transaction;

use super::args::RunArgs;
use super::job::Job;
use crate::clinic::actor::{Actor, refused};
use crate::error::Error;

/// The user who starts the run by hand, if anybody: the session's login may be bound to one, without a word.
pub async fn actor_of<J: Job>(job: &J, tx: &Transaction<'_>, args: &RunArgs) -> Result<Option<Actor>, Error> {
    let Some(actor) = Actor::of_session(tx, args.common.actor.as_ref()).await? else {
        let word = args.even_if_paused.then_some("--even-if-paused").or(job.word_of_a_person());
        return word.map_or(Ok(None), |option| {
            let message = format!("{option} is a person's word: say who you are, --actor USER_ID");
            Err(refused("NO_ACTOR", message))
        });
    };
    actor.require(job.roles(), J::NAME)?;
    Ok(Some(actor))
}
