//! The file of other names in the zip: what is stored of it, and what becomes of it with the next file.

use serde_json::{Value, json};

use super::{LENIENT, failed};
use crate::support::nppes::{
    CITY, DEACTIVATED, ENTITY, FIRST, LAST, ORGANIZATION, OTHER_ORGANIZATION, Pfile, Provider, Registry, UPDATED,
    crowd, week, zip_of,
};
use crate::support::program::Outcome;

fn clinic(number: i64) -> Provider {
    Provider::organization(number, &format!("CLINIC {number}"))
}

impl Registry {
    /// Loads the zip of a week.
    async fn zipped(&self, file: &Pfile, more: &[&str], code: i32) -> Outcome {
        let path = self.write(&file.weekly_name(), &file.zip());
        let outcome = self.refresh(&[&["--file", &*path], more].concat()).await.expect(code);
        self.sound().await;
        outcome
    }

    /// The other names that are stored: number of the provider, number of the name, name, kind.
    async fn other_names(&self) -> Vec<Value> {
        let query =
            "SELECT jsonb_agg(jsonb_build_array(npi / 10 - 100000000, number, name, kind) ORDER BY npi, number) AS n
                     FROM npi_other_names";
        self.clinic.json(query).await["n"].as_array().cloned().unwrap_or_default()
    }
}

fn counts(outcome: &Outcome) -> Value {
    outcome.report()["files"][0]["other_names"].clone()
}

#[tokio::test]
async fn all_other_names_of_organizations_are_stored_and_counted() {
    let registry = Registry::new().await;
    let file = week(0)
        .of(&[clinic(1).with(OTHER_ORGANIZATION, "MAIN NAME"), clinic(2), Provider::individual(3, "STONE", "ANN")])
        .other(&clinic(1), "BLUE MESA", "3")
        .other(&clinic(1), "OLD MESA", "4")
        .other(&clinic(1), "BLUE MESA", "3")
        .other(&clinic(2), "SECOND, \"INC\"", "5")
        .other(&clinic(2), "", "3")
        .other(&clinic(9), "NOBODY", "3");
    let outcome = registry.zipped(&file, &[], 0).await;
    assert_eq!(counts(&outcome), json!({"rows": 6, "added": 4, "removed": 0, "rejected": 0}));
    let expected = [
        json!([1, 1, "MAIN NAME", null]),
        json!([1, 2, "BLUE MESA", "DBA"]),
        json!([1, 3, "OLD MESA", "FORMER"]),
        json!([2, 2, "SECOND, \"INC\"", "OTHER"]),
    ];
    assert_eq!(registry.other_names().await, expected);
    let ledger = "SELECT other_rows, other_rejected, other_added, other_removed FROM npi_files";
    let expected = json!({"other_rows": 6, "other_rejected": 0, "other_added": 4, "other_removed": 0});
    assert_eq!(registry.clinic.json(ledger).await, expected);
}

