//! The statements of a job, each planned by the server with NULL for every parameter.
//!
//! The server checks names, types and privileges for a plan, as the role that is connected, and executes nothing. What
//! the other files have found already is not said again.

use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::catalog::Catalog;
use super::finding::{Findings, Remedy, Topic};
use super::reference;
use crate::db::identity::NOT_EVERYWHERE;
use crate::db::tried;
use crate::db::{Example, Listed, Statement};
use crate::error::{self, Error};
use crate::ops::privileges::{self, Verb};
use crate::{clinic, db, jobs, run};

/// What a run of refresh-npi makes for itself; the statements that name it can be planned only then.
const STAGED: [&str; 3] = ["npi_stage", "npi_todo", "npi_names"];
/// The SQLSTATEs of a table and of a column that are not there.
const NOT_THERE: [&str; 2] = ["42P01", "42703"];
/// The number of faults that are listed for a job.
const FAULTS_LISTED: usize = 8;

/// Those who may start jobs by hand, and who are told when one keeps failing.
const USERS: &str = "users";
/// How users want to be told.
const PREFERENCES: &str = "notification_preferences";
/// The SQLSTATE of a column of a view that cannot be written.
const NOT_UPDATABLE: &str = "0A000";
/// The SQLSTATE of an ON CONFLICT without a unique index for it.
const NO_UNIQUE_INDEX: &str = "42P10";

/// The statements of a job that the server accepts.
pub struct Planned(pub Vec<Statement>);

/// Looks at the statements that every run sends.
pub async fn look_at_every_run(tx: &Transaction<'_>, findings: &mut Findings) -> Result<(), Error> {
    let mut statements = all(&[db::STATEMENTS, clinic::STATEMENTS, run::STATEMENTS]);
    // A server that does not tell about itself is asked less.
    statements.retain(|statement| !statement.name.ends_with(NOT_EVERYWHERE));
    let (planned, mut refused) = plan(tx, statements).await?;
    let all = refused.len();
    // Beside our tables, a run reads who its actor is.
    let relations: Vec<&str> = privileges::of_every_run().iter().map(|privilege| privilege.relation).collect();
    refused.retain(|(one, error)| !may_be_lacking(one, error) && !is_blamed(one, &relations, None, findings));
    // Where preferences cannot be read, a run sends the other choice of the template, which asks for none.
    refused
        .retain(|(one, _)| !(names(one.text(), PREFERENCES) && planned.0.iter().any(|other| other.name == one.name)));
    // A run does its work without them; only its notices and a person who starts it need them.
    let (of_users, refused): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(one, _)| names(one.text(), USERS));
    if let Some((_, error)) = of_users.first() {
        let what = format!("nobody can be told that a job keeps failing, and no run can have an --actor: {error}");
        let advice = Remedy::advice("make users a view, or a table, with id, role, active and facility_id");
        findings.section(None, Topic::Statements).warn(what, advice);
    }
    if all == 0 || !refused.is_empty() {
        tell(&refused, &planned, 0, None, findings, |_, _| None);
    }
    Ok(())
}

/// Looks at the statements of a job, and returns those that the server accepts.
pub async fn look(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    job: &'static str,
    findings: &mut Findings,
) -> Result<Planned, Error> {
    let (staged, statements): (Vec<_>, Vec<_>) = all(&[jobs::statements(job)])
        .into_iter()
        .filter(|statement| !statement.name.ends_with("_BY_HAND"))
        .partition(|statement| STAGED.iter().any(|name| statement.text().contains(name)));
    let (planned, mut refused) = plan(tx, statements).await?;
    refused.retain(|(statement, error)| !may_be_lacking(statement, error));
    // Where a view does not keep a column, a run sends the other choice of the template, which does not write it.
    refused.retain(|(statement, error)| {
        error.code != NOT_UPDATABLE || !planned.0.iter().any(|other| other.name == statement.name)
    });
    let all = refused.len();
    let relations: Vec<&str> = privileges::of_run(job).iter().map(|privilege| privilege.relation).collect();
    // What is refused because of a fault that is found already is mended with it.
    refused.retain(|(statement, error)| {
        !is_blamed(statement, &relations, Some(job), findings) && !is_for_a_table(catalog, &relations, statement, error)
    });
    if all > 0 && refused.is_empty() {
        return Ok(planned);
    }
    let remedy = |statement: &Statement, error: &Error| match error.code.as_ref() {
        NO_UNIQUE_INDEX => reference::unique_index(catalog, statement.text()),
        _ => None,
    };
    tell(&refused, &planned, staged.len(), Some(job), findings, remedy);
    Ok(planned)
}

