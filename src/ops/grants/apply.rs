//! `rounds grants --apply`: a role for each job and each group of commands, with what it needs and no more.
//!
//! Rule: in one transaction each role is made if it is not there, and is granted what it lacks and deprived of what it
//! does not need in this database; or nothing is changed. A role of such a name that this did not make is refused.
//!
//! Safe to run again: it then changes nothing. It leaves alone what others than the owners of the relations granted,
//! and the attributes of a role that is there: its password is its owner's.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_postgres::Transaction;

use super::held::{EVERYBODY, Item, ROLES, Relation, STAGE_COLUMNS, WHO, held, listed, relations};
use super::plan::{Grant, Plan};
use crate::command::{CommandContext, Operation, Output};
use crate::db::{Limits, NAME_MAX, Row, SchemaName, identifier, quoted};
use crate::error::{Error, ErrorKind};
use crate::jobs::advance_billing::AdvanceBilling;
use crate::ops::migrate::{LOCK, LOCK_SCHEMA};
use crate::ops::privileges::{self, ROW_LOCK, Verb, made_for};
use crate::output::counted;
use crate::run::Job as _;

const LIMITS: Limits =
    Limits { statement: Duration::from_secs(25), lock: Duration::from_secs(5), idle: Duration::from_secs(10) };
const NOT_DONE: &str = "no role was made or changed";

/// The roles that are to be made.
pub struct Apply {
    pub roles: Vec<&'static str>,
    pub prefix: String,
}

/// A role, and what was changed.
struct Applied {
    of: &'static str,
    name: String,
    is_new: bool,
    granted: Vec<String>,
    revoked: Vec<String>,
    /// What is needed, and is not there to be granted, or is another's to grant.
    missing: Vec<String>,
}

impl Operation for Apply {
    const NAME: &'static str = "grants";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let done = timeout(context.limit, self.apply(context)).await.unwrap_or_else(|_| Err(context.no_answer()));
        let (applied, everybody) = done.map_err(|error| error.context(NOT_DONE))?;
        Ok(self.output(&applied, &everybody, context.args.dry_run))
    }
}

impl Apply {
    async fn apply(&self, context: &CommandContext<'_>) -> Result<(Vec<Applied>, Vec<String>), Error> {
        let schema = context.db.schema();
        let mut client = context.db.client().await?;
        let tx = LIMITS.begin(&mut client).await?;
        LOCK_SCHEMA.execute(&tx, &[&LOCK]).await?;
        let who = WHO.one(&tx, &[&schema.as_str()]).await?;
        check_owner(&who, schema)?;
        let names: Vec<String> = self.roles.iter().map(|role| self.name(role)).collect::<Result<_, _>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let there: Vec<String> = self.there(&tx, &names).await?;
        self.check_may_create(&who, &names, &there)?;
        let plans: Vec<Plan> = self.roles.iter().map(|role| Plan::of(&[role])).collect();
        let wanted: BTreeSet<&str> =
            plans.iter().flat_map(|plan| plan.clinics.iter().chain(&plan.ours)).map(|grant| grant.relation).collect();
        let relations = relations(&tx, schema, &Vec::from_iter(wanted)).await?;
        check_relations(&relations, &who)?;
        let held = held(&tx, schema, &names).await?;
        let mut applied = vec![];
        for ((of, name), plan) in self.roles.iter().zip(&names).zip(&plans) {
            let is_new = !there.iter().any(|known| known == name);
            let mut needs = Needs { relations: &relations, items: BTreeSet::new(), missing: BTreeSet::new() };
            needs.around(plan, &who, schema)?;
            needs.of_relations(plan);
            if *of == AdvanceBilling::NAME {
                needs.of_stages(&tx).await?;
            }
            let nothing = BTreeSet::new();
            let held = held.get(*name).unwrap_or(&nothing);
            let one = Applied {
                of,
                name: (*name).to_owned(),
                is_new,
                granted: listed(needs.items.difference(held)),
                revoked: listed(held.difference(&needs.items)),
                missing: needs.missing.into_iter().collect(),
            };
            tx.batch_execute(&one.sql())
                .await
                .map_err(|error| Error::from(error).context(format_args!("role {name}")))?;
            applied.push(one);
        }
        let everybody = EVERYBODY.all(&tx, &[&schema.as_str()]).await?;
        let everybody = everybody
            .iter()
            .map(|row| format!("{} ON {}", row.get::<_, &str>("privileges"), row.get::<_, &str>("name")));
        let everybody = everybody.collect();
        match context.args.dry_run {
            true => tx.rollback().await?,
            false => tx.commit().await?,
        }
        Ok((applied, everybody))
    }

