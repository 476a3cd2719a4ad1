//! `rounds pause` and `rounds resume`: the stop switch of a job, of a lane, or of everything; and the word of a person
//! that a restored backup is the clinic's database.
//!
//! Rule: a pause begins if and only if none of the same lane, job or everything lasts, by an active SUPERVISOR or
//! HOSPITAL_ADMIN; it ends when one of them resumes it, or at its `--until`. A pause of everything and one of a job are
//! two: to resume one leaves the other. What a pause means for a run is said in `run/pause.rs`.

mod lasting;
mod pause;
mod resume;

use crate::db::statements;

pub use lasting::lasting;
pub use pause::PauseArgs;
pub use resume::ResumeArgs;

statements! {
    of lasting, pause, resume;
}
