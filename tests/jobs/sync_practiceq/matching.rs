//! Whose appointment it is: never another patient's.

use serde_json::{Map, Value, json};

use super::words::{ANN, LATER, PAT, skipped, totals};
use crate::support::practiceq::{Client, Sync, appointment};
use crate::support::program::Outcome;

/// What is known of somebody: name, e-mail, date of birth; empty where it is not known. A # is the number of the case.
type Known = [&'static str; 3];

fn numbered([name, email, date_of_birth]: Known, number: usize) -> [String; 3] {
    [name.to_owned(), email.replace('#', &number.to_string()), date_of_birth.to_owned()]
}

impl Sync {
    /// A patient of whom that is known.
    async fn charted(&self, [name, email, date_of_birth]: [&str; 3]) -> i64 {
        let (first, last) = name.split_once(' ').unwrap_or((name, ""));
        let email = (!email.is_empty()).then_some(email);
        self.patient(first, last, email, (!date_of_birth.is_empty()).then_some(date_of_birth)).await
    }

    /// Puts a visit of a client into the account of whom that is known.
    fn booked(&self, visit: &str, id: i64, [name, email, date_of_birth]: [&str; 3]) {
        let mut row = appointment(visit, &Client { id, name, email, date_of_birth }, LATER);
        for field in ["ClientName", "ClientEmail", "ClientDateOfBirth"] {
            if row[field] == "" {
                row[field] = Value::Null;
            }
        }
        self.upstream.put(row);
    }
}

/// Each patient and the client, and whether they are one.
async fn fit(cases: &[(Known, Known, bool)]) {
    let sync = Sync::new().await;
    let (mut whose, mut open) = (Map::new(), Map::new());
    for (number, (patient, client, fits)) in cases.iter().enumerate() {
        let (patient, client) = (numbered(*patient, number), numbered(*client, number));
        let id = sync.charted(patient.each_ref().map(String::as_str)).await;
        let visit = format!("a{number}");
        sync.booked(&visit, 1000 + number as i64, client.each_ref().map(String::as_str));
        if *fits {
            whose.insert(visit, json!(id));
        } else {
            open.insert(visit, json!("NOBODY"));
        }
    }
    let outcome = sync.sweep().await;
    assert_eq!(sync.whose().await, Value::Object(whose.clone()));
    assert_eq!(sync.open().await, Value::Object(open.clone()));
    assert_eq!((totals(&outcome)[0], outcome.count("unmatched")), (whose.len() as u64, open.len() as u64));
    let remembered = "SELECT count(*) FROM practiceq_clients WHERE linked_by IS NULL AND patient_id IS NOT NULL";
    assert_eq!(sync.clinic.count(remembered).await, whose.len() as i64, "who was found, and nobody else");
}

#[tokio::test]
async fn the_address_needs_the_date_of_birth_or_the_name_and_neither_may_contradict() {
    const BORN: &str = "1980-04-02";
    const OTHER: &str = "1980-04-03";
    const MAIL: &str = "x#@home.example";
    fit(&[
        (["Pat Doe", MAIL, BORN], ["Pat Doe", MAIL, BORN], true),
        // A new name, a nickname, no name at all: the date of birth says who it is.
        (["Pat Doe", MAIL, BORN], ["Trish Roe", MAIL, BORN], true),
        (["Pat Doe", MAIL, BORN], ["", MAIL, BORN], true),
        // The name says it where one of the two dates of birth is not known.
        (["Pat Doe", MAIL, BORN], ["Pat Doe", MAIL, ""], true),
        (["Pat Doe", MAIL, ""], ["Pat Doe", MAIL, BORN], true),
        (["Pat Doe", MAIL, ""], ["Pat Doe", MAIL, ""], true),
        // Like father, like son.
        (["Pat Doe", MAIL, BORN], ["Pat Doe", MAIL, OTHER], false),
        // The address alone.
        (["Pat Doe", MAIL, BORN], ["Trish Roe", MAIL, ""], false),
        (["Pat Doe", MAIL, BORN], ["", MAIL, ""], false),
        (["Pat Doe", MAIL, BORN], ["Trish Roe", MAIL, OTHER], false),
        (["Pat Doe", MAIL, ""], ["Trish Roe", MAIL, BORN], false),
        // However the date is written, if it can be read.
        (["Pat Doe", MAIL, BORN], ["Trish Roe", MAIL, "1980-04-02T00:00:00"], true),
        (["Pat Doe", MAIL, BORN], ["Trish Roe", MAIL, "1980-04-02T00:00:00Z"], true),
        (["Pat Doe", MAIL, BORN], ["Pat Doe", MAIL, "1980-04-03T00:00:00"], false),
        (["Pat Doe", MAIL, BORN], ["Trish Roe", MAIL, "4/2/1980"], true),
        (["Pat Doe", MAIL, BORN], ["Pat Doe", MAIL, "4/3/1980 12:00:00 AM"], false),
        // What cannot be read may say otherwise.
        (["Pat Doe", MAIL, BORN], ["Pat Doe", MAIL, "not known"], false),
        // Everything but the address.
        (["Pat Doe", MAIL, BORN], ["Pat Doe", "y#@home.example", BORN], false),
        (["Pat Doe", MAIL, BORN], ["Pat Doe", "", BORN], false),
    ])
    .await;
}

#[tokio::test]
async fn an_address_is_the_same_but_for_its_case_and_blanks_around_it() {
    const BORN: &str = "1980-04-02";
    let case = |ours, theirs, fits| (["Pat Doe", ours, BORN], ["Pat Doe", theirs, BORN], fits);
    fit(&[
        case("pat#@home.example", "PAT#@Home.EXAMPLE", true),
        case("PAT#@Home.EXAMPLE", "pat#@home.example", true),
        case(" pat#@home.example  ", "pat#@home.example", true),
        case("pat#@home.example", "  pat#@home.example ", true),
        // A part of it is another one.
        case("ann#@home.example", "joann#@home.example", false),
        case("joann#@home.example", "ann#@home.example", false),
        case("ann#@home.example", "ann#@home.example.org", false),
        case("ann#@home.example", "ann#@home", false),
        case("ann#@home.example", "ann#+clinic@home.example", false),
        case("an.n#@home.example", "ann#@home.example", false),
        case("ann#_@home.example", "ann#x@home.example", false),
        case("ann#%@home.example", "ann#xyz@home.example", false),
    ])
    .await;
}

#[tokio::test]
async fn a_name_is_the_same_but_for_its_case_its_blanks_and_how_it_is_encoded() {
    const MAIL: &str = "x#@home.example";
    let case = |ours, theirs, fits| ([ours, MAIL, ""], [theirs, MAIL, ""], fits);
    fit(&[
        case("Pat Doe", "pAT dOE", true),
        case("Pat Doe", "  Pat   Doe ", true),
        case("Pat Doe", "Pat\u{a0}Doe", true),
        case("Mary Ann Smith", "MARY ANN  SMITH", true),
        case("José Núñez", "Jose\u{301} Nu\u{301}n\u{303}ez", true),
        case("ØYVIND ÅS", "Øyvind Ås", true),
        case("Jose\u{301} Nunez", "josé nunez", true),
        case("Ｐａｔ Doe", "Pat Doe", true),
        case("Pat Doe", "Pat Do", false),
        case("Pat Doe", "Pat Does", false),
        case("Pat Doe", "Pat", false),
        case("Pat Doe", "Doe Pat", false),
        case("Pat Doe", "Pat M Doe", false),
        case("Pat Doe", "PatDoe", false),
        case("Jose Nunez", "José Núñez", false),
    ])
    .await;
}

/// A household, a client at its address, and who of them it is.
type Household = (&'static [[&'static str; 2]], [&'static str; 2], Option<usize>);

#[tokio::test]
async fn of_several_at_one_address_only_the_one_who_alone_fits_twice_is_meant() {
    const BORN: &str = "2015-06-01";
    const OLDER: &str = "1980-04-02";
    let cases: [Household; 12] = [
        // Twins.
        (&[["Tim Doe", BORN], ["Tom Doe", BORN]], ["Tom Doe", BORN], Some(1)),
        (&[["Tim Doe", BORN], ["Tom Doe", BORN]], ["Tom Doe", ""], Some(1)),
        (&[["Tim Doe", BORN], ["Tom Doe", BORN]], ["T Doe", BORN], None),
        // A father and his son, who is called as he is.
        (&[["Tim Doe", BORN], ["Tim Doe", OLDER]], ["Tim Doe", OLDER], Some(1)),
        (&[["Tim Doe", BORN], ["Tim Doe", OLDER]], ["Tim Doe", ""], None),
        (&[["Tim Doe", BORN], ["Tim Doe", OLDER]], ["Timothy Doe", BORN], Some(0)),
        (&[["Tim Doe", ""], ["Tim Doe", OLDER]], ["Tim Doe", OLDER], Some(1)),
        (&[["Tim Doe", ""], ["Tim Doe", OLDER]], ["Tim Doe", ""], None),
        // One by the date of birth, one by the name.
        (&[["Tim Doe", ""], ["Timothy Doe", BORN]], ["Tim Doe", BORN], None),
        // Two charts of one person.
        (&[["Tim Doe", BORN], ["Tim Doe", BORN]], ["Tim Doe", BORN], None),
        (&[["Tim Doe", ""], ["Tim Doe", ""]], ["Tim Doe", BORN], None),
        // Who does not fit is no rival.
        (&[["Ann Doe", OLDER], ["Tim Doe", BORN], ["Joe Doe", ""]], ["Tim Doe", BORN], Some(1)),
    ];
    let sync = Sync::new().await;
    let (mut whose, mut open) = (Map::new(), Map::new());
    for (number, (household, client, meant)) in cases.into_iter().enumerate() {
        let address = format!("home{number}@home.example");
        let mut patients = vec![];
        for [name, born] in household {
            patients.push(sync.charted([name, &address, born]).await);
        }
        let visit = format!("a{number}");
        sync.booked(&visit, 1000 + number as i64, [client[0], &address, client[1]]);
        match meant {
            Some(meant) => whose.insert(visit, json!(patients[meant])),
            None => open.insert(visit, json!("SEVERAL")),
        };
    }
    sync.sweep().await;
    assert_eq!(sync.whose().await, Value::Object(whose));
    assert_eq!(sync.open().await, Value::Object(open));
}

#[tokio::test]
async fn a_case_managers_address_is_nobodys() {
    const DESK: &str = "desk@agency.example";
    let sync = Sync::new().await;
    sync.clinic.sql(&format!("UPDATE users SET email = '{DESK}' WHERE id = {}", sync.case_manager)).await;
    let mut whose = Map::new();
    let people = [("Ada Lee", "1990-01-01"), ("Bo Kim", "1991-02-02"), ("Cy Fox", ""), ("Di Ray", "1990-01-01")];
    for (number, (name, born)) in people.into_iter().enumerate() {
        let patient = sync.charted([name, DESK, born]).await;
        sync.booked(&format!("a{number}"), number as i64 + 1, [name, DESK, born]);
        whose.insert(format!("a{number}"), json!(patient));
    }
    sync.booked("b1", 91, ["Ed New", DESK, "1999-09-09"]);
    sync.booked("b2", 92, ["", DESK, ""]);
    sync.booked("b3", 93, ["Bo Kim", DESK, "1999-09-09"]);
    sync.booked("b4", 94, ["A Lee", DESK, "1990-01-01"]);
    sync.sweep().await;
    assert_eq!(sync.whose().await, Value::Object(whose));
    assert_eq!(sync.open().await, json!({"b1": "NOBODY", "b2": "NOBODY", "b3": "NOBODY", "b4": "SEVERAL"}));
}

#[tokio::test]
async fn a_group_visit_waits_for_a_person_though_its_client_is_known() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    for (visit, others) in [
        ("b1", json!([{"ClientId": ANN.id, "ClientName": ANN.name}])),
        ("b2", json!([ANN.id])),
        ("b3", json!([{}])),
        ("c1", json!([])),
        ("c2", Value::Null),
    ] {
        let mut row = appointment(visit, &PAT, LATER);
        row["AdditionalClients"] = others;
        sync.upstream.put(row);
    }
    for new in [3, 0] {
        let outcome = sync.sweep().await;
        assert_eq!((totals(&outcome)[0], outcome.count("unmatched")), (new, 3), "{outcome:?}");
        assert_eq!(sync.whose().await, json!({"a1": pat, "c1": pat, "c2": pat}));
        assert_eq!(sync.open().await, json!({"b1": "GROUP", "b2": "GROUP", "b3": "GROUP"}));
    }
}

