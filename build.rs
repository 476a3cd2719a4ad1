//! Gives the binary its version with the commit it was built from, and notices new migrations.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-env-changed=ROUNDS_COMMIT");
    let commit = std::env::var("ROUNDS_COMMIT").ok().or_else(|| {
        let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    });
    let commit = commit.filter(|commit| !commit.is_empty()).unwrap_or_else(|| "no commit".to_owned());
    println!("cargo:rustc-env=ROUNDS_VERSION={} ({commit})", env!("CARGO_PKG_VERSION"));
}
