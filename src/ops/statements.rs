//! `rounds statements`: everything that the program sends to the database, as JSON. It asks no database.

use clap::Args;
use serde_json::{Value, json};

use crate::db::Statement;
use crate::exit::Exit;
use crate::{clinic, command, db, jobs, ops, output, run};

/// Print every statement that the program sends, with the types of its parameters
#[derive(Args, Debug)]
pub struct StatementsArgs {}

/// Every statement of the program.
pub fn all() -> Vec<&'static Statement> {
    let mut all: Vec<_> = db::statements().chain(clinic::statements()).chain(run::statements()).collect();
    all.extend(command::statements());
    all.extend(jobs::statements());
    all.extend(ops::statements());
    all
}

pub fn command(_: &StatementsArgs) -> Exit {
    let statements: Vec<Value> = all().into_iter().map(shape).collect();
    output::print_line(&Value::from(statements).to_string());
    Exit::Done
}

fn shape(statement: &Statement) -> Value {
    let types: Vec<&str> = statement.types.iter().map(|one| one.name()).collect();
    json!({ "name": statement.name, "types": types, "text": statement.text() })
}