#[tokio::test]
async fn a_client_who_was_found_once_is_known_by_the_number() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    let report = sync.sweep().await.report();
    let client = sync
        .clinic
        .json("SELECT client_id, n(patient_id) AS patient_id, linked_by, run_id FROM practiceq_clients")
        .await;
    let expected = json!({"client_id": "100", "patient_id": pat, "linked_by": null, "run_id": report["run_id"]});
    assert_eq!(client, expected);
    // Another name, address and date of birth, which are nobody else's: it is the same client.
    let moved = Client { id: PAT.id, name: "Trish Roe", email: "trish@home.example", date_of_birth: "1980-04-03" };
    let ann = sync.patient_of(&ANN).await;
    sync.upstream.put(appointment("a2", &moved, LATER));
    sync.upstream.put(appointment("a3", &ANN, LATER));
    let mut nameless = appointment("a4", &moved, LATER);
    for field in ["ClientName", "ClientEmail", "ClientPhone", "ClientDateOfBirth"] {
        nameless[field] = Value::Null;
    }
    sync.upstream.put(nameless);
    let mut text = appointment("a5", &moved, LATER);
    text["ClientId"] = json!("100");
    sync.upstream.put(text);
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"a1": pat, "a2": pat, "a3": ann, "a4": pat, "a5": pat}));
    assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_clients").await, 2);
}

