//! The address of the database: its source, its parameters, and the part of it that may be shown.
//!
//! Rule: a parameter is the driver's, or ours with libpq's meaning (`sslmode`, `sslrootcert`), or has no meaning here
//! (`pgbouncer`: we work so always). Any other is refused by name, because to ignore it could be to ignore a wish for
//! safety.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::sslmode::TlsMode;
use crate::error::{Error, ErrorKind};
use crate::file;

/// The parameters of an address that the driver knows.
const OF_THE_DRIVER: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

pub fn configuration(message: impl Into<String>) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, message)
}

/// The parts of an address: what the driver reads, and what it does not know.
#[derive(Debug)]
pub struct Address {
    pub config: Config,
    pub mode: Option<TlsMode>,
    pub root_cert: Option<PathBuf>,
}

/// The address that was given, or the content of the file that holds it.
pub fn address(url: Option<&str>, file: Option<&Path>) -> Result<String, Error> {
    let text = match (url, file) {
        (Some(_), Some(_)) => {
            return Err(configuration("--database-url and --database-url-file are both set; keep one of them"));
        }
        (Some(url), None) => url.to_owned(),
        (None, Some(path)) => file::text(path, file::VALUE_MAX)
            .map_err(|why| configuration(format!("--database-url-file {}: {why}", path.display())))?,
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

impl Address {
    /// Parses an address, a URL or words such as `host=H dbname=D`. No error repeats a value of it, because the value
    /// could be the password.
    pub fn parse(address: &str) -> Result<Self, Error> {
        let (base, parameters) = split(address)?;
        let (mut mode, mut root_cert, mut kept) = (None, None, vec![]);
        for (name, value) in parameters {
            match name.as_str() {
                "sslmode" if mode.is_some() => return Err(configuration("the database URL names sslmode twice")),
                "sslmode" => mode = Some(tls_mode(&value)?),
                "sslrootcert" => root_cert = Some(PathBuf::from(value)).filter(|path| path.as_os_str() != "system"),
                "pgbouncer" => {}
                name if OF_THE_DRIVER.contains(&name) => kept.push((name.to_owned(), value)),
                name => return Err(unknown(name)),
            }
        }
        let words: Vec<String> = kept.iter().map(|(name, value)| word(name, value)).collect();
        let config = match base {
            // A URL may have parameters behind it; the driver takes one form only.
            Some(base) => {
                let query: Vec<String> =
                    kept.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
                format!("{base}?{}", query.join("&")).parse::<Config>()
            }
            None => words.join(" ").parse(),
        };
        let config = config.map_err(|_| unreadable(&kept))?;
        check_hosts(&config)?;
        Ok(Self { config, mode, root_cert })
    }

    /// Whether no other machine is between us and the server: a Unix socket, or a loopback address.
    pub fn is_near(&self) -> bool {
        let named = self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        });
        match self.config.get_hostaddrs() {
            [] => named,
            addresses => addresses.iter().all(IpAddr::is_loopback),
        }
    }

    /// Whether each host is a Unix socket, through which no TLS is spoken.
    pub fn is_socket(&self) -> bool {
        !self.config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)))
            && self.config.get_hostaddrs().is_empty()
    }
}

/// The parameters of an address by name, and what stands before them in a URL.
#[allow(clippy::type_complexity, reason = "a name would not say more")]
fn split(address: &str) -> Result<(Option<&str>, Vec<(String, String)>), Error> {
    if !address.contains("://") {
        return Ok((None, words(address).ok_or_else(|| unreadable(&[]))?));
    }
    let (base, query) = address.rsplit_once('?').unwrap_or((address, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| unreadable(&[]));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').ok_or_else(|| unreadable(&[]))?;
        Ok((decoded(name)?, decoded(value)?))
    });
    Ok((Some(base), pairs.collect::<Result<_, Error>>()?))
}

