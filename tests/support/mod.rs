//! What the tests stand on: one PostgreSQL for all, a migrated database for each, and the program as a process.
//!
//! With ROUNDS_TEST_POOLER=1 the program reaches the database through PgBouncer in transaction mode; the tests look at it
//! directly.

#[path = "../../src/demo/scratch/mod.rs"]
#[allow(dead_code)]
pub mod scratch;

pub mod clinic;
pub mod desk;
pub mod gate;
pub mod nppes;
mod pooler;
pub mod practiceq;
pub mod program;
pub mod proxy;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use scratch::{Durability, Scratch};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

pub use clinic::Clinic;
pub use program::Program;

/// The server that all tests share.
pub fn server() -> &'static Scratch {
    static SERVER: OnceLock<Result<Scratch, String>> = OnceLock::new();
    match SERVER.get_or_init(|| Scratch::start(&std::env::temp_dir(), Durability::None)) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}

/// A direct connection.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client
}

/// A new database: migrated, or empty.
pub async fn database(migrated: bool) -> String {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let admin = connect(&server().url("postgres")).await;
    TEMPLATE
        .get_or_init(async || {
            admin.batch_execute("CREATE DATABASE migrated").await.expect("a new server has no such database");
            let outcome = Program::new(&server().url("migrated")).run(&["migrate"]).await;
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        })
        .await;
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let template = if migrated { "migrated" } else { "template0" };
    admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.expect("can be created");
    name
}

fn pooled() -> bool {
    std::env::var_os("ROUNDS_TEST_POOLER").is_some_and(|value| value == "1")
}

/// The Unix socket on which the program reaches the server or the pooler.
pub fn socket() -> std::path::PathBuf {
    let port = if pooled() { pooler::PORT } else { 5432 };
    server().dir().join(format!(".s.PGSQL.{port}"))
}

/// The address under which the program reaches a database: the server, or the pooler before it.
pub fn program_url(database: &str) -> String {
    if pooled() { pooler::url(database) } else { server().url(database) }
}
