//! A file that was published again under its name: it is noticed, told, and loaded where a person says so.

use std::fs;

use serde_json::{Value, json};

use super::{loaded, outcomes};
use crate::support::nppes::site::Fault;
use crate::support::nppes::{CITY, LAST, Pfile, Provider, Registry, UPDATED, crowd, until, week};
use crate::support::program::Outcome;

/// What a run says of the files that it did not load.
fn told(outcome: &Outcome) -> Vec<(String, String)> {
    let report = outcome.report();
    let files = report["files"].as_array().expect("a list").iter().filter(|file| file["skipped"].is_string());
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    files.map(|file| (word(&file["name"]), word(&file["skipped"]))).collect()
}

fn first() -> Pfile {
    week(1).of(&crowd(0, 30))
}

/// The same week, with one name corrected.
fn corrected() -> Pfile {
    let mut rows = crowd(0, 30);
    rows[7] = rows[7].clone().with(LAST, "RIGHT");
    week(1).of(&rows)
}

/// A registry with a week and the one before it.
async fn registry() -> Registry {
    let registry = Registry::with(&week(0).of(&crowd(0, 30))).await;
    registry.publish(&[first()]);
    registry.refreshes(&[]).await;
    registry
}

const SIZE: &str = "published again with another size since it was loaded; --again loads it";
const ETAG: &str = "published again with another ETag or date since it was loaded; --again loads it";