/// A client of this id, of whom the account says what it says of another.
fn known_as<'a>(id: i64, other: &Client<'a>) -> Client<'a> {
    Client { id, ..*other }
}

#[tokio::test]
async fn a_known_client_with_another_patients_address_and_birthday_is_nobodys_until_a_person_decides() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.sweep().await;
    sync.upstream.put(appointment("a2", &known_as(PAT.id, &ANN), LATER));
    sync.upstream.edit("a1", |row| rename(row, &known_as(PAT.id, &ANN)));
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("unmatched"), sync.whose().await), (2, json!({})), "{outcome:?}");
    assert_eq!(sync.open().await, json!({"a1": "CONFLICT", "a2": "CONFLICT"}));
    // The address alone, or the birthday alone, says nothing against the client.
    for (visit, email, born) in [("b1", ANN.email, PAT.date_of_birth), ("b2", PAT.email, ANN.date_of_birth)] {
        let odd = Client { email, date_of_birth: born, ..PAT };
        sync.upstream.put(appointment(visit, &odd, LATER));
    }
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"b1": pat, "b2": pat}));
    // Each is decided alone, and the client stays who it is.
    for (visit, patient) in [("a1", pat), ("a2", ann)] {
        let id = sync.one(&format!("SELECT id FROM practiceq_unmatched WHERE external_id = '{visit}'")).await;
        let args = ["practiceq", "unmatched", "link", &id.to_string(), "--patient", &patient.to_string()];
        sync.clinic.run(&[&args[..], &["--actor", &sync.admin.to_string()]].concat()).await.expect(0);
    }
    for _ in 0..2 {
        assert_eq!(sync.whose().await, json!({"a1": pat, "a2": ann, "b1": pat, "b2": pat}));
        sync.sweep().await;
    }
    let clients = "SELECT jsonb_object_agg(client_id, patient_id::bigint) FROM practiceq_clients";
    assert_eq!(sync.one(clients).await, json!({"100": pat}));
}

