//! Rows that the database refuses at the merge: each costs itself, and is put aside with its line.

use serde_json::{Value, json};

use super::outcomes;
use crate::support::nppes::{CITY, DEACTIVATED, LAST, Provider, Registry, UPDATED, crowd, npi, week};

/// Letters and digits that no compression makes short enough for an index.
pub fn long_name() -> String {
    let mut rng = fastrand::Rng::with_seed(7);
    (0..9000).map(|_| rng.alphanumeric().to_ascii_uppercase()).collect()
}

/// Line, reason and the bytes that were kept.
async fn rejects(registry: &Registry) -> Vec<(i64, String, Vec<u8>)> {
    let rows = registry.clinic.rows("SELECT line, reason, raw FROM npi_rejects ORDER BY file_id, line").await;
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn a_value_that_is_too_long_for_an_index_costs_its_row_and_not_the_file() {
    let rows = crowd(0, 200);
    let long = [Provider::organization(500, &long_name()), Provider::individual(501, &long_name(), "X")];
    let registry = Registry::new().await;
    let file = week(0).of(&rows[..100]).of(&long[..1]).of(&rows[100..]).of(&long[1..]);
    let dry = registry.load(&file, &["--dry-run"]).await.expect(3);
    let outcome = registry.loads(&file, &[], 3).await;
    for outcome in [&dry, &outcome] {
        outcomes(outcome, [200, 0, 0, 0, 0, 0, 2]);
    }
    for (line, code) in [(102, "54000"), (203, "54000")] {
        let warning = outcome.stderr.lines().find(|text| text.contains(&format!("line={line} ")));
        assert!(warning.is_some_and(|text| text.contains(code)), "{line}: {}", outcome.stderr);
    }
    let expected = [(102, &long[0]), (203, &long[1])];
    let expected = expected.map(|(line, row)| (line, "database: 54000".to_owned(), row.line().into_bytes()));
    assert_eq!(rejects(&registry).await, expected);
    let types = registry.clinic.json("SELECT rows, rows_1, rows_2, rejected FROM npi_files").await;
    assert_eq!(types, json!({"rows": 202, "rows_1": 200, "rows_2": 0, "rejected": 2}));
}

/// Makes the database refuse whom the condition does not fit, whatever is done with the row.
async fn refuse(registry: &Registry, table: &str, condition: &str) {
    registry.clinic.sql(&format!("ALTER TABLE {table} ADD CONSTRAINT own CHECK ({condition}) NOT VALID")).await;
}

#[tokio::test]
async fn a_row_that_a_rule_of_the_clinic_refuses_is_put_aside_whatever_becomes_of_it() {
    let rows = crowd(0, 40);
    let bad = npi(100_000_003);
    let changed = rows[3].clone().with(CITY, "FLINT").with(UPDATED, "12/20/2025");
    let cases = [
        ("npi_key", rows[3].clone().with(LAST, "NEW"), false),
        ("npi_data", rows[3].clone(), false),
        ("npi_data", changed.clone(), true),
        ("npi_data", Provider::gone(3, "12/20/2025"), true),
        ("npi_data", Provider::gone(3, "12/20/2025"), false),
        ("npi_data", changed.clone().with(DEACTIVATED, "12/20/2025"), true),
        ("search_surgeon", changed.clone(), true),
    ];
    for (number, (table, row, known)) in cases.into_iter().enumerate() {
        let before: Vec<_> = if known { rows.clone() } else { rows[10..].to_vec() };
        let registry = Registry::with(&week(0).of(&before)).await;
        let stored = async || {
            let query = format!("SELECT (SELECT to_jsonb(d) FROM npi_data d WHERE npi = {bad}) AS row");
            registry.clinic.json(&query).await["row"].clone()
        };
        let as_it_was = stored().await;
        refuse(&registry, table, &format!("npi <> {bad}")).await;
        let file = week(1).of(&crowd(100, 60)).of(std::slice::from_ref(&row)).of(&crowd(200, 60));
        let outcome = registry.loads(&file, &[], 3).await;
        outcomes(&outcome, [120, 0, 0, 0, 0, 0, 1]);
        let expected = (62, "database: 23514".to_owned(), row.line().into_bytes());
        assert_eq!(rejects(&registry).await, [expected], "{number}");
        assert_eq!(stored().await, as_it_was, "{number}");
        assert_eq!(as_it_was.is_null(), !known);
    }
}

#[tokio::test]
async fn an_earlier_row_of_the_same_npi_counts_where_the_last_is_refused() {
    let registry = Registry::with(&week(0).of(&crowd(0, 10))).await;
    refuse(&registry, "npi_data", "last_name NOT IN ('BAD', 'WORSE')").await;
    let named = |name| Provider::individual(500, name, "X");
    let file = week(1).of(&crowd(100, 300)).of(&[named("GOOD"), named("WORSE"), named("BAD")]);
    outcomes(&registry.loads(&file, &[], 3).await, [301, 0, 0, 0, 0, 0, 2]);
    registry.expect(named("").npi, json!({"last_name": "GOOD"})).await;
    let lines: Vec<i64> = rejects(&registry).await.iter().map(|reject| reject.0).collect();
    assert_eq!(lines, [303, 304]);
}

#[tokio::test]
async fn a_file_of_which_the_database_refuses_too_much_is_not_loaded_and_the_lines_are_named() {
    let registry = Registry::with(&week(0).of(&crowd(0, 10))).await;
    refuse(&registry, "npi_data", "last_name <> 'BAD'").await;
    let before = registry.tables().await;
    let bad: Vec<_> = (500..503).map(|number| Provider::individual(number, "BAD", "X")).collect();
    let file = week(1).of(&crowd(100, 97)).of(&bad);
    for share in ["0.01", "0.02"] {
        let report = registry.load(&file, &["--max-reject-share", share]).await.expect(1).report();
        assert_eq!(report["error_code"], "23514", "{report}");
        let message = report["error_message"].as_str().expect("a text");
        for word in ["line 99", "--max-reject-share", &week(1).csv_name()] {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert_eq!(registry.tables().await, before);
    }
    outcomes(&registry.loads(&file, &["--max-reject-share", "0.03"], 3).await, [97, 0, 0, 0, 0, 0, 3]);
}

#[tokio::test]
async fn an_error_that_is_of_no_row_fails_the_file_with_its_code() {
    let registry = Registry::with(&week(0).of(&crowd(0, 10))).await;
    let before = registry.tables().await;
    registry
        .clinic
        .sql(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE TRIGGER fail AFTER INSERT ON npi_rejects FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        .await;
    let file = week(1).of(&crowd(100, 200)).line("bad");
    let report = registry.load(&file, &[]).await.expect(1).report();
    assert_eq!(report["error_code"], Value::from("P0001"), "{report}");
    assert_eq!(registry.tables().await, before);
}