#[tokio::test]
async fn the_names_of_a_provider_are_replaced_by_those_of_its_next_row_and_nobody_elses() {
    let registry = Registry::new().await;
    let first = week(0).of(&[clinic(1), clinic(2), clinic(3)]);
    let first = first.other(&clinic(1), "ONE", "3").other(&clinic(2), "TWO", "3").other(&clinic(3), "THREE", "3");
    registry.zipped(&first, &[], 0).await;
    let later = |number| clinic(number).with(CITY, "FLINT").with(UPDATED, "12/23/2025");
    // The first has another name, the second none any more, the third is not in the file.
    let second = week(1).of(&[later(1), later(2)]).other(&clinic(1), "UNO", "3");
    assert_eq!(
        counts(&registry.zipped(&second, &[], 0).await),
        json!({"rows": 1, "added": 1, "removed": 2, "rejected": 0})
    );
    assert_eq!(registry.other_names().await, [json!([1, 2, "UNO", "DBA"]), json!([3, 2, "THREE", "DBA"])]);
    // A row that has not changed has its names as the file says; a name without a row is taken, too.
    let third = week(2).of(&[later(2)]).other(&clinic(2), "DOS", "3").other(&clinic(3), "TRES", "3");
    registry.zipped(&third, &[], 0).await;
    let all = [json!([1, 2, "UNO", "DBA"]), json!([2, 2, "DOS", "DBA"]), json!([3, 2, "TRES", "DBA"])];
    assert_eq!(registry.other_names().await, all);
    // The same again writes nothing, and an older file takes nothing back.
    let fourth = week(3).of(&[later(2)]).other(&clinic(2), "DOS", "3");
    assert_eq!(
        counts(&registry.zipped(&fourth, &[], 0).await),
        json!({"rows": 1, "added": 0, "removed": 0, "rejected": 0})
    );
    let before =
        Pfile { start: "2025-12-08".parse().expect("a date"), end: "2025-12-14".parse().expect("a date"), ..week(0) };
    let before =
        before.of(&[clinic(1).with(UPDATED, "11/01/2025")]).other(&clinic(1), "OLD", "3").other(&clinic(3), "OLD", "3");
    registry.zipped(&before, &["--accept-fewer-rows"], 0).await;
    assert_eq!(registry.other_names().await, all);
    // A main file by itself says nothing of them.
    registry.load(&week(4).of(&[later(1).with(CITY, "TROY")]), &[]).await.expect(0);
    registry.sound().await;
    assert_eq!(registry.other_names().await, all);
}

#[tokio::test]
async fn who_is_not_active_is_found_by_no_name_and_who_comes_back_by_all() {
    let registry = Registry::new().await;
    registry.zipped(&week(0).of(&[clinic(1)]).other(&clinic(1), "BLUE MESA", "3"), &[], 0).await;
    let found = async || registry.searchable(clinic(1).npi).await.len();
    assert_eq!(found().await, 2);
    registry.zipped(&week(1).of(&[Provider::gone(1, "12/23/2025")]), &[], 0).await;
    assert_eq!((found().await, registry.other_names().await.len()), (0, 1));
    let back = clinic(1).with(DEACTIVATED, "12/23/2025").with("NPI Reactivation Date", "12/30/2025");
    registry.zipped(&week(2).of(&[back.with(UPDATED, "12/30/2025")]).other(&clinic(1), "BLUE MESA", "3"), &[], 0).await;
    assert_eq!(found().await, 2);
    // An organization that becomes a person keeps what the file of other names has said.
    let person = clinic(1).with(ENTITY, "1").with(ORGANIZATION, "").with(LAST, "STONE").with(FIRST, "ANN");
    registry
        .zipped(&week(3).of(&[person.with(UPDATED, "01/06/2026")]).other(&clinic(1), "BLUE MESA", "3"), &[], 0)
        .await;
    assert_eq!(registry.searchable(clinic(1).npi).await, ["search_surgeon_b", "search_surgeon_s"]);
}

