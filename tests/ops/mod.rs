//! A file a command.

mod health;
mod runs;
