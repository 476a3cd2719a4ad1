//! Providers that are watched: what a file changes of them is recorded, reported, and told to those who watch.

use serde_json::{Value, json};

use crate::support::nppes::{
    CITY, DEACTIVATED, LAST, MAILING_CITY, Provider, REACTIVATED, Registry, UPDATED, crowd, npi, week,
};

/// Two facilities with an admin each, a third one without, and an admin of the group.
const PEOPLE: &str = "
    INSERT INTO facilities (name, time_zone) VALUES ('A', 'America/Denver'), ('B', 'America/Denver'), ('C', 'America/Denver');
    INSERT INTO users (name, role, facility_id) VALUES ('A', 'HOSPITAL_ADMIN', 1), ('B', 'HOSPITAL_ADMIN', 2),
                                                       ('G', 'HOSPITAL_ADMIN', NULL), ('N', 'NURSE', 1)";

fn number(number: i64) -> String {
    npi(100_000_000 + number).to_string()
}

async fn registry() -> Registry {
    let registry = Registry::with(&week(0).of(&crowd(0, 10))).await;
    registry.clinic.sql(PEOPLE).await;
    registry
}

impl Registry {
    async fn watch(&self, numbers: &[i64], more: &[&str]) {
        let numbers: Vec<_> = numbers.iter().map(|one| number(*one)).collect();
        let numbers: Vec<_> = numbers.iter().map(String::as_str).collect();
        self.clinic.run(&[&["npi", "watch", "add"], &numbers[..], more].concat()).await.expect(0);
    }

    /// Recipient, and what is said: after "In FILE: ".
    async fn told(&self) -> Vec<(String, String)> {
        let query =
            "SELECT recipient_id, body FROM notifications WHERE type = 'NPI_CHANGED' ORDER BY recipient_id::int, id";
        let rows = self.clinic.rows(query).await;
        let said = |body: String| body.split_once(".csv: ").map(|(_, said)| said.to_owned()).expect("a file is named");
        rows.iter().map(|row| (row.get(0), said(row.get(1)))).collect()
    }
}

/// Week 1, in which each of the ten has changed in another way.
fn changes() -> Vec<Provider> {
    let mut rows: Vec<_> = crowd(0, 10).into_iter().map(|row| row.with(UPDATED, "12/23/2025")).collect();
    rows[1] = rows[1].clone().with(LAST, "RENAMED");
    rows[2] = rows[2].clone().with(CITY, "FLINT");
    rows[3] = rows[3].clone().taxonomies(&[("208600000X", "", "", "Y")]);
    rows[4] = rows[4].clone().with(DEACTIVATED, "12/22/2025");
    rows[5] = Provider::gone(5, "12/22/2025");
    rows[6] = rows[6].clone().with(MAILING_CITY, "FLINT").with(LAST, "BOTH");
    rows
}

