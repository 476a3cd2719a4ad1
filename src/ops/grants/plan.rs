//! What roles need of the database, and the SQL that grants it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::clinic::fit;
use crate::db::schema::Set;
use crate::db::{SchemaName, quoted};
use crate::jobs::advance_billing::AdvanceBilling;
use crate::ops::groups;
use crate::ops::migrate::created;
use crate::ops::names::wrapped;
use crate::ops::privileges::{self, Privilege, Verb};
use crate::run::Job as _;

/// The longest line of the output.
const WIDTH: usize = 80;

/// What is to be granted.
pub struct Plan {
    /// Whether a job creates tables.
    pub creates: bool,
    /// Whether a job writes columns that a row of the database names.
    pub moves_cases: bool,
    pub clinics: Vec<Grant>,
    pub ours: Vec<Grant>,
    /// Whether UPDATE on a key is only for row locks.
    locks: bool,
}

/// A privilege on a relation; without columns it is on the whole.
pub struct Grant {
    pub relation: &'static str,
    pub verb: Verb,
    pub columns: Option<Vec<&'static str>>,
    pub is_lock: bool,
    /// Whether the work is done without it, where the relation is not there.
    is_optional: bool,
}

impl Plan {
    /// What one role needs for these jobs and groups of commands.
    pub fn of(roles: &[&str]) -> Self {
        let migrations = Set::Clinic.migrations();
        let clinics: BTreeSet<String> =
            migrations.iter().flat_map(|migration| created(migration.sql().unwrap_or_default())).collect();
        let is_clinics = |relation: &str| clinics.contains(relation);
        let grant = |Privilege { relation, verb, columns, is_lock }: Privilege| {
            // Rows of ours are inserted whole.
            let by_column = matches!(verb, Verb::Select | Verb::Update) || verb == Verb::Insert && is_clinics(relation);
            let is_optional = is_clinics(relation) && !roles.iter().any(|role| is_needed(role, relation));
            Grant { relation, verb, columns: by_column.then_some(columns), is_lock, is_optional }
        };
        let grants = privileges::of_roles(roles).into_iter().map(grant);
        let (clinics, ours): (Vec<Grant>, Vec<Grant>) = grants.partition(|grant| is_clinics(grant.relation));
        let locks = clinics.iter().chain(&ours).any(|grant| grant.is_lock);
        let creates = roles.iter().any(|role| privileges::creates_tables(role));
        Self { creates, moves_cases: roles.contains(&AdvanceBilling::NAME), clinics, ours, locks }
    }

    /// The privileges on the database, on the schema and on the schema for staging tables.
    pub fn around(&self) -> [&'static [&'static str]; 3] {
        if self.creates {
            [&["CONNECT", "TEMPORARY"], &["USAGE"], &["USAGE", "CREATE"]]
        } else {
            [&["CONNECT"], &["USAGE"], &[]]
        }
    }

    pub fn json(&self) -> Value {
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
    pub fn head(&self, who: &str, role: &str) -> String {
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

    pub fn sql(&self, schema: &SchemaName, role: &str) -> String {
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
                sql += &match grants.iter().all(|grant| grant.is_optional) {
                    true => where_it_is_there(grants, &schema, &role),
                    false => statement(grants, &schema, &role),
                };
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

/// The statement, for a relation that a clinic may do without.
fn where_it_is_there(grants: &[Grant], schema: &str, role: &str) -> String {
    let name = format!("{schema}.{}", grants[0].relation).replace('\'', "''");
    let statement = statement(grants, schema, role).replace('\n', "\n        ");
    format!(
        "DO $grant$ BEGIN\n    IF to_regclass('{name}') IS NOT NULL THEN\n        {}\n    END IF;\nEND $grant$;\n",
        statement.trim_end()
    )
}

/// Whether a role can do nothing where the relation is not there.
fn is_needed(role: &str, relation: &str) -> bool {
    match groups::group(role) {
        Some(_) => !privileges::may_lack(role).contains(relation),
        None => fit::needs(role).any(|need| need.relation == relation),
    }
}

/// Such as `a, b and c need`; a group with its commands.
pub fn needs(roles: &[&str]) -> String {
    let name = |role: &&str| match groups::group(role) {
        Some(group) => format!("{role} ({})", group.commands.join(", ")),
        None => (*role).to_owned(),
    };
    let roles: Vec<String> = roles.iter().map(name).collect();
    match &*roles {
        [first @ .., last] if !first.is_empty() => format!("{} and {last} need", first.join(", ")),
        _ => format!("{} needs", roles.concat()),
    }
}

fn comment(text: &str) -> String {
    wrapped(text, WIDTH - 1, "-- ", "-- ").join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs;

    #[test]
    fn several_jobs_together_need_what_each_needs() {
        let pairs = |roles: &[&str]| -> BTreeSet<(&str, Verb)> {
            let plan = Plan::of(roles);
            plan.clinics.iter().chain(&plan.ours).map(|grant| (grant.relation, grant.verb)).collect()
        };
        let both = pairs(&["prune", "mark-no-shows"]);
        assert_eq!(both, &pairs(&["prune"]) | &pairs(&["mark-no-shows"]));
        assert!(both.len() < pairs(jobs::NAMES).len());
    }

    /// What is written of what people decide, and of what happened, is written by no role but as a row.
    #[test]
    fn no_role_writes_what_it_only_reads_and_no_record_is_changed() {
        let read = ["users", "sla_policies", "surgical_case_transitions", "escalation_rules"];
        let records = [
            "phi_access_log",
            "operator_actions",
            "ticket_history",
            "surgical_case_status_history",
            "px_case_audits",
            "rounds_migrations",
            "rounds_schema",
        ];
        for role in privileges::roles() {
            let plan = Plan::of(&[role]);
            for Grant { relation, verb, columns, is_lock, .. } in plan.clinics.iter().chain(&plan.ours) {
                let is_read = *verb == Verb::Select || *is_lock;
                assert!(!read.contains(relation) || is_read, "{role}: {verb} {relation}");
                // When somebody was told is known only later.
                let is_told = columns.as_deref() == Some(&["told_at"]);
                let is_record = matches!(verb, Verb::Select | Verb::Insert) || is_told;
                assert!(!records.contains(relation) || is_record, "{role}: {verb} {relation}");
                assert!(*verb != Verb::Update || columns.is_some(), "{role}: {verb} {relation}");
                let is_clinics = plan.clinics.iter().any(|grant| grant.relation == *relation);
                assert!(*verb != Verb::Delete || !is_clinics, "{role}: {verb} {relation}");
            }
        }
    }
}
