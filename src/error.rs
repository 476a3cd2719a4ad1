//! The only way an error is turned into text.
//!
//! PostgreSQL's errors carry row values in their message, DETAIL, HINT and CONTEXT, and a driver's errors may carry
//! anything. Only this is rendered: SQLSTATE, what it means in our words, the names of table, column and constraint,
//! the kind of an I/O error, and the context that our own code gives. A patient's data can be in none of them.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::{fmt, io};

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

/// What a failure means for the one who caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The connection or the server, not the work: the same transaction may succeed in a moment.
    Transient,
    /// A row that the database refuses: the others may still go through.
    Data,
    /// A row that somebody else holds for longer than we wait.
    Locked,
    /// The arguments, the configuration or a state that we refuse ourselves, in our own words.
    Refused,
    /// The server refuses the credentials or the permission, or the schema is not as expected.
    Configuration,
    /// A table is missing.
    MissingTable,
    /// Anything else.
    Other,
}

/// An error as people and logs may see it.
#[derive(Clone, Debug)]
pub struct Error {
    /// An SQLSTATE, or a word of our own in capitals.
    pub code: Cow<'static, str>,
    /// One or more clauses, outermost context first; no values.
    pub message: String,
    pub kind: ErrorKind,
}

impl Error {
    /// A failure in our own words; `message` must hold ids, counts and codes only.
    pub fn new(code: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), kind }
    }

    /// Whether the caller has to correct something: trying again changes nothing.
    pub fn is_usage(&self) -> bool {
        matches!(self.kind, ErrorKind::Refused | ErrorKind::Configuration | ErrorKind::MissingTable)
    }

    /// Says what was being done when it failed.
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

impl StdError for Error {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            return server_error(db);
        }
        // The kind that the driver puts first is a fixed text; what follows the colon is not ours to show.
        let text = error.to_string();
        let kind = text.split(':').next().unwrap_or("database error").to_owned();
        let (message, transient) = match error.source() {
            Some(cause) => describe_cause(kind, cause),
            None => {
                let lost = error.is_closed() || kind.contains("timeout") || kind.contains("timed out");
                (kind, lost)
            }
        };
        let kind = if transient { ErrorKind::Transient } else { ErrorKind::Other };
        Self { code: if transient { "CONNECTION".into() } else { "CLIENT".into() }, message, kind }
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(_) => Self::new("CONNECTION", ErrorKind::Transient, "no connection in time"),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::new("CLIENT", ErrorKind::Other, "the connection pool is closed")
            }
        }
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        // Its own text names the address, and what the other side sent.
        let (message, kind) = if error.is_redirect() {
            ("a redirect to another host, or one too many", ErrorKind::Other)
        } else if error.is_timeout() {
            ("no answer in time", ErrorKind::Transient)
        } else if error.is_connect() {
            ("the server cannot be reached", ErrorKind::Transient)
        } else if error.is_body() || error.is_decode() || error.is_request() {
            ("the connection was cut", ErrorKind::Transient)
        } else {
            ("the request could not be made", ErrorKind::Other)
        };
        Self::new("HTTP", kind, message)
    }
}

impl From<refinery::Error> for Error {
    fn from(error: refinery::Error) -> Self {
        use refinery::error::Kind;
        let cause = error.source().and_then(|source| source.downcast_ref::<tokio_postgres::Error>());
        if let Some(db) = cause.and_then(tokio_postgres::Error::as_db_error) {
            return server_error(db);
        }
        let message = match error.kind() {
            Kind::DivergentVersion(applied, ours) => {
                format!("migration {applied} of the database differs from this binary's {ours}")
            }
            Kind::MissingVersion(migration) => format!("migration {migration} is not in this binary"),
            Kind::Connection(..) => "the connection was lost".to_owned(),
            _ => "the migrations cannot be read or applied".to_owned(),
        };
        Self::new("MIGRATION", ErrorKind::Refused, message)
    }
}

