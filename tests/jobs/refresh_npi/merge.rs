//! What a row does to what is stored: it is new, newer, equal, older, or another row of the same file comes after it.

use serde_json::{Value, json};

use super::outcomes;
use crate::support::nppes::{
    CITY, DEACTIVATED, ENTITY, FIRST, LAST, MAILING_PHONE, Provider, REACTIVATED, Registry, UPDATED, crowd, week,
};

/// Rows that come every week, so that no file is suspiciously short; in another order each, so that none is a copy.
fn others(week: u64) -> Vec<Provider> {
    let mut others = crowd(500, 5);
    others.rotate_left(week as usize % 5);
    if week >= 5 {
        others.reverse();
    }
    others
}

/// A registry that has this provider since week 0.
async fn having(provider: &Provider) -> Registry {
    Registry::with(&week(0).of(&others(0)).of(std::slice::from_ref(provider))).await
}

impl Registry {
    /// Loads these rows for a week: inserted, updated, unchanged, older, duplicates, deactivated, beside the others.
    async fn merges(&self, number: u64, rows: &[Provider], counts: [u64; 6]) {
        let outcome = self.loads(&week(number).of(&others(number)).of(rows), &[], 0).await;
        let [inserted, updated, unchanged, older, duplicates, deactivated] = counts;
        outcomes(&outcome, [inserted, updated, unchanged + 5, older, duplicates, deactivated, 0]);
    }
}

fn ann() -> Provider {
    Provider::individual(1, "STONE", "ANN")
}

#[tokio::test]
async fn an_equal_row_is_not_written_again() {
    let registry = having(&ann()).await;
    let places = "SELECT jsonb_agg(jsonb_build_array(npi, ctid, xmin, file_id)) AS p FROM (
                      SELECT npi, ctid, xmin::text, file_id FROM npi_data UNION ALL
                      SELECT npi, ctid, xmin::text, 0 FROM search_surgeon UNION ALL
                      SELECT npi, ctid, xmin::text, 0 FROM npi_key ORDER BY 1, 2, 3) a";
    let before = registry.clinic.json(places).await;
    registry.merges(1, &[ann()], [0, 0, 1, 0, 0, 0]).await;
    assert_eq!(registry.clinic.json(places).await, before);
    // Who changed has moved, and nobody else has.
    registry.merges(2, &[ann().with(CITY, "FLINT")], [0, 1, 0, 0, 0, 0]).await;
    let after = registry.clinic.json(places).await;
    let moved = |row: &&Value| !before["p"].as_array().expect("rows").contains(row);
    let moved: Vec<_> = after["p"].as_array().expect("rows").iter().filter(moved).map(|row| &row[0]).collect();
    assert!(!moved.is_empty() && moved.iter().all(|npi| **npi == json!(ann().npi)), "{moved:?}");
}

#[tokio::test]
async fn a_renamed_provider_leaves_the_old_letter() {
    let registry = having(&ann()).await;
    assert_eq!(registry.searchable(ann().npi).await, ["search_surgeon_s"]);
    let married = ann().with(LAST, "BAKER").with(UPDATED, "12/23/2025");
    registry.merges(1, std::slice::from_ref(&married), [0, 1, 0, 0, 0, 0]).await;
    assert_eq!(registry.searchable(ann().npi).await, ["search_surgeon_b"]);
    registry.expect(ann().npi, json!({"last_name": "BAKER", "letter": "b", "updated_on": "2025-12-23"})).await;
    // Within the same letter, and something that is not searched at all.
    registry.merges(2, &[married.clone().with(LAST, "BOND")], [0, 1, 0, 0, 0, 0]).await;
    let found = registry.clinic.json("SELECT npi, last_name, folded FROM search_surgeon_b").await;
    assert_eq!(found, json!({"npi": ann().npi, "last_name": "BOND", "folded": "bond ann"}));
    registry.merges(3, &[married.with(LAST, "BOND").with(MAILING_PHONE, "1")], [0, 1, 0, 0, 0, 0]).await;
    registry.expect(ann().npi, json!({"mailing_phone": "1"})).await;
}

