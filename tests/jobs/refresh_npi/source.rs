//! The page, the ledger and the archive: which files are loaded, in which order, and where they are kept.

use std::fs;

use serde_json::json;

use super::{LENIENT, counts, failed, loaded, with_store};
use crate::support::nppes::site::{Fault, PAGE, Site};
use crate::support::nppes::{ADDRESS, LAST, Pfile, Provider, Registry, UPDATED, crowd, until, week};

/// Ten rows of its own for each week.
fn weekly(number: u64) -> Pfile {
    week(number).of(&crowd(100 * i64::try_from(number).expect("small"), 10))
}

/// The same people as in December, in a file that goes so far.
fn monthly(end: &str) -> Pfile {
    until(end).of(&crowd(5000, 20))
}

/// December's monthly file and four weeks after it, over the end of the year, of which the page knows the last first.
async fn winter() -> (Registry, Pfile, [Pfile; 4]) {
    let registry = Registry::new().await;
    let weeks = [0, 1, 2, 3].map(weekly);
    let month = monthly("2025-12-14");
    let mut listed = weeks.to_vec();
    listed.sort_by_key(Pfile::weekly_name);
    registry.publish(&listed);
    registry.publish_monthly(&month);
    (registry, month, weeks)
}

#[tokio::test]
async fn a_first_run_takes_the_newest_monthly_file_and_the_weeklies_after_it_by_their_end_over_a_year_end() {
    let (registry, month, weeks) = winter().await;
    // As text, November comes after December, and the last week of the year after the first.
    registry.publish_monthly(&monthly("2025-11-09"));
    let before = Pfile { start: "2025-12-08".parse().expect("a date"), ..monthly("2025-12-14") };
    registry.publish(&[before]);
    let outcome = registry.refreshes(&[]).await;
    let names: Vec<_> = [month.monthly_name()].into_iter().chain(weeks.iter().map(Pfile::weekly_name)).collect();
    assert_eq!((loaded(&outcome), registry.ledger().await), (names.clone(), names));
    assert!(weeks[3].weekly_name() < weeks[2].weekly_name(), "the order is not that of the names");
    assert_eq!((outcome.count("scanned"), outcome.count("loaded")), (60, 60));
    let kinds = "SELECT array_agg(kind || ' ' || period_start || ' ' || period_end ORDER BY id) AS k FROM npi_files";
    let expected = [
        "MONTHLY 2005-05-23 2025-12-14",
        "WEEKLY 2025-12-15 2025-12-21",
        "WEEKLY 2025-12-22 2025-12-28",
        "WEEKLY 2025-12-29 2026-01-04",
        "WEEKLY 2026-01-05 2026-01-11",
    ];
    assert_eq!(registry.clinic.json(kinds).await["k"], json!(expected));
    let deactivated = "NPPES_Deactivated_NPI_Report_071326_V2.zip";
    assert!(registry.site.requests(deactivated).is_empty(), "the main file has them");
}

#[tokio::test]
async fn the_newest_monthly_file_is_that_of_the_last_month_and_not_of_the_last_letter() {
    let registry = Registry::new().await;
    for end in ["2025-09-14", "2025-10-12", "2025-12-14", "2026-01-11", "2025-11-09"] {
        registry.publish_monthly(&monthly(end));
    }
    assert_eq!(loaded(&registry.refreshes(&[]).await), ["NPPES_Data_Dissemination_January_2026_V2.zip"]);
}

#[tokio::test]
async fn a_row_that_changes_each_week_ends_as_the_last_week_has_it() {
    let (registry, ..) = winter().await;
    let first = Provider::individual(9000, "AAA", "X");
    for (number, name) in (1..).zip(["BBB", "CCC", "DDD"]) {
        let row = first.clone().with(LAST, name).with(UPDATED, "12/20/2025");
        registry.site.put(&week(number).weekly_name(), weekly(number).of(&[row]).zip());
    }
    registry.refreshes(&[]).await;
    registry.expect(first.npi, json!({"last_name": "DDD", "letter": "d"})).await;
}

