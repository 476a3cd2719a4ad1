//! The rows of a staged file that a merge carries out: those that `classify.sql` has put into `npi_todo`, and in a first load
//! all of them, of which nothing has to be looked up.

use super::first::Registry;
use super::stage::StagingTable;

#[derive(Clone)]
pub struct Todo {
    pub table: StagingTable,
    pub registry: Registry,
}

impl Todo {
    pub fn examples() -> Vec<Self> {
        let of = |table: StagingTable| {
            [Registry::Empty, Registry::Loaded].map(|registry| Self { table: table.clone(), registry })
        };
        StagingTable::examples().into_iter().flat_map(of).collect()
    }

    /// What is known of each row, as `t`.
    pub fn alone(&self) -> String {
        match self.registry {
            Registry::Empty => self.first_rows(),
            Registry::Loaded => "npi_todo t".to_owned(),
        }
    }

    /// The rows as they are staged, as `s`, and what is known of each, as `t`.
    pub fn rows(&self) -> String {
        match self.registry {
            Registry::Empty => self.first_rows(),
            Registry::Loaded => format!("npi_todo t JOIN {} s ON s.line = t.line", self.table),
        }
    }

    fn first_rows(&self) -> String {
        format!(include_str!("first_rows.part.sql"), stage = self.table)
    }

    /// A query for all other names in the file.
    pub fn new_names(&self) -> String {
        format!(include_str!("new_names.part.sql"), rows = self.rows(), stage = self.table)
    }

    /// The other names that are to be written, as `n`.
    pub fn names(&self) -> String {
        match self.registry {
            Registry::Empty => {
                format!(include_str!("first_names.part.sql"), new = self.new_names(), stage = self.table)
            }
            Registry::Loaded => "npi_names n".to_owned(),
        }
    }
}
