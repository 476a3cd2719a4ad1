//! The common ground of the tests: one PostgreSQL for all, a migrated database for each, and the program as a process.
//!
//! With ROUNDS_TEST_POOLER=1 the program reaches the database through PgBouncer in transaction mode; the tests look at
//! it directly. With ROUNDS_TEST_ROLES=1 each job and each group of commands has the role that `rounds grants --apply`
//! makes for it, on bigint keys.

#[path = "../../src/demo/scratch/mod.rs"]
#[allow(dead_code)]
pub mod scratch;

pub mod clinic;
pub mod collector;
mod database;
pub mod exposition;
pub mod fields;
pub mod gate;
pub mod grafana;
pub mod keys;
pub mod nppes;
pub mod pooler;
pub mod practiceq;
pub mod program;
pub mod provider;
pub mod proxy;
pub mod role;
pub mod shell;
pub mod smtp;
pub mod terminal;
pub mod tickets;
pub mod watched;

pub use clinic::Clinic;
pub use database::{Database, Template, connect, database, server, server_place};
pub use program::Program;

fn pooled() -> bool {
    std::env::var_os("ROUNDS_TEST_POOLER").is_some_and(|value| value == "1")
}

fn in_roles() -> bool {
    std::env::var_os("ROUNDS_TEST_ROLES").is_some_and(|value| value == "1")
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
