//! A statement that the program sends: its name, its text and the types of its parameters, declared together once.
//!
//! The file that sends a statement declares it with `statements!`, which also makes that file's list. The lists of all
//! files together are what `rounds statements` prints and a test prepares.
//!
//! The types are given with the call, so that the statement is unnamed and a transaction-mode pooler may stand between.

use std::sync::LazyLock;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};

use crate::error::Error;

pub type Parameters<'a> = [&'a (dyn ToSql + Sync)];

pub struct Statement {
    /// Where it is declared, such as `rounds::run::fence::FENCE`.
    pub name: &'static str,
    /// The types of `$1` to `$n`.
    pub types: &'static [Type],
    /// Many texts are put together from parts; that is done at the first use.
    pub text: LazyLock<String>,
}

impl Statement {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The one row that it returns.
    pub async fn one(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<Row, Error> {
        Ok(client.query_typed_one(self.text(), &self.typed(parameters)).await?)
    }

    /// The row that it returns, if any.
    pub async fn opt(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<Option<Row>, Error> {
        Ok(client.query_typed_opt(self.text(), &self.typed(parameters)).await?)
    }

    pub async fn all(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<Vec<Row>, Error> {
        Ok(client.query_typed(self.text(), &self.typed(parameters)).await?)
    }

    /// Returns how many rows it changed.
    pub async fn execute(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<u64, Error> {
        Ok(client.execute_typed(self.text(), &self.typed(parameters)).await?)
    }

    fn typed<'a>(&self, parameters: &Parameters<'a>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        assert_eq!(parameters.len(), self.types.len(), "{}: the number of its parameters", self.name);
        parameters.iter().copied().zip(self.types.iter().cloned()).collect()
    }
}

/// Declares statements as `NAME(TYPE, ...) = text;`, and STATEMENTS, the list of them. The types are those of `Type`.
macro_rules! statements {
    ($($(#[$attribute:meta])* $visible:vis $name:ident($($type:ident),* $(,)?) = $text:expr;)*) => {
        $(
            $(#[$attribute])*
            $visible static $name: $crate::db::Statement = $crate::db::Statement {
                name: concat!(module_path!(), "::", stringify!($name)),
                types: &[$(::tokio_postgres::types::Type::$type),*],
                text: ::std::sync::LazyLock::new(|| String::from($text)),
            };
        )*
        /// Every statement of this file.
        pub static STATEMENTS: &[&$crate::db::Statement] = &[$(&$name),*];
    };
}
pub(crate) use statements;
