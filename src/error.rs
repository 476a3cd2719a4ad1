//! Errors, and the only code that turns them into text.
//!
//! PostgreSQL's errors carry row values in their message, DETAIL, HINT and CONTEXT, a trigger's RAISE may put any text
//! into every field, also into the SQLSTATE, and a driver's errors may carry anything. Only these parts are rendered, and
//! none of them can hold a patient's data:
//!
//! - the SQLSTATE, if PostgreSQL or a kit defines it; of another only that it is one (`server.rs`);
//! - its meaning in our words;
//! - the names of table, column and constraint that are known when the program is built (`names.rs`), and all such names
//!   if the server's own check of a constraint reports them, since they are then names in the catalog;
//! - of the server's own check of names and privileges: the known names in its message;
//! - the kind of an I/O error, and the context that our own code gives.

mod names;
mod server;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::{fmt, io};

use deadpool_postgres::PoolError;
pub use server::meaning;
use server::server_error;

/// The kind of an error, by the action that it permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The connection or the server failed. A retry of the transaction may succeed.
    Transient,
    /// The database refuses a row. Other rows may still be applied.
    Data,
    /// The locks of other sessions were in the way: for longer than the lock wait, or in a circle with ours. Fewer rows at
    /// once, or the same rows later, may succeed.
    Locked,
    /// The program itself refuses the configuration or a state, with a message of its own.
    Refused,
    /// The program itself refuses what the caller asks for: an argument names what is not there or not allowed. It is no
    /// failure of the job.
    BadRequest,
    /// The server refuses the credentials or the permission, or the schema differs from the expected one.
    Configuration,
    /// A table is missing.
    MissingTable,
    /// Anything else.
    Other,
}

/// An error that people and logs may see.
#[derive(Clone, Debug)]
pub struct Error {
    /// An SQLSTATE, or a code of our own in capitals.
    pub code: Cow<'static, str>,
    /// One or more clauses without values, the outermost context first.
    pub message: String,
    pub kind: ErrorKind,
}

impl Error {
    /// An error with a message of our own, which may hold ids, counts and codes only.
    pub fn new(code: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), kind }
    }

    /// Whether the caller has to correct something, so that a retry is useless.
    pub fn is_usage(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Refused | ErrorKind::BadRequest | ErrorKind::Configuration | ErrorKind::MissingTable
        )
    }

    /// Adds the action that failed in front of the message.
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
        // The text before the colon is one of the driver's fixed texts; the text after it may hold values.
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
        // The text of the error is not used, because it may hold the address and the server's answer.
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

/// Why a file cannot be used, in words.
pub fn file_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory",
        io::ErrorKind::PermissionDenied => "the user who runs this may not",
        io::ErrorKind::IsADirectory => "it is a directory",
        io::ErrorKind::NotADirectory => "a part of its path is no directory",
        io::ErrorKind::InvalidData => "it is no text in UTF-8",
        io::ErrorKind::UnexpectedEof => "it ends too early",
        io::ErrorKind::StorageFull => "the disk is full",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        _ => {
            return format!(
                "input/output error{}",
                error.raw_os_error().map_or(String::new(), |code| format!(" {code}"))
            );
        }
    }
    .to_owned()
}

fn describe_cause(kind: String, cause: &(dyn StdError + 'static)) -> (String, bool) {
    let Some(io) = cause.downcast_ref::<io::Error>() else {
        // The driver's own words, for which it has no type.
        return match cause.to_string().as_str() {
            "server does not support TLS" => (format!("{kind}: {NO_TLS}"), false),
            _ => (kind, false),
        };
    };
    if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return (format!("{kind}: {}", describe_tls(tls)), false);
    }
    let cause = match io.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::NotFound => "no such socket",
        io::ErrorKind::TimedOut => "timed out",
        io::ErrorKind::UnexpectedEof => "the server closed the connection",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was cut",
        io::ErrorKind::PermissionDenied => "permission denied",
        _ if io.raw_os_error().is_none() => "the name or the connection does not work",
        _ => "input/output error",
    };
    (format!("{kind}: {cause}"), io.kind() != io::ErrorKind::PermissionDenied)
}

const NO_TLS: &str = "the server offers no TLS: turn it on there (ssl = on), or look who answers at this address";

/// Why the server's certificate was refused, and what mends it. Names in the certificate are not repeated.
fn describe_tls(error: &rustls::Error) -> String {
    use rustls::CertificateError as Fault;
    let rustls::Error::InvalidCertificate(fault) = error else { return format!("TLS: {error}") };
    let why = match fault {
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            "is for another name than the URL's host: write the name that it is for"
        }
        Fault::UnknownIssuer => {
            "comes from an authority that is not trusted: PGSSLROOTCERT names the file of its authority"
        }
        Fault::Expired | Fault::ExpiredContext { .. } => "is out of date: renew it, or set this machine's clock",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "is not valid yet: look at this machine's clock",
        Fault::Revoked => "was revoked by its authority",
        _ => "cannot be verified",
    };
    format!("the server's certificate {why}")
}

/// An error of a statement of ours that was planned and not executed, so that no row was read. Where it is about names,
/// types, privileges or a view that cannot be written, the server's own words say more than ours.
pub fn of_plan(error: tokio_postgres::Error) -> Error {
    let words = error.as_db_error().and_then(|db| {
        let detail = db.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        match db.code().code() {
            code if code.starts_with("42") => Some(db.message().to_owned()),
            "0A000" | "55000" => Some(format!("{}{detail}", db.message())),
            _ => None,
        }
    });
    let error = Error::from(error);
    Error { message: words.unwrap_or(error.message), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_reads_from_the_outside_in() {
        let error = Error::new("X", ErrorKind::Other, "inner").context("middle").context("outer");
        assert_eq!(error.to_string(), "outer: middle: inner [X]");
    }
}
