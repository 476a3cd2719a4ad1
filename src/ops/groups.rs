//! The groups of commands that get a role of their own, beside the jobs.
//!
//! Rule: each command that asks the database is a job, of one group, or of `WITHOUT_ROLE`. What a group needs is
//! derived from the statements that its commands send, as for a job.

use super::{
    absences, alerts, escalation_rules, health, no_show, notifications, npi, pauses, places, practiceq, report, runs,
    visits,
};
use crate::db::Listed;

/// Commands that one role may run.
pub struct Group {
    pub name: &'static str,
    pub commands: &'static [&'static str],
    lists: &'static [&'static [Listed]],
    /// The names of further statements; those of a whole file where it ends in `::`.
    also: &'static [&'static str],
}

/// What every command sends that looks at the schema.
const SCHEMA: &str = "rounds::db::schema::VERSIONS";
/// What a person's act sends: who that is, and the record of it.
const ACTOR: &str = "rounds::clinic::actor::";
const RECORD: &str = "rounds::command::context::RECORD";
/// Whether a facility or a doctor of that id is known.
const FACILITY: &str = "rounds::command::context::FACILITY";
const DOCTOR: &str = "rounds::command::context::DOCTOR";
/// The zones of the facilities that are shown.
const ZONE: &str = "rounds::command::look::ZONES";
/// The facilities whose zone cannot be read.
const ZONES: &str = "rounds::clinic::local_time::FACILITIES";
/// The zones that the server knows.
const SERVER_ZONES: &str = "rounds::clinic::local_time::ASK_SERVER";
/// Which database it is.
const BY_SERVER: &str = "rounds::db::identity::IDENTITY_OF_SERVER";
const BY_NAME: &str = "rounds::db::identity::IDENTITY_BY_NAME";

pub static GROUPS: &[Group] = &[
    Group {
        name: WATCH,
        commands: &["health", "runs", "version"],
        lists: &[health::STATEMENTS, runs::STATEMENTS],
        also: &[SCHEMA, BY_SERVER, BY_NAME],
    },
    Group {
        name: "report",
        commands: &["report"],
        lists: &[report::STATEMENTS, health::STATEMENTS, places::STATEMENTS],
        also: &[SCHEMA, ZONE, ZONES, SERVER_ZONES, BY_SERVER, BY_NAME],
    },
    Group {
        name: "no-show",
        commands: &["no-show"],
        lists: &[no_show::STATEMENTS, places::STATEMENTS, visits::STATEMENTS, runs::which::STATEMENTS],
        also: &[SCHEMA, ACTOR, RECORD, FACILITY, DOCTOR, ZONE, ZONES, "rounds::jobs::mark_no_shows::MARK_BY_HAND"],
    },
    Group {
        name: "alerts",
        commands: &["alerts"],
        lists: &[alerts::STATEMENTS, places::STATEMENTS, visits::STATEMENTS],
        also: &["rounds::clinic::visits::", SCHEMA, ACTOR, RECORD, FACILITY, DOCTOR, ZONE],
    },
    Group { name: "absences", commands: &["absences"], lists: &[absences::STATEMENTS], also: &[SCHEMA, DOCTOR, ZONES] },
    Group {
        name: "rules",
        commands: &["escalation-rules"],
        lists: &[escalation_rules::STATEMENTS],
        also: &[
            SCHEMA,
            "rounds::jobs::escalate_tickets::rule::",
            "rounds::jobs::escalate_tickets::targets::",
            "rounds::jobs::escalate_tickets::pass::SCAN",
        ],
    },
    Group {
        name: "pauses",
        commands: &["pause", "resume"],
        lists: &[pauses::STATEMENTS],
        also: &[SCHEMA, ACTOR, RECORD, BY_SERVER, BY_NAME, "rounds::db::identity::ACCEPT_IDENTITY"],
    },
    Group {
        name: "notifications",
        commands: &["notifications"],
        lists: &[notifications::STATEMENTS],
        also: &[SCHEMA, ACTOR, RECORD, FACILITY, "rounds::jobs::deliver_notifications::told::"],
    },
    Group {
        name: "npi",
        commands: &["npi"],
        lists: &[npi::STATEMENTS],
        also: &[SCHEMA, ACTOR, RECORD, "rounds::clinic::facility::FACILITY"],
    },
    Group {
        name: "practiceq",
        commands: &["practiceq"],
        lists: &[practiceq::STATEMENTS, places::STATEMENTS],
        also: &[
            SCHEMA,
            ACTOR,
            RECORD,
            ZONE,
            ZONES,
            "rounds::jobs::sync_practiceq::store::",
            "rounds::jobs::sync_practiceq::deletions::DELETE",
        ],
    },
];

/// The group whose role only looks at the runs.
pub const WATCH: &str = "watch";

/// The commands that no group has: those of the owner of the schema, `check`, which looks at what the role of a job
/// may do as that role, and those that ask no database.
#[cfg(test)]
pub const WITHOUT_ROLE: &[&str] = &[
    "migrate",
    "adopt",
    "actors",
    "grants",
    "check",
    "schedule",
    "config",
    "completions",
    "man",
    "statements",
    "demo",
    "seed",
];

/// The group of that name.
pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

impl Group {
    pub fn lists(&self) -> &'static [&'static [Listed]] {
        self.lists
    }

    /// Whether its commands send the statement of that name, beside those of its lists.
    pub fn sends_also(&self, statement: &str) -> bool {
        self.also.iter().any(|name| statement == *name || name.ends_with("::") && statement.starts_with(name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{clinic, command, db, jobs, ops, run};

    #[test]
    fn what_a_group_sends_beside_its_lists_is_there() {
        let mut names = BTreeSet::new();
        let own = [db::STATEMENTS, clinic::STATEMENTS, run::STATEMENTS, command::STATEMENTS, ops::STATEMENTS];
        for list in own.into_iter().chain(jobs::NAMES.iter().map(|job| jobs::statements(job))) {
            let mut add = |statement: &db::Statement| {
                names.insert(statement.name);
            };
            list.iter().for_each(|listed| listed.show(&mut add));
        }
        for group in GROUPS {
            for also in group.also {
                let is_there = names.iter().any(|name| name == also || also.ends_with("::") && name.starts_with(also));
                assert!(is_there, "{}: {also}", group.name);
            }
        }
    }
}
