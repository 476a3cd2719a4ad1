//! `rounds statements`: prints every statement that the program sends, as JSON. It uses no database.

use clap::Args;
use serde_json::{Value, json};

use crate::db::Listed;
use crate::exit::Exit;
use crate::{clinic, command, db, jobs, ops, output, run};

/// Print every statement that the program sends, with the types of its parameters
#[derive(Args, Debug)]
pub struct StatementsArgs {}

pub fn command(_: &StatementsArgs) -> Exit {
    let lists =
        [db::STATEMENTS, clinic::STATEMENTS, run::STATEMENTS, jobs::STATEMENTS, command::STATEMENTS, ops::STATEMENTS];
    let statements: Vec<Value> = lists.into_iter().flatten().flat_map(shapes).collect();
    output::print_line(&Value::from(statements).to_string());
    Exit::Done
}

/// The JSON of an entry, one object for each text that it can have.
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
