//! The address of the database: its source, its parsing, and the part of it that may be shown.

use std::fs;
use std::path::Path;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::file_error;
use crate::error::{Error, ErrorKind};

pub fn configuration(message: impl Into<String>) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, message)
}

/// The address that was given, or the content of the file that holds it.
pub fn address(url: Option<&str>, file: Option<&Path>) -> Result<String, Error> {
    let text = match (url, file) {
        (Some(_), Some(_)) => {
            return Err(configuration("--database-url and --database-url-file are both set; keep one of them"));
        }
        (Some(url), None) => url.to_owned(),
        (None, Some(path)) => fs::read_to_string(path).map_err(|error| {
            configuration(format!("--database-url-file {}: {}", path.display(), file_error(&error)))
        })?,
        (None, None) => {
            return Err(configuration("no database: set DATABASE_URL, --database-url or --database-url-file"));
        }
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(configuration("the database URL is empty"));
    }
    Ok(text.to_owned())
}

/// Parses an address; the flag tells whether the server's name must match its certificate. libpq's `verify-full` is
/// unknown to the driver, which then only has to insist on TLS.
pub fn parse(address: &str) -> Result<(Config, bool), Error> {
    let options = address.rfind('?').or_else(|| (!address.contains("://")).then_some(0)).unwrap_or(address.len());
    let (base, options) = address.split_at(options);
    let verify = options.contains("sslmode=verify-full");
    let options = options.replace("sslmode=verify-full", "sslmode=require");
    // The driver's own error would quote the address, and with it the password.
    let config = format!("{base}{options}").parse::<Config>().map_err(|_| {
        configuration(
            "the database URL cannot be read; it looks like \
             postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full \
             (sslmode: disable, prefer, require or verify-full; special characters percent-encoded)",
        )
    })?;
    if config.get_hosts().is_empty() {
        return Err(configuration("the database URL names no host"));
    }
    // The driver ends the password at the first @, so the rest of the password would be shown as the host.
    let odd_host =
        config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains(['@', ':', ' '])));
    if odd_host || config.get_dbname().is_some_and(|name| name.contains(['@', ':'])) {
        return Err(configuration(
            "the database URL holds a character in its user or password that must be percent-encoded, such as @ (%40), \
             / (%2F) or : (%3A)",
        ));
    }
    if verify && config.get_ssl_mode() != SslMode::Require {
        return Err(configuration("the database URL names sslmode twice"));
    }
    Ok((config, verify))
}

/// Host, port and database, for messages; neither user nor password.
pub fn describe(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "?".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{} at {host}:{port}", config.get_dbname().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sslmode_is_honoured() {
        let cases = [
            ("postgresql://u:p@h/d?sslmode=disable", SslMode::Disable, false),
            ("postgresql://u:p@h/d?sslmode=prefer", SslMode::Prefer, false),
            ("postgresql://u:p@h/d", SslMode::Prefer, false),
            ("postgresql://u:p@h/d?sslmode=require", SslMode::Require, false),
            ("postgresql://u:p@h/d?sslmode=verify-full&target_session_attrs=any", SslMode::Require, true),
            ("host=h user=u dbname=d sslmode=verify-full", SslMode::Require, true),
        ];
        for (address, mode, verified) in cases {
            let (config, verify) = parse(address).expect(address);
            assert_eq!((config.get_ssl_mode(), verify), (mode, verified), "{address}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_without_the_password() {
        for address in [
            "postgresql://u:hunter2@h:notaport/d",
            "postgresql://u:hunter2@h/d?sslmode=verify-ca",
            "mysql://u:hunter2@h/d",
            "postgresql://u:hunter2@h/d?sslmode=verify-full&sslmode=disable",
            "postgresql://u:p@hunter2@h/d",
            "postgresql://u:p@hunter2/x@h/d",
        ] {
            let error = parse(address).expect_err(address);
            assert_eq!(error.kind, ErrorKind::Refused);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_password_that_looks_like_an_option_is_left_alone() {
        let (config, verify) = parse("postgresql://u:sslmode=verify-full@h/d?sslmode=disable").expect("readable");
        assert_eq!(config.get_password(), Some(&b"sslmode=verify-full"[..]));
        assert!(!verify);
    }
}