#[tokio::test]
async fn twins_at_one_address_are_in_no_conflict_with_each_other() {
    let sync = Sync::new().await;
    let twins = ["Tim Doe", "Tom Doe"].map(|name| Client {
        id: 300,
        name,
        email: "twins@home.example",
        date_of_birth: "2015-06-01",
    });
    let tim = sync.patient_of(&twins[0]).await;
    sync.patient_of(&twins[1]).await;
    sync.upstream.put(appointment("a1", &twins[0], LATER));
    sync.sweep().await;
    sync.upstream.put(appointment("a2", &twins[1], LATER));
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"a1": tim, "a2": tim}), "the client is known, and has his birthday");
}

#[tokio::test]
async fn a_value_that_stands_for_none_is_no_client() {
    for none in [json!(0), json!("0"), json!(""), json!("null"), json!("00000000-0000-0000-0000-000000000000")] {
        let sync = Sync::new().await;
        let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
        for (visit, client) in [("a1", &PAT), ("b1", &ANN), ("c1", &Client { email: "none", ..PAT })] {
            let mut row = appointment(visit, client, LATER);
            row["ClientId"] = none.clone();
            sync.upstream.put(row);
            sync.sweep().await;
        }
        assert_eq!(sync.whose().await, json!({"a1": pat, "b1": ann}), "{none}");
        assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_clients").await, 0, "{none}");
    }
}