#[tokio::test]
async fn a_provider_who_becomes_another_kind_is_in_one_partition_and_one_search_table() {
    let clinic = Provider::organization(1, "WELL CLINIC");
    let registry = having(&ann()).await;
    let part = format!("SELECT tableoid::regclass AS part, entity_type FROM npi_data WHERE npi = {}", ann().npi);
    let nameless = ann().with(ENTITY, "").with(LAST, "").with(FIRST, "");
    for (number, row, part_name, kind, tables) in [
        (1, clinic.clone(), "npi_data_2", 2, &["search_facility_w"][..]),
        (2, ann(), "npi_data_1", 1, &["search_surgeon_s"]),
        (3, nameless, "npi_data_0", 0, &[]),
        (4, clinic, "npi_data_2", 2, &["search_facility_w"]),
    ] {
        registry.merges(number, &[row], [0, 1, 0, 0, 0, 0]).await;
        assert_eq!(registry.clinic.json(&part).await, json!({"part": part_name, "entity_type": kind}));
        assert_eq!(registry.searchable(ann().npi).await, tables, "week {number}");
        let key = format!("SELECT entity_type FROM npi_key WHERE npi = {}", ann().npi);
        assert_eq!(registry.clinic.json(&key).await["entity_type"], kind);
    }
}

#[tokio::test]
async fn a_provider_is_active_without_a_deactivation_or_with_a_reactivation_that_is_not_before_it() {
    let registry = having(&ann()).await;
    for (number, deactivated, reactivated, active) in [
        (1, "12/20/2025", "", false),
        (2, "12/20/2025", "12/19/2025", false),
        (3, "12/20/2025", "12/20/2025", true),
        (4, "12/20/2025", "12/21/2025", true),
        (5, "12/22/2025", "12/21/2025", false),
        (6, "", "12/21/2025", true),
        (7, "", "", true),
    ] {
        let row = ann().with(DEACTIVATED, deactivated).with(REACTIVATED, reactivated).with(UPDATED, "12/23/2025");
        registry.merges(number, &[row], [0, 1, 0, 0, 0, u64::from(!active)]).await;
        assert_eq!(!registry.searchable(ann().npi).await.is_empty(), active, "{deactivated} {reactivated}");
    }
}

#[tokio::test]
async fn a_row_of_npi_and_date_alone_deactivates_and_keeps_what_is_stored() {
    let registry = having(&ann()).await;
    let before = registry.stored(ann().npi).await;
    registry.merges(1, &[Provider::gone(1, "12/24/2025")], [0, 1, 0, 0, 0, 1]).await;
    assert!(registry.searchable(ann().npi).await.is_empty());
    let mut expected = before.clone();
    expected["deactivated_on"] = json!("2025-12-24");
    expected["letter"] = json!(null);
    expected["file_id"] = registry.stored(ann().npi).await["file_id"].clone();
    assert_eq!(registry.stored(ann().npi).await, expected);
    // It comes again every month from now on.
    registry.merges(2, &[Provider::gone(1, "12/24/2025")], [0, 0, 1, 0, 0, 0]).await;
    registry.merges(3, &[Provider::gone(1, "12/25/2025")], [0, 1, 0, 0, 0, 1]).await;
    // And then there is a row again.
    let back = ann().with(DEACTIVATED, "12/25/2025").with(REACTIVATED, "01/12/2026").with(UPDATED, "01/12/2026");
    registry.merges(4, &[back], [0, 1, 0, 0, 0, 0]).await;
    assert_eq!(registry.searchable(ann().npi).await, ["search_surgeon_s"]);
    registry.expect(ann().npi, json!({"deactivated_on": "2025-12-25", "reactivated_on": "2026-01-12"})).await;
}

#[tokio::test]
async fn who_was_deactivated_before_anything_was_known_is_of_no_kind_until_a_row_comes() {
    let registry = having(&Provider::gone(1, "05/01/2010")).await;
    let expected = json!({"entity_type": 0, "deactivated_on": "2010-05-01", "updated_on": null, "last_name": null,
                          "raw": null, "hash": null, "letter": null, "taxonomies": [], "licences": []});
    registry.expect(ann().npi, expected).await;
    registry.merges(1, &[Provider::gone(1, "05/01/2010")], [0, 0, 1, 0, 0, 0]).await;
    registry.merges(2, &[ann()], [0, 1, 0, 0, 0, 0]).await;
    registry.expect(ann().npi, json!({"entity_type": 1, "deactivated_on": null, "last_name": "STONE"})).await;
    assert_eq!(registry.searchable(ann().npi).await, ["search_surgeon_s"]);
}

#[tokio::test]
async fn an_older_row_is_left_alone_and_one_of_the_same_day_is_not() {
    let registry = having(&ann()).await;
    let other = |date| ann().with(LAST, "OTHER").with(UPDATED, date);
    registry.merges(1, &[other("11/30/2025")], [0, 0, 0, 1, 0, 0]).await;
    registry.expect(ann().npi, json!({"last_name": "STONE", "updated_on": "2025-12-01"})).await;
    registry.merges(2, &[other("12/01/2025")], [0, 1, 0, 0, 0, 0]).await;
    registry.expect(ann().npi, json!({"last_name": "OTHER"})).await;
    // December is after January only in the year before.
    registry.merges(3, &[other("01/02/2026")], [0, 1, 0, 0, 0, 0]).await;
    registry.merges(4, &[other("12/31/2025")], [0, 0, 0, 1, 0, 0]).await;
    registry.expect(ann().npi, json!({"updated_on": "2026-01-02"})).await;
}

