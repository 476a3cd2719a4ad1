//! The actor: the user who acts by hand, and the check whether that user may.
//!
//! Rule: a user may act if and only if active, with a role that the act allows, and of the facility, or the organization,
//! that the act is about; a HOSPITAL_ADMIN without a facility, or of the only one that the clinic has, belongs to the
//! group: to all facilities, and to what is of none of them. The user of a session whose login is bound is the one to
//! whom it is bound; of another session whom `--actor` names, unless the owner requires a binding (`rounds actors`). The
//! server says whose the session is, in the transaction that acts, and what cannot be read refuses.

use tokio_postgres::Transaction;

use crate::db::{Key, Row, UNREADABLE, no_such_key, statements, unless};
use crate::error::{Error, ErrorKind};

statements! {
    USER(KEY) =
        "SELECT u.id::text, COALESCE(u.role::text, '') AS role, u.facility_id::text,
                COALESCE(u.active, false) AS active
         FROM users u WHERE u.id = $1";
    // A help desk need not have that table.
    TWO_FACILITIES_IF_THERE() = "SELECT f.id::text AS id FROM facilities f WHERE f.id IS NOT NULL LIMIT 2";
    // Without its row the rule is the strict one.
    LOGIN() =
        "SELECT session_user::text AS login, b.user_id,
                COALESCE((SELECT r.required FROM actor_rule r), true) AS required
         FROM (SELECT) session LEFT JOIN actor_logins b ON b.login = session_user::text";
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
    is_of_the_group: bool,
}

/// The login of a session, and what the owner of the schema said of it.
struct Login {
    name: String,
    user: Option<Key>,
    /// Whether a login that is bound to nobody is refused as an actor.
    is_required: bool,
}

impl Actor {
    /// Who acts by hand, if anybody: the user of the session's login, or whom `--actor` names.
    pub async fn of_session(tx: &Transaction<'_>, given: Option<&Key>) -> Result<Option<Self>, Error> {
        Login::read(tx).await?.actor(tx, given).await
    }

    /// As [`Actor::of_session`], where nothing can be done without an actor.
    pub async fn acting(tx: &Transaction<'_>, given: Option<&Key>) -> Result<Self, Error> {
        let no_actor = || refused("NO_ACTOR", "say who you are: --actor USER_ID".into());
        Self::by_hand(tx, given).await?.ok_or_else(no_actor)
    }

    /// As [`Actor::of_session`], of what a person does: where the owner requires bound logins, no other does it.
    pub async fn by_hand(tx: &Transaction<'_>, given: Option<&Key>) -> Result<Option<Self>, Error> {
        let login = Login::read(tx).await?;
        match login.actor(tx, given).await? {
            None if login.is_required => Err(login.not_bound()),
            actor => Ok(actor),
        }
    }

    /// Finds the user; refuses an unknown or inactive one.
    pub async fn find(tx: &Transaction<'_>, id: &Key) -> Result<Self, Error> {
        let row = no_such_key(USER.opt(tx, &[id]).await)?;
        let Some(row) = row else { return Err(refused("ACTOR_UNKNOWN", format!("--actor: there is no user {id}"))) };
        if !row.get::<_, bool>("active") {
            return Err(refused("ACTOR_INACTIVE", format!("--actor: user {id} is not active")));
        }
        let (role, facility): (String, Option<Key>) = (row.get("role"), row.get("facility_id"));
        let is_of_the_group = role == ADMIN
            && match &facility {
                Some(own) => is_the_only_one(tx, own).await?,
                None => true,
            };
        Ok(Self { id: row.get("id"), role, facility, is_of_the_group })
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
             without a facility, or of the only one"
        );
        Err(refused("ACTOR_NOT_ALLOWED", message))
    }

    /// Whether the user belongs to all facilities.
    pub fn is_of_the_group(&self) -> bool {
        self.is_of_the_group
    }
}

/// Whether the clinic has this facility and no other. Where that cannot be read, it is not known to be.
async fn is_the_only_one(tx: &Transaction<'_>, facility: &Key) -> Result<bool, Error> {
    let found = unless(tx, &UNREADABLE, async || TWO_FACILITIES_IF_THERE.all(tx, &[]).await).await?;
    let ids: Vec<Key> = found.iter().flatten().map(|row: &Row| row.get("id")).collect();
    Ok(matches!(&*ids, [only] if only == facility))
}

impl Login {
    async fn read(tx: &Transaction<'_>) -> Result<Self, Error> {
        let unreadable = |error: Error| error.context("cannot read whose the login is; nothing was done");
        let row = LOGIN.one(tx, &[]).await.map_err(unreadable)?;
        Ok(Self { name: row.get("login"), user: row.get("user_id"), is_required: row.get("required") })
    }

    async fn actor(&self, tx: &Transaction<'_>, given: Option<&Key>) -> Result<Option<Actor>, Error> {
        match (&self.user, given) {
            (Some(user), given) => self.bound(tx, user, given).await.map(Some),
            (None, Some(_)) if self.is_required => Err(self.not_bound()),
            (None, Some(given)) => Actor::find(tx, given).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The user of a bound login, which can name nobody else.
    async fn bound(&self, tx: &Transaction<'_>, user: &Key, given: Option<&Key>) -> Result<Actor, Error> {
        let name = &self.name;
        let whose = |error: Error| error.context(format!("login {name} is bound to user {user}"));
        let actor = Actor::find(tx, user).await.map_err(whose)?;
        let Some(given) = given.filter(|given| **given != actor.id) else { return Ok(actor) };
        // A key can be written in several ways, such as a UUID in capitals.
        let row = no_such_key(USER.opt(tx, &[given]).await)?;
        if row.is_some_and(|row| row.get::<_, Key>("id") == actor.id) {
            return Ok(actor);
        }
        let message = format!(
            "--actor: login {name} is bound to user {user} and can name nobody else; nothing was done. Leave --actor \
             (ROUNDS_ACTOR) out, or use the login of user {given}"
        );
        Err(refused("ACTOR_NOT_YOU", message))
    }

    fn not_bound(&self) -> Error {
        let name = &self.name;
        let message = format!(
            "this database takes the word of a person from a bound login alone, and login {name} is bound to nobody; \
             nothing was done. Use a login of your own, which the owner of the schema binds: rounds actors bind LOGIN \
             --user ID"
        );
        refused("ACTOR_NOT_BOUND", message)
    }
}

/// An error that the caller has to correct.
pub fn refused(code: &'static str, message: String) -> Error {
    Error::new(code, ErrorKind::BadRequest, message)
}