/// What the migration does with the clients of earlier versions.
const MIGRATION: &str = include_str!("../../../migrations/rounds/V0027__practiceq_contradictions.sql");

#[tokio::test]
async fn clients_that_stood_for_none_are_forgotten_and_their_visits_matched_anew() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    for (visit, client) in [("a1", &PAT), ("b1", &ANN)] {
        let mut row = appointment(visit, client, LATER);
        row["ClientId"] = json!(0);
        sync.upstream.put(row);
    }
    sync.upstream.put(appointment("b2", &ANN, LATER));
    sync.sweep().await;
    // As an earlier version took them: all zeros are Pat.
    sync.clinic
        .sql(&format!(
            "UPDATE practiceq_visits SET client_id = '0' WHERE client_id IS NULL;
             UPDATE practiceq_visits SET patient_id = '{pat}' WHERE external_id = 'b1';
             UPDATE appointments SET patient_id = {pat} WHERE external_id = 'b1';
             INSERT INTO practiceq_clients (client_id, patient_id, created_at, run_id)
             SELECT id, '{pat}', now(), gen_random_uuid()
             FROM unnest(ARRAY['0', '000', '00000000-0000-0000-0000-000000000000', 'null', '-1', '10', 'a0']) AS none (id)"
        ))
        .await;
    let of_clients = |statement: &&str| statement.contains("client_id ~*");
    let statements: Vec<&str> = MIGRATION.split(';').filter(of_clients).collect();
    assert_eq!(statements.len(), 3);
    sync.clinic.sql(&statements.join(";")).await;
    let clients = "SELECT string_agg(client_id, ' ' ORDER BY client_id COLLATE \"C\") FROM practiceq_clients";
    assert_eq!(sync.one(clients).await, "10 200 a0");
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"a1": pat, "b1": ann, "b2": ann}));
}

