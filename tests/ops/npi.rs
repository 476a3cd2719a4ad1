//! `rounds npi`: who is found by a name, what is known of an NPI, and whether it can be relied on.

use serde_json::{Value, json};

use super::refused;
use crate::support::Clinic;
use crate::support::nppes::{
    CITY, DEACTIVATED, FIRST, LAST, Provider, REACTIVATED, Registry, SAMPLE, STATE, UPDATED, ZIP, npi, week,
};
use crate::support::program::Outcome;
use crate::support::terminal::ATTACK;

const SURGERY: &str = "208600000X";

fn person(number: i64, last: &str, first: &str, city: &str, state: &str, zip: &str, taxonomy: &str) -> Provider {
    let person = Provider::individual(number, last, first);
    person.with(CITY, city).with(STATE, state).with(ZIP, zip).taxonomies(&[(taxonomy, "", "", "Y")])
}

/// Some people and facilities, most of them called alike.
fn people() -> Vec<Provider> {
    let person = |number, last, first| person(number, last, first, "FLINT", "MI", "485010001", "207Q00000X");
    vec![
        person(1, "SMITH", "ANN"),
        self::person(2, "SMITH", "BOB", "Ann Arbor", "MI", "48103", SURGERY),
        self::person(3, "SMITH", "JOHN", "NEW YORK", "NY", "100010001", "2086S0122X"),
        person(4, "SMITH", "JOHN"),
        person(5, "SMITHERS", "JOAN"),
        person(6, "SMYTH", "ANN"),
        person(7, "Élan", "Zoë"),
        person(8, "O'BRIEN", "PAT"),
        person(9, "DE LA CRUZ", "ANA MARIA"),
        person(10, "SMITH", "GONE").with(DEACTIVATED, "12/01/2025"),
        person(11, "100% SURE", "X"),
        person(12, "KRZYZEWSKI", "MICHAEL"),
        Provider::organization(20, "SMITH FAMILY CLINIC").with(CITY, "FLINT"),
        Provider::organization(21, "3M HEALTH").with(STATE, "MN"),
        Provider::organization(22, "Clínica Élan"),
    ]
}

async fn registry() -> Registry {
    Registry::with(&week(0).of(&people())).await
}

impl Registry {
    async fn npi(&self, args: &[&str]) -> Outcome {
        self.clinic.run(&[&["npi"], args].concat()).await
    }

    /// The numbers of those who are found, in the order in which they are shown; nobody is guessed.
    async fn found(&self, args: &[&str]) -> Vec<i64> {
        let report = self.npi(&[&["search"], args].concat()).await.expect(0).report();
        let results = report["results"].as_array().expect("a list");
        assert!(report["approximate"] == json!(false) || results.is_empty(), "{args:?}: {report}");
        numbers(results)
    }
}