#[tokio::test]
async fn of_an_npi_that_comes_more_than_once_the_last_row_counts() {
    let registry = Registry::with(&week(0).of(&others(0))).await;
    let named = |name: &str| ann().with(LAST, name).with(UPDATED, "12/23/2025");
    registry.merges(1, &[named("CCC"), named("BBB"), named("AAA")], [1, 0, 0, 0, 2, 0]).await;
    registry.expect(ann().npi, json!({"last_name": "AAA", "letter": "a"})).await;
    // By its place, and not by its date.
    let older = named("DDD").with(UPDATED, "12/24/2025");
    registry.merges(2, &[older, named("EEE")], [0, 1, 0, 0, 1, 0]).await;
    registry.expect(ann().npi, json!({"last_name": "EEE", "updated_on": "2025-12-23"})).await;
    registry.merges(3, &[named("FFF"), named("EEE")], [0, 0, 1, 0, 1, 0]).await;
    registry.merges(4, &[Provider::gone(1, "01/01/2026"), named("GGG")], [0, 1, 0, 0, 1, 0]).await;
    assert_eq!(registry.searchable(ann().npi).await, ["search_surgeon_g"]);
    registry
        .merges(5, &[ann(), Provider::organization(1, "HHH"), Provider::gone(1, "01/05/2026")], [0, 1, 0, 0, 2, 1])
        .await;
    registry.expect(ann().npi, json!({"last_name": "GGG", "deactivated_on": "2026-01-05", "entity_type": 1})).await;
}

#[tokio::test]
async fn a_bad_row_does_not_touch_what_is_stored_or_comes_before_it() {
    let registry = having(&ann()).await;
    let bad = ann().with(LAST, "BAD").with(UPDATED, "13/13/2025");
    let file = week(1).of(&others(1)).of(&[ann().with(LAST, "GOOD"), bad]);
    let outcome = registry.loads(&file, &super::LENIENT, 3).await;
    outcomes(&outcome, [0, 1, 5, 0, 0, 0, 1]);
    registry.expect(ann().npi, json!({"last_name": "GOOD"})).await;
}

#[tokio::test]
async fn duplicates_far_apart_are_resolved_by_the_last_over_two_connections() {
    let registry = Registry::new().await;
    let rows = crowd(0, 2000);
    let renamed: Vec<_> = rows.iter().map(|row| row.clone().with(LAST, "LATER")).collect();
    for (number, first, second, expected) in [(0, &renamed, &rows, 0), (1, &rows, &renamed, 2000)] {
        registry.loads(&week(number).of(first).of(second), &["--connections", "2"], 0).await;
        let later = registry.clinic.count("SELECT count(*) FROM npi_data WHERE last_name = 'LATER'").await;
        assert_eq!(later, expected);
    }
}

#[tokio::test]
async fn the_database_itself_keeps_an_npi_once() {
    let registry = having(&ann()).await;
    let insert = |kind| format!("INSERT INTO npi_data (npi, entity_type, file_id) VALUES ({}, {kind}, 0)", ann().npi);
    for kind in [0, 1, 2] {
        assert!(registry.clinic.client.batch_execute(&insert(kind)).await.is_err(), "{kind}");
    }
    registry.expect(ann().npi, json!({"entity_type": 1, "last_name": "STONE"})).await;
}

#[tokio::test]
async fn an_older_file_brings_nobody_back_whom_a_newer_one_has_deactivated() {
    let registry = having(&ann()).await;
    registry.merges(2, &[Provider::gone(1, "12/31/2025")], [0, 1, 0, 0, 0, 1]).await;
    // The week before: the row as it was, and the same deactivated earlier.
    registry.merges(1, &[ann()], [0, 0, 0, 1, 0, 0]).await;
    registry.expect(ann().npi, json!({"deactivated_on": "2025-12-31", "letter": null})).await;
    let reactivated = ann().with(DEACTIVATED, "12/31/2025").with(REACTIVATED, "01/05/2026").with(UPDATED, "01/05/2026");
    registry.merges(4, &[reactivated], [0, 1, 0, 0, 0, 0]).await;
    registry.merges(3, &[Provider::gone(1, "01/04/2026")], [0, 0, 0, 1, 0, 0]).await;
    registry.expect(ann().npi, json!({"deactivated_on": "2025-12-31", "letter": "s"})).await;
    assert_eq!(registry.searchable(ann().npi).await, ["search_surgeon_s"]);
}