/// The pairs of `name=value` words; a value with spaces stands in single quotes, and a backslash keeps what follows it.
fn words(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = vec![];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let mut chars = value.trim_start().chars();
        let quoted = chars.as_str().starts_with('\'');
        if quoted {
            chars.next();
        }
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.push(chars.next()?),
                Some('\'') if quoted => break,
                Some(char) if !quoted && char.is_whitespace() => break,
                Some(char) => value.push(char),
                None if quoted => return None,
                None => break,
            }
        }
        pairs.push((name.trim().to_owned(), value));
        rest = chars.as_str().trim_start();
    }
    Some(pairs)
}

fn word(name: &str, value: &str) -> String {
    format!("{name}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn encoded(value: &str) -> impl std::fmt::Display {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
}

fn tls_mode(value: &str) -> Result<TlsMode, Error> {
    TlsMode::from_str(value, false).map_err(|_| {
        let modes = "disable, prefer, require, verify-ca or verify-full";
        match value {
            "allow" => configuration(format!("sslmode=allow would try without TLS first; write {modes}")),
            _ => configuration(format!("the database URL has an sslmode that is none: write {modes}")),
        }
    })
}

/// The error for a parameter that has no meaning here.
fn unknown(name: &str) -> Error {
    let why = match name {
        "schema" => "the schema of rounds is --schema (ROUNDS_SCHEMA)",
        "connection_limit" | "pool_timeout" | "socket_timeout" | "statement_cache_size" => {
            "rounds opens at most three connections, and prepares no statements"
        }
        "sslcert" | "sslkey" | "sslpassword" | "sslidentity" => "rounds shows the server no certificate of its own",
        "service" | "passfile" => "rounds reads neither service files nor password files",
        _ => "rounds does not know it",
    };
    let printable = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let named = if printable { format!("the parameter {name}") } else { "a parameter with an odd name".to_owned() };
    configuration(format!("the database URL has {named}: {why}; take it out"))
}

/// The error for an address that the driver cannot read. It names the parameter whose value is at fault, if one is.
fn unreadable(parameters: &[(String, String)]) -> Error {
    let odd = parameters.iter().find(|(name, value)| word(name, value).parse::<Config>().is_err());
    if let Some((name, _)) = odd {
        return configuration(format!("the database URL has a value of {name} that cannot be read"));
    }
    configuration(
        "the database URL cannot be read; it looks like \
         postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full \
         (special characters percent-encoded)",
    )
}

fn check_hosts(config: &Config) -> Result<(), Error> {
    if config.get_hosts().is_empty() {
        return Err(configuration("the database URL names no host"));
    }
    // The driver ends the password at the first @, so the rest of the password would be shown as the host.
    let odd_host = config.get_hosts().iter().any(
        |host| matches!(host, Host::Tcp(name) if name.parse::<IpAddr>().is_err() && name.contains(['@', ':', ' '])),
    );
    if odd_host || config.get_dbname().is_some_and(|name| name.contains(['@', ':'])) {
        return Err(configuration(
            "the database URL holds a character in its user or password that must be percent-encoded, such as @ (%40), \
             / (%2F) or : (%3A)",
        ));
    }
    Ok(())
}

/// Whether an address holds a password, in any place. One that cannot be read is refused for that.
pub fn has_password(address: &str) -> bool {
    let read = Address::parse(address.trim());
    read.is_ok_and(|read| read.config.get_password().is_some_and(|password| !password.is_empty()))
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
            ("postgresql://u:p@h/d?sslmode=disable", Some(TlsMode::Disable)),
            ("postgresql://u:p@h/d?sslmode=prefer", Some(TlsMode::Prefer)),
            ("postgresql://u:p@h/d?pgbouncer=true", None),
            ("postgresql://u:p@h/d?sslmode=require", Some(TlsMode::Require)),
            ("postgresql://u:p@h/d?sslmode=verify%2Dca", Some(TlsMode::VerifyCa)),
            ("postgresql://u:p@h/d?sslmode=verify-full&target_session_attrs=any", Some(TlsMode::VerifyFull)),
            ("host=h user=u dbname = 'd' sslmode=verify-full", Some(TlsMode::VerifyFull)),
        ];
        for (address, mode) in cases {
            let read = Address::parse(address).expect(address);
            let (host, user, database) = (read.config.get_hosts(), read.config.get_user(), read.config.get_dbname());
            assert_eq!((host, user, database), (&[Host::Tcp("h".into())][..], Some("u"), Some("d")), "{address}");
            assert_eq!(read.mode, mode, "{address}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_by_name_and_without_the_password() {
        for (address, sentence) in [
            ("postgresql://u:hunter2@h:notaport/d", "cannot be read; it looks like"),
            ("postgresql://u:hunter2@h/d?sslmode=allow", "would try without TLS first"),
            ("postgresql://u:hunter2@h/d?sslmode=hunter2", "an sslmode that is none"),
            ("mysql://u:hunter2@h/d", "cannot be read; it looks like"),
            ("postgresql://u:hunter2@h/d?sslmode=verify-full&sslmode=disable", "names sslmode twice"),
            ("postgresql://u:p@hunter2@h/d", "must be percent-encoded"),
            ("postgresql://u:p@hunter2/x@h/d", "must be percent-encoded"),
            ("postgresql://u:hunter2@h/d?schema=public", "the parameter schema: the schema of rounds is --schema"),
            ("postgresql://u:hunter2@h/d?connection_limit=1", "the parameter connection_limit: rounds opens at most"),
            ("postgresql://u:hunter2@h/d?sslcert=x", "the parameter sslcert: rounds shows the server no certificate"),
            ("host=h password='hunter2' ssl_mode=disable", "the parameter ssl_mode: rounds does not know it"),
            ("postgresql://u:hunter2@h/d?%0Ahunter2=1", "a parameter with an odd name"),
            ("postgresql://u:hunter2@h/d?connect_timeout=hunter2", "a value of connect_timeout that cannot be read"),
            ("host=h password='hunter2", "cannot be read"),
            ("host=h password=hunter2\\", "cannot be read"),
            ("user=u password=hunter2", "names no host"),
        ] {
            let error = Address::parse(address).expect_err(address);
            assert_eq!(error.kind, ErrorKind::Refused);
            assert!(error.message.contains(sentence), "{address}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_password_may_hold_what_looks_like_an_option() {
        let read = Address::parse("postgresql://u:sslmode=verify-full@h/d?sslmode=disable").expect("readable");
        assert_eq!(read.config.get_password(), Some(&b"sslmode=verify-full"[..]));
        assert_eq!(read.mode, Some(TlsMode::Disable));
        let read = Address::parse(r"host=h password='a \' sslmode=disable \\' sslmode=require").expect("readable");
        assert_eq!(read.config.get_password(), Some(&br"a ' sslmode=disable \"[..]));
        assert_eq!(read.mode, Some(TlsMode::Require));
        let read = Address::parse("postgresql://h/d?password=a%26b%3Dc%25%20%C3%A9").expect("readable");
        assert_eq!(read.config.get_password(), Some("a&b=c% é".as_bytes()));
    }

    #[test]
    fn a_password_is_found_wherever_it_stands() {
        for address in [
            "postgresql://u:p@h/d",
            " postgres://u:p@h/d\n",
            "postgresql://u@h/d?password=p",
            "postgresql://u@h/d?sslmode=disable&pass%77ord=p",
            "host=h password = 'p' user=u",
            "postgresql://u:%20@/d?host=/run/postgresql",
        ] {
            assert!(has_password(address), "{address}");
        }
        for address in
            ["postgresql://u@h/d", "postgresql://u:@h/d", "postgresql:///password?host=/s", "host=h user=password"]
        {
            assert!(!has_password(address), "{address}");
        }
    }

    #[test]
    fn near_is_this_machine_alone() {
        for (address, near) in [
            ("postgresql://localhost/d", true),
            ("postgresql://127.0.0.3/d", true),
            ("postgresql://[::1]/d", true),
            ("host=/run/postgresql dbname=d", true),
            ("postgresql://localhost.example/d", false),
            ("postgresql://127.0.0.1.example/d", false),
            ("postgresql://10.0.0.1/d", false),
            ("postgresql://localhost,db.example/d", false),
            ("host=localhost hostaddr=10.0.0.1 dbname=d", false),
            ("host=db.example hostaddr=127.0.0.1 dbname=d", true),
        ] {
            assert_eq!(Address::parse(address).expect(address).is_near(), near, "{address}");
        }
    }
}