#[tokio::test]
async fn a_second_run_has_nothing_to_do_and_fetches_nothing_but_the_page() {
    let (registry, ..) = winter().await;
    registry.refreshes(&[]).await;
    let (before, asked) = (registry.tables().await, registry.site.all_requests().len());
    let outcome = registry.refreshes(&[]).await;
    assert_eq!((outcome.count("scanned"), loaded(&outcome)), (0, vec![]));
    assert_eq!(registry.tables().await, before);
    let requests = registry.site.all_requests().split_off(asked);
    assert_eq!(requests[0].path, Site::path(PAGE));
    assert!(requests[1..].iter().all(|request| request.method == "HEAD"), "{requests:?}");
}

#[tokio::test]
async fn names_are_found_in_any_case_and_without_v2() {
    let registry = Registry::with(&monthly("2025-12-14")).await;
    let names = [
        weekly(0).weekly_name().to_lowercase(),
        weekly(1).weekly_name().replace("_V2", ""),
        weekly(2).weekly_name().to_uppercase(),
    ];
    for (number, name) in (0..).zip(&names) {
        registry.site.publish(name, weekly(number).zip());
    }
    assert_eq!(loaded(&registry.refreshes(&[]).await), names);
}

#[tokio::test]
async fn what_is_in_the_ledger_is_not_loaded_again_by_name_or_by_content() {
    let registry = Registry::new().await;
    let zip = weekly(0).zip();
    let name = weekly(0).weekly_name();
    let path = registry.write(&name, &zip);
    registry.refresh(&["--file", &path]).await.expect(0);
    let before = registry.tables().await;
    // The same again; the same content under another name, from a disk and from the page. No word of a person's changes it.
    let other_name = registry.write(&weekly(1).weekly_name(), &zip);
    registry.site.publish(&weekly(1).weekly_name(), zip.clone());
    for args in [&["--file", &*path][..], &["--file", &*other_name], &[], &["--again"], &["--file", &*path, "--again"]]
    {
        let outcome = registry.refreshes(args).await;
        let report = outcome.report();
        assert_eq!(report["files"][0]["skipped"], json!(format!("already loaded as {name}")), "{args:?}: {report}");
        assert_eq!((outcome.count("scanned"), registry.tables().await), (0, before.clone()), "{args:?}");
    }
}