/// Whether a table or a column is lacking that a clinic may do without.
fn may_be_lacking(statement: &Statement, error: &Error) -> bool {
    statement.name.ends_with(privileges::IF_THERE) && NOT_THERE.contains(&error.code.as_ref())
}

/// Whether it is the choice of a template that a run sends to a table only: where a trigger of a view inserts, it sends
/// the one without ON CONFLICT.
fn is_for_a_table(catalog: &Catalog, relations: &[&str], statement: &Statement, error: &Error) -> bool {
    let is_inserted = |name: &&&str| statement.text().contains(&format!("INSERT INTO {name} "));
    let mut triggered =
        relations.iter().filter(|name| catalog.named(name).is_some_and(|view| view.has_trigger_for(Verb::Insert)));
    error.code == NO_UNIQUE_INDEX && triggered.any(|name| is_inserted(&name))
}

/// Whether a fault that is found already is about a relation that the statement names.
fn is_blamed(statement: &Statement, relations: &[&str], job: Option<&str>, findings: &Findings) -> bool {
    relations.iter().any(|name| names(statement.text(), name) && findings.blame(job, name))
}

/// Whether a statement names a relation.
fn names(text: &str, relation: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == relation)
}

/// What the server refuses, each of its answers once.
fn tell(
    refused: &[(Statement, Error)],
    planned: &Planned,
    staged: usize,
    job: Option<&'static str>,
    findings: &mut Findings,
    remedy: impl Fn(&Statement, &Error) -> Option<Remedy>,
) {
    let mut section = findings.section(job, Topic::Statements);
    let mut answers: Vec<(String, Vec<&str>, Option<Remedy>)> = vec![];
    for (statement, error) in refused {
        let (answer, name) = (error.to_string(), statement.name.trim_start_matches("rounds::"));
        match answers.iter_mut().find(|(known, ..)| *known == answer) {
            Some((_, names, _)) => names.push(name),
            None => answers.push((answer, vec![name], remedy(statement, error))),
        }
    }
    for (answer, mut names, remedy) in answers.into_iter().take(FAULTS_LISTED) {
        names.dedup();
        let remedy = remedy.or_else(|| Remedy::advice("mend the table or the view (docs/adopting.md)"));
        section.fail(format!("{}: the server refuses: {answer}", names.join(", ")), remedy);
    }
    if refused.is_empty() {
        let staged = match staged {
            0 => String::new(),
            _ => format!("; {staged} more need tables that a run makes for itself"),
        };
        section.ok(format!("{} can be planned{staged}", planned.0.len()));
    }
}

fn all(lists: &[&'static [Listed]]) -> Vec<Statement> {
    let mut found: Vec<Statement> = vec![];
    let mut add = |one: &Statement| {
        let known = found.iter().any(|other| other.name == one.name && other.text() == one.text());
        if !known {
            found.push(one.copy());
        }
    };
    lists.iter().flat_map(|list| list.iter()).for_each(|listed| listed.show(&mut add));
    found
}

async fn plan(tx: &Transaction<'_>, statements: Vec<Statement>) -> Result<(Planned, Vec<(Statement, Error)>), Error> {
    let (mut planned, mut refused) = (vec![], vec![]);
    for statement in statements {
        match plan_with(tx, &statement, |_| None).await? {
            Ok(_) => planned.push(statement),
            Err(error) => refused.push((statement, error)),
        }
    }
    Ok((Planned(planned), refused))
}

/// The plan of a statement with these values for its parameters, by their number, or the server's refusal.
pub async fn plan_with<'a>(
    tx: &Transaction<'_>,
    statement: &Statement,
    value: impl Fn(usize) -> Option<&'a str>,
) -> Result<Result<Value, Error>, Error> {
    let values: Vec<Example<'_>> = (1..=statement.types.len()).map(|number| Example(value(number))).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
    let outcome = tried(tx, async || statement.plan(tx, &values).await).await?;
    let outcome = outcome.map_err(error::of_plan);
    // A connection that is gone is no answer of the server's about a statement.
    match outcome {
        Err(error) if error.kind == error::ErrorKind::Transient => Err(error),
        outcome => Ok(outcome),
    }
}
