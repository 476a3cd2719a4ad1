//! The tables that are searched: who is in which, and with what.

use serde_json::json;

use crate::support::nppes::{
    ADDRESS, CITY, DEACTIVATED, ENTITY, FIRST, LAST, MAILING_CITY, Provider, Registry, STATE, ZIP, week,
};

/// A name, the letter of its table, and what of it is searched, as far as that is pure.
const NAMES: [(&str, &str, &str); 24] = [
    ("STONE", "s", "stone"),
    ("de la Cruz", "d", "delacruz"),
    ("ÉLAN", "e", "elan"),
    ("élan", "e", "elan"),
    ("E\u{301}LAN", "e", "elan"),
    ("Ångström", "a", "angstrom"),
    ("ÑÚÑEZ", "n", "nunez"),
    ("Çelik", "c", "celik"),
    ("Ümit", "u", "umit"),
    ("ŽIŽEK", "z", "zizek"),
    ("Ýr", "y", "yr"),
    ("O'BRIEN", "o", "obrien"),
    ("SMITH-JONES", "s", "smithjones"),
    ("3M", "other", "3m"),
    ("1ST AID", "other", "1staid"),
    ("(A) TEAM", "a", "ateam"),
    ("'T HOOFT", "t", "thooft"),
    ("#1 CARE", "other", "1care"),
    ("-DASH", "d", "dash"),
    ("ST. CLAIR", "s", "saintclair"),
    ("***", "other", "***"),
    ("Борис", "other", "борис"),
    ("中村", "other", "中村"),
    ("NULL", "n", "null"),
];

#[tokio::test]
async fn a_name_is_in_the_table_of_its_first_letter_without_accents() {
    let individuals = NAMES.iter().zip(100..).map(|((name, ..), number)| Provider::individual(number, name, "Zoë"));
    let facilities = NAMES.iter().zip(200..).map(|((name, ..), number)| Provider::organization(number, name));
    let rows: Vec<_> = individuals.chain(facilities).collect();
    let registry = Registry::with(&week(0).of(&rows)).await;
    registry.sound().await;
    for (kind, more, rows) in [("surgeon", " zoe", &rows[..NAMES.len()]), ("facility", "", &rows[NAMES.len()..])] {
        for (row, (name, letter, folded)) in rows.iter().zip(NAMES) {
            assert_eq!(registry.searchable(row.npi).await, [format!("search_{kind}_{letter}")], "{name}");
            let found =
                registry.clinic.json(&format!("SELECT folded FROM search_{kind} WHERE npi = {}", row.npi)).await;
            assert_eq!(found["folded"], json!(format!("{folded}{more}")), "{name}");
        }
    }
}

#[tokio::test]
async fn there_is_a_table_for_each_letter_and_one_for_the_rest() {
    let registry = Registry::new().await;
    for kind in ["surgeon", "facility"] {
        for letter in ('a'..='z').map(String::from).chain(["other".into()]) {
            registry.clinic.count(&format!("SELECT count(*) FROM search_{kind}_{letter}")).await;
        }
        let parts = format!("SELECT count(*) FROM pg_inherits WHERE inhparent = 'search_{kind}'::regclass");
        assert_eq!(registry.clinic.count(&parts).await, 27);
    }
}

#[tokio::test]
async fn people_and_facilities_are_found_where_they_practise() {
    let place = |provider: Provider| {
        provider
            .with(MAILING_CITY, "MAILBOX")
            .with(ADDRESS, "2 OAK AVE")
            .with(CITY, "FLINT")
            .with(STATE, "MI")
            .with(ZIP, "48501")
            .taxonomies(&[("207Q00000X", "", "", "N"), ("208600000X", "", "", "Y")])
    };
    let (ann, clinic) =
        (place(Provider::individual(1, "STONE", "ANN")), place(Provider::organization(2, "WELL CLINIC")));
    let registry = Registry::with(&week(0).of(&[ann.clone(), clinic.clone()])).await;
    let (address, city, state, zip, taxonomy) = ("2 OAK AVE", "FLINT", "MI", "48501", "208600000X");
    let surgeon = json!({"letter": "s", "npi": ann.npi, "folded": "stone ann", "first_name": "ANN", "last_name": "STONE",
                         "middle_name": null, "name_number": 0, "other_name": null, "other_kind": null, "address": address, "city": city, "state": state, "zip": zip, "primary_taxonomy": taxonomy});
    assert_eq!(registry.clinic.json("SELECT * FROM search_surgeon").await, surgeon);
    let facility = json!({"letter": "w", "npi": clinic.npi, "folded": "wellclinic", "facility_name": "WELL CLINIC",
                          "name_number": 0, "other_name": null, "other_kind": null,
                          "address": address, "city": city, "state": state, "zip": zip, "primary_taxonomy": taxonomy});
    assert_eq!(registry.clinic.json("SELECT * FROM search_facility").await, facility);
}

#[tokio::test]
async fn only_the_active_of_a_known_kind_with_a_name_are_searched() {
    let named = |number| Provider::individual(number, "STONE", "ANN");
    let cases = [
        (named(1), true),
        (named(2).with(FIRST, ""), true),
        (named(3).with(LAST, "").with(FIRST, ""), false),
        (named(4).with(LAST, "<UNAVAIL>").with(FIRST, "<UNAVAIL>"), false),
        (named(5).with(DEACTIVATED, "12/01/2025"), false),
        (named(6).with(ENTITY, ""), false),
        (Provider::gone(7, "12/01/2025"), false),
        (Provider::organization(8, "WELL"), true),
        (Provider::organization(9, ""), false),
        (Provider::organization(10, "").with(LAST, "STONE"), false),
        (Provider::organization(11, "WELL").with(DEACTIVATED, "12/01/2025"), false),
        // Without any taxonomy, or a place.
        (named(12).taxonomies(&[]).with(CITY, "").with(ADDRESS, "").with(STATE, "").with(ZIP, ""), true),
    ];
    let rows: Vec<_> = cases.iter().map(|(row, _)| row.clone()).collect();
    let registry = Registry::with(&week(0).of(&rows)).await;
    registry.sound().await;
    for (number, (row, searched)) in (1..).zip(cases) {
        assert_eq!(!registry.searchable(row.npi).await.is_empty(), searched, "{number}");
    }
}
