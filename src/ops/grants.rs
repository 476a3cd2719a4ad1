//! `rounds grants`: prints the privileges that jobs need, as SQL. It uses no database.
//!
//! Rule: a role with what is printed can run the jobs, and without any one line of it one of them cannot do all of its
//! work. SELECT is granted on columns, so that a job which needs no names can read none. What is written is granted on
//! columns of the clinic's relations, and on the whole of ours.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::migrate::created;
use super::names::wrapped;
use super::privileges::{self, Privilege, Verb};
use crate::command::GlobalArgs;
use crate::db::schema::Set;
use crate::db::{SchemaName, quoted};
use crate::exit::Exit;
use crate::jobs;
use crate::jobs::advance_billing::AdvanceBilling;
use crate::output::{self, OutputFormat};
use crate::run::Job as _;

/// The longest line of the output.
const WIDTH: usize = 80;
/// The longest name of a role in bytes; the server would cut a longer one.
const ROLE_LENGTH_MAX: usize = 63;

/// Print the privileges that jobs need, as SQL for the owner of the tables
#[derive(Args, Debug)]
pub struct GrantsArgs {
    /// What these jobs need [default: all jobs]
    #[arg(value_name = "JOB", value_parser = PossibleValuesParser::new(jobs::NAMES.iter().copied()))]
    jobs: Vec<String>,
    /// The role that runs the jobs; it must be there
    #[arg(long, value_name = "NAME", default_value = "rounds", value_parser = role)]
    role: String,
}

/// Prints SQL, or JSON where --output asks for it: also into a pipe SQL is what is wanted.
pub fn command(args: &GrantsArgs, global: &GlobalArgs) -> Exit {
    let named: Vec<&str> = args.jobs.iter().map(String::as_str).collect();
    let plan = Plan::of(if named.is_empty() { jobs::NAMES } else { &named });
    let schema = &global.database.schema;
    let text = match global.output.output {
        Some(OutputFormat::Json) => plan.json().to_string(),
        _ => {
            let who = if named.is_empty() { "all jobs need".to_owned() } else { needs(&named) };
            format!("{}\n{}", plan.head(&who, &args.role), plan.sql(schema, &args.role))
        }
    };
    output::print(Exit::Done, format!("{}\n", text.trim_end()).as_bytes())
}

/// What is to be granted.
struct Plan {
    /// Whether a job creates tables.
    creates: bool,
    /// Whether a job writes columns that a row of the database names.
    moves_cases: bool,
    clinics: Vec<Grant>,
    ours: Vec<Grant>,
    /// Whether UPDATE on a key of the clinic's is only for row locks.
    locks: bool,
}

/// A privilege on a relation; without columns it is on the whole.
struct Grant {
    relation: &'static str,
    verb: Verb,
    columns: Option<Vec<&'static str>>,
    is_lock: bool,
}

impl Plan {
    fn of(jobs: &[&str]) -> Self {
        let migrations = Set::Clinic.migrations();
        let clinics: BTreeSet<String> =
            migrations.iter().flat_map(|migration| created(migration.sql().unwrap_or_default())).collect();
        let is_clinics = |relation: &str| clinics.contains(relation);
        let grant = |Privilege { relation, verb, columns, is_lock }: Privilege| {
            let by_column = verb != Verb::Delete && (verb == Verb::Select || is_clinics(relation));
            Grant { relation, verb, columns: by_column.then_some(columns), is_lock }
        };
        let grants = privileges::of_jobs(jobs).into_iter().map(grant);
        let (clinics, ours): (Vec<Grant>, Vec<Grant>) = grants.partition(|grant| is_clinics(grant.relation));
        let locks = clinics.iter().any(|grant| grant.is_lock);
        let creates = jobs.iter().any(|job| privileges::creates_tables(job));
        Self { creates, moves_cases: jobs.contains(&AdvanceBilling::NAME), clinics, ours, locks }
    }

