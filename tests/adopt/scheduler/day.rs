//! The same day on the reference tables and on the application's: the same decisions.

use fastrand::Rng;
use serde_json::{Value, json};

use super::tables::{Side, reported};
use super::{ANN, LATER, PAT, TODAY};
use crate::support::keys::Kind;
use crate::support::practiceq::{Client, appointment};

/// Twins with one address; a client whom several match; one whom nobody knows; one with letters of another kind.
const AMY: Client = Client { id: 301, name: "Amy Twin", email: "twins@home.example", date_of_birth: "2001-05-05" };
const ABE: Client = Client { id: 302, name: "Abe Twin", email: "twins@home.example", date_of_birth: "2001-05-05" };
const AVA: Client = Client { id: 303, name: "Ava Twin", email: "twins@home.example", date_of_birth: "2001-05-05" };
const NEW: Client = Client { id: 400, name: "Newt Unknown", email: "newt@home.example", date_of_birth: "1990-09-09" };
const JOSE: Client =
    Client { id: 500, name: "José Canarín", email: " JOSE@home.example ", date_of_birth: "1985-06-06" };
const EVE: Client = Client { id: 600, name: "Eve Left", email: "eve@home.example", date_of_birth: "1966-06-06" };

/// Both sides of a day.
struct Day([Side; 2]);

impl Day {
    async fn begin() -> Self {
        let sides = [Side::reference().await, Side::kit().await];
        for side in &sides {
            for client in [PAT, ANN, AMY] {
                side.patient_of(&client).await;
            }
            // The application has an address and a date of birth only once; other letters make another address.
            side.patient("Abe", "Twin", Some("Twins@home.example"), Some("2001-05-05")).await;
            side.patient_of(&EVE).await;
            side.patient("Jose\u{301}", "canarín", Some("jose@home.example"), Some("1985-06-06")).await;
            side.patient("Nobody", "Without", None, None).await;
            side.leave(5).await;
        }
        Self(sides)
    }

    /// The account changes.
    fn put(&self, row: &Value) {
        self.0.iter().for_each(|side| side.sync.upstream.put(row.clone()));
    }

    fn edit(&self, id: &str, change: impl Fn(&mut Value)) {
        self.0.iter().for_each(|side| side.sync.upstream.edit(id, &change));
    }

    /// A run on both; what it decided and what it made is the same. Returns what it decided.
    async fn runs(&self, args: &[&str]) -> Value {
        let [reference, kit] = &self.0;
        let (theirs, ours) = tokio::join!(reference.sync.run(args), kit.sync.run(args));
        let decided = reported(&ours);
        assert_eq!(decided, reported(&theirs), "{args:?}: {}\n{}", ours.stdout, ours.stderr);
        self.same(args).await;
        decided
    }

    async fn same(&self, what: &[&str]) {
        let [reference, kit] = &self.0;
        let (expected, found) = (reference.picture().await, kit.picture().await);
        for (part, expected) in expected.as_object().expect("parts") {
            assert_eq!(&found[part], expected, "{part} after {what:?}");
        }
        // What the application's own columns say is what the account says.
        let odd =
            "SELECT count(*) FROM public.appointments a JOIN practiceq_visits v ON v.external_id = a.pq_appointment_id
                   WHERE a.start_time <> v.starts_at OR a.end_time <> v.ends_at
                      OR a.meeting_url IS DISTINCT FROM v.meeting_url OR a.service_instance_id <> k(1)
                      OR a.patient_info ->> 'email' <> (SELECT p.email FROM public.patients p WHERE p.id = a.patient_id)
                      OR (v.deleted_at IS NOT NULL AND a.status IN ('scheduled', 'confirmed'))";
        assert_eq!(kit.sync.clinic.count(odd).await, 0, "{what:?}");
    }
}

/// The number of decisions of one kind.
fn told(decided: &Value, key: &str) -> Value {
    let all = decided.as_array().expect("a list");
    all.iter().find(|pair| pair[0] == key).unwrap_or_else(|| panic!("no {key}: {decided}"))[1].clone()
}

