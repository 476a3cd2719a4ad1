//! `rounds actors`: binds logins of the database to users of the clinic, so that an actor is proved and no claim.
//!
//! Rule: the owner of the schema alone, by the server's catalog, says whose a login is and whether one is needed. What
//! a binding means for who acts is said in `clinic/actor.rs`. Each word of the owner is a row of `actor_changes`, in
//! the transaction of the change.

mod bind;
mod owner;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use self::bind::BindArgs;
use self::owner::{Change, LOOK, check_owner, login};
use crate::clinic::actor::refused;
use crate::command::{CommandContext, Operation, Output, listing};
use crate::db::{Row, dropped, schema, statements};
use crate::error::Error;
use crate::output::{counted, local_stamp, stamp};
use crate::schedule::ZoneArgs;

statements! {
    of bind, owner;
    UNBIND(TEXT) = "DELETE FROM actor_logins b WHERE b.login = $1 RETURNING b.user_id";
    REQUIRE(BOOL) =
        "INSERT INTO actor_rule (required, changed_at, changed_by) VALUES ($1, clock_timestamp(), session_user::text)
         ON CONFLICT (only_row) DO UPDATE
         SET required = excluded.required, changed_at = excluded.changed_at, changed_by = excluded.changed_by";
    // A binary that knows no bindings must not act any more. $1 the newest migration of this binary integer
    REFUSE_OLDER(INT4) = "UPDATE rounds_schema SET min_binary_schema = GREATEST(min_binary_schema, $1)";
    RULE() = "SELECT COALESCE((SELECT r.required FROM actor_rule r), true) AS required";
    // Of a role that is gone a later one of the same name would have the binding.
    LIST() =
        "SELECT b.login, b.user_id, b.bound_at, b.bound_by,
                EXISTS (SELECT FROM pg_roles r WHERE r.rolname = b.login AND r.rolcanlogin) AS can_login
         FROM actor_logins b ORDER BY b.login";
}

/// Bind logins of the database to users: then who acts is proved, and --actor can be left out
#[derive(Args, Debug)]
pub struct ActorsArgs {
    #[command(subcommand)]
    command: ActorsCommand,
}

#[derive(Subcommand, Debug)]
enum ActorsCommand {
    Bind(BindArgs),
    /// Take a binding back: the login is nobody's again
    Unbind(UnbindArgs),
    /// List the bindings, and say whether one is required
    List(ListArgs),
    /// Refuse acts, looks at names and jobs by hand to logins that are bound to nobody
    ///
    /// Jobs without an actor, as schedulers start them, go on. Binaries that know no bindings are refused from then on.
    Require(RequireArgs),
}

#[derive(Args, Debug)]
struct UnbindArgs {
    /// The login, as `rounds actors list` shows it
    #[arg(value_name = "LOGIN", value_parser = login)]
    login: String,
}

#[derive(Args, Debug)]
struct ListArgs {
    #[command(flatten)]
    zone: ZoneArgs,
}

#[derive(Args, Debug)]
struct RequireArgs {
    /// Take the word of --actor again from logins that are bound to nobody
    #[arg(long)]
    off: bool,
}

impl Operation for ActorsArgs {
    const NAME: &'static str = "actors";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match &self.command {
            ActorsCommand::Bind(args) => args.execute(context).await,
            ActorsCommand::Unbind(args) => unbind(context, &args.login).await,
            ActorsCommand::List(args) => list(context, args).await,
            ActorsCommand::Require(args) => require(context, !args.off).await,
        }
    }
}

async fn unbind(context: &CommandContext<'_>, login: &str) -> Result<Output, Error> {
    let change = async |tx: &Transaction<'_>| {
        check_owner(tx).await?;
        let Some(row) = UNBIND.opt(tx, &[&login]).await? else {
            return Err(refused("LOGIN_NOT_BOUND", format!("login {login} is bound to nobody; nothing was changed")));
        };
        let user: String = row.get("user_id");
        Change::Unbind { login, user: &user }.record(tx).await?;
        Ok(user)
    };
    let user = context.administer(LOOK, change).await?;
    let json = json!({ "ok": true, "dry_run": context.args.dry_run, "login": login, "user_id": user });
    Ok(Output::done(json, format!("Unbound{}: login {login} is user {user}'s no more.\n", context.not_changed())))
}

async fn require(context: &CommandContext<'_>, required: bool) -> Result<Output, Error> {
    let change = async |tx: &Transaction<'_>| {
        check_owner(tx).await?;
        if REQUIRE.execute(tx, &[&required]).await? != 1 {
            return Err(dropped("actor_rule", 0, 1).context("nothing was changed"));
        }
        if required {
            REFUSE_OLDER.execute(tx, &[&schema::newest()]).await?;
        }
        if required { Change::Require } else { Change::RequireOff }.record(tx).await?;
        Ok(LIST.all(tx, &[]).await?.len())
    };
    let bound = context.administer(LOOK, change).await?;
    let rule = match (required, bound) {
        (false, _) => "--actor is taken at its word again from logins that are bound to nobody".to_owned(),
        (true, 0) => {
            "nobody can act by hand any more, because no login is bound: rounds actors bind LOGIN --user ID".to_owned()
        }
        (true, bound) => format!("people act by bound logins alone; {} bound", counted(bound, "login is")),
    };
    let json = json!({ "ok": true, "dry_run": context.args.dry_run, "required": required, "logins": bound });
    Ok(Output::done(json, format!("Done{}: {rule}.\n", context.not_changed())))
}

async fn list(context: &CommandContext<'_>, args: &ListArgs) -> Result<Output, Error> {
    let zone = args.zone.zone()?;
    let read = async |tx: &Transaction<'_>, _| Ok((RULE.one(tx, &[]).await?, LIST.all(tx, &[]).await?));
    let (rule, rows) = context.read(read).await?;
    let required: bool = rule.get("required");
    let text = |row: &Row, column: &str| row.get::<_, String>(column);
    let at = |row: &Row| row.get::<_, DateTime<Utc>>("bound_at");
    let may = |row: &Row| row.get::<_, bool>("can_login");
    let login = |row: &Row| {
        json!({
            "login": text(row, "login"),
            "user_id": text(row, "user_id"),
            "bound_at": stamp(at(row)),
            "bound_by": text(row, "bound_by"),
            "can_login": may(row),
        })
    };
    let cells = |row: &Row| {
        let of_server = if may(row) { "" } else { "no: unbind it" };
        let at = local_stamp(at(row), zone);
        vec![text(row, "login"), text(row, "user_id"), at, text(row, "bound_by"), of_server.to_owned()]
    };
    let table = listing(
        &["login", "user", "bound", "by", "can log in"],
        &rows.iter().map(cells).collect::<Vec<_>>(),
        "No login is bound.",
    );
    let rule =
        if required { "A bound login is required of who acts." } else { "--actor is taken at its word otherwise." };
    let json = json!({ "required": required, "logins": rows.iter().map(login).collect::<Vec<Value>>() });
    Ok(Output::done(json, format!("{table}{rule}\n")))
}