#[tokio::test]
async fn what_a_file_changes_of_watched_providers_is_reported_and_told() {
    let registry = registry().await;
    registry.watch(&[0, 1, 2, 3, 4], &["--actor", "1"]).await;
    registry.watch(&[4, 5, 6, 77], &["--actor", "2"]).await;
    registry.watch(&[6], &["--actor", "3"]).await;
    registry.watch(&[2], &["--actor", "3", "--facility", "3"]).await;
    let outcome = registry.load(&week(1).of(&changes()), &["--dry-run"]).await.expect(0);
    assert_eq!(
        (registry.told().await.len(), outcome.report()["files"][0]["watched"].as_array().map(Vec::len)),
        (0, Some(6))
    );
    let outcome = registry.loads(&week(1).of(&changes()), &[], 0).await;
    let changed = |one: i64, changes: &[&str]| json!({"npi": npi(100_000_000 + one), "changes": changes});
    let expected = [
        changed(1, &["NAME"]),
        changed(2, &["ADDRESS"]),
        changed(3, &["TAXONOMY"]),
        changed(4, &["DEACTIVATED"]),
        changed(5, &["DEACTIVATED"]),
        changed(6, &["ADDRESS", "NAME"]),
    ];
    assert_eq!(outcome.report()["files"][0]["watched"], json!(expected));
    let end = ". `rounds npi watch changes` shows what they were and are.";
    let said = |changes: &[(i64, &str)]| {
        let said: Vec<_> = changes.iter().map(|(one, what)| format!("{} ({what})", number(*one))).collect();
        said.join("; ") + end
    };
    let first = said(&[(1, "name"), (2, "address"), (3, "taxonomy"), (4, "deactivated")]);
    let second = said(&[(4, "deactivated"), (5, "deactivated"), (6, "address, name")]);
    // The group's admin is told for the group, and for the facility that has no admin.
    let mut told = registry.told().await;
    told.sort();
    let mut all = [("1", first), ("2", second), ("3", said(&[(6, "address, name")])), ("3", said(&[(2, "address")]))]
        .map(|(user, said)| (user.to_owned(), said));
    all.sort();
    assert_eq!(told, all);
    let report = registry.clinic.run(&["npi", "watch", "changes"]).await.expect(0).report();
    let change = |one: i64, what: &str| {
        let all = report["changes"].as_array().expect("a list").iter();
        let mut of =
            all.filter(|change| change["npi"] == json!(npi(100_000_000 + one)) && change["change"] == json!(what));
        let found = of.next().expect("it is there");
        (found["was"].clone(), found["is_now"].clone())
    };
    assert_eq!(change(1, "NAME"), (json!("PAT BNAME1"), json!("PAT RENAMED")));
    assert_eq!(change(2, "ADDRESS").1, json!("1 MAIN ST, FLINT, MI, 495099542"));
    assert_eq!(change(3, "TAXONOMY"), (json!("207Q00000X"), json!("208600000X")));
    assert_eq!(change(4, "DEACTIVATED"), (Value::Null, json!("2025-12-22")));
    // The same again tells nothing; who comes back, or is listed at last, is told.
    registry.loads(&week(2).of(&changes()), &[], 0).await;
    assert_eq!(registry.told().await.len(), 4);
    let back = crowd(4, 1)[0].clone().with(DEACTIVATED, "12/22/2025").with(REACTIVATED, "01/05/2026");
    let third = week(3).of(&[back.with(UPDATED, "01/05/2026"), Provider::individual(77, "NEW", "ANN")]);
    registry.loads(&third, &["--accept-fewer-rows"], 0).await;
    let told = registry.told().await;
    assert!(told.contains(&("1".to_owned(), said(&[(4, "reactivated")]))), "{told:?}");
    assert!(told.contains(&("2".to_owned(), said(&[(4, "reactivated"), (77, "listed")]))), "{told:?}");
}

#[tokio::test]
async fn nobody_who_could_be_told_keeps_no_file_from_being_loaded() {
    let registry = registry().await;
    registry.watch(&[1], &["--actor", "1"]).await;
    registry.clinic.sql("UPDATE users SET active = false").await;
    let outcome = registry.loads(&week(1).of(&changes()), &[], 0).await;
    assert!(outcome.stderr.contains("NOBODY_TOLD"), "{}", outcome.stderr);
    registry.clinic.sql("ALTER TABLE users RENAME TO people").await;
    let rows =
        crowd(1, 5).into_iter().map(|row| row.with(LAST, "AGAIN").with(UPDATED, "12/30/2025")).collect::<Vec<_>>();
    let outcome = registry.loads(&week(2).of(&rows), &[], 0).await;
    assert!(outcome.stderr.contains("NOBODY_TOLD"), "{}", outcome.stderr);
    assert_eq!(registry.clinic.count("SELECT count(*) FROM npi_changes WHERE change = 'NAME'").await, 2);
}

