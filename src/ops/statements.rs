//! `rounds statements`: the statements that are declared with their types, as JSON. It asks no database.

use clap::Args;
use serde_json::{Value, json};

use crate::db::Statement;
use crate::exit::Exit;
use crate::{clinic, command, db, output, run};

/// Print the statements that are declared with the types of their parameters
#[derive(Args, Debug)]
pub struct StatementsArgs {}

pub fn command(_: &StatementsArgs) -> Exit {
    let all = db::statements().chain(clinic::statements()).chain(run::statements()).chain(command::statements());
    let statements: Vec<Value> = all.map(shape).collect();
    output::print_line(&Value::from(statements).to_string());
    Exit::Done
}

fn shape(statement: &Statement) -> Value {
    let types: Vec<&str> = statement.types.iter().map(|one| one.name()).collect();
    json!({ "name": statement.name, "types": types, "text": statement.text() })
}