    fn name(&self, of: &str) -> Result<String, Error> {
        let name = format!("{}{}", self.prefix, of.replace('-', "_"));
        if name.len() > NAME_MAX {
            let message = format!("--prefix: the role {name} would have more than {NAME_MAX} bytes");
            return Err(Error::new("NAME_TOO_LONG", ErrorKind::BadRequest, message));
        }
        Ok(name)
    }

    /// The roles that are there; refuses one that is somebody else's.
    async fn there(&self, tx: &Transaction<'_>, names: &[&str]) -> Result<Vec<String>, Error> {
        let mut there = vec![];
        for row in ROLES.all(tx, &[&names]).await? {
            let name: &str = row.get("name");
            let Some((of, _)) = self.roles.iter().zip(names).find(|(_, other)| **other == name) else { continue };
            let why = if row.get::<_, Option<&str>>("comment") != Some(&made_for(of)) {
                "was not made by rounds grants --apply"
            } else if row.get("is_mighty") {
                "may do more than log in (superuser, CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS)"
            } else if row.get("is_member") {
                "is a member of another role, and may do what that one may"
            } else if row.get("owns") && !privileges::creates_tables(of) {
                "owns something, with which it may do everything"
            } else {
                there.push(name.to_owned());
                continue;
            };
            let message = format!("role {name} is there and {why}: take that away, or choose another --prefix");
            return Err(Error::new("ROLE_IN_THE_WAY", ErrorKind::Refused, message));
        }
        Ok(there)
    }

    /// Refuses a user who may not create the roles that are missing, and says what somebody else has to execute.
    fn check_may_create(&self, who: &Row, names: &[&str], there: &[String]) -> Result<(), Error> {
        if who.get("creates_roles") {
            return Ok(());
        }
        let missing = self.roles.iter().zip(names).filter(|(_, name)| !there.iter().any(|known| known == *name));
        let sql: String = missing.map(|(of, name)| create(of, name)).collect();
        if sql.is_empty() {
            return Ok(());
        }
        let me: &str = who.get("me");
        let message = format!(
            "role {me} may not create roles: have an administrator execute this, and then do the same again: {}",
            sql.trim_end().replace('\n', " ")
        );
        Err(Error::new("MAY_NOT_CREATE_ROLES", ErrorKind::Refused, message))
    }

    fn output(&self, applied: &[Applied], everybody: &[String], dry_run: bool) -> Output {
        let json = json!({
            "ok": true,
            "dry_run": dry_run,
            "roles": applied.iter().map(Applied::json).collect::<Value>(),
            "everybody": everybody,
        });
        let mut text: String = applied.iter().map(Applied::text).collect();
        if !everybody.is_empty() {
            let _ = writeln!(text, "Every role of the server has these, too (REVOKE ... FROM PUBLIC takes them away):");
            everybody.iter().for_each(|one| text += &format!("  {one}\n"));
        }
        let new: Vec<&str> = applied.iter().filter(|one| one.is_new).map(|one| one.name.as_str()).collect();
        if let (Some(first), false) = (new.first(), dry_run) {
            let _ = writeln!(
                text,
                "Nobody can log in with a password yet as {}: set one for each, such as \\password {} in psql.",
                if new.len() == 1 { "this role" } else { "these roles" },
                identifier(first)
            );
        }
        if dry_run {
            text += "Dry run: nothing was changed.\n";
        }
        Output::done(json, text)
    }
}

fn create(of: &str, name: &str) -> String {
    let name = quoted(name);
    format!("CREATE ROLE {name} LOGIN;\nCOMMENT ON ROLE {name} IS '{}';\n", made_for(of))
}

fn check_owner(who: &Row, schema: &SchemaName) -> Result<(), Error> {
    let (me, schema): (&str, _) = (who.get("me"), schema.shown());
    let message = match who.get::<_, Option<bool>>("owns") {
        Some(true) => return Ok(()),
        Some(false) => format!(
            "role {me} is not the owner of schema {schema}, {}: connect as that role, or have it execute what `rounds \
             grants JOB --role NAME` prints",
            who.get::<_, &str>("owner")
        ),
        None => format!("there is no schema {schema}: run `rounds migrate` first"),
    };
    Err(Error::new("NOT_THE_OWNER", ErrorKind::Refused, message))
}

/// Refuses relations of another owner, whose privileges are not ours to grant.
fn check_relations(relations: &HashMap<String, Relation>, who: &Row) -> Result<(), Error> {
    let others = relations.values().filter(|relation| !relation.is_mine);
    let others: BTreeSet<String> = others.map(|one| format!("{} of {}", one.name, one.owner)).collect();
    if others.is_empty() {
        return Ok(());
    }
    let me: &str = who.get("me");
    let message = format!(
        "role {me} cannot grant privileges on what is another's: {}: make that {me}'s (ALTER ... OWNER TO), or have the \
         owner execute what `rounds grants JOB --role NAME` prints",
        Vec::from_iter(others).join(", ")
    );
    Err(Error::new("NOT_THE_OWNER", ErrorKind::Refused, message))
}

