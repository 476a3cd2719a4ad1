//! Commands of a document, in the shell of a reader who has `rounds` and PostgreSQL's programs in the path.

use std::env;
use std::path::Path;

use tokio::process::Command;

use super::server;

/// A shell that ends at the first command that fails. Its folder is that of the project.
pub fn shell(script: &str) -> Command {
    let programs = [Path::new(env!("CARGO_BIN_EXE_rounds")).parent().expect("a folder"), &server().binary("")];
    let path = env::split_paths(&env::var_os("PATH").expect("a path")).collect::<Vec<_>>();
    let path = env::join_paths(programs.into_iter().map(Path::to_owned).chain(path)).expect("folders");
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", script])
        .env_clear()
        .env("PATH", path)
        .env("ROUNDS_OUTPUT", "text")
        .env("ROUNDS_CONFIG", "none");
    shell.current_dir(env!("CARGO_MANIFEST_DIR"));
    shell
}
