//! The privileges that the role of a job, or of a group of commands, needs on the relations of the schema.
//!
//! `privileges.txt` lists them for each statement that such a role sends. A test derives it from the statements by the
//! server itself. Only the commands that print, grant or check privileges read it; no run does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::command::look;
use crate::db::{Listed, Statement};
use crate::jobs::refresh_npi::RefreshNpi;
use crate::ops::groups::{self, Group};
use crate::run::Job as _;
use crate::{clinic, db, jobs, run};

const LIST: &str = include_str!("privileges.txt");

/// A privilege on a relation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Privilege {
    pub relation: &'static str,
    pub verb: Verb,
    /// The columns, in order of their names; none for DELETE, which is of whole rows.
    pub columns: Vec<&'static str>,
    /// Whether it is for row locks only: then UPDATE of any column is enough, and the one named is the key.
    pub is_lock: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
}

/// What a statement does with a relation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Verb(Verb),
    /// A row lock, for which UPDATE on any column is enough; the list names the key.
    Lock,
}

/// The columns, by relation and use.
type Uses = BTreeMap<(&'static str, Use), BTreeSet<&'static str>>;

/// How the names of statements end whose tables a clinic may lack.
pub const IF_THERE: &str = "_IF_THERE";

/// The column by which a relation lets a row be locked and nothing be written.
pub const ROW_LOCK: &str = "row_lock";

/// What every run sends.
const EVERY_RUN: [&[Listed]; 3] = [db::STATEMENTS, clinic::STATEMENTS, run::STATEMENTS];

/// The statements that a role sends.
pub struct Sent {
    names: BTreeSet<&'static str>,
    group: Option<&'static Group>,
}

impl Sent {
    /// What the role of a job or of a group of commands sends. Whoever runs a job may also ask it why (`--explain`,
    /// `--list`), and is told local times.
    pub fn by(role: &str) -> Self {
        match groups::group(role) {
            Some(group) => Self { group: Some(group), ..Self::of(group.lists().iter().copied(), |_| true) },
            None => {
                let judges = jobs::judges(role).then_some(look::STATEMENTS);
                Self::of_runs(EVERY_RUN.into_iter().chain([jobs::statements(role)]).chain(judges))
            }
        }
    }

    /// A statement that a person's command sends is none of the job's.
    fn of_runs(lists: impl IntoIterator<Item = &'static [Listed]>) -> Self {
        Self::of(lists, |name| !name.ends_with("_BY_HAND"))
    }

    fn of(lists: impl IntoIterator<Item = &'static [Listed]>, is_sent: fn(&str) -> bool) -> Self {
        let mut names = BTreeSet::new();
        let mut add = |statement: &Statement| {
            if is_sent(statement.name) {
                names.insert(statement.name);
            }
        };
        for list in lists {
            list.iter().for_each(|listed| listed.show(&mut add));
        }
        Self { names, group: None }
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.group.is_some_and(|group| group.sends_also(name))
    }

    /// What the statements do with each relation.
    fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (relation, what, columns) in LIST.lines().flat_map(|line| read(line, self)) {
            uses.entry((relation, what)).or_default().extend(columns);
        }
        uses
    }
}

/// The comment by which a role is known that `rounds grants --apply` made.
pub fn made_for(role: &str) -> String {
    format!("{MADE_FOR}{role}")
}

/// What a role of that comment was made for, if `rounds grants --apply` made it.
pub fn made_for_what(comment: &str) -> Option<&'static str> {
    let of = comment.strip_prefix(MADE_FOR)?;
    roles().find(|role| *role == of)
}

const MADE_FOR: &str = "made by rounds grants --apply for ";

/// The names of the roles: the jobs, then the groups of commands.
pub fn roles() -> impl Iterator<Item = &'static str> {
    jobs::NAMES.iter().copied().chain(groups::GROUPS.iter().map(|group| group.name))
}

/// The privileges that every run needs, of no job in particular.
pub fn of_every_run() -> Vec<Privilege> {
    granted(&Sent::of_runs(EVERY_RUN).uses())
}

/// The privileges that a run of a job needs: its own and those of every run.
pub fn of_run(job: &str) -> Vec<Privilege> {
    granted(&Sent::of_runs(EVERY_RUN.into_iter().chain([jobs::statements(job)])).uses())
}

/// The privileges that a look at the runs needs.
pub fn of_looks() -> Vec<Privilege> {
    of_roles(&[groups::WATCH])
}

/// The privileges that whoever runs a job needs, in order of relation and verb. Of a relation whose rows it only
/// locks, UPDATE of the key.
pub fn of_job(job: &str) -> Vec<Privilege> {
    of_roles(&[job])
}

/// The privileges that one role needs for several jobs and groups of commands, as [`of_job`].
pub fn of_roles(roles: &[&str]) -> Vec<Privilege> {
    let mut uses = Uses::new();
    for role in roles {
        for (key, columns) in Sent::by(role).uses() {
            uses.entry(key).or_default().extend(columns);
        }
    }
    granted(&uses)
}

