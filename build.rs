//! Gives the binary its version with the commit it was built from, and notices new migrations.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    // In a work tree .git is a file, and the history is elsewhere.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
    println!("cargo:rerun-if-env-changed=ROUNDS_COMMIT");
    let commit = std::env::var("ROUNDS_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    let commit = commit.filter(|commit| !commit.is_empty()).unwrap_or_else(|| "no commit".to_owned());
    println!("cargo:rustc-env=ROUNDS_VERSION={} ({commit})", env!("CARGO_PKG_VERSION"));
}

/// What git says; None where there is none, or this is no checkout.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
