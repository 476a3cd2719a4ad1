//! A statement that the program sends: its name, its text and the types of its parameters, declared together once.
//!
//! The file that sends a statement declares it with `statements!`, which also makes STATEMENTS, the list of that file.
//! The lists of all files make one: `rounds statements` prints it, and the tests prepare every statement in it. A list
//! that no other list includes is dead code, which does not pass the lints.
//!
//! The types are sent with the call, so that the statement is unnamed and works behind a transaction-mode pooler.

use std::sync::LazyLock;

use serde_json::Value;
use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};

use super::row::Row;
use crate::error::Error;

pub type Parameters<'a> = [&'a (dyn ToSql + Sync)];

pub struct Statement {
    /// The path of its declaration, such as `rounds::run::fence::FENCE`.
    pub name: &'static str,
    /// The types of `$1` to `$n`.
    pub types: &'static [Type],
    pub text: Text,
}

pub enum Text {
    /// The text of a statement, which is built at its first use.
    Constant(LazyLock<String>),
    /// The text of a template for one choice.
    Built(String),
}

impl Statement {
    pub fn text(&self) -> &str {
        match &self.text {
            Text::Constant(text) => text,
            Text::Built(text) => text,
        }
    }

    /// The one row that the statement returns; another number of rows is an error.
    pub async fn one(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<Row, Error> {
        Ok(client.query_typed_one(self.text(), &self.typed(parameters)).await?.into())
    }

    /// The row that the statement returns, if any.
    pub async fn opt(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<Option<Row>, Error> {
        Ok(client.query_typed_opt(self.text(), &self.typed(parameters)).await?.map(Row::from))
    }

    pub async fn all(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<Vec<Row>, Error> {
        let rows = client.query_typed(self.text(), &self.typed(parameters)).await?;
        Ok(rows.into_iter().map(Row::from).collect())
    }

    /// Executes the statement and returns the number of changed rows.
    pub async fn execute(&self, client: &impl GenericClient, parameters: &Parameters<'_>) -> Result<u64, Error> {
        Ok(client.execute_typed(self.text(), &self.typed(parameters)).await?)
    }

    /// The statement as it is shown now: of a template, with its choice.
    pub fn copy(&self) -> Self {
        Self { name: self.name, types: self.types, text: Text::Built(self.text().to_owned()) }
    }

    /// The server's plan of the statement, as JSON. Nothing is executed, but names, types and privileges are checked.
    /// The error is the server's, for [`crate::error::of_plan`].
    pub async fn plan(
        &self,
        client: &impl GenericClient,
        parameters: &Parameters<'_>,
    ) -> Result<Value, tokio_postgres::Error> {
        let text = format!("EXPLAIN (VERBOSE, FORMAT JSON) {}", self.text());
        client.query_typed_one(&text, &self.typed(parameters)).await?.try_get(0)
    }

    fn typed<'a>(&self, parameters: &Parameters<'a>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        assert_eq!(parameters.len(), self.types.len(), "{}: the number of its parameters", self.name);
        parameters.iter().copied().zip(self.types.iter().cloned()).collect()
    }
}

/// A statement whose text depends on a choice, such as the condition of a rule. The types of its parameters do not.
pub struct Template<A: 'static> {
    pub name: &'static str,
    pub types: &'static [Type],
    pub text: fn(&A) -> String,
    /// Every choice if they can be counted, else an example. The tests prepare the statement of each.
    pub choices: fn() -> Vec<A>,
}

impl<A> Template<A> {
    pub fn with(&self, choice: &A) -> Statement {
        Statement { name: self.name, types: self.types, text: Text::Built((self.text)(choice)) }
    }
}

/// An entry of a list of statements.
pub enum Listed {
    One(&'static dyn Declared),
    /// The list of another file.
    All(&'static [Listed]),
}

/// A statement or a template.
pub trait Declared: Sync {
    /// Shows the statement, or that of each choice.
    fn show(&self, to: &mut dyn FnMut(&Statement));
}

impl Declared for Statement {
    fn show(&self, to: &mut dyn FnMut(&Statement)) {
        to(self);
    }
}

impl<A> Declared for Template<A> {
    fn show(&self, to: &mut dyn FnMut(&Statement)) {
        for choice in (self.choices)() {
            to(&self.with(&choice));
        }
    }
}

impl Listed {
    /// Shows each statement of the entry.
    pub fn show(&self, to: &mut dyn FnMut(&Statement)) {
        match self {
            Self::One(declared) => declared.show(to),
            Self::All(list) => list.iter().for_each(|listed| listed.show(to)),
        }
    }
}

/// The types of parameters, by the names that a declaration uses.
#[allow(dead_code)]
pub mod parameter {
    use tokio_postgres::types::Type;

    /// A clinic's key, or several, beside the key of a column: see [`crate::db::Key`].
    pub const KEY: Type = Type::UNKNOWN;
    pub const KEYS: Type = Type::UNKNOWN;
    pub const BOOL: Type = Type::BOOL;
    pub const BYTEA: Type = Type::BYTEA;
    pub const DATE: Type = Type::DATE;
    pub const FLOAT8: Type = Type::FLOAT8;
    pub const INT4: Type = Type::INT4;
    pub const INT8: Type = Type::INT8;
    pub const INT8_ARRAY: Type = Type::INT8_ARRAY;
    pub const JSONB: Type = Type::JSONB;
    pub const TEXT: Type = Type::TEXT;
    pub const TEXT_ARRAY: Type = Type::TEXT_ARRAY;
    pub const TIMESTAMPTZ: Type = Type::TIMESTAMPTZ;
    pub const TIMESTAMPTZ_ARRAY: Type = Type::TIMESTAMPTZ_ARRAY;
    pub const UUID: Type = Type::UUID;
    pub const UUID_ARRAY: Type = Type::UUID_ARRAY;
}

/// Declares a statement as `NAME(TYPE, ...) = text;`, and a template as `NAME[choice: Type = choices](TYPE, ...) =
/// text;`. The types are the constants of [`parameter`]; in a template's text `choice` is a reference. `of file, ...;`
/// includes the lists of other files.
macro_rules! statements {
    (@one $(#[$attribute:meta])* $visible:vis $name:ident($($type:ident),*) = $text:expr) => {
        $(#[$attribute])*
        $visible static $name: $crate::db::statement::Statement = $crate::db::statement::Statement {
            name: concat!(module_path!(), "::", stringify!($name)),
            types: &[$($crate::db::statement::parameter::$type),*],
            text: $crate::db::statement::Text::Constant(::std::sync::LazyLock::new(|| String::from($text))),
        };
    };
    (@one $(#[$attribute:meta])* $visible:vis $name:ident[$choice:ident: $of:ty = $choices:expr]
     ($($type:ident),*) = $text:expr) => {
        $(#[$attribute])*
        $visible static $name: $crate::db::statement::Template<$of> = $crate::db::statement::Template {
            name: concat!(module_path!(), "::", stringify!($name)),
            types: &[$($crate::db::statement::parameter::$type),*],
            text: |$choice| String::from($text),
            choices: || $choices,
        };
    };
    (@all [$($file:ident),*]
     $($(#[$attribute:meta])* $visible:vis $name:ident $([$choice:ident: $of:ty = $choices:expr])?
       ($($type:ident),* $(,)?) = $text:expr;)*) => {
        $($crate::db::statement::statements!(
            @one $(#[$attribute])* $visible $name $([$choice: $of = $choices])? ($($type),*) = $text
        );)*
        /// Every statement of this file and of the files that it includes.
        pub static STATEMENTS: &[$crate::db::statement::Listed] = &[
            $($crate::db::statement::Listed::All($file::STATEMENTS),)*
            $($crate::db::statement::Listed::One(&$name),)*
        ];
    };
    (of $($file:ident),*; $($declared:tt)*) => {
        $crate::db::statement::statements!(@all [$($file),*] $($declared)*);
    };
    ($($declared:tt)*) => {
        $crate::db::statement::statements!(@all [] $($declared)*);
    };
}
pub(crate) use statements;