fn granted(uses: &Uses) -> Vec<Privilege> {
    let of_use = |((relation, what), columns): (&(&'static str, Use), &BTreeSet<&'static str>)| {
        let (verb, is_lock) = match what {
            Use::Verb(verb) => (*verb, false),
            Use::Lock if uses.contains_key(&(*relation, Use::Verb(Verb::Update))) => return None,
            Use::Lock => (Verb::Update, true),
        };
        Some(Privilege { relation, verb, columns: columns.iter().copied().collect(), is_lock })
    };
    let mut granted: Vec<Privilege> = uses.iter().filter_map(of_use).collect();
    granted.sort_unstable();
    granted
}

/// The relations that only those statements of a job, or of a group of commands, name whose tables a clinic may lack.
pub fn may_lack(role: &str) -> BTreeSet<&'static str> {
    let sent = match groups::group(role) {
        Some(_) => Sent::by(role),
        None => Sent::of_runs(EVERY_RUN.into_iter().chain([jobs::statements(role)])),
    };
    let (mut optional, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for line in LIST.lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(relation)) = (words.next(), words.next())
            && sent.has(name)
        {
            if name.ends_with(IF_THERE) {
                optional.insert(relation)
            } else {
                needed.insert(relation)
            };
        }
    }
    &optional - &needed
}

/// Whether a job creates tables while it runs, in the schema and temporary ones. CREATE TABLE is no declared statement,
/// since it cannot be prepared; a test looks for it in the text of the program.
pub fn creates_tables(job: &str) -> bool {
    job == RefreshNpi::NAME
}

/// The columns that a job inserts or updates, by relation; not those of relations whose rows it only locks or deletes.
pub fn written(job: &str) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut written: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for ((relation, what), columns) in Sent::by(job).uses() {
        if matches!(what, Use::Verb(Verb::Insert | Verb::Update)) {
            written.entry(relation).or_default().extend(columns);
        }
    }
    written
}

/// Reads a line `statement relation VERB(column,...) ...`, if it is about one of these statements.
fn read(
    line: &'static str,
    sent: &Sent,
) -> impl Iterator<Item = (&'static str, Use, impl Iterator<Item = &'static str>)> {
    let mut words = line.split(' ');
    let is_named = words.next().is_some_and(|name| sent.has(name));
    let relation = words.next().unwrap_or_default();
    words.filter(move |_| is_named).filter_map(move |word| {
        let (verb, columns) = word.strip_suffix(')')?.split_once('(')?;
        let what = match verb {
            "SELECT" => Use::Verb(Verb::Select),
            "INSERT" => Use::Verb(Verb::Insert),
            "UPDATE" => Use::Verb(Verb::Update),
            "DELETE" => Use::Verb(Verb::Delete),
            _ => Use::Lock,
        };
        Some((relation, what, columns.split(',').filter(|column| !column.is_empty())))
    })
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_told_from_a_write_also_where_rows_are_inserted() {
        let update = |job: &str, relation: &str| {
            let found = of_run(job).into_iter().find(|one| (one.relation, one.verb) == (relation, Verb::Update));
            found.expect("it is needed").is_lock
        };
        // A run inserts rows of this table, and prune only locks some.
        assert!(update("prune", "cron_job_run_errors") && update("stage-alerts", "appointments"));
        assert!(!update("mark-no-shows", "appointments") && !update("prune", "cron_job_runs"));
    }

    #[test]
    fn no_job_needs_what_only_a_look_at_the_runs_needs() {
        let columns = |privileges: Vec<Privilege>| {
            let of_relation = |one: &Privilege| (one.relation, one.verb) == ("rounds_migrations", Verb::Select);
            privileges.into_iter().find(of_relation).map(|one| one.columns)
        };
        assert_eq!(columns(of_job("prune")), Some(vec!["version"]));
        assert_eq!(columns(of_looks()), Some(vec!["applied_on", "version"]));
    }

    #[test]
    fn a_job_that_delivers_may_lack_what_its_messages_may_be_about() {
        assert_eq!(may_lack("deliver-notifications"), BTreeSet::from(["appointments", "px_cases", "tickets"]));
        assert_eq!(may_lack("mark-no-shows"), BTreeSet::new());
        // Whoever acts may be of the only facility.
        assert_eq!(may_lack("pauses"), BTreeSet::from(["facilities"]));
    }

    #[test]
    fn who_may_ask_why_is_told_local_times() {
        let zone = |privileges: Vec<Privilege>| {
            let is_zone = |one: &Privilege| one.relation == "facilities" && one.columns.contains(&"time_zone");
            privileges.iter().any(is_zone)
        };
        assert!(zone(of_job("escalate-tickets")) && !zone(of_run("escalate-tickets")) && !zone(of_job("prune")));
    }
}
