//! The archive of `prune`: what a killed run leaves, and who can read it.

use std::path::Path;
use std::process::{Command, Output};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A gate before the reading of the last row of a table for the archive: its value becomes JSON when the gate is open.
async fn hold_archive(clinic: &Clinic, table: &str) {
    clinic
        .sql(&format!(
            "CREATE TABLE gate (appointment_id bigint PRIMARY KEY);
             CREATE TYPE held AS ENUM ('no', 'yes');
             CREATE FUNCTION held_json(held) RETURNS json LANGUAGE plpgsql AS $$
             BEGIN
                 WHILE $1 = 'yes' AND EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
                 RETURN to_json($1::text);
             END $$;
             CREATE CAST (held AS json) WITH FUNCTION held_json(held);
             ALTER TABLE {table} ADD COLUMN held held NOT NULL DEFAULT 'no';
             UPDATE {table} SET held = 'yes' WHERE id = (SELECT max(id) FROM {table})"
        ))
        .await;
    gate::close(clinic, 1).await;
}

/// The files that a process has open in a directory, as the kernel names them.
#[cfg(target_os = "linux")]
fn open_files(pid: u32, dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(|link| link.starts_with(dir));
    links.map(|link| link.display().to_string()).collect()
}

#[tokio::test]
async fn a_run_that_is_killed_while_it_archives_leaves_no_file() {
    let clinic = old_history().await;
    hold_archive(&clinic, "cron_job_run_errors").await;
    let place = Place::new();
    let args = [&PRUNE[..], &["--archive", place.path(), "--batch-rows", "2"]].concat();
    let mut killed = clinic.program.start(&args);
    gate::reached(&clinic).await;
    assert_eq!(place.files(), [""; 0].map(PathBuf::from), "nobody can open it by a name");
    #[cfg(target_os = "linux")]
    {
        let open = open_files(killed.id().expect("it lives"), place.0.path());
        let nameless = open.iter().all(|file| file.ends_with("(deleted)"));
        assert!(!open.is_empty() && nameless, "it is being written, without a name: {open:?}");
    }
    killed.kill().await.expect("it lives");
    assert_eq!(place.files(), [""; 0].map(PathBuf::from), "nothing of it is left");
    gate::open(&clinic).await;
    assert_eq!(clinic.bury().await, 1, "one run was killed");
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_run_errors").await, 7, "nothing was deleted");
    // What a run left on a file system that has no files without a name, or one of an earlier version.
    let old = place.0.path().join("rounds-prune-00000000-notifications.jsonl.gz.unfinished");
    fs::write(&old, "PHI").expect("can be written");
    let outcome = clinic.run(&args).await.expect(0);
    assert!(outcome.stderr.contains("which a run that was killed left"), "{}", outcome.stderr);
    assert_eq!(outcome.report()["archived"], json!(place.files()), "the three of this run, and no other");
    assert_eq!((place.files().len(), outcome.count("run_errors")), (3, 7));
}

/// A key pair of age's own making: its file, and the public key.
fn key(dir: &TempDir, name: &str) -> (String, String) {
    let path = dir.path().join(name);
    let made = Command::new("age-keygen").arg("-o").arg(&path).output().expect("scripts/test-tools installs age");
    assert!(made.status.success(), "{made:?}");
    let text = fs::read_to_string(&path).expect("is there");
    let public = text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key");
    (path.display().to_string(), public.to_owned())
}

fn decrypt(key: &str, file: &Path) -> Output {
    Command::new("age").args(["--decrypt", "-i", key]).arg(file).output().expect("scripts/test-tools installs age")
}

fn decrypted_lines(key: &str, file: &Path) -> Vec<Value> {
    let output = decrypt(key, file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = BufReader::new(MultiGzDecoder::new(&*output.stdout));
    text.lines().map(|line| serde_json::from_str(&line.expect("text")).expect("JSON")).collect()
}

#[tokio::test]
async fn an_encrypted_archive_is_read_by_its_recipients_with_age_and_by_nobody_else() {
    let keys = tempfile::tempdir().expect("a place for files");
    let [(own, own_public), (second, second_public), (stranger, _)] =
        ["own", "second", "other"].map(|name| key(&keys, name));
    let pair = format!("{own_public},{second_public}");
    let twice: &[&str] = &["--archive-recipient", &own_public, "--archive-recipient", &second_public];
    for (variable, more) in [(None, twice), (Some(&pair), &[])] {
        let clinic = old_history().await;
        let place = Place::new();
        let notices = clinic.json("SELECT jsonb_agg(to_jsonb(n) ORDER BY n.id) AS all FROM notifications n").await;
        let program = clinic.program.clone();
        let program =
            variable.into_iter().fold(program, |program, pair| program.env("ROUNDS_ARCHIVE_RECIPIENTS", pair));
        let args = [&PRUNE[..], &["--archive", place.path(), "--batch-rows", "3"], more].concat();
        let report = program.run(&args).await.expect(0).report();
        let files = place.files();
        assert_eq!((files.len(), &report["archived"]), (3, &json!(files)));
        let is_named = |file: &PathBuf| file.to_str().is_some_and(|name| name.ends_with(".jsonl.gz.age"));
        assert!(files.iter().all(is_named), "{files:?}");
        // The notifications come last.
        let file = &files[2];
        for key in [&own, &second] {
            assert_eq!(json!(decrypted_lines(key, file)), notices["all"]);
        }
        assert!(!decrypt(&stranger, file).status.success(), "nobody else");
        // A file that was cut is not taken for whole.
        let bytes = fs::read(file).expect("is there");
        fs::write(file, &bytes[..bytes.len() - 1]).expect("can be written");
        assert!(!decrypt(&own, file).status.success());
    }
}

#[tokio::test]
async fn what_is_no_public_key_is_refused_and_not_repeated() {
    let clinic = old_history().await;
    let place = Place::new();
    for text in ["AGE-SECRET-KEY-1CANARY", "age1canary", "", "ssh-ed25519 CANARY"] {
        let args = [&PRUNE[..], &["--archive", place.path(), "--archive-recipient", text]].concat();
        let outcome = clinic.run(&args).await.expect(2);
        assert!(outcome.stderr.contains("expected the public key"), "{outcome:?}");
        let said = format!("{outcome:?}").to_uppercase();
        assert!(!said.contains("CANARY"), "{said}");
    }
    clinic.run(&[&PRUNE[..], &["--archive-recipient", "age1canary"]].concat()).await.expect(2);
    assert!(place.files().is_empty());
    assert_eq!(clinic.count("SELECT count(*) FROM notifications").await, 7);
}