    /// The privileges on the database, on the schema and on the schema for staging tables.
    fn around(&self) -> [&'static [&'static str]; 3] {
        if self.creates {
            [&["CONNECT", "TEMPORARY"], &["USAGE"], &["USAGE", "CREATE"]]
        } else {
            [&["CONNECT"], &["USAGE"], &[]]
        }
    }

    fn json(&self) -> Value {
        let objects = ["database", "schema", "staging schema"];
        let around = objects.into_iter().zip(self.around()).flat_map(|(object, privileges)| {
            privileges.iter().map(
                move |privilege| json!({ "object": object, "relation": null, "privilege": privilege, "columns": null }),
            )
        });
        let relations = self.clinics.iter().chain(&self.ours).map(|Grant { relation, verb, columns, .. }| {
            json!({ "object": "relation", "relation": relation, "privilege": verb.as_str(), "columns": columns })
        });
        around.chain(relations).collect()
    }

    /// The comment before the statements.
    fn head(&self, who: &str, role: &str) -> String {
        let version = env!("ROUNDS_VERSION");
        let mut text = comment(&format!(
            "What {who} of the database, by rounds {version}. For the owner of the tables and views to execute, and \
             again after each upgrade of rounds."
        ));
        text += &comment(&format!("The role must be there: CREATE ROLE {} LOGIN.", quoted(role)));
        text += &comment(
            "Of a view, the role needs the privileges on the view, and the view's owner those on what is beneath. \
             Triggers of the application run as this role and need what they do.",
        );
        if self.locks {
            text += &comment(
                "UPDATE of a key alone is for row locks: PostgreSQL wants UPDATE on a column for them, and no job \
                 changes a key.",
            );
        }
        text
    }

    fn sql(&self, schema: &SchemaName, role: &str) -> String {
        let staging = schema.staging().quoted();
        let (schema, literal, role) = (schema.quoted(), role.replace('\'', "''"), quoted(role));
        let [database, in_schema, in_staging] = self.around().map(|privileges| privileges.join(", "));
        let mut sql = format!(
            "DO $$ BEGIN\n    EXECUTE pg_catalog.format('GRANT {database} ON DATABASE %I TO %I',\n        current_database(), \
             '{literal}');\nEND $$;\nGRANT {in_schema} ON SCHEMA {schema} TO {role};\n"
        );
        if !in_staging.is_empty() {
            let _ = writeln!(sql, "GRANT {in_staging} ON SCHEMA {staging} TO {role};");
        }
        for (title, grants) in [("The clinic's tables and views", &self.clinics), ("The tables of rounds", &self.ours)]
        {
            if !grants.is_empty() {
                let _ = writeln!(sql, "\n-- {title}");
            }
            for grants in grants.chunk_by(|a, b| a.relation == b.relation) {
                sql += &statement(grants, &schema, &role);
            }
        }
        sql + &self.notes()
    }

    /// What depends on the database, and cannot be known here.
    fn notes(&self) -> String {
        let mut notes = String::new();
        let inserts = self.clinics.iter().filter(|grant| grant.verb == Verb::Insert);
        let inserts: Vec<&str> = inserts.map(|grant| grant.relation).collect();
        if !inserts.is_empty() {
            notes += &comment(&format!(
                "If a default of {} calls nextval() (serial; not an identity), the role needs USAGE on that sequence, \
                 too.",
                inserts.join(" or ")
            ));
        }
        if self.creates {
            notes += &comment(
                "After a large load refresh-npi also runs ANALYZE on npi_key, npi_data, search_surgeon and \
                 search_facility. It needs MAINTAIN on them (PostgreSQL 17 and later), or their owner; without it the \
                 server warns and autovacuum does it later.",
            );
        }
        if self.moves_cases {
            notes += &comment(
                "advance-billing writes the column of surgical_cases that surgical_case_statuses.timestamp_field names \
                 for the new status. Where the stages have other columns than those above, and for --to with another \
                 status, the role needs UPDATE on that column, too: GRANT UPDATE (COLUMN) ON surgical_cases.",
            );
        }
        if notes.is_empty() { notes } else { format!("\n{notes}") }
    }
}

/// The statement that grants what is needed of one relation: on one line if it fits.
fn statement(grants: &[Grant], schema: &str, role: &str) -> String {
    let by_column = grants.iter().filter_map(|grant| {
        let columns = grant.columns.as_ref()?;
        Some(format!("{} ({})", grant.verb, columns.join(", ")))
    });
    let whole: Vec<&str> = grants.iter().filter(|grant| grant.columns.is_none()).map(|g| g.verb.as_str()).collect();
    let whole = Some(whole.join(", ")).filter(|verbs| !verbs.is_empty());
    let parts: Vec<String> = by_column.chain(whole).collect();
    let on = format!("ON {schema}.{} TO {role};", grants[0].relation);
    let list = format!("GRANT {}", parts.join(", "));
    if list.len() + 1 + on.len() <= WIDTH {
        return format!("{list} {on}\n");
    }
    if list.len() <= WIDTH {
        return format!("{list}\n    {on}\n");
    }
    // A comma may follow the last word.
    let lines = |part: &String| wrapped(part, WIDTH - 1, "    ", "        ").join("\n");
    let parts: Vec<String> = parts.iter().map(lines).collect();
    format!("GRANT\n{}\n    {on}\n", parts.join(",\n"))
}

/// Such as `a, b and c need`.
fn needs(jobs: &[&str]) -> String {
    match jobs {
        [first @ .., last] if !first.is_empty() => format!("{} and {last} need", first.join(", ")),
        _ => format!("{} needs", jobs.concat()),
    }
}

fn comment(text: &str) -> String {
    wrapped(text, WIDTH - 1, "-- ", "-- ").join("\n") + "\n"
}

fn role(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a role has a name".to_owned()),
        _ if text.len() > ROLE_LENGTH_MAX => Err(format!("a role's name has at most {ROLE_LENGTH_MAX} bytes")),
        _ if text.contains(char::is_control) => Err("a role's name has no control characters".to_owned()),
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

    #[test]
    fn several_jobs_together_need_what_each_needs() {
        let pairs = |jobs: &[&str]| -> BTreeSet<(&str, Verb)> {
            let plan = Plan::of(jobs);
            plan.clinics.iter().chain(&plan.ours).map(|grant| (grant.relation, grant.verb)).collect()
        };
        let both = pairs(&["prune", "mark-no-shows"]);
        assert_eq!(both, &pairs(&["prune"]) | &pairs(&["mark-no-shows"]));
        assert!(both.len() < pairs(jobs::NAMES).len());
    }
}
