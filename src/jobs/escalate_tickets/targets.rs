//! The users and teams that rules name, in the server's own form.
//!
//! Rule: a name is of a row if and only if the server finds one by it. A rule is JSON that a person wrote, so the name
//! may be no value of the key's type; it then names nobody, and no other rule is concerned.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tokio_postgres::Transaction;

use super::action::{Action, ActionKind};
use super::rule::Rule;
use crate::db::{Key, Keys, Statement, statements, unless_no_key};
use crate::error::Error;

statements! {
    USERS(KEYS) = "SELECT u.id::text, COALESCE(u.active, false) AS active FROM users u WHERE u.id = ANY ($1)";
    TEAMS(KEYS) = "SELECT g.id::text, COALESCE(g.active, false) AS active FROM teams g WHERE g.id = ANY ($1)";
}

/// The rows that are named, by the names.
type Found = BTreeMap<Key, Row>;

struct Row {
    id: Key,
    active: bool,
}

pub struct Targets {
    users: Found,
    teams: Found,
}

impl Targets {
    /// Looks for all that the rules name.
    pub async fn read(tx: &Transaction<'_>, rules: &[Rule]) -> Result<Self, Error> {
        let users = rules.iter().flat_map(|rule| &rule.action.users).cloned().collect();
        let teams = rules.iter().filter_map(|rule| rule.action.team.clone()).collect();
        Ok(Self { users: find(tx, &USERS, users).await?, teams: find(tx, &TEAMS, teams).await? })
    }

    /// Puts the server's own form of the ids in the place of those that a rule's action has, also in its JSON. An id of
    /// which there is no row stays in the JSON as it is, so that the SQL can name it.
    pub fn resolve(&self, action: &mut Action) {
        let mut named: Vec<Key> = vec![];
        for user in std::mem::take(&mut action.users) {
            let found = row_id(&self.users, &user);
            let name = found.unwrap_or(&user);
            if !named.contains(name) {
                named.push(name.clone());
                action.users.extend(found.cloned());
            }
        }
        let team = action.team.take();
        action.team = team.as_ref().and_then(|team| row_id(&self.teams, team)).cloned();
        match action.kind {
            ActionKind::AddFollower => action.json = json!({ "userIds": named }),
            ActionKind::ReassignTicket => {
                action.json = json!({ "userId": named.first(), "teamId": action.team.as_ref().or(team.as_ref()) });
            }
            _ => {}
        }
    }

    /// The users and the team of a rule, before it is resolved, that are not there or not active, in words.
    pub fn missing(&self, rule: &Rule) -> BTreeSet<String> {
        let missing = |found: &Found, name: &Key| !found.get(name).is_some_and(|row| row.active);
        let users = rule.action.users.iter().filter(|user| missing(&self.users, user));
        let team = rule.action.team.iter().filter(|team| missing(&self.teams, team));
        users.map(|user| format!("user {user}")).chain(team.map(|team| format!("team {team}"))).collect()
    }
}

/// The server's own form of an id, if there is such a row.
fn row_id<'a>(found: &'a Found, name: &Key) -> Option<&'a Key> {
    found.get(name).map(|row| &row.id)
}

/// Looks for all names at once. Those that are not found as they are written are looked for one by one, because they
/// may be written in another form, such as a uuid in capitals.
async fn find(tx: &Transaction<'_>, statement: &Statement, names: BTreeSet<Key>) -> Result<Found, Error> {
    let mut found = Found::new();
    if names.is_empty() {
        return Ok(found);
    }
    let all: Vec<Key> = names.iter().cloned().collect();
    for row in look(tx, statement, &all).await? {
        found.insert(row.id.clone(), row);
    }
    for name in names.iter().filter(|name| !found.contains_key(name)).cloned().collect::<Vec<_>>() {
        let rows = look(tx, statement, std::slice::from_ref(&name)).await?;
        found.extend(rows.into_iter().next().map(|row| (name, row)));
    }
    Ok(found)
}

async fn look(tx: &Transaction<'_>, statement: &Statement, names: &[Key]) -> Result<Vec<Row>, Error> {
    let rows = unless_no_key(tx, async || statement.all(tx, &[&Keys(names)]).await).await?.unwrap_or_default();
    Ok(rows.iter().map(|row| Row { id: row.get("id"), active: row.get("active") }).collect())
}
