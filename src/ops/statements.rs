//! `rounds statements`: prints every statement that the program sends, as JSON. It uses no database.

use clap::Args;
use serde_json::{Value, json};

use crate::db::Statement;
use crate::exit::Exit;
use crate::{clinic, command, db, jobs, ops, output, run};

/// Print every statement that the program sends, with the types of its parameters
#[derive(Args, Debug)]
pub struct StatementsArgs {}

pub fn command(_: &StatementsArgs) -> Exit {
    let lists =
        [db::STATEMENTS, clinic::STATEMENTS, run::STATEMENTS, jobs::STATEMENTS, command::STATEMENTS, ops::STATEMENTS];
    let mut statements = vec![];
    for listed in lists.into_iter().flatten() {
        listed.show(&mut |statement| statements.push(shape(statement)));
    }
    output::print_line(&Value::from(statements).to_string());
    Exit::Done
}

fn shape(statement: &Statement) -> Value {
    let types: Vec<&str> = statement.types.iter().map(|one| one.name()).collect();
    json!({ "name": statement.name, "types": types, "text": statement.text() })
}
