//! `rounds npi search` and the extension that compares names, which a database may have in any schema.

use serde_json::json;

use crate::support::Clinic;
use crate::support::nppes::{Provider, Registry, week};

/// Fails unless a name with a typing error is found by its trigrams, or is not.
async fn similar_names(registry: &Registry, found: bool) {
    let report = registry.clinic.run(&["npi", "search", "krzyzewsky michael"]).await.expect(0).report();
    let names = report["results"].as_array().expect("a list").len();
    assert_eq!((&report["approximate"], names == 1), (&json!(found), found), "{report}");
}

/// A registry in a database in which something was done before `migrate`.
async fn registry(before: &str) -> Registry {
    let clinic = Clinic::empty().await;
    clinic.sql(before).await;
    clinic.run(&["migrate"]).await.expect(0);
    let registry = Registry::of(clinic).await;
    registry.load(&week(0).of(&[Provider::individual(1, "KRZYZEWSKI", "MICHAEL")]), &[]).await.expect(0);
    registry
}

#[tokio::test]
async fn similar_names_are_found_wherever_the_extension_is() {
    for schema in ["public", "extensions", r#""Extra ""s""#] {
        let make = format!("CREATE SCHEMA IF NOT EXISTS {schema}; CREATE EXTENSION pg_trgm SCHEMA {schema}");
        let registry = registry(&make).await;
        let index = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'rounds' AND indexname ~ '_trigrams$'";
        assert_eq!(registry.clinic.count(index).await, 2, "{schema}");
        similar_names(&registry, true).await;
    }
    let registry = registry("").await;
    similar_names(&registry, true).await;
    // What moves is found in its new place.
    registry.clinic.sql("CREATE SCHEMA elsewhere; ALTER EXTENSION pg_trgm SET SCHEMA elsewhere").await;
    similar_names(&registry, true).await;
}

#[tokio::test]
async fn names_are_found_by_their_beginning_where_the_extension_cannot_be_used() {
    let registry = registry("").await;
    registry.clinic.sql("DROP EXTENSION pg_trgm CASCADE").await;
    similar_names(&registry, false).await;
    let report = registry.clinic.run(&["npi", "search", "krzyz"]).await.expect(0).report();
    assert_eq!(report["results"].as_array().map(Vec::len), Some(1), "{report}");
}
