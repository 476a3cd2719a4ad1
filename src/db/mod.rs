//! The database: address, TLS and timeouts of a connection, the settings of a transaction, statements, the schema.
//!
//! Nothing here depends on session state, so it works behind a transaction-mode pooler: no startup options, unnamed
//! statements only, settings by SET LOCAL. No wait is endless: connecting, the pool, TCP silence and every statement
//! have a limit.

mod connection;
mod dropped;
pub mod identity;
mod key;
mod limits;
mod name;
mod old_keys;
mod row;
mod savepoint;
pub mod schema;
mod sslmode;
pub mod statement;
mod text;
mod tls;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use connection::Connection;
pub use dropped::dropped;
pub use key::{Example, Key, Keys, NOT_A_KEY, no_such_key, unless_no_key};
pub use limits::Limits;
pub use name::{NAME_MAX, SchemaName, check_name, identifier, quoted};
pub use old_keys::read_by;
pub use row::Row;
pub use savepoint::{UNREADABLE, tried, unless};
pub(crate) use statement::statements;
pub use statement::{Listed, Statement};
pub use text::{cut, decodable, decodable_name, is_undecodable, name as cut_name};
pub use url::has_password;

use crate::error::{Error, ErrorKind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time after which unacknowledged data ends a connection, and after which a silent peer is probed.
const TCP_TIMEOUT: Duration = Duration::from_secs(30);

statements! {
    of identity, schema;
    /// The database's clock, which is the only one that decides anything.
    pub CLOCK() = "SELECT clock_timestamp()";
}

/// The number of connections: for the work, for the heartbeat, and for closing the run while the others hang.
const CONNECTIONS: usize = 3;

#[derive(Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// PostgreSQL connection URL; its sslmode is disable, prefer, require, verify-ca or verify-full. On the command
    /// line it may hold no password, since other users of the machine see arguments (ps)
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// File that holds the connection URL, such as a mounted secret; instead of --database-url
    #[arg(long, global = true, env = "DATABASE_URL_FILE", value_name = "PATH")]
    pub database_url_file: Option<PathBuf>,
    /// The sslmode of a URL that names none [default: verify-full; to this machine itself prefer]
    #[arg(long, global = true, env = "PGSSLMODE", value_name = "MODE", hide_possible_values = true)]
    pub ssl_mode: Option<sslmode::TlsMode>,
    /// PEM file of the authorities that the server's certificate must come from
    #[arg(long, global = true, env = "PGSSLROOTCERT", value_name = "PATH")]
    pub ssl_root_cert: Option<PathBuf>,
    /// Schema that holds the tables of rounds, and the clinic's as tables or views
    #[arg(long, global = true, env = "ROUNDS_SCHEMA", value_name = "NAME", default_value = "rounds")]
    pub schema: SchemaName,
}

/// A database: a small pool of connections.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    schema: SchemaName,
    target: Arc<str>,
}

impl Db {
    /// Reads the address and prepares the pool without connecting. `application` is the name in `pg_stat_activity`.
    pub fn open(args: &DatabaseArgs, application: &str) -> Result<Self, Error> {
        let text = url::address(args.database_url.as_deref(), args.database_url_file.as_deref())?;
        let address = url::Address::parse(&text)?;
        let (mode, tls) = tls::of(&address, args.ssl_mode, args.ssl_root_cert.as_deref())?;
        let tls = MakeRustlsConnect::new(tls);
        let mut config = address.config;
        config
            .ssl_mode(mode)
            .application_name(application)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(TCP_TIMEOUT)
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(TCP_TIMEOUT);
        let target = url::describe(&config).into();
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, tls, recycling))
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            // The driver's own timeout ends before TLS and authentication begin.
            .create_timeout(Some(CONNECT_TIMEOUT + Duration::from_secs(5)))
            .build()
            .map_err(|_| url::configuration("the connection pool cannot be built"))?;
        Ok(Self { pool, target, schema: args.schema.clone() })
    }

    /// Database, host and port, for messages.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// A connection, from the pool or new.
    pub async fn client(&self) -> Result<Connection, Error> {
        let client =
            self.pool.get().await.map_err(|error| {
                Error::from(error).context(format_args!("cannot reach the database ({})", self.target))
            })?;
        Ok(Connection::pooled(client, self.schema.clone()))
    }

    pub fn schema(&self) -> &SchemaName {
        &self.schema
    }

    /// After an error of the connection or the server, closes the connections in the pool: a server that has become
    /// read-only, or that is about to end, keeps them.
    pub fn renew_after<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if outcome.as_ref().is_err_and(|error| error.kind == ErrorKind::Transient) {
            self.abandon();
        }
        outcome
    }

    /// Closes the connections in the pool. The server then cancels their statements: see [`Limits`]. No cancel request
    /// is sent, since some poolers crash on them (docs/adr/0002).
    pub fn abandon(&self) {
        self.pool.retain(|_, _| false);
    }
}
