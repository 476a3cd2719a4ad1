//! The first load of an empty registry: it leaves what a merge leaves, and the same indexes and keys, or nothing.

use serde_json::Value;

use super::LENIENT;
use super::refused::long_name;
use crate::support::nppes::{DEACTIVATED, OTHER_ORGANIZATION, Pfile, Provider, REACTIVATED, Registry, crowd, week};
use crate::support::role::{JobRole, of_url};
use crate::support::{connect, server};

/// So many rows are loaded without indexes.
const ROWS: i64 = 10_000;

/// A file of each kind of row, with providers that come twice.
fn large() -> Pfile {
    let some = [
        Provider::organization(20_000, "WELL CLINIC"),
        Provider::organization(20_001, "GONE CLINIC").with(DEACTIVATED, "12/20/2025"),
        Provider::individual(20_002, "BACK", "ANN").with(DEACTIVATED, "12/20/2025").with(REACTIVATED, "12/21/2025"),
        Provider::gone(20_003, "12/20/2025"),
        Provider::individual(20_004, "FIRST", "ANN"),
        Provider::organization(20_005, "HOLDINGS").with(OTHER_ORGANIZATION, "TRADE NAME"),
    ];
    week(1).of(&crowd(0, ROWS)).of(&some).line("bad").of(&[Provider::individual(20_004, "LAST", "ANN")])
}

/// The indexes and keys of the registry, and what waits to be built.
async fn indexes(registry: &Registry) -> Value {
    let query = "SELECT (SELECT jsonb_agg(pg_get_indexdef(i.indexrelid) || i.indisvalid ORDER BY c.relname)
                         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                         WHERE i.indrelid::regclass::text ~ '^(npi_(key|data|other_names)|search_)') AS indexes,
                        (SELECT jsonb_agg(k.conrelid::regclass || ' ' || k.conname || pg_get_constraintdef(k.oid)
                                          ORDER BY k.conrelid::regclass::text, k.conname)
                         FROM pg_constraint k WHERE k.conrelid::regclass::text ~ '^(npi_(key|data|other_names)|search_)') AS keys,
                        (SELECT count(*) FROM npi_definitions) AS waiting";
    registry.clinic.json(query).await
}

#[tokio::test]
async fn a_large_first_file_leaves_what_a_merge_leaves() {
    let (filled, merged) =
        (Registry::new().await, Registry::with(&week(0).of(&[Provider::gone(40_000, "12/01/2025")])).await);
    let before = indexes(&filled).await;
    let more = [LENIENT[0], LENIENT[1], "--log-level", "debug"];
    let outcome = filled.loads(&large(), &more, 3).await;
    assert!(outcome.stderr.contains("merge: indexes on") && !outcome.stderr.contains("merge: classify"), "{outcome:?}");
    assert_eq!(indexes(&filled).await, before);
    let other = merged.loads(&large(), &more, 3).await;
    assert!(!other.stderr.contains("merge: indexes on"), "{other:?}");
    let forget = "DELETE FROM npi_data WHERE file_id = (SELECT min(id) FROM npi_files);
                  DELETE FROM npi_key k WHERE NOT EXISTS (SELECT FROM npi_data d WHERE d.npi = k.npi);
                  DELETE FROM npi_files WHERE id = (SELECT min(id) FROM npi_files)";
    merged.clinic.sql(forget).await;
    let (one, other) = (filled.tables().await, merged.tables().await);
    for table in ["data", "keys", "surgeons", "facilities", "other_names", "files", "rejects"] {
        assert!(one[table] == other[table], "{table} differs");
    }
}

#[tokio::test]
async fn a_first_load_that_is_killed_leaves_an_empty_registry_with_its_indexes() {
    let registry = Registry::new().await;
    let role = JobRole::new(&registry.clinic, "refresh-npi").await;
    let before = (indexes(&registry).await, registry.tables().await);
    let gate = connect(&server().url(&registry.clinic.database)).await;
    let path = registry.write(&large().weekly_name(), &large().zip());
    let args = ["refresh-npi", "--file", &path, LENIENT[0], LENIENT[1]];
    // Before the indexes are dropped, before the rows are inserted, and after the indexes are built.
    for table in ["npi_other_names", "npi_changes", "npi_rejects"] {
        gate.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE")).await.expect("locked");
        let mut run = role.program.start(&args);
        registry.clinic.waiting(1).await;
        run.kill().await.expect("it lives");
        gate.batch_execute("ROLLBACK").await.expect("ends");
        registry.lease_over().await;
        assert!((indexes(&registry).await, registry.tables().await) == before, "{table}");
    }
    role.program.run(&args).await.expect(3);
    assert_eq!(indexes(&registry).await, before.0);
    registry.sound().await;
}

#[tokio::test]
async fn a_value_that_no_index_takes_costs_its_row_and_no_index() {
    let registry = Registry::new().await;
    let before = indexes(&registry).await;
    let file = large().of(&[Provider::organization(30_000, &long_name())]);
    let outcome = registry.loads(&file, &LENIENT, 3).await;
    assert!(outcome.stderr.contains("54000"), "{outcome:?}");
    assert_eq!(indexes(&registry).await, before);
    let refused = registry.clinic.count("SELECT count(*) FROM npi_rejects WHERE reason = 'database: 54000'").await;
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn the_indexes_are_dropped_for_who_may_fill_an_empty_registry_alone() {
    let registry = Registry::new().await;
    let refusal = async |role: &JobRole| {
        let client = connect(&of_url(&server().url(&registry.clinic.database), &role.name)).await;
        let refused = client.batch_execute("SELECT npi_indexes_off()").await.expect_err("it may not");
        refused.as_db_error().expect("the server says why").message().to_owned()
    };
    let reader = JobRole::new(&registry.clinic, "npi").await;
    assert_eq!(refusal(&reader).await, "only who may insert into npi_data may load the registry");
    registry.loads(&week(0).of(&crowd(0, 5)), &[], 0).await;
    let loader = JobRole::new(&registry.clinic, "refresh-npi").await;
    assert_eq!(refusal(&loader).await, "the registry is not empty");
}