/// Back from the NPIs.
fn numbers(results: &[Value]) -> Vec<i64> {
    results.iter().map(|result| result["npi"].as_i64().expect("an NPI") / 10 - 100_000_000).collect()
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_their_last_and_first_name() {
    let registry = registry().await;
    for (name, found) in [
        ("smith", &[1, 2, 3, 4, 5][..]),
        ("SMITH", &[1, 2, 3, 4, 5]),
        ("Smith J", &[3, 4]),
        ("smith, j", &[3, 4]),
        ("Smith,John", &[3, 4]),
        ("smith  john ", &[3, 4]),
        ("smithe", &[5]),
        ("sm", &[1, 2, 3, 4, 5, 6]),
        ("élan", &[7]),
        ("elan", &[7]),
        ("ELAN ZOE", &[7]),
        ("e\u{301}l", &[7]),
        ("o'b", &[8]),
        ("de la cruz, ana m", &[9]),
        ("100%", &[11]),
        ("smith gone", &[]),
    ] {
        let outcome = registry.npi(&["search", name]).await.expect(0).report();
        if found.is_empty() && outcome["approximate"] == json!(true) {
            assert!(!numbers(outcome["results"].as_array().expect("a list")).contains(&10), "{name}: {outcome}");
            continue;
        }
        assert_eq!(registry.found(&[name]).await, found, "{name}");
    }
}

#[tokio::test]
async fn facilities_are_found_apart_from_people() {
    let registry = registry().await;
    for (name, found) in [("smith", &[20][..]), ("3m", &[21]), ("clinica elan", &[22]), ("CLÍN", &[22])] {
        assert_eq!(registry.found(&[name, "--facility"]).await, found, "{name}");
    }
    assert_eq!(registry.found(&["smith family"]).await, [0; 0]);
}

#[tokio::test]
async fn who_is_found_can_be_narrowed_down() {
    let registry = registry().await;
    for (more, found) in [
        (&["--state", "NY"][..], &[3][..]),
        (&["--state", "mi"], &[1, 2, 4, 5]),
        (&["--city", "ann arbor"], &[2]),
        (&["--city", "FLINT"], &[1, 4, 5]),
        (&["--city", "FLI"], &[]),
        (&["--zip", "48103"], &[2]),
        (&["--zip", "48"], &[1, 2, 4, 5]),
        (&["--zip", "485010001"], &[1, 4, 5]),
        (&["--zip", "48501-0001"], &[1, 4, 5]),
        (&["--zip", "48501-"], &[1, 4, 5]),
        (&["--state", " Mi "], &[1, 2, 4, 5]),
        (&["--taxonomy", " 2086* "], &[2, 3]),
        (&["--city", " flint"], &[1, 4, 5]),
        (&["--zip", "8"], &[]),
        (&["--taxonomy", SURGERY], &[2]),
        (&["--taxonomy", "2086*"], &[2, 3]),
        (&["--taxonomy", "2086"], &[]),
        (&["--taxonomy", "207Q00000X"], &[1, 4, 5]),
        (&["--surgeons"], &[2, 3]),
        (&["--surgeons", "--state", "MI"], &[2]),
        (&["--city", "FLINT", "--state", "MI", "--zip", "48501", "--taxonomy", "207Q*"], &[1, 4, 5]),
        (&["--city", "FLINT", "--state", "NY"], &[]),
        (&["--limit", "2"], &[1, 2]),
        (&["--limit", "1", "--state", "NY"], &[3]),
    ] {
        assert_eq!(registry.found(&[&["smith"], more].concat()).await, found, "{more:?}");
    }
    assert_eq!(registry.found(&["smith", "--facility", "--city", "flint"]).await, [20]);
}

#[tokio::test]
async fn no_more_than_twenty_are_shown_unless_told_in_the_order_of_their_names() {
    let mut rows: Vec<_> =
        (0..30).map(|number| Provider::individual(number, "JONES", &format!("N{:02}", 29 - number))).collect();
    rows.extend((30..33).map(|number| Provider::individual(number, "JONES", "N00")));
    let registry = Registry::with(&week(0).of(&rows)).await;
    let first: Vec<_> = [29, 30, 31, 32].into_iter().chain((0..29).rev()).collect();
    assert_eq!(registry.found(&["jones"]).await, first[..20]);
    assert_eq!(registry.found(&["jones", "--limit", "100"]).await, first);
}

#[tokio::test]
async fn what_is_found_is_shown_with_its_place() {
    let registry = registry().await;
    let report = registry.npi(&["search", "smith b"]).await.expect(0).report();
    let expected = json!({"npi": npi(100_000_002), "last_name": "SMITH", "first_name": "BOB", "address": "1 MAIN ST",
                          "city": "Ann Arbor", "state": "MI", "zip": "48103", "primary_taxonomy": SURGERY,
                          "middle_name": null, "other_name": null, "other_kind": null, "match": "prefix"});
    assert_eq!(report, json!({"approximate": false, "results": [expected], "more": false}));
    let report = registry.npi(&["search", "--facility", "3m"]).await.expect(0).report();
    let expected = json!({"npi": npi(100_000_021), "facility_name": "3M HEALTH", "address": "1 MAIN ST",
                          "city": "GRAND RAPIDS", "state": "MN", "zip": "495099542", "primary_taxonomy": "207Q00000X",
                          "other_name": null, "other_kind": null, "match": "prefix"});
    assert_eq!(report["results"], json!([expected]));
    let text = registry.npi(&["search", "smith b", "--output", "text"]).await.expect(0).stdout;
    for word in [&*npi(100_000_002).to_string(), "SMITH", "BOB", "Ann Arbor", "48103", SURGERY] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(registry.clinic.count("SELECT count(*) FROM cron_job_runs").await, 1, "a look is no run");
}

#[tokio::test]
async fn a_typing_error_is_forgiven_where_similar_names_can_be_found() {
    let registry = registry().await;
    let trigrams = registry.clinic.count("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'").await > 0;
    for (name, number) in [("krzyzewsky michael", 12), ("smithers jaon", 5), ("de la crux ana", 9)] {
        let report = registry.npi(&["search", name]).await.expect(0).report();
        let found = numbers(report["results"].as_array().expect("a list"));
        assert_eq!(
            (report["approximate"].clone(), found.contains(&number)),
            (json!(trigrams), trigrams),
            "{name}: {report}"
        );
    }
    let report = registry.npi(&["search", "clinica elam", "--facility"]).await.expect(0).report();
    assert_eq!(numbers(report["results"].as_array().expect("a list")).contains(&22), trigrams, "{report}");
    // The filters hold for them, too.
    let report = registry.npi(&["search", "krzyzewsky michael", "--state", "NY"]).await.expect(0).report();
    assert_eq!(report["results"], json!([]));
}

#[tokio::test]
async fn a_typing_error_finds_nothing_where_similar_names_cannot_be_found() {
    let registry = registry().await;
    registry.clinic.sql("DROP EXTENSION IF EXISTS pg_trgm CASCADE").await;
    let report = registry.npi(&["search", "krzyzewsky"]).await.expect(0).report();
    assert_eq!(report, json!({"approximate": false, "results": [], "more": false}));
    assert_eq!(registry.found(&["smith j"]).await, [3, 4]);
}

#[tokio::test]
async fn nobody_is_found_by_a_pattern_or_a_trick() {
    let registry = registry().await;
    for name in ["%", "_mith", "s%h", "\\", "'; DROP TABLE npi_data; --", "qqqqqqqq"] {
        let report = registry.npi(&["search", name]).await.expect(0).report();
        // A similar name is not what was asked for.
        assert!(report["approximate"] == json!(true) || report["results"] == json!([]), "{name}: {report}");
    }
    for more in [["--city", "%"], ["--zip", "4_1"], ["--taxonomy", "%"], ["--taxonomy", "207_*"], ["--state", "%%"]] {
        let outcome = registry.npi(&["search", "smith", more[0], more[1]]).await;
        // A value that can be no such thing may be refused.
        assert!(outcome.code == 2 || outcome.report()["results"] == json!([]), "{more:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn surgeons_are_those_of_the_surgical_taxonomies() {
    let surgical = [
        "208600000X",
        "2086S0102X",
        "208C00000X",
        "208G00000X",
        "208200000X",
        "2082S0099X",
        "204E00000X",
        "204F00000X",
        "207T00000X",
        "207X00000X",
        "207XS0106X",
        "208800000X",
        "2088P0231X",
        "207Y00000X",
        "207YX0905X",
        "207W00000X",
        "207ND0101X",
        "213ES0103X",
        "213ES0131X",
        "1223S0112X",
    ];
    let others = [
        "207Q00000X",
        "207N00000X",
        "207ND0900X",
        "213E00000X",
        "213EP1101X",
        "122300000X",
        "1223G0001X",
        "208000000X",
        "2085R0202X",
        "208D00000X",
        "204D00000X",
        "207V00000X",
        "363AS0400X",
        "",
    ];
    let rows = (0..)
        .zip(surgical.iter().chain(&others))
        .map(|(number, taxonomy)| person(number, "JONES", &format!("N{number:02}"), "FLINT", "MI", "48501", taxonomy));
    let mut rows: Vec<_> = rows.collect();
    // A provider who is a surgeon besides is none in the first place.
    let besides = [("207Q00000X", "", "", "Y"), (SURGERY, "", "", "N")];
    rows.push(Provider::individual(90, "JONES", "PAT").taxonomies(&besides));
    let registry = Registry::with(&week(0).of(&rows)).await;
    let expected: Vec<_> = (0..20).collect();
    assert_eq!(registry.found(&["jones", "--surgeons", "--limit", "100"]).await, expected);
}

#[tokio::test]
async fn the_real_rows_are_given_back_byte_for_byte() {
    let registry = Registry::new().await;
    let path = registry.write("npidata_pfile_20260727-20260802.csv", SAMPLE.as_bytes());
    registry.clinic.run(&["refresh-npi", "--file", &path]).await.expect(0);
    let lines: Vec<_> = SAMPLE.lines().skip(1).collect();
    assert_eq!(lines.len(), 3);
    for line in lines {
        let outcome = registry.npi(&["get", &line[1..11], "--format", "csv"]).await.expect(0);
        assert_eq!(outcome.stdout, format!("{line}\n"));
    }
}

#[tokio::test]
async fn all_that_is_stored_of_an_npi_is_told() {
    let registry = registry().await;
    let get = async |number: i64, more: &[&str]| {
        registry.npi(&[&["get", &*npi(100_000_000 + number).to_string()], more].concat()).await.expect(0)
    };
    let report = get(2, &[]).await.report();
    for (key, value) in [
        ("npi", json!(npi(100_000_002))),
        ("entity_type", json!(1)),
        ("active", json!(true)),
        ("organization_name", json!(null)),
        ("last_name", json!("SMITH")),
        ("first_name", json!("BOB")),
        ("practice_city", json!("Ann Arbor")),
        ("mailing_city", json!("ALBANY")),
        ("primary_taxonomy", json!(SURGERY)),
        ("taxonomies", json!([SURGERY])),
        ("licences", json!([""])),
        ("enumerated_on", json!("2017-12-01")),
        ("updated_on", json!("2025-12-01")),
        ("deactivated_on", json!(null)),
        ("reactivated_on", json!(null)),
        ("file", json!(week(0).csv_name())),
    ] {
        assert_eq!(report[key], value, "{key}: {report}");
    }
    assert!(report.get("raw").is_none() && report.get("hash").is_none(), "{report}");
    let report = get(10, &[]).await.report();
    assert_eq!((&report["active"], &report["deactivated_on"]), (&json!(false), &json!("2025-12-01")));
    let report = get(21, &[]).await.report();
    assert_eq!((&report["entity_type"], &report["organization_name"]), (&json!(2), &json!("3M HEALTH")));
    let text = get(2, &["--output", "text"]).await.stdout;
    assert!(text.contains("SMITH") && text.contains("BOB") && text.contains(SURGERY), "{text}");
}

#[tokio::test]
async fn the_last_full_row_is_given_back_though_only_a_date_came_after_it() {
    let registry = registry().await;
    let (bob, stranger) = (npi(100_000_002).to_string(), npi(100_000_050).to_string());
    let mut rows = people();
    rows[1] = Provider::gone(2, "12/24/2025");
    rows.push(Provider::gone(50, "05/01/2010"));
    registry.load(&week(1).of(&rows), &[]).await.expect(0);
    let line = registry.npi(&["get", &bob, "--format", "csv"]).await.expect(0).stdout;
    assert_eq!(line, people()[1].line() + "\n");
    let report = registry.npi(&["get", &bob]).await.expect(0).report();
    let keys = ["last_name", "active", "deactivated_on", "file"].map(|key| report[key].clone());
    assert_eq!(keys, [json!("SMITH"), json!(false), json!("2025-12-24"), json!(week(1).csv_name())]);
    refused(registry.npi(&["get", &stranger, "--format", "csv"]).await, 1, "NO_ROW");
    let report = registry.npi(&["get", &stranger]).await.expect(0).report();
    assert_eq!((&report["entity_type"], &report["active"]), (&json!(0), &json!(false)));
}

#[tokio::test]
async fn the_row_of_each_file_is_given_back_in_the_columns_of_that_file() {
    let registry = registry().await;
    let mut v1 = week(1);
    v1.columns.truncate(300);
    v1.columns.swap(4, 7);
    let rows: Vec<_> = people().into_iter().map(|row| row.with(UPDATED, "12/23/2025")).collect();
    let v1 = v1.of(&rows[..10]);
    registry.load(&v1, &[]).await.expect(0);
    for (number, line) in (1..).zip(&v1.lines) {
        let got = registry.npi(&["get", &npi(100_000_000 + number).to_string(), "--format", "csv"]).await.expect(0);
        assert_eq!(got.stdout.as_bytes(), [&line[..], b"\n"].concat(), "{number}");
    }
    let untouched = registry.npi(&["get", &people()[11].npi.to_string(), "--format", "csv"]).await.expect(0).stdout;
    assert_eq!(untouched, people()[11].line() + "\n");
}

#[tokio::test]
async fn an_npi_that_nobody_knows_is_refused() {
    let registry = registry().await;
    let unknown = npi(999_999_999).to_string();
    for more in [&[][..], &["--format", "csv"]] {
        let message = refused(registry.npi(&[&["get", &*unknown], more].concat()).await, 2, "UNKNOWN_NPI");
        assert!(message.contains(&unknown), "{message}");
    }
}

#[tokio::test]
async fn npis_are_verified_in_the_order_given() {
    let registry = Registry::with(&week(0).of(&people())).await;
    let mut rows = people();
    rows[5] = rows[5].clone().with(DEACTIVATED, "12/01/2025").with(REACTIVATED, "12/02/2025");
    rows[6] = Provider::gone(7, "12/24/2025");
    rows[7] = rows[7].clone().with(LAST, "").with(FIRST, "");
    registry.load(&week(1).of(&rows), &[]).await.expect(0);
    let known = |number: i64| npi(100_000_000 + number).to_string();
    let wrong = format!("{}{}", &known(1)[..9], (known(1).as_bytes()[9] - b'0' + 5) % 10);
    let unknown = known(4711);
    let cases: Vec<(String, Value)> = vec![
        (known(10), json!([true, true, false, "2025-12-01"])),
        (known(1), json!([true, true, true, null])),
        (known(6), json!([true, true, true, "2025-12-01"])),
        (known(7), json!([true, true, false, "2025-12-24"])),
        (known(8), json!([true, true, true, null])),
        (known(20), json!([true, true, true, null])),
        (unknown.clone(), json!([true, false, null, null])),
        (wrong.clone(), json!([false, false, null, null])),
        ("123".into(), json!([false, false, null, null])),
        ("12345678901".into(), json!([false, false, null, null])),
        ("abcdefghij".into(), json!([false, false, null, null])),
        (known(1), json!([true, true, true, null])),
    ];
    let npis: Vec<_> = cases.iter().map(|(npi, _)| npi.as_str()).collect();
    let report = registry.npi(&[&["verify"], &npis[..]].concat()).await.expect(1).report();
    let answers = report["npis"].as_array().expect("a list");
    assert_eq!(answers.len(), cases.len(), "{report}");
    for (answer, (npi, expected)) in answers.iter().zip(&cases) {
        let text = answer["npi"].as_str().map_or_else(|| answer["npi"].to_string(), str::to_owned);
        let keys = ["check_digit", "known", "active"].map(|key| answer[key].clone());
        assert_eq!((&text, &json!(keys)), (npi, &json!(expected.as_array().expect("four")[..3])), "{answer}");
        // Those who were active again are active; since when they had not been is told or not.
        if expected[2] != json!(true) {
            assert_eq!(answer["deactivated_on"], expected[3], "{answer}");
        }
    }
    for (npis, code) in [
        (&[&known(1)][..], 0),
        (&[&known(1), &known(20), &known(6)], 0),
        (&[&known(1), &known(10)], 1),
        (&[&unknown], 1),
        (&[&wrong], 1),
    ] {
        let npis: Vec<_> = npis.iter().map(|npi| npi.as_str()).collect();
        registry.npi(&[&["verify"], &npis[..]].concat()).await.expect(code);
        registry.npi(&[&["verify", "--output", "text"], &npis[..]].concat()).await.expect(code);
    }
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let registry = registry().await;
    for args in [
        &[][..],
        &["search"],
        &["search", "smith", "--limit", "0"],
        &["search", "smith", "--limit", "many"],
        &["search", "smith", "--limit", "-1"],
        &["search", "smith", "--output", "xml"],
        &["get"],
        &["get", "smith"],
        &["get", "123"],
        &["get", "-1"],
        &["get", "1000000012", "--format", "xml"],
        &["verify"],
    ] {
        registry.npi(args).await.expect(2);
    }
}

#[tokio::test]
async fn what_cannot_be_found_is_refused_in_a_persons_words() {
    let registry = registry().await;
    for (args, words) in [
        (&["search", "smith", "--state", "Colorado"][..], "a state is two letters, such as CO for Colorado"),
        (&["search", "smith", "--state", "C"], "a state is two letters"),
        (&["search", "smith", "--state", "C0"], "a state is two letters"),
        (&["search", "smith", "--state", "É"], "a state is two letters"),
        (&["search", "smith", "--state", ""], "a state is two letters"),
        (&["search", "smith", "--state", " "], "a state is two letters"),
        (&["search", "smith", "--city", " "], "a city has a name"),
        (&["search", "smith", "--zip", "Denver"], "a ZIP code is up to nine digits, such as 80202"),
        (&["search", "smith", "--zip", "8020-21234"], "a ZIP code is up to nine digits"),
        (&["search", "smith", "--zip", "80202-1234-5"], "a ZIP code is up to nine digits"),
        (&["search", "smith", "--zip", "8020212345"], "a ZIP code is up to nine digits"),
        (&["search", "smith", "--taxonomy", "surgeon's"], "a taxonomy looks like 208600000X or 2086*"),
        (&["search", "smith", "--taxonomy", "208600000X0"], "a taxonomy looks like"),
        (&["search", " , "], "NAME is empty: say how the name begins"),
        (&["get", "12345"], "is no NPI: ten digits, the last of which checks the others"),
        (&["get", "1000000013"], "is no NPI"),
    ] {
        let outcome = registry.npi(args).await.expect(2);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.replace("\\\"", "\"").contains(words), "{args:?}: {said}");
        assert!(!said.contains("invalid digit") && !said.contains("ParseInt"), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn a_registry_that_was_never_loaded_is_said_and_not_taken_for_an_answer() {
    let clinic = Clinic::new().await;
    for args in [&["npi", "search", "stone"][..], &["npi", "get", "1234567893"], &["npi", "verify", "1234567893"]] {
        let outcome = clinic.run(args).await.expect(2);
        assert!(outcome.stderr.contains("REGISTRY_EMPTY"), "{outcome:?}");
        assert!(outcome.stderr.contains("rounds refresh-npi"), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_a_terminal_acts_upon_in_the_registry_is_shown_as_text() {
    let person = Provider::individual(1, "SMITH", ATTACK).with(CITY, "FLINT").with(STATE, "MI");
    let registry = Registry::with(&week(0).of(&[person])).await;
    registry.clinic.program.shows_attack(1, &["npi", "search", "smith"]).await;
    registry.clinic.program.shows_attack(1, &["npi", "get", &npi(100_000_001).to_string()]).await;
    let csv = ["npi", "get", &npi(100_000_001).to_string(), "--format", "csv"].map(str::to_owned);
    let csv: Vec<&str> = csv.iter().map(String::as_str).collect();
    let screen = registry.clinic.program.on_terminal(80, &csv).await.text;
    assert!(screen.contains("SMITH") && !screen.contains('\u{1b}'), "{screen:?}");
    assert!(registry.npi(&csv[1..]).await.stdout.contains(ATTACK), "a program gets it byte for byte");
}
