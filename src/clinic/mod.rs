//! The domain that jobs and commands share: absences, actors, alerts, channels, what a job needs of the clinic's tables, local
//! time, tickets, the parents of rows, the outbox, the slots that are blocked for a leave, messages and their templates, provider identifiers, the words of
//! messages.

pub mod absences;
pub mod actor;
pub mod alerts;
pub mod channels;
pub mod facility;
pub mod fit;
pub mod local_time;
pub mod messages;
pub mod npi;
pub mod organizations;
pub mod outbox;
pub mod own_blocks;
pub mod parents;
pub mod stand_ins;
pub mod templates;
pub mod tickets;
pub mod visit_words;
pub mod visits;
pub mod words;

use crate::db::statements;

// Who uses `facility`, `local_time`, `tickets` or `visits` lists their statements.
statements! {
    of actor, fit;
}
