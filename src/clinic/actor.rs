//! The actor: the user who acts by hand, and the check whether that user may.
//!
//! Rule: a user may act if and only if active, with a role that the act allows, and of the facility, or the organization,
//! that the act is about; a HOSPITAL_ADMIN without a facility belongs to the group: to all facilities, and to what is of
//! none of them.

use tokio_postgres::Transaction;

use crate::db::{Key, no_such_key, statements};
use crate::error::{Error, ErrorKind};

statements! {
    USER(KEY) =
        "SELECT u.id::text, COALESCE(u.role::text, '') AS role, u.facility_id::text,
                COALESCE(u.active, false) AS active
         FROM users u WHERE u.id = $1";
}

pub const ADMIN: &str = "HOSPITAL_ADMIN";
/// The roles that may start any job by hand.
pub const SUPERVISORS: &[&str] = &[ADMIN, "SUPERVISOR"];

/// An active user.
pub struct Actor {
    /// In the server's own form.
    pub id: Key,
    pub role: String,
    pub facility: Option<Key>,
}

impl Actor {
    /// Finds the user; refuses an unknown or inactive one.
    pub async fn find(tx: &Transaction<'_>, id: &Key) -> Result<Self, Error> {
        let row = no_such_key(USER.opt(tx, &[id]).await)?;
        let Some(row) = row else { return Err(refused("ACTOR_UNKNOWN", format!("--actor: there is no user {id}"))) };
        if !row.get::<_, bool>("active") {
            return Err(refused("ACTOR_INACTIVE", format!("--actor: user {id} is not active")));
        }
        Ok(Self { id: row.get("id"), role: row.get("role"), facility: row.get("facility_id") })
    }

    /// Refuses a user who has none of these roles.
    pub fn require(&self, roles: &[&str], what: &str) -> Result<(), Error> {
        if roles.contains(&self.role.as_str()) {
            return Ok(());
        }
        let (id, role, roles) = (&self.id, &self.role, roles.join(", "));
        Err(refused("ACTOR_NOT_ALLOWED", format!("--actor: user {id} is {role}; {what} needs one of {roles}")))
    }

    /// Refuses a user of another facility.
    pub fn require_facility(&self, facility: &Key, what: &str) -> Result<(), Error> {
        if self.facility.as_ref() == Some(facility) || self.is_of_the_group() {
            return Ok(());
        }
        let id = &self.id;
        let message = format!("--actor: user {id} does not belong to facility {facility}, whose {what} this is");
        Err(refused("ACTOR_NOT_ALLOWED", message))
    }

    /// The facility to which the user's acts are kept. Refuses a user of none, who is not of the group.
    pub fn own_facility(&self, what: &str) -> Result<&Key, Error> {
        self.facility.as_ref().ok_or_else(|| {
            let (id, role) = (&self.id, &self.role);
            let message =
                format!("--actor: user {id} is {role} of no facility, so there is none for which {what} may be");
            refused("ACTOR_NOT_ALLOWED", message)
        })
    }

    /// Refuses a user who does not belong to the group.
    pub fn require_group(&self, what: &str) -> Result<(), Error> {
        if self.is_of_the_group() {
            return Ok(());
        }
        let id = &self.id;
        let message = format!(
            "--actor: user {id} does not belong to the group; {what} is for all facilities, so it needs a {ADMIN} \
             without a facility"
        );
        Err(refused("ACTOR_NOT_ALLOWED", message))
    }

    /// Whether the user belongs to all facilities.
    pub fn is_of_the_group(&self) -> bool {
        self.role == ADMIN && self.facility.is_none()
    }
}

/// An error that the caller has to correct.
pub fn refused(code: &'static str, message: String) -> Error {
    Error::new(code, ErrorKind::BadRequest, message)
}
