//! How far a run reaches that a person starts: no act of a person is outside the person's facility.
//!
//! Rule: a run is kept to one facility if and only if `--facility` names it, or its actor belongs to it. Such a run has
//! a lane of its own, so that it counts in nothing of the scheduled lane. A HOSPITAL_ADMIN without a facility belongs
//! to the group, and is kept to none. A run without an actor is the scheduler's, or that of an operator who has its
//! database role: it is not kept to one either.

use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::clinic::actor::Actor;
use crate::clinic::facility;
use crate::db::Key;
use crate::error::Error;

/// How far the runs of a job reach.
#[derive(Clone, Copy)]
pub enum Reach<'a> {
    /// They know no facility: a person who starts one must belong to the group.
    Group,
    /// They can be kept to one facility, which `--facility` names.
    Facility(Option<&'a Key>),
    /// They look at what a person names. The job itself asks whether that is the person's.
    Named,
}

// The option of the jobs whose rule can be kept to one facility. A doc comment would become the help of each.
#[derive(Args, Debug, Default, Serialize)]
pub struct FacilityArgs {
    /// Only what is of this facility, in a lane of its own, facility:ID; an --actor of a facility is kept to it anyway
    #[arg(long, env = "ROUNDS_FACILITY", value_name = "FACILITY_ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<Key>,
}

impl FacilityArgs {
    pub fn reach(&self) -> Reach<'_> {
        Reach::Facility(self.facility.as_ref())
    }
}

impl Reach<'_> {
    /// The facility to which a run is kept, in the server's own form. Refuses a facility that does not exist, and an
    /// actor who does not belong to what the run would change.
    pub async fn facility(self, tx: &Transaction<'_>, actor: Option<&Actor>, job: &str) -> Result<Option<Key>, Error> {
        let asked = match self {
            Self::Named => return Ok(None),
            Self::Facility(Some(id)) => Some(facility::known(tx, id).await?),
            Self::Facility(None) | Self::Group => None,
        };
        let Some(actor) = actor.filter(|actor| !actor.is_of_the_group()) else { return Ok(asked) };
        match (self, &asked) {
            (Self::Facility(_), Some(facility)) => {
                actor.require_facility(facility, "run")?;
                Ok(asked)
            }
            (Self::Facility(_), None) => Ok(Some(actor.own_facility(job)?.clone())),
            _ => actor.require_group(job).map(|()| None),
        }
    }
}

/// The lane of a run that is kept to a facility: beside that of the whole, which may have parts, such as the stages of
/// billing.
pub fn lane(lane: String, facility: Option<&Key>) -> String {
    match facility {
        None => lane,
        Some(facility) if lane.is_empty() => format!("facility:{facility}"),
        Some(facility) => format!("{lane}:facility:{facility}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_facility_has_a_lane_of_its_own() {
        let facility = Key::from("7".to_owned());
        assert_eq!(lane(String::new(), None), "");
        assert_eq!(lane(String::new(), Some(&facility)), "facility:7");
        assert_eq!(lane("paid".to_owned(), None), "paid");
        assert_eq!(lane("paid".to_owned(), Some(&facility)), "paid:facility:7");
    }
}