#[tokio::test]
async fn a_patient_may_be_two_clients_of_the_account() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.upstream.put(appointment("a2", &Client { id: 101, ..PAT }, LATER));
    // Without a number there is nothing to remember.
    let mut row = appointment("a3", &PAT, LATER);
    row["ClientId"] = Value::Null;
    sync.upstream.put(row);
    sync.sweep().await;
    assert_eq!(sync.whose().await, json!({"a1": pat, "a2": pat, "a3": pat}));
    let clients = "SELECT jsonb_object_agg(client_id, n(patient_id)) FROM practiceq_clients";
    assert_eq!(sync.one(clients).await, json!({"100": pat, "101": pat}));
}

#[tokio::test]
async fn who_is_charted_later_is_found_then() {
    let sync = Sync::new().await;
    sync.patient_of(&ANN).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    for _ in 0..2 {
        let outcome = sync.sweep().await;
        assert_eq!((outcome.count("unmatched"), skipped(&outcome, "unmatched")), (1, 1), "put in, and left in");
        assert_eq!(sync.open().await, json!({"a1": "NOBODY"}));
    }
    let pat = sync.patient_of(&PAT).await;
    let outcome = sync.sweep().await;
    assert_eq!((totals(&outcome)[0], outcome.count("unmatched")), (1, 0), "{outcome:?}");
    assert_eq!(sync.whose().await, json!({"a1": pat}));
    assert_eq!(sync.open().await, json!({}), "nobody needs to decide it any more");
}

#[tokio::test]
async fn what_a_person_has_to_know_is_kept_and_told_of_once() {
    let sync = Sync::new().await;
    sync.patient_of(&ANN).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    let run = sync.sweep().await.report()["run_id"].clone();
    let row = "SELECT client_id, reason, status, starts_at, patient_id, decided_by, run_id FROM practiceq_unmatched";
    let expected = json!({
        "client_id": "100",
        "reason": "NOBODY",
        "status": "open",
        "starts_at": "2026-03-10T18:00:00+00:00",
        "patient_id": null,
        "decided_by": null,
        "run_id": run,
    });
    assert_eq!(sync.clinic.json(row).await, expected);
    let first_seen = sync.one("SELECT first_seen FROM practiceq_unmatched").await;
    sync.upstream.edit("a1", |row| (row["StartDate"], row["EndDate"]) = (json!(1_773_252_000_000_i64), Value::Null));
    sync.sweep().await;
    let row = sync.clinic.json("SELECT starts_at, first_seen FROM practiceq_unmatched").await;
    assert_eq!(row, json!({"starts_at": "2026-03-11T18:00:00+00:00", "first_seen": first_seen}));
}

#[tokio::test]
async fn a_client_who_was_merged_into_another_patients_takes_the_visits_along() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.upstream.put(appointment("a2", &PAT, LATER));
    sync.sweep().await;
    let id = sync.stored("a1").await["id"].clone();
    sync.upstream.edit("a1", |row| rename(row, &ANN));
    let outcome = sync.sweep().await;
    assert_eq!(totals(&outcome)[..2], [0, 1], "{outcome:?}");
    assert_eq!(sync.whose().await, json!({"a1": ann, "a2": pat}));
    let row = sync.stored_as("a1", ["id", "client_id", "deleted_at"]).await;
    assert_eq!(row, [id, json!("200"), Value::Null], "the same row");
}

