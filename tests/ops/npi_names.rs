//! `rounds npi search`: the spellings of a name find each other, other names are searched, and the order of what is found.

use serde_json::{Value, json};

use crate::support::nppes::{
    CITY, DEACTIVATED, MIDDLE, OTHER_FIRST, OTHER_LAST, OTHER_LAST_KIND, OTHER_ORGANIZATION, OTHER_ORGANIZATION_KIND,
    Provider, Registry, STATE, week,
};

impl Registry {
    async fn search(&self, args: &[&str]) -> Value {
        self.clinic.run(&[&["npi", "search"], args].concat()).await.expect(0).report()
    }

    /// The numbers of those who are found, in their order; nobody is guessed.
    async fn names(&self, args: &[&str]) -> Vec<i64> {
        let report = self.search(args).await;
        assert_eq!(report["approximate"], json!(false), "{args:?}: {report}");
        let results = report["results"].as_array().expect("a list");
        results.iter().map(|result| result["npi"].as_i64().expect("an NPI") / 10 - 100_000_000).collect()
    }
}

/// Last, first and middle names that are one, and what each of them is found by.
type Group = (&'static [(&'static str, &'static str, &'static str)], &'static [&'static str]);

#[tokio::test]
async fn every_spelling_of_a_person_finds_every_other() {
    let person = Provider::individual;
    let groups: [Group; 8] = [
        (
            &[("O'BRIEN", "ANN", ""), ("OBRIEN", "ANN", ""), ("O BRIEN", "ANN", "")],
            &["O'Brien", "OBrien", "O Brien", "o’brien", "O'BRIEN, ANN", "obrien ann", "o brien ann", "ann o'brien"],
        ),
        (
            &[("SMITH-JONES", "DEE", ""), ("SMITH JONES", "DEE", ""), ("SMITHJONES", "DEE", "")],
            &["smith-jones", "smith jones", "SmithJones", "Smith Jones, D", "smith-jones dee", "Dee Smith-Jones"],
        ),
        (
            &[("ST. CLAIR", "EVA", ""), ("ST CLAIR", "EVA", ""), ("SAINT CLAIR", "EVA", ""), ("STCLAIR", "EVA", "")],
            &["st. clair", "st clair", "saint clair", "stclair", "St.Clair, Eva", "saint-clair"],
        ),
        (
            &[("DE LA CRUZ", "ANA MARIA", ""), ("DELACRUZ", "ANA", "MARIA"), ("de la Cruz", "ANA-MARIA", "")],
            &["de la cruz", "delacruz, ana m", "De La Cruz Ana Maria", "ana maria de la cruz"],
        ),
        (
            &[("MC DONALD JR", "JOHN", "QUINCY"), ("MCDONALD", "JOHN", "Q."), ("MCDONALD", "JOHN", "")],
            &["mcdonald, john q", "mc donald john", "John Q. McDonald", "Dr. John McDonald, MD", "mcdonald jr, john"],
        ),
        (&[("NUÑEZ", "ZOË", ""), ("NUNEZ", "ZOE", "")], &["núñez", "NUNEZ ZOE", "zoë nunez"]),
        (&[("MUELLER", "UWE", ""), ("MÜLLER", "UWE", "")], &["müller", "Müller, Uwe"]),
        (&[("'T HOOFT", "JAN", ""), ("THOOFT", "JAN", "")], &["'t Hooft", "thooft", "t hooft jan"]),
    ];
    let mut rows = vec![];
    let mut expected = vec![];
    for (people, questions) in groups {
        let first = rows.len() as i64;
        for (last, first, middle) in people {
            rows.push(person(rows.len() as i64, last, first).with(MIDDLE, middle));
        }
        expected.push((first..rows.len() as i64, questions));
    }
    let registry = Registry::with(&week(0).of(&rows)).await;
    registry.sound().await;
    for (numbers, questions) in expected {
        for question in questions {
            let mut found = registry.names(&[question]).await;
            found.sort_unstable();
            assert_eq!(found, numbers.clone().collect::<Vec<_>>(), "{question}");
        }
    }
    assert_eq!(
        registry.search(&["mcdonald, john x"]).await["results"].as_array().map(Vec::len),
        Some(1),
        "no X but none"
    );
}

