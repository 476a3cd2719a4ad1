//! `rounds statements`: every statement that the program sends, as JSON. It asks no database.

use clap::Args;
use serde_json::{Value, json};

use crate::db::Listed;
use crate::exit::Exit;
use crate::{clinic, command, db, jobs, ops, output, run};

/// Print every statement that the program sends, with the types of its parameters
#[derive(Args, Debug)]
pub struct StatementsArgs {}

pub fn command(_: &StatementsArgs) -> Exit {
    let rooms = [db::STATEMENTS, clinic::STATEMENTS, run::STATEMENTS, jobs::STATEMENTS, command::STATEMENTS, ops::STATEMENTS];
    let statements: Vec<Value> = rooms.into_iter().flatten().flat_map(shapes).collect();
    output::print_line(&Value::from(statements).to_string());
    Exit::Done
}

/// One for each text that it can have.
fn shapes(listed: &Listed) -> Vec<Value> {
    match listed {
        Listed::All(list) => list.iter().flat_map(shapes).collect(),
        Listed::One(declared) => {
            let types: Vec<&str> = declared.types().iter().map(|one| one.name()).collect();
            let shape = |text| json!({ "name": declared.name(), "types": types, "text": text });
            declared.texts().into_iter().map(shape).collect()
        }
    }
}