#[tokio::test]
async fn a_client_who_was_merged_into_nobodys_leaves_the_chart() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    let twins = ["Tim Doe", "Tom Doe"].map(|name| [name, "twins@home.example", "2015-06-01"]);
    for twin in twins {
        sync.charted(twin).await;
    }
    for visit in ["a1", "a2", "a3", "a4"] {
        sync.upstream.put(appointment(visit, &PAT, LATER));
    }
    sync.sweep().await;
    sync.upstream.edit("a1", |row| rename(row, &ANN));
    let [_, email, date_of_birth] = twins[0];
    sync.upstream.edit("a2", |row| rename(row, &Client { id: 300, name: "T Doe", email, date_of_birth }));
    sync.upstream.edit("a3", |row| row["AdditionalClients"] = json!([{"ClientId": 200}]));
    let outcome = sync.sweep().await;
    assert_eq!(outcome.count("unmatched"), 3, "{outcome:?}");
    assert_eq!(sync.whose().await, json!({"a4": pat}));
    assert_eq!(sync.open().await, json!({"a1": "NOBODY", "a2": "SEVERAL", "a3": "GROUP"}));
    let kept = sync.stored_as("a1", ["patient_id", "status"]).await;
    assert_eq!(kept, [json!(pat), json!("CONFIRMED")], "gone from the chart, not cancelled");
    // And back.
    sync.upstream.edit("a1", |row| rename(row, &PAT));
    assert_eq!(totals(&sync.sweep().await)[..2], [0, 1]);
    assert_eq!(sync.whose().await, json!({"a1": pat, "a4": pat}));
    assert_eq!(sync.open().await, json!({"a2": "SEVERAL", "a3": "GROUP"}));
}

fn rename(row: &mut Value, client: &Client<'_>) {
    row["ClientId"] = json!(client.id);
    row["ClientName"] = json!(client.name);
    row["ClientEmail"] = json!(client.email);
    row["ClientDateOfBirth"] = json!(client.date_of_birth);
}

#[tokio::test]
async fn whom_no_organization_looks_after_is_out_of_scope() {
    let sync = Sync::new().await;
    let ann = sync.patient_of(&ANN).await;
    sync.upstream.put(appointment("b1", &ANN, LATER));
    let pat = sync.patient_of(&PAT).await;
    for (number, status) in ["inactive", "pending", ""].into_iter().enumerate() {
        match status {
            "" => {
                sync.clinic
                    .sql(&format!("DELETE FROM patient_organization_affiliations WHERE patient_id = {pat}"))
                    .await
            }
            status => sync.affiliate(pat, sync.organization, status).await,
        }
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
        let outcome = sync.sweep().await;
        assert_eq!(skipped(&outcome, "out_of_scope"), number as u64 + 1, "{status}: {outcome:?}");
        assert_eq!((outcome.count("total_patients"), outcome.count("unmatched")), (1, 0), "{status}: {outcome:?}");
        assert_eq!(sync.whose().await, json!({"b1": ann}), "{status}");
    }
    sync.affiliate(pat, sync.organization, "active").await;
    assert_eq!(totals(&sync.sweep().await)[0], 3);
    assert_eq!(sync.whose().await, json!({"a0": pat, "a1": pat, "a2": pat, "b1": ann}));
    // What is in the chart of somebody who has left stays as it was.
    sync.affiliate(pat, sync.organization, "inactive").await;
    let before = sync.written().await;
    sync.upstream.edit("a0", |row| row["Status"] = json!("Canceled"));
    assert_eq!(skipped(&sync.sweep().await, "out_of_scope"), 3);
    assert_eq!(sync.written().await, before);
}

#[tokio::test]
async fn a_twin_out_of_scope_is_a_twin_all_the_same() {
    let sync = Sync::new().await;
    let born = "2015-06-01";
    let tim = sync.charted(["Tim Doe", "twins@home.example", born]).await;
    let tom = sync.charted(["Tom Doe", "twins@home.example", born]).await;
    sync.affiliate(tom, sync.organization, "inactive").await;
    sync.booked("a1", 1, ["T Doe", "twins@home.example", born]);
    sync.booked("a2", 2, ["Tim Doe", "twins@home.example", born]);
    sync.booked("a3", 3, ["Tom Doe", "twins@home.example", born]);
    let outcome = sync.sweep().await;
    assert_eq!(skipped(&outcome, "out_of_scope"), 1, "{outcome:?}");
    assert_eq!(sync.whose().await, json!({"a2": tim}));
    assert_eq!(sync.open().await, json!({"a1": "SEVERAL"}));
}