/// What a role needs, and what of that is not there.
struct Needs<'a> {
    relations: &'a HashMap<String, Relation>,
    items: BTreeSet<Item>,
    missing: BTreeSet<String>,
}

impl Needs<'_> {
    fn add(&mut self, object: &str, privilege: &str, column: &str) {
        let (object, privilege, column) = (object.to_owned(), privilege.to_owned(), column.to_owned());
        self.items.insert(Item { object, privilege, column });
    }

    /// On the schema and on the database. What everybody may do there need not be granted, and who does not own the
    /// database cannot grant it.
    fn around(&mut self, plan: &Plan, who: &Row, schema: &SchemaName) -> Result<(), Error> {
        let [of_database, of_schema, of_staging] = plan.around();
        for (schema, privileges) in [(schema, of_schema), (&schema.staging(), of_staging)] {
            let on_schema = format!("SCHEMA {}", schema.shown());
            privileges.iter().for_each(|privilege| self.add(&on_schema, privilege, ""));
        }
        let database: &str = who.get("database");
        for privilege in of_database {
            let (grants, all) =
                if *privilege == "CONNECT" { ("lets_in", "all_come_in") } else { ("lets_stage", "all_stage") };
            if who.get(grants) {
                self.add(database, privilege, "");
            } else if !who.get::<_, bool>(all) {
                self.missing.insert(format!("{privilege} ON {database}, which its owner has to grant"));
            }
        }
        Ok(())
    }

    fn of_relations(&mut self, plan: &Plan) {
        for Grant { relation, verb, columns, is_lock, .. } in plan.clinics.iter().chain(&plan.ours) {
            let Some(there) = self.relations.get(*relation) else {
                self.missing.insert(format!("relation {relation} is not there"));
                continue;
            };
            let lock_column = there.columns.get(ROW_LOCK).filter(|_| *is_lock);
            match (columns, lock_column) {
                (_, Some(column)) => self.add(&there.name, verb.as_str(), column),
                (None, None) => self.add(&there.name, verb.as_str(), ""),
                (Some(columns), None) => {
                    for column in columns {
                        match there.columns.get(*column) {
                            Some(shown) => self.add(&there.name, verb.as_str(), shown),
                            None => drop(self.missing.insert(format!("column {relation}.{column} is not there"))),
                        }
                    }
                }
            }
            if *verb == Verb::Insert {
                there.sequences.iter().for_each(|sequence| self.add(&format!("SEQUENCE {sequence}"), "USAGE", ""));
                let others = there.others.iter();
                self.missing
                    .extend(others.map(|other| format!("USAGE ON SEQUENCE {other}, which its owner has to grant")));
            }
        }
    }

    /// The columns of a case that the statuses of the clinic name: a step writes the one of the new status.
    async fn of_stages(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        let (Some(cases), true) =
            (self.relations.get("surgical_cases"), self.relations.contains_key("surgical_case_statuses"))
        else {
            return Ok(());
        };
        for row in STAGE_COLUMNS.all(tx, &[]).await? {
            let column: &str = row.get("name");
            if let Some(shown) = cases.columns.get(column) {
                self.add(&cases.name, "UPDATE", shown);
            }
        }
        Ok(())
    }
}

impl Applied {
    fn sql(&self) -> String {
        let role = quoted(&self.name);
        let mut sql = if self.is_new { create(self.of, &self.name) } else { String::new() };
        self.granted.iter().for_each(|one| sql += &format!("GRANT {one} TO {role};\n"));
        self.revoked.iter().for_each(|one| sql += &format!("REVOKE {one} FROM {role};\n"));
        sql
    }

    fn json(&self) -> Value {
        let Self { of, name, is_new, granted, revoked, missing } = self;
        json!({ "role": name, "of": of, "created": is_new, "granted": granted, "revoked": revoked, "missing": missing })
    }

    fn text(&self) -> String {
        let Self { of, name, is_new, granted, revoked, missing } = self;
        let mut done = vec![];
        done.extend(is_new.then(|| "created".to_owned()));
        done.extend((!granted.is_empty()).then(|| format!("granted on {}", counted(granted.len(), "object"))));
        done.extend((!revoked.is_empty()).then(|| format!("revoked on {}", counted(revoked.len(), "object"))));
        let done = if done.is_empty() { "unchanged".to_owned() } else { done.join(", ") };
        let mut text = format!("{name} (for {of}): {done}\n");
        // Of a new role, `rounds grants` prints it all.
        if !is_new {
            granted.iter().for_each(|one| text += &format!("  granted {one}\n"));
        }
        revoked.iter().for_each(|one| text += &format!("  revoked {one}\n"));
        missing.iter().for_each(|one| text += &format!("  missing: {one}\n"));
        text
    }
}
