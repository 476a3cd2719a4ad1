//! `rounds grants`: prints the privileges that jobs and groups of commands need, as SQL, without a database; or makes
//! a role for each (`--apply`).
//!
//! Rule: a role with what is printed can run them, and without any one line of it one of them cannot do all of its
//! work. SELECT and UPDATE are granted on columns, so that a job which needs no names can read none; INSERT on columns
//! of the clinic's relations, and on the whole of ours.

mod apply;
mod held;
mod plan;

use clap::Args;
use clap::builder::PossibleValuesParser;

use self::apply::Apply;
use self::plan::{Plan, needs};
use super::groups::WATCH;
use super::privileges;
use crate::command::{GlobalArgs, run_operation};
use crate::db::{NAME_MAX, check_name, statements};
use crate::exit::Exit;
use crate::jobs;
use crate::output::{self, OutputFormat};

statements! {
    of held;
}

/// Print the privileges that jobs and commands need, as SQL for the owner of the tables; or make a role for each
///
/// A group of commands is named as a job is: watch (health, runs), no-show, alerts, absences, rules (escalation-rules),
/// pauses (pause, resume), notifications, npi, practiceq, report. The commands of the owner (migrate, actors, grants) have
/// none.
#[derive(Args, Debug)]
pub struct GrantsArgs {
    /// What these jobs and groups of commands need [default: all jobs and watch; with --apply, all]
    #[arg(value_name = "JOB|GROUP", value_parser = PossibleValuesParser::new(privileges::roles()))]
    roles: Vec<String>,
    /// The role that is to have what is printed; it must be there
    #[arg(long, value_name = "NAME", default_value = "rounds", value_parser = role, conflicts_with = "apply")]
    role: String,
    /// Make a role for each job and group of commands, give it what it needs and take from it what it does not; as the
    /// owner of the schema, who may create roles
    #[arg(long)]
    apply: bool,
    /// How the names of these roles begin: rounds_mark_no_shows
    #[arg(long, value_name = "PREFIX", default_value = "rounds_", value_parser = role, requires = "apply")]
    prefix: String,
}

/// Prints SQL, or JSON where --output asks for it: also into a pipe SQL is what is wanted.
pub async fn command(args: &GrantsArgs, global: &GlobalArgs) -> Exit {
    let named: Vec<&'static str> =
        privileges::roles().filter(|role| args.roles.iter().any(|named| named == role)).collect();
    if args.apply {
        let roles = if named.is_empty() { privileges::roles().collect() } else { named };
        return run_operation(&Apply { roles, prefix: args.prefix.clone() }, global).await;
    }
    let usual: Vec<&str> = jobs::NAMES.iter().copied().chain([WATCH]).collect();
    let plan = Plan::of(if named.is_empty() { &usual } else { &named });
    let schema = &global.database.schema;
    let text = match global.output.output {
        Some(OutputFormat::Json) => plan.json().to_string(),
        _ => {
            let who = if named.is_empty() { "all jobs, health and runs need".to_owned() } else { needs(&named) };
            format!("{}\n{}", plan.head(&who, &args.role), plan.sql(schema, &args.role))
        }
    };
    output::print(Exit::Done, format!("{}\n", text.trim_end()).as_bytes())
}

fn role(text: &str) -> Result<String, String> {
    check_name("role", text, NAME_MAX)?;
    match text {
        // It would end the quotation of the block in which the name stands.
        _ if text.contains("$$") => Err("a role's name with $$ cannot be written here".to_owned()),
        // The server takes it as everybody, also in quotation marks.
        "public" => Err("public is everybody; name the role that runs the jobs".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{SchemaName, quoted};

    #[test]
    fn a_role_is_quoted_and_never_everybody() {
        assert_eq!(quoted("a \"b\""), "\"a \"\"b\"\"\"");
        let long = "x".repeat(64);
        assert!(["", "public", "a\nb", "a$$b", &long].iter().all(|text| role(text).is_err()));
        let schema: SchemaName = "Clinic".parse().unwrap();
        let sql = Plan::of(&["prune"]).sql(&schema, "O'Hara \"x\"");
        assert!(
            sql.contains("'O''Hara \"x\"'") && sql.contains("ON SCHEMA \"Clinic\" TO \"O'Hara \"\"x\"\"\";"),
            "{sql}"
        );
    }
}