/// The first morning: every kind of row that the account has.
fn first_rows(day: &Day) {
    for (id, client, start) in [
        ("pat-later", PAT, LATER),
        ("pat-today", PAT, TODAY),
        ("pat-gone", PAT, LATER),
        ("ann", ANN, LATER),
        ("amy", AMY, LATER),
        ("abe", ABE, LATER),
        ("ava", AVA, LATER),
        ("new", NEW, LATER),
        ("new-too", NEW, LATER),
        ("jose", JOSE, LATER),
        ("eve", EVE, LATER),
        // One hour of Denver's clock, twice; and the hour that it leaves out.
        ("fall-1", PAT, "2025-11-02T07:30:00Z"),
        ("fall-2", ANN, "2025-11-02T08:30:00Z"),
        ("spring", PAT, "2026-03-08T09:00:00Z"),
        ("midnight", PAT, "2026-03-09T06:00:00Z"),
    ] {
        day.put(&appointment(id, &client, start));
    }
    for (id, field, value) in [
        ("waits", "Status", json!("WaitingConfirmation")),
        ("cancelled", "Status", json!("Canceled")),
        ("missed", "Status", json!("Missed")),
        ("odd", "Status", json!("Dancing")),
        ("second", "PractitionerId", json!("prac-2")),
        ("unknown", "PractitionerId", json!("prac-9")),
        ("no-link", "TelehealthInfo", Value::Null),
        ("group", "AdditionalClients", json!([{"ClientId": 7}])),
        ("unreadable", "StartDate", json!("soon")),
        ("nameless", "ServiceName", Value::Null),
    ] {
        let mut row = appointment(id, &PAT, LATER);
        row[field] = value;
        if id == "unreadable" {
            row["StartDateIso"] = Value::Null;
        }
        day.put(&row);
    }
    let mut endless = appointment("endless", &PAT, LATER);
    (endless["EndDate"], endless["Duration"]) = (Value::Null, Value::Null);
    day.put(&endless);
}

#[tokio::test]
async fn the_same_day_gives_the_same_decisions() {
    const ALL: &[&str] = &["--back-days", "150"];
    let day = Day::begin().await;
    first_rows(&day);
    let first = day.runs(ALL).await;
    assert_eq!(told(&first, "total_appointments"), json!({"new": 19, "updated": 0, "unchanged": 0, "errors": 2}));
    assert_eq!((told(&first, "unmatched"), told(&first, "exit code")), (json!(4), json!(3)), "{first}");
    let second = day.runs(ALL).await;
    assert_eq!(told(&second, "total_appointments"), json!({"new": 0, "updated": 0, "unchanged": 19, "errors": 2}));

    // The morning's changes: moved, handed over, another link, cancelled, taking place after all, another end.
    let later = |row: &mut Value| {
        for field in ["StartDate", "EndDate"] {
            row[field] = json!(row[field].as_i64().expect("a number") + 3_600_000);
        }
    };
    day.edit("pat-today", later);
    day.edit("pat-later", |row| row["PractitionerId"] = json!("prac-2"));
    day.edit("second", |row| row["PractitionerId"] = json!("prac-9"));
    day.edit("ann", |row| row["TelehealthInfo"]["JoinUrl"] = json!("https://meet.example/other"));
    day.edit("no-link", |row| row["EndDate"] = json!(row["EndDate"].as_i64().expect("a number") + 60_000));
    day.edit("jose", |row| row["Status"] = json!("Canceled"));
    day.edit("cancelled", |row| row["Status"] = json!("Confirmed"));
    day.edit("nameless", |row| row["TelehealthInfo"] = Value::Null);
    let changed = day.runs(&["--incremental"]).await;
    assert_eq!(told(&changed, "total_appointments")["updated"], 8, "{changed}");

    // The clock on the wall stays, the instant does not.
    day.edit("fall-1", later);
    assert_eq!(told(&day.runs(ALL).await, "total_appointments")["updated"], 1);

    // The clinic's people know better; then the account says something else.
    for side in &day.0 {
        side.set_status("missed", "COMPLETED").await;
        side.set_status("waits", "CONFIRMED").await;
    }
    day.edit("missed", |row| row["Status"] = json!("Canceled"));
    day.edit("waits", |row| row["Status"] = json!("Canceled"));
    day.edit("abe", |row| row["Status"] = json!("Canceled"));
    day.runs(&["--incremental"]).await;

    // Deleted by the account, listed or not; another's; nobody's; deleted by the application.
    day.0.iter().for_each(|side| {
        side.sync.upstream.delete("pat-gone");
        side.sync.upstream.delete("pat-today");
        side.sync.upstream.delete("waits");
        side.sync.upstream.vanish("amy");
    });
    day.edit("spring", |row| {
        (row["ClientId"], row["ClientName"]) = (json!(ANN.id), json!(ANN.name));
        (row["ClientEmail"], row["ClientDateOfBirth"]) = (json!(ANN.email), json!(ANN.date_of_birth));
    });
    day.edit("midnight", |row| (row["ClientId"], row["ClientEmail"]) = (json!(400), json!(NEW.email)));
    for side in &day.0 {
        side.forget("unknown").await;
    }
    let gone = day.runs(ALL).await;
    assert_eq!(told(&gone, "deleted"), 4, "{gone}");
    day.runs(ALL).await;
    assert_eq!(told(&day.runs(ALL).await, "deleted"), 0);

    // What the account shows again, also with another status.
    day.0.iter().for_each(|side| ["pat-gone", "pat-today", "amy"].iter().for_each(|id| side.sync.upstream.restore(id)));
    day.edit("pat-today", |row| row["Status"] = json!("Canceled"));
    day.edit("pat-gone", |row| row["Status"] = json!("Confirmed"));
    day.runs(ALL).await;

    decided(&day).await;
    day.edit("ann", later);
    day.edit("jose", later);
    day.runs(&["--dry-run"]).await;
    let (ann, organization) = (Kind::Uuid.text(2), Kind::Uuid.text(1));
    for args in [&["--patient", &*ann][..], &["--appointment", "pat-later"], &["--organization", &*organization], ALL] {
        day.runs(args).await;
    }
}

