//! All integration tests, in one binary: real PostgreSQL, real processes of `rounds`, a database per test.

mod adopt;
mod cli;
mod dashboards;
#[cfg(feature = "demo")]
mod demo;
mod deploy;
mod docs;
mod jobs;
mod needs;
mod npm;
mod ops;
mod ours;
mod privileges;
mod run;
mod schema;
#[cfg(feature = "demo")]
mod seed;
mod sql;
mod support;
mod terminal;
