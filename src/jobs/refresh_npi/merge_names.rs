//! The part of the merge that treats other names: what is stored of them, and the search rows that they make.

use chrono::NaiveDate;
use tokio_postgres::Transaction;

use super::first::Registry;
use super::todo::Todo;
use crate::db::statements;
use crate::error::Error;

statements! {
    OTHER_NAMES[names: StagedNames = StagedNames::examples()]() = format!(
        include_str!("other_names.sql"), new = names.todo.new_names(), end = names.period_end, has_file = names.has_file
    );
    DELETE_OTHER_SEARCH[table: &'static str = SEARCHED.into()]() =
        format!(include_str!("delete_other_search.sql"), table = table);
    DELETE_OTHER_NAMES() = include_str!("delete_other_names.sql");
    INSERT_OTHER_NAMES[todo: Todo = Todo::examples()](INT8) =
        format!(include_str!("insert_other_names.sql"), names = todo.names());
    INSERT_OTHER_SURGEONS[registry: Registry = Registry::ALL.into()]() =
        format!(include_str!("insert_other_surgeons.sql"), changed = changed(*registry));
    INSERT_OTHER_FACILITIES[registry: Registry = Registry::ALL.into()]() =
        format!(include_str!("insert_other_facilities.sql"), changed = changed(*registry));
}

const SEARCHED: [&str; 2] = ["search_surgeon", "search_facility"];

/// A staged file, its last day, and whether it has the file of other names, too.
pub struct StagedNames {
    pub todo: Todo,
    pub period_end: NaiveDate,
    pub has_file: bool,
}

impl StagedNames {
    fn examples() -> Vec<Self> {
        let of = |todo: Todo| Self { todo, period_end: NaiveDate::default(), has_file: true };
        Todo::examples().into_iter().map(of).collect()
    }

    /// Makes npi_names, from npi_todo.
    pub async fn compare(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let select = OTHER_NAMES.with(self);
        let create = format!("CREATE TEMPORARY TABLE npi_names AS\n{}; ANALYZE npi_names", select.text());
        Ok(tx.batch_execute(&create).await?)
    }
}

/// How many names were written, and how many were there in their place.
#[derive(Clone, Copy, Default)]
pub struct Renamed {
    pub added: u64,
    pub removed: u64,
}

/// Deletes the search rows of the names as they were; the caller forbids joins other than look-ups.
pub async fn delete_search(tx: &Transaction<'_>) -> Result<(), Error> {
    for table in SEARCHED {
        DELETE_OTHER_SEARCH.with(&table).execute(tx, &[]).await?;
    }
    Ok(())
}

/// Whose search rows are made, of the names `o`.
fn changed(registry: Registry) -> &'static str {
    match registry {
        Registry::Empty => "true",
        Registry::Loaded => {
            "o.npi IN (SELECT t.npi FROM npi_todo t WHERE t.class IN ('I', 'C') UNION SELECT n.npi FROM npi_names n)"
        }
    }
}

/// Replaces the names.
pub async fn replace(tx: &Transaction<'_>, todo: &Todo, file: i64) -> Result<Renamed, Error> {
    let removed = DELETE_OTHER_NAMES.execute(tx, &[]).await?;
    Ok(Renamed { added: insert(tx, todo, file).await?, removed })
}

/// Inserts the names, and makes their search rows from the providers as they are now.
pub async fn insert(tx: &Transaction<'_>, todo: &Todo, file: i64) -> Result<u64, Error> {
    let added = INSERT_OTHER_NAMES.with(todo).execute(tx, &[&file]).await?;
    INSERT_OTHER_SURGEONS.with(&todo.registry).execute(tx, &[]).await?;
    INSERT_OTHER_FACILITIES.with(&todo.registry).execute(tx, &[]).await?;
    Ok(added)
}
