//! A section of the report: its figures, or why there are none.
//!
//! Rule: a clinic without tickets, or a role that may not read them, gets a report without that section, and a line that
//! says why. Only where the database itself cannot be reached is there no report.

use serde::Serialize;
use tokio_postgres::Transaction;
use tracing::info;

use crate::db::tried;
use crate::error::{Error, ErrorKind};

/// The SQLSTATE of a statement that took too long.
const TOO_LONG: &str = "57014";

#[derive(Serialize)]
#[serde(untagged)]
pub enum Section<T> {
    Told(T),
    Absent { absent: String },
}

impl<T> Section<T> {
    /// Reads the figures behind a savepoint.
    pub async fn read(
        tx: &Transaction<'_>,
        name: &str,
        body: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<Self, Error> {
        match tried(tx, body).await? {
            Ok(figures) => Ok(Self::Told(figures)),
            Err(error) if error.kind == ErrorKind::Transient && error.code != TOO_LONG => Err(error),
            Err(error) => {
                info!(error_code = %error.code, "{name}: not in the report: {}", error.message);
                Ok(Self::Absent { absent: reason(&error) })
            }
        }
    }

    pub fn told(&self) -> Option<&T> {
        if let Self::Told(figures) = self { Some(figures) } else { None }
    }

    /// Why there are no figures.
    pub fn absent(&self) -> Option<&str> {
        if let Self::Absent { absent } = self { Some(absent) } else { None }
    }
}

fn reason(error: &Error) -> String {
    let words = match error.code.as_ref() {
        "42P01" => "This database has no such table.",
        "42703" => "A column is missing in this database.",
        "42501" => "The role of this report may not read it; rounds grants report says what it needs.",
        TOO_LONG => "The database took too long to answer.",
        _ => "The database refused the question.",
    };
    format!("{words} [{}]", error.code)
}