#[tokio::test]
async fn a_file_that_was_published_again_is_told_and_loaded_again_by_a_persons_word() {
    let registry = registry().await;
    let name = first().weekly_name();
    registry.site.put(&name, corrected().zip());
    let before = registry.tables().await;
    for args in [&[][..], &["--dry-run"], &["--full"]] {
        let outcome = registry.refresh(args).await;
        if args == ["--full"] {
            // There is no monthly file on the page.
            continue;
        }
        let outcome = outcome.expect(0);
        assert_eq!(told(&outcome), [(name.clone(), SIZE.to_owned())], "{args:?}");
        assert!(outcome.stderr.contains("NPPES_PUBLISHED_AGAIN"), "{}", outcome.stderr);
        assert_eq!(registry.tables().await, before);
    }
    registry.clinic.sql("INSERT INTO users (name, role) VALUES ('G', 'HOSPITAL_ADMIN')").await;
    let notices = "SELECT count(*) FROM notifications WHERE type = 'NPI_FILE_AGAIN' AND recipient_id = '1'";
    for _ in 0..2 {
        registry.refreshes(&[]).await;
        assert_eq!(registry.clinic.count(notices).await, 1, "once");
    }
    let list = registry.refresh(&["--list"]).await.expect(0).report();
    assert_eq!((&list["published_again"], &list["would_load"]), (&json!([name]), &json!([])));
    let list = registry.refresh(&["--list", "--again"]).await.expect(0).report();
    assert_eq!(list["would_load"], json!([name]));
    let text = registry.refresh(&["--list", "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("published again; --again loads it"), "{text}");

    outcomes(&registry.refresh(&["--again", "--dry-run"]).await.expect(0), [0, 1, 29, 0, 0, 0, 0]);
    assert_eq!(registry.tables().await, before);
    outcomes(&registry.refreshes(&["--again"]).await, [0, 1, 29, 0, 0, 0, 0]);
    registry.expect(crowd(7, 1)[0].npi, json!({"last_name": "RIGHT"})).await;
    // The ledger keeps both contents; and what was told once is not told of the new one.
    assert_eq!(registry.ledger().await[1..], [name.clone(), name.clone()]);
    for args in [&[][..], &["--again"]] {
        assert_eq!(told(&registry.refreshes(args).await), [], "{args:?}");
    }
    let list = registry.refresh(&["--list"]).await.expect(0).report();
    assert_eq!(list["published_again"], json!([]));
}

#[tokio::test]
async fn another_etag_alone_is_told_until_the_content_was_found_to_be_the_same() {
    let registry = registry().await;
    let name = first().weekly_name();
    registry.clinic.sql("UPDATE npi_files SET etag = '\"old\"' WHERE etag IS NOT NULL").await;
    let before = registry.tables().await;
    assert_eq!(told(&registry.refreshes(&[]).await), [(name.clone(), ETAG.to_owned())]);
    let outcome = registry.refreshes(&["--again"]).await;
    assert_eq!(told(&outcome), [(name.clone(), format!("already loaded as {name}"))]);
    assert_eq!(told(&registry.refreshes(&[]).await), []);
    let after = registry.tables().await;
    assert_eq!((&after["data"], &after["surgeons"]), (&before["data"], &before["surgeons"]));
}

#[tokio::test]
async fn what_the_server_does_not_say_is_no_change() {
    let registry = registry().await;
    let name = first().weekly_name();
    // Loaded by an older version, or from a disk: there is no ETag to compare.
    registry.clinic.sql("UPDATE npi_files SET etag = NULL").await;
    assert_eq!(told(&registry.refreshes(&[]).await), []);
    for fault in
        [Fault::Status(405), Fault::Status(404), Fault::Status(503), Fault::Redirect("http://elsewhere/".into())]
    {
        registry.site.queue(&name, std::slice::from_ref(&fault));
        assert_eq!(told(&registry.refreshes(&[]).await), [], "{fault:?}");
    }
}

#[tokio::test]
async fn newer_rows_are_left_alone_by_an_older_file_that_is_loaded_again() {
    let registry = registry().await;
    let newer = crowd(3, 1)[0].clone().with(CITY, "FLINT").with(UPDATED, "12/30/2025");
    let same_day = crowd(4, 1)[0].clone().with(CITY, "FLINT");
    registry.publish(&[week(2).of(&[newer, same_day]).of(&crowd(100, 28))]);
    registry.refreshes(&[]).await;
    registry.site.put(&first().weekly_name(), corrected().zip());
    outcomes(&registry.refreshes(&["--again"]).await, [0, 1, 27, 2, 0, 0, 0]);
    for number in [3, 4] {
        registry.expect(crowd(number, 1)[0].npi, json!({"practice_city": "FLINT"})).await;
    }
}

#[tokio::test]
async fn a_monthly_file_that_was_published_again_is_loaded_before_the_new_weeks() {
    let registry = Registry::new().await;
    let month = until("2025-12-14");
    registry.publish_monthly(&month.clone().of(&crowd(0, 30)));
    registry.refreshes(&[]).await;
    let mut rows = crowd(0, 30);
    rows[2] = rows[2].clone().with(LAST, "RIGHT");
    registry.site.put(&month.monthly_name(), month.clone().of(&rows).zip());
    registry.publish(&[week(0).of(&[Provider::individual(500, "NEW", "X")])]);
    let outcome = registry.refreshes(&["--again"]).await;
    assert_eq!(loaded(&outcome), [month.monthly_name(), week(0).weekly_name()]);
    registry.expect(rows[2].npi, json!({"last_name": "RIGHT"})).await;
}

#[tokio::test]
async fn another_local_file_of_a_known_name_is_told_and_loaded_by_a_persons_word() {
    let registry = registry().await;
    let name = first().weekly_name();
    let path = registry.write(&name, &corrected().zip());
    let before = registry.tables().await;
    let outcome = registry.refreshes(&["--file", &path]).await;
    assert_eq!(told(&outcome), [(name, "another file of this name was loaded; --again loads this one".to_owned())]);
    assert_eq!(registry.tables().await, before);
    outcomes(&registry.refreshes(&["--file", &path, "--again"]).await, [0, 1, 29, 0, 0, 0, 0]);
}

#[tokio::test]
async fn the_archive_keeps_what_was_published_before() {
    let registry = registry().await;
    let archive = registry.files.path().join("archive");
    fs::create_dir(&archive).expect("can be made");
    let url = format!("file://{}", archive.display());
    registry.refreshes(&["--archive", &url]).await;
    registry.site.put(&first().weekly_name(), corrected().zip());
    registry.refreshes(&["--archive", &url, "--again"]).await;
    let rows =
        registry.clinic.rows("SELECT sha256, archived_to FROM npi_files WHERE archived_to IS NOT NULL ORDER BY id");
    let rows: Vec<(String, String)> = rows.await.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    for ((sha256, url), zip) in rows.iter().zip([first().zip(), corrected().zip()]) {
        let stored = fs::read(url.trim_start_matches("file://")).expect("it is there");
        assert!(stored == zip, "{sha256} {url}");
    }
}
