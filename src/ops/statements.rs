//! `rounds statements`: prints every statement that the program sends, as JSON. It uses no database.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use crate::db::{Listed, Statement};
use crate::exit::Exit;
use crate::ops::privileges::{self, Sent};
use crate::{clinic, command, db, jobs, ops, output, run};

/// Print every statement that the program sends, with the types of its parameters
#[derive(Args, Debug)]
pub struct StatementsArgs {}

pub fn command(_: &StatementsArgs) -> Exit {
    let mut statements = BTreeMap::new();
    let mut add = |lists: &[Listed], job: Option<&str>| {
        let mut show = |statement: &Statement| {
            let text = statement.text().to_owned();
            let (_, jobs) = statements.entry((statement.name, text)).or_insert_with(|| (types(statement), vec![]));
            jobs.extend(job.map(str::to_owned));
        };
        lists.iter().for_each(|listed| listed.show(&mut show));
    };
    for list in [db::STATEMENTS, clinic::STATEMENTS, run::STATEMENTS, command::STATEMENTS, ops::STATEMENTS] {
        add(list, None);
    }
    for job in jobs::NAMES {
        add(jobs::statements(job), Some(job));
    }
    let senders: Vec<(&str, Sent)> = privileges::roles().map(|role| (role, Sent::by(role))).collect();
    let shape = |((name, text), (types, jobs))| {
        let roles: Vec<&str> = senders.iter().filter(|(_, sent)| sent.has(name)).map(|(role, _)| *role).collect();
        json!({ "name": name, "types": types, "jobs": jobs, "roles": roles, "text": text })
    };
    output::print(Exit::Done, format!("{}\n", Value::from_iter(statements.into_iter().map(shape))).as_bytes())
}

fn types(statement: &Statement) -> Vec<&'static str> {
    statement.types.iter().map(|one| one.name()).collect()
}
