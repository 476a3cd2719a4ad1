//! `rounds actors bind`: a login of the database becomes a user's.

use clap::Args;
use serde_json::json;
use tokio_postgres::Transaction;

use super::owner::{Change, LOOK, check_owner, login};
use crate::clinic::actor::{Actor, refused};
use crate::command::{CommandContext, Output};
use crate::db::{Key, Row, statements};
use crate::error::{Error, ErrorKind};

statements! {
    FITNESS(TEXT) = include_str!("fitness.sql");
    // $1 login text · $2 the id of a user text
    BIND(TEXT, TEXT) =
        "INSERT INTO actor_logins (login, user_id, bound_at, bound_by)
         VALUES ($1, $2, clock_timestamp(), session_user::text) ON CONFLICT (login) DO NOTHING";
}

/// Bind a login to a user: its sessions act as that user, and can name nobody else
///
/// The login has to be one person's own. Refused for a login that schedulers or several people use, such as that of a
/// pooler, and for one that could change the bindings itself.
#[derive(Args, Debug)]
pub struct BindArgs {
    /// The role of the server that logs in, as it is written in the catalog
    #[arg(value_name = "LOGIN", value_parser = login)]
    login: String,
    /// The user whose it is; active
    #[arg(long, value_name = "USER_ID")]
    user: Key,
}

impl BindArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let user = context.administer(LOOK, async |tx| self.bind(tx).await).await?;
        let Self { login, .. } = self;
        let (dry_run, dry) = (context.args.dry_run, context.not_changed());
        let text = format!("Bound{dry}: a session of login {login} acts as user {user}, and as nobody else.\n");
        let json = json!({ "ok": true, "dry_run": dry_run, "login": login, "user_id": user });
        Ok(Output::done(json, text))
    }

    async fn bind(&self, tx: &Transaction<'_>) -> Result<Key, Error> {
        check_owner(tx).await?;
        let Self { login, user } = self;
        match FITNESS.opt(tx, &[login]).await? {
            Some(row) => check_fit(login, &row)?,
            None => return Err(unfit("UNKNOWN_LOGIN", login, "the server has no such role")),
        }
        let user = Actor::find(tx, user).await.map_err(named_as_user)?.id;
        if BIND.execute(tx, &[login, &user.as_str()]).await? != 1 {
            let message =
                format!("login {login} is bound already; nothing was changed. First: rounds actors unbind {login}");
            return Err(Error::new("ALREADY_BOUND", ErrorKind::Other, message));
        }
        Change::Bind { login, user: user.as_str() }.record(tx).await?;
        Ok(user)
    }
}

/// Refuses a login that is not one person's alone, or that could change whose it is.
fn check_fit(login: &str, row: &Row) -> Result<(), Error> {
    let (is, number) = (|column| row.get::<_, bool>(column), |column| row.get::<_, i64>(column));
    let why = match () {
        () if !is("can_login") => "the role may not log in".to_owned(),
        () if is("is_super") => "it is a superuser, who can be anybody".to_owned(),
        () if is("is_owner") => {
            "it is the owner of the schema, or a member of it, and could bind itself anew".to_owned()
        }
        () if is("can_change") => {
            "it has privileges to change actor_logins or actor_rule, and could bind itself anew; \
                                   REVOKE them"
                .to_owned()
        }
        () if number("scheduled") > 0 => format!(
            "schedulers have run {} jobs with it, and would act as that user; give the person another",
            number("scheduled")
        ),
        () if number("people") > 1 => format!(
            "{} users of machines have used it, as with the login of a pooler; each person needs one of their own",
            number("people")
        ),
        () => return Ok(()),
    };
    Err(unfit("LOGIN_UNFIT", login, &why))
}

fn unfit(code: &'static str, login: &str, why: &str) -> Error {
    refused(code, format!("login {login} cannot be bound: {why}; nothing was changed"))
}

/// The user was not named by `--actor`.
fn named_as_user(mut error: Error) -> Error {
    error.message = error.message.replacen("--actor:", "--user:", 1);
    if error.code.starts_with("ACTOR_") {
        error.message.push_str("; nothing was changed");
    }
    error
}