#[tokio::test]
async fn a_missed_week_is_an_error_that_names_it_until_a_monthly_file_was_loaded() {
    let registry = Registry::with(&weekly(0)).await;
    registry.publish(&[weekly(2), weekly(3)]);
    let message = registry.refuses(&[], "NPPES_GAP").await;
    for word in ["2025-12-22", "2025-12-28", "--full"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    let month = monthly("2026-01-04");
    registry.publish_monthly(&month);
    registry.refuses(&[], "NPPES_GAP").await;
    // Week 2 ends where the monthly file does.
    assert_eq!(loaded(&registry.refreshes(&["--full"]).await), [month.monthly_name(), weekly(3).weekly_name()]);
    assert_eq!(registry.refreshes(&[]).await.count("scanned"), 0);
}

#[tokio::test]
async fn a_gap_further_on_stops_before_it_and_not_after() {
    let registry = Registry::with(&weekly(0)).await;
    registry.publish(&[weekly(1), weekly(3)]);
    let message = failed(registry.refresh(&[]).await, "NPPES_GAP");
    assert!(message.contains("2025-12-29") && message.contains("2026-01-04"), "{message}");
    assert!(!registry.ledger().await.contains(&weekly(3).weekly_name()));
    registry.publish(&[weekly(2)]);
    registry.refreshes(&[]).await;
    let ledger = registry.ledger().await;
    assert_eq!(ledger[1..], [1, 2, 3].map(|number| weekly(number).weekly_name()));
}

#[tokio::test]
async fn a_week_that_begins_the_day_after_or_earlier_is_no_gap() {
    for (start, gap) in [("2025-12-20", false), ("2025-12-22", false), ("2025-12-23", true)] {
        let registry = Registry::with(&weekly(0)).await;
        registry.publish(&[Pfile { start: start.parse().expect("a date"), ..weekly(1) }]);
        let outcome = registry.refresh(&[]).await;
        assert_eq!(outcome.code, i32::from(gap), "{start}: {outcome:?}");
    }
}

#[tokio::test]
async fn full_loads_the_monthly_file_over_the_weeklies_and_loads_none_of_them_again() {
    let registry = Registry::new().await;
    let path = registry.write(&weekly(0).weekly_name(), &weekly(0).zip());
    registry.refreshes(&["--file", &path]).await;
    let month = monthly("2025-12-14");
    registry.publish_monthly(&month);
    registry.publish(&[weekly(0), weekly(1)]);
    let renamed = Provider::individual(0, "RENAMED", "PAT").with(UPDATED, "11/30/2025");
    registry.site.put(&month.monthly_name(), month.clone().of(std::slice::from_ref(&renamed)).zip());
    registry.refreshes(&["--full"]).await;
    assert_eq!(registry.ledger().await, [weekly(0).weekly_name(), month.monthly_name(), weekly(1).weekly_name()]);
    registry.expect(renamed.npi, json!({"last_name": "ANAME0"})).await;
    let rows = registry.clinic.count("SELECT count(*) FROM npi_data").await;
    assert_eq!(rows, 40);
}

#[tokio::test]
async fn a_local_file_is_loaded_without_a_page_and_without_a_look_at_gaps() {
    let registry = Registry::with(&weekly(0)).await;
    let zip = registry.write(&weekly(9).weekly_name(), &weekly(9).zip());
    let csv = registry.write(&weekly(4).csv_name(), &weekly(4).csv());
    for (path, name) in [(&zip, weekly(9).weekly_name()), (&csv, weekly(4).csv_name())] {
        let outcome = registry.refreshes(&["--file", path]).await;
        assert_eq!(loaded(&outcome), [&*name]);
        assert_eq!(counts(&outcome, ["rows", "inserted"]), [json!(10), json!(10)]);
    }
    assert!(registry.site.all_requests().is_empty());
    assert!(fs::exists(&zip).expect("readable") && fs::exists(&csv).expect("readable"), "they are not the program's");
}

#[tokio::test]
async fn a_local_file_that_is_none_is_refused_as_usage() {
    let registry = Registry::new().await;
    let directory = registry.files.path().join("npidata_pfile_20251215-20251221.csv");
    fs::create_dir(&directory).expect("can be made");
    let csv = weekly(0).csv();
    for path in [
        "/nowhere/npidata_pfile_20251215-20251221.csv",
        directory.to_str().expect("UTF-8"),
        &registry.write("providers.csv", &csv),
        &registry.write("npidata_pfile_20251215-20251321.csv", &csv),
        &registry.write("npidata_pfile_20251221-20251215.csv", &csv),
        &registry.write("othername_pfile_20251215-20251221.csv", &csv),
        &registry.write("npidata_pfile_20251215-20251221_fileheader.csv", &csv),
    ] {
        let report = registry.refresh(&["--file", path]).await.expect(2).report();
        assert_eq!(report["error_code"], "NPPES_FILE", "{path}: {report}");
    }
    assert!(registry.ledger().await.is_empty());
}

#[tokio::test]
async fn the_list_says_what_would_be_done_and_does_nothing() {
    let (registry, month, weeks) = winter().await;
    let list = async || registry.refresh(&["--list"]).await.expect(0).report();
    let names: Vec<_> = weeks.iter().map(Pfile::weekly_name).collect();
    let report = list().await;
    assert_eq!((&report["ledger"], &report["error"]), (&json!([]), &json!(null)));
    // How far the monthly file goes is known once it is there; what ends after its month comes after it.
    let would_load = report["would_load"].as_array().expect("a list");
    assert_eq!(would_load[0], json!(month.monthly_name()));
    assert!(would_load.ends_with(&[json!(names[2]), json!(names[3])]), "{would_load:?}");
    let page = report["page"].as_array().expect("a list");
    assert_eq!(page.len(), 5, "the report of the deactivated is not in it: {page:?}");
    let listed = json!({"name": names[1], "kind": "WEEKLY", "period_end": "2025-12-28"});
    assert!(page.contains(&listed), "{page:?}");
    let kind = page.iter().find(|file| file["name"] == json!(month.monthly_name())).map(|file| &file["kind"]);
    assert_eq!(kind, Some(&json!("MONTHLY")));
    assert_eq!(registry.clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);

    registry.loads(&weeks[0], &[], 0).await;
    let report = list().await;
    let ledger = report["ledger"].as_array().expect("a list");
    for (key, value) in [
        ("name", json!(weeks[0].csv_name())),
        ("kind", json!("WEEKLY")),
        ("period_start", json!("2025-12-15")),
        ("period_end", json!("2025-12-21")),
        ("rows", json!(10)),
    ] {
        assert_eq!(ledger[0][key], value, "{key}");
    }
    assert!(ledger.len() == 1 && ledger[0]["processed_at"].is_string(), "{ledger:?}");
    assert_eq!(report["would_load"], json!(names[1..]));
    let full = registry.refresh(&["--list", "--full"]).await.expect(0).report();
    assert_eq!(full["would_load"][0], json!(month.monthly_name()));

    let before = registry.tables().await;
    registry.site.queue(PAGE, &[Fault::Status(403)]);
    let report = registry.refresh(&["--list"]).await.expect(1).report();
    assert!(report["error"].is_string() && report["ledger"].as_array().is_some_and(|l| l.len() == 1), "{report}");
    assert_eq!(registry.tables().await, before);
    for name in &names {
        assert!(registry.site.requests(name).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn the_list_tells_of_a_gap() {
    let registry = Registry::with(&weekly(0)).await;
    registry.publish(&[weekly(2)]);
    let report = registry.refresh(&["--list"]).await.report();
    assert!(report["error"].as_str().is_some_and(|error| error.contains("2025-12-22")), "{report}");
}

#[tokio::test]
async fn an_old_file_that_lies_about_is_neither_read_nor_removed() {
    let registry = Registry::new().await;
    let stale = Provider::individual(4242, "STALE", "X").with(ADDRESS, "OLD ST");
    let old = registry.temporary.path().join("npidata_pfile_20251215-20251221.csv");
    fs::write(&old, week(0).of(std::slice::from_ref(&stale)).csv()).expect("can be written");
    registry.publish_monthly(&monthly("2025-12-14"));
    registry.publish(&[weekly(0)]);
    let outcome = registry.refresh(&[]).await.expect(0);
    assert_eq!(outcome.count("scanned"), 30);
    assert_eq!(registry.clinic.count(&format!("SELECT count(*) FROM npi_key WHERE npi = {}", stale.npi)).await, 0);
    assert!(fs::exists(&old).expect("readable"));
}

#[tokio::test]
async fn a_page_that_is_none_is_an_error() {
    let registry = Registry::new().await;
    registry.refuses(&[], "NPPES_PAGE").await;
    registry.site.put(PAGE, b"<html><a href='./NPPES_Deactivated_NPI_Report_071326_V2.zip'>x</a></html>".to_vec());
    registry.refuses(&[], "NPPES_PAGE").await;
    for status in [403, 404] {
        registry.site.queue(PAGE, &[Fault::Status(status)]);
        let message = registry.refuses(&[], "NPPES_PAGE").await;
        assert!(message.contains(&status.to_string()), "{message}");
    }
    registry.refuses(&["--base-url", "http://127.0.0.1:1/", "--attempts", "2"], "NPPES_PAGE").await;
}

#[tokio::test]
async fn a_loaded_file_is_kept_in_a_directory() {
    let (registry, month, weeks) = winter().await;
    let archive = registry.files.path().join("archive");
    fs::create_dir(&archive).expect("can be made");
    let url = format!("file://{}", archive.display());
    registry.refreshes(&["--archive", &url]).await;
    let all = [vec![(month.monthly_name(), month.zip())], weeks.map(|week| (week.weekly_name(), week.zip())).to_vec()];
    for (name, zip) in all.concat() {
        assert!(fs::read(archive.join(&name)).expect("it is there") == zip, "{name}");
    }
    let kept = "SELECT count(*) FROM npi_files WHERE archived_to LIKE 'file://%' || name";
    assert_eq!(registry.clinic.count(kept).await, 5);
    // The archive is a copy, and not the truth.
    fs::remove_dir_all(&archive).expect("it is there");
    fs::create_dir(&archive).expect("can be made");
    assert_eq!(registry.refreshes(&["--archive", &url]).await.count("scanned"), 0);
    assert_eq!(fs::read_dir(&archive).expect("a directory").count(), 0);
}

#[tokio::test]
async fn a_loaded_file_is_kept_in_a_store_of_objects() {
    let registry = with_store(Registry::with(&monthly("2025-12-14")).await);
    registry.publish(&[weekly(0)]);
    let outcome = registry.refreshes(&[]).await;
    let name = weekly(0).weekly_name();
    let object = registry.site.object(&format!("/bucket/some/prefix/{name}"));
    assert!(object == Some(weekly(0).zip()), "{:?}", registry.site.all_requests());
    let stored = registry.clinic.json("SELECT archived_to FROM npi_files WHERE archived_to IS NOT NULL").await;
    assert_eq!(stored["archived_to"], json!(format!("s3://bucket/some/prefix/{name}")));
    assert_eq!(counts(&outcome, ["archived_to"]), [stored["archived_to"].clone()]);
}

#[tokio::test]
async fn what_could_not_be_archived_is_loaded_and_is_archived_by_the_next_run() {
    let registry = with_store(Registry::with(&monthly("2025-12-14")).await);
    registry.publish(&[weekly(0)]);
    let path = format!("/bucket/some/prefix/{}", weekly(0).weekly_name());
    registry.site.queue_at(&path, &vec![Fault::Status(403); 5]);
    failed(registry.refresh(&[]).await, "NPPES_ARCHIVE");
    assert_eq!(registry.clinic.count("SELECT count(*) FROM npi_data").await, 30, "the data are there");
    assert!(registry.site.object(&path).is_none());
    registry.sound().await;
    while registry.site.object(&path).is_none() {
        let outcome = registry.refresh(&[]).await;
        assert!(outcome.code == 0 || outcome.report()["error_code"] == "NPPES_ARCHIVE", "{outcome:?}");
    }
    assert!(registry.site.object(&path) == Some(weekly(0).zip()));
    let kept = "SELECT count(*) FROM npi_files WHERE archived_to IS NOT NULL";
    assert_eq!(registry.clinic.count(kept).await, 1, "the local file is not on the page");
    assert_eq!(registry.ledger().await.len(), 2, "nothing was loaded twice");
}

#[tokio::test]
async fn files_that_were_loaded_before_there_was_an_archive_are_archived_while_the_page_has_them() {
    let (registry, month, weeks) = winter().await;
    registry.refreshes(&[]).await;
    registry.site.withdraw(&month.monthly_name());
    registry.site.withdraw(&weeks[0].weekly_name());
    let url = format!("file://{}", registry.files.path().display());
    assert_eq!(registry.refreshes(&["--archive", &url]).await.count("scanned"), 0);
    let kept = "SELECT array_agg(name ORDER BY id) AS n FROM npi_files WHERE archived_to IS NOT NULL";
    let names: Vec<_> = weeks[1..].iter().map(Pfile::weekly_name).collect();
    assert_eq!(registry.clinic.json(kept).await["n"], json!(names));
    for week in &weeks[1..] {
        assert!(fs::read(registry.files.path().join(week.weekly_name())).expect("it is there") == week.zip());
    }
}

#[tokio::test]
async fn an_archive_that_is_none_is_refused() {
    let registry = Registry::new().await;
    for url in ["/a/path", "ftp://host/x", "file:///proc/no/such", "s3://"] {
        registry.publish_monthly(&monthly("2025-12-14"));
        let outcome = registry.refresh(&["--archive", url]).await;
        assert!([1, 2].contains(&outcome.code), "{url}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_dry_run_says_what_a_run_does_and_changes_nothing() {
    let registry = Registry::with(&weekly(0)).await;
    let mut rows = crowd(0, 20);
    rows[3] = rows[3].clone().with(LAST, "RENAMED");
    rows.push(rows[3].clone());
    registry.publish(&[week(1).of(&rows).line("bad")]);
    let archive = registry.files.path().join("archive");
    fs::create_dir(&archive).expect("can be made");
    let url = format!("file://{}", archive.display());
    let args = ["--archive", &url, LENIENT[0], LENIENT[1]];
    let runs = "SELECT count(*) FROM cron_job_runs";
    let before = (registry.tables().await, registry.clinic.count(runs).await);
    let dry = registry.refresh(&[&args[..], &["--dry-run"]].concat()).await.expect(3);
    registry.sound().await;
    assert_eq!((registry.tables().await, registry.clinic.count(runs).await), before);
    assert_eq!(fs::read_dir(&archive).expect("a directory").count(), 0);
    let wet = registry.refresh(&args).await.expect(3);
    let keys = ["name", "rows", "inserted", "updated", "unchanged", "duplicates", "deactivated", "rejected"];
    assert_eq!(counts(&dry, keys), counts(&wet, keys));
    assert_eq!((dry.count("loaded"), dry.count("skipped"), dry.count("failed")), (11, 10, 1));
}

#[tokio::test]
async fn one_connection_and_two_make_the_same_tables() {
    let mut tables = vec![];
    for connections in ["1", "2"] {
        let registry = Registry::new().await;
        let file = weekly(0).of(&crowd(5000, 3000)).of(&crowd(5500, 100)).line("bad");
        registry.loads(&file, &["--connections", connections], 3).await;
        tables.push(registry.tables().await);
    }
    assert!(tables[0] == tables[1]);
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let registry = Registry::new().await;
    for args in [
        &["--connections", "0"][..],
        &["--connections", "3"],
        &["--max-reject-share", "-0.1"],
        &["--max-reject-share", "1.1"],
        &["--max-reject-share", "some"],
        &["--base-url", "not a url"],
        &["--file"],
    ] {
        registry.refresh(args).await.expect(2);
    }
    assert!(registry.ledger().await.is_empty());
}

#[tokio::test]
async fn a_file_with_too_many_bad_lines_changes_nothing() {
    // (lines, of them bad, the share that is allowed, loaded?)
    for (lines, bad, share, loaded) in [
        (100, 1, None, true),
        (100, 2, None, false),
        (99, 1, None, false),
        (20, 5, Some("0.25"), true),
        (20, 6, Some("0.25"), false),
        (20, 1, Some("0"), false),
        (20, 20, Some("1"), true),
    ] {
        let registry = Registry::new().await;
        let mut file = week(0).of(&crowd(0, lines - bad));
        file.lines.extend((0..bad).map(|_| b"bad".to_vec()));
        let path = registry.write(&file.csv_name(), &file.csv());
        let share = share.map(|share| vec!["--max-reject-share", share]).unwrap_or_default();
        let args = [&["--file", &*path][..], &share].concat();
        if loaded {
            let outcome = registry.refresh(&args).await.expect(3);
            assert_eq!(outcome.count("failed"), bad as u64);
            assert_eq!(registry.clinic.count("SELECT count(*) FROM npi_rejects").await, bad);
        } else {
            let message = registry.refuses(&args, "NPPES_REJECTS").await;
            assert!(message.contains(&bad.to_string()), "{message}");
        }
    }
}

#[tokio::test]
async fn a_file_with_less_than_half_the_rows_of_its_kind_lately_changes_nothing() {
    let registry = Registry::new().await;
    let mut next = 0;
    let mut load = async |rows: i64| {
        next += 1;
        let outcome =
            registry.load(&week(next).of(&crowd(1000 * i64::try_from(next).expect("small"), rows)), &[]).await;
        if outcome.code == 0 {
            return true;
        }
        failed(outcome, "NPPES_TOO_FEW_ROWS");
        false
    };
    // The median is 40, about 30, and 40 again.
    for (rows, loaded) in [(40, true), (19, false), (20, true), (40, true), (40, true), (14, false)] {
        assert_eq!(load(rows).await, loaded, "{rows}");
    }
    for _ in 0..8 {
        assert!(load(100).await);
    }
    assert!(!load(49).await && load(50).await);
    // A monthly file is measured by monthly files.
    let small = registry.write(&until("2026-06-14").monthly_name(), &until("2026-06-14").of(&crowd(0, 5)).zip());
    registry.refreshes(&["--file", &small]).await;
}

#[tokio::test]
async fn nothing_of_a_row_comes_out() {
    let registry = Registry::new().await;
    let canary = Provider::individual(7, "CANARY", "CANARY").with(ADDRESS, "CANARY ST");
    let gone = Provider::gone(8, "CANARY");
    let date = Provider::individual(9, "CANARY", "X").with(UPDATED, "CANARY");
    let entity = Provider::individual(10, "X", "Y").with("Entity Type Code", "CANARY");
    let npis = [&canary, &gone, &date].map(|provider| provider.npi.to_string());
    let file = weekly(0).of(&[canary.clone(), gone, date, entity]).line("\"CANARY").line(b"CANARY\xFF\0".to_vec());
    registry.site.publish(&file.weekly_name(), file.zip());
    registry.publish_monthly(&monthly("2025-12-14"));
    let mut out = String::new();
    let program = registry.clinic.program.clone().env("RUST_LOG", "trace");
    let noisy = ["refresh-npi", "--log-level", "debug"];
    for more in [
        &["--dry-run", "--max-reject-share", "0.9"][..],
        &["--log-format", "json"],
        &["--max-reject-share", "0.9", "--output", "text"],
        &["--list"],
    ] {
        out += &format!("{:?}\n", program.run(&[&noisy, more].concat()).await);
    }
    // A database that tells all it knows has to be kept quiet, too.
    registry.clinic.sql("ALTER TABLE npi_data ADD CHECK (last_name <> 'CANARY-2')").await;
    let second = weekly(1).of(&[canary.with(LAST, "CANARY-2").with(UPDATED, "12/20/2025")]);
    registry.publish(&[second]);
    let outcome = registry.clinic.run(&["refresh-npi"]).await.expect(1);
    assert!(outcome.report()["error_code"].as_str().is_some_and(|code| !code.starts_with("NPPES")), "{outcome:?}");
    out += &format!("{outcome:?}");
    let recorded =
        "SELECT (SELECT jsonb_agg(r) FROM cron_job_runs r) AS r, (SELECT jsonb_agg(e) FROM cron_job_run_errors e) AS e";
    out += &registry.clinic.json(recorded).await.to_string();
    assert!(out.contains("NPPES_REJECTS") && out.contains(&file.weekly_name()), "there was something to say: {out}");
    for word in npis.iter().map(String::as_str).chain(["CANARY"]) {
        assert!(!out.contains(word), "{word}: {out}");
    }
}

#[tokio::test]
async fn a_file_of_ones_own_hides_no_week_that_is_missing_before_it() {
    let registry = Registry::with(&weekly(0)).await;
    registry.load(&weekly(2), &[]).await.expect(0);
    registry.publish(&[weekly(1), weekly(2), weekly(3)]);
    assert_eq!(loaded(&registry.refreshes(&[]).await), [weekly(1).weekly_name(), weekly(3).weekly_name()]);
    let other = Registry::with(&weekly(0)).await;
    other.load(&weekly(3), &[]).await.expect(0);
    other.publish(&[weekly(2), weekly(3)]);
    let message = other.refuses(&[], "NPPES_GAP").await;
    assert!(message.contains("2025-12-22") && message.contains("2025-12-28"), "{message}");
}

#[tokio::test]
async fn an_archive_that_is_down_keeps_no_file_from_being_loaded() {
    let registry = Registry::with(&weekly(0)).await;
    registry.publish(&[weekly(1), weekly(2)]);
    let archive = registry.files.path().join("archive");
    fs::create_dir(&archive).expect("can be made");
    // A directory stands where each file is to be.
    for number in [1, 2] {
        fs::create_dir(archive.join(weekly(number).weekly_name())).expect("can be made");
    }
    let outcome = registry.refresh(&["--archive", &format!("file://{}", archive.display())]).await;
    assert_eq!((outcome.count("loaded"), loaded(&outcome).len()), (20, 2), "the report has them");
    failed(outcome, "NPPES_ARCHIVE");
    assert_eq!(registry.ledger().await.len(), 3);
}

#[tokio::test]
async fn a_file_that_is_not_of_the_period_in_its_name_is_not_loaded() {
    let registry = Registry::with(&weekly(0)).await;
    registry.publish(&[weekly(1)]);
    for other in [weekly(2), monthly("2025-12-28")] {
        registry.site.put(&weekly(1).weekly_name(), other.zip());
        registry.refuses(&[], "NPPES_BAD_ZIP").await;
    }
}

#[tokio::test]
async fn a_dry_run_stands_aside_where_a_run_is_at_work() {
    let registry = Registry::with(&weekly(0)).await;
    registry.publish(&[weekly(1)]);
    let running =
        "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, host, version)
                   SELECT gen_random_uuid(), 'refresh-npi', 'RUNNING', t, t, t + interval '1 hour', 'h', 'v'
                   FROM (SELECT clock_timestamp() AS t) c";
    registry.clinic.sql(running).await;
    registry.refuses(&["--dry-run"], "ALREADY_RUNNING").await;
}

#[tokio::test]
async fn no_address_with_a_password_is_taken() {
    let registry = Registry::new().await;
    for option in [
        "--base-url=https://user:hunter2@mirror/nppes",
        "--archive=s3://key:hunter2@bucket/x",
        "--archive=file:///tmp?x=hunter2",
    ] {
        let refused = registry.refresh(&[option]).await.expect(2);
        assert!(!refused.stderr.contains("hunter2") && refused.stdout.is_empty(), "{refused:?}");
    }
    let program = registry.clinic.program.clone();
    for (command, variable) in [("refresh-npi", "ROUNDS_NPPES_URL"), ("sync-practiceq", "ROUNDS_PRACTICEQ_URL")] {
        let program = program.clone().env(variable, "https://user:hunter2@mirror/?key=hunter2");
        let refused = program.run(&[command]).await.expect(2);
        assert!(refused.stderr.contains(variable) && !refused.stderr.contains("hunter2"), "{refused:?}");
    }
    let program = program.env("ROUNDS_NPPES_ARCHIVE", "s3://hunter2@bucket");
    let help = program.run(&["refresh-npi", "--help"]).await.expect(0).stdout;
    assert!(!help.contains("hunter2"), "{help}");
}

#[tokio::test]
async fn a_person_lets_one_small_file_pass_and_no_second() {
    let registry = Registry::with(&week(0).of(&crowd(0, 40))).await;
    registry.publish(&[1, 2, 3].map(|number| week(number).of(&crowd(100 * i64::try_from(number).expect("small"), 10))));
    let message = registry.refuses(&[], "NPPES_TOO_FEW_ROWS").await;
    for word in ["10 lines", "fewer than 20", "--accept-fewer-rows"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    // No other option is a way round.
    registry.refuses(&["--max-reject-share", "1", "--max-items", "1000000"], "NPPES_TOO_FEW_ROWS").await;
    // A dry run says the same; and one file passes for each time that a person says so. Of 10, 10 and 40 the median is 10.
    let dry = registry.refresh(&["--accept-fewer-rows", "--dry-run"]).await;
    let wet = registry.refresh(&["--accept-fewer-rows"]).await;
    for outcome in [dry, wet] {
        assert_eq!(loaded(&outcome), [week(1).weekly_name()]);
        failed(outcome, "NPPES_TOO_FEW_ROWS");
    }
    assert_eq!(loaded(&registry.refreshes(&["--accept-fewer-rows"]).await), [2, 3].map(|n| week(n).weekly_name()));
}