#[tokio::test]
async fn every_spelling_of_an_organization_finds_every_other() {
    let groups: [(&[&str], &[&str]); 4] = [
        (
            &["ST. JOSEPH'S HOSPITAL, INC.", "SAINT JOSEPHS HOSPITAL", "ST JOSEPHS HOSPITAL LLC"],
            &["st josephs", "Saint Joseph's Hospital", "St. Joseph’s Hospital, Inc."],
        ),
        (&["SMITH & JONES, P.C.", "SMITH AND JONES PC"], &["smith and jones", "Smith & Jones", "smith&jones pc"]),
        (&["THE BLUE-MESA CLINIC", "BLUE MESA CLINIC"], &["blue mesa", "The Blue Mesa Clinic", "bluemesa"]),
        (&["MT SINAI", "MOUNT SINAI HEALTH"], &["mt. sinai", "mount sinai", "mt"]),
    ];
    let mut rows = vec![];
    let mut expected = vec![];
    for (names, questions) in groups {
        let first = rows.len() as i64;
        names.iter().for_each(|name| rows.push(Provider::organization(rows.len() as i64, name)));
        expected.push((first..rows.len() as i64, questions));
    }
    let registry = Registry::with(&week(0).of(&rows)).await;
    for (numbers, questions) in expected {
        for question in questions {
            let mut found = registry.names(&["--facility", question]).await;
            found.sort_unstable();
            assert_eq!(found, numbers.clone().collect::<Vec<_>>(), "{question}");
        }
    }
}

