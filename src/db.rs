//! The only place that knows how a connection is made: address, TLS, timeouts, the settings of a transaction.
//!
//! Nothing here depends on session state, so it works behind a transaction-mode pooler: no startup options, unnamed
//! statements only, settings by SET LOCAL. A connection that goes nowhere ends: connecting, waiting for the pool,
//! TCP silence and every statement have a limit.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::redact::{Class, Failure};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent data may stay unacknowledged, and how long silence may last before the peer is probed.
const TCP_TIMEOUT: Duration = Duration::from_secs(30);
/// The work, the heartbeat, and one to finish the run while the others are stuck.
const CONNECTIONS: usize = 3;

#[derive(Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// PostgreSQL connection URL; sslmode is disable, prefer, require or verify-full
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// File that holds the connection URL, such as a mounted secret; instead of --database-url
    #[arg(long, global = true, env = "DATABASE_URL_FILE", value_name = "PATH")]
    pub database_url_file: Option<PathBuf>,
    /// PEM file of the authorities that the server's certificate must come from
    #[arg(long, global = true, env = "PGSSLROOTCERT", value_name = "PATH")]
    pub ssl_root_cert: Option<PathBuf>,
}

/// A database: a small pool of connections.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    target: Arc<str>,
}

/// The limits of one transaction.
#[derive(Clone, Copy)]
pub struct Limits {
    pub statement: Duration,
    pub lock: Duration,
    pub idle: Duration,
}

impl Limits {
    /// The same, but with more patience for locks; still so little that it is the lock that is reported, also where a row
    /// is waited for twice: in the queue, and at its head.
    pub fn with_lock(self, lock: Duration) -> Self {
        Self { lock: lock.min(self.statement / 3), ..self }
    }

    /// Begins a transaction that has them: there is none without.
    pub async fn begin(self, client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let tx = client.transaction().await?;
        self.apply(&tx).await?;
        Ok(tx)
    }

    /// The same, but nothing can be changed in it.
    pub async fn begin_reading(self, client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let tx = client.build_transaction().read_only(true).start().await?;
        self.apply(&tx).await?;
        Ok(tx)
    }

    /// Sets them for the transaction. What is read behind a lock is what is there then, whatever the database's own default is. A client that is gone ends its statement within half a second; JIT compilation
    /// never pays for statements this short.
    async fn apply(self, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        tx.batch_execute(&format!(
            "SET LOCAL transaction_isolation = 'read committed'; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; \
             SET LOCAL client_connection_check_interval = 500; SET LOCAL jit = off",
            self.statement.as_millis(),
            self.lock.as_millis(),
            self.idle.as_millis()
        ))
        .await
    }
}

impl Db {
    /// Reads the address and prepares the pool; connects to nothing yet. `application` is what `pg_stat_activity` shows.
    pub fn open(args: &DatabaseArgs, application: &str) -> Result<Self, Failure> {
        let (mut config, verify) = parse(&address(args)?)?;
        config
            .application_name(application)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(TCP_TIMEOUT)
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(TCP_TIMEOUT);
        let target = describe(&config).into();
        let tls = MakeRustlsConnect::new(tls_config(verify, args)?);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, tls, recycling))
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            // The driver's own timeout ends before TLS and authentication begin.
            .create_timeout(Some(CONNECT_TIMEOUT + Duration::from_secs(5)))
            .build()
            .map_err(|_| configuration("the connection pool cannot be built"))?;
        Ok(Self { pool, target })
    }

    /// Database, host and port, for messages.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// A connection, from the pool or new.
    pub async fn client(&self) -> Result<Object, Failure> {
        self.pool
            .get()
            .await
            .map_err(|error| Failure::from(error).context(format_args!("cannot reach the database ({})", self.target)))
    }

    /// Closes the connections that lie in the pool. What the server still does for them it gives up: see [`Limits`]. No
    /// cancel request is sent, since poolers are known to crash on them (docs/adr/0002).
    pub fn abandon(&self) {
        self.pool.retain(|_, _| false);
    }
}

fn configuration(message: impl Into<String>) -> Failure {
    Failure::new("CONFIGURATION", Class::Configuration, message)
}

fn address(args: &DatabaseArgs) -> Result<String, Failure> {
    let text = match (&args.database_url, &args.database_url_file) {
        (Some(_), Some(_)) => {
            return Err(configuration("--database-url and --database-url-file are both set; keep one of them"));
        }
        (Some(url), None) => url.clone(),
        (None, Some(path)) => fs::read_to_string(path)
            .map_err(|error| configuration(format!("--database-url-file {}: {}", path.display(), error.kind())))?,
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
fn parse(address: &str) -> Result<(Config, bool), Failure> {
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
    // The driver ends the password at the first @; what is left of it would stand where the host is shown.
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
fn describe(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "?".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{} at {host}:{port}", config.get_dbname().unwrap_or("?"))
}

/// As libpq: `verify-full` checks authority and name; with a root certificate given, `prefer` and `require` check the
/// authority; else they encrypt and trust whoever answers.
fn tls_config(verify: bool, args: &DatabaseArgs) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let authority = match &args.ssl_root_cert {
        Some(path) => {
            Some(read_roots(path).map_err(|why| configuration(format!("PGSSLROOTCERT {}: {why}", path.display())))?)
        }
        None if verify => Some(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
        None => None,
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| configuration("no TLS version is available"))?;
    if let (Some(roots), true) = (&authority, verify) {
        return Ok(builder.with_root_certificates(roots.clone()).with_no_client_auth());
    }
    let authority = match authority {
        Some(roots) => Some(
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|_| configuration("PGSSLROOTCERT holds no usable certificate"))?,
        ),
        None => None,
    };
    let verifier = Arc::new(AnyName { authority, schemes: provider.signature_verification_algorithms });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn read_roots(path: &std::path::Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let pem = fs::read(path).map_err(|error| error.kind().to_string())?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| "not a PEM file")?;
        roots.add(certificate).map_err(|_| "a certificate in it cannot be used")?;
    }
    if roots.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(roots) }
}

/// What `prefer` and `require` mean: any name, and any authority where none is given.
#[derive(Debug)]
struct AnyName {
    authority: Option<Arc<WebPkiServerVerifier>>,
    schemes: rustls::crypto::WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.supported_schemes()
    }
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
            let failure = parse(address).expect_err(address);
            assert_eq!(failure.class, Class::Configuration);
            assert!(!failure.to_string().contains("hunter2"), "{failure}");
        }
    }

    #[test]
    fn a_password_that_looks_like_an_option_is_left_alone() {
        let (config, verify) = parse("postgresql://u:sslmode=verify-full@h/d?sslmode=disable").expect("readable");
        assert_eq!(config.get_password(), Some(&b"sslmode=verify-full"[..]));
        assert!(!verify);
    }
}