#[tokio::test]
async fn bad_rows_of_other_names_are_put_aside_with_their_file_and_line() {
    let registry = Registry::new().await;
    let wrong = "\"1234567890\",\"X\",\"3\"";
    let file = week(0).of(&crowd(0, 3)).of(&[clinic(100)]).line("bad");
    let file = file
        .other(&clinic(100), "GOOD\nNAME", "3")
        .other_line("bad")
        .other_line(wrong)
        .other_line(b"\"\xFF\"".to_vec());
    let outcome = registry.zipped(&file, &LENIENT, 3).await;
    assert_eq!(counts(&outcome), json!({"rows": 4, "added": 1, "removed": 0, "rejected": 3}));
    assert_eq!((outcome.count("scanned"), outcome.count("loaded"), outcome.count("failed")), (8, 4, 4));
    let rows = registry.clinic.rows("SELECT entry, line, reason FROM npi_rejects ORDER BY entry, line").await;
    let rejects: Vec<(String, i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let expected = [
        ("MAIN", 6, "columns"),
        ("OTHER_NAMES", 4, "columns"),
        ("OTHER_NAMES", 5, "check digit"),
        ("OTHER_NAMES", 6, "utf-8"),
    ];
    assert_eq!(rejects, expected.map(|(entry, line, reason)| (entry.to_owned(), line, reason.to_owned())));
    let message = failed(
        registry
            .refresh(&[
                "--file",
                &registry.write(
                    &week(1).weekly_name(),
                    &Pfile { other_names: file.other_names.clone(), ..week(1).of(&crowd(0, 5)) }.zip(),
                ),
            ])
            .await,
        "NPPES_REJECTS",
    );
    assert!(message.contains("the file of other names in it"), "{message}");
}

#[tokio::test]
async fn a_name_that_the_database_refuses_costs_the_names_of_its_provider_alone() {
    let registry = Registry::new().await;
    registry.clinic.sql("ALTER TABLE npi_other_names ADD CHECK (name <> 'BAD')").await;
    let mut file = week(0).of(&crowd(0, 150)).of(&[clinic(500), clinic(501)]);
    file = file.other(&clinic(500), "FINE", "3").other(&clinic(501), "BAD", "3");
    let outcome = registry.zipped(&file, &[], 3).await;
    assert_eq!(counts(&outcome), json!({"rows": 2, "added": 1, "removed": 0, "rejected": 1}));
    assert_eq!((outcome.count("loaded"), registry.other_names().await.len()), (152, 1));
    let reject = registry.clinic.json("SELECT entry, line, reason FROM npi_rejects").await;
    assert_eq!(reject, json!({"entry": "OTHER_NAMES", "line": 3, "reason": "database: 23514"}));
    // A name that is too long for an index is kept, and not searched.
    let long = "LONG NAME ".repeat(900);
    registry.zipped(&week(1).of(&[clinic(502)]).other(&clinic(502), &long, "3"), &["--accept-fewer-rows"], 0).await;
    let stored =
        registry.clinic.json("SELECT length(name) AS n, folded FROM npi_other_names WHERE name LIKE 'LONG%'").await;
    assert_eq!(stored, json!({"n": 8999, "folded": null}));
}

#[tokio::test]
async fn a_file_of_other_names_that_is_not_known_changes_nothing_and_is_told() {
    let registry = Registry::new().await;
    registry.zipped(&week(0).of(&[clinic(1)]).other(&clinic(1), "BLUE MESA", "3"), &[], 0).await;
    let csv = week(1).of(&[clinic(1).with(CITY, "FLINT")]).csv();
    let names = week(1).csv_name().replace("npidata", "othername");
    let unknown = zip_of(&[(&week(1).csv_name(), &csv), (&names, b"\"NPI\",\"Something\"\n\"1\",\"2\"\n")]);
    let path = registry.write(&week(1).weekly_name(), &unknown);
    let outcome = registry.refreshes(&["--file", &path]).await;
    assert!(outcome.stderr.contains("NPPES_HEADER"), "{}", outcome.stderr);
    assert_eq!((counts(&outcome), registry.other_names().await.len()), (json!(null), 1));
    for (what, entry) in [("cut", &b"\"NPI\""[..]), ("none", b"")] {
        let zip = zip_of(&[
            (&week(2).csv_name(), &week(2).of(&[clinic(1)]).csv()),
            (&names.replace("1222-20251228", "1229-20260104"), entry),
        ]);
        let path = registry.write(&week(2).weekly_name(), &zip);
        assert_eq!(
            registry.refresh(&["--file", &path, "--dry-run"]).await.expect(0).report()["failed"],
            json!(0),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_file_of_other_names_with_far_fewer_rows_is_not_loaded_without_a_persons_word() {
    let registry = Registry::new().await;
    let with = |number: u64, names: i64| {
        let file = week(number).of(&(0..10).map(clinic).collect::<Vec<_>>());
        (0..names).fold(file, |file, name| file.other(&clinic(name), "BLUE MESA", "3"))
    };
    registry.zipped(&with(0, 10), &[], 0).await;
    let path = registry.write(&week(1).weekly_name(), &with(1, 4).zip());
    let message = registry.refuses(&["--file", &path], "NPPES_TOO_FEW_ROWS").await;
    assert!(message.contains("the file of other names") && message.contains("--accept-fewer-rows"), "{message}");
    registry.refreshes(&["--file", &path, "--accept-fewer-rows"]).await;
    assert_eq!(registry.other_names().await.len(), 4);
}