#[tokio::test]
async fn a_patient_of_several_organizations_counts_once() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    for _ in 0..3 {
        let (organization, _) = sync.another_organization(sync.facility).await;
        sync.affiliate(pat, organization, "active").await;
    }
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.upstream.put(appointment("b1", &ANN, LATER));
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("total_patients"), outcome.count("patients_processed")), (2, 2), "{outcome:?}");
    assert_eq!((outcome.count("scanned"), totals(&outcome)), (2, [2, 0, 0, 0]));
    assert_eq!(sync.whose().await, json!({"a1": pat, "b1": ann}));
}

#[tokio::test]
async fn a_client_who_is_nobody_of_ours_is_ignored() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let insert =
        "INSERT INTO practiceq_clients (client_id, linked_by, created_at) VALUES ('100', $1::bigint::text, now())";
    sync.clinic.client.execute(insert, &[&sync.admin]).await.expect("can be inserted");
    sync.upstream.put(appointment("a1", &PAT, LATER));
    let outcome = sync.sweep().await;
    assert_eq!((skipped(&outcome, "ignored"), outcome.count("unmatched")), (1, 0), "{outcome:?}");
    assert_eq!(
        (sync.whose().await, sync.open().await),
        (json!({}), json!({})),
        "a person's word is more than an address"
    );
}

#[tokio::test]
async fn a_partial_match_of_the_accounts_own_search_puts_nothing_into_anyones_chart() {
    let sync = Sync::new().await;
    let mine = Client { id: 1, name: "Ann Roe", email: "ann@home.example", date_of_birth: "1975-12-31" };
    let joann = Client { id: 2, name: "Joann Roe", email: "joann@home.example", date_of_birth: "1976-01-01" };
    let (ann, _) = (sync.patient_of(&mine).await, sync.patient_of(&joann).await);
    sync.upstream.put(appointment("a1", &mine, LATER));
    sync.upstream.put(appointment("b1", &joann, LATER));
    sync.upstream.put(appointment("c1", &Client { id: 3, email: "deann@home.example", ..mine }, LATER));
    sync.upstream.put(appointment("c2", &Client { id: 4, name: "A Roe", date_of_birth: "1999-09-09", ..mine }, LATER));
    let outcome = sync.ends(0, &["--patient", &ann.to_string()]).await;
    assert_eq!(sync.asked_for()[0].split('&').next(), Some("appointments?client=ann@home.example"));
    assert_eq!((outcome.count("total_patients"), totals(&outcome)[0]), (1, 1), "{outcome:?}");
    assert!(skipped(&outcome, "other_patient") >= 1, "{outcome:?}");
    assert_eq!(sync.whose().await, json!({"a1": ann}));
}

/// All rows of an organization's lane are its own patients'.
#[tokio::test]
async fn a_refresh_of_one_organization_leaves_the_patients_of_others_alone() {
    for crowd in [0, 12] {
        let sync = Sync::new().await;
        let ann = sync.patient_of(&ANN).await;
        let (other, _) = sync.another_organization(sync.facility).await;
        sync.affiliate(ann, other, "active").await;
        sync.affiliate(ann, sync.organization, "inactive").await;
        let pat = sync.patient_of(&PAT).await;
        for number in 0..crowd {
            sync.charted(["Al Fox", &format!("al{number}@home.example"), ""]).await;
        }
        sync.upstream.put(appointment("a1", &PAT, LATER));
        sync.upstream.put(appointment("b1", &ANN, LATER));
        let lane = |id: i64| ["--organization".to_owned(), id.to_string()];
        let outcome: Outcome = sync.ends(0, &lane(sync.organization).each_ref().map(String::as_str)).await;
        assert_eq!((outcome.count("total_patients"), totals(&outcome)[0]), (crowd + 1, 1), "{outcome:?}");
        assert_eq!(sync.whose().await, json!({"a1": pat}), "{crowd}");
        sync.ends(0, &lane(other).each_ref().map(String::as_str)).await;
        assert_eq!(sync.whose().await, json!({"a1": pat, "b1": ann}), "{crowd}");
    }
}
