//! The owner of the schema: who that is, and the record of each word.

use tokio_postgres::Transaction;

use crate::db::{NAME_MAX, check_name, dropped, statements};
use crate::error::{Error, ErrorKind};
use crate::machine;

statements! {
    OWNER() =
        "SELECT current_user::text AS login, c.relowner::regrole::text AS owner,
                pg_has_role(current_user, c.relowner, 'MEMBER') AS is_owner
         FROM pg_class c WHERE c.oid = to_regclass('actor_logins')";
    // $1 change text · $2 login text or NULL · $3 user_id text or NULL · $4 os_user text · $5 host text
    RECORD(TEXT, TEXT, TEXT, TEXT, TEXT) =
        "INSERT INTO actor_changes (change, login, user_id, changed_at, changed_by, os_user, host)
         VALUES ($1, $2, $3, clock_timestamp(), session_user::text, $4, $5)";
}

/// How to find out what became of a change.
pub const LOOK: &str = "rounds actors list";

/// What the owner says, as it is recorded.
pub enum Change<'a> {
    Bind { login: &'a str, user: &'a str },
    Unbind { login: &'a str, user: &'a str },
    Require,
    RequireOff,
}

impl Change<'_> {
    pub async fn record(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let (change, login, user) = match *self {
            Self::Bind { login, user } => ("BIND", Some(login), Some(user)),
            Self::Unbind { login, user } => ("UNBIND", Some(login), Some(user)),
            Self::Require => ("REQUIRE", None, None),
            Self::RequireOff => ("REQUIRE_OFF", None, None),
        };
        match RECORD.execute(tx, &[&change, &login, &user, &machine::os_user(), &machine::host()]).await? {
            1 => Ok(()),
            stored => Err(dropped("actor_changes", stored, 1).context("nothing was changed")),
        }
    }
}

/// Refuses who is not the owner of the bindings, also where somebody was granted to write them.
pub async fn check_owner(tx: &Transaction<'_>) -> Result<(), Error> {
    let row = OWNER.one(tx, &[]).await?;
    if row.get("is_owner") {
        return Ok(());
    }
    let (login, owner): (&str, &str) = (row.get("login"), row.get("owner"));
    let message = format!(
        "only the owner of the schema says whose a login is: that is {owner}, and this is {login}; nothing was changed"
    );
    Err(Error::new("NOT_OWNER", ErrorKind::Refused, message))
}

/// The name of a login that a person gives.
pub fn login(text: &str) -> Result<String, String> {
    check_name("login", text, NAME_MAX).map(|()| text.to_owned())
}