/// A person decides; a patient leaves the organization.
async fn decided(day: &Day) {
    for side in &day.0 {
        side.decide("link", "new", Some(2)).await.expect(0);
        side.decide("ignore", "ava", None).await.expect(0);
    }
    day.same(&["decisions"]).await;
    for side in &day.0 {
        side.leave(4).await;
    }
}

/// A change of the account, or of the clinic's people.
async fn change(day: &Day, rng: &mut Rng) {
    const CLIENTS: [Client; 8] = [PAT, ANN, AMY, ABE, AVA, NEW, JOSE, EVE];
    let id = format!("r{:02}", rng.u8(..14));
    let client = CLIENTS[rng.usize(..CLIENTS.len())];
    let known = day.0[0].sync.upstream.has(&id);
    let what = if known { rng.u8(..11) } else { 0 };
    let status = ["Confirmed", "WaitingConfirmation", "Canceled", "Declined", "Missed"][rng.usize(..5)];
    let here = ["CONFIRMED", "COMPLETED", "SCHEDULED", "NO_SHOW"][rng.usize(..4)];
    let start = 1_772_463_600_000_i64 + rng.i64(-20..200) * 1_800_000;
    match what {
        0 => day.put(&appointment(&id, &client, LATER)),
        1 | 2 => day.edit(&id, |row| (row["StartDate"], row["EndDate"]) = (json!(start), json!(start + 900_000))),
        3 | 4 => day.edit(&id, |row| row["Status"] = json!(status)),
        5 => day.edit(&id, |row| row["PractitionerId"] = json!(["prac-1", "prac-2", "prac-9"][start as usize % 3])),
        6 => day.edit(&id, |row| {
            (row["ClientId"], row["ClientName"]) = (json!(client.id), json!(client.name));
            (row["ClientEmail"], row["ClientDateOfBirth"]) = (json!(client.email), json!(client.date_of_birth));
        }),
        7 => day.0.iter().for_each(|side| side.sync.upstream.delete(&id)),
        8 => day.0.iter().for_each(|side| side.sync.upstream.restore(&id)),
        9 => {
            for side in &day.0 {
                side.set_status(&id, here).await;
            }
        }
        _ => {
            for side in &day.0 {
                side.forget(&id).await;
            }
        }
    }
}

#[tokio::test]
async fn random_days_give_the_same_decisions() {
    for seed in 0..3 {
        let mut rng = Rng::with_seed(seed);
        let day = Day::begin().await;
        for round in 0..8 {
            for _ in 0..rng.u8(1..8) {
                change(&day, &mut rng).await;
            }
            let args: &[&str] = if rng.bool() { &["--incremental"] } else { &[] };
            println!("seed {seed}, round {round}, {args:?}");
            day.runs(args).await;
        }
    }
}