#[tokio::test]
async fn providers_are_watched_for_the_facility_of_who_acts() {
    let registry = registry().await;
    let run = async |args: &[&str]| registry.clinic.run(&[&["npi", "watch"], args].concat()).await;
    let watched = async || {
        let query = "SELECT jsonb_agg(jsonb_build_array(npi / 10 - 100000000, facility_id, added_by) ORDER BY npi, facility_id) AS w
                     FROM npi_watch";
        registry.clinic.json(query).await["w"].clone()
    };
    let report = run(&["add", &number(1), &number(77), &number(1), "--actor", "1"]).await.expect(0).report();
    assert_eq!(report, json!({"facility": "1", "added": 2, "unknown": [npi(100_000_077)]}));
    let again = run(&["add", &number(1), "--actor", "1"]).await.expect(0).report();
    assert_eq!(again["added"], json!(0));
    run(&["add", &number(1), "--actor", "3"]).await.expect(0);
    run(&["add", &number(2), "--actor", "3", "--dry-run"]).await.expect(0);
    assert_eq!(watched().await, json!([[1, "", "3"], [1, "1", "1"], [77, "1", "1"]]));
    // Not without an actor, not by another role, and not for another facility or one that is not there.
    for args in [
        &["add", &*number(3)][..],
        &["add", &number(3), "--actor", "4"],
        &["add", &number(3), "--actor", "1", "--facility", "2"],
        &["add", &number(3), "--actor", "3", "--facility", "99"],
        &["remove", &number(1)],
        &["add", "--actor", "3"],
        &["add", "1234567890", "--actor", "3"],
    ] {
        run(args).await.expect(2);
    }
    let list = run(&["list"]).await.expect(0).report();
    let states: Vec<_> = list["watched"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (row["state"].clone(), row["name"].clone()))
        .collect();
    let known = (json!("active"), json!("PAT BNAME1"));
    assert_eq!(states, [known.clone(), known, (json!("unknown"), Value::Null)]);
    let removed = run(&["remove", &number(1), &number(5), "--actor", "1"]).await.expect(0).report();
    assert_eq!((removed, watched().await), (json!({"removed": 1}), json!([[1, "", "3"], [77, "1", "1"]])));
    let text = run(&["list", "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("unknown") && text.contains("BNAME1"), "{text}");
}

#[tokio::test]
async fn the_clinics_doctors_are_watched_where_their_table_has_their_npis() {
    let registry = registry().await;
    registry
        .clinic
        .sql("INSERT INTO doctors (facility_id, first_name, last_name) VALUES (1, 'X', 'X'), (2, 'Y', 'Y'), (2, 'Z', 'Z')")
        .await;
    let add = async |more: &[&str]| registry.clinic.run(&[&["npi", "watch", "add", "--doctors"], more].concat()).await;
    let outcome = add(&["--actor", "3"]).await.expect(2);
    assert!(format!("{outcome:?}").contains("NO_NPIS"), "{outcome:?}");
    registry.clinic.sql("ALTER TABLE doctors ADD npi text").await;
    let set = format!(
        "UPDATE doctors SET npi = CASE id WHEN 1 THEN '{}' WHEN 2 THEN ' {} ' ELSE '123' END",
        number(1),
        number(2)
    );
    registry.clinic.sql(&set).await;
    let report = add(&["--actor", "2"]).await.expect(3).report();
    assert_eq!(report, json!({"doctors": 1, "added": 1, "without_npi": ["3"]}));
    let report = add(&["--actor", "3"]).await.expect(3).report();
    assert_eq!(report, json!({"doctors": 2, "added": 1, "without_npi": ["3"]}));
    let watched = "SELECT jsonb_agg(jsonb_build_array(npi / 10 - 100000000, facility_id, doctor_id) ORDER BY npi) AS w FROM npi_watch";
    assert_eq!(registry.clinic.json(watched).await["w"], json!([[1, "1", "1"], [2, "2", "2"]]));
}
