//! The user who starts a run by hand.

use tokio_postgres::Transaction;

use super::args::RunArgs;
use super::job::{ByHand, Job};
use crate::clinic::actor::{Actor, refused};
use crate::error::Error;

/// The user who starts the run by hand, if anybody: the session's login may be bound to one, without a word.
pub async fn actor_of<J: Job>(job: &J, tx: &Transaction<'_>, args: &RunArgs) -> Result<Option<Actor>, Error> {
    let by_hand = if args.even_if_paused { Some(ByHand::Word("--even-if-paused")) } else { job.by_hand() };
    let given = args.common.actor.as_ref();
    let actor = match by_hand {
        Some(ByHand::Word(option) | ByHand::Act(option)) => {
            let why = |error: Error| error.context(format_args!("{option} is a person's act"));
            Actor::by_hand(tx, given).await.map_err(why)?
        }
        None => Actor::of_session(tx, given).await?,
    };
    match (&actor, by_hand) {
        (Some(actor), _) => actor.require(job.roles(), J::NAME)?,
        (None, Some(ByHand::Word(option))) => {
            let message = format!("{option} is a person's word: say who you are, --actor USER_ID");
            return Err(refused("NO_ACTOR", message));
        }
        (None, Some(ByHand::Act(_)) | None) => {}
    }
    Ok(actor)
}