#[tokio::test]
async fn former_names_and_trade_names_are_found_and_the_name_that_fits_is_said() {
    let married = Provider::individual(1, "DOE", "MARY").with(OTHER_LAST, "FORMERLY").with(OTHER_LAST_KIND, "1");
    let stage = Provider::individual(2, "ROE", "JO").with(OTHER_LAST, "STAR").with(OTHER_FIRST, "ELLA");
    let stage = stage.with(OTHER_LAST_KIND, "2");
    let same = Provider::individual(3, "SAME", "ANN").with(OTHER_LAST, "SAME");
    let gone = Provider::individual(4, "AWAY", "ANN").with(OTHER_LAST, "FORMERLY").with(DEACTIVATED, "12/01/2025");
    let clinic = Provider::organization(5, "XYZ HEALTH INC").with(OTHER_ORGANIZATION, "BLUE MESA HOSPITAL");
    let clinic = clinic.with(OTHER_ORGANIZATION_KIND, "3");
    let registry = Registry::with(&week(0).of(&[married, stage, same, gone, clinic])).await;
    registry.sound().await;
    for (args, number, other, kind, matched) in [
        (&["formerly"][..], 1, json!("FORMERLY"), json!("FORMER"), "exact"),
        (&["formerly, mary"], 1, json!("FORMERLY"), json!("FORMER"), "exact"),
        (&["star, el"], 2, json!("STAR, ELLA"), json!("PROFESSIONAL"), "prefix"),
        (&["doe"], 1, json!(null), json!(null), "exact"),
        (&["same"], 3, json!(null), json!(null), "exact"),
        (&["--facility", "blue mesa"], 5, json!("BLUE MESA HOSPITAL"), json!("DBA"), "prefix"),
        (&["--facility", "xyz health"], 5, json!(null), json!(null), "exact"),
    ] {
        assert_eq!(registry.names(args).await, [number], "{args:?}");
        let result = &registry.search(args).await["results"][0];
        assert_eq!((&result["other_name"], &result["other_kind"], &result["match"]), (&other, &kind, &json!(matched)));
    }
    let text = registry.clinic.run(&["npi", "search", "formerly", "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("DOE") && text.contains("FORMERLY (former)"), "{text}");
    let text = registry.clinic.run(&["npi", "search", "doe", "--output", "text"]).await.expect(0).stdout;
    assert!(!text.contains("found as"), "{text}");
    let npi = crate::support::nppes::npi(100_000_005).to_string();
    let report = registry.clinic.run(&["npi", "get", &npi]).await.expect(0).report();
    assert_eq!(report["other_names"], json!([{"name": "BLUE MESA HOSPITAL", "kind": "DBA"}]));
    let text = registry.clinic.run(&["npi", "get", &npi, "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("BLUE MESA HOSPITAL (DBA)"), "{text}");
}

#[tokio::test]
async fn who_is_called_so_comes_before_whose_name_begins_so_and_then_who_is_near() {
    let at = |number, last, first, city, state| {
        Provider::individual(number, last, first).with(CITY, city).with(STATE, state)
    };
    let rows = [
        at(1, "SMITHERS", "ANN", "DENVER", "CO"),
        at(2, "SMITH", "ZOE", "FLINT", "MI"),
        at(3, "SMITH", "ANN", "FLINT", "MI"),
        at(4, "SMITH", "BEA", "BOULDER", "CO"),
        at(5, "SMITH", "CAL", "Denver", "CO"),
        at(6, "SMITHSON", "ANN", "FLINT", "MI"),
        at(7, "SMITH", "DAN", "DENVER", "NC"),
    ];
    let registry = Registry::with(&week(0).of(&rows)).await;
    for (more, found) in [
        (&[][..], &[3, 4, 5, 7, 2, 1, 6][..]),
        (&["--near", "CO"], &[4, 5, 3, 7, 2, 1, 6]),
        (&["--near", "denver, co"], &[5, 4, 3, 7, 2, 1, 6]),
        (&["--near", "MI"], &[3, 2, 4, 5, 7, 6, 1]),
        (&["--near", "Denver,CO", "--limit", "3"], &[5, 4, 3]),
        (&["--near", "Denver,CO", "--limit", "1"], &[5]),
        (&["--near", "MI", "--state", "CO"], &[4, 5, 1]),
    ] {
        assert_eq!(registry.names(&[&["smith"], more].concat()).await, found, "{more:?}");
    }
    let matches: Vec<_> = registry.search(&["smith"]).await["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|result| result["match"].clone())
        .collect();
    assert_eq!(matches, ["exact", "exact", "exact", "exact", "exact", "prefix", "prefix"].map(|word| json!(word)));
    for bad in ["Denver", "Colorado", "Denver, Colorado", ", CO"] {
        registry.clinic.run(&["npi", "search", "smith", "--near", bad]).await.expect(2);
    }
}

#[tokio::test]
async fn a_limit_says_that_there_is_more_however_many_names_a_provider_has() {
    let mut file = week(0);
    let many: Vec<_> = (0..4).map(|number| Provider::organization(number, &format!("ALPHA {number}"))).collect();
    for provider in &many {
        for name in 0..30 {
            file = file.other(provider, &format!("ALPHA {} CARE {name:02}", provider.npi % 7), "3");
        }
    }
    let registry = Registry::new().await;
    let path = registry.write(&file.weekly_name(), &file.of(&many).zip());
    registry.clinic.run(&["refresh-npi", "--file", &path]).await.expect(0);
    for (limit, shown, more) in [("4", 4, false), ("3", 3, true), ("1", 1, true), ("20", 4, false)] {
        let report = registry.search(&["--facility", "alpha", "--limit", limit]).await;
        let results = report["results"].as_array().expect("a list").len();
        assert_eq!((results, &report["more"]), (shown, &json!(more)), "{limit}: {report}");
    }
    let text = registry.clinic.run(&["npi", "search", "--facility", "alpha", "--limit", "1", "--output", "text"]).await;
    assert!(text.expect(0).stdout.contains("There are more than these 1"));
}