fn describe_cause(kind: String, cause: &(dyn StdError + 'static)) -> (String, bool) {
    let Some(io) = cause.downcast_ref::<io::Error>() else { return (kind, false) };
    if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return (format!("{kind}: TLS: {tls}"), false);
    }
    let why = match io.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::NotFound => "no such socket",
        io::ErrorKind::TimedOut => "timed out",
        io::ErrorKind::UnexpectedEof => "the server closed the connection",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was cut",
        io::ErrorKind::PermissionDenied => "permission denied",
        _ if io.raw_os_error().is_none() => "the name or the connection does not work",
        _ => "input/output error",
    };
    (format!("{kind}: {why}"), io.kind() != io::ErrorKind::PermissionDenied)
}

fn server_error(db: &DbError) -> Error {
    let code = db.code().code();
    let mut message = meaning(code).to_owned();
    let names = [("table", db.table()), ("column", db.column()), ("constraint", db.constraint())];
    for (what, name) in names {
        if let Some(name) = name {
            message.push_str(&format!(", {what} {name}"));
        }
    }
    Error { code: code.to_owned().into(), message, kind: classify(db.code()) }
}

/// SQLSTATE to what can be done about it.
fn classify(state: &SqlState) -> ErrorKind {
    match state.code() {
        "40001" | "40P01" | "57P01" | "57P02" | "57P03" | "53300" | "25P03" | "25P04" => ErrorKind::Transient,
        "55P03" => ErrorKind::Locked,
        "42P01" => ErrorKind::MissingTable,
        code => match &code[..2] {
            "08" => ErrorKind::Transient,
            "28" | "3D" | "3F" | "42" => ErrorKind::Configuration,
            "0A" | "25" | "26" | "34" | "40" | "53" | "55" | "57" | "58" | "F0" | "HV" | "XX" => ErrorKind::Other,
            // Whatever the server says of a row, also in codes of the clinic's own.
            _ => ErrorKind::Data,
        },
    }
}

/// SQLSTATE in words.
fn meaning(code: &str) -> &'static str {
    match code {
        "22023" => "the database refused a value, such as a time zone that it does not know",
        "23502" => "a required value is missing",
        "23503" => "a row that is referred to does not exist",
        "23505" => "the row exists already",
        "23514" => "a check constraint forbids it",
        "25006" => "the database is read-only",
        "25P03" => "the server ended an idle transaction",
        "28P01" | "28000" => "the server refused the user or the password",
        "3D000" => "there is no such database",
        "40001" => "serialization failure",
        "40P01" => "deadlock",
        "42501" => "permission denied; the server's log names the object",
        "42P01" => "a table is missing",
        "42P07" => "a table of that name exists already",
        "53300" => "the server has no free connection",
        "55P03" => "a lock could not be had in time",
        "57014" => "the statement was cancelled or took too long",
        "57P01" => "the server ended the connection",
        "57P02" => "the server crashed",
        "57P03" => "the server is starting up or shutting down",
        "P0001" => "a trigger or function of the database refused the row",
        _ => match &code[..2] {
            "08" => "the connection failed",
            "22" => "the database refused a value",
            "23" => "a constraint forbids it",
            "42" => "the schema is not as expected",
            "53" => "the server is out of resources",
            "57" => "the server's operator intervened",
            "P0" => "a function of the database failed",
            _ => "database error",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_classified_by_what_can_be_done() {
        let cases = [
            ("40001", ErrorKind::Transient),
            ("40P01", ErrorKind::Transient),
            ("57P01", ErrorKind::Transient),
            ("08006", ErrorKind::Transient),
            ("55P03", ErrorKind::Locked),
            ("22003", ErrorKind::Data),
            ("23514", ErrorKind::Data),
            ("P0001", ErrorKind::Data),
            ("CL001", ErrorKind::Data),
            ("54000", ErrorKind::Data),
            ("42P01", ErrorKind::MissingTable),
            ("42501", ErrorKind::Configuration),
            ("28P01", ErrorKind::Configuration),
            ("57014", ErrorKind::Other),
            ("XX000", ErrorKind::Other),
            ("53100", ErrorKind::Other),
        ];
        for (code, kind) in cases {
            assert_eq!(classify(&SqlState::from_code(code)), kind, "{code}");
        }
    }

    #[test]
    fn context_reads_from_the_outside_in() {
        let error = Error::new("X", ErrorKind::Other, "inner").context("middle").context("outer");
        assert_eq!(error.to_string(), "outer: middle: inner [X]");
    }
}
