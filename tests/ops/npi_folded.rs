//! A registry that was loaded before names were folded as they are now: the migration folds them as the program does.

use serde_json::Value;

use crate::support::nppes::{DEACTIVATED, MIDDLE, OTHER_LAST, OTHER_ORGANIZATION, Provider, Registry, week};

const MIGRATION: &str = include_str!("../../migrations/rounds/V0030__npi_names.sql");

/// Back to the tables as they were before the migration, as far as it changes them.
const BEFORE: &str = "
    DROP TABLE npi_other_names;
    ALTER TABLE npi_files DROP other_rows, DROP other_rejected, DROP other_added, DROP other_removed;
    ALTER TABLE npi_rejects DROP entry;
    DELETE FROM search_surgeon WHERE name_number > 0;
    DELETE FROM search_facility WHERE name_number > 0;
    ALTER TABLE search_surgeon DROP CONSTRAINT search_surgeon_pkey, DROP name_number, DROP middle_name, DROP other_name,
                               DROP other_kind;
    ALTER TABLE search_facility DROP CONSTRAINT search_facility_pkey, DROP name_number, DROP other_name, DROP other_kind;
    ALTER TABLE search_surgeon ADD PRIMARY KEY (letter, npi);
    ALTER TABLE search_facility ADD PRIMARY KEY (letter, npi);
    UPDATE npi_data SET letter = 'q' WHERE letter IS NOT NULL;
    UPDATE search_surgeon SET letter = 'q', folded = 'q' || npi;
    UPDATE search_facility SET letter = 'q', folded = 'q' || npi;";

const NAMES: [&str; 40] = [
    "O'BRIEN",
    "OBRIEN",
    "O BRIEN",
    "O’BRIEN",
    "SMITH-JONES",
    "ST. CLAIR",
    "ST.CLAIR",
    "STE MARIE",
    "DE LA CRUZ",
    "MC DONALD JR",
    "SMITH, III",
    "J.P. MORGAN",
    "ÉLAN",
    "E\u{301}LAN",
    "ÑÚÑEZ",
    "ŁÓDŹ",
    "ŽIŽEK",
    "ÆRØ",
    "STRAẞE",
    "GROß",
    "ÞÓR",
    "3M",
    "#1 CARE",
    "'T HOOFT",
    "-DASH",
    "***",
    "THE BLUE-MESA CLINIC, INC.",
    "THE",
    "INC",
    "SMITH & JONES, P.C.",
    "A.B.C. CARE CO., L.L.C.",
    "MT SINAI",
    "FT. WORTH ST JOSEPH'S",
    "JR",
    "UNDER_SCORE A_B.C",
    "TWO\nLINES",
    "TAB\tTAB",
    "U.S.RENAL",
    "AT&T",
    "X.Y",
];

/// What is searched, and what the provider's row says of it.
async fn searched(registry: &Registry) -> Value {
    let tables = registry.tables().await;
    let columns = "SELECT jsonb_agg(to_jsonb(s) - 'other_kind' ORDER BY s.npi, s.name_number) AS s FROM";
    let surgeons = registry.clinic.json(&format!("{columns} search_surgeon s")).await;
    let facilities = registry.clinic.json(&format!("{columns} search_facility s")).await;
    serde_json::json!([surgeons, facilities, tables["data"]])
}

#[tokio::test]
async fn what_was_loaded_before_is_folded_as_it_would_be_now() {
    let mut rows = vec![];
    for (number, name) in (0..).zip(NAMES) {
        let other = NAMES[(number as usize + 7) % NAMES.len()];
        rows.push(Provider::individual(number, name, other).with(MIDDLE, NAMES[(number as usize + 13) % NAMES.len()]));
        rows.push(Provider::organization(100 + number, name));
        rows.push(Provider::individual(200 + number, "STONE", name).with(OTHER_LAST, name));
        rows.push(Provider::organization(300 + number, "STONE").with(OTHER_ORGANIZATION, name));
    }
    rows.push(Provider::individual(500, "GONE", "ANN").with(OTHER_LAST, "AWAY").with(DEACTIVATED, "12/01/2025"));
    let registry = Registry::with(&week(0).of(&rows)).await;
    let expected = searched(&registry).await;
    registry.clinic.sql(BEFORE).await;
    assert!(registry.clinic.client.batch_execute(MIGRATION).await.is_ok());
    registry.sound().await;
    let now = searched(&registry).await;
    for (part, expected) in now.as_array().expect("three").iter().zip(expected.as_array().expect("three")) {
        assert_eq!(part, expected);
    }
    let left = r"SELECT count(*) FROM pg_proc WHERE pronamespace = 'rounds'::regnamespace AND proname ~ '^npi_(words|folded|letter)'";
    assert_eq!(registry.clinic.count(left).await, 0, "no function is left");
    let indexes = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'rounds' AND indexname ~ '^search_.*_trigrams$'";
    let trigrams = registry.clinic.count("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'").await;
    assert_eq!(registry.clinic.count(indexes).await, 2 * trigrams);
}
